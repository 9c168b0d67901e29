/* SPDX-License-Identifier: Apache-2.0 */
/* Where sentences end, by what stands around full stops and their like. */
#include "tokenizer/sentences.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizer/characters.h"

/* ---- Characters -------------------------------------------------------------------------------------------------- */

static bool is_among(const uint32_t *characters, size_t n, uint32_t c) {
  for (size_t i = 0; i < n; i++)
    if (characters[i] == c) return true;
  return false;
}
#define IS_AMONG(characters, c) is_among(characters, sizeof(characters) / sizeof *(characters), c)

static bool is_line_break(uint32_t c) { return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029; }

/* They end abbreviations and pauses too. */
static bool is_weak(uint32_t c) { return c == '.' || c == 0x2026; }

static bool is_wide(uint32_t c) { return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61; }

static bool is_terminator(uint32_t c) {
  static const uint32_t others[] = {'!',    '?',    0x203C, 0x203D, 0x2047, 0x2048,
                                    0x2049, 0x061F, 0x06D4, 0x0964, 0x0965, 0x1362};
  return is_weak(c) || is_wide(c) || IS_AMONG(others, c);
}

static bool is_closing(uint32_t c) {
  static const uint32_t closing[] = {'"',    '\'',   ')',    ']',    '}',    0xBB,   0x2019, 0x201D, 0x203A,
                                     0x3009, 0x300B, 0x300D, 0x300F, 0x3011, 0xFF09, 0xFF3D, 0xFF5D, 0xFF63};
  return IS_AMONG(closing, c);
}

static bool is_opening(uint32_t c) {
  static const uint32_t opening[] = {'"', '\'', '(', '[', '{', 0xAB, 0x2018, 0x201C, 0x201E, 0x2039};
  return IS_AMONG(opening, c);
}

static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }

static bool is_ascii_letter(unsigned char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

/* A small letter: what some capital's is. */
static bool is_small(uint32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  for (size_t i = 0; i < mien_unicode_n_lowercase; i++) {
    const mien_lowercase_range *range = &mien_unicode_lowercase[i];
    const uint32_t past = (uint32_t)((int64_t)c - range->delta) - range->first; /* huge: before it */
    if (past % range->step == 0 && past / range->step < range->count) return true;
  }
  return false;
}

/* ---- What stands before a full stop ------------------------------------------------------------------------------ */

enum { MOST_ABBREVIATION = 7 };

static bool is_listed(const char *list, const char *word, size_t bytes) {
  char found[MOST_ABBREVIATION + 3] = " ";
  if (bytes == 0 || bytes > MOST_ABBREVIATION) return false;
  for (size_t i = 0; i < bytes; i++) found[i + 1] = (char)(word[i] | 0x20);
  found[bytes + 1] = ' ';
  return strstr(list, found) != NULL;
}

/* Whether the full stop at `stop` may be that of the word before it, and not the sentence's; `next` follows. */
static bool is_of_word(const char *text, size_t stop, uint32_t next) {
  static const char before_names[] =
      " mr mrs ms mx dr prof st sr jr gen col capt cmdr lt sgt cpl rev fr hon gov sen rep "
      "pres messrs mme mlle vs cf approx ",
                    before_numbers[] =
                        " no nos nr p pp vol ch sec art fig figs eq jan feb mar apr jun jul aug sep sept "
                        "oct nov dec ";
  size_t start = stop;
  while (start > 0 && stop - start <= MOST_ABBREVIATION && is_ascii_letter((unsigned char)text[start - 1])) start--;
  const size_t bytes = stop - start;
  const unsigned char before = start > 0 ? (unsigned char)text[start - 1] : ' ';
  if (before >= 0x80 || is_digit(before)) return false;
  if (bytes == 1) {
    const char letter = text[start];
    if (before == '.' || (letter >= 'A' && letter <= 'Z' && letter != 'I')) return true;
  }
  return is_listed(before_names, text + start, bytes) ||
         (is_digit(next) && is_listed(before_numbers, text + start, bytes));
}

/* Whether nothing but a number of a list stands before the full stop at `stop`. */
static bool is_of_list(const char *text, size_t stop) {
  enum { MOST_DIGITS = 3 };
  size_t start = stop;
  while (start > 0 && is_digit((unsigned char)text[start - 1])) start--;
  if (start == stop || stop - start > MOST_DIGITS) return false;
  while (start > 0 && (text[start - 1] == ' ' || text[start - 1] == '\t' || text[start - 1] == '(')) start--;
  return start == 0;
}

/* ---- A sentence -------------------------------------------------------------------------------------------------- */

/* U+0000 at the end of the text. */
static uint32_t character_at(const char *text, size_t bytes, size_t at, size_t *length) {
  uint32_t c = 0;
  *length = at < bytes ? mien_utf8_decode(text + at, bytes - at, &c) : 0;
  return c;
}

typedef bool predicate(uint32_t c);

static size_t skip(const char *text, size_t bytes, size_t at, predicate *is_one) {
  size_t length;
  while (is_one(character_at(text, bytes, at, &length)) && length > 0) at += length;
  return at;
}

static bool is_blank(uint32_t c) { return mien_character_is_space(c) && !is_line_break(c); }

/* Whether a small letter comes next, perhaps in quotes or brackets. */
static bool is_small_next(const char *text, size_t bytes, size_t at) {
  size_t length;
  uint32_t c = character_at(text, bytes, at, &length);
  if (is_opening(c)) c = character_at(text, bytes, at + length, &length);
  return is_small(c);
}

/* What stands from a sentence's possible end to what follows: terminators, what closes, and white space. */
typedef struct ending {
  size_t first, closing, blank, next; /* where each of them begins; and what follows */
  bool is_weak, is_wide;              /* terminators: all are; the last is */
} ending;

static ending read_ending(const char *text, size_t bytes, size_t first) {
  ending found = {.first = first, .closing = first, .is_weak = true};
  size_t length;
  for (uint32_t c; is_terminator(c = character_at(text, bytes, found.closing, &length)); found.closing += length) {
    found.is_weak = found.is_weak && is_weak(c);
    found.is_wide = is_wide(c);
  }
  found.blank = skip(text, bytes, found.closing, is_closing);
  found.next = skip(text, bytes, found.blank, is_blank);
  return found;
}

static bool is_end(const char *text, size_t bytes, const ending *found) {
  size_t length;
  const uint32_t next = character_at(text, bytes, found->next, &length);
  const bool closes = found->blank > found->closing;
  if (found->next == bytes) return true;
  if (is_line_break(next)) return false; /* behind that it ends */
  if (found->next == found->blank && !found->is_wide) return false;
  if (next == ',' || next == ':' || next == ';' || is_terminator(next)) return false;
  if ((found->is_weak || closes) && is_small_next(text, bytes, found->next)) return false;
  const bool is_one_stop = found->closing == found->first + 1 && text[found->first] == '.' && !closes;
  return !is_one_stop || !(is_of_word(text, found->first, next) || is_of_list(text, found->first));
}

size_t mien_sentence_length(const char *text, size_t bytes) {
  for (size_t at = 0, length; at < bytes;) {
    const uint32_t c = character_at(text, bytes, at, &length);
    if (is_line_break(c)) return at + length;
    if (!is_terminator(c)) {
      at += length;
      continue;
    }
    const ending found = read_ending(text, bytes, at);
    if (is_end(text, bytes, &found)) return found.next;
    at = found.next;
  }
  return bytes;
}
