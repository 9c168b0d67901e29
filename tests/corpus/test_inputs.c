/* SPDX-License-Identifier: Apache-2.0 */
/* What inputs stand for: files, folders, patterns, stdin. */
#include "corpus/inputs.h"

#include <sys/stat.h>

#include "corpus/temporary.h"

static mien_inputs inputs;
static mien_error error;

static unsigned kinds = MIEN_INPUT_EMBEDDINGS;

static mien_status add(const char *argument, mien_input_format format) {
  char *arguments[] = {(char *)argument};
  inputs = (mien_inputs){0};
  error.message[0] = '\0';
  return mien_inputs_add(&inputs, arguments, 1, format, kinds, &error);
}

static void expect(size_t i, const char *path, mien_input_format format) {
  ck_assert_uint_lt(i, inputs.count);
  ck_assert_str_eq(inputs.items[i].path, path);
  ck_assert_int_eq(inputs.items[i].format, format);
}

static void make_files(void) {
  static const char *const names[] = {"b.npy", "a.f32", "C.NPY", "d.txt", ".hidden.npy", "e.md", "[x].npy"};
  make_temporary();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) write_temporary(names[i], "", 0);
  mkdir(in_temporary("folder.npy"), 0777);
}

START_TEST(a_folder_is_its_embedding_files_by_name) {
  make_files();
  ck_assert_int_eq(add(temporary_folder, MIEN_INPUT_BY_ENDING), MIEN_OK);
  ck_assert_uint_eq(inputs.count, 4);
  expect(0, in_temporary("C.NPY"), MIEN_INPUT_NPY);
  expect(1, in_temporary("[x].npy"), MIEN_INPUT_NPY);
  expect(2, in_temporary("a.f32"), MIEN_INPUT_F32);
  expect(3, in_temporary("b.npy"), MIEN_INPUT_NPY);
  mien_inputs_free(&inputs);
  ck_assert_int_eq(add(temporary_folder, MIEN_INPUT_F32), MIEN_OK);
  ck_assert_uint_eq(inputs.count, 6);
  expect(4, in_temporary("d.txt"), MIEN_INPUT_F32);
  expect(5, in_temporary("e.md"), MIEN_INPUT_F32);
  mien_inputs_free(&inputs);
  remove_temporary();
}
END_TEST

START_TEST(a_pattern_is_what_it_matches_unless_a_file_has_its_name) {
  make_files();
  ck_assert_int_eq(add(in_temporary("?.npy"), MIEN_INPUT_BY_ENDING), MIEN_OK);
  ck_assert_uint_eq(inputs.count, 1);
  expect(0, in_temporary("b.npy"), MIEN_INPUT_NPY);
  mien_inputs_free(&inputs);
  ck_assert_int_eq(add(in_temporary("[x].npy"), MIEN_INPUT_BY_ENDING), MIEN_OK);
  expect(0, in_temporary("[x].npy"), MIEN_INPUT_NPY);
  mien_inputs_free(&inputs);
  ck_assert_int_eq(add(in_temporary("*.absent"), MIEN_INPUT_BY_ENDING), MIEN_INPUT);
  mien_inputs_free(&inputs);
  remove_temporary();
}
END_TEST

START_TEST(what_is_no_input_is_refused_with_its_name) {
  make_files();
  static const char *const names[] = {"absent.npy", "folder.npy", "e.md"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    ck_assert_int_eq(add(in_temporary(names[i]), MIEN_INPUT_BY_ENDING), MIEN_INPUT);
    ck_assert_msg(strstr(error.message, in_temporary(names[i])) == error.message, "%s", error.message);
    mien_inputs_free(&inputs);
  }
  ck_assert_int_eq(add("", MIEN_INPUT_NPY), MIEN_ARGUMENT);
  mien_inputs_free(&inputs);
  ck_assert_int_eq(add("-", MIEN_INPUT_NPY), MIEN_OK);
  expect(0, "-", MIEN_INPUT_NPY);
  mien_inputs_free(&inputs);
  remove_temporary();
}
END_TEST

START_TEST(a_run_of_embeddings_asks_for_an_encoder_where_texts_are_given) {
  make_files();
  const char *arguments[] = {in_temporary("d.txt"), "-"};
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(add(arguments[i], MIEN_INPUT_BY_ENDING), MIEN_ARGUMENT);
    ck_assert_msg(strstr(error.message, "--encoder"), "%s", error.message);
    mien_inputs_free(&inputs);
  }
  remove_temporary();
}
END_TEST

