/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped files: their bytes, and what is not mapped. */
#include "base/map.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

static char folder[] = "/tmp/mien-map-XXXXXX";

static const char *in_folder(const char *name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void expect_refused(const char *path, const char *words) {
  mien_map map = {0};
  mien_error error = {0};
  ck_assert_int_eq(mien_map_open(path, &map, &error), MIEN_INPUT);
  ck_assert_msg(strstr(error.message, words), "expected '%s' in: %s", words, error.message);
  ck_assert_ptr_null(map.bytes);
}

START_TEST(a_file_is_mapped_whole_and_stays_when_its_name_is_gone) {
  ck_assert_ptr_nonnull(mkdtemp(folder));
  FILE *file = fopen(in_folder("file"), "wb");
  for (int i = 0; i < 10000; i++) fputc(i % 251, file);
  ck_assert_int_eq(fclose(file), 0);
  mien_map map = {0};
  mien_error error = {0};
  ck_assert_msg(mien_map_open(in_folder("file"), &map, &error) == MIEN_OK, "%s", error.message);
  unlink(in_folder("file"));
  ck_assert_uint_eq(map.size, 10000);
  for (int i = 0; i < 10000; i++) require(map.bytes[i] == i % 251, "byte %d: found %d", i, map.bytes[i]);
  mien_map_close(&map);
  ck_assert_ptr_null(map.bytes);
  mien_map_close(&map);
  rmdir(folder);
}
END_TEST

START_TEST(what_is_no_file_with_bytes_is_refused) {
  ck_assert_ptr_nonnull(mkdtemp(folder));
  fclose(fopen(in_folder("empty"), "wb"));
  expect_refused(in_folder("empty"), "empty: is empty");
  unlink(in_folder("empty"));
  expect_refused(folder, "expected a file, found a folder");
  expect_refused(in_folder("none"), "none: No such file or directory");
  /* A pipe has no writer that opening it could wait for. */
  ck_assert_int_eq(mkfifo(in_folder("pipe"), 0600), 0);
  expect_refused(in_folder("pipe"), "pipe: not a regular file");
  unlink(in_folder("pipe"));
  rmdir(folder);
}
END_TEST

MIEN_SUITE("map", a_file_is_mapped_whole_and_stays_when_its_name_is_gone, what_is_no_file_with_bytes_is_refused)
