/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer that is taken to pieces and put together gives the ids of the first one. */
#include <stdio.h>
#include <string.h>

#include "tokenizer/digest.h"
#include "tokenizer/parts.h"

enum { MOST = 4096 };

static mien_error error;

static mien_tokenizer *from_text(const char *lines, size_t size) {
  const mien_vocabulary_options options = {0};
  mien_tokenizer *tokenizer = NULL;
  ck_assert_msg(mien_tokenizer_from_vocabulary(lines, size, "vocab.txt", &options, &tokenizer, &error) == MIEN_OK, "%s",
                error.message);
  return tokenizer;
}

static mien_tokenizer *from_file(const char *name) {
  char path[512];
  size_t size;
  mien_tokenizer *tokenizer = NULL;
  snprintf(path, sizeof path, MIEN_TEST_DATA "/tokenizer/%s", name);
  char *bytes = read_data(path, &size);
  if (strstr(name, ".txt"))
    tokenizer = from_text(bytes, size);
  else
    ck_assert_msg(mien_tokenizer_from_json(bytes, size, name, &tokenizer, &error) == MIEN_OK, "%s", error.message);
  mien_free(bytes);
  return tokenizer;
}

static mien_tokenizer *again(const mien_tokenizer *tokenizer) {
  mien_tokenizer_parts parts;
  mien_tokenizer *made = NULL;
  ck_assert_msg(mien_tokenizer_take_parts(tokenizer, "tokenizer", &parts, &error) == MIEN_OK, "%s", error.message);
  ck_assert_msg(mien_tokenizer_from_parts(&parts, "parts", &made, &error) == MIEN_OK, "%s", error.message);
  mien_tokenizer_parts_free(&parts);
  return made;
}

static void expect_same(const mien_tokenizer *a, const mien_tokenizer *b, const char *text, size_t bytes) {
  static int32_t left[MOST], right[MOST];
  const size_t n = mien_tokenizer_run(a, text, bytes, MOST, left, NULL);
  const size_t m = mien_tokenizer_run(b, text, bytes, MOST, right, NULL);
  require(n == m && memcmp(left, right, n * sizeof *left) == 0, "'%.60s': expected %zu ids, found %zu or others", text,
          n, m);
}

static void expect_kept(const char *name) {
  static const char *const texts[] = {
      "",       "a b abb ! \u00c1 A\u0301b",      "[MASK] a[SEP]b [UNK] [pad]", "\u4e00a\u4e01",
      "\xFF a", "unaffable embeddings, isn't it?"};
  enum { PIECE = 700 };
  size_t size;
  char *torture = read_data(MIEN_TEST_DATA "/tokenizer/torture.json", &size);
  mien_tokenizer *first = from_file(name), *second = again(first);
  ck_assert_uint_eq(mien_tokenizer_vocabulary(first), mien_tokenizer_vocabulary(second));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) expect_same(first, second, texts[i], strlen(texts[i]));
  for (size_t at = 0; at + PIECE < size; at += PIECE) expect_same(first, second, torture + at, PIECE);
  mien_free(torture);
  mien_tokenizer_destroy(first);
  mien_tokenizer_destroy(second);
}

START_TEST(every_tokenizer_keeps_its_ids) {
  expect_kept("json/small.json");
  expect_kept("json/bert_processing.json");
  expect_kept("vocab.txt");
  expect_kept("vocabulary/small.txt");
  expect_kept("vocabulary/crlf.txt");
}
END_TEST

/* Lines that are empty, cut, given twice or no longer found. */
START_TEST(ids_have_gaps_where_no_text_has_them) {
  static const char lines[] = "[UNK]\n[CLS]\n[SEP]\n\na \n##a\nb\nb\n \t\n##\n##b\n";
  mien_tokenizer *first = from_text(lines, sizeof lines - 1), *second = again(first);
  static const char *const texts[] = {"a", "aa", "b", "ab", "##", "# #", "\xC2\xA0", "aab bba"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) expect_same(first, second, texts[i], strlen(texts[i]));
  mien_tokenizer_parts parts;
  ck_assert_int_eq(mien_tokenizer_take_parts(second, "tokenizer", &parts, &error), MIEN_OK);
  static const char expected[] = "[UNK]\n[CLS]\n[SEP]\n\na\n##a\n\nb\n\n##\n##b\n";
  ck_assert_msg(parts.vocabulary_bytes == sizeof expected - 1 &&
                    memcmp(parts.vocabulary, expected, sizeof expected - 1) == 0,
                "found '%.*s'", (int)parts.vocabulary_bytes, parts.vocabulary);
  mien_tokenizer_parts_free(&parts);
  mien_tokenizer_destroy(first);
  mien_tokenizer_destroy(second);
}
END_TEST

