/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors' numbers from every field and type, and from files beside the model and nowhere else. */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/onnx_builder.h"
#include "formats/onnx_file.h"
#include "formats/onnx_tensor.h"
#include "suite.h"

/* ---- In the file ---------------------------------------------------------------------------------------------- */

enum { MOST = 8 }; /* elements of a tensor here */

/* Reads the first initializer of what was built; false, with the message, when it is refused. */
static bool read_tensor(builder *b, const char *model_path, double *floats, int64_t *integers, mien_error *error) {
  MienOnnx__ModelProto *model = NULL;
  mien_onnx_tensor tensor;
  finish(b);
  *error = (mien_error){0};
  ck_assert_msg(mien_onnx_unpack(b->bytes, b->size, "x.onnx", &model, error) == MIEN_OK, "%s", error->message);
  mien_status status = mien_onnx_tensor_open(model->graph->initializer[0], model_path, "tensor 't'", &tensor, error);
  if (status == MIEN_OK) {
    ck_assert_uint_le(tensor.shape.count, MOST);
    status = mien_onnx_tensor_read(&tensor, "tensor 't'", tensor.is_integer ? NULL : floats,
                                   tensor.is_integer ? integers : NULL, error);
    mien_onnx_tensor_close(&tensor);
  }
  ck_assert(status == MIEN_OK || status == MIEN_INPUT);
  mien_onnx_free(model);
  discard(b);
  return status == MIEN_OK;
}

static void expect_refused(builder *b, const char *model_path, const char *words) {
  double floats[MOST];
  int64_t integers[MOST];
  mien_error error;
  ck_assert_msg(!read_tensor(b, model_path, floats, integers, &error), "expected refused: %s", words);
  ck_assert_msg(strncmp(error.message, "tensor 't': ", 12) == 0, "%s", error.message);
  ck_assert_msg(strstr(error.message, words), "expected %s: %s", words, error.message);
}

static void expect_floats(builder *b, const char *model_path, size_t n, const double *expected) {
  double floats[MOST] = {0};
  int64_t integers[MOST];
  mien_error error;
  ck_assert_msg(read_tensor(b, model_path, floats, integers, &error), "%s", error.message);
  for (size_t i = 0; i < n; i++)
    ck_assert_msg(floats[i] == expected[i] || (isnan(floats[i]) && isnan(expected[i])),
                  "element %zu: expected %g, found %g", i, expected[i], floats[i]);
}

static void expect_integers(builder *b, size_t n, const int64_t *expected) {
  double floats[MOST];
  int64_t integers[MOST] = {0};
  mien_error error;
  ck_assert_msg(read_tensor(b, NULL, floats, integers, &error), "%s", error.message);
  for (size_t i = 0; i < n; i++) ck_assert_int_eq(integers[i], expected[i]);
}

static builder begin_list(int type, int64_t n) {
  builder b = {0};
  begin_model(&b, 13, 1);
  begin_tensor(&b, "t", type, 1, &n);
  return b;
}

START_TEST(floats_and_doubles_are_raw_packed_or_one_by_one) {
  const float floats[3] = {1.5f, -2, 0.1f};
  const double doubles[3] = {1.5, -2, 0.1}, of_floats[3] = {1.5, -2, (double)0.1f};
  builder b = begin_list(ONNX_FLOAT, 3);
  put_blob(&b, 9, floats, sizeof floats);
  expect_floats(&b, NULL, 3, of_floats);
  b = begin_list(ONNX_FLOAT, 3);
  put_blob(&b, 4, floats, sizeof floats);
  expect_floats(&b, NULL, 3, of_floats);
  b = begin_list(ONNX_FLOAT, 3);
  for (int i = 0; i < 3; i++) put_float(&b, 4, floats[i]);
  expect_floats(&b, NULL, 3, of_floats);
  b = begin_list(ONNX_DOUBLE, 3);
  put_blob(&b, 9, doubles, sizeof doubles);
  expect_floats(&b, NULL, 3, doubles);
  b = begin_list(ONNX_DOUBLE, 3);
  put_blob(&b, 10, doubles, sizeof doubles);
  expect_floats(&b, NULL, 3, doubles);
}
END_TEST

