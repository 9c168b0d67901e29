/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json and vocab.txt: BERT's are read, whatever else is refused with what, where, expected and found. */
#include <stdio.h>
#include <string.h>

#include "cost.h"
#include "tokenizer/digest.h"
#include "tokenizer/internal.h"

enum { MOST = 64 };

static void expect_ids(const mien_tokenizer *tokenizer, const char *text, const char *expected) {
  int32_t ids[MOST];
  char found[MOST * 8] = "";
  const size_t n = mien_tokenizer_run(tokenizer, text, strlen(text), MOST, ids, NULL);
  for (size_t i = 0, used = 0; i < n; i++)
    used += (size_t)snprintf(found + used, sizeof found - used, i ? " %d" : "%d", ids[i]);
  ck_assert_msg(strcmp(found, expected) == 0, "'%s': expected %s, found %s", text, expected, found);
}

static mien_tokenizer *load(const char *name) {
  char path[512];
  size_t size;
  mien_error error;
  mien_tokenizer *tokenizer = NULL;
  snprintf(path, sizeof path, MIEN_TEST_DATA "/tokenizer/%s", name);
  char *bytes = read_data(path, &size);
  const mien_vocabulary_options options = {0};
  const mien_status status = strstr(name, ".txt")
                                 ? mien_tokenizer_from_vocabulary(bytes, size, name, &options, &tokenizer, &error)
                                 : mien_tokenizer_from_json(bytes, size, name, &tokenizer, &error);
  ck_assert_msg(status == MIEN_OK, "%s", error.message);
  mien_free(bytes);
  return tokenizer;
}

START_TEST(a_tokenizer_json_is_read) {
  mien_tokenizer *t = load("json/small.json");
  ck_assert_uint_eq(mien_tokenizer_vocabulary(t), 10);
  expect_ids(t, "A\u0301b abb !", "2 7 7 6 8 3");
  expect_ids(t, "a [MASK]newa NEW", "2 5 4 9 5 1 3");
  mien_tokenizer_destroy(t);
}
END_TEST

START_TEST(the_normalizers_flags_and_bertprocessing_are_read) {
  mien_tokenizer *t = load("json/bert_processing.json");
  ck_assert_uint_eq(mien_tokenizer_vocabulary(t), 70001);
  expect_ids(t, "A Ab \u00E9 \u00C9 abb abbb \u4E2D\u4E2D [UNK]", "1 70000 70000 6 3 0 5 6 6 0 0 0 0 0 2");
  mien_tokenizer_destroy(t);
}
END_TEST

START_TEST(a_vocabulary_is_read_and_the_last_of_equal_lines_counts) {
  mien_tokenizer *t = load("vocabulary/small.txt");
  ck_assert_uint_eq(mien_tokenizer_vocabulary(t), 13);
  expect_ids(t, "a ab A\u00E9 ? \u00E9[UNK][MASK]", "2 11 7 12 12 12 12 4 3");
  mien_tokenizer_destroy(t);
  t = load("vocabulary/crlf.txt");
  expect_ids(t, "ab", "1 3 4 2");
  mien_tokenizer_destroy(t);
}
END_TEST

