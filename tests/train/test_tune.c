/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds: the best of all that can be, by trying each, and what ties, targets and labels without rows come to. */
#include "train/tune.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "suite.h"

enum { MOST_ROWS = 40 };

typedef struct labelled {
  size_t n;
  float scores[MOST_ROWS];
  uint32_t truth[MOST_ROWS];
} labelled;

static mien_tuned tune(const labelled *label, mien_tune_options options) {
  const mien_scored scored = {label->n, 1, label->scores, 1, label->truth};
  mien_ranking ranking;
  mien_tuned tuned;
  if (options.beta == 0) options.beta = 1;
  ck_assert_int_eq(mien_ranking_create(&scored, &ranking, NULL), MIEN_OK);
  mien_tune(&ranking, &options, &tuned);
  mien_ranking_free(&ranking);
  return tuned;
}

static mien_label_counts count(const labelled *label, float threshold) {
  mien_label_counts counts = {0};
  for (size_t i = 0; i < label->n; i++) {
    const bool is_given = label->scores[i] > threshold;
    counts.tp += is_given && label->truth[i];
    counts.fp += is_given && !label->truth[i];
    counts.fn += !is_given && label->truth[i];
  }
  return counts;
}

static double value_of(mien_label_counts counts, const mien_tune_options *options) {
  const mien_prf prf = mien_prf_of(counts);
  const double beta2 = options->beta * options->beta, below = beta2 * prf.precision + prf.recall;
  switch (options->objective) {
  case MIEN_OBJECTIVE_PRECISION_AT: return prf.precision >= options->target ? 1 + prf.recall : prf.precision;
  case MIEN_OBJECTIVE_RECALL_AT: return prf.recall >= options->target ? 1 + prf.precision : prf.recall;
  default: return below > 0 ? (1 + beta2) * prf.precision * prf.recall / below : 0;
  }
}

static labelled random_label(uint64_t *state, unsigned levels) {
  labelled made = {.n = 2 + random_bits(state) % (MOST_ROWS - 2)};
  for (size_t i = 0; i < made.n; i++) {
    made.scores[i] = (float)(random_bits(state) % (levels + 1)) / (float)levels;
    made.truth[i] = random_bits(state) % 10 < 2 + (made.scores[i] > 0.5f ? 4u : 0u);
  }
  made.truth[0] = 1;
  return made;
}

/* Of every threshold that any score, or the middle of any two, could be. */
static double best_of_all(const labelled *label, const mien_tune_options *options) {
  double best = 0;
  for (size_t i = 0; i < label->n; i++)
    for (size_t j = 0; j <= label->n; j++) {
      const float other = j < label->n ? label->scores[j] : 0;
      best = fmax(best, value_of(count(label, (label->scores[i] + other) / 2), options));
    }
  return best;
}

START_TEST(exact_thresholds_are_the_best_of_all) {
  static const mien_tune_options all[] = {{MIEN_OBJECTIVE_FBETA, .beta = 1},
                                          {MIEN_OBJECTIVE_FBETA, .beta = 0.5},
                                          {MIEN_OBJECTIVE_FBETA, .beta = 2},
                                          {MIEN_OBJECTIVE_PRECISION_AT, .beta = 1, .target = 0.6},
                                          {MIEN_OBJECTIVE_PRECISION_AT, .beta = 1, .target = 1},
                                          {MIEN_OBJECTIVE_RECALL_AT, .beta = 1, .target = 0.7},
                                          {MIEN_OBJECTIVE_RECALL_AT, .beta = 1, .target = 1}};
  uint64_t state = 5;
  for (int i = 0; i < 300; i++) {
    const labelled label = random_label(&state, i % 2 ? 8 : 1000);
    for (size_t which = 0; which < sizeof all / sizeof *all; which++) {
      const mien_tuned found = tune(&label, all[which]);
      const mien_label_counts counts = count(&label, found.threshold);
      ck_assert_mem_eq(&counts, &found.counts, sizeof counts);
      require(fabs(value_of(counts, &all[which]) - best_of_all(&label, &all[which])) < 1e-12,
              "label %d, objective %zu: expected %.17g, found %.17g at %.9g", i, which,
              best_of_all(&label, &all[which]), value_of(counts, &all[which]), (double)found.threshold);
    }
  }
}
END_TEST

