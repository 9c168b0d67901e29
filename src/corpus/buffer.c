/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow, and text quoted into them. */
#include "corpus/buffer.h"

#include <jansson.h>
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

static bool append_utf8(mien_buffer *buffer, const char *text) {
  size_t left = strlen(text);
  for (const char *at = text; left > 0;) {
    size_t length = mien_utf8_character(at, left);
    bool done = length ? mien_buffer_append(buffer, at, length) : mien_buffer_append(buffer, "\xEF\xBF\xBD", 3);
    if (!done) return false;
    at += length ? length : 1;
    left -= length ? length : 1;
  }
  return true;
}

bool mien_buffer_append_json(mien_buffer *buffer, const char *text) {
  mien_buffer clean = {0};
  bool done = append_utf8(&clean, text);
  json_t *string = done ? json_stringn(clean.bytes ? clean.bytes : "", clean.size) : NULL;
  char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
  done = quoted && mien_buffer_append(buffer, quoted, strlen(quoted));
  free(quoted);
  json_decref(string);
  mien_buffer_free(&clean);
  return done;
}

bool mien_buffer_append_csv(mien_buffer *buffer, const char *text) {
  size_t length = strlen(text);
  if (!strpbrk(text, ",\"\r\n") && text[0] != ' ' && (length == 0 || text[length - 1] != ' '))
    return mien_buffer_append(buffer, text, length);
  if (!mien_buffer_append(buffer, "\"", 1)) return false;
  for (; *text; text++) {
    if (*text == '"' && !mien_buffer_append(buffer, "\"", 1)) return false;
    if (!mien_buffer_append(buffer, text, 1)) return false;
  }
  return mien_buffer_append(buffer, "\"", 1);
}

bool mien_buffer_append_plain(mien_buffer *buffer, const char *text) {
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (!mien_buffer_append(buffer, byte < 0x20 || byte == 0x7F ? "?" : text, 1)) return false;
  }
  return true;
}
