/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of weights that are no model yet. */
#ifndef MIEN_TRAIN_LINEAR_H
#define MIEN_TRAIN_LINEAR_H

#include "train/floats.h"

/* A linear head in numbers; the caller's. */
typedef struct mien_linear {
  size_t n_labels, dim;
  const float *weights; /* [L × D] */
  const float *biases;  /* [L] */
} mien_linear;

/* scores [n_rows × L] = sigmoid(W·x + b), to the bit those of a model with these numbers. `threads` is at least 1,
 * *cancel may be NULL; *scores is freed by the caller. */
MIEN_MUST_USE mien_status mien_linear_score(const mien_linear *linear, const mien_floats *rows, unsigned threads,
                                            const atomic_bool *cancel, mien_floats *scores, mien_error *error);

#endif
