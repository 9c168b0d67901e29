/* SPDX-License-Identifier: Apache-2.0 */
/* The library as a user calls it: models, thresholds, sessions, threads, fork, and calls that are wrong. */
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/half.h"
#include "mien/mien.h"
#include "suite.h"

#define HEAD MIEN_TEST_MODELS "/heads/all-MiniLM-L6-v2"

enum { LABELS = 28, DIM = 384, ROWS = 3000 };

static mien_error error;

static mien_model *open_head(const mien_model_options *options) {
  mien_model *model = NULL;
  ck_assert_msg(mien_model_open(HEAD "/model.onnx", options, &model, &error) == MIEN_OK, "%s", error.message);
  return model;
}

static mien_session *make_session(mien_model *model, unsigned threads) {
  mien_session *session = NULL;
  mien_session_options options = {.size = sizeof options, .threads = threads};
  ck_assert_msg(mien_session_create(model, &options, &session, &error) == MIEN_OK, "%s", error.message);
  return session;
}

static float *make_rows(size_t n) {
  float *rows = malloc(n * DIM * sizeof *rows);
  uint64_t state = 9;
  for (size_t i = 0; i < n * DIM; i++) rows[i] = (float)(0.09 * random_unit(&state));
  return rows;
}

static void expect_fail(mien_status found, mien_status expected, const char *part) {
  ck_assert_int_eq(found, expected);
  ck_assert_int_eq(error.code, expected);
  ck_assert_msg(strstr(error.message, part) != NULL, "expected '%s' in '%s'", part, error.message);
}

START_TEST(a_head_opens_from_its_file_its_folder_and_memory) {
  mien_model *file = open_head(NULL), *folder = NULL, *memory = NULL;
  ck_assert_int_eq(mien_model_open(HEAD, NULL, &folder, &error), MIEN_OK);
  FILE *stream = fopen(HEAD "/model.onnx", "rb");
  static char bytes[1 << 20];
  size_t size = fread(bytes, 1, sizeof bytes, stream);
  fclose(stream);
  ck_assert_int_eq(mien_model_open_memory(bytes, size, NULL, &memory, &error), MIEN_OK);
  memset(bytes, 0, sizeof bytes); /* the model has its own copy */
  mien_model *const all[] = {file, folder, memory};
  for (int i = 0; i < 3; i++) {
    ck_assert_uint_eq(mien_model_label_count(all[i]), LABELS);
    ck_assert_uint_eq(mien_model_dim(all[i]), DIM);
    ck_assert_uint_eq(mien_model_words(all[i]), 1);
    ck_assert_str_eq(mien_model_label_name(all[i], 0), "surprise");
    ck_assert_str_eq(mien_model_label_name(all[i], LABELS - 1), "admiration");
    ck_assert_ptr_null(mien_model_label_name(all[i], LABELS));
    ck_assert(isnan(mien_model_threshold(all[i], LABELS)));
    ck_assert_int_eq(mien_model_thresholds_from(all[i]), i < 2 ? MIEN_THRESHOLDS_FOUND : MIEN_THRESHOLDS_DEFAULT);
    ck_assert(mien_model_threshold(all[i], 0) == (i < 2 ? 0.15f : 0.5f));
    ck_assert_ptr_nonnull(strstr(mien_model_describe(all[i]), i < 2 ? "\"thresholds\":[0.15,0.25," : "[0.5,0.5,"));
    mien_model_release(all[i]);
  }
}
END_TEST

