/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's piece of the run on its way from reader to writer: rows, results, formatted output. */
#ifndef MIEN_CORPUS_BLOCK_H
#define MIEN_CORPUS_BLOCK_H

#include "corpus/buffer.h"
#include "corpus/reader.h"

typedef struct mien_block {
  mien_chunk chunk;
  mien_results results; /* words and status always, scores where the writer needs them */
  uint64_t *order;      /* [L] scratch of the choice of labels */
  mien_buffer text;     /* what the writer formatted */
  uint64_t n_labels;    /* given to the chunk's rows */
  size_t dim;
} mien_block;

/* Memory for chunks of `reader` and results of `model`; *block starts as zeros and is freed after a failure too. */
MIEN_MUST_USE mien_status mien_block_init(mien_block *block, const mien_reader *reader, const mien_model *model,
                                          bool with_scores, mien_error *error);
void mien_block_free(mien_block *block);

/* Why a bad row is bad, "column 3 is NaN"; cut to `capacity`, NUL-terminated. */
void mien_block_explain(const mien_block *block, size_t row, char *out, size_t capacity);

#endif
