/* SPDX-License-Identifier: Apache-2.0 */
/* What --encoder names: paths, encoders that were fetched, snapshots in Hugging Face's cache, and what is none. */
#include "cli/encoder_path.h"

#include "base/memory.h"
#include "encoder/encoder_files.h"

static void expect_path(const char *value, const char *expected) {
  char *path = NULL;
  mien_error error = {0};
  ck_assert_msg(cli_encoder_path(value, &path, &error) == MIEN_OK, "%s: %s", value, error.message);
  ck_assert_str_eq(path, expected);
  mien_free(path);
}

static void expect_refused(const char *value, const char *words) {
  char *path = NULL;
  mien_error error = {0};
  ck_assert_int_eq(cli_encoder_path(value, &path, &error), MIEN_INPUT);
  ck_assert_msg(strstr(error.message, words), "expected '%s' in: %s", words, error.message);
}

/* Writes a file, and all folders that it is in. */
static void put_deep(const folder *f, const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", f->path, name);
  for (char *slash = path + strlen(f->path) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = '\0';
    mkdir(path, 0777);
    *slash = '/';
  }
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  ck_assert_int_eq(fclose(file), 0);
}

static folder make_home(void) {
  folder home = make_folder();
  setenv("HOME", home.path, 1);
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HF_HOME");
  unsetenv("HF_HUB_CACHE");
  return home;
}

START_TEST(what_exists_is_itself) {
  folder home = make_home();
  put_deep(&home, "org/name/modules.json", "[]");
  ck_assert_int_eq(chdir(home.path), 0);
  put_deep(&home, ".cache/mien/encoders/org/name/modules.json", "[]");
  expect_path("org/name", "org/name");
  expect_path(home.path, home.path);
  ck_assert_int_eq(chdir("/"), 0);
  remove_folder(&home);
}
END_TEST

START_TEST(a_fetched_encoder_is_found_by_its_id) {
  folder home = make_home();
  put_deep(&home, ".cache/mien/encoders/org/name-v1.5/modules.json", "[]");
  put_deep(&home, "other/mien/encoders/org/moved/modules.json", "[]");
  expect_path("org/name-v1.5", in_folder(&home, ".cache/mien/encoders/org/name-v1.5"));
  setenv("XDG_CACHE_HOME", in_folder(&home, "other"), 1);
  expect_path("org/moved", in_folder(&home, "other/mien/encoders/org/moved"));
  expect_refused("org/name-v1.5", "encoder 'org/name-v1.5': not found: 'mien pull org/name-v1.5' fetches it");
  remove_folder(&home);
}
END_TEST

START_TEST(a_snapshot_of_the_hub_is_found_by_its_id) {
  static const char *const hubs[] = {".cache/huggingface/hub", "hf/hub", "hub"};
  for (size_t i = 0; i < 3; i++) {
    folder home = make_home();
    char name[256], expected[512];
    snprintf(name, sizeof name, "%s/models--org--name/refs/main", hubs[i]);
    put_deep(&home, name, "0123abcd");
    snprintf(name, sizeof name, "%s/models--org--name/snapshots/0123abcd/modules.json", hubs[i]);
    put_deep(&home, name, "[]");
    snprintf(expected, sizeof expected, "%s/%s/models--org--name/snapshots/0123abcd", home.path, hubs[i]);
    if (i == 1) setenv("HF_HOME", in_folder(&home, "hf"), 1);
    if (i == 2) setenv("HF_HUB_CACHE", in_folder(&home, "hub"), 1);
    expect_path("org/name", expected);
    expect_refused("org/other", "'mien pull org/other' fetches it");
    /* A revision is a hash: it leads nowhere else. */
    snprintf(name, sizeof name, "%s/models--org--name/refs/main", hubs[i]);
    put_deep(&home, name, "../../..");
    expect_refused("org/name", "not found");
    remove_folder(&home);
  }
}
END_TEST

START_TEST(what_is_no_id_is_a_path_that_is_not_there) {
  folder home = make_home();
  static const char *const values[] = {"name", "/no/where", "a/b/c", "../x",  "a/..",
                                       "./x",  "org/",      "/name", "o r/g", ""};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    expect_refused(values[i], strchr(values[i], '/') ? "No such file or directory" : "nor an id as org/name");
  unsetenv("HOME");
  expect_refused("org/name", "'mien pull org/name' fetches it");
  remove_folder(&home);
}
END_TEST

MIEN_SUITE("encoder path", what_exists_is_itself, a_fetched_encoder_is_found_by_its_id,
           a_snapshot_of_the_hub_is_found_by_its_id, what_is_no_id_is_a_path_that_is_not_there)