START_TEST(a_grid_takes_the_lowest_of_the_best) {
  uint64_t state = 6;
  const mien_tune_options options = {MIEN_OBJECTIVE_FBETA, .beta = 1, .grid = MIEN_TUNE_PUBLISHED_GRID};
  for (int i = 0; i < 300; i++) {
    const labelled label = random_label(&state, 20);
    float expected = 0;
    double best = -1;
    for (int step = 1; step < 20; step++) {
      const double value = value_of(count(&label, (float)(0.05 * step)), &options);
      if (value <= best + 1e-12) continue;
      best = value;
      expected = (float)(0.05 * step);
    }
    require(tune(&label, options).threshold == expected, "label %d: expected %.9g, found %.9g", i, (double)expected,
            (double)tune(&label, options).threshold);
  }
}
END_TEST

START_TEST(a_label_that_no_grid_threshold_gives_gets_the_lowest) {
  const labelled low = {.n = 3, .scores = {0.01f, 0.02f, 0.03f}, .truth = {1, 0, 0}};
  const mien_tuned found = tune(&low, (mien_tune_options){.grid = 0.05});
  ck_assert_float_eq(found.threshold, 0.05f);
  ck_assert(found.has_rows);
}
END_TEST

START_TEST(an_exact_threshold_is_between_neighbours) {
  const labelled label = {.n = 4, .scores = {0.125f, 0.25f, 0.5f, 0.75f}, .truth = {0, 0, 1, 1}};
  ck_assert_float_eq(tune(&label, (mien_tune_options){0}).threshold, 0.375f);
  /* Neighbours of which there is nothing in between: the lower one, as a label is given above it. */
  float low = 0.5f;
  for (int i = 0; i < 2; i++) { /* the middle is rounded down to the one, and up to the other */
    const labelled close = {.n = 2, .scores = {low, nextafterf(low, 1)}, .truth = {0, 1}};
    ck_assert_float_eq(tune(&close, (mien_tune_options){0}).threshold, low);
    low = nextafterf(low, 1);
  }
}
END_TEST

START_TEST(a_label_without_rows_gets_one_half) {
  const labelled none = {.n = 3, .scores = {0.25f, 0.75f, 0.5f}};
  static const double grids[] = {0, 0.05};
  for (size_t i = 0; i < 2; i++) {
    const mien_tuned found = tune(&none, (mien_tune_options){.grid = grids[i]});
    ck_assert_float_eq(found.threshold, 0.5f);
    ck_assert(!found.has_rows);
    ck_assert_uint_eq(found.counts.fp, 1);
    ck_assert_uint_eq(found.counts.fn, 0);
  }
}
END_TEST

START_TEST(a_target_out_of_reach_is_said) {
  const labelled label = {.n = 3, .scores = {0.25f, 0.75f, 0.5f}, .truth = {1, 0, 1}};
  const mien_tuned precise = tune(&label, (mien_tune_options){MIEN_OBJECTIVE_PRECISION_AT, .target = 0.9});
  ck_assert(!precise.reaches);
  ck_assert_uint_eq(precise.counts.tp, 2); /* 2/3 is the highest */
  const mien_tuned some = tune(&label, (mien_tune_options){MIEN_OBJECTIVE_PRECISION_AT, .target = 0.5});
  ck_assert(some.reaches);
  const labelled at_zero = {.n = 2, .scores = {0, 0.5f}, .truth = {1, 1}};
  ck_assert(!tune(&at_zero, (mien_tune_options){MIEN_OBJECTIVE_RECALL_AT, .target = 1}).reaches);
}
END_TEST

MIEN_SUITE("tune", exact_thresholds_are_the_best_of_all, a_grid_takes_the_lowest_of_the_best,
           a_label_that_no_grid_threshold_gives_gets_the_lowest, an_exact_threshold_is_between_neighbours,
           a_label_without_rows_gets_one_half, a_target_out_of_reach_is_said)
