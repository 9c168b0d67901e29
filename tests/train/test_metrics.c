/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of scores and truth: scikit-learn's of random cases, and what has none. */
#include "train/metrics.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "suite.h"

#define TOLERANCE 1e-9

static json_t *cases;

static void read_cases(void) {
  static const char path[] = MIEN_TEST_DATA "/train/metrics.json";
  unsigned char *bytes;
  size_t size;
  mien_error error = {0};
  ck_assert_msg(mien_file_read(path, 1 << 24, NULL, &bytes, &size, &error) == MIEN_OK, "%s", error.message);
  ck_assert_msg(mien_json_parse((char *)bytes, size, path, 0, JSON_ARRAY, &cases, &error) == MIEN_OK, "%s",
                error.message);
  mien_free(bytes);
}

static void free_cases(void) { json_decref(cases); }

/* ---- A case's numbers ---------------------------------------------------------------------------------------------
 */

typedef struct sample_case {
  mien_scored scored;
  float *scores, *thresholds;
  uint32_t *truth;
} sample_case;

static sample_case make_sample(size_t n_rows, size_t n_labels) {
  const size_t n_words = (n_labels + 31) / 32;
  sample_case made = {.scores = mien_alloc(n_rows * n_labels, sizeof(float)),
                      .thresholds = mien_alloc(n_labels, sizeof(float)),
                      .truth = mien_alloc(n_rows * n_words, sizeof(uint32_t))};
  made.scored = (mien_scored){n_rows, n_labels, made.scores, n_words, made.truth};
  return made;
}

static void set_true(sample_case *sample, size_t row, size_t label) {
  sample->truth[row * sample->scored.n_words + label / 32] |= (uint32_t)1 << label % 32;
}

static void free_sample(sample_case *sample) {
  mien_free(sample->scores);
  mien_free(sample->thresholds);
  mien_free(sample->truth);
}

static sample_case sample_of(const json_t *one) {
  const json_t *scores = json_object_get(one, "scores"), *truth = json_object_get(one, "truth");
  const json_t *thresholds = json_object_get(one, "thresholds");
  const size_t n_rows = json_array_size(scores), n_labels = json_array_size(thresholds);
  sample_case made = make_sample(n_rows, n_labels);
  for (size_t l = 0; l < n_labels; l++) made.thresholds[l] = (float)json_number_value(json_array_get(thresholds, l));
  for (size_t row = 0; row < n_rows; row++) {
    for (size_t l = 0; l < n_labels; l++) {
      made.scores[row * n_labels + l] = (float)json_number_value(json_array_get(json_array_get(scores, row), l));
      if (json_integer_value(json_array_get(json_array_get(truth, row), l))) set_true(&made, row, l);
    }
  }
  return made;
}

/* A number, or null for NaN. */
static void check(const char *name, const char *what, const json_t *expected, double found) {
  ck_assert_ptr_nonnull(expected);
  if (json_is_null(expected))
    ck_assert_msg(isnan(found), "%s: %s: expected none, found %.17g", name, what, found);
  else
    ck_assert_msg(fabs(json_number_value(expected) - found) <= TOLERANCE, "%s: %s: expected %.17g, found %.17g", name,
                  what, json_number_value(expected), found);
}

static void check_prf(const char *name, const json_t *expected, mien_prf found) {
  check(name, "precision", json_object_get(expected, "precision"), found.precision);
  check(name, "recall", json_object_get(expected, "recall"), found.recall);
  check(name, "f1", json_object_get(expected, "f1"), found.f1);
}

/* ---- Tests --------------------------------------------------------------------------------------------------------
 */

static void check_outcomes(const char *name, const json_t *one, const sample_case *sample) {
  const json_t *averages = json_object_get(one, "averages"), *labels = json_object_get(one, "labels");
  mien_outcomes outcomes;
  mien_error error = {0};
  mien_averages found;
  mien_label_counts *counts = mien_alloc(sample->scored.n_labels, sizeof *counts);
  ck_assert_int_eq(mien_outcomes_create(&sample->scored, sample->thresholds, &outcomes, &error), MIEN_OK);
  mien_outcomes_measure(&outcomes, NULL, counts, &found);
  check_prf(name, json_object_get(averages, "micro"), found.micro);
  check_prf(name, json_object_get(averages, "macro"), found.macro);
  check_prf(name, json_object_get(averages, "weighted"), found.weighted);
  check_prf(name, json_object_get(averages, "samples"), found.samples);
  check(name, "subset accuracy", json_object_get(averages, "subset_accuracy"), found.subset_accuracy);
  for (size_t l = 0; l < sample->scored.n_labels; l++) {
    const json_t *label = json_array_get(labels, l);
    check_prf(name, label, mien_prf_of(counts[l]));
    ck_assert_uint_eq(mien_support(counts[l]), (uint64_t)json_integer_value(json_object_get(label, "support")));
  }
  mien_free(counts);
  mien_outcomes_free(&outcomes);
}