START_TEST(thresholds_come_from_where_the_options_say) {
  const double one = 0.125;
  const mien_threshold override = {"joy", 0.75};
  mien_model_options options = {.size = sizeof options, .threshold = &one, .overrides = &override, .n_overrides = 1};
  mien_model *model = open_head(&options);
  ck_assert_int_eq(mien_model_thresholds_from(model), MIEN_THRESHOLDS_OPTIONS);
  for (size_t i = 0; i < LABELS; i++)
    ck_assert(mien_model_threshold(model, i) == (strcmp(mien_model_label_name(model, i), "joy") ? 0.125f : 0.75f));
  mien_model_release(model);

  options = (mien_model_options){.size = sizeof options, .thresholds_path = HEAD "/thresholds.json"};
  model = open_head(&options);
  ck_assert_int_eq(mien_model_thresholds_from(model), MIEN_THRESHOLDS_OPTIONS);
  mien_model_release(model);

  options.threshold = &one;
  expect_fail(mien_model_open(HEAD, &options, &model, &error), MIEN_ARGUMENT, "expected one of");
  options =
      (mien_model_options){.size = sizeof options, .thresholds_json = "{\"joy\":0.5}", .thresholds_json_bytes = 11};
  expect_fail(mien_model_open(HEAD, &options, &model, &error), MIEN_INPUT, "thresholds_json");
  const double over = 1.5, nothing = NAN;
  options = (mien_model_options){.size = sizeof options, .threshold = &over};
  expect_fail(mien_model_open(HEAD, &options, &model, &error), MIEN_ARGUMENT, "1.5");
  options.threshold = &nothing;
  expect_fail(mien_model_open(HEAD, &options, &model, &error), MIEN_ARGUMENT, "nan");
  const mien_threshold unknown = {"glee", 0.5};
  options = (mien_model_options){.size = sizeof options, .overrides = &unknown, .n_overrides = 1};
  expect_fail(mien_model_open(HEAD, &options, &model, &error), MIEN_ARGUMENT, "glee");
}
END_TEST

START_TEST(thresholds_are_described_alike_in_every_locale) {
  static const char *const with_comma[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "es_ES.UTF-8", "ru_RU.UTF-8"};
  const char *found = NULL;
  for (size_t i = 0; !found && i < sizeof with_comma / sizeof *with_comma; i++)
    found = setlocale(LC_ALL, with_comma[i]);
  mien_model *model = open_head(NULL); /* where no such locale is installed, the C locale's answer is checked */
  ck_assert_ptr_nonnull(strstr(mien_model_describe(model), "\"thresholds\":[0.15,0.25,"));
  setlocale(LC_ALL, "C");
  mien_model_release(model);
}
END_TEST

START_TEST(a_thresholds_file_that_is_a_link_to_nothing_is_an_error) {
  char folder[] = "/tmp/mien-test-XXXXXX", model_link[64], thresholds_link[64];
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(model_link, sizeof model_link, "%s/model.onnx", folder);
  snprintf(thresholds_link, sizeof thresholds_link, "%s/thresholds.json", folder);
  ck_assert_int_eq(symlink(HEAD "/model.onnx", model_link), 0);
  ck_assert_int_eq(symlink("blobs/missing", thresholds_link), 0);
  mien_model *model = NULL;
  expect_fail(mien_model_open(folder, NULL, &model, &error), MIEN_INPUT, "thresholds.json");
  unlink(model_link);
  unlink(thresholds_link);
  rmdir(folder);
}
END_TEST

START_TEST(what_is_not_a_model_is_refused_with_its_path) {
  mien_model *model = NULL;
  expect_fail(mien_model_open("/nowhere/model.onnx", NULL, &model, &error), MIEN_INPUT, "/nowhere/model.onnx");
  expect_fail(mien_model_open("/dev/zero", NULL, &model, &error), MIEN_INPUT, "/dev/zero");
  expect_fail(mien_model_open(HEAD "/thresholds.json", NULL, &model, &error), MIEN_INPUT, "thresholds.json");
  expect_fail(mien_model_open_memory("", 0, NULL, &model, &error), MIEN_INPUT, "empty");
  expect_fail(mien_model_open(NULL, NULL, &model, &error), MIEN_ARGUMENT, "found neither");
  ck_assert_int_eq(mien_model_open("/nowhere", NULL, &model, NULL), MIEN_INPUT); /* the error may be NULL */
  ck_assert_ptr_null(model);
}
END_TEST

