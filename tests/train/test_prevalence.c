/* SPDX-License-Identifier: Apache-2.0 */
/* Corrected counts: against shares that are known, how often the intervals hold them, and where there is nothing to
 * say. */
#include "train/prevalence.h"

#include <math.h>

#include "suite.h"

static double draws[MIEN_PREVALENCE_DRAWS];

static mien_prevalence of(mien_confusion measured, uint64_t given, uint64_t n_rows) {
  return mien_prevalence_of(&measured, given, n_rows, 0.95, draws);
}

/* How many of n have what has the probability. */
static uint64_t binomial(uint64_t *state, uint64_t n, double probability) {
  uint64_t found = 0;
  for (uint64_t i = 0; i < n; i++) found += (random_unit(state) + 1) / 2 < probability;
  return found;
}

START_TEST(the_estimate_undoes_what_the_rates_did) {
  /* 3,000 of 10,000 rows; 80% of these are given the label, and 5% of the others: 2,750. */
  const mien_confusion measured = {.tp = 800, .fn = 200, .fp = 500, .tn = 9500};
  const mien_prevalence found = of(measured, 2750, 10000);
  ck_assert_int_eq(found.state, MIEN_PREVALENCE_FOUND);
  ck_assert_double_eq_tol(found.estimate, 0.3, 1e-12);
  ck_assert_double_lt(found.interval.low, 0.3);
  ck_assert_double_gt(found.interval.high, 0.3);
}
END_TEST

START_TEST(the_interval_is_that_of_the_delta_method_where_there_are_many_rows) {
  const mien_confusion measured = {.tp = 8000, .fn = 2000, .fp = 5000, .tn = 95000};
  const double q = 0.275, tpr = 0.8, fpr = 0.05, p = 0.3, span = tpr - fpr;
  const double variance =
      (q * (1 - q) / 1e5 + p * p * tpr * (1 - tpr) / 1e4 + (1 - p) * (1 - p) * fpr * (1 - fpr) / 1e5) / (span * span);
  const mien_prevalence found = of(measured, 27500, 100000);
  ck_assert_double_eq_tol(found.interval.low, p - 1.96 * sqrt(variance), 0.12 * sqrt(variance));
  ck_assert_double_eq_tol(found.interval.high, p + 1.96 * sqrt(variance), 0.12 * sqrt(variance));
}
END_TEST

START_TEST(more_labelled_rows_and_more_rows_make_intervals_narrower) {
  const mien_confusion few = {.tp = 40, .fn = 10, .fp = 25, .tn = 475};
  const mien_confusion many = {.tp = 4000, .fn = 1000, .fp = 2500, .tn = 47500};
  const mien_interval a = of(few, 275, 1000).interval, b = of(many, 275, 1000).interval;
  const mien_interval c = of(many, 275000, 1000000).interval;
  ck_assert_double_lt(b.high - b.low, 0.7 * (a.high - a.low));
  ck_assert_double_lt(c.high - c.low, 0.7 * (b.high - b.low));
}
END_TEST

/* The promise of the page: rows and labelled rows are drawn anew each time, from shares that are known. */
START_TEST(intervals_hold_the_true_share_in_95_of_100_runs) {
  static const struct {
    double prevalence, tpr, fpr;
    uint64_t n_true, n_false, n_rows;
  } cases[] = {{0.3, 0.7, 0.1, 1500, 3500, 3000},
               {0.05, 0.5, 0.03, 200, 4000, 4000},
               {0.02, 0.6, 0.004, 100, 5000, 5000},
               {0.5, 0.9, 0.2, 300, 300, 1000},
               {0.1, 0.4, 0.3, 2000, 8000, 4000}};
  enum { RUNS = 200 };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    uint64_t state = 42 + c;
    int held = 0, found = 0;
    for (int run = 0; run < RUNS; run++) {
      const uint64_t tp = binomial(&state, cases[c].n_true, cases[c].tpr);
      const uint64_t fp = binomial(&state, cases[c].n_false, cases[c].fpr);
      const uint64_t n_with = binomial(&state, cases[c].n_rows, cases[c].prevalence);
      const uint64_t given =
          binomial(&state, n_with, cases[c].tpr) + binomial(&state, cases[c].n_rows - n_with, cases[c].fpr);
      const mien_prevalence one =
          of((mien_confusion){tp, fp, cases[c].n_true - tp, cases[c].n_false - fp}, given, cases[c].n_rows);
      if (one.state != MIEN_PREVALENCE_FOUND) continue;
      found++;
      held += one.interval.low <= cases[c].prevalence && cases[c].prevalence <= one.interval.high;
    }
    ck_assert_int_eq(found, RUNS);
    /* Three deviations of 200 runs around 95%. */
    ck_assert_msg(held >= 0.904 * RUNS && held <= 0.996 * RUNS, "case %zu: %d of %d intervals hold the share", c, held,
                  RUNS);
  }
}
END_TEST

