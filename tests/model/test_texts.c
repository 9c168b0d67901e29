/* SPDX-License-Identifier: Apache-2.0 */
/* The library as a user calls it on texts: encoders alone and under a head, batches, threads, and calls that are wrong.
 */
#include <math.h>

#include "encoder/encoder_files.h"
#include "formats/onnx_builder.h"
#include "mien/mien.h"

enum { MAX_TOKENS = 6, TEXTS = 200, LABELS = 3 };

static mien_error error;
static folder encoder;

static void make_files(void) { encoder = make_encoder(); }
static void drop_files(void) { remove_folder(&encoder); }

/* What a head needs beside its graph. */
static mien_model_options head_options(void) {
  static const double half = 0.5;
  static char labels[512];
  snprintf(labels, sizeof labels, "%s/labels.txt", encoder.path);
  return (mien_model_options){.size = sizeof(mien_model_options), .threshold = &half, .labels_path = labels};
}

static mien_model *open_model(const char *head, uint32_t max_tokens) {
  mien_model *model = NULL;
  mien_model_options options = head ? head_options() : (mien_model_options){.size = sizeof options};
  options.encoder_path = encoder.path;
  options.max_tokens = max_tokens;
  ck_assert_msg(mien_model_open(head, &options, &model, &error) == MIEN_OK, "%s", error.message);
  return model;
}

static mien_session *make_session(mien_model *model, unsigned threads) {
  mien_session *session = NULL;
  mien_session_options options = {.size = sizeof options, .threads = threads};
  ck_assert_msg(mien_session_create(model, &options, &session, &error) == MIEN_OK, "%s", error.message);
  return session;
}

/* sigmoid(x·W + b) with a column a label, whose names are in a file of their own. */
static const char *write_head(size_t dim) {
  static char path[512];
  char name[32];
  float weights[64 * LABELS];
  uint64_t state = 3;
  for (size_t i = 0; i < dim * LABELS; i++) weights[i] = (float)random_unit(&state);
  builder b = make_linear_head(dim, LABELS, weights, (const float[LABELS]){0.1f, -0.2f, 0.05f});
  snprintf(name, sizeof name, "head-%zu.onnx", dim);
  put_file(&encoder, name, b.bytes, b.size);
  discard(&b);
  put_string(&encoder, "labels.txt", "calm\njoy\nrage\n");
  snprintf(path, sizeof path, "%s/%s", encoder.path, name);
  return path;
}

static void expect_fail(mien_status found, mien_status expected, const char *part) {
  ck_assert_int_eq(found, expected);
  ck_assert_int_eq(error.code, expected);
  ck_assert_msg(strstr(error.message, part) != NULL, "expected '%s' in '%s'", part, error.message);
}

/* Words of the small vocabulary, of 1 to 9 tokens; some with bytes that are no UTF-8 and some with NULs. */
typedef struct texts {
  char bytes[TEXTS][40];
  mien_text texts[TEXTS];
} texts;

static void make_texts(texts *all) {
  static const char *const pieces[] = {"a ", "b ", "ab ", "c", "cab ", "\xFF", "", "[SEP]"};
  uint64_t state = 5;
  for (size_t i = 0; i < TEXTS; i++) {
    char *text = all->bytes[i];
    size_t length = 0;
    for (size_t n = random_bits(&state) % 6; n > 0; n--)
      length += (size_t)sprintf(text + length, "%s", pieces[random_bits(&state) % 8]);
    if (i % 17 == 0) text[length++] = '\0';
    all->texts[i] = (mien_text){text, length};
  }
}

