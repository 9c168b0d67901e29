/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of weights that are no model yet: to the bit those of the model that is written of them. */
#include "train/linear.h"

#include <string.h>

#include "base/memory.h"
#include "corpus/temporary.h"
#include "head/onnx_write.h"

static float *numbers(size_t n, uint64_t seed) {
  float *all = mien_alloc(n, sizeof *all);
  uint64_t state = seed;
  for (size_t i = 0; i < n; i++) all[i] = (float)random_unit(&state);
  return all;
}

static void ok(mien_status status, const mien_error *error) { ck_assert_msg(status == MIEN_OK, "%s", error->message); }

static void check(size_t n_rows, size_t dim, size_t n_labels) {
  char names[64][8];
  const char *labels[64];
  for (size_t l = 0; l < n_labels; l++) {
    snprintf(names[l], sizeof names[l], "l%zu", l);
    labels[l] = names[l];
  }
  mien_floats rows = {n_rows, dim, numbers(n_rows * dim, n_rows + dim)}, expected, found;
  float *weights = numbers(n_labels * dim, 7), *biases = numbers(n_labels, 9);
  const mien_onnx_head head = {
      .n_labels = n_labels, .dim = dim, .labels = labels, .weights = weights, .bias = biases, .name = "linear"};
  const mien_linear linear = {.n_labels = n_labels, .dim = dim, .weights = weights, .biases = biases};
  mien_error error = {0};
  mien_model *model = NULL;
  const char *path = in_temporary("head.onnx");
  ok(mien_head_write_onnx(&head, path, &error), &error);
  ok(mien_model_open(path, NULL, &model, &error), &error);
  const mien_floats_options one = {.threads = 1};
  ok(mien_floats_score(model, &rows, &one, &expected, &error), &error);
  for (unsigned threads = 1; threads <= 3; threads++) {
    ok(mien_linear_score(&linear, &rows, threads, NULL, &found, &error), &error);
    ck_assert_uint_eq(found.n_rows, n_rows);
    ck_assert_uint_eq(found.n_columns, n_labels);
    ck_assert_mem_eq(found.data, expected.data, n_rows * n_labels * sizeof(float));
    mien_floats_free(&found);
  }
  mien_floats_free(&rows);
  mien_floats_free(&expected);
  mien_free(weights);
  mien_free(biases);
  mien_model_release(model);
}

START_TEST(scores_are_those_of_the_model_for_any_number_of_threads) {
  check(1, 1, 1);
  check(2500, 17, 3);
  check(1024, 384, 28);
  check(1025, 48, 33);
}
END_TEST

START_TEST(a_run_that_was_cancelled_says_so) {
  float numbers_of[4] = {1, 2, 3, 4}, weights[2] = {1, 1}, bias = 0;
  const mien_floats rows = {2, 2, numbers_of};
  const mien_linear linear = {.n_labels = 1, .dim = 2, .weights = weights, .biases = &bias};
  const atomic_bool cancelled = true;
  mien_floats scores;
  mien_error error;
  ck_assert_int_eq(mien_linear_score(&linear, &rows, 1, &cancelled, &scores, &error), MIEN_CANCELLED);
  ck_assert_ptr_null(scores.data);
}
END_TEST

MIEN_SUITE_BETWEEN("linear", make_temporary, remove_temporary, scores_are_those_of_the_model_for_any_number_of_threads,
                   a_run_that_was_cancelled_says_so)
