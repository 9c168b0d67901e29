/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of any length and any bytes become ids: cut, fast, in bounded memory, the same on either way through the code.
 */
#include <string.h>

#include "cost.h"
#include "tokenizer/digest.h"
#include "tokenizer/internal.h"

enum { CLS = 101, SEP = 102, UNK = 100, MASK = 103, MOST = 512 };

static mien_tokenizer *uncased(void) {
  const mien_vocabulary_options options = {0};
  return make_real(&options);
}

/* Tokenizes and compares with ids up to a 0. */
static void check(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids, bool is_cut,
                  const int32_t *expected) {
  int32_t ids[MOST];
  bool truncated;
  const size_t n = mien_tokenizer_run(tokenizer, text, bytes, max_ids, ids, &truncated);
  ck_assert_msg(truncated == is_cut, "'%s': expected %d, found %d", text, is_cut, truncated);
  for (size_t i = 0; i < n; i++)
    require(ids[i] == expected[i], "'%s': id %zu: expected %d, found %d", text, i, expected[i], ids[i]);
  require(expected[n] == 0, "'%s': expected more than %zu ids", text, n);
}

#define CHECK(tokenizer, text, max_ids, is_cut, ...)                                                                   \
  check(tokenizer, text, sizeof(text) - 1, max_ids, is_cut, (const int32_t[]){__VA_ARGS__, 0})

START_TEST(words_pieces_punctuation_and_special_tokens_become_ids) {
  mien_tokenizer *t = uncased();
  CHECK(t, "", MOST, false, CLS, SEP);
  CHECK(t, " \t\n ", MOST, false, CLS, SEP);
  CHECK(t, "Hello, world!", MOST, false, CLS, 7592, 1010, 2088, 999, SEP);
  CHECK(t, "r/AskReddit", MOST, false, CLS, 1054, 1013, 3198, 5596, 23194, SEP);
  CHECK(t, "a[MASK]b", MOST, false, CLS, 1037, MASK, 1038, SEP);
  CHECK(t, "[mask]", MOST, false, CLS, 1031, 7308, 1033, SEP);
  CHECK(t, "caf\u00E9 CAFE\u0301", MOST, false, CLS, 7668, 7668, SEP);
  CHECK(t, "he\0llo", MOST, false, CLS, 7592, SEP);
  CHECK(t, "hel\xFFlo", MOST, false, CLS, 7592, SEP);
  mien_tokenizer_destroy(t);
}
END_TEST

START_TEST(a_text_is_cut_to_its_first_ids) {
  mien_tokenizer *t = uncased();
  CHECK(t, "hello world", 4, false, CLS, 7592, 2088, SEP);
  CHECK(t, "hello world", 3, true, CLS, 7592, SEP);
  CHECK(t, "hello world", 2, true, CLS, SEP);
  CHECK(t, "hello   ", 3, false, CLS, 7592, SEP);
  CHECK(t, "hello \u0301\x01 ", 3, false, CLS, 7592, SEP);
  CHECK(t, "hello.", 3, true, CLS, 7592, SEP);
  CHECK(t, "hello[MASK]", 3, true, CLS, 7592, SEP);
  CHECK(t, "hello \u302E", 3, true, CLS, 7592, SEP);
  CHECK(t, "AskReddit", 4, true, CLS, 3198, 5596, SEP);
  /* Pieces that fit don't stay when the word's end is no token. */
  CHECK(t, "AskReddit\u0416\u0BB9\u2C00", 4, false, CLS, UNK, SEP);
  CHECK(t, " \t ", 2, false, CLS, SEP);
  mien_tokenizer_destroy(t);
}
END_TEST

START_TEST(a_word_of_more_than_a_hundred_characters_is_unknown) {
  mien_tokenizer *t = uncased();
  char text[512];
  int32_t ids[MOST];
  memset(text, 'a', sizeof text);
  size_t n = mien_tokenizer_run(t, text, 100, MOST, ids, NULL);
  ck_assert_msg(n > 3, "expected the pieces of 100 characters, found %zu ids", n);
  n = mien_tokenizer_run(t, text, 101, MOST, ids, NULL);
  ck_assert_msg(n == 3 && ids[1] == UNK, "101 characters: %zu ids, the first %d", n, ids[1]);
  /* Characters count, not bytes, and after normalization: 100 letters and as many accents. */
  for (size_t i = 0; i < 100; i++) memcpy(text + 3 * i, "a\u0301", 3);
  n = mien_tokenizer_run(t, text, 300, MOST, ids, NULL);
  ck_assert_msg(n > 3, "expected the pieces of 100 accented characters, found %zu ids", n);
  mien_tokenizer_destroy(t);
}
END_TEST

/* U+302E and U+1D165 have combining classes 224 and 216 and are no accents: NFD puts the second before the first. */
START_TEST(runs_of_marks_of_any_length_are_one_unknown_word) {
  enum { MARKS = 100000, BYTES = 3 };
  mien_tokenizer *t = uncased();
  char *text = malloc(MARKS * BYTES);
  int32_t ids[MOST];
  for (size_t i = 0; i < MARKS; i++) memcpy(text + BYTES * i, i % 2 ? "\u302E" : "\u1DFB", BYTES);
  for (size_t n_marks = 1; n_marks <= MARKS; n_marks *= 10) {
    const size_t n = mien_tokenizer_run(t, text, BYTES * n_marks, MOST, ids, NULL);
    ck_assert_msg(n == 3 && ids[1] == UNK, "%zu marks: %zu ids, the first %d", n_marks, n, ids[1]);
  }
  free(text);
  mien_tokenizer_destroy(t);
}
END_TEST

