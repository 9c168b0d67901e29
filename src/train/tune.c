/* SPDX-License-Identifier: Apache-2.0 */
/* A threshold for each label: all that are tried are looked at from the highest down, as the rows above them grow. */
#include "train/tune.h"

#include <math.h>

/* What is compared of two thresholds, one after the other. */
typedef struct rank {
  double first, second;
  bool reaches;
} rank;

typedef struct search {
  const mien_tune_options *options;
  uint64_t support, tp, fp; /* of the label; of the rows above the threshold that is looked at */
  rank best;
  bool has_best;
  mien_tuned tuned;
} search;

static rank rank_of(const search *at) {
  const mien_tune_options *options = at->options;
  const double tp = (double)at->tp, fp = (double)at->fp, support = (double)at->support;
  const double precision = tp + fp > 0 ? tp / (tp + fp) : 0, recall = tp / support;
  const double beta2 = options->beta * options->beta;
  switch (options->objective) {
  case MIEN_OBJECTIVE_PRECISION_AT:
    return precision >= options->target ? (rank){recall, precision, true} : (rank){precision, recall, false};
  case MIEN_OBJECTIVE_RECALL_AT:
    return recall >= options->target ? (rank){precision, recall, true} : (rank){recall, precision, false};
  default: return (rank){(1 + beta2) * tp / (beta2 * support + tp + fp), 0, true};
  }
}

static bool is_worse(rank a, rank b) {
  if (a.reaches != b.reaches) return b.reaches;
  return a.first != b.first ? a.first < b.first : a.second < b.second;
}

/* Thresholds come from the highest down, so that an equal one is lower. */
static void consider(search *at, float threshold) {
  const rank found = rank_of(at);
  if (at->has_best && is_worse(found, at->best)) return;
  at->best = found;
  at->has_best = true;
  at->tuned = (mien_tuned){.threshold = threshold,
                           .counts = {at->tp, at->fp, at->support - at->tp},
                           .has_rows = true,
                           .reaches = found.reaches};
}

static void pass(search *at, uint32_t row) {
  if (row >> 1 & 1)
    at->tp++;
  else
    at->fp++;
}

static void search_grid(search *at, const uint32_t *rows, const float *scores, size_t n) {
  const double step = at->options->grid;
  size_t passed = 0, steps = (size_t)(1 / step);
  while ((double)steps * step >= 1) steps--;
  for (size_t i = steps; i > 0; i--) {
    const float threshold = (float)((double)i * step);
    while (passed < n && scores[passed] > threshold) pass(at, rows[passed++]);
    consider(at, threshold);
  }
}

/* A number from `low` up to below `high`, the middle if it can be. */
static float between(float low, float high) {
  const float middle = (float)(((double)low + (double)high) / 2);
  return middle < high ? middle : low;
}

static void search_scores(search *at, const uint32_t *rows, const float *scores, size_t n) {
  consider(at, between(scores[0], 1));
  for (size_t i = 0; i < n; i++) {
    const float below = i + 1 < n ? scores[i + 1] : 0;
    pass(at, rows[i]);
    if (below < scores[i]) consider(at, between(below, scores[i]));
  }
}

void mien_tune(const mien_ranking *ranking, const mien_tune_options *options, mien_tuned *tuned) {
  const size_t n = ranking->n_rows;
  for (size_t l = 0; l < ranking->n_labels; l++) {
    const uint32_t *rows = ranking->rows + l * n;
    const float *scores = ranking->scores + l * n;
    search at = {.options = options};
    for (size_t i = 0; i < n; i++) at.support += rows[i] >> 1 & 1;
    if (at.support == 0) {
      tuned[l] = (mien_tuned){.threshold = MIEN_TUNE_WITHOUT_ROWS};
      for (size_t i = 0; i < n; i++) tuned[l].counts.fp += scores[i] > MIEN_TUNE_WITHOUT_ROWS;
      continue;
    }
    if (options->grid > 0)
      search_grid(&at, rows, scores, n);
    else
      search_scores(&at, rows, scores, n);
    tuned[l] = at.tuned;
  }
}
