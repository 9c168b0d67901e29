/* SPDX-License-Identifier: Apache-2.0 */
/* A vocab.txt: a token a line, its id the line's number from 0. */
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/internal.h"

/* BERT's special tokens. They are matched in the raw text where the vocabulary has them. */
typedef enum special { UNKNOWN, FIRST, LAST, PAD, MASK, SPECIALS } special;
static const char *const special_names[SPECIALS] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};

/* The line without White_Space at its end. */
static size_t trimmed(const char *line, size_t bytes) {
  size_t end = 0;
  if (bytes > 0 && line[bytes - 1] > ' ' && line[bytes - 1] < '\x7F') return bytes; /* as nearly all end */
  for (size_t at = 0; at < bytes;) {
    uint32_t c;
    at += mien_utf8_decode(line + at, bytes - at, &c);
    if (!mien_character_is_space(c)) end = at;
  }
  return end;
}

static size_t first_invalid(const char *text, size_t bytes) {
  size_t at = 0, length = 1;
  for (; at < bytes && length > 0; at += length) length = mien_utf8_character(text + at, bytes - at);
  return at;
}

static size_t line_length(const char *text, size_t bytes) {
  const char *end = memchr(text, '\n', bytes);
  return end ? (size_t)(end - text) : bytes;
}

mien_status mien_vocabulary_lines(const char *bytes, size_t size, const char *where, size_t *n, mien_error *error) {
  *n = 0;
  if (size > MIEN_MAX_TOKENIZER_BYTES)
    return mien_fail(error, MIEN_INPUT, "%s: too large: expected at most %d bytes, found %zu", where,
                     MIEN_MAX_TOKENIZER_BYTES, size);
  for (size_t at = 0; at < size; at += line_length(bytes + at, size - at) + 1) ++*n;
  if (*n <= MIEN_MAX_TOKEN_IDS) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: expected at most %d lines, found %zu", where, MIEN_MAX_TOKEN_IDS, *n);
}

mien_status mien_vocabulary_line(const char *text, size_t bytes, int32_t id, const char *where, size_t *length,
                                 mien_error *error) {
  *length = line_length(text, bytes);
  if (first_invalid(text, *length) == *length) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s:%d: expected UTF-8, found other bytes", where, id + 1);
}

/* Adds every line; ids[special] is the last line that is the special token, or MIEN_NO_TOKEN. */
static mien_status add_lines(mien_tokenizer *tokenizer, const char *bytes, size_t size, const char *where,
                             int32_t ids[SPECIALS], mien_error *error) {
  int32_t id = 0;
  mien_status status = MIEN_OK;
  for (size_t at = 0, length; at < size && status == MIEN_OK; at += length + 1, id++) {
    const char *line = bytes + at;
    status = mien_vocabulary_line(line, size - at, id, where, &length, error);
    if (status != MIEN_OK) return status;
    const size_t end = trimmed(line, length);
    for (int i = 0; i < SPECIALS; i++)
      if (end == strlen(special_names[i]) && memcmp(line, special_names[i], end) == 0) ids[i] = id;
    status = mien_tokenizer_add(tokenizer, line, end, id, where, error);
  }
  return status;
}

static mien_status add_specials(mien_tokenizer *tokenizer, const int32_t ids[SPECIALS], const char *where,
                                mien_error *error) {
  mien_status status = MIEN_OK;
  for (int i = 0; i < SPECIALS && status == MIEN_OK; i++) {
    if (ids[i] != MIEN_NO_TOKEN)
      status = mien_tokenizer_add_raw(tokenizer, special_names[i], strlen(special_names[i]), ids[i], where, error);
    else if (i <= LAST)
      return mien_fail(error, MIEN_INPUT, "%s: expected a line '%s', found none", where, special_names[i]);
  }
  return status;
}

mien_status mien_tokenizer_from_vocabulary(const char *bytes, size_t size, const char *where,
                                           const mien_vocabulary_options *options, mien_tokenizer **tokenizer,
                                           mien_error *error) {
  const mien_character_options characters = {.clean = true,
                                             .chinese = !options->no_chinese_characters,
                                             .strip_accents = !options->keep_accents,
                                             .lowercase = !options->cased};
  size_t n_lines;
  mien_tokenizer *made = NULL;
  int32_t ids[SPECIALS] = {MIEN_NO_TOKEN, MIEN_NO_TOKEN, MIEN_NO_TOKEN, MIEN_NO_TOKEN, MIEN_NO_TOKEN};
  mien_status status = mien_vocabulary_lines(bytes, size, where, &n_lines, error);
  if (status == MIEN_OK) status = mien_tokenizer_make(&characters, n_lines, where, &made, error);
  if (status == MIEN_OK) status = add_lines(made, bytes, size, where, ids, error);
  if (status == MIEN_OK) status = add_specials(made, ids, where, error);
  if (status == MIEN_OK) {
    mien_tokenizer_finish(made, ids[UNKNOWN], ids[FIRST], ids[LAST]);
    *tokenizer = made;
  } else {
    mien_tokenizer_destroy(made);
  }
  return status;
}
