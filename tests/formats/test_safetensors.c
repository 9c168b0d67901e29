/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors headers: those that are read, and those that are refused in words. */
#include "formats/safetensors.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

/* A file of this header and `data_bytes` of data, in exactly as many bytes: a read beyond is seen by the sanitizer. */
static unsigned char *file_of(const char *header, size_t data_bytes, size_t *size) {
  const size_t length = strlen(header);
  *size = 8 + length + data_bytes;
  unsigned char *bytes = malloc(*size);
  for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
  memcpy(bytes + 8, header, length);
  for (size_t i = 0; i < data_bytes; i++) bytes[8 + length + i] = (unsigned char)i;
  return bytes;
}

#define TENSOR(name, dtype, shape, begin, end)                                                                         \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

START_TEST(tensors_are_found_by_name) {
  size_t size;
  unsigned char *bytes = file_of(
      "{" TENSOR("b", "F32", "[2,3]", 2, 26) "," TENSOR(
          "a", "BF16", "[1]", 0, 2) ","
                                    "\"__metadata__\":{\"format\":\"pt\"}," TENSOR(
                                        "none", "F64", "[0,5]", 26, 26) "," TENSOR("one", "U8", "[]", 26, 27) "}   ",
      27, &size);
  mien_safetensors *file = NULL;
  mien_error error = {0};
  ck_assert_msg(mien_safetensors_open(bytes, size, "x", &file, &error) == MIEN_OK, "%s", error.message);
  ck_assert_uint_eq(mien_safetensors_count(file), 4);
  const mien_safetensor *b = mien_safetensors_find(file, "b"), *one = mien_safetensors_find(file, "one");
  ck_assert_ptr_nonnull(b);
  ck_assert_str_eq(b->dtype, "F32");
  ck_assert_uint_eq(b->rank, 2);
  ck_assert_uint_eq(b->dims[0], 2);
  ck_assert_uint_eq(b->dims[1], 3);
  ck_assert_uint_eq(b->bytes, 24);
  ck_assert_uint_eq(b->data[0], 2);
  ck_assert_uint_eq(one->rank, 0);
  ck_assert_uint_eq(one->data[0], 26);
  ck_assert_ptr_nonnull(mien_safetensors_find(file, "none"));
  ck_assert_ptr_null(mien_safetensors_find(file, "c"));
  ck_assert_ptr_null(mien_safetensors_find(file, "__metadata__"));
  mien_safetensors_destroy(file);
  mien_safetensors_destroy(NULL);
  free(bytes);
}
END_TEST

START_TEST(a_file_without_tensors_is_read) {
  size_t size;
  unsigned char *bytes = file_of("{}", 0, &size);
  mien_safetensors *file = NULL;
  ck_assert_int_eq(mien_safetensors_open(bytes, size, "x", &file, NULL), MIEN_OK);
  ck_assert_uint_eq(mien_safetensors_count(file), 0);
  ck_assert_ptr_null(mien_safetensors_find(file, "a"));
  mien_safetensors_destroy(file);
  free(bytes);
}
END_TEST

static void expect_bytes_refused(const unsigned char *bytes, size_t size, const char *words) {
  mien_safetensors *file = NULL;
  mien_error error = {0};
  mien_status status = mien_safetensors_open(bytes, size, "x.safetensors", &file, &error);
  ck_assert_msg(status == MIEN_INPUT && !file, "expected refused with '%s', found status %d", words, (int)status);
  ck_assert_msg(strstr(error.message, words), "expected '%s' in: %s", words, error.message);
}

