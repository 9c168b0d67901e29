/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to ids in one pass: characters are looked up, put into the word that grows, and a finished word is matched with
 * the vocabulary. Words of ASCII letters and digits, most of any English text, take a shorter way to the same ids.
 */
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/internal.h"
#include "tokenizer/split.h"

enum { MOST_UTF8 = 4 };

/* A mark that waits for its place among the marks around it. */
typedef struct waiting_mark {
  uint32_t code_point;
  uint8_t combining_class;
} waiting_mark;

typedef struct run {
  const mien_tokenizer *tokenizer;
  int32_t *ids;
  size_t n, limit;        /* ids there are, and may be, without the last */
  bool truncated;         /* more ids came than fit: nothing more is read */
  size_t word_characters; /* max_word_characters + 1: too many, and no longer kept */
  size_t word_bytes, n_marks;
  char word[MOST_UTF8 * MIEN_MAX_WORD_CHARACTERS];
  waiting_mark marks[MIEN_MAX_WORD_CHARACTERS];
} run;

static void put(run *r, int32_t id) {
  if (r->n < r->limit)
    r->ids[r->n++] = id;
  else
    r->truncated = true;
}

/* WordPiece: the longest token first, again and again; a word with a part that is no token is unknown as a whole. */
static void put_pieces(run *r, const char *word, size_t bytes) {
  const size_t start = r->n;
  mien_trie_root root = MIEN_TRIE_WORDS;
  bool is_cut = false;
  for (size_t at = 0, length = 0; at < bytes; at += length) {
    const int32_t id = mien_vocabulary_longest(&r->tokenizer->vocabulary, root, word + at, bytes - at, &length);
    if (id == MIEN_NO_TOKEN) {
      r->n = start;
      put(r, r->tokenizer->unknown);
      return;
    }
    if (r->n < r->limit)
      r->ids[r->n++] = id;
    else
      is_cut = true;
    root = MIEN_TRIE_CONTINUATIONS;
  }
  r->truncated |= is_cut;
}

static void put_key(run *r, mien_word_key key, uint32_t bytes) {
  const int32_t id = mien_vocabulary_word(&r->tokenizer->vocabulary, key, bytes);
  if (id != MIEN_NO_TOKEN) {
    put(r, id);
    return;
  }
  char word[MIEN_KEY_BYTES];
  for (size_t i = 0; i < sizeof word / 2; i++) {
    word[i] = (char)(key.low >> (8 * i));
    word[i + sizeof word / 2] = (char)(key.high >> (8 * i));
  }
  put_pieces(r, word, bytes);
}

/* Every character that gets here becomes part of an id. */
static void append(run *r, uint32_t c) {
  if (r->n == r->limit) r->truncated = true;
  if (r->word_characters >= r->tokenizer->max_word_characters) {
    r->word_characters = r->tokenizer->max_word_characters + 1;
    return;
  }
  r->word_characters++;
  r->word_bytes += mien_utf8_encode(c, r->word + r->word_bytes);
}

static void append_marks(run *r) {
  for (size_t i = 0; i < r->n_marks; i++) append(r, r->marks[i].code_point);
  r->n_marks = 0;
}

/*
 * NFD sorts marks that follow each other by their combining class, those of one class in their order. Marks are never
 * between words, so when more wait than a word may have characters, their order is of no consequence.
 */
static void add_mark(run *r, uint32_t c) {
  if (r->n_marks + r->word_characters >= r->tokenizer->max_word_characters) {
    append_marks(r);
    append(r, c);
    return;
  }
  if (r->n == r->limit) r->truncated = true;
  const waiting_mark mark = {c, mien_character_combining_class(c)};
  size_t place = r->n_marks++;
  for (; place > 0 && r->marks[place - 1].combining_class > mark.combining_class; place--)
    r->marks[place] = r->marks[place - 1];
  r->marks[place] = mark;
}

static void end_word(run *r) {
  append_marks(r);
  if (r->word_characters > r->tokenizer->max_word_characters)
    put(r, r->tokenizer->unknown);
  else if (r->word_characters > 0)
    put_pieces(r, r->word, r->word_bytes);
  r->word_characters = r->word_bytes = 0;
}

