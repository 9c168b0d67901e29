/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of scores that no threshold was set for: every label's rows are put in order once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/metrics.h"

/* ---- Order --------------------------------------------------------------------------------------------------------
 */

/* Of a number that is not negative, its bits are in its order; those of −0 are 0's. */
static uint32_t bits_of(float score) {
  uint32_t bits;
  score += 0.0f;
  memcpy(&bits, &score, sizeof bits);
  return bits;
}

/* Sorts by the upper half, highest first, what is equal as it was: by digits of 11 bits, the lowest first. */
static void sort_down(uint64_t *items, uint64_t *other, size_t n) {
  enum { DIGIT = 11, VALUES = 1 << DIGIT, SCORE = 32 };
  for (unsigned shift = SCORE; shift < 64; shift += DIGIT) {
    size_t places[VALUES] = {0}, at = 0;
    for (size_t i = 0; i < n; i++) places[items[i] >> shift & (VALUES - 1)]++;
    for (size_t value = VALUES; value-- > 0;) {
      const size_t count = places[value];
      places[value] = at;
      at += count;
    }
    for (size_t i = 0; i < n; i++) other[places[items[i] >> shift & (VALUES - 1)]++] = items[i];
    uint64_t *swap = items;
    items = other;
    other = swap;
  }
  memcpy(other, items, n * sizeof *items); /* three passes: the result is in the second array */
}

static size_t bin_of(float score) {
  const double place = (double)score * MIEN_CALIBRATION_BINS;
  return place < MIEN_CALIBRATION_BINS ? (size_t)place : MIEN_CALIBRATION_BINS - 1;
}

/* Where bins begin in the label's order, the highest first. */
static void find_bins(const float *scores, size_t n, size_t *bins) {
  size_t at = 0;
  for (size_t i = 0; i < MIEN_CALIBRATION_BINS; i++) {
    bins[i] = at;
    while (at < n && bin_of(scores[at]) == MIEN_CALIBRATION_BINS - 1 - i) at++;
  }
  bins[MIEN_CALIBRATION_BINS] = n;
}

static void rank_label(const mien_scored *scored, size_t label, uint64_t *items, uint64_t *other,
                       mien_ranking *ranking) {
  const size_t n = scored->n_rows;
  uint32_t *rows = ranking->rows + label * n;
  float *scores = ranking->scores + label * n;
  for (size_t row = 0; row < n; row++)
    items[row] = (uint64_t)bits_of(scored->scores[row * scored->n_labels + label]) << 32 | row;
  sort_down(items, other, n);
  for (size_t i = 0; i < n; i++) {
    const uint32_t row = (uint32_t)items[i];
    const bool is_last = i + 1 == n || items[i] >> 32 != items[i + 1] >> 32;
    rows[i] = row << 2 | (uint32_t)mien_scored_is_true(scored, row, label) << 1 | is_last;
    scores[i] = scored->scores[row * scored->n_labels + label];
  }
  find_bins(scores, n, ranking->bins + label * (MIEN_CALIBRATION_BINS + 1));
}

mien_status mien_ranking_create(const mien_scored *scored, mien_ranking *ranking, mien_error *error) {
  const size_t n_rows = scored->n_rows, n_labels = scored->n_labels;
  size_t numbers;
  *ranking = (mien_ranking){.n_rows = n_rows, .n_labels = n_labels};
  if (n_rows > MIEN_RANKING_MAX_ROWS || !mien_size_mul(n_rows, n_labels, &numbers))
    return mien_fail(error, MIEN_RESOURCE, "figures: expected at most %zu rows, found %zu", MIEN_RANKING_MAX_ROWS,
                     n_rows);
  uint64_t *items = mien_alloc(n_rows, sizeof *items), *other = mien_alloc(n_rows, sizeof *other);
  ranking->rows = mien_alloc(numbers, sizeof *ranking->rows);
  ranking->scores = mien_alloc(numbers, sizeof *ranking->scores);
  ranking->bins = mien_alloc(n_labels, (MIEN_CALIBRATION_BINS + 1) * sizeof *ranking->bins);
  const bool has_memory = items && other && ranking->rows && ranking->scores && ranking->bins;
  for (size_t label = 0; has_memory && label < n_labels; label++) rank_label(scored, label, items, other, ranking);
  mien_free(items);
  mien_free(other);
  return has_memory ? MIEN_OK : mien_fail_memory(error, "figures", numbers * sizeof *ranking->rows);
}

