/* SPDX-License-Identifier: Apache-2.0 */
/* Platt scaling: what was squeezed is found again, the optimum is one, and what can't be scaled is left. */
#include "train/platt.h"

#include <math.h>

#include "suite.h"

enum { N = 40000 };
static double logits[N];
static bool is_true[N];

/* Rows whose labels are as likely as sigmoid(a·z + c). */
static void make_rows(double a, double c) {
  uint64_t state = 9;
  for (size_t i = 0; i < N; i++) {
    logits[i] = 4 * random_unit(&state);
    is_true[i] = (random_unit(&state) + 1) / 2 < 1 / (1 + exp(-(a * logits[i] + c)));
  }
}

START_TEST(the_scaling_of_the_rows_is_found) {
  static const double cases[][2] = {{1, 0}, {0.5, -2}, {2.5, 1}};
  for (size_t i = 0; i < 3; i++) {
    make_rows(cases[i][0], cases[i][1]);
    const mien_platt found = mien_platt_fit(logits, is_true, N, NULL, 0);
    ck_assert_int_eq(found.result, MIEN_PLATT_FITTED);
    ck_assert_double_eq_tol(found.a, cases[i][0], 0.05 * cases[i][0]);
    ck_assert_double_eq_tol(found.c, cases[i][1], 0.05);
    /* Where the derivatives vanish: the smoothed targets' mean is the probabilities', weighed by logits too. */
    double n_true = 0, sums[2] = {0};
    for (size_t k = 0; k < N; k++) n_true += is_true[k];
    for (size_t k = 0; k < N; k++) {
      const double target = is_true[k] ? (n_true + 1) / (n_true + 2) : 1 / (N - n_true + 2);
      const double difference = 1 / (1 + exp(-(found.a * logits[k] + found.c))) - target;
      sums[0] += difference;
      sums[1] += difference * logits[k];
    }
    ck_assert_double_eq_tol(sums[0], 0, 1e-4);
    ck_assert_double_eq_tol(sums[1], 0, 1e-4);
  }
}
END_TEST

START_TEST(rows_of_a_fold_are_left_out) {
  static unsigned folds[N];
  make_rows(2, -1);
  for (size_t i = 0; i < N; i++) folds[i] = i % 4 == 3;
  for (size_t i = 3; i < N; i += 4) is_true[i] = !is_true[i];
  const mien_platt found = mien_platt_fit(logits, is_true, N, folds, 1);
  ck_assert_double_eq_tol(found.a, 2, 0.1);
  ck_assert_double_eq_tol(found.c, -1, 0.1);
}
END_TEST

START_TEST(what_cannot_be_scaled_is_left) {
  make_rows(-1, 0);
  mien_platt found = mien_platt_fit(logits, is_true, N, NULL, 0);
  ck_assert_int_eq(found.result, MIEN_PLATT_REVERSED);
  ck_assert_double_eq(found.a, 1);
  ck_assert_double_eq(found.c, 0);
  for (size_t i = 0; i < N; i++) is_true[i] = false;
  found = mien_platt_fit(logits, is_true, N, NULL, 0);
  ck_assert_int_eq(found.result, MIEN_PLATT_ONE_CLASS);
  ck_assert_int_eq(mien_platt_fit(logits, is_true, 0, NULL, 0).result, MIEN_PLATT_ONE_CLASS);
  is_true[7] = true; /* a single one, far from the others: finite all the same */
  logits[7] = 100;
  found = mien_platt_fit(logits, is_true, N, NULL, 0);
  ck_assert_int_eq(found.result, MIEN_PLATT_FITTED);
  ck_assert(isfinite(found.a) && found.a > 0);
}
END_TEST

MIEN_SUITE("platt", the_scaling_of_the_rows_is_found, rows_of_a_fold_are_left_out, what_cannot_be_scaled_is_left)
