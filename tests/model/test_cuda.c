/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions on CUDA devices with a library of the test's own in the place of libmien_cuda.so, which lies beside this
 * program: when it is opened, what it is given, and what becomes of its results and failures.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <sys/wait.h>

#include "corpus/pipeline.h"
#include "encoder/encoder_files.h"
#include "formats/onnx_builder.h"
#include "mien/mien_cuda.h"
#include "model/fake_cuda.h"

enum { MAX_TOKENS = 6, TEXTS = 20000, LABELS = 3, ROWS = 100000 };

static mien_error error;
static folder encoder;

static void make_files(void) { encoder = make_encoder(); }
static void drop_files(void) { remove_folder(&encoder); }

static void expect_fail(mien_status found, mien_status expected, const char *part) {
  ck_assert_int_eq(found, expected);
  ck_assert_int_eq(error.code, expected);
  ck_assert_msg(strstr(error.message, part) != NULL, "expected '%s' in '%s'", part, error.message);
}

/* ---- The library ----------------------------------------------------------------------------------------------- */

static void *open_library(int flags) {
  char path[1024];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  ck_assert_int_gt(length, 0);
  path[length] = '\0';
  snprintf(strrchr(path, '/'), 64, "/libmien_cuda.so.%d.%d", MIEN_VERSION_MAJOR, MIEN_VERSION_MINOR);
  return dlopen(path, RTLD_NOW | flags);
}

static fake_cuda *fake(void) {
  fake_cuda *(*get)(void);
  void *library = open_library(0);
  ck_assert_msg(library != NULL, "%s", dlerror());
  void *symbol = dlsym(library, "fake_cuda_get");
  memcpy(&get, &symbol, sizeof get);
  return get();
}

/* ---- Models, sessions, texts ----------------------------------------------------------------------------------- */

static float head_weight(size_t label, size_t i) { return (float)((label * 31 + i * 7) % 17) / 16 - 0.5f; }

static const char *write_head(size_t dim) {
  float weights[HIDDEN * LABELS];
  for (size_t i = 0; i < dim; i++)
    for (size_t label = 0; label < LABELS; label++) weights[i * LABELS + label] = head_weight(label, i);
  builder b = make_linear_head(dim, LABELS, weights, (const float[LABELS]){0.1f, -0.2f, 0.05f});
  put_file(&encoder, "head.onnx", b.bytes, b.size);
  discard(&b);
  put_string(&encoder, "labels.txt", "calm\njoy\nrage\n");
  return in_folder(&encoder, "head.onnx");
}

typedef enum parts { HEAD = 1, ENCODER = 2, BOTH = 3 } parts;

/* Without an encoder, of a dimension that is no multiple of 16. */
static mien_model *open_model(parts which, const mien_dtype *dtype) {
  static const double half = 0.5;
  char labels[512];
  mien_model *model = NULL;
  mien_model_options options = {.size = sizeof options, .dtype = dtype};
  const char *head = which & HEAD ? write_head(which & ENCODER ? HIDDEN : HIDDEN - 3) : NULL;
  snprintf(labels, sizeof labels, "%s/labels.txt", encoder.path);
  if (head) options.labels_path = labels, options.threshold = &half;
  if (which & ENCODER) options.encoder_path = encoder.path;
  ck_assert_msg(mien_model_open(head, &options, &model, &error) == MIEN_OK, "%s", error.message);
  return model;
}

static mien_session *make_session(mien_model *model, int32_t ordinal, unsigned threads) {
  mien_session *session = NULL;
  mien_session_options options = {
      .size = sizeof options, .device = MIEN_DEVICE_CUDA, .threads = threads, .ordinal = ordinal};
  ck_assert_msg(mien_session_create(model, &options, &session, &error) == MIEN_OK, "%s", error.message);
  return session;
}

static mien_text texts[TEXTS];

