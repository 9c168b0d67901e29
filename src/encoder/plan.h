/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder as the kernels want it: weights packed into panels, heads padded to whole panels. Immutable once made. */
#ifndef MIEN_ENCODER_PLAN_H
#define MIEN_ENCODER_PLAN_H

#include "encoder/source.h"
#include "kernels/encoder_kernels.h"

typedef struct mien_norm {
  float *gamma, *beta; /* [hidden] */
} mien_norm;

typedef struct mien_layer {
  mien_matrix query_key_value; /* hidden to queries, keys, values: 3 × heads × head_columns */
  mien_matrix attention_output;
  mien_norm attention_norm;
  mien_matrix up, down;
  mien_norm output_norm;
} mien_layer;

typedef struct mien_encoder_plan {
  mien_encoder_source *source; /* of the tokenizer and the word embeddings, which stay in the file */
  mien_encoder_config config;  /* the source's, max_tokens as asked for */
  size_t head_columns;         /* a head's numbers up to a multiple of MIEN_PANEL, zeros behind them */
  float *positions;            /* [max_tokens × hidden] with token type 0 added */
  mien_norm norm;
  mien_layer *layers; /* [config.layers] */
  float *weights;     /* where all of the above lie */
} mien_encoder_plan;

/*
 * Takes over `source`, after a failure too. `max_tokens`: texts are cut to it, special tokens included; 0 is the
 * encoder's own limit, more is MIEN_ARGUMENT, and so is less than 3. `where` names the encoder in messages.
 */
MIEN_MUST_USE mien_status mien_encoder_plan_create(mien_encoder_source *source, size_t max_tokens, const char *where,
                                                   mien_encoder_plan **plan, mien_error *error);
void mien_encoder_plan_destroy(mien_encoder_plan *plan);

#endif
