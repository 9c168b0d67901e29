/* SPDX-License-Identifier: Apache-2.0 */
/* Long texts in pieces: where sentences end, and that pieces fit, keep their order and lose nothing. */
#include <string.h>

#include "base/utf8.h"
#include "cost.h"
#include "tokenizer/digest.h"
#include "tokenizer/internal.h"
#include "tokenizer/sentences.h"
#include "tokenizer/split.h"

static mien_tokenizer *uncased(void) {
  const mien_vocabulary_options options = {0};
  return make_real(&options);
}

/* ---- Sentences --------------------------------------------------------------------------------------------------- */

/* `marked` has a | where a sentence ends, white space behind it among the sentence's. */
static void check_sentences(const char *marked) {
  char text[512], found[512];
  size_t bytes = 0, n = 0;
  for (const char *c = marked; *c; c++)
    if (*c != '|') text[bytes++] = *c;
  for (size_t at = 0, length; at < bytes; at += length) {
    length = mien_sentence_length(text + at, bytes - at);
    ck_assert_msg(length > 0 && length <= bytes - at, "'%s': %zu bytes", marked, length);
    if (at) found[n++] = '|';
    memcpy(found + n, text + at, length);
    n += length;
  }
  found[n] = '\0';
  ck_assert_str_eq(found, marked);
}

START_TEST(sentences_end_behind_full_stops_and_their_like) {
  static const char *const marked[] = {
      "I am happy. |Thank you! |Why? ",
      "No end",
      "Really?! |Wow... |No",
      "She said \"I am happy.\" |Then (he left.) |Next",
      "Two  spaces.  |And\ttabs.\t|End.",
      "One\n|two\r|\n|three\u2028|four",
      "Line. \n|Next",
      "\u6211\u5F88\u9AD8\u5174\u3002|\u8C22\u8C22\uFF01|\u300C\u4E3A\u4EC0\u4E48\uFF1F\u300D|\u597D",
      "\u00BFQu\u00E9? |S\u00ED. |\u00C9l",
      "\u0643\u064A\u0641\u061F |\u062C\u064A\u062F",
      "\u0928\u092E\u0938\u094D\u0924\u0947\u0964 |\u0905\u091A\u094D\u091B\u093E",
      "\U0001F602! |\U0001F602 Ok",
      "It was I. |He knew",
      "It cost 5. |Then 6. ",
  };
  for (size_t i = 0; i < sizeof marked / sizeof *marked; i++) check_sentences(marked[i]);
}
END_TEST

START_TEST(sentences_do_not_end_in_words_numbers_and_asides) {
  static const char *const marked[] = {
      "3.14 and r/a.b?c=1!x and v1.2",
      "Dr. Who met Mr. Smith vs. Prof. Oak",
      "J. R. R. Tolkien and the U.S. Army, e.g. They",
      "No. 5 in vol. 12, Jan. 3",
      "I said no. |Then",
      "1. First do this. |2. Then that. |(3. Or this",
      "Wait . . . what ! !",
      "well... maybe. or not",
      "\"Why?\" he asked (why!) and left",
      "Why? |he asked",
      "etc., and so on.: yes. ; no",
      "caf\u00E9. \u00E9t\u00E9 \". \u00E9\"",
      "caf\u00E9. |\u00C9t\u00E9",
      "na\u00EFvet\u00E9A. |Then",
      "\u2026 so \u2026 what \u2026 |So",
  };
  for (size_t i = 0; i < sizeof marked / sizeof *marked; i++) check_sentences(marked[i]);
}
END_TEST

/* ---- Spans ------------------------------------------------------------------------------------------------------- */

/* `marked` has [ and ] around the spans of the text without them. */
static void check_spans(const mien_tokenizer *tokenizer, const char *marked, size_t max_ids) {
  enum { MOST = 64 };
  char text[1024], found[1024];
  int32_t ids[MOST];
  mien_text_span spans[MOST];
  size_t bytes = 0, length = 0, next = 0;
  for (const char *c = marked; *c; c++)
    if (*c != '[' && *c != ']') text[bytes++] = *c;
  const size_t n = mien_tokenizer_split(tokenizer, text, bytes, max_ids, ids, spans, MOST);
  ck_assert_uint_le(n, MOST);
  for (size_t at = 0; at <= bytes; at++) {
    if (next > 0 && at == spans[next - 1].end) found[length++] = ']';
    if (next < n && at == spans[next].start) {
      found[length++] = '[';
      next++;
      if (spans[next - 1].end == at) found[length++] = ']';
    }
    if (at < bytes) found[length++] = text[at];
  }
  found[length] = '\0';
  ck_assert_str_eq(found, marked);
}

