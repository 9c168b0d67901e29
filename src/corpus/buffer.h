/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow: where a worker formats its output. */
#ifndef MIEN_CORPUS_BUFFER_H
#define MIEN_CORPUS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* All zero is empty. `bytes` is freed with mien_buffer_free. */
typedef struct mien_buffer {
  char *bytes;
  size_t size, capacity;
} mien_buffer;

/* Makes room for `more` bytes behind `size`; false without memory, with what was there kept. */
bool mien_buffer_reserve(mien_buffer *buffer, size_t more);

bool mien_buffer_append(mien_buffer *buffer, const void *bytes, size_t size);

void mien_buffer_free(mien_buffer *buffer);

/* Into room that was reserved. */
static inline void mien_buffer_put(mien_buffer *buffer, const void *bytes, size_t size) {
  memcpy(buffer->bytes + buffer->size, bytes, size);
  buffer->size += size;
}

/* `text` as a JSON string with its quotes, bytes that are not UTF-8 shown as U+FFFD; false without memory. */
bool mien_buffer_append_json(mien_buffer *buffer, const char *text, size_t size);

/* `text` as a field of RFC 4180: quoted when it has to be. */
bool mien_buffer_append_csv(mien_buffer *buffer, const char *text, size_t size);

/*
 * `text` as one line of at most `columns` (at least 1) of a terminal, an ellipsis where it is cut: white space is a
 * space, other control characters and bytes that are not UTF-8 are U+FFFD, and what turns the direction of writing is
 * left out. Adds the columns taken to *used.
 */
bool mien_buffer_append_shown(mien_buffer *buffer, const char *text, size_t size, size_t columns, size_t *used);

#endif
