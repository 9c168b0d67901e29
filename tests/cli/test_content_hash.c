/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of contents: xxHash's own of a file, and of folders whatever changes in them. */
#include "cli/content_hash.h"

#include <sys/stat.h>

#include "corpus/temporary.h"

START_TEST(a_file_has_the_hash_that_xxh128sum_tells) {
  char hash[CLI_HASH_CHARS];
  mien_error error;
  write_temporary("empty", "", 0);
  ck_assert_int_eq(cli_hash_file(in_temporary("empty"), NULL, hash, &error), MIEN_OK);
  ck_assert_str_eq(hash, "99aa06d3014798d86001c324468d497f");
  write_temporary("word", "xxhash", 6);
  ck_assert_int_eq(cli_hash_file(in_temporary("word"), NULL, hash, &error), MIEN_OK);
  ck_assert_str_eq(hash, "9c8b437c78cac00a376072e24bfdf4d2");
  ck_assert_int_eq(cli_hash_file(in_temporary("nothing"), NULL, hash, &error), MIEN_INPUT);
}
END_TEST

static void hash_folder(char hash[CLI_HASH_CHARS]) {
  mien_error error;
  cli_hash *all = cli_hash_create();
  ck_assert_ptr_nonnull(all);
  ck_assert_msg(cli_hash_add_path(all, in_temporary("folder"), &error) == MIEN_OK, "%s", error.message);
  cli_hash_show(all, hash);
  cli_hash_destroy(all);
}

static void expect_another(char before[CLI_HASH_CHARS], const char *what) {
  char now[CLI_HASH_CHARS];
  hash_folder(now);
  ck_assert_msg(strcmp(now, before) != 0, "%s: the same hash", what);
  strcpy(before, now);
}

START_TEST(a_folder_has_another_hash_when_a_name_or_a_byte_in_it_changes) {
  char before[CLI_HASH_CHARS], again[CLI_HASH_CHARS];
  mkdir(in_temporary("folder"), 0777);
  mkdir(in_temporary("folder/inner"), 0777);
  write_temporary("folder/a", "one", 3);
  write_temporary("folder/inner/b", "two", 3);
  hash_folder(before);
  write_temporary("folder/.hidden", "x", 1);
  hash_folder(again);
  ck_assert_str_eq(again, before);
  write_temporary("folder/inner/b", "twp", 3);
  expect_another(before, "a byte of an inner file");
  rename(in_temporary("folder/a"), in_temporary("folder/c"));
  expect_another(before, "a name");
  write_temporary("folder/c", "on", 2);
  write_temporary("folder/d", "e", 1);
  expect_another(before, "two files instead of one");
  remove(in_temporary("folder/inner/b"));
  expect_another(before, "a file that is gone");
  for (size_t i = 0; i < 3; i++) {
    static const char *const left[] = {"folder/.hidden", "folder/c", "folder/d"};
    remove(in_temporary(left[i]));
  }
  rmdir(in_temporary("folder/inner"));
}
END_TEST

START_TEST(texts_are_told_apart_by_where_they_end) {
  char hashes[2][CLI_HASH_CHARS];
  for (int i = 0; i < 2; i++) {
    cli_hash *hash = cli_hash_create();
    cli_hash_add(hash, "abc", i ? 1 : 2);
    cli_hash_add(hash, i ? "bc" : "c", i ? 2 : 1);
    cli_hash_show(hash, hashes[i]);
    cli_hash_destroy(hash);
  }
  ck_assert_str_ne(hashes[0], hashes[1]);
}
END_TEST

MIEN_SUITE_BETWEEN("content_hash", make_temporary, remove_temporary, a_file_has_the_hash_that_xxh128sum_tells,
                   a_folder_has_another_hash_when_a_name_or_a_byte_in_it_changes,
                   texts_are_told_apart_by_where_they_end)