/* Those that several characters come from are dealt with before. */
static void add_one(run *r, uint32_t entry, uint32_t c) {
  switch (mien_character_kind_of(entry)) {
  case MIEN_CHARACTER_WORD:
    append_marks(r);
    append(r, mien_character_target(entry, c));
    break;
  case MIEN_CHARACTER_ISOLATED:
    end_word(r);
    append(r, mien_character_target(entry, c));
    end_word(r);
    break;
  case MIEN_CHARACTER_DROPPED_STARTER: append_marks(r); break;
  case MIEN_CHARACTER_SPACE: end_word(r); break;
  case MIEN_CHARACTER_MARK: add_mark(r, c); break;
  default: break;
  }
}

static void add_character(run *r, uint32_t c) {
  const mien_characters *characters = &r->tokenizer->characters;
  const uint32_t entry = mien_characters_entry(characters, c);
  const mien_character_kind kind = mien_character_kind_of(entry);
  if (kind != MIEN_CHARACTER_SEQUENCE && kind != MIEN_CHARACTER_HANGUL) {
    add_one(r, entry, c);
    return;
  }
  uint32_t jamo[MIEN_MAX_JAMO];
  const uint32_t *parts = jamo;
  size_t n;
  if (kind == MIEN_CHARACTER_HANGUL)
    n = mien_character_jamo(c, jamo);
  else
    parts = mien_character_sequence(entry, &n);
  for (size_t i = 0; i < n; i++) add_one(r, mien_characters_entry(characters, parts[i]), parts[i]);
}

/* One character or added token, whatever it is; returns its bytes. */
static size_t step(run *r, const char *text, size_t bytes) {
  const unsigned char byte = (unsigned char)text[0];
  const mien_tokenizer *tokenizer = r->tokenizer;
  if (tokenizer->bytes[byte] & MIEN_BYTE_BEGINS_ADDED) {
    size_t length;
    const int32_t id = mien_vocabulary_longest(&tokenizer->vocabulary, MIEN_TRIE_ADDED, text, bytes, &length);
    if (id != MIEN_NO_TOKEN) {
      end_word(r);
      put(r, id);
      return length;
    }
  }
  if (tokenizer->bytes[byte] & MIEN_BYTE_ENDS_WORD) {
    const mien_character_kind kind = mien_character_kind_of(mien_characters_entry(&tokenizer->characters, byte));
    end_word(r);
    if (kind == MIEN_CHARACTER_ISOLATED) put(r, tokenizer->isolated_ids[byte]);
    return 1;
  }
  uint32_t c;
  const size_t length = mien_utf8_decode(text, bytes, &c);
  add_character(r, c);
  return length;
}

enum { EIGHT = 8 };
#define EVERY_BYTE(byte) (0x0101010101010101u * (uint64_t)(byte))

/* Eight bytes of text, the first lowest, zeros behind its end. Reads nothing outside [start, start + bytes). */
static inline uint64_t load_eight(const char *start, size_t at, size_t bytes) {
  uint64_t eight = 0;
  const size_t left = bytes - at;
  if (left >= EIGHT || (left > 0 && bytes >= EIGHT)) {
    const size_t back = left >= EIGHT ? 0 : EIGHT - left;
    memcpy(&eight, start + at - back, EIGHT);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight >> (8 * back);
  }
  for (size_t i = 0; i < left; i++) eight |= (uint64_t)(unsigned char)start[at + i] << (8 * i);
  return eight;
}

/* 0x80 in each byte that lies in [first, last], of bytes < 0x80. */
static inline uint64_t bytes_between(uint64_t eight, unsigned char first, unsigned char last) {
  return (eight + EVERY_BYTE(0x80 - first)) & ~(eight + EVERY_BYTE(0x7F - last)) & EVERY_BYTE(0x80);
}

/* The ASCII letters and digits that eight bytes begin with, lowercase if asked, zeros behind; *count tells how many. */
static inline uint64_t leading_word(uint64_t eight, bool lowercase, uint32_t *count) {
  const uint64_t ascii = eight & EVERY_BYTE(0x7F), small = ascii | EVERY_BYTE(0x20);
  const uint64_t letters = bytes_between(small, 'a', 'z') & ~eight;
  const uint64_t others = ~(letters | bytes_between(ascii, '0', '9')) & EVERY_BYTE(0x80);
  const uint64_t others_or_high = others | (eight & EVERY_BYTE(0x80));
  if (lowercase) eight |= letters >> 2; /* 0x20 */
  if (others_or_high == 0) {
    *count = EIGHT;
    return eight;
  }
  const unsigned bit = (unsigned)__builtin_ctzll(others_or_high); /* the highest of the first other byte */
  *count = bit / 8;
  return eight & (((uint64_t)1 << (bit - 7)) - 1);
}

