/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: what is read, what a probe sees first, and what is refused before it costs anything. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "corpus/temporary.h"
#include "cost.h"

enum { PROBED = 1 << 16, BIG = 3 * PROBED };

static unsigned char content[BIG];

static void write_content(void) {
  uint64_t state = 1;
  make_temporary();
  for (size_t i = 0; i < BIG; i++) content[i] = (unsigned char)random_bits(&state);
  write_temporary("big", content, BIG);
  write_temporary("empty", "", 0);
}

static struct {
  size_t start_bytes, file_bytes;
  bool is_start, refuses;
} probed;

static mien_status probe(const unsigned char *start, size_t start_bytes, size_t file_bytes, const char *path,
                         mien_error *error) {
  probed.start_bytes = start_bytes;
  probed.file_bytes = file_bytes;
  probed.is_start = memcmp(start, content, start_bytes) == 0;
  return probed.refuses ? mien_fail(error, MIEN_INPUT, "%s: not what it should be", path) : MIEN_OK;
}

START_TEST(a_file_is_read_whole_with_a_nul_behind_it) {
  unsigned char *bytes;
  size_t size;
  write_content();
  ck_assert_int_eq(mien_file_read(in_temporary("big"), BIG, NULL, &bytes, &size, NULL), MIEN_OK);
  ck_assert_uint_eq(size, BIG);
  ck_assert(memcmp(bytes, content, BIG) == 0 && bytes[BIG] == 0);
  mien_free(bytes);
  ck_assert_int_eq(mien_file_read(in_temporary("empty"), 0, NULL, &bytes, &size, NULL), MIEN_OK);
  ck_assert(size == 0 && bytes[0] == 0);
  mien_free(bytes);
  remove_temporary();
}
END_TEST

START_TEST(a_probe_sees_the_start_and_can_refuse) {
  unsigned char *bytes = NULL;
  size_t size;
  mien_error error = {0};
  write_content();
  ck_assert_int_eq(mien_file_read(in_temporary("big"), BIG, probe, &bytes, &size, NULL), MIEN_OK);
  ck_assert(probed.start_bytes == PROBED && probed.file_bytes == BIG && probed.is_start);
  ck_assert(memcmp(bytes, content, BIG) == 0);
  mien_free(bytes);
  ck_assert_int_eq(mien_file_read(in_temporary("empty"), BIG, probe, &bytes, &size, NULL), MIEN_OK);
  ck_assert(probed.start_bytes == 0 && probed.file_bytes == 0);
  mien_free(bytes);
  bytes = NULL;
  probed.refuses = true;
  ck_assert_int_eq(mien_file_read(in_temporary("big"), BIG, probe, &bytes, &size, &error), MIEN_INPUT);
  ck_assert_ptr_null(bytes);
  ck_assert_msg(strstr(error.message, "/big: not what it should be"), "%s", error.message);
  remove_temporary();
}
END_TEST

static void expect_refused(const char *path, size_t max_bytes, const char *words) {
  unsigned char *bytes = NULL;
  size_t size;
  mien_error error = {0};
  ck_assert_int_eq(mien_file_read(path, max_bytes, NULL, &bytes, &size, &error), MIEN_INPUT);
  ck_assert_ptr_null(bytes);
  ck_assert_msg(strncmp(error.message, path, strlen(path)) == 0 && strstr(error.message, words), "expected %s: %s",
                words, error.message);
}

START_TEST(what_is_no_file_of_bounded_size_is_refused) {
  write_content();
  ck_assert_int_eq(mkfifo(in_temporary("pipe"), 0600), 0);
  expect_refused(in_temporary("big"), BIG - 1, "too large: expected at most 196607 bytes, found 196608");
  expect_refused(temporary_folder, BIG, "expected a file, found a folder");
  expect_refused("/dev/zero", BIG, "not a regular file");
  expect_refused(in_temporary("pipe"), BIG, "not a regular file"); /* without waiting for a writer */
  expect_refused(in_temporary("absent"), BIG, "No such file");
  remove_temporary();
}
END_TEST