START_TEST(headers_that_do_not_fit_are_refused_in_words) {
  static const struct {
    const char *header;
    size_t data_bytes;
    const char *words;
  } cases[] = {
      {"{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("a", "F32", "[2]", 8, 16) "}", 16, "duplicate object key"},
      {"{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[2]", 4, 12) "}", 12,
       "'b': data_offsets: expected a begin of 8, found 4: an overlap"},
      {"{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[2]", 0, 8) "}", 8, "an overlap"},
      {"{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[2]", 12, 20) "}", 20, "found 12: a gap"},
      {"{" TENSOR("a", "F32", "[2]", 4, 12) "}", 12, "expected a begin of 0, found 4: a gap"},
      {"{" TENSOR("a", "F32", "[2]", 0, 8) "}", 9, "expected 8 bytes of data, found 9"},
      {"{" TENSOR("a", "F32", "[2]", 0, 8) "}", 7, "expected at most 7, found 8: is the file cut?"},
      {"{" TENSOR("a", "F32", "[2]", 8, 0) "}", 8, "the end, 0, is before the begin, 8"},
      {"{" TENSOR("a", "F32", "[3]", 0, 8) "}", 8, "'a': expected 12 bytes for its F32 shape, found 8"},
      {"{" TENSOR("a", "F32", "[4294967296,4294967296]", 0, 8) "}", 8, "the product of the dimensions is too large"},
      {"{" TENSOR("a", "F32", "[4611686018427387904]", 0, 8) "}", 8, "are no whole number of bytes"},
      {"{" TENSOR("a", "F4", "[3]", 0, 1) "}", 1, "3 elements of F4 are no whole number of bytes"},
      {"{" TENSOR("a", "F32", "[-2]", 0, 8) "}", 8, "dimension 0 is not a size"},
      {"{" TENSOR("a", "F32", "[2.0]", 0, 8) "}", 8, "dimension 0 is not a size"},
      {"{" TENSOR("a", "F32", "[18446744073709551616]", 0, 8) "}", 8, "too big integer"},
      {"{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,2]", 0, 8) "}", 8, "expected at most 8 dimensions, found 9"},
      {"{" TENSOR("a", "F32", "2", 0, 8) "}", 8, "shape: expected an array of sizes"},
      {"{" TENSOR("a", "F32", "[2]", -1, 7) "}", 8, "data_offsets: expected two sizes"},
      {"{" TENSOR("a", "F31", "[2]", 0, 8) "}", 8, "dtype: expected F32 or another of the format's, found F31"},
      {"{\"a\":{\"dtype\":7}}", 0, "dtype: expected F32 or another of the format's, found no name"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "expected two sizes"},
      {"{\"a\":[]}", 0, "'a': expected an object, found an array"},
      {"{\"__metadata__\":[]}", 0, "__metadata__: expected an object, found an array"},
      {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: 'a': expected a string, found a number"},
      {"{} x", 0, "end of file expected"},
      {"{", 0, "expected near end of file"},
      {"[]", 0, "byte 8: expected '{' of a safetensors header, found 0x5B"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t size;
    unsigned char *bytes = file_of(cases[i].header, cases[i].data_bytes, &size);
    expect_bytes_refused(bytes, size, cases[i].words);
    free(bytes);
  }
}
END_TEST

START_TEST(other_files_and_lengths_are_refused_in_words) {
  static const struct {
    const char *bytes;
    size_t size;
    const char *words;
  } cases[] = {
      {"", 0, "truncated: expected a header after 8 bytes, found 0 bytes"},
      {"\x02\0\0\0\0\0\0\0", 8, "found 8 bytes"},
      {"\x03\0\0\0\0\0\0\0{}", 10, "truncated: expected a header of 3 bytes, found 2"},
      {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "expected a header of 18446744073709551615 bytes, found 2"},
      {"version https://git-lfs.github.com", 34, "is a Git LFS pointer"},
      {"<!DOCTYPE html><html>", 21, "is a web page"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    expect_bytes_refused((const unsigned char *)cases[i].bytes, cases[i].size, cases[i].words);
}
END_TEST

START_TEST(a_header_of_many_megabytes_is_refused_before_it_is_parsed) {
  const size_t length = (size_t)5 << 20;
  unsigned char *bytes = calloc(8 + length, 1);
  for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
  memset(bytes + 8, '{', length);
  expect_bytes_refused(bytes, 8 + length, "expected a header of at most 4194304 bytes, found 5242880");
  free(bytes);
}
END_TEST

MIEN_SUITE("safetensors", tensors_are_found_by_name, a_file_without_tensors_is_read,
           headers_that_do_not_fit_are_refused_in_words, other_files_and_lengths_are_refused_in_words,
           a_header_of_many_megabytes_is_refused_before_it_is_parsed)