/* A word that begins at `at`, if it is short and of ASCII letters and digits alone; returns its bytes, or 0. */
static inline size_t ascii_word(run *r, const char *text, size_t at, size_t bytes) {
  const mien_tokenizer *tokenizer = r->tokenizer;
  uint32_t length, more = 0;
  mien_word_key key = {leading_word(load_eight(text, at, bytes), tokenizer->options.lowercase, &length), 0};
  if (length == EIGHT) {
    key.high = leading_word(load_eight(text, at + EIGHT, bytes), tokenizer->options.lowercase, &more);
    length += more;
  }
  if (length == 0 || length == MIEN_KEY_BYTES) return 0;
  if (at + length < bytes && !(tokenizer->bytes[(unsigned char)text[at + length]] & MIEN_BYTE_ENDS_WORD)) return 0;
  put_key(r, key, length);
  return length;
}

static void begin(run *r, const mien_tokenizer *tokenizer, size_t max_ids, int32_t *ids) {
  r->tokenizer = tokenizer;
  r->ids = ids;
  r->n = 1;
  r->limit = max_ids - 1;
  r->truncated = false;
  r->word_characters = r->word_bytes = r->n_marks = 0;
  ids[0] = tokenizer->first;
}

static inline bool is_between_words(const run *r) { return r->word_characters + r->n_marks == 0; }

/* Reads a word or a character; returns where the next one begins. */
static inline size_t read_on(run *r, const char *text, size_t at, size_t bytes) {
  size_t length = 0;
  if (r->tokenizer->ascii_words && is_between_words(r)) length = ascii_word(r, text, at, bytes);
  at += length ? length : step(r, text + at, bytes - at);
  return length && at < bytes && text[at] == ' ' ? at + 1 : at; /* no added token begins with one */
}

size_t mien_tokenizer_run(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids, int32_t *ids,
                          bool *truncated) {
  run r;
  begin(&r, tokenizer, max_ids, ids);
  for (size_t at = 0; at < bytes && !r.truncated;) at = read_on(&r, text, at, bytes);
  if (!r.truncated) end_word(&r);
  ids[r.n++] = tokenizer->last;
  if (truncated) *truncated = r.truncated;
  return r.n;
}

/* ---- As much as fits --------------------------------------------------------------------------------------------- */

/* A place where a text may be cut, and the ids before it. */
typedef struct cut {
  size_t at, n;
} cut;

/* Some characters of a text that begins with a word of too many ids. */
static cut cut_word(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids, int32_t *ids) {
  for (size_t n = max_ids - MIEN_TOKENIZER_SPECIALS;; n /= 2) {
    cut found = {0, 0};
    uint32_t c;
    bool truncated;
    for (size_t i = 0; i < n && found.at < bytes; i++)
      found.at += mien_utf8_decode(text + found.at, bytes - found.at, &c);
    found.n = mien_tokenizer_run(tokenizer, text, found.at, max_ids, ids, &truncated);
    if (truncated) found.n = max_ids + 1;
    if (!truncated || n == 1) return found;
  }
}

static bool is_space_before(const mien_tokenizer *tokenizer, const char *text, size_t start, size_t end) {
  uint32_t c;
  const size_t length = mien_utf8_decode(text + start, end - start, &c);
  return text[end - 1] == ' ' ||
         (start + length == end &&
          mien_character_kind_of(mien_characters_entry(&tokenizer->characters, c)) == MIEN_CHARACTER_SPACE);
}

size_t mien_tokenizer_fit(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids, int32_t *ids,
                          size_t *n_ids) {
  run r;
  begin(&r, tokenizer, max_ids, ids);
  cut at_space = {0, 0}, between = {0, 0};
  for (size_t at = 0; at < bytes && !r.truncated;) {
    const size_t start = at;
    at = read_on(&r, text, at, bytes);
    if (r.truncated || r.n == 1 || !is_between_words(&r)) continue;
    between = (cut){at, r.n + 1};
    if (is_space_before(tokenizer, text, start, at)) at_space = between;
  }
  if (!r.truncated) end_word(&r);
  cut found = {bytes, r.n + 1};
  if (r.truncated) found = at_space.at ? at_space : between;
  if (!found.at) found = cut_word(tokenizer, text, bytes, max_ids, ids);
  *n_ids = found.n;
  return found.at;
}