/* Every ninth is bad, every 27th of these would be cut. */
static void make_texts(void) {
  static const char *const some[] = {"a", "b c", "abc", "", "c a b a c b", "b", "a a", "c"};
  for (size_t i = 0; i < TEXTS; i++) {
    const char *text = i % 27 == 0 ? "[MASK] a b c a b c" : i % 9 == 0 ? "[MASK]" : some[i * 7 % 8];
    texts[i] = (mien_text){text, strlen(text)};
  }
}

/* What the library makes of a text. */
static float sum_of(const mien_model *model, size_t text, mien_row_status *status) {
  int32_t ids[32];
  size_t n, all;
  float sum = 0;
  ck_assert_int_eq(mien_tokenize(model, texts[text], 0, ids, 32, &all, &error), MIEN_OK);
  ck_assert_int_eq(mien_tokenize(model, texts[text], MAX_TOKENS, ids, 32, &n, &error), MIEN_OK);
  *status = all > n ? MIEN_ROW_TRUNCATED : MIEN_ROW_OK;
  for (size_t i = 0; i < n; i++) {
    sum += (float)((size_t)ids[i] * (i + 1));
    if (ids[i] == FAKE_BAD_TOKEN) *status = MIEN_ROW_NOT_FINITE;
  }
  return sum;
}

/* ---- Tests ----------------------------------------------------------------------------------------------------- */

