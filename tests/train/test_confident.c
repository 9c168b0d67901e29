/* SPDX-License-Identifier: Apache-2.0 */
/* Labels that are likely wrong: the definition by hand, and planted errors found by scores out of fold. */
#include "train/confident.h"

#include <math.h>

#include "suite.h"

START_TEST(suspects_are_beyond_the_other_class_mean) {
  /* Of the label's rows the mean is 0.7, of the others 0.25. */
  static float scores[] = {0.9f, 0.95f, 0.25f, 0.1f, 0.05f, 0.6f};
  static uint32_t truth[] = {1, 1, 1, 0, 0, 0};
  const mien_examples examples = {.n_rows = 6, .labels = {.n = 1}, .n_words = 1, .truth = truth};
  const mien_floats given = {6, 1, scores};
  mien_suspects suspects;
  mien_error error = {0};
  ck_assert_int_eq(mien_suspects_find(&examples, &given, &suspects, &error), MIEN_OK);
  ck_assert_uint_eq(suspects.n, 1); /* 0.6 is above 0.5, but not above 0.7 */
  ck_assert_uint_eq(suspects.items[0].row, 2);
  ck_assert(suspects.items[0].is_given);
  ck_assert_double_eq_tol(suspects.items[0].margin, 0.5, 1e-7);
  mien_suspects_free(&suspects);
  scores[5] = 0.8f; /* the others' mean is 0.3167 */
  ck_assert_int_eq(mien_suspects_find(&examples, &given, &suspects, &error), MIEN_OK);
  ck_assert_uint_eq(suspects.n, 2);
  ck_assert_uint_eq(suspects.items[0].row, 5);
  ck_assert(!suspects.items[0].is_given);
  mien_suspects_free(&suspects);
  for (size_t i = 0; i < 6; i++) scores[i] = 1 - scores[i]; /* the label's rows score lower: that tells nothing */
  ck_assert_int_eq(mien_suspects_find(&examples, &given, &suspects, &error), MIEN_OK);
  ck_assert_uint_eq(suspects.n, 0);
  mien_suspects_free(&suspects);
  static uint32_t all[] = {1, 1, 1, 1, 1, 1};
  const mien_examples one_class = {.n_rows = 6, .labels = {.n = 1}, .n_words = 1, .truth = all};
  ck_assert_int_eq(mien_suspects_find(&one_class, &given, &suspects, &error), MIEN_OK);
  ck_assert_uint_eq(suspects.n, 0);
  mien_suspects_free(&suspects);
}
END_TEST

START_TEST(planted_errors_are_the_first_suspects) {
  enum { N = 2000, DIM = 8, PLANTED = 20 };
  static float x[N * DIM];
  static uint32_t truth[N];
  static size_t groups[N];
  uint64_t state = 11;
  for (size_t row = 0; row < N; row++) {
    double z = 0;
    for (size_t k = 0; k < DIM; k++) {
      x[row * DIM + k] = (float)random_unit(&state);
      z += (double)x[row * DIM + k] * (k % 2 ? 2 : -1);
    }
    truth[row] = z > 0;
    groups[row] = row;
    if (row < PLANTED) { /* far from the line, and labelled the other way */
      for (size_t k = 0; k < DIM; k++) x[row * DIM + k] = (float)(k % 2 ? 0.9 : -0.9);
      truth[row] = 0;
    }
  }
  const mien_examples examples = {.n_rows = N, .labels = {.n = 1}, .n_words = 1, .truth = truth};
  const mien_floats embeddings = {N, DIM, x};
  const mien_floats_options one = {.threads = 1}, two = {.threads = 2};
  mien_floats scores, again;
  mien_suspects suspects;
  mien_error error = {0};
  ck_assert_msg(mien_scores_out_of_fold(&examples, &embeddings, groups, 5, 3, 1, &one, &scores, &error) == MIEN_OK,
                "%s", error.message);
  ck_assert_int_eq(mien_scores_out_of_fold(&examples, &embeddings, groups, 5, 3, 1, &two, &again, &error), MIEN_OK);
  ck_assert_int_eq(memcmp(scores.data, again.data, N * sizeof(float)), 0);
  ck_assert_int_eq(mien_suspects_find(&examples, &scores, &suspects, &error), MIEN_OK);
  ck_assert_uint_ge(suspects.n, PLANTED);
  for (size_t i = 0; i < PLANTED; i++) ck_assert_uint_lt(suspects.items[i].row, PLANTED);
  mien_suspects_free(&suspects);
  mien_floats_free(&scores);
  mien_floats_free(&again);
}
END_TEST

MIEN_SUITE("confident", suspects_are_beyond_the_other_class_mean, planted_errors_are_the_first_suspects)
