/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs that ask for more than a linear head can need, and large ones that must be fast. */
#include "cost.h"
#include "graph_test.h"

static void expect_refused_at_once(builder *b, const char *words) {
  const cost before = begin_cost();
  expect_refused(b, words);
  expect_cheap(&before);
}

static builder begin_wide(int64_t dim) {
  builder b = {0};
  begin_model(&b, 13, 1);
  put_input(&b, "x", dim);
  return b;
}

/* Names v0, v1, … */
static const char *name_of(int i) {
  static char names[4][16];
  char *name = names[i % 4];
  snprintf(name, sizeof names[0], "v%d", i);
  return name;
}

/* v(i+1) = op(v(i) [v(i)]) n times, from "x". */
static void put_chain(builder *b, const char *op, const char *format, int n, const char *axis) {
  for (int i = 0; i < n; i++) {
    char inputs[64];
    const char *from = i ? name_of(i) : "x";
    snprintf(inputs, sizeof inputs, format, from, from);
    begin_node(b, op, inputs, name_of(i + 1));
    if (axis) put_attribute_integer(b, axis, 1);
    end(b);
  }
  put_node(b, "Sigmoid", name_of(n), "y");
  put_output(b, "y");
}

START_TEST(columns_do_not_grow_without_bound) {
  builder b = begin_wide(4);
  put_chain(&b, "Concat", "%s %s", 40, "axis");
  expect_refused_at_once(&b, "columns: expected 1 to 131072");
  b = begin_wide(1);
  put_integers(&b, "shape", 2, (int64_t[]){1, (int64_t)1 << 40});
  put_chain(&b, "Expand", "%s shape", 1, NULL);
  expect_refused_at_once(&b, "more work than a linear head can need");
  b = begin_wide(65536);
  put_chain(&b, "Neg", "%s", 100, NULL);
  expect_refused_at_once(&b, "more memory than a linear head of this size can need");
}
END_TEST

/* 2, 4, 8, … elements of a constant. */
START_TEST(constants_do_not_grow_without_bound) {
  builder b = begin_wide(2);
  put_floats(&b, "c", 1, (int64_t[]){2}, (float[]){1, 2});
  for (int i = 0; i < 60; i++) {
    char inputs[64];
    snprintf(inputs, sizeof inputs, "%s %s", i ? name_of(i) : "c", i ? name_of(i) : "c");
    begin_node(&b, "Concat", inputs, name_of(i + 1));
    put_attribute_integer(&b, "axis", 0);
    end(&b);
  }
  put_node(&b, "Add", "x v60", "y");
  put_output(&b, "y");
  expect_refused_at_once(&b, "more memory than a linear head of this size can need");
  b = begin_wide(1);
  put_floats(&b, "c", 1, (int64_t[]){1}, (float[]){1});
  put_integers(&b, "shape", 2, (int64_t[]){(int64_t)1 << 40, (int64_t)1 << 40});
  put_node(&b, "Expand", "c shape", "e");
  put_node(&b, "Add", "x e", "y");
  put_output(&b, "y");
  expect_refused_at_once(&b, "too many elements");
}
END_TEST

/* Each MatMul alone is allowed: 512 × 512 of dense rows over 512. */
START_TEST(work_is_bounded) {
  enum { D = 512 };
  float *w = calloc(D * D, sizeof *w);
  ck_assert_ptr_nonnull(w);
  builder b = begin_wide(D);
  put_floats(&b, "w", 2, (int64_t[]){D, D}, w);
  free(w);
  put_chain(&b, "MatMul", "%s w", 40, NULL);
  expect_refused_at_once(&b, "more ");
}
END_TEST

/* A sum of two dense-to-be values over the whole input would be D × D. */
START_TEST(a_square_of_the_dimension_is_not_built) {
  builder b = begin_wide(65536);
  put_integers(&b, "starts", 1, (int64_t[]){-1});
  put_integers(&b, "ends", 1, (int64_t[]){INT64_MIN});
  put_integers(&b, "axes", 1, (int64_t[]){1});
  put_node(&b, "Slice", "x starts ends axes starts", "r");
  put_node(&b, "Add", "x r", "s");
  put_node(&b, "Sigmoid", "s", "y");
  put_output(&b, "y");
  expect_refused_at_once(&b, "more memory than a linear head of this size can need");
}
END_TEST

START_TEST(a_hundred_thousand_nodes_are_walked_fast) {
  enum { N = 100000 };
  double start = cost_seconds();
  builder b = begin_wide(1);
  put_chain(&b, "Identity", "%s", N, NULL);
  mien_head *head = fold(&b);
  ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(head->origin, "operators"), "Identity")), N);
  expect_label(head, "y", 1, (double[]){1}, 0);
  double took = cost_seconds() - start;
  ck_assert_msg(took < 10 * MIEN_LONGEST_REFUSAL, "took %g s", took);
}
END_TEST

