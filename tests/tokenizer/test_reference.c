/* SPDX-License-Identifier: Apache-2.0 */
/* The ids are Hugging Face tokenizers': of difficult texts, and of every Unicode scalar value in contexts. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/digest.h"
#include "tokenizer/internal.h"

START_TEST(difficult_texts_have_the_references_ids) {
  enum { MOST_BYTES = 1 << 16 };
  static int32_t ids[MOST_BYTES + MIEN_TOKENIZER_SPECIALS];
  const mien_vocabulary_options uncased = {0};
  mien_tokenizer *tokenizer = make_real(&uncased);
  json_t *file = read_json(MIEN_TEST_DATA "/tokenizer/torture.json");
  json_t *texts = json_object_get(file, "texts");
  ck_assert_uint_gt(json_array_size(texts), 7000);
  for (size_t i = 0; i < json_array_size(texts); i++) {
    const json_t *row = json_array_get(texts, i), *text = json_array_get(row, 0);
    const size_t bytes = json_string_length(text);
    require(bytes <= MOST_BYTES, "%zu bytes", bytes);
    const size_t n = mien_tokenizer_run(tokenizer, json_string_value(text), bytes, sizeof ids / sizeof *ids, ids, NULL);
    char digest[17];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)digest_ids(ids, n, DIGEST_START));
    const char *expected = json_string_value(json_array_get(row, 1));
    require(strcmp(digest, expected) == 0, "text %zu '%s': expected %s, found %s", i, json_string_value(text), expected,
            digest);
  }
  json_decref(file);
  mien_tokenizer_destroy(tokenizer);
}
END_TEST

/* Code points below have tokens, so that the ids show what becomes of them. */
enum { LETTERS = 0x30000, SURROGATES = 0xD800, AFTER_SURROGATES = 0xE000 };

static void add_letter(mien_tokenizer *tokenizer, uint32_t c, size_t n_specials) {
  char token[8] = "##";
  const size_t bytes = mien_utf8_encode(c, token + 2);
  const int32_t id = (int32_t)(n_specials + 2 * c);
  ck_assert(mien_tokenizer_add(tokenizer, token + 2, bytes, id, "letters", NULL) == MIEN_OK);
  ck_assert(mien_tokenizer_add(tokenizer, token, bytes + 2, id + 1, "letters", NULL) == MIEN_OK);
}

/* Special tokens, then each character and each as a continuation: write_data.py's letters(). */
static mien_tokenizer *make_letters(const mien_character_options *options) {
  static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  const size_t n_specials = sizeof specials / sizeof *specials;
  mien_tokenizer *tokenizer;
  ck_assert(mien_tokenizer_make(options, LETTERS, "letters", &tokenizer, NULL) == MIEN_OK);
  for (size_t i = 0; i < n_specials; i++) {
    const size_t bytes = strlen(specials[i]);
    ck_assert(mien_tokenizer_add(tokenizer, specials[i], bytes, (int32_t)i, "letters", NULL) == MIEN_OK);
    ck_assert(mien_tokenizer_add_raw(tokenizer, specials[i], bytes, (int32_t)i, "letters", NULL) == MIEN_OK);
  }
  for (uint32_t c = 0; c < LETTERS; c++)
    if (c < SURROGATES || c >= AFTER_SURROGATES) add_letter(tokenizer, c, n_specials);
  mien_tokenizer_finish(tokenizer, 1, 2, 3);
  return tokenizer;
}

/* What stands before, between and behind: alone, inside a word, after a letter, among marks. */
static const char *const contexts[][3] = {
    {"", "", ""}, {"a", "b", ""}, {"x", "", ""}, {"a\u302E", "\U0001D165", "again"}};

static size_t put_in_context(uint32_t c, size_t context, char *text) {
  const bool again = contexts[context][2][0] != '\0';
  size_t bytes = strlen(contexts[context][0]);
  memcpy(text, contexts[context][0], bytes);
  bytes += mien_utf8_encode(c, text + bytes);
  memcpy(text + bytes, contexts[context][1], strlen(contexts[context][1]));
  bytes += strlen(contexts[context][1]);
  return again ? bytes + mien_utf8_encode(c, text + bytes) : bytes;
}

static uint64_t digest_block(const mien_tokenizer *tokenizer, uint32_t first, uint32_t count, uint64_t state) {
  for (size_t context = 0; context < sizeof contexts / sizeof *contexts; context++)
    for (uint32_t c = first; c < first + count; c++) {
      char text[32];
      int32_t ids[sizeof text + MIEN_TOKENIZER_SPECIALS];
      if (c >= SURROGATES && c < AFTER_SURROGATES) continue;
      const size_t bytes = put_in_context(c, context, text);
      const size_t n = mien_tokenizer_run(tokenizer, text, bytes, sizeof ids / sizeof *ids, ids, NULL);
      state = digest_ids(ids, n, state);
    }
  return state;
}

START_TEST(every_scalar_value_has_the_references_ids_in_every_context_and_option) {
  static const mien_character_options variants[] = {
      /* clean, chinese, strip_accents, lowercase */
      {true, true, true, true},  {true, true, false, false}, {true, true, false, true},    {true, true, true, false},
      {false, true, true, true}, {true, false, true, true},  {false, false, false, false},
  };
  enum { VARIANTS = sizeof variants / sizeof *variants };
  mien_tokenizer *tokenizers[VARIANTS];
  for (size_t i = 0; i < VARIANTS; i++) tokenizers[i] = make_letters(&variants[i]);
  json_t *file = read_json(MIEN_TEST_DATA "/tokenizer/scalars.json");
  json_t *blocks = json_object_get(file, "blocks");
  uint32_t next = 0;
  for (size_t i = 0; i < json_array_size(blocks); i++) {
    const json_t *row = json_array_get(blocks, i);
    const uint32_t first = (uint32_t)json_integer_value(json_array_get(row, 0));
    const uint32_t count = (uint32_t)json_integer_value(json_array_get(row, 1));
    const char *expected = json_string_value(json_array_get(row, 2));
    uint64_t state = DIGEST_START;
    for (size_t k = 0; k < VARIANTS; k++) state = digest_block(tokenizers[k], first, count, state);
    char digest[17];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)state);
    require(strcmp(digest, expected) == 0, "U+%04X to U+%04X: expected %s, found %s", first, first + count - 1,
            expected, digest);
    require(first == next, "the block at U+%04X is missing", next);
    next = first + count;
  }
  ck_assert_uint_eq(next, MIEN_CODE_POINTS);
  json_decref(file);
  for (size_t i = 0; i < VARIANTS; i++) mien_tokenizer_destroy(tokenizers[i]);
}
END_TEST

MIEN_SUITE("tokenizer_reference", difficult_texts_have_the_references_ids,
           every_scalar_value_has_the_references_ids_in_every_context_and_option)
