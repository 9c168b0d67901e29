/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as the Unicode standard defines it (no surrogates, no overlong forms), for names that files bring in. */
#ifndef MIEN_BASE_UTF8_H
#define MIEN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Bytes of the byte order mark that `text` begins with, which Windows editors leave: 3 or 0. */
static inline size_t mien_utf8_mark(const void *text, size_t bytes) {
  return bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* Bytes of the character that `text` begins with, 0 when it is not one. `bytes` is at least 1. */
size_t mien_utf8_character(const char *text, size_t bytes);

/* Whether `text` can be a label's name: UTF-8, not empty, no control characters. */
bool mien_utf8_is_name(const char *text, size_t bytes);

/*
 * Writes `text` into `out` [capacity ≥ 4] with U+FFFD for every invalid byte, cut between characters (an ellipsis shows
 * it) to fit, and NUL-terminated. Returns `out`.
 */
char *mien_utf8_clean(const char *text, size_t bytes, char *out, size_t capacity);

#endif