START_TEST(a_text_that_fits_is_one_span_without_the_white_space_around_it) {
  mien_tokenizer *t = uncased();
  check_spans(t, "[]", 8);
  check_spans(t, "[] \n\u3000 ", 8);
  check_spans(t, " [Hello. World.]\n", 8);
  check_spans(t, "[happiness happiness happiness happiness happiness happiness]", 8);
  mien_tokenizer_destroy(t);
}
END_TEST

START_TEST(a_longer_text_is_cut_into_sentences_and_these_into_windows) {
  mien_tokenizer *t = uncased();
  check_spans(t, "[Hello world.] [Thank you!]\n\n [Why?]  ", 8);
  check_spans(t, "[one two three four five six] [seven eight.] [Nine.]", 8);
  /* between words as the tokenizer has them, where there is no white space */
  check_spans(t, "[one,two,three,][four,five]", 8);
  check_spans(t, "[\u6211\u5F88\u9AD8\u5174\u8C22\u8C22][\u4F60]", 8);
  check_spans(t, "[!!!!!!][!!]", 8);
  /* within a word, where nothing else is left */
  check_spans(t, "[A][s][k][R][e][d][d][it]", 3);
  check_spans(t, "[As][kR][eddit] [x]", 4);
  /* what has no ids is no span */
  check_spans(t, "[one two three.]\n\x01\u200B\n[four five six.]", 6);
  mien_tokenizer_destroy(t);
}
END_TEST

/* Pieces that texts are made of, to be found next to each other in every order. */
static const mien_text fragments[] = {
#define FRAGMENT(text)                                                                                                 \
  { text, sizeof(text) - 1 }
    FRAGMENT(" "),
    FRAGMENT("  "),
    FRAGMENT("\n"),
    FRAGMENT("\r\n"),
    FRAGMENT("\t"),
    FRAGMENT("\u3000"),
    FRAGMENT("\u2028"),
    FRAGMENT("\x0B"),
    FRAGMENT("\xC2\x85"),
    FRAGMENT(". "),
    FRAGMENT("."),
    FRAGMENT("! "),
    FRAGMENT("?"),
    FRAGMENT("\u3002"),
    FRAGMENT("\u2026"),
    FRAGMENT(","),
    FRAGMENT("\""),
    FRAGMENT("\u201D"),
    FRAGMENT("("),
    FRAGMENT(")"),
    FRAGMENT("a"),
    FRAGMENT("I"),
    FRAGMENT("Dr"),
    FRAGMENT("no"),
    FRAGMENT("1"),
    FRAGMENT("happy"),
    FRAGMENT("Reddit"),
    FRAGMENT("caf\u00E9"),
    FRAGMENT("\u0301"),
    FRAGMENT("\u302E"),
    FRAGMENT("\u6211"),
    FRAGMENT("\uD55C"),
    FRAGMENT("\U0001F602"),
    FRAGMENT("\0"),
    FRAGMENT("\xFF"),
    FRAGMENT("\xE2"),
    FRAGMENT("\x80"),
    FRAGMENT("\u200B"),
    FRAGMENT("[MASK]"),
    FRAGMENT("\u0130"),
    FRAGMENT("zqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzqxjzq"),
#undef FRAGMENT
};

enum { MOST_BYTES = 4096, MOST_IDS = MOST_BYTES + MIEN_TOKENIZER_SPECIALS };

static size_t random_text(uint64_t *state, char *text) {
  const size_t wanted = random_bits(state) % (MOST_BYTES - 128);
  size_t bytes = 0;
  while (bytes < wanted) {
    const mien_text fragment = fragments[random_bits(state) % (sizeof fragments / sizeof *fragments)];
    memcpy(text + bytes, fragment.bytes, fragment.size);
    bytes += fragment.size;
  }
  return bytes;
}

/* The ids without those around them, behind those that are there. */
static size_t append_ids(const mien_tokenizer *tokenizer, const char *text, size_t bytes, int32_t *ids, size_t n) {
  static int32_t own[MOST_IDS];
  const size_t n_own = mien_tokenizer_run(tokenizer, text, bytes, MOST_IDS, own, NULL);
  memcpy(ids + n, own + 1, (n_own - MIEN_TOKENIZER_SPECIALS) * sizeof *ids);
  return n + n_own - MIEN_TOKENIZER_SPECIALS;
}

static bool is_space_at(const char *text, size_t bytes) {
  uint32_t c;
  (void)mien_utf8_decode(text, bytes, &c);
  return mien_character_is_space(c);
}

