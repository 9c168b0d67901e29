/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as the Unicode standard defines it (no surrogates, no overlong forms), for names that files bring in. */
#ifndef MIEN_BASE_UTF8_H
#define MIEN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the byte order mark that `text` begins with, which Windows editors leave: 3 or 0. */
static inline size_t mien_utf8_mark(const void *text, size_t bytes) {
  return bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* Bytes of the character that `text` begins with, 0 when it is not one. `bytes` is at least 1. */
size_t mien_utf8_character(const char *text, size_t bytes);

/*
 * The character that `text` [bytes ≥ 1] begins with, and its bytes. What is not UTF-8 is U+FFFD, one for each maximal
 * part of a character (the Unicode standard, 3.9), as Python's and Rust's lossy decoders have it.
 */
size_t mien_utf8_decode(const char *text, size_t bytes, uint32_t *code_point);

/* Writes the character to `out` [4 bytes] and returns its bytes. `code_point` is no surrogate and below 0x110000. */
static inline size_t mien_utf8_encode(uint32_t code_point, char *out) {
  if (code_point < 0x80) {
    out[0] = (char)code_point;
    return 1;
  }
  const size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = length - 1; i > 0; i--, code_point >>= 6) out[i] = (char)(0x80 | (code_point & 0x3F));
  out[0] = (char)(lead[length] | code_point);
  return length;
}

/* Whether `text` can be a label's name: UTF-8, not empty, no control characters. */
bool mien_utf8_is_name(const char *text, size_t bytes);

/*
 * Writes `text` into `out` [capacity ≥ 4] with U+FFFD for every invalid byte, cut between characters (an ellipsis shows
 * it) to fit, and NUL-terminated. Returns `out`.
 */
char *mien_utf8_clean(const char *text, size_t bytes, char *out, size_t capacity);

#endif
