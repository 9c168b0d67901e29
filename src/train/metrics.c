/* SPDX-License-Identifier: Apache-2.0 */
/* Precision, recall and F1 at thresholds. */
#include "train/metrics.h"

#include "base/memory.h"

/* ---- From counts --------------------------------------------------------------------------------------------------
 */

static double divide(double part, double whole) { return whole > 0 ? part / whole : 0; }

mien_prf mien_prf_of(mien_label_counts counts) {
  const double tp = (double)counts.tp, fp = (double)counts.fp, fn = (double)counts.fn;
  return (mien_prf){divide(tp, tp + fp), divide(tp, tp + fn), divide(2 * tp, 2 * tp + fp + fn)};
}

static void add_prf(mien_prf *sum, mien_prf part, double weight) {
  sum->precision += weight * part.precision;
  sum->recall += weight * part.recall;
  sum->f1 += weight * part.f1;
}

static mien_prf divide_prf(mien_prf sum, double by) {
  return (mien_prf){divide(sum.precision, by), divide(sum.recall, by), divide(sum.f1, by)};
}

static void average_labels(const mien_label_counts *labels, size_t n, mien_averages *averages) {
  mien_label_counts all = {0};
  mien_prf macro = {0}, weighted = {0};
  for (size_t l = 0; l < n; l++) {
    const mien_prf prf = mien_prf_of(labels[l]);
    all.tp += labels[l].tp;
    all.fp += labels[l].fp;
    all.fn += labels[l].fn;
    add_prf(&macro, prf, 1);
    add_prf(&weighted, prf, (double)mien_support(labels[l]));
  }
  averages->support = mien_support(all);
  averages->micro = mien_prf_of(all);
  averages->macro = divide_prf(macro, (double)n);
  averages->weighted = divide_prf(weighted, (double)averages->support);
}

static void average_rows(const mien_outcomes *outcomes, const uint32_t *counts, mien_averages *averages) {
  mien_prf sum = {0};
  double exact = 0, n = 0;
  for (size_t row = 0; row < outcomes->n_rows; row++) {
    const double weight = counts ? counts[row] : 1;
    add_prf(&sum, outcomes->row_prf[row], weight);
    exact += weight * outcomes->is_exact[row];
    n += weight;
  }
  averages->samples = divide_prf(sum, n);
  averages->subset_accuracy = divide(exact, n);
}

static uint64_t count_rows(const mien_outcomes *outcomes, size_t list, const uint32_t *counts) {
  const size_t from = outcomes->starts[list], to = outcomes->starts[list + 1];
  uint64_t n = 0;
  if (!counts) return to - from;
  for (size_t i = from; i < to; i++) n += counts[outcomes->rows[i]];
  return n;
}

void mien_outcomes_measure(const mien_outcomes *outcomes, const uint32_t *counts, mien_label_counts *labels,
                           mien_averages *averages) {
  for (size_t l = 0; l < outcomes->n_labels; l++)
    labels[l] = (mien_label_counts){.tp = count_rows(outcomes, 3 * l, counts),
                                    .fp = count_rows(outcomes, 3 * l + 1, counts),
                                    .fn = count_rows(outcomes, 3 * l + 2, counts)};
  average_labels(labels, outcomes->n_labels, averages);
  average_rows(outcomes, counts, averages);
}

/* ---- Lists of rows ------------------------------------------------------------------------------------------------
 */

enum { TP, FP, FN, NEITHER };

static int outcome_of(const mien_scored *scored, const float *thresholds, size_t row, size_t label) {
  const bool is_given = scored->scores[row * scored->n_labels + label] > thresholds[label];
  if (mien_scored_is_true(scored, row, label)) return is_given ? TP : FN;
  return is_given ? FP : NEITHER;
}

/* Counts into the place behind each list, and finishes what is of rows. */
static void count_outcomes(const mien_scored *scored, const float *thresholds, mien_outcomes *outcomes) {
  for (size_t row = 0; row < scored->n_rows; row++) {
    uint64_t n[4] = {0};
    for (size_t l = 0; l < scored->n_labels; l++) {
      const int outcome = outcome_of(scored, thresholds, row, l);
      n[outcome]++;
      if (outcome != NEITHER) outcomes->starts[3 * l + (size_t)outcome + 1]++;
    }
    outcomes->row_prf[row] = mien_prf_of((mien_label_counts){n[TP], n[FP], n[FN]});
    outcomes->is_exact[row] = n[FP] + n[FN] == 0;
  }
  for (size_t list = 0; list < 3 * scored->n_labels; list++) outcomes->starts[list + 1] += outcomes->starts[list];
}

/* Every list's start is moved to its end on the way, which is the next one's start: and back. */
static void fill_lists(const mien_scored *scored, const float *thresholds, mien_outcomes *outcomes) {
  size_t *starts = outcomes->starts;
  for (size_t row = 0; row < scored->n_rows; row++) {
    for (size_t l = 0; l < scored->n_labels; l++) {
      const int outcome = outcome_of(scored, thresholds, row, l);
      if (outcome != NEITHER) outcomes->rows[starts[3 * l + (size_t)outcome]++] = (uint32_t)row;
    }
  }
  for (size_t list = 3 * scored->n_labels; list > 0; list--) starts[list] = starts[list - 1];
  starts[0] = 0;
}

mien_status mien_outcomes_create(const mien_scored *scored, const float *thresholds, mien_outcomes *outcomes,
                                 mien_error *error) {
  const size_t n_rows = scored->n_rows, n_labels = scored->n_labels;
  size_t n_lists;
  *outcomes = (mien_outcomes){.n_rows = n_rows, .n_labels = n_labels};
  if (n_rows > UINT32_MAX || !mien_size_mul(3, n_labels, &n_lists))
    return mien_fail(error, MIEN_RESOURCE, "figures: expected at most %u rows, found %zu", UINT32_MAX, n_rows);
  outcomes->starts = mien_alloc(n_lists + 1, sizeof *outcomes->starts);
  outcomes->row_prf = mien_alloc(n_rows, sizeof *outcomes->row_prf);
  outcomes->is_exact = mien_alloc(n_rows, sizeof *outcomes->is_exact);
  if (!outcomes->starts || !outcomes->row_prf || !outcomes->is_exact)
    return mien_fail_memory(error, "figures", n_rows * sizeof *outcomes->row_prf);
  count_outcomes(scored, thresholds, outcomes);
  outcomes->rows = mien_alloc(outcomes->starts[n_lists], sizeof *outcomes->rows);
  if (!outcomes->rows) return mien_fail_memory(error, "figures", outcomes->starts[n_lists] * sizeof *outcomes->rows);
  fill_lists(scored, thresholds, outcomes);
  return MIEN_OK;
}

void mien_outcomes_free(mien_outcomes *outcomes) {
  mien_free(outcomes->starts);
  mien_free(outcomes->rows);
  mien_free(outcomes->row_prf);
  mien_free(outcomes->is_exact);
  *outcomes = (mien_outcomes){0};
}