START_TEST(figures_at_thresholds_are_those_of_scikit_learn) {
  ck_assert_uint_ge(json_array_size(cases), 6);
  for (size_t i = 0; i < json_array_size(cases); i++) {
    const json_t *one = json_array_get(cases, i);
    sample_case sample = sample_of(one);
    check_outcomes(json_string_value(json_object_get(one, "name")), one, &sample);
    free_sample(&sample);
  }
}
END_TEST

static void check_label(const char *name, const json_t *label, mien_score_figures found) {
  check(name, "ROC AUC", json_object_get(label, "roc_auc"), found.roc_auc);
  check(name, "average precision", json_object_get(label, "average_precision"), found.average_precision);
  check(name, "Brier score", json_object_get(label, "brier"), found.brier);
  check(name, "calibration error", json_object_get(label, "calibration_error"), found.calibration_error);
}

START_TEST(figures_of_scores_are_those_of_scikit_learn) {
  for (size_t i = 0; i < json_array_size(cases); i++) {
    const json_t *one = json_array_get(cases, i), *labels = json_object_get(one, "labels");
    sample_case sample = sample_of(one);
    mien_ranking ranking;
    mien_error error = {0};
    ck_assert_int_eq(mien_ranking_create(&sample.scored, &ranking, &error), MIEN_OK);
    for (size_t l = 0; l < sample.scored.n_labels; l++)
      check_label(json_string_value(json_object_get(one, "name")), json_array_get(labels, l),
                  mien_ranking_measure(&ranking, l, NULL));
    mien_ranking_free(&ranking);
    free_sample(&sample);
  }
}
END_TEST

/* Random counts, and the rows copied as often. */
static sample_case copy_rows(const sample_case *from, const uint32_t *counts, size_t n) {
  const size_t n_labels = from->scored.n_labels, n_words = from->scored.n_words;
  sample_case copy = make_sample(n, n_labels);
  memcpy(copy.thresholds, from->thresholds, n_labels * sizeof(float));
  size_t to = 0;
  for (size_t row = 0; row < from->scored.n_rows; row++) {
    for (uint32_t i = 0; i < counts[row]; i++, to++) {
      memcpy(copy.scores + to * n_labels, from->scores + row * n_labels, n_labels * sizeof(float));
      memcpy(copy.truth + to * n_words, from->truth + row * n_words, n_words * sizeof(uint32_t));
    }
  }
  ck_assert_uint_eq(to, n);
  return copy;
}

static bool is_same(double a, double b) { return (isnan(a) && isnan(b)) || fabs(a - b) <= TOLERANCE; }

static void compare_outcomes(const sample_case *sample, const uint32_t *counts, const sample_case *copy) {
  mien_outcomes outcomes, of_copy;
  mien_averages found, expected;
  mien_label_counts *labels = mien_alloc(sample->scored.n_labels, sizeof *labels);
  mien_label_counts *copies = mien_alloc(sample->scored.n_labels, sizeof *copies);
  ck_assert_int_eq(mien_outcomes_create(&sample->scored, sample->thresholds, &outcomes, NULL), MIEN_OK);
  ck_assert_int_eq(mien_outcomes_create(&copy->scored, copy->thresholds, &of_copy, NULL), MIEN_OK);
  mien_outcomes_measure(&outcomes, counts, labels, &found);
  mien_outcomes_measure(&of_copy, NULL, copies, &expected);
  ck_assert_mem_eq(labels, copies, sample->scored.n_labels * sizeof *labels);
  ck_assert_double_eq_tol(found.samples.f1, expected.samples.f1, TOLERANCE);
  ck_assert_double_eq_tol(found.macro.f1, expected.macro.f1, TOLERANCE);
  ck_assert_double_eq_tol(found.subset_accuracy, expected.subset_accuracy, TOLERANCE);
  mien_free(labels);
  mien_free(copies);
  mien_outcomes_free(&outcomes);
  mien_outcomes_free(&of_copy);
}