static const struct {
  const char *from, *to; /* what of small.json is replaced by what */
  const char *const words[3];
} wrong[] = {
    {"\"version\":\"1.0\"", "\"version\":\"2.0\"", {"version", "expected 1.0", "found 2.0"}},
    {"\"BertNormalizer\"", "\"Lowercase\"", {"normalizer", "expected BertNormalizer", "found Lowercase"}},
    {"\"normalizer\":{", "\"normalizes\":{", {"normalizer", "expected BertNormalizer", "found none"}},
    {"\"clean_text\":true", "\"clean_text\":1", {"clean_text", "expected true or false", "found a number"}},
    {"\"lowercase\":true", "\"lower\":true", {"lowercase", "expected true or false", "found none"}},
    {"\"strip_accents\":null", "\"strip_accents\":\"no\"", {"strip_accents", "null", "found no"}},
    {"{\"type\":\"BertPreTokenizer\"}", "null", {"pre_tokenizer", "expected BertPreTokenizer", "found null"}},
    {"\"BertPreTokenizer\"", "\"Metaspace\"", {"pre_tokenizer", "expected BertPreTokenizer", "found Metaspace"}},
    {"\"TemplateProcessing\"",
     "\"RobertaProcessing\"",
     {"post_processor", "BertProcessing", "found RobertaProcessing"}},
    {"[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},", "[", {"post_processor", "sequence A", "found an array"}},
    {"{\"id\":\"A\",\"type_id\":0}", "{\"id\":\"B\",\"type_id\":0}", {"post_processor", "sequence A", "found"}},
    {"{\"id\":\"A\",\"type_id\":0}", "{\"id\":\"A\",\"type_id\":1}", {"post_processor", "type 0", "found"}},
    {"{\"SpecialToken\":{\"id\":\"[SEP]\"",
     "{\"Sequence\":{\"id\":\"[SEP]\"",
     {"post_processor", "special token", "found"}},
    {"\"ids\":[2]", "\"ids\":[2,2]", {"post_processor", "one id", "found an array"}},
    {"\"ids\":[2]", "\"ids\":[-1]", {"post_processor", "an id from 0", "found -1"}},
    {"\"model\":{\"type\":\"WordPiece\"", "\"model\":{\"type\":\"BPE\"", {"model", "expected WordPiece", "found BPE"}},
    {"\"model\":{", "\"models\":{", {"model", "expected WordPiece", "found none"}},
    {"\"continuing_subword_prefix\":\"##\"",
     "\"continuing_subword_prefix\":\"@@\"",
     {"prefix", "expected ##", "found @@"}},
    {"\"unk_token\":\"[UNK]\"", "\"unk_token\":\"<unk>\"", {"unk_token", "an id", "found none"}},
    {"\"unk_token\":\"[UNK]\"", "\"unk_token\":null", {"unk_token", "a token", "found null"}},
    {"_word\":100", "_word\":0", {"max_input_chars_per_word", "1 to 1024", "found 0"}},
    {"_word\":100", "_word\":1025", {"max_input_chars_per_word", "1 to 1024", "found 1025"}},
    {"_word\":100", "_word\":1e2", {"max_input_chars_per_word", "a number", "found"}},
    {"\"!\":8", "\"!\":1048576", {"!", "0 to 1048575", "found 1048576"}},
    {"\"!\":8", "\"!\":-8", {"!", "0 to 1048575", "found -8"}},
    {"\"!\":8", "\"!\":\"8\"", {"!", "an id", "found 8"}},
    {"\"!\":8", "\"a\":8", {"small.json:", "duplicate", "a"}},
    {"\"id\":4,\"content\"", "\"id\":5,\"content\"", {"'[MASK]'", "expected id 4", "found 5"}},
    {"\"id\":9,\"content\"", "\"id\":8,\"content\"", {"'new'", "expected id 9", "found 8"}},
    {"\"content\":\"new\"", "\"content\":\"new \"", {"'new '", "no spaces", "found one"}},
    {"\"content\":\"new\"", "\"content\":\"\\u3000new\"", {"added token", "no spaces", "found one"}},
    {"\"content\":\"new\"", "\"content\":\"n\\u0000\"", {"added token", "no NUL", "found one"}},
    {"\"content\":\"new\"", "\"content\":\"n\\ufffd\"", {"added token", "no U+FFFD", "found one"}},
    {"\"content\":\"new\"", "\"content\":7", {"added_tokens", "content", "found a number"}},
    {"\"normalized\":false", "\"normalized\":true", {"'[PAD]'", "normalized false", "found true"}},
    {"\"single_word\":false", "\"single_word\":true", {"'[PAD]'", "single_word false", "found true"}},
    {"\"added_tokens\":[", "\"added_tokens\":7,\"x\":[", {"added_tokens", "an array", "found a number"}},
};

