/* SPDX-License-Identifier: Apache-2.0 */
/* Heads written as ONNX: the published graph to the byte, and the same floats read back. */
#include "corpus/temporary.h"
#include "formats/onnx_file.h"
#include "head/onnx_write.h"
#include "head_test.h"

static const char *const published[] = {MIEN_TEST_MODELS "/heads/all-MiniLM-L6-v2/model.onnx",
                                        MIEN_TEST_MODELS "/heads/bge-small-en-v1.5/model.onnx"};

static float *to_floats(const double *from, size_t n) {
  float *to = mien_alloc(n, sizeof *to);
  for (size_t i = 0; i < n; i++) to[i] = (float)from[i];
  return to;
}

/* The packed graph of a file, and what it says of its versions. */
static uint8_t *graph_of(const char *path, size_t *size, int64_t versions[3]) {
  unsigned char *bytes;
  MienOnnx__ModelProto *model;
  mien_error error;
  ck_assert_msg(mien_file_read(path, SIZE_MAX, NULL, &bytes, size, &error) == MIEN_OK, "%s", error.message);
  ck_assert_msg(mien_onnx_unpack(bytes, *size, path, &model, &error) == MIEN_OK, "%s", error.message);
  ck_assert_uint_eq(model->n_opset_import, 2);
  versions[0] = model->ir_version;
  for (size_t i = 0; i < 2; i++)
    versions[strcmp(model->opset_import[i]->domain, "") == 0 ? 1 : 2] = model->opset_import[i]->version;
  *size = mien_onnx__graph_proto__get_packed_size(model->graph);
  uint8_t *packed = mien_alloc(*size, 1);
  mien_onnx__graph_proto__pack(model->graph, packed);
  mien_onnx_free(model);
  mien_free(bytes);
  return packed;
}

static void expect_same_graph(const char *original) {
  mien_error error;
  mien_head *head = load_head(original, NULL, &error);
  ck_assert_msg(head != NULL, "%s", error.message);
  float *weights = to_floats(head->weights, head->n_labels * head->dim), *bias = to_floats(head->bias, head->n_labels);
  const mien_onnx_head given = {.n_labels = head->n_labels,
                                .dim = head->dim,
                                .labels = (const char *const *)head->labels,
                                .weights = weights,
                                .bias = bias,
                                .name = "go_emotions"};
  const char *path = in_temporary("head.onnx");
  ck_assert_msg(mien_head_write_onnx(&given, path, &error) == MIEN_OK, "%s", error.message);
  size_t expected_size, found_size;
  int64_t expected_versions[3], found_versions[3];
  uint8_t *expected = graph_of(original, &expected_size, expected_versions);
  uint8_t *found = graph_of(path, &found_size, found_versions);
  ck_assert_uint_eq(found_size, expected_size);
  ck_assert_mem_eq(found, expected, expected_size);
  ck_assert_mem_eq(found_versions, expected_versions, sizeof found_versions);
  mien_free(expected);
  mien_free(found);
  mien_free(weights);
  mien_free(bias);
  mien_head_destroy(head);
}

START_TEST(a_published_head_is_written_as_its_very_graph) {
  for (size_t i = 0; i < sizeof published / sizeof *published; i++) expect_same_graph(published[i]);
}
END_TEST

START_TEST(any_head_is_read_back_float_by_float) {
  enum { LABELS = 5, DIM = 3 };
  /* Names that those between the nodes, and the input's, could be taken for. */
  static const char *const labels[LABELS] = {"logits", "a", "a_label", "a_probability_tensor", "größer als 0"};
  float weights[LABELS * DIM], bias[LABELS];
  uint64_t state = 11;
  for (size_t i = 0; i < LABELS * DIM; i++) weights[i] = (float)random_unit(&state) * (i % 2 ? 1e-30f : 1e3f);
  for (size_t i = 0; i < LABELS; i++) bias[i] = (float)random_unit(&state);
  bias[1] = 0;
  const mien_onnx_head given = {
      .n_labels = LABELS, .dim = DIM, .labels = labels, .weights = weights, .bias = bias, .name = "mien"};
  mien_error error;
  const char *path = in_temporary("any.onnx");
  ck_assert_msg(mien_head_write_onnx(&given, path, &error) == MIEN_OK, "%s", error.message);
  mien_head *head = load_head(path, NULL, &error);
  ck_assert_msg(head != NULL, "%s", error.message);
  ck_assert_uint_eq(head->n_labels, LABELS);
  ck_assert_uint_eq(head->dim, DIM);
  for (size_t l = 0; l < LABELS; l++) {
    ck_assert_str_eq(head->labels[l], labels[l]);
    ck_assert_double_eq(head->bias[l], (double)bias[l]);
    for (size_t i = 0; i < DIM; i++) ck_assert_double_eq(head->weights[l * DIM + i], (double)weights[l * DIM + i]);
  }
  mien_head_destroy(head);
}
END_TEST

START_TEST(a_place_that_cannot_be_written_is_told) {
  static const char *const labels[] = {"a"};
  const float one = 1;
  const mien_onnx_head given = {.n_labels = 1, .dim = 1, .labels = labels, .weights = &one, .bias = &one, .name = "x"};
  mien_error error;
  ck_assert_int_eq(mien_head_write_onnx(&given, "/dev/null", &error), MIEN_ARGUMENT);
  ck_assert_int_ne(mien_head_write_onnx(&given, in_temporary("no/such/folder.onnx"), &error), MIEN_OK);
  const mien_onnx_head large = {.n_labels = 65536, .dim = 65536, .labels = labels, .weights = &one, .bias = &one};
  ck_assert_int_eq(mien_head_write_onnx(&large, in_temporary("large.onnx"), &error), MIEN_ARGUMENT);
  ck_assert_msg(strstr(error.message, "expected at most") != NULL, "%s", error.message);
}
END_TEST

MIEN_SUITE_BETWEEN("onnx_write", make_temporary, remove_temporary, a_published_head_is_written_as_its_very_graph,
                   any_head_is_read_back_float_by_float, a_place_that_cannot_be_written_is_told)