START_TEST(a_long_text_takes_linear_time_and_no_memory) {
  enum { BYTES = 16 << 20 };
  static const char *const units[] = {"a", "\u0301", "\u302E", "[", "\xF0\x9F", "\uAC01", "[MASK", "a\u0301", "#"};
  mien_tokenizer *t = uncased();
  char *text = malloc(BYTES);
  int32_t *ids = malloc(MOST * sizeof *ids);
  for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
    const size_t unit = strlen(units[k]);
    for (size_t i = 0; i < BYTES; i++) text[i] = units[k][i % unit];
    const double start = cost_seconds();
    const size_t bytes_before = cost_bytes();
    const size_t n = mien_tokenizer_run(t, text, BYTES, MOST, ids, NULL);
    const double seconds = cost_seconds() - start;
    ck_assert_msg(n <= MOST, "%zu ids", n);
    /* Even this is less than 8 MB/s; sanitizers are slower. */
    if (isfinite(MIEN_LONGEST_REFUSAL)) ck_assert_msg(seconds < 2, "'%s' again and again: %g s", units[k], seconds);
    ck_assert_msg(cost_bytes() - bytes_before < 1 << 20, "%zu bytes", cost_bytes() - bytes_before);
  }
  free(ids);
  free(text);
  mien_tokenizer_destroy(t);
}
END_TEST

START_TEST(reading_stops_after_the_last_id_that_fits) {
  enum { BYTES = 64 << 20 };
  mien_tokenizer *t = uncased();
  char *text = malloc(BYTES);
  int32_t ids[MOST];
  bool truncated = false;
  for (size_t i = 0; i < BYTES; i++) text[i] = "word "[i % 5];
  const double start = cost_seconds();
  const size_t n = mien_tokenizer_run(t, text, BYTES, MOST, ids, &truncated);
  const double seconds = cost_seconds() - start;
  ck_assert_msg(n == MOST && truncated && ids[MOST - 1] == SEP, "%zu ids, the last %d", n, ids[n - 1]);
  ck_assert_msg(seconds < 0.01, "took %g s", seconds);
  free(text);
  mien_tokenizer_destroy(t);
}
END_TEST

static size_t random_text(uint64_t *state, char *text, size_t most) {
  static const char *const parts[] = {"a",      "The",    "ing",  "Z9",     " ",      "  ",
                                      ".",      "[SEP]",  "[",    "\t",     "\x01",   "\u00E9",
                                      "\u0301", "\u4E2D", "\xFF", "\u2019", "reddit", "0123456789abcdef",
                                      "_",      "\n"};
  size_t bytes = 0;
  while (true) {
    const char *part = parts[random_bits(state) % (sizeof parts / sizeof *parts)];
    if (bytes + strlen(part) > most) return bytes;
    memcpy(text + bytes, part, strlen(part));
    bytes += strlen(part);
    if (random_bits(state) % 16 == 0) return bytes;
  }
}

START_TEST(reading_eight_bytes_at_once_gives_the_ids_of_reading_one) {
  enum { MOST_BYTES = 200 };
  for (int cased = 0; cased < 2; cased++) {
    const mien_vocabulary_options options = {.cased = cased, .keep_accents = cased};
    mien_tokenizer *fast = make_real(&options), *slow = make_real(&options);
    ck_assert(fast->ascii_words);
    slow->ascii_words = false;
    uint64_t state = 7;
    for (int i = 0; i < 200000; i++) {
      char buffer[MOST_BYTES];
      int32_t ids[2][MOST_BYTES + MIEN_TOKENIZER_SPECIALS];
      const size_t bytes = random_text(&state, buffer, MOST_BYTES);
      /* Exactly as long as the text, so that a read past its end is seen by the sanitizer. */
      char *text = malloc(bytes + !bytes);
      memcpy(text, buffer, bytes);
      const size_t n = mien_tokenizer_run(fast, text, bytes, bytes + 2, ids[0], NULL);
      const size_t expected = mien_tokenizer_run(slow, text, bytes, bytes + 2, ids[1], NULL);
      require(n == expected, "'%.*s': expected %zu ids, found %zu", (int)bytes, text, expected, n);
      for (size_t k = 0; k < n; k++)
        require(ids[0][k] == ids[1][k], "'%.*s': id %zu: expected %d, found %d", (int)bytes, text, k, ids[1][k],
                ids[0][k]);
      free(text);
    }
    mien_tokenizer_destroy(fast);
    mien_tokenizer_destroy(slow);
  }
}
END_TEST

MIEN_SUITE("tokenizer_run", words_pieces_punctuation_and_special_tokens_become_ids, a_text_is_cut_to_its_first_ids,
           a_word_of_more_than_a_hundred_characters_is_unknown, runs_of_marks_of_any_length_are_one_unknown_word,
           a_long_text_takes_linear_time_and_no_memory, reading_stops_after_the_last_id_that_fits,
           reading_eight_bytes_at_once_gives_the_ids_of_reading_one)
