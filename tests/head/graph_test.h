/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of graphs that a test builds. */
#ifndef MIEN_TESTS_GRAPH_TEST_H
#define MIEN_TESTS_GRAPH_TEST_H

#include "formats/onnx_builder.h"
#include "head_test.h"

/* The fold of what was built, which is discarded; NULL, with error->message, when it is refused. */
static inline mien_head *fold_with(builder *b, const char *labels_path, mien_error *error) {
  mien_head *head = NULL;
  *error = (mien_error){0};
  finish(b);
  mien_status status = mien_head_from_onnx(b->bytes, b->size, NULL, labels_path, &head, error);
  ck_assert((status == MIEN_OK) == (head != NULL));
  ck_assert_msg(status == MIEN_OK || status == MIEN_INPUT, "%s", error->message);
  discard(b);
  return head;
}

static inline mien_head *fold(builder *b) {
  mien_error error;
  mien_head *head = fold_with(b, NULL, &error);
  ck_assert_msg(head != NULL, "%s", error.message);
  return head;
}

static inline void expect_refused(builder *b, const char *words) {
  mien_error error;
  mien_head *head = fold_with(b, NULL, &error);
  ck_assert_msg(head == NULL, "expected refused: %s", words);
  ck_assert_msg(strstr(error.message, words), "expected %s: %s", words, error.message);
}

/* One label's weights and bias, exactly; destroys the head. */
static inline void expect_label(mien_head *head, const char *name, size_t dim, const double *weights, double bias) {
  ck_assert_uint_eq(head->n_labels, 1);
  ck_assert_uint_eq(head->dim, dim);
  ck_assert_str_eq(head->labels[0], name);
  for (size_t k = 0; k < dim; k++)
    ck_assert_msg(head->weights[k] == weights[k], "weight %zu: expected %g, found %g", k, weights[k], head->weights[k]);
  ck_assert_msg(head->bias[0] == bias, "bias: expected %g, found %g", bias, head->bias[0]);
  mien_head_destroy(head);
}

/* x [N,3] · W [3,2] + b: two columns z0, z1 in the value "z". */
static const float graph_w[6] = {1, 4, 2, 5, 3, 7}, graph_b[2] = {0.5f, -1};
#define GRAPH_Z0 ((const double[3]){1, 2, 3})
#define GRAPH_Z1 ((const double[3]){4, 5, 7})

static inline builder begin_graph(int64_t opset) {
  builder b = {0};
  begin_model(&b, opset, 1);
  put_input(&b, "x", 3);
  put_floats(&b, "w", 2, (int64_t[]){3, 2}, graph_w);
  put_floats(&b, "b", 1, (int64_t[]){2}, graph_b);
  put_node(&b, "Gemm", "x w b", "z");
  return b;
}

#endif