START_TEST(the_raw_count_would_not_have_been_within) {
  /* A rare label: most of what is given is false. The raw share is twice the true one. */
  const mien_confusion measured = {.tp = 60, .fn = 40, .fp = 200, .tn = 9800};
  const mien_prevalence found = of(measured, 2560, 100000); /* 1,000 true: 600 + 1,980 */
  ck_assert_double_lt(found.interval.high, 0.0256);
  ck_assert_double_lt(found.interval.low, 0.01);
  ck_assert_double_gt(found.interval.high, 0.0096);
}
END_TEST

START_TEST(shares_stay_between_0_and_1) {
  const mien_confusion measured = {.tp = 90, .fn = 10, .fp = 50, .tn = 950};
  const mien_prevalence none = of(measured, 40, 1000), all = of(measured, 920, 1000); /* of 50 and 900 */
  ck_assert_double_eq(none.estimate, 0);
  ck_assert_double_eq(none.interval.low, 0);
  ck_assert_double_eq(all.estimate, 1);
  ck_assert_double_eq(all.interval.high, 1);
  ck_assert_double_gt(none.interval.high, 0);
  ck_assert_double_lt(all.interval.low, 1);
  ck_assert_double_gt(all.interval.low, 0.9);
}
END_TEST

START_TEST(what_cannot_be_corrected_is_said) {
  const mien_confusion equal = {.tp = 10, .fn = 90, .fp = 100, .tn = 900},
                       worse = {.tp = 1, .fn = 99, .fp = 900, .tn = 100};
  const mien_confusion barely = {.tp = 14, .fn = 86, .fp = 100, .tn = 900};
  const mien_confusion never = {.fp = 5, .tn = 900}, always = {.tp = 5, .fn = 5};
  ck_assert_int_eq(of(equal, 100, 1000).state, MIEN_PREVALENCE_NOT_IDENTIFIED);
  ck_assert_int_eq(of(worse, 100, 1000).state, MIEN_PREVALENCE_NOT_IDENTIFIED);
  ck_assert_int_eq(of(barely, 100, 1000).state, MIEN_PREVALENCE_NOT_IDENTIFIED);
  ck_assert_int_eq(of(never, 100, 1000).state, MIEN_PREVALENCE_UNMEASURED);
  ck_assert_int_eq(of(always, 100, 1000).state, MIEN_PREVALENCE_UNMEASURED);
  ck_assert_int_eq(of(equal, 0, 0).state, MIEN_PREVALENCE_NO_ROWS);
  ck_assert(isnan(of(equal, 100, 1000).estimate) && isnan(of(equal, 100, 1000).interval.low));
}
END_TEST

/* No share gives fewer than the false positives alone, or more than all rows with the label would be given. */
START_TEST(counts_that_no_share_explains_are_no_certainty) {
  const mien_confusion measured = {.tp = 900, .fn = 100, .fp = 500, .tn = 9500};
  ck_assert_int_eq(of(measured, 0, 5000).state, MIEN_PREVALENCE_INCONSISTENT);
  ck_assert_int_eq(of(measured, 150, 5000).state, MIEN_PREVALENCE_INCONSISTENT);
  ck_assert_int_eq(of(measured, 4800, 5000).state, MIEN_PREVALENCE_INCONSISTENT);
  ck_assert_int_eq(of(measured, 5000, 5000).state, MIEN_PREVALENCE_INCONSISTENT);
  ck_assert(isnan(of(measured, 0, 5000).estimate) && isnan(of(measured, 5000, 5000).interval.high));
  /* What few rows leave open is none. */
  ck_assert_int_eq(of(measured, 0, 20).state, MIEN_PREVALENCE_FOUND);
}
END_TEST

START_TEST(the_same_counts_give_the_same_numbers) {
  const mien_confusion measured = {.tp = 60, .fn = 40, .fp = 20, .tn = 980};
  const mien_prevalence a = of(measured, 77, 1000), b = of(measured, 77, 1000);
  ck_assert_double_eq(a.interval.low, b.interval.low);
  ck_assert_double_eq(a.interval.high, b.interval.high);
}
END_TEST

MIEN_SUITE("prevalence", the_estimate_undoes_what_the_rates_did,
           the_interval_is_that_of_the_delta_method_where_there_are_many_rows,
           more_labelled_rows_and_more_rows_make_intervals_narrower, intervals_hold_the_true_share_in_95_of_100_runs,
           the_raw_count_would_not_have_been_within, shares_stay_between_0_and_1, what_cannot_be_corrected_is_said,
           counts_that_no_share_explains_are_no_certainty, the_same_counts_give_the_same_numbers)
