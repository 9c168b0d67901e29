/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's texts on their way through the model: a row's text, or its spans where it is split, equal ones once: those
 * of this chunk, and those whose results are in the run's cache.
 */
#ifndef MIEN_CORPUS_PIECES_H
#define MIEN_CORPUS_PIECES_H

#include "corpus/cache.h"

/* A text's spans; what is behind the last but one of them is one, of which the first tokens are read. */
enum { MIEN_MOST_SPANS = 65536 };

typedef struct mien_pieces_options {
  bool has_labels, has_scores; /* results: words, and scores; else embeddings */
  bool splits;                 /* texts that are too long are run as their spans */
  size_t rows;                 /* of a chunk, at most */
} mien_pieces_options;

typedef struct mien_pieces {
  const mien_model *model;
  mien_pieces_options options;
  mien_cache *cache; /* the run's; NULL: every text is run */

  size_t n_rows;
  size_t *starts; /* [rows + 1] where among the texts each row's are, and the end */

  size_t n, capacity;
  mien_text *texts; /* [capacity], n of them there */
  size_t *slots;    /* the same: where among the results a text's are */

  mien_text_span *spans; /* [spans_capacity] scratch: of a text */
  size_t spans_capacity;
  float *scores; /* [scores_capacity × L] scratch: of a text's spans */
  size_t scores_capacity;

  size_t results_capacity;
  mien_results results; /* [results_capacity] by slot */
  mien_text *distinct;  /* the same: those that are run, by slot */
  uint64_t *hashes;     /* the same: of texts */
  uint32_t *table;      /* open addressing, at least half empty: 1 + the place among texts of the first of equal ones */
  unsigned char *packed; /* a text's results as the cache has them */

  size_t n_duplicates; /* of the last run: texts that others' results stand for */
} mien_pieces;

/* *pieces starts as zeros and is freed after a failure too. The cache, which may be NULL, is one of
 * mien_pieces_result_bytes. */
MIEN_MUST_USE mien_status mien_pieces_init(mien_pieces *pieces, const mien_model *model,
                                           const mien_pieces_options *options, mien_cache *cache, mien_error *error);
void mien_pieces_free(mien_pieces *pieces);

/* Bytes of a text's results in a cache. */
size_t mien_pieces_result_bytes(const mien_model *model, const mien_pieces_options *options);

/* No rows; memory that a long text has taken is given back. */
void mien_pieces_clear(mien_pieces *pieces);

/* A row more: of a text, whose bytes are not copied, or of none (NULL). */
MIEN_MUST_USE mien_status mien_pieces_add_row(mien_pieces *pieces, const mien_text *text, mien_error *error);

/* Runs the model over the texts: results' status, and words, scores and embeddings where there are such, by slot. */
MIEN_MUST_USE mien_status mien_pieces_run(mien_pieces *pieces, mien_session *session, mien_error *error);

/* How many texts a row is run as. */
static inline size_t mien_pieces_of_row(const mien_pieces *pieces, size_t row) {
  return pieces->starts[row + 1] - pieces->starts[row];
}

/*
 * The results of a row that was split, from those of its spans, which have scores: its status, and scores [L], if not
 * NULL, and words. NOT_FINITE where a span's is; words and scores are as they were, then.
 */
MIEN_MUST_USE mien_status mien_pieces_pool(mien_pieces *pieces, size_t row, mien_span_pooling pooling, float *scores,
                                           uint32_t *words, mien_row_status *row_status, mien_error *error);

#endif