/* v1 depends on v2, that on v3, and so on; the last depends on v1. */
START_TEST(a_long_cycle_is_found) {
  enum { N = 50000 };
  builder b = begin_wide(1);
  for (int i = 1; i <= N; i++) {
    char inputs[32];
    snprintf(inputs, sizeof inputs, "%s x", name_of(i % N + 1));
    put_node(&b, "Add", inputs, name_of(i));
  }
  put_output(&b, "v1");
  expect_refused_at_once(&b, "its input 'v1' depends on the node itself: the graph has a cycle");
}
END_TEST

START_TEST(many_outputs_with_one_name_are_refused_at_once) {
  builder b = begin_wide(1);
  put_node(&b, "Sigmoid", "x", "y");
  for (int i = 0; i < 50000; i++) put_output(&b, "y");
  expect_refused_at_once(&b, "output 'y': is given twice");
}
END_TEST

/* 65,536 dimensions, scaled and shifted on the way: no D × D matrix, and a megabyte or two of columns. */
START_TEST(a_wide_input_stays_small) {
  enum { D = 65536 };
  float *ones = malloc(D * sizeof *ones);
  ck_assert_ptr_nonnull(ones);
  for (size_t k = 0; k < D; k++) ones[k] = (float)(k % 7) + 1;
  builder b = begin_wide(D);
  put_floats(&b, "mean", 1, (int64_t[]){D}, ones);
  put_floats(&b, "scale", 2, (int64_t[]){1, D}, ones);
  put_floats(&b, "w", 2, (int64_t[]){D, 1}, ones);
  put_node(&b, "Sub", "x mean", "c");
  put_node(&b, "Div", "c scale", "d");
  put_node(&b, "MatMul", "d w", "z");
  put_node(&b, "Sigmoid", "z", "y");
  put_output(&b, "y");
  free(ones);
  mien_head *head = fold(&b);
  double bias = 0;
  for (size_t k = 0; k < D; k++) {
    require(fabs(head->weights[k] - 1) < 1e-12, "weight %zu: found %g", k, head->weights[k]);
    bias -= (double)(k % 7) + 1;
  }
  ck_assert(fabs(head->bias[0] - bias) < 1e-6);
  mien_head_destroy(head);
}
END_TEST

/* A head of 65536 × 65536 in a few bytes. */
START_TEST(a_head_too_large_for_its_file_is_refused) {
  builder b = begin_wide(65536);
  put_node(&b, "Sigmoid", "x", "p");
  put_output(&b, "p");
  expect_refused_at_once(&b, "--labels FILE");
  b = begin_wide(65536);
  put_node(&b, "Sigmoid", "x", "p");
  for (int i = 0; i < 1000; i++) {
    char name[16];
    snprintf(name, sizeof name, "i%d", i);
    put_integers(&b, name, 1, (int64_t[]){i});
    char inputs[32];
    snprintf(inputs, sizeof inputs, "p %s", name);
    begin_node(&b, "Gather", inputs, name_of(i));
    put_attribute_integer(&b, "axis", 1);
    end(&b);
    put_output(&b, name_of(i));
  }
  expect_refused_at_once(&b, "a head of 1000 labels × 65536 dimensions is too large for its file");
}
END_TEST

/* A byte in the file, eight in memory, and as much again in what is made of them. */
START_TEST(millions_of_indices_are_refused) {
  enum { N = 5000000 };
  static unsigned char zeros[N];
  builder b = begin_wide(4);
  begin_tensor(&b, "i", ONNX_INT64, 1, (int64_t[]){N});
  put_blob(&b, 7, zeros, N);
  end(&b);
  put_node(&b, "Gather", "x i", "y");
  put_output(&b, "y");
  expect_refused_at_once(&b, "more than 524288 integers in the file");
  b = begin_wide(4);
  begin_tensor(&b, "i", ONNX_INT32, 1, (int64_t[]){N / 4});
  put_blob(&b, 9, zeros, N);
  end(&b);
  begin_node(&b, "Gather", "x i", "g");
  put_attribute_integer(&b, "axis", 1);
  end(&b);
  put_node(&b, "Sigmoid", "g", "y");
  put_output(&b, "y");
  expect_refused_at_once(&b, "expected at most 131072 integers, found 1250000");
}
END_TEST

MIEN_SUITE("hostile graphs", columns_do_not_grow_without_bound, constants_do_not_grow_without_bound, work_is_bounded,
           a_square_of_the_dimension_is_not_built, a_hundred_thousand_nodes_are_walked_fast, a_long_cycle_is_found,
           many_outputs_with_one_name_are_refused_at_once, a_wide_input_stays_small,
           a_head_too_large_for_its_file_is_refused, millions_of_indices_are_refused)
