/* SPDX-License-Identifier: Apache-2.0 */
/* How often each label was given, and how its scores are spread. */
#ifndef MIEN_CORPUS_TALLY_H
#define MIEN_CORPUS_TALLY_H

#include "mien/mien.h"

/* Equal parts of [0, 1]; each has its lower end, the last one has 1 too. */
enum { MIEN_SCORE_BINS = 20 };

typedef struct mien_tally {
  size_t n_labels;
  uint64_t *rows; /* [L] that were given the label */
  uint64_t *bins; /* [L × MIEN_SCORE_BINS] good rows whose score is in the bin */
} mien_tally;

/* All zeros; *tally is freed after a failure too. */
MIEN_MUST_USE mien_status mien_tally_init(mien_tally *tally, size_t n_labels, mien_error *error);
void mien_tally_free(mien_tally *tally);

void mien_tally_clear(mien_tally *tally);

/* Counts the labels of a row, the lower 32 bits of order[0 .. n). */
void mien_tally_order(mien_tally *tally, const uint64_t *order, size_t n);

/* Counts the labels of `n` rows of words. */
void mien_tally_words(mien_tally *tally, const uint32_t *words, size_t n);

/* Counts scores [n × L] of the rows that are good. */
void mien_tally_scores(mien_tally *tally, const float *scores, const mien_row_status *status, size_t n);

/* Both have the same number of labels. */
void mien_tally_add(mien_tally *tally, const mien_tally *more);

#endif
