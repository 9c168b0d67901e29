/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's piece of the run on its way from reader to writer: rows, results, formatted output. */
#ifndef MIEN_CORPUS_BLOCK_H
#define MIEN_CORPUS_BLOCK_H

#include "corpus/buffer.h"
#include "corpus/pieces.h"
#include "corpus/reader.h"
#include "corpus/tally.h"

/* What a run makes of rows. */
typedef enum mien_row_content {
  MIEN_ROWS_LABELS,
  MIEN_ROWS_EMBEDDINGS, /* of texts */
  MIEN_ROWS_TOKENS,     /* of texts; made as they are written */
} mien_row_content;

typedef struct mien_block {
  mien_chunk chunk;
  mien_row_content content;
  size_t dim, n_labels_of_model;
  mien_results results; /* status always; words and, where the writer needs them, scores; or embeddings */
  bool has_texts;       /* rows are texts */
  uint64_t *order;      /* [L] scratch of the choice of labels */
  int32_t *ids;         /* [ids_capacity] scratch of a text's tokens */
  size_t ids_capacity;
  mien_buffer text;                /* what the writer formatted */
  uint64_t n_labels;               /* given to the chunk's rows */
  uint64_t n_tokens;               /* written of them */
  uint64_t n_encoded;              /* tokens that the encoder was given for them */
  uint64_t n_split;                /* texts that were run as their spans */
  uint64_t n_pieces, n_duplicates; /* texts and spans for the model; and those that others' results stood for */
  mien_tally tally;                /* of the chunk, where one is made: it has labels then */
} mien_block;

/* Memory for chunks of `reader` and their results; *block starts as zeros and is freed after a failure too. */
MIEN_MUST_USE mien_status mien_block_init(mien_block *block, const mien_reader *reader, const mien_model *model,
                                          mien_row_content content, bool with_scores, mien_error *error);
void mien_block_free(mien_block *block);

/* Frees buffers of more than `most_bytes`, which one long row has made: the next chunk's get what they need. */
void mien_block_trim(mien_block *block, size_t most_bytes);

/* Has a tally made of each chunk; its results need scores. Once, after mien_block_init. */
MIEN_MUST_USE mien_status mien_block_add_tally(mien_block *block, mien_error *error);

/* Runs the model over a filled chunk; texts by way of `pieces`, the worker's, and where these were split by `pooling`
 * of their spans. A row without a text is as one that is not finite: no labels, NaN. */
MIEN_MUST_USE mien_status mien_block_run(mien_block *block, mien_pieces *pieces, mien_span_pooling pooling,
                                         mien_session *session, mien_error *error);

static inline bool mien_block_is_bad(const mien_block *block, size_t row) {
  return block->results.status[row] == MIEN_ROW_NOT_FINITE;
}

enum { MIEN_EXPLANATION_BYTES = 320 };

/* Why a bad row is bad, NUL-terminated: "column 3 is NaN"; of texts, "line 8: …" with_line. */
void mien_block_explain(const mien_block *block, size_t row, bool with_line, char out[MIEN_EXPLANATION_BYTES]);

#endif
