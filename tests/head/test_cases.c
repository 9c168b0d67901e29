/* SPDX-License-Identifier: Apache-2.0 */
/* Every file of tests/data/onnx: accepted with ONNX Runtime's scores, or refused with a message that names the place.
 */
#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "head_test.h"

/* How far a score may be from ONNX Runtime's float32. */
static const double TOLERANCE = 2e-6;

#define ONNX_DATA MIEN_TEST_DATA "/onnx/"

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

/* Five names for the fused outputs that have none. */
static const char *five_labels(void) {
  static char path[] = "/tmp/mien_labels_XXXXXX";
  if (access(path, R_OK) == 0) return path;
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, "a\nb\nc\nd\ne\n", 10), 10);
  close(fd);
  return path;
}

static float *read_floats(const char *path, size_t *n) {
  unsigned char *bytes;
  size_t size;
  mien_error error = {0};
  ck_assert_msg(mien_file_read(path, SIZE_MAX, NULL, &bytes, &size, &error) == MIEN_OK, "%s", error.message);
  *n = size / sizeof(float);
  return (float *)bytes;
}

/* Both columns of a pair, or the label's own where there is one column a label. */
static void compare(const char *file, const mien_head *head, size_t label, const float *row, size_t n_columns,
                    size_t column, double expected) {
  double found = score(head, label, row);
  if (n_columns == 2 && column == 0) found = 1 - found;
  ck_assert_msg(fabs(found - expected) <= TOLERANCE, "%s: label %zu: expected %.9g, found %.9g", file, label, expected,
                found);
}

static void compare_seed_like(const char *file, const char *expected_path, const mien_head *head) {
  size_t n_x, n_expected;
  float *x = read_floats(ONNX_DATA "seed_like/X.f32", &n_x), *expected = read_floats(expected_path, &n_expected);
  size_t n_rows = n_x / head->dim;
  ck_assert_uint_eq(n_expected, n_rows * head->n_labels * 2);
  for (size_t i = 0; i < n_expected; i++)
    compare(file, head, i / 2 / n_rows, x + i / 2 % n_rows * head->dim, 2, i % 2, (double)expected[i]);
  mien_free(x);
  mien_free(expected);
}

static void compare_rows(const char *file, const mien_head *head, size_t label, const float *x, const json_t *rows) {
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *row = json_array_get(rows, i);
    size_t n = json_array_size(row);
    bool is_pair = n == 2 && head->n_labels != 2;
    for (size_t c = 0; c < n; c++)
      compare(file, head, is_pair ? label : c, x + i * head->dim, is_pair ? 2 : 1, c,
              json_number_value(json_array_get(row, c)));
  }
}

static void compare_json(const char *file, const char *expected_path, const mien_head *head) {
  char x_path[512];
  size_t n_x;
  snprintf(x_path, sizeof x_path, ONNX_DATA "%.*s.X.f32", (int)(strlen(file) - strlen(".onnx")), file);
  float *x = read_floats(x_path, &n_x);
  json_t *expected = json_load_file(expected_path, 0, NULL);
  const json_t *value = json_object_get(expected, "value");
  ck_assert_ptr_nonnull(value);
  if (json_is_array(value)) compare_rows(file, head, 0, x, value);
  for (size_t l = 0; l < head->n_labels && json_is_object(value); l++)
    compare_rows(file, head, l, x, json_object_get(value, head->labels[l]));
  json_decref(expected);
  mien_free(x);
}

static void check_accepted(const char *file, const char *path, const char *expected) {
  mien_error error;
  char expected_path[512];
  mien_head *head = load_head(path, NULL, &error);
  if (!head && strstr(error.message, "--labels FILE")) head = load_head(path, five_labels(), &error);
  ck_assert_msg(head != NULL, "expected accepted: %s", error.message);
  const char *slash = strrchr(file, '/');
  snprintf(expected_path, sizeof expected_path, ONNX_DATA "%.*s/%s", (int)(slash - file), file, expected);
  if (starts_with(file, "seed_like"))
    compare_seed_like(file, expected_path, head);
  else
    compare_json(file, expected_path, head);
  mien_head_destroy(head);
}

/* The operator that the verdict "reject: op X" names. */
static void check_refused(const char *path, const char *verdict) {
  mien_error error;
  mien_head *head = load_head(path, NULL, &error);
  ck_assert_msg(head == NULL, "expected refused: %s", path);
  ck_assert_int_eq(error.code, MIEN_INPUT);
  ck_assert_msg(starts_with(error.message, path), "the file is not named: %s", error.message);
  if (starts_with(verdict, "affine only")) {
    ck_assert_msg(strstr(error.message, "no probability link"), "%s", error.message);
    return;
  }
  ck_assert_msg(strstr(error.message, ": node '"), "the node is not named: %s", error.message);
  const char *op = strstr(verdict, "op ");
  if (!op) return;
  op = strstr(op, "::") ? strstr(op, "::") + 2 : op + 3;
  ck_assert_msg(strstr(error.message, op), "expected operator %s: %s", op, error.message);
}