START_TEST(a_range_past_the_end_is_truncated) {
  unsigned char bytes[100];
  mien_error error = {0};
  write_content();
  int fd = open(in_temporary("big"), O_RDONLY);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(mien_file_read_at(fd, "f", BIG - 100, bytes, 100, &error), MIEN_OK);
  ck_assert(memcmp(bytes, content + BIG - 100, 100) == 0);
  ck_assert_int_eq(mien_file_read_at(fd, "f", BIG - 99, bytes, 100, &error), MIEN_INPUT);
  ck_assert_str_eq(error.message, "f: truncated: expected 196609 bytes, found 196608");
  ck_assert_int_eq(mien_file_read_at(fd, "f", 5 * BIG, bytes, 0, &error), MIEN_OK);
  close(fd);
  remove_temporary();
}
END_TEST

/* 500 MB of zeros on no disk. */
START_TEST(a_huge_file_that_is_no_model_is_refused_by_its_start) {
  mien_model *model = NULL;
  mien_error error = {0};
  make_temporary();
  write_temporary("model.onnx", "", 0);
  ck_assert_int_eq(truncate(in_temporary("model.onnx"), 500000000), 0);
  const cost before = begin_cost();
  ck_assert_int_eq(mien_model_open(in_temporary("model.onnx"), NULL, &model, &error), MIEN_INPUT);
  expect_cheap(&before);
  ck_assert_ptr_null(model);
  ck_assert_msg(strstr(error.message, "byte 0: expected a protobuf field"), "%s", error.message);
  remove_temporary();
}
END_TEST

/* An unknown field, a text and a tensor that go on for longer than anything in a model may. */
START_TEST(a_huge_file_is_refused_by_a_field_that_begins_at_its_start) {
  static const unsigned char starts[][16] = {
      {0x08, 8, 0xFA, 1, 0x80, 0x80, 0x80, 0x8C, 2}, /* field 31 of 560 MiB */
      {0x08, 8, 0x32, 0x80, 0x80, 0x80, 0x8C, 2},    /* doc_string */
      {0x3A, 0x8C, 0x80, 0x80, 0x8C, 2, 0x2A, 0x86, 0x80, 0x80, 0x8C, 2, 0x4A, 0x80, 0x80, 0x80},
  };
  const char *const words[] = {"bytes of fields that ONNX has not", "bytes of texts in the file", "(TensorProto"};
  for (size_t i = 0; i < 3; i++) {
    mien_model *model = NULL;
    mien_error error = {0};
    make_temporary();
    write_temporary("model.onnx", starts[i], i < 2 ? 9 - i : 16);
    ck_assert_int_eq(truncate(in_temporary("model.onnx"), ((off_t)560 << 20) + (i == 0 ? 9 : i == 1 ? 8 : 18)), 0);
    if (i == 2) {
      int fd = open(in_temporary("model.onnx"), O_WRONLY);
      ck_assert_int_eq(pwrite(fd, "\x8C\x02", 2, 16), 2);
      close(fd);
    }
    const cost before = begin_cost();
    ck_assert_int_eq(mien_model_open(in_temporary("model.onnx"), NULL, &model, &error), MIEN_INPUT);
    expect_cheap(&before);
    ck_assert_msg(strstr(error.message, words[i]), "expected %s: %s", words[i], error.message);
    remove_temporary();
  }
}
END_TEST

MIEN_SUITE("file", a_file_is_read_whole_with_a_nul_behind_it, a_probe_sees_the_start_and_can_refuse,
           what_is_no_file_of_bounded_size_is_refused, a_range_past_the_end_is_truncated,
           a_huge_file_that_is_no_model_is_refused_by_its_start,
           a_huge_file_is_refused_by_a_field_that_begins_at_its_start)