static void compare_rankings(const sample_case *sample, const uint32_t *counts, const sample_case *copy) {
  mien_ranking ranking, of_copy;
  ck_assert_int_eq(mien_ranking_create(&sample->scored, &ranking, NULL), MIEN_OK);
  ck_assert_int_eq(mien_ranking_create(&copy->scored, &of_copy, NULL), MIEN_OK);
  for (size_t l = 0; l < sample->scored.n_labels; l++) {
    const mien_score_figures found = mien_ranking_measure(&ranking, l, counts);
    const mien_score_figures expected = mien_ranking_measure(&of_copy, l, NULL);
    ck_assert(is_same(found.roc_auc, expected.roc_auc));
    ck_assert(is_same(found.average_precision, expected.average_precision));
    ck_assert(is_same(found.brier, expected.brier));
    ck_assert(is_same(found.calibration_error, expected.calibration_error));
  }
  mien_ranking_free(&ranking);
  mien_ranking_free(&of_copy);
}

START_TEST(a_row_that_counts_n_times_is_n_rows) {
  uint64_t state = 1;
  for (size_t i = 0; i < json_array_size(cases); i++) {
    sample_case sample = sample_of(json_array_get(cases, i));
    uint32_t *counts = mien_alloc(sample.scored.n_rows, sizeof *counts);
    size_t n = counts[0] = 2;
    for (size_t row = 1; row < sample.scored.n_rows; row++) n += counts[row] = random_bits(&state) >> 62;
    sample_case copy = copy_rows(&sample, counts, n);
    compare_outcomes(&sample, counts, &copy);
    compare_rankings(&sample, counts, &copy);
    free_sample(&copy);
    free_sample(&sample);
    mien_free(counts);
  }
}
END_TEST

START_TEST(means_leave_out_labels_without_a_figure) {
  const mien_score_figures labels[] = {{0.5, NAN, 0.25, NAN}, {NAN, NAN, 0.75, 0.125}, {1, NAN, 0.5, 0.375}};
  size_t n[4];
  const mien_score_figures means = mien_score_means(labels, 3, n);
  ck_assert_double_eq(means.roc_auc, 0.75);
  ck_assert_double_nan(means.average_precision);
  ck_assert_double_eq(means.brier, 0.5);
  ck_assert_double_eq(means.calibration_error, 0.25);
  ck_assert_uint_eq(n[0], 2);
  ck_assert_uint_eq(n[1], 0);
  ck_assert_uint_eq(n[2], 3);
  ck_assert_uint_eq(n[3], 2);
}
END_TEST

/* 1/15 and its neighbours, 0, −0 and 1: the bins are [i/15, (i+1)/15), the last one closed. */
START_TEST(bins_are_of_equal_width_and_the_last_is_closed) {
  sample_case sample = make_sample(6, 1);
  const float scores[] = {0, -0.0f, 1, nextafterf(1, 0), 0.5f, 0.46f};
  memcpy(sample.scores, scores, sizeof scores);
  for (size_t row = 0; row < 3; row++) set_true(&sample, row, 0);
  mien_ranking ranking;
  ck_assert_int_eq(mien_ranking_create(&sample.scored, &ranking, NULL), MIEN_OK);
  /* [14/15, 1]: 1 − 1 + 1 − 0 (nearly); [7/15, 8/15): 0.5; [6/15, 7/15): 0.46; [0, 1/15): −2 */
  const double expected = ((double)scores[3] + 0.5 + (double)0.46f + 2) / 6;
  ck_assert_double_eq_tol(mien_ranking_measure(&ranking, 0, NULL).calibration_error, expected, 1e-15);
  mien_ranking_free(&ranking);
  free_sample(&sample);
}
END_TEST

MIEN_SUITE_BETWEEN("metrics", read_cases, free_cases, figures_at_thresholds_are_those_of_scikit_learn,
                   figures_of_scores_are_those_of_scikit_learn, a_row_that_counts_n_times_is_n_rows,
                   means_leave_out_labels_without_a_figure, bins_are_of_equal_width_and_the_last_is_closed)
