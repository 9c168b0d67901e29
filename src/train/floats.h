/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of float32 in memory: embeddings and scores, from .npy files, encoders and heads, and as .npy files. */
#ifndef MIEN_TRAIN_FLOATS_H
#define MIEN_TRAIN_FLOATS_H

#include <stdatomic.h>

#include "base/status.h"

typedef struct mien_floats {
  size_t n_rows, n_columns;
  float *data; /* [n_rows × n_columns], aligned to 64 */
} mien_floats;

void mien_floats_free(mien_floats *rows);

/*
 * Room for a matrix. MIEN_RESOURCE, with both figures, where it would take more than the memory that the system has
 * available. `what` is for messages.
 */
MIEN_MUST_USE mien_status mien_floats_create(size_t n_rows, size_t n_columns, const char *what, mien_floats *rows,
                                             mien_error *error);

/*
 * Reads a .npy file of (n_rows, n_columns) float16, float32 or float64 numbers, plain or compressed; 0 takes any
 * number, but no rows of none. One that is not finite is MIEN_INPUT, with its row and column.
 */
MIEN_MUST_USE mien_status mien_floats_read(const char *path, size_t n_rows, size_t n_columns, const atomic_bool *cancel,
                                           mien_floats *rows, mien_error *error);

MIEN_MUST_USE mien_status mien_floats_write(const mien_floats *rows, const char *path, mien_error *error);

/* How rows are made by a model. */
typedef struct mien_floats_options {
  unsigned threads; /* at least 1 */
  const atomic_bool *cancel;
  void (*progress)(void *user, size_t rows_done, size_t n_rows); /* on the calling thread; may be NULL */
  void *progress_user;
} mien_floats_options;

/* The embeddings of texts; the model's encoder is what counts. */
MIEN_MUST_USE mien_status mien_floats_embed(mien_model *model, const mien_text *texts, size_t n,
                                            const mien_floats_options *options, mien_floats *embeddings,
                                            mien_error *error);

/* The scores [n × L] of embeddings, or of texts. */
MIEN_MUST_USE mien_status mien_floats_score(mien_model *model, const mien_floats *embeddings,
                                            const mien_floats_options *options, mien_floats *scores, mien_error *error);
MIEN_MUST_USE mien_status mien_floats_score_texts(mien_model *model, const mien_text *texts, size_t n,
                                                  const mien_floats_options *options, mien_floats *scores,
                                                  mien_error *error);

#endif
