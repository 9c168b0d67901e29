/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow, and text quoted into them. */
#include "corpus/buffer.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/utf8.h"

bool mien_buffer_reserve(mien_buffer *buffer, size_t more) {
  enum { SMALLEST = 4096 };
  size_t needed, capacity = buffer->capacity < SMALLEST ? SMALLEST : buffer->capacity;
  if (!mien_size_add(buffer->size, more, &needed)) return false;
  if (needed <= buffer->capacity) return true;
  while (capacity < needed) {
    if (!mien_size_mul(capacity, 2, &capacity)) return false;
  }
  /* Not mien_alloc: a buffer is grown in place where it can be, and never needs zeros. */
  char *bytes = realloc(buffer->bytes, capacity);
  if (!bytes) return false;
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  return true;
}

bool mien_buffer_append(mien_buffer *buffer, const void *bytes, size_t size) {
  if (!mien_buffer_reserve(buffer, size)) return false;
  if (size) mien_buffer_put(buffer, bytes, size);
  return true;
}

void mien_buffer_free(mien_buffer *buffer) {
  free(buffer->bytes);
  *buffer = (mien_buffer){0};
}

static const char replacement[] = "\xEF\xBF\xBD", ellipsis[] = "\xE2\x80\xA6";

static bool append_utf8(mien_buffer *buffer, const char *text, size_t left) {
  for (const char *at = text; left > 0;) {
    size_t length = mien_utf8_character(at, left);
    bool done = length ? mien_buffer_append(buffer, at, length) : mien_buffer_append(buffer, replacement, 3);
    if (!done) return false;
    at += length ? length : 1;
    left -= length ? length : 1;
  }
  return true;
}

/* Printable ASCII that JSON has as it is, as most names are. */
static bool is_simple(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] < 0x20 || text[i] > 0x7E || text[i] == '"' || text[i] == '\\') return false;
  return true;
}

bool mien_buffer_append_json(mien_buffer *buffer, const char *text, size_t size) {
  if (is_simple(text, size)) {
    if (size > SIZE_MAX - 2 || !mien_buffer_reserve(buffer, size + 2)) return false;
    mien_buffer_put(buffer, "\"", 1);
    if (size) mien_buffer_put(buffer, text, size);
    mien_buffer_put(buffer, "\"", 1);
    return true;
  }
  mien_buffer clean = {0};
  bool done = append_utf8(&clean, text, size);
  json_t *string = done ? json_stringn(clean.bytes ? clean.bytes : "", clean.size) : NULL;
  char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
  done = quoted && mien_buffer_append(buffer, quoted, strlen(quoted));
  free(quoted);
  json_decref(string);
  mien_buffer_free(&clean);
  return done;
}

static bool needs_quotes(const char *text, size_t size) {
  if (size == 0) return false;
  if (text[0] == ' ' || text[size - 1] == ' ') return true;
  for (size_t i = 0; i < size; i++)
    if (text[i] == ',' || text[i] == '"' || text[i] == '\r' || text[i] == '\n') return true;
  return false;
}

bool mien_buffer_append_csv(mien_buffer *buffer, const char *text, size_t size) {
  if (!needs_quotes(text, size)) return mien_buffer_append(buffer, text, size);
  if (!mien_buffer_append(buffer, "\"", 1)) return false;
  for (const char *at = text, *end = text + size; at < end;) {
    const char *quote = memchr(at, '"', (size_t)(end - at)), *next = quote ? quote + 1 : end;
    if (!mien_buffer_append(buffer, at, (size_t)(next - at))) return false;
    if (quote && !mien_buffer_append(buffer, "\"", 1)) return false;
    at = next;
  }
  return mien_buffer_append(buffer, "\"", 1);
}

/* ---- For people -------------------------------------------------------------------------------------------------- */

typedef struct range {
  uint32_t first, last;
} range;

static bool is_in(uint32_t code, const range *ranges, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (code >= ranges[i].first && code <= ranges[i].last) return true;
  return false;
}

/* Columns of a terminal, as nearly as blocks of characters tell: what is wrong makes a line ragged, no more. */
static size_t columns_of(uint32_t code) {
  static const range none[] = {{0x300, 0x36F}, {0x200B, 0x200F}, {0xFE00, 0xFE0F}};
  static const range two[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
                              {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};
  if (code < none[0].first) return 1;
  if (is_in(code, none, sizeof none / sizeof *none)) return 0;
  return is_in(code, two, sizeof two / sizeof *two) ? 2 : 1;
}

/* Direction marks, embeddings, overrides and isolates, and line separators. */
static bool turns_lines(uint32_t code) {
  static const range marks[] = {{0x061C, 0x061C}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}};
  return is_in(code, marks, sizeof marks / sizeof *marks);
}

bool mien_buffer_append_shown(mien_buffer *buffer, const char *text, size_t size, size_t columns, size_t *used) {
  size_t taken = 0, cut = buffer->size, cut_columns = 0; /* the last place where an ellipsis fits */
  bool done = true;
  for (size_t at = 0; done && at < size;) {
    size_t length = mien_utf8_character(text + at, size - at), wide = 1, shown_bytes = length;
    const char *shown = text + at;
    if (length == 0) {
      shown = replacement, shown_bytes = 3, length = 1;
    } else {
      uint32_t code;
      mien_utf8_decode(shown, length, &code);
      wide = columns_of(code);
      if (code == ' ' || (code >= '\t' && code <= '\r'))
        shown = " ";
      else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
        shown = replacement, shown_bytes = 3;
      else if (turns_lines(code))
        wide = shown_bytes = 0;
    }
    if (taken < columns) cut = buffer->size, cut_columns = taken;
    if (taken + wide > columns) {
      buffer->size = cut;
      taken = cut_columns + 1;
      done = mien_buffer_append(buffer, ellipsis, 3);
      break;
    }
    done = mien_buffer_append(buffer, shown, shown_bytes);
    taken += wide;
    at += length;
  }
  *used += taken;
  return done;
}