START_TEST(what_is_not_berts_is_refused_with_expected_and_found) {
  size_t size;
  char *json = read_data(MIEN_TEST_DATA "/tokenizer/json/small.json", &size);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    mien_error error;
    mien_tokenizer *tokenizer = NULL;
    char text[8192];
    const char *at = strstr(json, wrong[i].from);
    ck_assert_msg(at != NULL, "small.json has no %s", wrong[i].from);
    const int length =
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - json), json, wrong[i].to, at + strlen(wrong[i].from));
    const mien_status status = mien_tokenizer_from_json(text, (size_t)length, "small.json", &tokenizer, &error);
    ck_assert_msg(status == MIEN_INPUT && !tokenizer, "%s: expected a refusal, found status %d", wrong[i].to, status);
    for (size_t k = 0; k < 3; k++)
      ck_assert_msg(strstr(error.message, wrong[i].words[k]) && strstr(error.message, "small.json"),
                    "%s: expected '%s' in '%s'", wrong[i].to, wrong[i].words[k], error.message);
  }
  mien_free(json);
}
END_TEST

static void expect_refused(const char *bytes, size_t size, const char *word) {
  mien_error error;
  mien_tokenizer *tokenizer = NULL;
  const mien_vocabulary_options options = {0};
  const cost before = begin_cost();
  mien_status status = mien_tokenizer_from_vocabulary(bytes, size, "vocab.txt", &options, &tokenizer, &error);
  ck_assert_msg(status == MIEN_INPUT && strstr(error.message, word) && strstr(error.message, "vocab.txt"),
                "expected '%s', found status %d, '%s'", word, status, error.message);
  expect_cheap(&before);
}

START_TEST(a_vocabulary_without_special_tokens_or_of_other_bytes_is_refused) {
  static const char none[] = "", no_sep[] = "[UNK]\n[CLS]\n", latin[] = "[UNK]\n[CLS]\n[SEP]\ncaf\xE9\n";
  expect_refused(none, 0, "expected a line '[UNK]', found none");
  expect_refused(no_sep, sizeof no_sep - 1, "expected a line '[SEP]', found none");
  expect_refused(latin, sizeof latin - 1, "vocab.txt:4: expected UTF-8");
}
END_TEST

START_TEST(files_that_are_too_large_are_refused_cheaply) {
  enum { LARGE = (32 << 20) + 1, LINES = (1 << 20) + 1 };
  char *bytes = malloc(LARGE);
  mien_error error;
  mien_tokenizer *tokenizer = NULL;
  memset(bytes, '\n', LARGE);
  expect_refused(bytes, LARGE, "too large: expected at most 33554432 bytes, found 33554433");
  expect_refused(bytes, LINES, "expected at most 1048576 lines, found 1048577");
  const char *const units[] = {"{\"a\":", "[", "[],", "\"a\"", "{},"};
  for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
    const size_t unit = strlen(units[k]);
    for (size_t i = 0; i < LARGE; i++) bytes[i] = units[k][i % unit];
    for (size_t size = LARGE - 1; size <= LARGE; size++) {
      const cost before = begin_cost();
      const mien_status status = mien_tokenizer_from_json(bytes, size, "tokenizer.json", &tokenizer, &error);
      ck_assert_msg(status == MIEN_INPUT && error.message[0], "'%s': status %d", units[k], status);
      expect_cheap(&before);
    }
  }
  free(bytes);
}
END_TEST

START_TEST(tokens_without_anything_in_common_are_refused_before_they_fill_the_memory) {
  enum { LINES = 1 << 20, LINE = 31 };
  char *bytes = malloc(LINES * LINE);
  mien_error error;
  mien_tokenizer *tokenizer = NULL;
  uint64_t state = 3;
  for (size_t i = 0; i < LINES * LINE; i++)
    bytes[i] = i % LINE == LINE - 1 ? '\n' : (char)('0' + random_bits(&state) % 64);
  const mien_vocabulary_options options = {0};
  const double start = cost_seconds();
  const size_t bytes_before = cost_bytes();
  const mien_status status =
      mien_tokenizer_from_vocabulary(bytes, LINES * LINE, "vocab.txt", &options, &tokenizer, &error);
  ck_assert_msg(status == MIEN_INPUT && strstr(error.message, "different beginnings"), "status %d, '%s'", status,
                error.message);
  if (isfinite(MIEN_LONGEST_REFUSAL)) {
    ck_assert_msg(cost_seconds() - start < 3, "took %g s", cost_seconds() - start);
    ck_assert_msg(cost_bytes() - bytes_before < 256 << 20, "took %zu bytes", cost_bytes() - bytes_before);
  }
  free(bytes);
}
END_TEST

