/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices of float32: to a file and back, and what is refused. */
#include "train/floats.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "corpus/compressed.h"
#include "formats/npy.h"
#include "suite.h"

static char path[] = "/tmp/mien_floats_XXXXXX";

static void make_file(void) { close(mkstemp(path)); }
static void remove_file(void) { unlink(path); }

static void write_numbers(const char *descr, size_t n_rows, size_t n_columns, const void *data, size_t bytes) {
  char header[MIEN_NPY_HEADER];
  FILE *file = fopen(path, "wb");
  mien_npy_write_header(header, descr, n_rows, n_columns);
  fwrite(header, 1, sizeof header, file);
  fwrite(data, 1, bytes, file);
  fclose(file);
}

static void refuse(size_t n_rows, size_t n_columns, const char *message) {
  mien_floats floats;
  mien_error error = {0};
  ck_assert_int_eq(mien_floats_read(path, n_rows, n_columns, NULL, &floats, &error), MIEN_INPUT);
  ck_assert_msg(strstr(error.message, message), "expected '%s' in '%s'", message, error.message);
  ck_assert_ptr_null(floats.data);
}

START_TEST(a_matrix_is_read_as_it_was_written) {
  mien_floats floats, again;
  mien_error error = {0};
  enum { ROWS = 1500, COLUMNS = 257 }; /* more than a piece */
  uint64_t state = 1;
  ck_assert_int_eq(mien_floats_create(ROWS, COLUMNS, "numbers", &floats, &error), MIEN_OK);
  for (size_t i = 0; i < ROWS * COLUMNS; i++) floats.data[i] = (float)random_unit(&state);
  ck_assert_msg(mien_floats_write(&floats, path, &error) == MIEN_OK, "%s", error.message);
  ck_assert_msg(mien_floats_read(path, ROWS, 0, NULL, &again, &error) == MIEN_OK, "%s", error.message);
  ck_assert_uint_eq(again.n_columns, COLUMNS);
  ck_assert_int_eq(memcmp(floats.data, again.data, sizeof(float) * ROWS * COLUMNS), 0);
  mien_floats_free(&floats);
  mien_floats_free(&again);
}
END_TEST

START_TEST(other_floats_are_converted) {
  static const double doubles[] = {0.5, -2, 1e-3, 4};
  static const uint16_t halves[] = {0x3C00, 0xC000, 0x0001, 0x7BFF};
  mien_floats floats;
  mien_error error = {0};
  write_numbers("<f8", 2, 2, doubles, sizeof doubles);
  ck_assert_msg(mien_floats_read(path, 2, 2, NULL, &floats, &error) == MIEN_OK, "%s", error.message);
  for (size_t i = 0; i < 4; i++) ck_assert_float_eq(floats.data[i], (float)doubles[i]);
  mien_floats_free(&floats);
  write_numbers("<f2", 1, 4, halves, sizeof halves);
  ck_assert_msg(mien_floats_read(path, 0, 4, NULL, &floats, &error) == MIEN_OK, "%s", error.message);
  ck_assert_float_eq(floats.data[1], -2);
  ck_assert_float_eq(floats.data[3], 65504);
  mien_floats_free(&floats);
}
END_TEST

static void write_compressed(mien_compression how, size_t n_rows, size_t n_columns, const float *data, size_t bytes) {
  static char npy[1024];
  static unsigned char packed[2048];
  require(MIEN_NPY_HEADER + bytes <= sizeof npy, "no room");
  mien_npy_write_header(npy, "<f4", n_rows, n_columns);
  memcpy(npy + MIEN_NPY_HEADER, data, bytes);
  const size_t n = compress_bytes(how, npy, MIEN_NPY_HEADER + bytes, packed, sizeof packed);
  FILE *file = fopen(path, "wb");
  fwrite(packed, 1, n, file);
  fclose(file);
}

START_TEST(compressed_floats_are_read_and_must_be_as_many_as_their_header_says) {
  static const float data[] = {0.5f, -2, 1e-3f, 4, 5, 6};
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD; how++) {
    mien_floats floats;
    mien_error error = {0};
    write_compressed(how, 3, 2, data, sizeof data);
    ck_assert_msg(mien_floats_read(path, 3, 2, NULL, &floats, &error) == MIEN_OK, "%s", error.message);
    ck_assert_int_eq(memcmp(floats.data, data, sizeof data), 0);
    mien_floats_free(&floats);
    write_compressed(how, 3, 2, data, sizeof data - 1);
    refuse(3, 2, "truncated: shape (3, 2) of f32: expected 152 bytes, found 151");
    write_compressed(how, 2, 2, data, sizeof data);
    refuse(2, 2, "bytes after the data: expected 144 bytes, found more");
  }
}
END_TEST

START_TEST(other_shapes_and_numbers_that_are_not_finite_are_refused) {
  const uint32_t bits[] = {0x3F800000, 0x3F800000, 0x7FC00000, 0x3F800000};
  write_numbers("<f4", 2, 2, bits, sizeof bits);
  refuse(3, 2, "expected 3 rows, found 2");
  refuse(2, 5, "expected rows of 5 numbers, found 2");
  refuse(2, 2, "row 1, column 0: expected a finite float32, found NaN");
  const double beyond = 1e300;
  write_numbers("<f8", 1, 1, &beyond, sizeof beyond);
  refuse(1, 1, "row 0, column 0: expected a finite float32, found an infinity");
  write_numbers("<f4", 2, 2, bits, sizeof bits - 1);
  refuse(0, 0, "expected");
  write_numbers("<f4", 2, 0, bits, 0);
  refuse(2, 0, "expected rows of at least one number");
  write_numbers("<f4", 2, 2, bits, sizeof bits - 1);
  ck_assert_int_eq(truncate(path, 5), 0);
  refuse(0, 0, path);
}
END_TEST

START_TEST(more_than_memory_is_refused_with_both_figures) {
  mien_floats floats;
  mien_error error = {0};
  ck_assert_int_eq(mien_floats_create((size_t)1 << 40, 384, "train.tsv", &floats, &error), MIEN_RESOURCE);
  ck_assert_msg(strstr(error.message, "take 1688849860263936 bytes of memory: expected at most"), "%s", error.message);
  ck_assert_int_eq(mien_floats_create(SIZE_MAX / 2, 3, "train.tsv", &floats, &error), MIEN_RESOURCE);
}
END_TEST

MIEN_SUITE_BETWEEN("floats", make_file, remove_file, a_matrix_is_read_as_it_was_written, other_floats_are_converted,
                   compressed_floats_are_read_and_must_be_as_many_as_their_header_says,
                   other_shapes_and_numbers_that_are_not_finite_are_refused,
                   more_than_memory_is_refused_with_both_figures)