static void check_random(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids) {
  static int32_t ids[MOST_IDS], whole[MOST_IDS], pieces[MOST_IDS];
  static mien_text_span spans[MOST_BYTES], some[MOST_BYTES];
  const size_t n = mien_tokenizer_split(tokenizer, text, bytes, max_ids, ids, spans, MOST_BYTES);
  const size_t n_whole = append_ids(tokenizer, text, bytes, whole, 0);
  require(n >= 1 && n <= MOST_BYTES, "%zu spans", n);
  require(n == 1 || n_whole + MIEN_TOKENIZER_SPECIALS > max_ids, "%zu spans of %zu ids", n, n_whole);
  size_t n_pieces = 0, end = 0;
  for (size_t i = 0; i < n; i++) {
    const mien_text_span span = spans[i];
    uint32_t c;
    require(span.start >= end && span.end <= bytes && (span.start < span.end || n == 1), "span %zu", i);
    /* Nothing is lost between two of them. */
    require(append_ids(tokenizer, text + end, span.start - end, pieces, n_pieces) == n_pieces, "before span %zu", i);
    end = span.end;
    if (span.start == span.end) break;
    require(!is_space_at(text + span.start, span.end - span.start), "span %zu begins with white space", i);
    const size_t before = n_pieces;
    n_pieces = append_ids(tokenizer, text + span.start, span.end - span.start, pieces, n_pieces);
    require(n_pieces - before + MIEN_TOKENIZER_SPECIALS <= max_ids ||
                mien_utf8_decode(text + span.start, span.end - span.start, &c) == span.end - span.start,
            "span %zu of %zu ids", i, n_pieces - before);
  }
  require(append_ids(tokenizer, text + end, bytes - end, pieces, n_pieces) == n_pieces, "behind the last span");
  /* No word is of more ids than it may have characters. */
  if (max_ids >= tokenizer->max_word_characters + MIEN_TOKENIZER_SPECIALS)
    require(n_pieces == n_whole && memcmp(pieces, whole, n_whole * sizeof *whole) == 0, "other ids");
  const size_t capacity = n / 2;
  require(mien_tokenizer_split(tokenizer, text, bytes, max_ids, ids, some, capacity) == n, "other spans");
  require(memcmp(some, spans, capacity * sizeof *some) == 0, "other spans");
}

START_TEST(spans_of_any_text_fit_keep_their_order_and_have_the_ids_of_the_text) {
  uint64_t state = 9;
  for (int cased = 0; cased < 2; cased++) {
    const mien_vocabulary_options options = {.cased = cased, .keep_accents = cased};
    mien_tokenizer *tokenizer = make_real(&options);
    for (int i = 0; i < 2000; i++) {
      static const size_t limits[] = {3, 4, 5, 8, 16, 64, 102, 128, 512};
      char buffer[MOST_BYTES];
      const size_t bytes = random_text(&state, buffer);
      char *text = malloc(bytes + !bytes); /* a read past its end is seen by the sanitizer */
      memcpy(text, buffer, bytes);
      check_random(tokenizer, text, bytes, limits[random_bits(&state) % (sizeof limits / sizeof *limits)]);
      free(text);
    }
    mien_tokenizer_destroy(tokenizer);
  }
}
END_TEST

START_TEST(a_text_of_any_kind_takes_linear_time) {
  enum { BYTES = 4 << 20, MAX_IDS = 16 };
  static const char *const patterns[] = {
      "a. ",      ". ",        ".",       " ",         "a",      "\n",    "\"",
      ". b",      "1. ",       "\u3002",  "! ",        ".\" b ", "Dr. ",  "\u6211",
      "\xE2\x80", "a\x01\x01", "x !\x01", "zqxj zqxj", "\u0301", "[MASK", ". \x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"};
  mien_tokenizer *tokenizer = uncased();
  char *text = malloc(BYTES);
  int32_t ids[MAX_IDS];
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    const size_t length = strlen(patterns[i]);
    for (size_t at = 0; at < BYTES; at++) text[at] = patterns[i][at % length];
    const cost before = begin_cost();
    (void)mien_tokenizer_split(tokenizer, text, BYTES, MAX_IDS, ids, NULL, 0);
    expect_cheap(&before);
  }
  free(text);
  mien_tokenizer_destroy(tokenizer);
}
END_TEST

MIEN_SUITE("tokenizer_split", sentences_end_behind_full_stops_and_their_like,
           sentences_do_not_end_in_words_numbers_and_asides,
           a_text_that_fits_is_one_span_without_the_white_space_around_it,
           a_longer_text_is_cut_into_sentences_and_these_into_windows,
           spans_of_any_text_fit_keep_their_order_and_have_the_ids_of_the_text, a_text_of_any_kind_takes_linear_time)