/* Nodes are numbered as they come, so a file could choose each byte for the hash of its edge. */
START_TEST(tokens_made_to_collide_are_refused_cheaply) {
  enum { BYTES = 20000 };
  char *token = malloc(BYTES);
  mien_error error;
  mien_vocabulary vocabulary;
  uint32_t node = MIEN_TRIE_WORDS;
  for (size_t i = 0; i < BYTES; i++) {
    uint64_t least = UINT64_MAX;
    for (uint32_t byte = 0; byte < 256; byte++) {
      const uint64_t hash = (node << 8 | byte) * 0x9E3779B97F4A7C15u;
      if (hash < least) {
        least = hash;
        token[i] = (char)byte;
      }
    }
    node = MIEN_TRIE_ROOTS + (uint32_t)i;
  }
  ck_assert(mien_vocabulary_make(1, "x", &vocabulary, &error) == MIEN_OK);
  const cost before = begin_cost();
  const mien_status status = mien_vocabulary_add(&vocabulary, MIEN_TRIE_WORDS, token, BYTES, 0, "x", &error);
  ck_assert_msg(status == MIEN_INPUT && strstr(error.message, "collide"), "status %d, '%s'", status, error.message);
  expect_cheap(&before);
  mien_vocabulary_clear(&vocabulary);
  free(token);
}
END_TEST

/* A word that finds no room near its place is still found. */
START_TEST(words_made_to_collide_are_found_all_the_same) {
  enum { WORDS = 200 };
  mien_vocabulary vocabulary;
  char words[WORDS][MIEN_KEY_BYTES];
  size_t n = 0;
  ck_assert(mien_vocabulary_make(1 << 12, "x", &vocabulary, NULL) == MIEN_OK);
  for (uint64_t low = 0x6161616161616161; n < WORDS; low++) {
    const mien_word_key key = {low, low};
    if (mien_word_place(&vocabulary, key) != 7) continue;
    for (size_t i = 0; i < MIEN_KEY_BYTES; i++) words[n][i] = (char)(low >> (8 * (i % 8)));
    ck_assert(mien_vocabulary_add(&vocabulary, MIEN_TRIE_WORDS, words[n], MIEN_KEY_BYTES, (int32_t)n, "x", NULL) ==
              MIEN_OK);
    n++;
  }
  for (size_t i = 0; i < WORDS; i++) {
    size_t bytes = 0;
    const int32_t id = mien_vocabulary_longest(&vocabulary, MIEN_TRIE_WORDS, words[i], MIEN_KEY_BYTES, &bytes);
    ck_assert_msg(id == (int32_t)i && bytes == MIEN_KEY_BYTES, "word %zu: found %d of %zu bytes", i, id, bytes);
    uint64_t low;
    memcpy(&low, words[i], sizeof low);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    low = __builtin_bswap64(low);
#endif
    const int32_t short_way = mien_vocabulary_word(&vocabulary, (mien_word_key){low, low}, MIEN_KEY_BYTES);
    ck_assert_msg(short_way == (i < MIEN_MAX_WORD_PROBES ? (int32_t)i : MIEN_NO_TOKEN), "word %zu: found %d", i,
                  short_way);
  }
  mien_vocabulary_clear(&vocabulary);
}
END_TEST

MIEN_SUITE("tokenizer_load", a_tokenizer_json_is_read, the_normalizers_flags_and_bertprocessing_are_read,
           a_vocabulary_is_read_and_the_last_of_equal_lines_counts,
           what_is_not_berts_is_refused_with_expected_and_found,
           a_vocabulary_without_special_tokens_or_of_other_bytes_is_refused,
           files_that_are_too_large_are_refused_cheaply,
           tokens_without_anything_in_common_are_refused_before_they_fill_the_memory,
           tokens_made_to_collide_are_refused_cheaply, words_made_to_collide_are_found_all_the_same)
