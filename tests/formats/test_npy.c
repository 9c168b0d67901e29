/* SPDX-License-Identifier: Apache-2.0 */
/* .npy headers: those that are read, and those that are refused in words. */
#include "formats/npy.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "suite.h"

/* A header around `dict`, in exactly as many bytes: a read beyond is seen by the sanitizer. */
static unsigned char *header_of(const char *dict, unsigned major, size_t *size) {
  size_t prefix = major > 1 ? 12 : 10, length = strlen(dict);
  unsigned char *bytes = malloc(prefix + length);
  memcpy(bytes, "\x93NUMPY", 6);
  bytes[6] = (unsigned char)major;
  bytes[7] = 0;
  for (size_t i = 8; i < prefix; i++) bytes[i] = (unsigned char)(length >> (8 * (i - 8)));
  memcpy(bytes + prefix, dict, length);
  *size = prefix + length;
  return bytes;
}

static mien_status parse(const char *dict, unsigned major, mien_npy *npy, mien_error *error) {
  size_t size;
  unsigned char *bytes = header_of(dict, major, &size);
  mien_status status = mien_npy_parse(bytes, size, "x.npy", npy, error);
  free(bytes);
  return status;
}

START_TEST(headers_in_any_order_and_version_are_read) {
  static const struct {
    const char *dict;
    mien_dtype dtype;
    uint64_t n_rows, n_columns;
  } cases[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (5427, 384), }          \n", MIEN_F32, 5427, 384},
      {"{'shape': (0, 384), 'descr': '<f2', 'fortran_order': False}", MIEN_F16, 0, 384},
      {"{\"fortran_order\":False,\"shape\":(1,1),\"descr\":\"<f8\"}\n", MIEN_F64, 1, 1},
      {" { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 3L , 4L , ) , } ", MIEN_F32, 3, 4},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2147483648, 384), }", MIEN_F32, 2147483648, 384},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (unsigned major = 1; major <= 3; major++) {
      mien_npy npy;
      mien_error error = {0};
      ck_assert_msg(parse(cases[i].dict, major, &npy, &error) == MIEN_OK, "%s", error.message);
      ck_assert_int_eq(npy.dtype, cases[i].dtype);
      ck_assert_uint_eq(npy.n_rows, cases[i].n_rows);
      ck_assert_uint_eq(npy.n_columns, cases[i].n_columns);
      ck_assert_uint_eq(npy.data_offset, strlen(cases[i].dict) + (major > 1 ? 12 : 10));
      ck_assert_uint_eq(npy.data_bytes, npy.n_rows * npy.n_columns * mien_dtype_bytes(npy.dtype));
    }
  }
}
END_TEST

#define DICT(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

