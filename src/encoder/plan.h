/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encoder as the kernels want it: weights in panels of one dtype, heads padded to whole panels. What a pack has in
 * that form already is used where it lies. Immutable once made.
 */
#ifndef MIEN_ENCODER_PLAN_H
#define MIEN_ENCODER_PLAN_H

#include "encoder/source.h"

typedef struct mien_encoder_plan {
  mien_encoder_source *source; /* of the tokenizer and the word embeddings, which stay in the file */
  mien_encoder_config config;  /* the source's, max_tokens as asked for */
  mien_dtype dtype;            /* what it runs in */
  size_t head_columns;         /* a head's numbers up to a multiple of MIEN_PANEL, zeros behind them */
  float *positions;            /* [source->config.max_tokens × hidden] with token type 0 added */
  mien_norm norm;
  mien_layer *layers; /* [config.layers] */
  void *memory;       /* of what is not the source's */
} mien_encoder_plan;

/*
 * Takes over `source`, after a failure too. `max_tokens`: texts are cut to it, special tokens included; 0 is the
 * encoder's own limit, more is MIEN_ARGUMENT, and so is less than 3. `dtype` NULL: the source's own. `where` names the
 * encoder in messages.
 */
MIEN_MUST_USE mien_status mien_encoder_plan_create(mien_encoder_source *source, size_t max_tokens,
                                                   const mien_dtype *dtype, const char *where, mien_encoder_plan **plan,
                                                   mien_error *error);
void mien_encoder_plan_destroy(mien_encoder_plan *plan);

/* The embedding of a word, as the dtype has it; out [hidden]. */
void mien_encoder_plan_word(const mien_encoder_plan *plan, size_t id, float *out);

#endif