START_TEST(the_library_is_opened_when_cuda_is_first_asked_for) {
  mien_model *model = open_model(BOTH, NULL);
  mien_session *session = NULL;
  ck_assert_int_eq(mien_session_create(model, NULL, &session, &error), MIEN_OK);
  mien_session_destroy(session);
  ck_assert_int_eq(mien_cuda_add_library_folder("/one", &error), MIEN_OK);
  ck_assert_int_eq(mien_cuda_add_library_folder("/two", &error), MIEN_OK);
  ck_assert_ptr_null(open_library(RTLD_NOLOAD));
  session = make_session(model, 1, 1);
  ck_assert_ptr_nonnull(open_library(RTLD_NOLOAD));
  ck_assert_int_eq(mien_cuda_add_library_folder("/three", &error), MIEN_OK);
  ck_assert_str_eq(fake()->folders, "/one:/two:/three:");
  expect_fail(mien_cuda_add_library_folder("", &error), MIEN_ARGUMENT, "expected a folder");
  ck_assert_str_eq(mien_session_isa(session), "sm_91");
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(a_library_of_another_version_is_refused) {
  mien_model *model = open_model(HEAD, NULL);
  mien_session *session = NULL;
  const mien_session_options options = {.size = sizeof options, .device = MIEN_DEVICE_CUDA};
  const char *version = fake()->module.version;
  fake()->module.version = "0.0.9";
  expect_fail(mien_session_create(model, &options, &session, &error), MIEN_RESOURCE,
              "version: expected 0.1.0, found 0.0.9");
  fake()->module.version = version;
  fake()->module.abi++;
  expect_fail(mien_session_create(model, &options, &session, &error), MIEN_RESOURCE, "interface: expected 1, found 2");
  fake()->module.abi--;
  mien_session_destroy(make_session(model, 0, 1));
  mien_model_release(model);
}
END_TEST

START_TEST(devices_describe_themselves) {
  mien_cuda_device device = {.size = sizeof device};
  int32_t count = 0;
  ck_assert_int_eq(mien_cuda_device_count(&count, &error), MIEN_OK);
  ck_assert_int_eq(count, FAKE_DEVICES);
  ck_assert_int_eq(mien_cuda_device_describe(2, &device, &error), MIEN_OK);
  ck_assert_str_eq(device.name, "Fake");
  ck_assert_str_eq(device.isa, "sm_92");
  ck_assert_uint_eq(device.total_bytes, 100);
  ck_assert_int_eq(device.driver_version, 13000);
  ck_assert_int_eq(device.multiprocessors, 7);
  expect_fail(mien_cuda_device_describe(3, &device, &error), MIEN_RESOURCE, "no such device");
  expect_fail(mien_cuda_device_describe(-1, &device, &error), MIEN_ARGUMENT, "found -1");
  device = (mien_cuda_device){.size = offsetof(mien_cuda_device, free_bytes), .free_bytes = 5};
  ck_assert_int_eq(mien_cuda_device_describe(0, &device, &error), MIEN_OK);
  ck_assert_uint_eq(device.total_bytes, 100);
  ck_assert_uint_eq(device.free_bytes, 5);
  device.size = sizeof device + 1;
  expect_fail(mien_cuda_device_describe(0, &device, &error), MIEN_ARGUMENT, "size");
}
END_TEST

START_TEST(options_are_checked_and_older_ones_taken) {
  mien_model *model = open_model(HEAD, NULL);
  mien_session *session = NULL;
  mien_session_options options = {.size = sizeof options, .ordinal = 1};
  expect_fail(mien_session_create(model, &options, &session, &error), MIEN_ARGUMENT, "expected 0 for the CPU, found 1");
  options = (mien_session_options){.size = sizeof options, .device = MIEN_DEVICE_CUDA, .ordinal = -2};
  expect_fail(mien_session_create(model, &options, &session, &error), MIEN_ARGUMENT, "ordinal");
  options.ordinal = FAKE_DEVICES;
  expect_fail(mien_session_create(model, &options, &session, &error), MIEN_RESOURCE, "no such device");
  options.size = offsetof(mien_session_options, ordinal);
  ck_assert_int_eq(mien_session_create(model, &options, &session, &error), MIEN_OK);
  ck_assert_str_eq(mien_session_isa(session), "sm_90");
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(sessions_of_a_model_share_its_engine_on_a_device) {
  enum { SESSIONS = 16 };
  mien_model *model = open_model(BOTH, NULL), *other = open_model(ENCODER, NULL);
  mien_session *sessions[SESSIONS], *all = make_session(model, MIEN_ALL_DEVICES, 1);
  for (size_t i = 0; i < SESSIONS; i++) sessions[i] = make_session(model, (int32_t)(i % 2), 1 + (unsigned)i % 3);
  for (size_t i = 0; i < FAKE_DEVICES; i++) ck_assert_int_eq(fake()->opens[i], 1);
  mien_session *another = make_session(other, 0, 1);
  ck_assert_int_eq(fake()->opens[0], 2);
  mien_model_release(other);
  mien_session_destroy(another);
  ck_assert_int_eq(fake()->closes, 1);
  for (size_t i = 0; i < SESSIONS; i++) mien_session_destroy(sessions[i]);
  ck_assert_int_eq(fake()->closes, 1);
  mien_session_destroy(all);
  ck_assert_int_eq(fake()->closes, 1 + FAKE_DEVICES);
  mien_session_destroy(make_session(model, 0, 1));
  ck_assert_int_eq(fake()->opens[0], 3);
  mien_model_release(model);
}
END_TEST

START_TEST(weights_are_given_as_the_files_have_them) {
  static const char *const name = "encoder.layer.1.intermediate.dense.weight";
  enum { PADDED = 32 };
  mien_model *model = open_model(BOTH, NULL);
  mien_session_destroy(make_session(model, 0, 1));
  ck_assert_uint_eq(fake()->encoder.layers, LAYERS);
  ck_assert_uint_eq(fake()->encoder.max_tokens, MAX_TOKENS);
  ck_assert_uint_eq(fake()->encoder.vocabulary, VOCABULARY);
  ck_assert_int_eq(fake()->encoder.pooling, MIEN_CUDA_POOL_MEAN);
  for (size_t output = 0; output < PADDED; output++)
    for (size_t input = 0; input < HIDDEN; input++)
      require(fake()->matrix[output * HIDDEN + input] ==
                  (output < WIDE ? element_of(name, output * HIDDEN + input) : 0),
              "weight of output %zu and input %zu: found %g", output, input,
              (double)fake()->matrix[output * HIDDEN + input]);
  for (size_t i = 0; i < HIDDEN; i++)
    ck_assert_float_eq(fake()->word[i], element_of("embeddings.word_embeddings.weight", 5 * HIDDEN + i));
  mien_model_release(model);
  model = open_model(HEAD, NULL);
  mien_session_destroy(make_session(model, 0, 1));
  for (size_t label = 0; label < LABELS; label++)
    for (size_t i = 0; i < HIDDEN - 3; i++)
      ck_assert_float_eq(fake()->head[label * (HIDDEN - 3) + i], head_weight(label, i));
  mien_model_release(model);
}
END_TEST

START_TEST(weights_of_int8_are_whole_numbers) {
  static const mien_dtype int8 = MIEN_INT8;
  mien_model *model = open_model(ENCODER, &int8);
  mien_session_destroy(make_session(model, 0, 1));
  float most = 0;
  for (size_t i = 0; i < WIDE * HIDDEN; i++) {
    require(fake()->matrix[i] == rintf(fake()->matrix[i]), "weight %zu: found %g", i, (double)fake()->matrix[i]);
    most = fmaxf(most, fabsf(fake()->matrix[i]));
  }
  ck_assert_float_eq(most, 127);
  mien_model_release(model);
}
END_TEST

static void check_texts(mien_model *model, int32_t ordinal, unsigned threads) {
  static float scores[TEXTS * LABELS], embeddings[TEXTS * HIDDEN];
  static uint32_t words[TEXTS];
  static mien_row_status status[TEXTS];
  mien_session *session = make_session(model, ordinal, threads);
  size_t n_bad = 0, n_truncated = 0;
  memset(status, 9, sizeof status);
  mien_results results = {
      .size = sizeof results, .words = words, .scores = scores, .status = status, .embeddings = embeddings};
  ck_assert_msg(mien_label_texts(session, texts, TEXTS, &results, &error) == MIEN_OK, "%s", error.message);
  for (size_t i = 0; i < TEXTS; i++) {
    mien_row_status expected;
    const float sum = sum_of(model, i, &expected);
    require(status[i] == expected, "text %zu: status: expected %d, found %d", i, expected, status[i]);
    n_bad += expected == MIEN_ROW_NOT_FINITE;
    n_truncated += expected == MIEN_ROW_TRUNCATED;
    if (expected == MIEN_ROW_NOT_FINITE) continue;
    require(scores[i * LABELS + 2] == sum + 2 && words[i] == (uint32_t)sum && embeddings[i * HIDDEN + 9] == sum + 9,
            "text %zu: expected results of %g, found a score of %g", i, (double)sum, (double)scores[i * LABELS + 2]);
  }
  ck_assert_uint_gt(n_bad, 0);
  ck_assert_uint_gt(n_truncated, 0);
  ck_assert_uint_eq(results.n_bad, n_bad);
  ck_assert_uint_eq(results.n_truncated, n_truncated);
  /* The counts are the same without a place for anything. */
  results = (mien_results){.size = sizeof results};
  ck_assert_int_eq(mien_label_texts(session, texts, TEXTS, &results, &error), MIEN_OK);
  ck_assert_uint_eq(results.n_bad, n_bad);
  ck_assert_uint_eq(results.n_truncated, n_truncated);
  /* Embeddings alone leave words and scores as they are. */
  memset(words, 0xAB, sizeof words);
  results = (mien_results){.size = sizeof results, .words = words, .embeddings = embeddings};
  ck_assert_int_eq(mien_embed_texts(session, texts, TEXTS, &results, &error), MIEN_OK);
  ck_assert_uint_eq(results.n_bad, n_bad);
  for (size_t i = 0; i < TEXTS; i++) require(words[i] == 0xABABABAB, "text %zu: its word was written", i);
  ck_assert_int_eq(mien_label_texts(session, NULL, 0, &results, &error), MIEN_OK);
  ck_assert_int_eq(fake()->lanes, 0);
  mien_session_destroy(session);
}

START_TEST(texts_are_labelled_in_order_on_one_device_and_on_all) {
  mien_model *model = open_model(BOTH, NULL);
  make_texts();
  static const unsigned threads[] = {1, 2, 7};
  for (size_t i = 0; i < 3; i++) {
    check_texts(model, 2, threads[i]);
    check_texts(model, MIEN_ALL_DEVICES, threads[i]);
  }
  mien_model_release(model);
}
END_TEST

START_TEST(rows_are_labelled_in_order_on_one_device_and_on_all) {
  enum { DIM = HIDDEN - 3, STRIDE = DIM + 1 };
  mien_model *model = open_model(HEAD, NULL);
  float *rows = calloc((size_t)ROWS * STRIDE, sizeof *rows), *scores = calloc((size_t)ROWS * LABELS, sizeof *scores);
  mien_row_status *status = calloc(ROWS, 1);
  for (size_t i = 0; i < ROWS; i++) rows[i * STRIDE] = i % 1000 == 1 ? NAN : (float)i;
  const mien_rows input = {.size = sizeof input, .data = rows, .stride = STRIDE};
  for (int32_t ordinal = MIEN_ALL_DEVICES; ordinal <= 0; ordinal++) {
    mien_session *session = make_session(model, ordinal, 2);
    mien_results results = {.size = sizeof results, .scores = scores, .status = status};
    memset(scores, 0, (size_t)ROWS * LABELS * sizeof *scores);
    ck_assert_msg(mien_label_embeddings(session, &input, ROWS, &results, &error) == MIEN_OK, "%s", error.message);
    ck_assert_uint_eq(results.n_bad, ROWS / 1000);
    for (size_t i = 0; i < ROWS; i++) {
      require((status[i] == MIEN_ROW_NOT_FINITE) == (i % 1000 == 1), "row %zu: status %d", i, status[i]);
      require(i % 1000 == 1 || scores[i * LABELS + 1] == (float)i + 1, "row %zu: found %g", i,
              (double)scores[i * LABELS + 1]);
    }
    mien_session_destroy(session);
  }
  free(rows);
  free(scores);
  free(status);
  mien_model_release(model);
}
END_TEST

/* The run behind the command. */
START_TEST(workers_of_a_run_take_all_devices_in_turn) {
  enum { DIM = HIDDEN - 3, CHUNK_BYTES = 1 << 14 };
  mien_model *model = open_model(HEAD, NULL);
  float *rows = calloc((size_t)ROWS * DIM, sizeof *rows);
  uint32_t *words = calloc(ROWS, sizeof *words);
  for (size_t i = 0; i < ROWS; i++) rows[i * DIM] = (float)i;
  put_file(&encoder, "rows.f32", rows, (size_t)ROWS * DIM * sizeof *rows);
  char input_path[512], output_path[512];
  snprintf(input_path, sizeof input_path, "%s/rows.f32", encoder.path);
  snprintf(output_path, sizeof output_path, "%s/out.bits", encoder.path);
  mien_input input = {input_path, MIEN_INPUT_F32};
  const mien_inputs inputs = {&input, 1, 1};
  const mien_row_options options = {.format = MIEN_OUTPUT_BITS, .inputs = &inputs};
  const mien_run_options run = {
      .threads = 2, .max_bad = UINT64_MAX, .device = MIEN_DEVICE_CUDA, .ordinal = MIEN_ALL_DEVICES};
  mien_run_summary summary;
  mien_reader *reader = NULL;
  mien_writer *writer = NULL;
  ck_assert_int_eq(mien_embedding_reader_create(&inputs, DIM, 4, CHUNK_BYTES, NULL, NULL, &reader, &error), MIEN_OK);
  ck_assert_int_eq(mien_writer_create(model, &options, output_path, NULL, &writer, &error), MIEN_OK);
  ck_assert_msg(mien_run(model, reader, writer, &run, &summary, &error) == MIEN_OK, "%s", error.message);
  mien_writer_destroy(writer);
  reader->destroy(reader);
  for (size_t i = 0; i < FAKE_DEVICES; i++) ck_assert_int_eq(fake()->opens[i], 1);
  ck_assert_uint_eq(summary.threads, FAKE_DEVICES);
  ck_assert_str_eq(summary.isa, "sm_90");
  ck_assert_uint_eq(summary.n_rows, ROWS);
  FILE *file = fopen(output_path, "rb");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(fseek(file, -(long)(ROWS * sizeof *words), SEEK_END), 0);
  ck_assert_uint_eq(fread(words, sizeof *words, ROWS, file), ROWS);
  fclose(file);
  for (size_t i = 0; i < ROWS; i++) require(words[i] == i, "row %zu: found %u", i, words[i]);
  free(rows);
  free(words);
  mien_model_release(model);
}
END_TEST

START_TEST(rows_of_device_memory_are_queued_on_the_callers_stream) {
  mien_model *model = open_model(HEAD, NULL);
  mien_session *session = make_session(model, 1, 1), *all = make_session(model, MIEN_ALL_DEVICES, 1), *cpu = NULL;
  float row[HIDDEN] = {7}, scores[LABELS] = {0};
  int stream;
  mien_rows rows = {.size = sizeof rows, .data = row};
  const mien_results results = {.size = sizeof results, .scores = scores};
  ck_assert_int_eq(mien_session_create(model, NULL, &cpu, &error), MIEN_OK);
  ck_assert_int_eq(mien_cuda_label_embeddings(session, &rows, 1, &results, &stream, &error), MIEN_OK);
  ck_assert_ptr_eq(fake()->stream, &stream);
  ck_assert_float_eq(scores[2], 9);
  ck_assert_int_eq(mien_cuda_label_embeddings(session, &rows, 0, &results, NULL, &error), MIEN_OK);
  expect_fail(mien_cuda_label_embeddings(cpu, &rows, 1, &results, NULL, &error), MIEN_ARGUMENT, "found one on the CPU");
  expect_fail(mien_cuda_label_embeddings(all, &rows, 1, &results, NULL, &error), MIEN_ARGUMENT, "found one on several");
  expect_fail(mien_cuda_label_embeddings(NULL, &rows, 1, &results, NULL, &error), MIEN_ARGUMENT, "session");
  rows.dtype = MIEN_F64;
  rows.data = (double[HIDDEN]){0};
  expect_fail(mien_cuda_label_embeddings(session, &rows, 1, &results, NULL, &error), MIEN_ARGUMENT, "dtype");
  mien_session_destroy(session);
  mien_session_destroy(all);
  mien_session_destroy(cpu);
  mien_model_release(model);
}
END_TEST

START_TEST(a_failure_in_the_middle_ends_the_call_with_its_message) {
  mien_model *model = open_model(BOTH, NULL);
  make_texts();
  for (unsigned threads = 1; threads <= 5; threads += 2) {
    mien_session *session = make_session(model, MIEN_ALL_DEVICES, threads);
    mien_results results = {.size = sizeof results, .n_bad = 7};
    fake()->failing_submit = 100;
    expect_fail(mien_label_texts(session, texts, TEXTS, &results, &error), MIEN_RESOURCE, "fake: texts failed");
    ck_assert_int_eq(mien_label_texts(session, texts, TEXTS, &results, NULL), MIEN_OK);
    fake()->failing_submit = 1;
    ck_assert_int_eq(mien_label_texts(session, texts, 10, &results, NULL), MIEN_RESOURCE);
    ck_assert_int_eq(fake()->lanes, 0);
    const mien_rows rows = {.size = sizeof rows, .data = calloc(ROWS, HIDDEN * sizeof(float))};
    fake()->failing_piece = 2;
    expect_fail(mien_label_embeddings(session, &rows, ROWS, &results, &error), MIEN_RESOURCE, "fake: rows failed");
    free((void *)rows.data);
    mien_session_destroy(session);
  }
  mien_model_release(model);
}
END_TEST

static int stop_at_once(void *user, size_t done, size_t n) {
  size_t *seen = user;
  *seen = done;
  return done < n;
}

START_TEST(progress_is_told_and_may_stop_the_call) {
  mien_model *model = open_model(BOTH, NULL);
  mien_session *session = NULL;
  size_t seen = 0;
  const mien_session_options options = {
      .size = sizeof options, .device = MIEN_DEVICE_CUDA, .progress = stop_at_once, .progress_user = &seen};
  mien_results results = {.size = sizeof results};
  make_texts();
  ck_assert_int_eq(mien_session_create(model, &options, &session, &error), MIEN_OK);
  expect_fail(mien_label_texts(session, texts, TEXTS, &results, &error), MIEN_CANCELLED, "of 20000 rows");
  ck_assert_uint_gt(seen, 0);
  ck_assert_uint_lt(seen, TEXTS);
  ck_assert_int_eq(mien_label_texts(session, texts, 5, &results, &error), MIEN_OK);
  ck_assert_uint_eq(seen, 5);
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(more_threads_than_lanes_take_turns) {
  mien_model *model = open_model(BOTH, NULL);
  make_texts();
  fflush(NULL);
  check_texts(model, 0, 16);
  ck_assert_int_eq(fake()->opens[0], 1);
  ck_assert_int_gt(fake()->submits[0], TEXTS / FAKE_BATCH_TOKENS);
  mien_model_release(model);
}
END_TEST

START_TEST(a_child_of_fork_is_refused_cuda_and_destroys_what_it_has) {
  mien_model *model = open_model(BOTH, NULL);
  mien_session *session = make_session(model, 0, 1), *none = NULL;
  const mien_session_options options = {.size = sizeof options, .device = MIEN_DEVICE_CUDA};
  mien_results results = {.size = sizeof results};
  int32_t count;
  fake(); /* before there is a child */
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    int ok = mien_session_create(model, &options, &none, &error) == MIEN_ARGUMENT &&
             strncmp(error.message, "CUDA was used before fork: ", 27) == 0;
    ok = ok && mien_cuda_device_count(&count, &error) == MIEN_ARGUMENT;
    ok = ok && mien_cuda_add_library_folder("/x", &error) == MIEN_ARGUMENT;
    ok = ok && mien_label_texts(session, NULL, 0, &results, &error) == MIEN_ARGUMENT;
    mien_session_destroy(session);
    ok = ok && fake()->closes == 1;
    ok = ok && mien_session_create(model, NULL, &session, &error) == MIEN_OK;
    mien_session_destroy(session);
    mien_model_release(model);
    _exit(ok ? 0 : 1);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ck_assert_int_eq(mien_label_texts(session, NULL, 0, &results, &error), MIEN_OK);
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

MIEN_SUITE_BETWEEN("cuda", make_files, drop_files, the_library_is_opened_when_cuda_is_first_asked_for,
                   a_library_of_another_version_is_refused, devices_describe_themselves,
                   options_are_checked_and_older_ones_taken, sessions_of_a_model_share_its_engine_on_a_device,
                   weights_are_given_as_the_files_have_them, weights_of_int8_are_whole_numbers,
                   texts_are_labelled_in_order_on_one_device_and_on_all,
                   rows_are_labelled_in_order_on_one_device_and_on_all, workers_of_a_run_take_all_devices_in_turn,
                   rows_of_device_memory_are_queued_on_the_callers_stream,
                   a_failure_in_the_middle_ends_the_call_with_its_message, progress_is_told_and_may_stop_the_call,
                   more_threads_than_lanes_take_turns, a_child_of_fork_is_refused_cuda_and_destroys_what_it_has)
