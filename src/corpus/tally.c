/* SPDX-License-Identifier: Apache-2.0 */
/* How often each label was given, and how its scores are spread. */
#include "corpus/tally.h"

#include <string.h>

#include "base/memory.h"
#include "corpus/row.h"

mien_status mien_tally_init(mien_tally *tally, size_t n_labels, mien_error *error) {
  tally->n_labels = n_labels;
  tally->rows = mien_alloc(n_labels, sizeof *tally->rows);
  tally->bins = mien_alloc(n_labels, MIEN_SCORE_BINS * sizeof *tally->bins);
  if (!tally->rows || !tally->bins) return mien_fail_memory(error, "statistics", n_labels * sizeof *tally->rows);
  return MIEN_OK;
}

void mien_tally_free(mien_tally *tally) {
  mien_free(tally->rows);
  mien_free(tally->bins);
}

void mien_tally_clear(mien_tally *tally) {
  memset(tally->rows, 0, tally->n_labels * sizeof *tally->rows);
  memset(tally->bins, 0, tally->n_labels * MIEN_SCORE_BINS * sizeof *tally->bins);
}

void mien_tally_order(mien_tally *tally, const uint64_t *order, size_t n) {
  for (size_t i = 0; i < n; i++) tally->rows[mien_label_of(order[i])]++;
}

void mien_tally_words(mien_tally *tally, const uint32_t *words, size_t n) {
  const size_t words_of_row = (tally->n_labels + 31) / 32;
  for (size_t i = 0; i < n * words_of_row; i++) {
    const size_t first = i % words_of_row * 32;
    for (uint32_t left = words[i]; left; left &= left - 1) tally->rows[first + (size_t)__builtin_ctz(left)]++;
  }
}

void mien_tally_scores(mien_tally *tally, const float *scores, const mien_row_status *status, size_t n) {
  const size_t n_labels = tally->n_labels;
  for (size_t i = 0; i < n; i++) {
    if (status[i] == MIEN_ROW_NOT_FINITE) continue;
    for (size_t label = 0; label < n_labels; label++) {
      const int bin = (int)(scores[i * n_labels + label] * MIEN_SCORE_BINS);
      tally->bins[label * MIEN_SCORE_BINS + (size_t)(bin < MIEN_SCORE_BINS ? bin : MIEN_SCORE_BINS - 1)]++;
    }
  }
}

void mien_tally_add(mien_tally *tally, const mien_tally *more) {
  for (size_t i = 0; i < tally->n_labels; i++) tally->rows[i] += more->rows[i];
  for (size_t i = 0; i < tally->n_labels * MIEN_SCORE_BINS; i++) tally->bins[i] += more->bins[i];
}
