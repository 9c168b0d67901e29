/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encoder as its files give it: configuration, weights where they lie in the mapped file, tokenizer. What runs is
 * made from it in plan.h.
 */
#ifndef MIEN_ENCODER_SOURCE_H
#define MIEN_ENCODER_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "kernels/encoder_kernels.h"
#include "tokenizer/tokenizer.h"

typedef enum mien_pooling {
  MIEN_POOLING_MEAN, /* of all tokens, special ones included */
  MIEN_POOLING_CLS,  /* the first token */
  MIEN_POOLING_MAX,  /* of all tokens, each number by itself */
} mien_pooling;

/* The fewest tokens that a text may be cut to: the special ones and one of its own. */
enum { MIEN_ENCODER_MIN_TOKENS = MIEN_TOKENIZER_SPECIALS + 1 };

/* BERT with erf GELU, absolute positions and post-LayerNorm. Every size is at least 1. */
typedef struct mien_encoder_config {
  size_t layers, hidden, heads, intermediate; /* hidden is a multiple of heads */
  size_t vocabulary, positions, token_types;
  float layer_norm_eps;
  mien_pooling pooling;
  bool normalize;    /* embeddings are divided by their L2 norm */
  size_t max_tokens; /* special ones included: texts are cut to it; at most `positions` */
} mien_encoder_config;

/*
 * A matrix [outputs × inputs] of a linear map, or a table [outputs × inputs] of rows, or a vector (outputs 1), where
 * the file has it: little-endian, not aligned to anything. `inputs_first`: the file has it transposed,
 * [inputs × outputs], as ONNX's MatMul wants it.
 */
typedef struct mien_weight {
  const unsigned char *data;
  size_t outputs, inputs;
  mien_dtype dtype; /* F32, F16, BF16; of a table also INT8 */
  bool inputs_first;
  const unsigned char *scales; /* INT8: [outputs] float32 */
} mien_weight;

typedef struct mien_weight_linear {
  mien_weight weight, bias;
} mien_weight_linear;

typedef struct mien_weight_norm {
  mien_weight gamma, beta;
} mien_weight_norm;

typedef struct mien_layer_weights {
  mien_weight_linear query, key, value;    /* hidden to hidden; a head's numbers lie together */
  mien_weight_linear attention_output;     /* hidden to hidden, */
  mien_weight_norm attention_norm;         /* then + residual and LayerNorm */
  mien_weight_linear intermediate, output; /* hidden to intermediate, GELU, back, */
  mien_weight_norm output_norm;            /* then + residual and LayerNorm */
} mien_layer_weights;

typedef struct mien_encoder_weights {
  mien_weight word, position, token_type; /* [vocabulary|positions|token_types × hidden] */
  mien_weight_norm norm;
  mien_layer_weights *layers; /* [config.layers]; NULL in a pack */
} mien_encoder_weights;

typedef struct mien_norm {
  float *gamma, *beta; /* [hidden] */
} mien_norm;

typedef struct mien_layer {
  mien_matrix query_key_value; /* hidden to queries, keys, values: 3 × heads × head_columns; queries scaled */
  mien_matrix attention_output;
  mien_norm attention_norm;
  mien_matrix up, down;
  mien_norm output_norm;
} mien_layer;

/* A layer's matrices by number, in the order above. */
enum { MIEN_LAYER_MATRICES = 4 };
mien_matrix *mien_layer_matrix(mien_layer *layer, size_t index);

/* What a pack has in the kernels' own layouts, aligned for them, where it lies in the file and is not to be written.
 * The matrices have no sums. */
typedef struct mien_encoder_packed {
  float *positions; /* [config.max_tokens × hidden] with token type 0 added */
  mien_norm norm;
  mien_layer *layers; /* [config.layers] in panels of dtype */
} mien_encoder_packed;

typedef struct mien_encoder_source {
  mien_encoder_config config;
  mien_dtype dtype;             /* what it runs in unless told otherwise: a pack's; F32 */
  mien_encoder_weights weights; /* all shapes are those of config; valid until destroy; of a pack: the words */
  mien_encoder_packed packed;   /* of a pack; else NULLs */
  mien_tokenizer *tokenizer;    /* its vocabulary is at most config.vocabulary */
  const char *format;           /* "safetensors", "onnx" or "pack" */
  char *license, *created_by;   /* what a pack says of itself; NULL where it says nothing */
  char *path;                   /* of the weights' file; NULL for a pack in memory */
  void *mapping;                /* of the weights' file: pages that are not needed again may be let go with madvise */
  size_t mapping_bytes;
  void *memory; /* of a pack that came from memory, in place of a mapping */
} mien_encoder_source;

/*
 * Opens an encoder: a sentence-transformers folder (config.json, model.safetensors or model.onnx or onnx/model.onnx,
 * tokenizer.json or vocab.txt, modules.json, …), or the weights' file of one. A folder of transformers alone, without
 * modules.json, is pooled by the mean and not normalised, as sentence-transformers does it; but an ONNX export without
 * modules.json is refused, since nothing else says how it is pooled. The export says its sizes itself: config.json may
 * be left out. What is not supported is refused (MIEN_INPUT): what, where, expected, found. The weights' file is mapped
 * and must not be changed or cut while the source lives; its pages are read as they are needed.
 */
MIEN_MUST_USE mien_status mien_encoder_source_open(const char *path, mien_encoder_source **source, mien_error *error);
void mien_encoder_source_destroy(mien_encoder_source *source);

/* The numbers `first` to `first` + n - 1 of a weight, as they lie in the file, as floats; of INT8 those of one row. */
void mien_weight_numbers(const mien_weight *weight, size_t first, size_t n, float *out);

/* Row `row` of what is not inputs_first, as floats; out [inputs]. */
static inline void mien_weight_row(const mien_weight *weight, size_t row, float *out) {
  mien_weight_numbers(weight, row * weight->inputs, weight->inputs, out);
}

#endif