START_TEST(every_exporters_file_has_its_verdict) {
  json_t *cases = json_load_file(ONNX_DATA "cases.json", 0, NULL);
  ck_assert_uint_ge(json_array_size(cases), 50);
  for (size_t i = 0; i < json_array_size(cases); i++) {
    const json_t *each = json_array_get(cases, i);
    const char *file = json_string_value(json_object_get(each, "file"));
    const char *verdict = json_string_value(json_object_get(each, "verdict"));
    char path[512];
    snprintf(path, sizeof path, ONNX_DATA "%s", file);
    if (starts_with(verdict, "accept"))
      check_accepted(file, path, json_string_value(json_object_get(each, "expected")));
    else
      check_refused(path, verdict);
  }
  json_decref(cases);
  unlink(five_labels());
}
END_TEST

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

START_TEST(every_bad_file_is_refused_at_once) {
  DIR *folder = opendir(ONNX_DATA "bad");
  ck_assert_ptr_nonnull(folder);
  size_t n = 0;
  for (struct dirent *entry; (entry = readdir(folder));) {
    char path[512];
    mien_error error;
    if (!strstr(entry->d_name, ".onnx")) continue;
    snprintf(path, sizeof path, ONNX_DATA "bad/%s", entry->d_name);
    double start = seconds();
    mien_head *head = load_head(path, NULL, &error);
    double took = seconds() - start;
    bool is_control = strcmp(entry->d_name, "00_good_control.onnx") == 0;
    ck_assert_msg((head != NULL) == is_control, "%s: %s", path, error.message);
    ck_assert_msg(is_control || starts_with(error.message, path), "the file is not named: %s", error.message);
    ck_assert_msg(took < 1, "%s: took %g s", path, took);
    mien_head_destroy(head);
    n++;
  }
  closedir(folder);
  ck_assert_uint_ge(n, 55);
}
END_TEST

/* What users are told of the files that they most often have in a model's place. */
START_TEST(other_kinds_of_files_are_called_by_name) {
  static const struct {
    const char *file, *words;
  } kinds[] = {
      {"lfs_pointer", "is a Git LFS pointer, not the model: run git lfs pull"},
      {"html", "is a web page"},
      {"empty", "is empty"},
      {"ext_symlink", "tensor 'W': external data 'link.bin'"},
      {"ext_dir", "external data '.': not a regular file"},
      {"weight_nan", "label 'y': weight 0: expected a finite float32, found nan"},
      {"cycle", "cycle"},
      {"dims_overflow", "tensor 'W': the product of the dimensions is too large"},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char path[512];
    mien_error error;
    snprintf(path, sizeof path, ONNX_DATA "bad/%s.onnx", kinds[i].file);
    ck_assert_ptr_null(load_head(path, NULL, &error));
    ck_assert_msg(strstr(error.message, kinds[i].words), "expected %s: %s", kinds[i].words, error.message);
  }
}
END_TEST

START_TEST(labels_are_the_outputs_in_the_files_order) {
  mien_error error;
  mien_head *head = load_head(ONNX_DATA "seed_like/C_onegemm_split_slice_gather.onnx", NULL, &error);
  ck_assert_ptr_nonnull(head);
  ck_assert_uint_eq(head->n_labels, 28);
  ck_assert_uint_eq(head->dim, 384);
  ck_assert_str_eq(head->labels[0], "surprise");
  ck_assert_str_eq(head->labels[27], "admiration");
  mien_head_destroy(head);
}
END_TEST

START_TEST(the_origin_tells_producer_opsets_input_and_operators) {
  mien_error error;
  mien_head *head = load_head(ONNX_DATA "skl2onnx_1.15/lr_bin_zipmap.onnx", NULL, &error);
  ck_assert_ptr_nonnull(head);
  char *origin = json_dumps(head->origin, JSON_COMPACT);
  ck_assert_str_eq(origin,
                   "{\"format\":\"onnx\",\"ir_version\":8,\"producer\":\"skl2onnx\",\"producer_version\":\"1.14.1\","
                   "\"opsets\":{\"ai.onnx.ml\":1,\"ai.onnx\":9},\"input\":\"X\",\"operators\":{"
                   "\"ai.onnx.ml.LinearClassifier\":1,\"ai.onnx.ml.Normalizer\":1,\"ai.onnx.ml.ZipMap\":1}}");
  free(origin);
  mien_head_destroy(head);
}
END_TEST

MIEN_SUITE("head cases", every_exporters_file_has_its_verdict, every_bad_file_is_refused_at_once,
           other_kinds_of_files_are_called_by_name, labels_are_the_outputs_in_the_files_order,
           the_origin_tells_producer_opsets_input_and_operators)
