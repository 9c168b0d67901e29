/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap intervals: of figures whose distribution is known, for any number of threads, and where there are none. */
#include "train/bootstrap.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "suite.h"
#include "train/random.h"

enum { ROWS = 400, RESAMPLES = 2000, FIGURES = 3 };

/* How often the first row counts, the mean of the rows' numbers, and how many rows count. */
static void measure(void *user, unsigned worker, const uint32_t *counts, double *figures) {
  double sum = 0, n = 0;
  (void)user;
  (void)worker;
  for (size_t row = 0; row < ROWS; row++) {
    n += counts[row];
    sum += (double)row * counts[row];
  }
  figures[0] = counts[0];
  figures[1] = sum / ROWS;
  figures[2] = n;
}

static double *run(uint64_t seed, unsigned threads) {
  double *samples = mien_alloc((size_t)RESAMPLES * FIGURES, sizeof *samples);
  const mien_bootstrap_options options = {.seed = seed, .resamples = RESAMPLES, .threads = threads};
  mien_error error = {0};
  ck_assert_int_eq(mien_bootstrap(ROWS, FIGURES, measure, NULL, &options, samples, &error), MIEN_OK);
  return samples;
}

static double *column(const double *samples, size_t figure) {
  double *values = mien_alloc(RESAMPLES, sizeof *values);
  for (size_t i = 0; i < RESAMPLES; i++) values[i] = samples[i * FIGURES + figure];
  return values;
}

START_TEST(rows_are_drawn_evenly_and_as_many_as_there_are) {
  double *samples = run(7, 1);
  double first = 0;
  for (size_t i = 0; i < RESAMPLES; i++) {
    ck_assert_double_eq(samples[i * FIGURES + 2], ROWS);
    first += samples[i * FIGURES];
  }
  /* Binomial: mean 1, deviation 1 a resample; five deviations of the mean. */
  ck_assert_double_eq_tol(first / RESAMPLES, 1, 5 / sqrt(RESAMPLES));
  mien_free(samples);
}
END_TEST

START_TEST(the_interval_of_a_mean_is_that_of_its_distribution) {
  double *samples = run(1, 2), *means = column(samples, 1);
  const double deviation = sqrt(((double)ROWS * ROWS - 1) / 12 / ROWS), mean = (ROWS - 1) / 2.0;
  const mien_interval found = mien_interval_of(means, RESAMPLES, 0.95);
  ck_assert_double_eq_tol(found.low, mean - 1.96 * deviation, 0.15 * deviation);
  ck_assert_double_eq_tol(found.high, mean + 1.96 * deviation, 0.15 * deviation);
  mien_free(means);
  mien_free(samples);
}
END_TEST

START_TEST(samples_have_the_same_bits_for_any_number_of_threads) {
  double *one = run(3, 1), *three = run(3, 3), *other = run(4, 1);
  ck_assert_mem_eq(one, three, (size_t)RESAMPLES * FIGURES * sizeof *one);
  ck_assert_int_ne(memcmp(one, other, (size_t)RESAMPLES * FIGURES * sizeof *one), 0);
  mien_free(one);
  mien_free(three);
  mien_free(other);
}
END_TEST

START_TEST(an_interval_is_interpolated_and_leaves_out_what_is_no_number) {
  double values[] = {4, NAN, 1, 3, 2, NAN, 5};
  mien_interval found = mien_interval_of(values, 7, 0.5);
  ck_assert_double_eq(found.low, 2);
  ck_assert_double_eq(found.high, 4);
  double more[] = {10, 20};
  found = mien_interval_of(more, 2, 0.95);
  ck_assert_double_eq_tol(found.low, 10.25, 1e-12);
  ck_assert_double_eq_tol(found.high, 19.75, 1e-12);
  double none[] = {NAN, NAN};
  found = mien_interval_of(none, 2, 0.95);
  ck_assert_double_nan(found.low);
  ck_assert_double_nan(found.high);
}
END_TEST

START_TEST(a_bootstrap_that_is_cancelled_says_so) {
  atomic_bool cancel = true;
  double samples[FIGURES];
  const mien_bootstrap_options options = {.resamples = 1, .threads = 1, .cancel = &cancel};
  mien_error error = {0};
  ck_assert_int_eq(mien_bootstrap(ROWS, FIGURES, measure, NULL, &options, samples, &error), MIEN_CANCELLED);
  ck_assert_str_eq(error.message, "bootstrap: interrupted");
}
END_TEST

START_TEST(random_numbers_below_a_bound_are_even) {
  enum { BOUND = 7, DRAWS = 70000 };
  mien_random random = mien_random_start(1, 2);
  size_t counts[BOUND] = {0};
  for (size_t i = 0; i < DRAWS; i++) counts[mien_random_below(&random, BOUND)]++;
  for (size_t i = 0; i < BOUND; i++)
    ck_assert_double_eq_tol((double)counts[i], (double)DRAWS / BOUND, 5 * sqrt((double)DRAWS / BOUND));
  ck_assert_uint_eq(mien_random_below(&random, 1), 0);
  /* SplitMix64's first numbers for the state 1234567, as its authors' test has them. */
  mien_random known = {1234567};
  ck_assert_uint_eq(mien_random_next(&known), UINT64_C(6457827717110365317));
  ck_assert_uint_eq(mien_random_next(&known), UINT64_C(3203168211198807973));
}
END_TEST

MIEN_SUITE("bootstrap", rows_are_drawn_evenly_and_as_many_as_there_are,
           the_interval_of_a_mean_is_that_of_its_distribution, samples_have_the_same_bits_for_any_number_of_threads,
           an_interval_is_interpolated_and_leaves_out_what_is_no_number, a_bootstrap_that_is_cancelled_says_so,
           random_numbers_below_a_bound_are_even)
