/* SPDX-License-Identifier: Apache-2.0 */
/* BERT's parameters by name, and finding them in a file. */
#ifndef MIEN_ENCODER_WEIGHTS_H
#define MIEN_ENCODER_WEIGHTS_H

#include "encoder/source.h"

/* Room for the longest parameter's name, with a prefix. */
enum { MIEN_PARAMETER_CHARS = 128 };

/* Where a parameter belongs: [outputs × inputs], a matrix or table of rank 2; a vector has outputs 1. */
typedef struct mien_parameter {
  char name[MIEN_PARAMETER_CHARS]; /* transformers' name in BertModel: "encoder.layer.0.output.dense.weight" */
  bool is_vector;
  size_t outputs, inputs;
  mien_weight *weight;
} mien_parameter;

/* Finds a parameter and fills *parameter->weight. */
typedef mien_status (*mien_parameter_finder)(void *context, const mien_parameter *parameter, mien_error *error);

/* Calls `find` for every parameter of `config`, of which `weights` has its layers already. Stops at an error. */
MIEN_MUST_USE mien_status mien_encoder_each_parameter(const mien_encoder_config *config, mien_encoder_weights *weights,
                                                      mien_parameter_finder find, void *context, mien_error *error);

/* "[2, 3]", for messages: room for any rank that the formats take. Returns `out`. */
enum { MIEN_SHAPE_CHARS = 256 };
char *mien_show_shape(char out[MIEN_SHAPE_CHARS], size_t rank, const size_t *dims);

/* Fills `weights`, layers allocated, from a whole safetensors file; `where` names it. */
MIEN_MUST_USE mien_status mien_encoder_weights_from_safetensors(const unsigned char *bytes, size_t size,
                                                                const char *where, const mien_encoder_config *config,
                                                                mien_encoder_weights *weights, mien_error *error);

/*
 * The same from a whole ONNX file, a BERT exported from PyTorch. The graph says everything of `config` but pooling,
 * normalize and max_tokens; what `config` has already, from config.json (`is_configured`), must agree. Allocates the
 * layers.
 */
MIEN_MUST_USE mien_status mien_encoder_weights_from_onnx(const unsigned char *bytes, size_t size, const char *where,
                                                         bool is_configured, mien_encoder_config *config,
                                                         mien_encoder_weights *weights, mien_error *error);

#endif