START_TEST(other_arrays_are_refused_in_words) {
  static const struct {
    const char *dict, *words;
  } cases[] = {
      {DICT("'>f4'", "False", "(2, 3)"), "'>f4' (big-endian"},
      {DICT("'|O'", "False", "(2, 3)"), "object dtype: pickled Python objects are not read"},
      {DICT("'<i8'", "False", "(2, 3)"), "integers"},
      {DICT("'|u1'", "False", "(2, 3)"), "integers"},
      {DICT("'|b1'", "False", "(2, 3)"), "booleans"},
      {DICT("'<c8'", "False", "(2, 3)"), "complex"},
      {DICT("'<U12'", "False", "(2, 3)"), "text needs an encoder"},
      {DICT("'<M8[ns]'", "False", "(2, 3)"), "dates"},
      {DICT("'|V2'", "False", "(2, 3)"), "bfloat16"},
      {DICT("'<f16'", "False", "(2, 3)"), "a float of another width"},
      {DICT("''", "False", "(2, 3)"), "found ''"},
      {DICT("[('a', '<f4'), ('b', '<f4')]", "False", "(2,)"), "structured dtype"},
      {DICT("('<f4', (3,))", "False", "(2,)"), "structured dtype"},
      {DICT("'<f4'", "True", "(2, 3)"), "Fortran order: save with np.ascontiguousarray"},
      {DICT("'<f4'", "False", "()"), "found 0 ()"},
      {DICT("'<f4'", "False", "(3,)"), "found 1 (3,)"},
      {DICT("'<f4'", "False", "(2, 3, 4)"), "found 3 (2, 3, 4)"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    mien_npy npy;
    mien_error error = {0};
    ck_assert_int_eq(parse(cases[i].dict, 1, &npy, &error), MIEN_INPUT);
    ck_assert_msg(strstr(error.message, cases[i].words), "'%s' is not in: %s", cases[i].words, error.message);
    ck_assert_msg(strncmp(error.message, "x.npy: ", 7) == 0, "no path: %s", error.message);
  }
}
END_TEST

START_TEST(damaged_headers_are_refused) {
  static const char *const dicts[] = {
      "",
      "{",
      "{}",
      "[]",
      "{'descr': '<f4'}",
      "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'shape': (2, 3)}",
      "{'shape': (2, 3), 'fortran_order': False}",
      DICT("'<f4'", "False", "(2, 3)") "x",
      DICT("'<f4'", "False", "(2, 3"),
      DICT("'<f4'", "False", "(2 3)"),
      DICT("'<f4'", "False", "(-2, 3)"),
      DICT("'<f4'", "False", "(2.0, 3)"),
      DICT("'<f4'", "False", "(2,, 3)"),
      DICT("'<f4'", "False", "(, 2, 3)"),
      DICT("'<f4'", "False", "[2, 3]"),
      DICT("'<f4'", "False", "(2)"),
      DICT("'<f4'", "Falsee", "(2, 3)"),
      DICT("'<f4'", "0", "(2, 3)"),
      DICT("'<f4", "False", "(2, 3)"),
      DICT("'<f\\x34'", "False", "(2, 3)"),
      DICT("None", "False", "(2, 3)"),
      DICT("'<f4'", "False", "(18446744073709551616, 1)"),
      DICT("'<f4'", "False", "(4294967296, 4294967296)"),
      DICT("'<f4'", "False", "(2305843009213693952, 2)"),
      DICT("'<f4'", "False", "(18446744073709551615, 1)"),
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
      "{'descr' '<f4', 'fortran_order': False, 'shape': (2, 3)}",
  };
  for (size_t i = 0; i < sizeof dicts / sizeof *dicts; i++) {
    mien_npy npy;
    mien_error error = {0};
    ck_assert_msg(parse(dicts[i], 1 + i % 3, &npy, &error) == MIEN_INPUT, "accepted: %s", dicts[i]);
    ck_assert_msg(error.message[0], "no message: %s", dicts[i]);
  }
}
END_TEST

START_TEST(every_cut_of_a_header_is_refused) {
  size_t size;
  unsigned char *bytes = header_of(DICT("'<f4'", "False", "(2, 3)"), 1, &size);
  for (size_t cut = 0; cut < size; cut++) {
    unsigned char *part = malloc(cut + !cut);
    memcpy(part, bytes, cut);
    mien_npy npy;
    ck_assert_int_eq(mien_npy_parse(part, cut, "x.npy", &npy, NULL), MIEN_INPUT);
    free(part);
  }
  free(bytes);
}
END_TEST

START_TEST(files_of_other_kinds_are_named) {
  static const struct {
    const char *bytes, *words;
    size_t size;
  } cases[] = {
#define CASE(text, expected) {text, expected, sizeof(text) - 1}
      CASE("", "found no bytes"),
      CASE("I am so happy today!\nAnother line\n", "found text ('I am so happy today!')"),
      CASE("na\xC3\xAFve", "found text ('na\xC3\xAFve')"),
      CASE("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
      CASE("PK\x03\x04xxxxxxxxxxxxxxxxxxxx", "zip archive"),
      CASE("\x1f\x8b\x08xxxxxxxxxxxxxx", "gzip"),
      CASE("\x80\x04\x95xxxxxxxxxxxxx", "pickle"),
      CASE("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C", "found other bytes"),
      CASE("\x93NUM", "truncated"),
      CASE("\x93NUMPY\x04\x00\x10\x00\x00\x00\x00", "found 4.0"),
      CASE("\x93NUMPY\x01\x01\x10\x00\x00\x00\x00", "found 1.1"),
      CASE("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF{}", "found 4294967307"),
      CASE("\x93NUMPY\x01\x00\x00\x00  ", "found 10"),
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t header;
    mien_error error = {0};
    ck_assert_int_eq(mien_npy_header_size(cases[i].bytes, cases[i].size, "x.npy", &header, &error), MIEN_INPUT);
    ck_assert_msg(strstr(error.message, cases[i].words), "'%s' is not in: %s", cases[i].words, error.message);
  }
}
END_TEST

START_TEST(a_file_must_have_exactly_the_bytes_of_its_shape) {
  mien_npy npy;
  mien_error error = {0};
  const char *dict = DICT("'<f8'", "False", "(2147483648, 384)");
  ck_assert_int_eq(parse(dict, 1, &npy, &error), MIEN_OK);
  uint64_t expected = npy.data_offset + 2147483648ull * 384 * 8;
  ck_assert_int_eq(mien_npy_check_size(&npy, expected, "x.npy", &error), MIEN_OK);
  ck_assert_int_eq(mien_npy_check_size(&npy, expected - 1, "x.npy", &error), MIEN_INPUT);
  ck_assert_msg(strstr(error.message, "truncated"), "%s", error.message);
  ck_assert_int_eq(mien_npy_check_size(&npy, 200, "x.npy", &error), MIEN_INPUT);
  char bytes[64];
  snprintf(bytes, sizeof bytes, "expected %llu bytes, found 200", (unsigned long long)expected);
  ck_assert_msg(strstr(error.message, bytes), "%s", error.message);
  ck_assert_int_eq(mien_npy_check_size(&npy, expected + 1, "x.npy", &error), MIEN_INPUT);
  ck_assert_msg(strstr(error.message, "bytes after the data"), "%s", error.message);
}
END_TEST

START_TEST(written_headers_are_read_and_of_one_length) {
  static const uint64_t rows[] = {0, 1, 5427, 1ull << 31, UINT32_MAX, 1ull << 55};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char header[MIEN_NPY_HEADER];
    mien_npy npy;
    mien_error error = {0};
    mien_npy_write_header(header, "<f4", rows[i], 28);
    ck_assert_msg(mien_npy_parse(header, sizeof header, "x.npy", &npy, &error) == MIEN_OK, "%s", error.message);
    ck_assert_uint_eq(npy.n_rows, rows[i]);
    ck_assert_uint_eq(npy.n_columns, 28);
    ck_assert_uint_eq(npy.data_offset % MIEN_ALIGNMENT, 0);
  }
  char header[MIEN_NPY_HEADER];
  mien_npy_write_header(header, "<u4", UINT64_MAX, UINT64_MAX);
  ck_assert_int_eq(header[MIEN_NPY_HEADER - 1], '\n');
}
END_TEST

MIEN_SUITE("npy", headers_in_any_order_and_version_are_read, other_arrays_are_refused_in_words,
           damaged_headers_are_refused, every_cut_of_a_header_is_refused, files_of_other_kinds_are_named,
           a_file_must_have_exactly_the_bytes_of_its_shape, written_headers_are_read_and_of_one_length)