/* 1.5, -2, the largest, the smallest normal and subnormal one, infinity, NaN. */
static const uint16_t halves[7] = {0x3E00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x7C00, 0x7E00};
static const uint16_t bfloats[7] = {0x3FC0, 0xC000, 0x7F7F, 0x0080, 0x0001, 0x7F80, 0x7FC0};

START_TEST(sixteen_bit_floats_are_raw_or_in_int32_data) {
  const double of_halves[7] = {1.5, -2, 65504, 0x1p-14, 0x1p-24, INFINITY, NAN};
  const double of_bfloats[7] = {1.5, -2, 0x1.FEp127, 0x1p-126, 0x1p-133, INFINITY, NAN};
  const int types[2] = {ONNX_HALF, ONNX_BF16};
  const uint16_t *const bits[2] = {halves, bfloats};
  const double *const expected[2] = {of_halves, of_bfloats};
  for (int t = 0; t < 2; t++) {
    builder b = begin_list(types[t], 7);
    put_blob(&b, 9, bits[t], 14);
    expect_floats(&b, NULL, 7, expected[t]);
    b = begin_list(types[t], 7);
    begin(&b, 5);
    for (int i = 0; i < 7; i++) put_varint(&b, bits[t][i]);
    end(&b);
    expect_floats(&b, NULL, 7, expected[t]);
  }
  builder b = begin_list(ONNX_HALF, 1);
  put_integer(&b, 5, 65536);
  expect_refused(&b, NULL, "int32_data[0]: expected 16 bits, found 65536");
}
END_TEST

START_TEST(integers_are_raw_or_in_their_field) {
  const int64_t longs[2] = {-1, INT64_MAX}, ints[2] = {-1, INT32_MAX};
  const int32_t raw[2] = {-1, INT32_MAX};
  builder b = begin_list(ONNX_INT64, 2);
  put_blob(&b, 9, longs, sizeof longs);
  expect_integers(&b, 2, longs);
  b = begin_list(ONNX_INT64, 2);
  for (int i = 0; i < 2; i++) put_integer(&b, 7, longs[i]);
  expect_integers(&b, 2, longs);
  b = begin_list(ONNX_INT32, 2);
  put_blob(&b, 9, raw, sizeof raw);
  expect_integers(&b, 2, ints);
  b = begin_list(ONNX_INT32, 2);
  for (int i = 0; i < 2; i++) put_integer(&b, 5, ints[i]);
  expect_integers(&b, 2, ints);
}
END_TEST

START_TEST(the_amount_of_data_must_be_the_shapes) {
  const float floats[3] = {1, 2, 3};
  builder b = begin_list(ONNX_FLOAT, 2);
  put_blob(&b, 9, floats, sizeof floats);
  expect_refused(&b, NULL, "raw_data: expected 8 bytes, found 12");
  b = begin_list(ONNX_FLOAT, 4);
  put_blob(&b, 4, floats, sizeof floats);
  expect_refused(&b, NULL, "float_data: expected 4 elements, found 3");
  b = begin_list(ONNX_FLOAT, 3);
  expect_refused(&b, NULL, "float_data: expected 3 elements, found 0");
  b = begin_list(ONNX_FLOAT, 3);
  put_blob(&b, 4, floats, sizeof floats);
  put_blob(&b, 9, floats, sizeof floats);
  expect_refused(&b, NULL, "data in more than one field");
  b = begin_list(ONNX_DOUBLE, 3);
  put_blob(&b, 4, floats, sizeof floats);
  expect_refused(&b, NULL, "double_data: expected 3 elements, found 0");
}
END_TEST