START_TEST(results_are_the_same_bits_for_any_number_of_threads) {
  mien_model *model = open_head(NULL);
  float *rows = make_rows(ROWS);
  float *expected = malloc(ROWS * LABELS * sizeof *expected), *scores = malloc(ROWS * LABELS * sizeof *scores);
  uint32_t *expected_words = malloc(ROWS * sizeof(uint32_t)), *words = malloc(ROWS * sizeof(uint32_t));
  mien_rows input = {.size = sizeof input, .data = rows};
  static const unsigned threads[] = {1, 2, 3, 7, 16};
  for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
    mien_session *session = make_session(model, threads[t]);
    mien_results both = {.size = sizeof both, .words = words, .scores = scores};
    mien_results only_words = {.size = sizeof only_words, .words = words};
    for (int repeat = 0; repeat < 20; repeat++) {
      ck_assert_int_eq(mien_label_embeddings(session, &input, ROWS, &both, &error), MIEN_OK);
      if (t == 0 && repeat == 0) {
        memcpy(expected, scores, ROWS * LABELS * sizeof *scores);
        memcpy(expected_words, words, ROWS * sizeof *words);
      }
      ck_assert_mem_eq(scores, expected, ROWS * LABELS * sizeof *scores);
      ck_assert_mem_eq(words, expected_words, ROWS * sizeof *words);
      memset(words, 0xFF, ROWS * sizeof *words);
      ck_assert_int_eq(mien_label_embeddings(session, &input, ROWS, &only_words, &error), MIEN_OK);
      ck_assert_mem_eq(words, expected_words, ROWS * sizeof *words);
    }
    mien_session_destroy(session);
  }
  for (size_t row = 0; row < ROWS; row++)
    for (size_t label = 0; label < LABELS; label++)
      require((expected_words[row] >> label & 1) ==
                  (expected[row * LABELS + label] > mien_model_threshold(model, label)),
              "row %zu, label %zu", row, label);
  free(rows);
  free(expected);
  free(scores);
  free(expected_words);
  free(words);
  mien_model_release(model);
}
END_TEST