START_TEST(a_run_of_texts_reads_files_of_text_and_stdin) {
  static const char *const names[] = {"a.txt", "b.TEXT", "c.jsonl", "d.ndjson", "e.csv", "f.tsv", "g.npy", "h.md"};
  static const mien_input_format formats[] = {MIEN_INPUT_TEXT,  MIEN_INPUT_TEXT, MIEN_INPUT_JSONL,
                                              MIEN_INPUT_JSONL, MIEN_INPUT_CSV,  MIEN_INPUT_TSV};
  make_temporary();
  for (size_t i = 0; i < 8; i++) write_temporary(names[i], "", 0);
  kinds = MIEN_INPUT_TEXTS;
  ck_assert_int_eq(add(temporary_folder, MIEN_INPUT_BY_ENDING), MIEN_OK);
  ck_assert_uint_eq(inputs.count, 6);
  for (size_t i = 0; i < 6; i++) expect(i, in_temporary(names[i]), formats[i]);
  mien_inputs_free(&inputs);
  ck_assert_int_eq(add("-", MIEN_INPUT_BY_ENDING), MIEN_OK);
  expect(0, "-", MIEN_INPUT_TEXT);
  mien_inputs_free(&inputs);
  ck_assert_int_eq(add(in_temporary("g.npy"), MIEN_INPUT_BY_ENDING), MIEN_INPUT);
  mien_inputs_free(&inputs);
  remove_temporary();
}
END_TEST

START_TEST(names_of_compressed_files_say_what_is_in_them) {
  static const struct {
    const char *name;
    mien_input_format format;
  } cases[] = {
      {"a.jsonl.gz", MIEN_INPUT_JSONL},    {"a.csv.zst", MIEN_INPUT_CSV},     {"a.TXT.GZ", MIEN_INPUT_TEXT},
      {"a.npy.zst", MIEN_INPUT_NPY},       {"a.f32.gz", MIEN_INPUT_F32},      {"a.tsv.zst", MIEN_INPUT_TSV},
      {"a.gz", MIEN_INPUT_BY_ENDING},      {".csv.gz", MIEN_INPUT_BY_ENDING}, {"a.csv.gz.gz", MIEN_INPUT_BY_ENDING},
      {"a.csv.bz2", MIEN_INPUT_BY_ENDING}, {".gz", MIEN_INPUT_BY_ENDING},     {"gz", MIEN_INPUT_BY_ENDING}};
  make_temporary();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ck_assert_msg(mien_input_format_of(cases[i].name) == cases[i].format, "%s", cases[i].name);
    write_temporary(cases[i].name, "", 0);
  }
  kinds = MIEN_INPUT_TEXTS;
  ck_assert_int_eq(add(temporary_folder, MIEN_INPUT_BY_ENDING), MIEN_OK);
  ck_assert_uint_eq(inputs.count, 4);
  expect(0, in_temporary("a.TXT.GZ"), MIEN_INPUT_TEXT);
  mien_inputs_free(&inputs);
  ck_assert_int_eq(add(in_temporary("*.zst"), MIEN_INPUT_CSV), MIEN_OK);
  ck_assert_uint_eq(inputs.count, 3);
  mien_inputs_free(&inputs);
  remove_temporary();
}
END_TEST

START_TEST(texts_and_embeddings_do_not_mix) {
  make_files();
  kinds = MIEN_INPUT_EMBEDDINGS | MIEN_INPUT_TEXTS;
  ck_assert_int_eq(add(temporary_folder, MIEN_INPUT_BY_ENDING), MIEN_ARGUMENT);
  ck_assert_msg(strstr(error.message, "expected all texts or all embeddings"), "%s", error.message);
  mien_inputs_free(&inputs);
  ck_assert_int_eq(add(temporary_folder, MIEN_INPUT_CSV), MIEN_OK);
  mien_inputs_free(&inputs);
  remove_temporary();
}
END_TEST

MIEN_SUITE("inputs", a_folder_is_its_embedding_files_by_name, a_pattern_is_what_it_matches_unless_a_file_has_its_name,
           what_is_no_input_is_refused_with_its_name, a_run_of_embeddings_asks_for_an_encoder_where_texts_are_given,
           a_run_of_texts_reads_files_of_text_and_stdin, names_of_compressed_files_say_what_is_in_them,
           texts_and_embeddings_do_not_mix)