/* clang-format off */
#define ADDED(id, content)                                                                                             \
  "{\"id\":" #id ",\"content\":\"" content "\",\"normalized\":false,\"single_word\":false}"
#define JSON(vocabulary, added)                                                                                        \
  "{\"added_tokens\":[" added "],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":false,"                    \
  "\"handle_chinese_chars\":false,\"strip_accents\":true,\"lowercase\":false},"                                        \
  "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":\"BertProcessing\","                 \
  "\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\",1]},\"model\":{\"unk_token\":\"[UNK]\","                                   \
  "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":3,"                                               \
  "\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2" vocabulary "}}}"
/* clang-format on */

static mien_tokenizer *from_json(const char *json) {
  mien_tokenizer *tokenizer = NULL;
  ck_assert_msg(mien_tokenizer_from_json(json, strlen(json), "tokenizer.json", &tokenizer, &error) == MIEN_OK, "%s",
                error.message);
  return tokenizer;
}

START_TEST(options_and_added_tokens_are_kept) {
  mien_tokenizer *first = from_json(JSON(",\"A\":4,\"a\":8,\"##a\":3,\"aaaa\":5,\"\\u4e00\":6,\"##\\u4e00\":7",
                                         ADDED(9, "<emo>") "," ADDED(10, "<emoji>")));
  mien_tokenizer *second = again(first);
  static const char *const texts[] = {"A a \u00c1", "aaa aaaa", "\u4e00\u4e00a", "x<emoji>a<emo>", "a\x01 a", "<Emo>"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) expect_same(first, second, texts[i], strlen(texts[i]));
  mien_tokenizer_destroy(first);
  mien_tokenizer_destroy(second);
}
END_TEST

START_TEST(what_lines_cannot_hold_is_refused) {
  static const struct {
    const char *json, *message;
  } bad[] = {{JSON(",\"a\\nb\":3", ""), "tokenizer: token 'a?b': expected no line feed, found one"},
             {JSON(",\"a\":3,\"b\":3", ""), "expected an id of its own, found another token's"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    mien_tokenizer *tokenizer = from_json(bad[i].json);
    mien_tokenizer_parts parts;
    ck_assert_int_eq(mien_tokenizer_take_parts(tokenizer, "tokenizer", &parts, &error), MIEN_INPUT);
    ck_assert_msg(strstr(error.message, bad[i].message) != NULL, "expected '%s' in '%s'", bad[i].message,
                  error.message);
    mien_tokenizer_parts_free(&parts);
    mien_tokenizer_destroy(tokenizer);
  }
}
END_TEST

START_TEST(parts_from_outside_are_checked) {
  mien_added_token added = {0, "a ", 2};
  mien_tokenizer_parts parts = {.max_word_characters = 100, .vocabulary = "a\n\xFF\n", .vocabulary_bytes = 4};
  mien_tokenizer *tokenizer = NULL;
  ck_assert_int_eq(mien_tokenizer_from_parts(&parts, "parts", &tokenizer, &error), MIEN_INPUT);
  ck_assert_msg(strstr(error.message, "parts:2: expected UTF-8") != NULL, "%s", error.message);
  parts.vocabulary_bytes = 2;
  parts.added = &added;
  parts.n_added = 1;
  ck_assert_int_eq(mien_tokenizer_from_parts(&parts, "parts", &tokenizer, &error), MIEN_INPUT);
  ck_assert_msg(strstr(error.message, "added token 'a '") != NULL, "%s", error.message);
  ck_assert_ptr_null(tokenizer);
}
END_TEST

MIEN_SUITE("tokenizer_parts", every_tokenizer_keeps_its_ids, ids_have_gaps_where_no_text_has_them,
           options_and_added_tokens_are_kept, what_lines_cannot_hold_is_refused, parts_from_outside_are_checked)