void mien_ranking_free(mien_ranking *ranking) {
  mien_free(ranking->rows);
  mien_free(ranking->scores);
  mien_free(ranking->bins);
  *ranking = (mien_ranking){0};
}

/* ---- Figures ------------------------------------------------------------------------------------------------------
 */

/*
 * Both are sums over groups of rows of one score, from the highest down. Twice the pairs of a row with the label above
 * one without it are whole numbers, at most 2^61.
 */
static void measure_order(const mien_ranking *ranking, size_t label, const uint32_t *counts,
                          mien_score_figures *figures) {
  const uint32_t *rows = ranking->rows + label * ranking->n_rows;
  uint64_t n[2] = {0}, group[2] = {0}, twice_pairs = 0; /* without the label, with it */
  double sum = 0;
  for (size_t i = 0; i < ranking->n_rows; i++) {
    group[rows[i] >> 1 & 1] += counts ? counts[rows[i] >> 2] : 1;
    if (!(rows[i] & 1)) continue;
    twice_pairs += group[0] * (2 * n[1] + group[1]);
    n[0] += group[0];
    n[1] += group[1];
    if (group[1]) sum += (double)group[1] * ((double)n[1] / (double)(n[0] + n[1]));
    group[0] = group[1] = 0;
  }
  figures->average_precision = n[1] ? sum / (double)n[1] : NAN;
  figures->roc_auc = n[0] && n[1] ? (double)twice_pairs / 2 / ((double)n[0] * (double)n[1]) : NAN;
}

static void measure_distance(const mien_ranking *ranking, size_t label, const uint32_t *counts,
                             mien_score_figures *figures) {
  const uint32_t *rows = ranking->rows + label * ranking->n_rows;
  const float *scores = ranking->scores + label * ranking->n_rows;
  const size_t *bins = ranking->bins + label * (MIEN_CALIBRATION_BINS + 1);
  double squares = 0, gaps = 0, n = 0;
  for (size_t bin = 0; bin < MIEN_CALIBRATION_BINS; bin++) {
    double gap = 0;
    for (size_t i = bins[bin]; i < bins[bin + 1]; i++) {
      const double weight = counts ? counts[rows[i] >> 2] : 1, distance = (double)scores[i] - (rows[i] >> 1 & 1);
      n += weight;
      gap += weight * distance;
      squares += weight * distance * distance;
    }
    gaps += fabs(gap);
  }
  figures->brier = n > 0 ? squares / n : NAN;
  figures->calibration_error = n > 0 ? gaps / n : NAN;
}

mien_score_figures mien_ranking_measure(const mien_ranking *ranking, size_t label, const uint32_t *counts) {
  mien_score_figures figures;
  measure_order(ranking, label, counts, &figures);
  measure_distance(ranking, label, counts, &figures);
  return figures;
}

static double mean_of(const double *values, size_t n, size_t stride, size_t *n_found) {
  double sum = 0;
  *n_found = 0;
  for (size_t i = 0; i < n; i++) {
    if (isnan(values[i * stride])) continue;
    sum += values[i * stride];
    ++*n_found;
  }
  return *n_found ? sum / (double)*n_found : NAN;
}

mien_score_figures mien_score_means(const mien_score_figures *labels, size_t n, size_t n_labels[4]) {
  const size_t stride = sizeof *labels / sizeof(double);
  return (mien_score_figures){
      .roc_auc = mean_of(&labels->roc_auc, n, stride, &n_labels[0]),
      .average_precision = mean_of(&labels->average_precision, n, stride, &n_labels[1]),
      .brier = mean_of(&labels->brier, n, stride, &n_labels[2]),
      .calibration_error = mean_of(&labels->calibration_error, n, stride, &n_labels[3]),
  };
}