START_TEST(rows_of_bfloat16_are_those_that_they_stand_for_in_float32) {
  enum { SOME = 100, STRIDE = DIM + 3 };
  mien_model *model = open_head(NULL);
  mien_session *session = make_session(model, 2);
  float *rows = make_rows(SOME), *expected = malloc(SOME * LABELS * sizeof *expected);
  float *scores = malloc(SOME * LABELS * sizeof *scores);
  uint16_t *halves = calloc(SOME * STRIDE, sizeof *halves);
  for (size_t row = 0; row < SOME; row++)
    for (size_t i = 0; i < DIM; i++) {
      halves[row * STRIDE + i] = mien_float_to_bf16(rows[row * DIM + i]);
      rows[row * DIM + i] = mien_bf16_to_float(halves[row * STRIDE + i]);
    }
  const mien_rows floats = {.size = sizeof floats, .data = rows};
  const mien_rows input = {.size = sizeof input, .data = halves, .dtype = MIEN_BF16, .stride = STRIDE};
  mien_results results = {.size = sizeof results, .scores = expected};
  ck_assert_int_eq(mien_label_embeddings(session, &floats, SOME, &results, &error), MIEN_OK);
  results.scores = scores;
  ck_assert_int_eq(mien_label_embeddings(session, &input, SOME, &results, &error), MIEN_OK);
  ck_assert_mem_eq(scores, expected, SOME * LABELS * sizeof *scores);
  halves[7 * STRIDE] = 0x7F80; /* infinity */
  ck_assert_int_eq(mien_label_embeddings(session, &input, SOME, &results, &error), MIEN_OK);
  ck_assert_uint_eq(results.n_bad, 1);
  free(rows);
  free(expected);
  free(scores);
  free(halves);
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(every_results_array_may_be_missing) {
  mien_model *model = open_head(NULL);
  mien_session *session = make_session(model, 1);
  float rows[2 * DIM] = {0};
  rows[5] = NAN;
  mien_rows input = {.size = sizeof input, .data = rows};
  mien_results nothing = {.size = sizeof nothing};
  ck_assert_int_eq(mien_label_embeddings(session, &input, 2, &nothing, &error), MIEN_OK);
  ck_assert_uint_eq(nothing.n_bad, 1);
  mien_row_status status[2];
  mien_results only_status = {.size = sizeof only_status, .status = status};
  ck_assert_int_eq(mien_label_embeddings(session, &input, 2, &only_status, &error), MIEN_OK);
  ck_assert_uint_eq(status[0], MIEN_ROW_NOT_FINITE);
  ck_assert_uint_eq(status[1], MIEN_ROW_OK);
  input.data = NULL;
  ck_assert_int_eq(mien_label_embeddings(session, &input, 0, &nothing, &error), MIEN_OK);
  ck_assert_uint_eq(nothing.n_bad, 0);
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(wrong_calls_are_told_what_was_expected) {
  mien_model *model = open_head(NULL);
  mien_session *session = make_session(model, 1), *none = NULL;
  float rows[DIM] = {0};
  mien_results results = {.size = sizeof results};
  mien_rows input = {.size = sizeof input, .data = rows, .stride = DIM - 1};
  expect_fail(mien_label_embeddings(session, &input, 1, &results, &error), MIEN_ARGUMENT, "384 elements, found 383");
  input = (mien_rows){.size = sizeof input, .data = rows, .dtype = 9};
  expect_fail(mien_label_embeddings(session, &input, 1, &results, &error), MIEN_ARGUMENT, "dtype");
  input = (mien_rows){.size = sizeof input};
  expect_fail(mien_label_embeddings(session, &input, 1, &results, &error), MIEN_ARGUMENT, "NULL");
  input = (mien_rows){.size = sizeof input, .data = rows};
  expect_fail(mien_label_embeddings(session, &input, SIZE_MAX / 8, &results, &error), MIEN_ARGUMENT, "memory");
  input.data = (const char *)rows + 1;
  expect_fail(mien_label_embeddings(session, &input, 0, &results, &error), MIEN_ARGUMENT, "aligned");
  input = (mien_rows){.size = 4 * sizeof input};
  expect_fail(mien_label_embeddings(session, &input, 0, &results, &error), MIEN_ARGUMENT, "size");
  expect_fail(mien_label_embeddings(session, NULL, 0, &results, &error), MIEN_ARGUMENT, "rows");
  input = (mien_rows){.size = sizeof input, .data = rows};
  expect_fail(mien_label_embeddings(session, &input, 1, NULL, &error), MIEN_ARGUMENT, "results");
  expect_fail(mien_label_embeddings(NULL, &input, 1, &results, &error), MIEN_ARGUMENT, "session");
  mien_session_options options = {.size = sizeof options, .threads = 5000};
  expect_fail(mien_session_create(model, &options, &none, &error), MIEN_ARGUMENT, "1024");
  options = (mien_session_options){.size = sizeof options, .device = 7};
  expect_fail(mien_session_create(model, &options, &none, &error), MIEN_ARGUMENT, "device");
  expect_fail(mien_session_create(NULL, NULL, &none, &error), MIEN_ARGUMENT, "NULL");
  mien_session_destroy(NULL);
  mien_model_release(NULL);
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(mien_isa_names_an_instruction_set_or_is_an_error) {
  mien_model *model = open_head(NULL);
  mien_session *session = NULL;
  setenv("MIEN_ISA", "portable", 1);
  session = make_session(model, 1);
  ck_assert_str_eq(mien_session_isa(session), "portable");
  mien_session_destroy(session);
  setenv("MIEN_ISA", "sse9", 1);
  expect_fail(mien_session_create(model, NULL, &session, &error), MIEN_ARGUMENT, "found 'sse9'");
#if defined(__x86_64__)
  setenv("MIEN_ISA", "neon", 1);
#else
  setenv("MIEN_ISA", "avx2", 1);
#endif
  expect_fail(mien_session_create(model, NULL, &session, &error), MIEN_RESOURCE, "not available");
  unsetenv("MIEN_ISA");
  mien_model_release(model);
}
END_TEST

typedef struct watch {
  size_t calls, last, stop_at;
} watch;

static int note_progress(void *user, size_t done, size_t n) {
  watch *seen = user;
  seen->calls++;
  require(done > seen->last && done <= n, "progress of %zu after %zu", done, seen->last);
  seen->last = done;
  return seen->stop_at && seen->calls >= seen->stop_at;
}

START_TEST(progress_is_told_and_can_cancel) {
  enum { MANY = 300000, SMALL = 8 };
  mien_model *model = open_head(NULL);
  watch seen = {0};
  mien_session_options options = {
      .size = sizeof options, .threads = 2, .progress = note_progress, .progress_user = &seen};
  mien_session *session;
  ck_assert_int_eq(mien_session_create(model, &options, &session, &error), MIEN_OK);
  float *row = calloc(SMALL * DIM, sizeof *row);
  /* Many rows in little memory: binary16 rows of zeros, over and over. */
  uint16_t *rows = calloc((size_t)MANY * DIM, sizeof *rows);
  mien_rows input = {.size = sizeof input, .data = rows, .dtype = MIEN_F16};
  mien_results results = {.size = sizeof results};
  ck_assert_int_eq(mien_label_embeddings(session, &input, MANY, &results, &error), MIEN_OK);
  ck_assert_uint_ge(seen.calls, 2);
  ck_assert_uint_eq(seen.last, MANY);
  seen = (watch){.stop_at = 1};
  expect_fail(mien_label_embeddings(session, &input, MANY, &results, &error), MIEN_CANCELLED, "of 300000 rows");
  seen = (watch){0};
  input = (mien_rows){.size = sizeof input, .data = row};
  ck_assert_int_eq(mien_label_embeddings(session, &input, SMALL, &results, &error), MIEN_OK); /* usable afterwards */
  free(row);
  free(rows);
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(a_child_of_fork_is_refused_the_parents_session_and_makes_its_own) {
  mien_model *model = open_head(NULL);
  mien_session *session = make_session(model, 4);
  float *rows = make_rows(ROWS);
  mien_rows input = {.size = sizeof input, .data = rows};
  mien_results results = {.size = sizeof results};
  /* So many rows that every thread works on them, and so is past its start, where it may hold a lock of the address
     sanitizer's allocator: that allocator knows no fork. */
  ck_assert_int_eq(mien_label_embeddings(session, &input, ROWS, &results, &error), MIEN_OK);
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    int ok = mien_label_embeddings(session, &input, 1, &results, &error) == MIEN_ARGUMENT &&
             strstr(error.message, "fork") != NULL;
    mien_session_destroy(session);
    mien_session_options options = {.size = sizeof options, .threads = 3};
    ok = ok && mien_session_create(model, &options, &session, &error) == MIEN_OK;
    ok = ok && mien_label_embeddings(session, &input, 1, &results, &error) == MIEN_OK;
    mien_session_destroy(session);
    mien_model_release(model);
    _exit(ok ? 0 : 1);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ck_assert_int_eq(mien_label_embeddings(session, &input, 1, &results, &error), MIEN_OK);
  mien_session_destroy(session);
  mien_model_release(model);
  free(rows);
}
END_TEST

static void *use_model(void *user) {
  mien_model *model = user;
  mien_session *session = NULL;
  float rows[3 * DIM] = {0}, scores[3 * LABELS];
  mien_rows input = {.size = sizeof input, .data = rows};
  mien_results results = {.size = sizeof results, .scores = scores};
  intptr_t failed = mien_session_create(model, NULL, &session, NULL) != MIEN_OK;
  for (int i = 0; !failed && i < 200; i++)
    failed = mien_label_embeddings(session, &input, 3, &results, NULL) != MIEN_OK;
  mien_session_destroy(session);
  mien_model_release(model);
  return (void *)failed;
}

START_TEST(one_model_serves_many_threads_and_outlives_its_first_reference) {
  enum { THREADS = 8 };
  mien_model *model = open_head(NULL);
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, use_model, mien_model_retain(model)), 0);
  mien_model_release(model);
  for (int i = 0; i < THREADS; i++) {
    void *failed = NULL;
    pthread_join(threads[i], &failed);
    ck_assert_ptr_null(failed);
  }
}
END_TEST

START_TEST(status_names_and_version_are_words) {
  ck_assert_str_eq(mien_status_name(MIEN_OK), "ok");
  ck_assert_str_eq(mien_status_name(MIEN_CANCELLED), "cancelled");
  ck_assert_str_eq(mien_status_name(99), "unknown");
  ck_assert_str_eq(mien_version(), "0.1.0");
}
END_TEST

MIEN_SUITE("model", a_head_opens_from_its_file_its_folder_and_memory, thresholds_come_from_where_the_options_say,
           thresholds_are_described_alike_in_every_locale, a_thresholds_file_that_is_a_link_to_nothing_is_an_error,
           what_is_not_a_model_is_refused_with_its_path, results_are_the_same_bits_for_any_number_of_threads,
           rows_of_bfloat16_are_those_that_they_stand_for_in_float32, every_results_array_may_be_missing,
           wrong_calls_are_told_what_was_expected, mien_isa_names_an_instruction_set_or_is_an_error,
           progress_is_told_and_can_cancel, a_child_of_fork_is_refused_the_parents_session_and_makes_its_own,
           one_model_serves_many_threads_and_outlives_its_first_reference, status_names_and_version_are_words)