START_TEST(shapes_are_bounded) {
  builder b = {0};
  const int64_t huge[2] = {INT64_MAX, INT64_MAX}, nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  begin_model(&b, 13, 1);
  begin_tensor(&b, "t", ONNX_FLOAT, 2, huge);
  expect_refused(&b, NULL, "the product of the dimensions is too large");
  begin_model(&b, 13, 1);
  begin_tensor(&b, "t", ONNX_FLOAT, 9, nine);
  expect_refused(&b, NULL, "expected at most 8 dimensions, found 9");
  b = begin_list(ONNX_FLOAT, -3);
  expect_refused(&b, NULL, "dimension 0 is -3");
  b = begin_list(ONNX_STRING, 1);
  expect_refused(&b, NULL, "element type 8: expected float");
  b = begin_list(ONNX_FLOAT, 0);
  expect_floats(&b, NULL, 0, NULL);
}
END_TEST

/* ---- Beside the model ----------------------------------------------------------------------------------------- */

static char root[64];

static char *at(const char *name) {
  static char paths[4][160];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", root, name);
  return path;
}

static void write_file(const char *name, const void *bytes, size_t n) {
  FILE *file = fopen(at(name), "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
  fclose(file);
}

static void make_folder(const char *name) { ck_assert(mkdir(at(name), 0700) == 0 || errno == EEXIST); }
static void make_link(const char *target, const char *name) { ck_assert_int_eq(symlink(target, at(name)), 0); }

/* 1 byte, then two floats, then 7 more bytes. */
static const double two[2] = {1.5, -2};

static void write_data(const char *name) {
  unsigned char bytes[16] = {0xFF};
  memcpy(bytes + 1, (const float[2]){1.5f, -2}, 8);
  write_file(name, bytes, sizeof bytes);
}

static void set_up(void) {
  strcpy(root, "/tmp/mien_onnx_XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(root));
  make_folder("model");
  make_folder("model/below");
  make_folder("other");
  write_file("model/model.onnx", "", 0);
  write_data("model/data.bin");
  write_data("model/below/data.bin");
  write_data("other/data.bin");
}

static void tear_down(void) {
  char command[96];
  snprintf(command, sizeof command, "rm -r %s", root);
  ck_assert_int_eq(system(command), 0);
}

static builder external(const char *location, const char *offset, const char *length) {
  builder b = begin_list(ONNX_FLOAT, 2);
  put_external(&b, location, offset, length);
  return b;
}

START_TEST(external_data_is_read_at_any_offset_with_and_without_length) {
  set_up();
  builder b = external("data.bin", "1", "8");
  expect_floats(&b, at("model/model.onnx"), 2, two);
  b = external("data.bin", "1", NULL);
  expect_floats(&b, at("model/model.onnx"), 2, two);
  b = external("below/data.bin", "1", "8");
  expect_floats(&b, at("model/model.onnx"), 2, two);
  b = external("./data.bin", "1", "8");
  expect_floats(&b, at("model/model.onnx"), 2, two);
  tear_down();
}
END_TEST

START_TEST(external_ranges_must_fit_file_and_shape) {
  set_up();
  static const struct {
    const char *offset, *length, *words;
  } wrong[] = {
      {"9", "8", "run past the end of the file, which has 16"},
      {"17", NULL, "run past the end"},
      {"9", NULL, "expected 8 bytes, found 7"},
      {"0", "12", "expected 8 bytes, found 12"},
      {"0", "4", "expected 8 bytes, found 4"},
      {"-1", "8", "offset: expected a decimal number"},
      {"1e1", "8", "offset: expected a decimal number"},
      {"", "8", "offset: expected a decimal number"},
      {"0", "99999999999999999999", "length is too large"},
      {"18446744073709551615", "8", "run past the end"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    builder b = external("data.bin", wrong[i].offset, wrong[i].length);
    expect_refused(&b, at("model/model.onnx"), wrong[i].words);
  }
  tear_down();
}
END_TEST

START_TEST(locations_stay_in_the_models_folder) {
  set_up();
  make_link("../other/data.bin", "model/leaves.bin");
  make_link("../other", "model/leaving");
  make_link("below/data.bin", "model/stays.bin");
  ck_assert_int_eq(mkfifo(at("model/pipe"), 0600), 0);
  const char *absolute = at("model/data.bin");
  const struct {
    const char *location, *words;
  } wrong[] = {
      {absolute, "found an absolute one"},
      {"../other/data.bin", "'..' in the path"},
      {"below/../data.bin", "'..' in the path"},
      {"..", "'..' in the path"},
      {"..\\other\\data.bin", "a backslash"},
      {"leaves.bin", "the link leaves the model's folder"},
      {"leaving/data.bin", "the link leaves the model's folder"},
      {"", "no location"},
      {NULL, "no location"},
      {".", "not a regular file"},
      {"below", "not a regular file"},
      {"pipe", "not a regular file"},
      {"missing.bin", "No such file"},
      {"data.bin/x", "Not a directory"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    builder b = external(wrong[i].location, "1", "8");
    expect_refused(&b, at("model/model.onnx"), wrong[i].words);
  }
  builder b = external("stays.bin", "1", "8");
  expect_floats(&b, at("model/model.onnx"), 2, two);
  b = external("data.bin", "1", "8");
  expect_refused(&b, NULL, "a model in memory has no folder");
  tear_down();
}
END_TEST

/* hub/models--x/snapshots/1/model.onnx -> ../../blobs/a, its data -> ../../blobs/b: both links leave the snapshot. */
START_TEST(a_cache_of_links_is_read) {
  set_up();
  make_folder("blobs");
  make_folder("snapshots");
  make_folder("snapshots/1");
  write_file("blobs/a", "", 0);
  write_data("blobs/b");
  make_link("../../blobs/a", "snapshots/1/model.onnx");
  make_link("../../blobs/b", "snapshots/1/model.onnx_data");
  make_link("../../other/data.bin", "snapshots/1/leaves");
  builder b = external("model.onnx_data", "1", "8");
  expect_floats(&b, at("snapshots/1/model.onnx"), 2, two);
  b = external("leaves", "1", "8");
  expect_refused(&b, at("snapshots/1/model.onnx"), "the link leaves the model's folder");
  tear_down();
}
END_TEST

START_TEST(a_link_to_a_model_finds_the_data_beside_the_model) {
  set_up();
  make_link("../model/model.onnx", "other/link.onnx");
  ck_assert_int_eq(unlink(at("other/data.bin")), 0);
  builder b = external("data.bin", "1", "8");
  expect_floats(&b, at("other/link.onnx"), 2, two);
  tear_down();
}
END_TEST

START_TEST(a_model_in_the_working_folder_finds_its_data) {
  set_up();
  ck_assert_int_eq(chdir(at("model")), 0);
  builder b = external("data.bin", "1", "8");
  expect_floats(&b, "model.onnx", 2, two);
  ck_assert_int_eq(chdir("/"), 0);
  tear_down();
}
END_TEST

START_TEST(external_data_excludes_data_inside) {
  set_up();
  builder b = external("data.bin", "1", "8");
  put_float(&b, 4, 1);
  expect_refused(&b, at("model/model.onnx"), "data both in the file and outside");
  b = begin_list(ONNX_FLOAT, 2);
  begin(&b, 13);
  put_text(&b, 1, "location");
  put_text(&b, 2, "other.bin");
  end(&b);
  put_external(&b, "data.bin", "1", "8");
  expect_refused(&b, at("model/model.onnx"), "'location' is given twice");
  tear_down();
}
END_TEST

MIEN_SUITE("onnx tensor", floats_and_doubles_are_raw_packed_or_one_by_one, sixteen_bit_floats_are_raw_or_in_int32_data,
           integers_are_raw_or_in_their_field, the_amount_of_data_must_be_the_shapes, shapes_are_bounded,
           external_data_is_read_at_any_offset_with_and_without_length, external_ranges_must_fit_file_and_shape,
           locations_stay_in_the_models_folder, a_cache_of_links_is_read,
           a_link_to_a_model_finds_the_data_beside_the_model, a_model_in_the_working_folder_finds_its_data,
           external_data_excludes_data_inside)