START_TEST(an_encoder_alone_embeds_and_describes_itself) {
  mien_model *model = open_model(NULL, 0);
  ck_assert_uint_eq(mien_model_dim(model), HIDDEN);
  ck_assert_uint_eq(mien_model_label_count(model), 0);
  ck_assert_uint_eq(mien_model_words(model), 0);
  ck_assert_uint_eq(mien_model_max_tokens(model), MAX_TOKENS);
  ck_assert_ptr_null(mien_model_label_name(model, 0));
  ck_assert_str_eq(mien_model_describe(model),
                   "{\"dim\":16,\"dtype\":\"f32\",\"encoder\":{\"format\":\"safetensors\",\"layers\":2,\"hidden\":16,"
                   "\"heads\":2,\"intermediate\":24,\"vocabulary\":12,\"positions\":10,\"max_tokens\":6,\"pooling\":"
                   "\"mean\",\"normalize\":true}}");
  mien_session *session = make_session(model, 1);
  const mien_text text = {"a b", 3};
  float x[HIDDEN];
  double squares = 0;
  mien_results results = {.size = sizeof results, .embeddings = x};
  ck_assert_msg(mien_embed_texts(session, &text, 1, &results, &error) == MIEN_OK, "%s", error.message);
  for (size_t i = 0; i < HIDDEN; i++) squares += (double)x[i] * x[i];
  ck_assert_msg(fabs(squares - 1) < 1e-5, "expected length 1, found %g", sqrt(squares));
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(a_text_has_the_same_bits_in_any_batch_on_any_number_of_threads) {
  static texts all;
  static float together[TEXTS * HIDDEN], others[TEXTS * HIDDEN];
  static mien_row_status status[TEXTS], other_status[TEXTS];
  make_texts(&all);
  mien_model *model = open_model(NULL, 0);
  mien_session *session = make_session(model, 1);
  mien_results results = {.size = sizeof results, .embeddings = together, .status = status};
  ck_assert_int_eq(mien_embed_texts(session, all.texts, TEXTS, &results, &error), MIEN_OK);
  size_t truncated = 0;
  for (size_t i = 0; i < TEXTS; i++) {
    size_t n;
    int32_t ids[64];
    ck_assert_int_eq(mien_tokenize(model, all.texts[i], 0, ids, 64, &n, &error), MIEN_OK);
    require(status[i] == (n > MAX_TOKENS ? MIEN_ROW_TRUNCATED : MIEN_ROW_OK), "text %zu of %zu tokens: status %d", i, n,
            status[i]);
    truncated += n > MAX_TOKENS;
  }
  ck_assert_uint_gt(truncated, 0);
  ck_assert_uint_eq(results.n_truncated, truncated);
  ck_assert_uint_eq(results.n_bad, 0);
  mien_session_destroy(session);
  for (unsigned threads = 1; threads <= 5; threads++) {
    session = make_session(model, threads);
    for (size_t step = 1; step <= TEXTS; step = step * 3 + 1) {
      for (size_t first = 0; first < TEXTS; first += step) {
        const size_t n = TEXTS - first < step ? TEXTS - first : step;
        mien_results part = {
            .size = sizeof part, .embeddings = others + first * HIDDEN, .status = other_status + first};
        ck_assert_int_eq(mien_embed_texts(session, all.texts + first, n, &part, &error), MIEN_OK);
      }
      ck_assert_mem_eq(others, together, sizeof together);
      ck_assert_mem_eq(other_status, status, sizeof status);
    }
    mien_session_destroy(session);
  }
  mien_model_release(model);
}
END_TEST

START_TEST(labels_of_texts_are_those_of_their_embeddings) {
  static texts all;
  static float embeddings[TEXTS * HIDDEN], scores[TEXTS * LABELS], other_scores[TEXTS * LABELS];
  static uint32_t words[TEXTS], other_words[TEXTS];
  make_texts(&all);
  mien_model *model = open_model(write_head(HIDDEN), 0);
  ck_assert_uint_eq(mien_model_label_count(model), LABELS);
  ck_assert_ptr_nonnull(strstr(mien_model_describe(model), "\"encoder\":{\"format\":\"safetensors\""));
  ck_assert_ptr_nonnull(strstr(mien_model_describe(model), "\"labels\":[\"calm\",\"joy\",\"rage\"]"));
  mien_session *session = make_session(model, 2);
  mien_results results = {.size = sizeof results, .words = words, .scores = scores, .embeddings = embeddings};
  ck_assert_msg(mien_label_texts(session, all.texts, TEXTS, &results, &error) == MIEN_OK, "%s", error.message);
  ck_assert_uint_gt(results.n_truncated, 0);
  const mien_rows rows = {.size = sizeof rows, .data = embeddings};
  mien_results others = {.size = sizeof others, .words = other_words, .scores = other_scores};
  ck_assert_int_eq(mien_label_embeddings(session, &rows, TEXTS, &others, &error), MIEN_OK);
  ck_assert_mem_eq(scores, other_scores, sizeof scores);
  ck_assert_mem_eq(words, other_words, sizeof words);
  /* Words alone, without room for embeddings. */
  memset(other_words, 0xFF, sizeof other_words);
  others = (mien_results){.size = sizeof others, .words = other_words};
  ck_assert_int_eq(mien_label_texts(session, all.texts, TEXTS, &others, &error), MIEN_OK);
  ck_assert_mem_eq(words, other_words, sizeof words);
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(results_of_the_older_size_are_still_taken) {
  mien_model *model = open_model(write_head(HIDDEN), 0);
  mien_session *session = make_session(model, 1);
  const mien_text text = {"a b c a b c", 11};
  uint32_t words = 0;
  mien_results results = {.size = offsetof(mien_results, embeddings), .words = &words, .n_bad = 7, .n_truncated = 7};
  ck_assert_int_eq(mien_label_texts(session, &text, 1, &results, &error), MIEN_OK);
  ck_assert_uint_eq(results.n_bad, 0);
  ck_assert_uint_eq(results.n_truncated, 7); /* it has no such field */
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(texts_are_cut_where_the_caller_says) {
  const mien_text text = {"a b c a b c a b c", 17}, begin = {"a b", 3};
  float cut[HIDDEN], whole[HIDDEN];
  for (uint32_t max_tokens = 3; max_tokens <= MAX_TOKENS; max_tokens++) {
    mien_model *model = open_model(NULL, max_tokens);
    ck_assert_uint_eq(mien_model_max_tokens(model), max_tokens);
    mien_session *session = make_session(model, 1);
    mien_row_status status = 9;
    mien_results results = {.size = sizeof results, .embeddings = cut, .status = &status};
    ck_assert_int_eq(mien_embed_texts(session, &text, 1, &results, &error), MIEN_OK);
    ck_assert_int_eq(status, MIEN_ROW_TRUNCATED);
    if (max_tokens == 4) {
      results.embeddings = whole;
      ck_assert_int_eq(mien_embed_texts(session, &begin, 1, &results, &error), MIEN_OK);
      ck_assert_int_eq(status, MIEN_ROW_OK);
      ck_assert_mem_eq(cut, whole, sizeof cut);
    }
    mien_session_destroy(session);
    mien_model_release(model);
  }
}
END_TEST

START_TEST(a_weight_that_is_not_finite_marks_the_rows) {
  mien_model *model = NULL;
  folder broken = make_encoder();
  FILE *file = fopen(in_folder(&broken, "model.safetensors"), "r+b");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(fseek(file, -4, SEEK_END), 0); /* the last LayerNorm's bias */
  const unsigned char infinity[] = {0, 0, 0x80, 0x7F};
  ck_assert_uint_eq(fwrite(infinity, 1, 4, file), 4);
  ck_assert_int_eq(fclose(file), 0);
  mien_model_options options = {.size = sizeof options, .encoder_path = broken.path};
  ck_assert_msg(mien_model_open(NULL, &options, &model, &error) == MIEN_OK, "%s", error.message);
  mien_session *session = make_session(model, 1);
  const mien_text two[] = {{"a", 1}, {"b", 1}};
  mien_row_status status[2];
  float x[2 * HIDDEN];
  mien_results results = {.size = sizeof results, .status = status, .embeddings = x};
  ck_assert_int_eq(mien_embed_texts(session, two, 2, &results, &error), MIEN_OK);
  ck_assert_uint_eq(results.n_bad, 2);
  ck_assert_int_eq(status[0], MIEN_ROW_NOT_FINITE);
  for (size_t i = 0; i < 2 * HIDDEN; i++)
    ck_assert_msg(isnan(x[i]), "number %zu: expected NaN, found %g", i, (double)x[i]);
  mien_session_destroy(session);
  mien_model_release(model);
  remove_folder(&broken);
}
END_TEST

static int stop_at_once(void *user, size_t done, size_t n) {
  size_t *seen = user;
  *seen = done;
  return done < n;
}

START_TEST(progress_is_told_and_may_stop_the_call) {
  static mien_text many[1000];
  for (size_t i = 0; i < 1000; i++) many[i] = (mien_text){"a", 1};
  mien_model *model = open_model(NULL, 0);
  mien_session *session = NULL;
  size_t seen = 0;
  mien_session_options options = {
      .size = sizeof options, .threads = 2, .progress = stop_at_once, .progress_user = &seen};
  ck_assert_int_eq(mien_session_create(model, &options, &session, &error), MIEN_OK);
  mien_results results = {.size = sizeof results};
  expect_fail(mien_embed_texts(session, many, 1000, &results, &error), MIEN_CANCELLED, "of 1000 rows");
  ck_assert_uint_gt(seen, 0);
  ck_assert_uint_lt(seen, 1000);
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

START_TEST(tokens_are_told_with_and_without_a_limit) {
  mien_model *model = open_model(NULL, 0);
  int32_t ids[8];
  size_t n = 0;
  const mien_text text = {"ab c", 4};
  ck_assert_int_eq(mien_tokenize(model, text, 0, ids, 8, &n, &error), MIEN_OK);
  ck_assert_uint_eq(n, 5);
  ck_assert_mem_eq(ids, ((const int32_t[]){2, 5, 9, 7, 3}), sizeof(int32_t[5]));
  ck_assert_int_eq(mien_tokenize(model, text, 4, ids, 8, &n, &error), MIEN_OK);
  ck_assert_mem_eq(ids, ((const int32_t[]){2, 5, 9, 3}), sizeof(int32_t[4]));
  ck_assert_uint_eq(n, 4);
  ck_assert_int_eq(mien_tokenize(model, text, 2, ids, 2, &n, &error), MIEN_OK);
  ck_assert_uint_eq(n, 2);
  expect_fail(mien_tokenize(model, text, 0, ids, 4, &n, &error), MIEN_ARGUMENT, "room for more than 4");
  expect_fail(mien_tokenize(model, text, 5, ids, 4, &n, &error), MIEN_ARGUMENT, "room for more than 4");
  expect_fail(mien_tokenize(model, text, 0, ids, 0, &n, &error), MIEN_ARGUMENT, "room for more than 0");
  expect_fail(mien_tokenize(model, text, 1, ids, 8, &n, &error), MIEN_ARGUMENT, "at least 2, found 1");
  expect_fail(mien_tokenize(NULL, text, 0, ids, 8, &n, &error), MIEN_ARGUMENT, "NULL");
  mien_model_release(model);
}
END_TEST

START_TEST(a_long_text_is_cut_into_spans_that_are_read_whole) {
  static const char text[] = " a b. Ab c cab a b c\nab ";
  static const mien_text_span expected[] = {{1, 5}, {6, 10}, {11, 16}, {17, 20}, {21, 23}};
  enum { SPANS = sizeof expected / sizeof *expected };
  mien_model *model = open_model(NULL, 0);
  mien_text_span spans[SPANS + 1] = {{0}};
  size_t n = 0;
  ck_assert_int_eq(mien_split_text(model, (mien_text){text, sizeof text - 1}, NULL, 0, &n, &error), MIEN_OK);
  ck_assert_uint_eq(n, SPANS);
  spans[SPANS].end = 77;
  ck_assert_int_eq(mien_split_text(model, (mien_text){text, sizeof text - 1}, spans, SPANS, &n, &error), MIEN_OK);
  for (size_t i = 0; i < SPANS; i++)
    ck_assert_msg(spans[i].start == expected[i].start && spans[i].end == expected[i].end, "span %zu: %zu to %zu", i,
                  spans[i].start, spans[i].end);
  ck_assert_uint_eq(spans[SPANS].end, 77);
  ck_assert_int_eq(mien_split_text(model, (mien_text){NULL, 0}, spans, 1, &n, &error), MIEN_OK);
  ck_assert(n == 1 && spans[0].start == 0 && spans[0].end == 0);
  mien_model_release(model);
}
END_TEST

START_TEST(scores_of_spans_become_the_texts_by_their_highest_or_their_mean) {
  static const float scores[] = {0.25f, 0.5f, 0.75f, 0.5f, 0.5f, 0, 0.125f, 0.75f, 0};
  mien_model *model = open_model(write_head(HIDDEN), 0);
  float pooled[LABELS];
  uint32_t words = 7;
  ck_assert_int_eq(mien_pool_scores(model, scores, 3, MIEN_SPANS_MAX, pooled, &words, &error), MIEN_OK);
  ck_assert(pooled[0] == 0.5f && pooled[1] == 0.75f && pooled[2] == 0.75f);
  ck_assert_uint_eq(words, 6); /* thresholds of 0.5: a score that is equal is none above it */
  ck_assert_int_eq(mien_pool_scores(model, scores, 3, MIEN_SPANS_MEAN, pooled, &words, &error), MIEN_OK);
  ck_assert(pooled[0] == (float)(0.875 / 3) && pooled[1] == (float)(1.75 / 3) && pooled[2] == 0.25f);
  ck_assert_uint_eq(words, 2);
  for (mien_span_pooling pooling = MIEN_SPANS_MAX; pooling <= MIEN_SPANS_MEAN; pooling++) {
    for (size_t bad = 0; bad < 3; bad++) {
      float some[sizeof scores / sizeof *scores];
      memcpy(some, scores, sizeof scores);
      some[bad * LABELS + 1] = NAN;
      ck_assert_int_eq(mien_pool_scores(model, some, 3, pooling, some, &words, &error), MIEN_OK);
      ck_assert(isfinite(some[0]) && isnan(some[1]) && isfinite(some[2]));
      ck_assert_uint_eq(words & 2, 0);
    }
  }
  ck_assert_int_eq(mien_pool_scores(model, scores, 1, MIEN_SPANS_MEAN, NULL, &words, &error), MIEN_OK);
  ck_assert_uint_eq(words, 4);
  ck_assert_int_eq(mien_pool_scores(model, scores, 1, MIEN_SPANS_MEAN, pooled, NULL, &error), MIEN_OK);
  ck_assert(memcmp(pooled, scores, sizeof pooled) == 0);
  expect_fail(mien_pool_scores(model, scores, 0, MIEN_SPANS_MAX, pooled, &words, &error), MIEN_ARGUMENT, "one span");
  expect_fail(mien_pool_scores(model, scores, 1, 2, pooled, &words, &error), MIEN_ARGUMENT, "expected 0 or 1, found 2");
  mien_model_release(model);
}
END_TEST

START_TEST(calls_that_a_model_cannot_answer_are_refused) {
  mien_model *model = NULL;
  mien_results results = {.size = sizeof results};
  const mien_text text = {"a", 1}, missing = {NULL, 3}, empty = {NULL, 0};
  mien_model_options options = head_options();
  expect_fail(mien_model_open(NULL, NULL, &model, &error), MIEN_ARGUMENT, "expected a path or an encoder_path");
  options.max_tokens = 5;
  expect_fail(mien_model_open(write_head(HIDDEN), &options, &model, &error), MIEN_ARGUMENT, "max_tokens");
  options.max_tokens = 0;
  options.encoder_path = encoder.path;
  expect_fail(mien_model_open(NULL, &options, &model, &error), MIEN_ARGUMENT, "expected a head");
  expect_fail(mien_model_open(write_head(32), &options, &model, &error), MIEN_INPUT,
              "expected 32 numbers, which the head takes, found 16");
  options = (mien_model_options){.size = sizeof options, .encoder_path = "/nowhere"};
  expect_fail(mien_model_open(NULL, &options, &model, &error), MIEN_INPUT, "/nowhere");

  model = open_model(NULL, 0);
  mien_session *session = make_session(model, 1);
  float row[HIDDEN] = {0};
  const mien_rows rows = {.size = sizeof rows, .data = row};
  expect_fail(mien_label_embeddings(session, &rows, 1, &results, &error), MIEN_ARGUMENT, "model with a head");
  expect_fail(mien_label_texts(session, &text, 1, &results, &error), MIEN_ARGUMENT, "model with a head");
  expect_fail(mien_embed_texts(session, NULL, 1, &results, &error), MIEN_ARGUMENT, "expected 1, found NULL");
  expect_fail(mien_embed_texts(session, &missing, 1, &results, &error), MIEN_ARGUMENT, "text 0: expected 3 bytes");
  expect_fail(mien_embed_texts(session, &text, 1, NULL, &error), MIEN_ARGUMENT, "results");
  expect_fail(mien_embed_texts(NULL, &text, 1, &results, &error), MIEN_ARGUMENT, "session must not be NULL");
  expect_fail(mien_pool_scores(model, row, 1, MIEN_SPANS_MAX, row, NULL, &error), MIEN_ARGUMENT, "model with a head");
  size_t n;
  expect_fail(mien_split_text(model, missing, NULL, 0, &n, &error), MIEN_ARGUMENT, "expected 3 bytes, found NULL");
  expect_fail(mien_split_text(model, text, NULL, 1, &n, &error), MIEN_ARGUMENT, "must not be NULL");
  ck_assert_int_eq(mien_embed_texts(session, &empty, 1, &results, &error), MIEN_OK);
  ck_assert_int_eq(mien_embed_texts(session, NULL, 0, &results, &error), MIEN_OK);
  mien_session_destroy(session);
  mien_model_release(model);

  options = head_options();
  ck_assert_int_eq(mien_model_open(write_head(HIDDEN), &options, &model, &error), MIEN_OK);
  ck_assert_uint_eq(mien_model_max_tokens(model), 0);
  session = make_session(model, 1);
  int32_t ids[8];
  expect_fail(mien_split_text(model, text, NULL, 0, &n, &error), MIEN_ARGUMENT, "model with an encoder");
  expect_fail(mien_label_texts(session, &text, 1, &results, &error), MIEN_ARGUMENT, "model with an encoder");
  expect_fail(mien_tokenize(model, text, 0, ids, 8, &n, &error), MIEN_ARGUMENT, "model with an encoder");
  mien_session_destroy(session);
  mien_model_release(model);
}
END_TEST

MIEN_SUITE_BETWEEN("texts", make_files, drop_files, an_encoder_alone_embeds_and_describes_itself,
                   a_text_has_the_same_bits_in_any_batch_on_any_number_of_threads,
                   labels_of_texts_are_those_of_their_embeddings, results_of_the_older_size_are_still_taken,
                   texts_are_cut_where_the_caller_says, a_weight_that_is_not_finite_marks_the_rows,
                   progress_is_told_and_may_stop_the_call, tokens_are_told_with_and_without_a_limit,
                   a_long_text_is_cut_into_spans_that_are_read_whole,
                   scores_of_spans_become_the_texts_by_their_highest_or_their_mean,
                   calls_that_a_model_cannot_answer_are_refused)
