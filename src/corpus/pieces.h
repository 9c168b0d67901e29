/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's texts on their way through the model, equal ones once: those of this chunk, and those whose results are in
 * the run's cache.
 */
#ifndef MIEN_CORPUS_PIECES_H
#define MIEN_CORPUS_PIECES_H

#include "corpus/cache.h"

typedef struct mien_pieces {
  const mien_model *model;
  bool has_labels, has_scores; /* results: words, and scores; else embeddings */
  mien_cache *cache;           /* the run's; NULL: every text is run */

  size_t n, capacity;
  mien_text *texts; /* [capacity], n of them there */
  size_t *slots;    /* the same: where among the results a text's are */

  size_t results_capacity;
  mien_results results; /* [results_capacity] by slot */
  mien_text *distinct;  /* the same: those that are run, by slot */
  uint64_t *hashes;     /* the same: of texts */
  uint32_t *table;      /* open addressing, at least half empty: 1 + the place among texts of the first of equal ones */
  unsigned char *packed; /* a text's results as the cache has them */

  size_t n_duplicates; /* of the last run: texts that others' results stand for */
} mien_pieces;

/* Room for `capacity` texts, which may become more, and for results: embeddings, or words and, if asked for, scores.
 * *pieces starts as zeros and is freed after a failure too. */
MIEN_MUST_USE mien_status mien_pieces_init(mien_pieces *pieces, const mien_model *model, bool has_labels,
                                           bool has_scores, size_t capacity, mien_cache *cache, mien_error *error);
void mien_pieces_free(mien_pieces *pieces);

/* Bytes of a text's results in a cache. */
size_t mien_pieces_result_bytes(const mien_model *model, bool has_labels, bool has_scores);

/* A text more, which is not copied; false without memory. Begin with pieces->n = 0. */
bool mien_pieces_add(mien_pieces *pieces, mien_text text);

/* Runs the model over the texts: results' status, and words, scores and embeddings where there are such, by slot. */
MIEN_MUST_USE mien_status mien_pieces_run(mien_pieces *pieces, mien_session *session, mien_error *error);

#endif
