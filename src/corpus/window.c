/* SPDX-License-Identifier: Apache-2.0 */
/* The next bytes of an input of texts, and where its rows end. */
#include "corpus/window.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

enum {
  SMALLEST_WINDOW = 1 << 20, /* some chunks of rows */
  LINE_END = 2,              /* bytes of \r\n */
};

/* What a row may have of bytes before it is known to be too long. */
#define MOST_PENDING (MIEN_MAX_TEXT_BYTES + LINE_END)

static size_t room(const mien_window *window) { return window->capacity - window->end; }

/* Makes room for more bytes: by moving those there are to the front, else by growing. */
static mien_status make_room(mien_window *window, mien_error *error) {
  if (room(window) > 0) return MIEN_OK;
  if (window->start > 0) {
    memmove(window->bytes, window->bytes + window->start, window->end - window->start);
    window->end -= window->start;
    window->start = 0;
    return MIEN_OK;
  }
  size_t capacity = window->capacity ? 2 * window->capacity : SMALLEST_WINDOW;
  if (capacity > MOST_PENDING) capacity = MOST_PENDING + SMALLEST_WINDOW;
  char *bytes = realloc(window->bytes, capacity);
  if (!bytes) return mien_fail_memory(error, window->stream.name, capacity);
  window->bytes = bytes;
  window->capacity = capacity;
  return MIEN_OK;
}

static mien_status read_more(mien_window *window, mien_error *error) {
  size_t found = 0;
  mien_status status = make_room(window, error);
  if (status == MIEN_OK)
    status = mien_stream_read_some(&window->stream, window->bytes + window->end, room(window), &found, error);
  window->end += found;
  window->ended = status == MIEN_OK && found == 0;
  return status;
}

/* Whether the first bytes may become a mark with those that follow: nothing else is worth waiting for. */
static bool may_become_mark(const mien_window *window) {
  static const char *const marks[] = {"\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF"};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
    if (window->end < strlen(marks[i]) && memcmp(window->bytes, marks[i], window->end) == 0) return true;
  return false;
}

static mien_status skip_mark(mien_window *window, mien_error *error) {
  mien_status status = read_more(window, error);
  while (status == MIEN_OK && !window->ended && may_become_mark(window)) status = read_more(window, error);
  if (status != MIEN_OK) return status;
  if (window->end >= 2 && (memcmp(window->bytes, "\xFF\xFE", 2) == 0 || memcmp(window->bytes, "\xFE\xFF", 2) == 0))
    return mien_fail(error, MIEN_INPUT, "%s: expected UTF-8, found UTF-16 by its byte order mark", window->stream.name);
  window->start = mien_utf8_mark(window->bytes, window->end);
  window->consumed = window->start;
  return MIEN_OK;
}

mien_status mien_window_open(mien_window *window, const char *path, bool is_csv, const atomic_bool *cancel,
                             mien_error *error) {
  *window = (mien_window){.bytes = window->bytes, .capacity = window->capacity, .is_csv = is_csv, .line = 1};
  mien_status status = mien_stream_open(&window->stream, path, cancel, error);
  if (status == MIEN_OK) status = skip_mark(window, error);
  if (status != MIEN_OK) mien_window_close(window);
  return status;
}

void mien_window_close(mien_window *window) { mien_stream_close(&window->stream); }

uint64_t mien_window_place(const mien_window *window) {
  return window->stream.decompressor ? window->stream.place : window->consumed;
}

void mien_window_free(mien_window *window) {
  free(window->bytes);
  *window = (mien_window){.stream.fd = -1};
}

static bool scan_line(mien_csv_scan *scan, const char *bytes, size_t size) {
  const char *newline = memchr(bytes + scan->at, '\n', size - scan->at);
  scan->at = newline ? (size_t)(newline - bytes) + 1 : size;
  scan->newlines = newline != NULL;
  return newline != NULL;
}

/* The row is bytes[start .. start + length); `has_end`: the last byte is its newline. */
static void set_row(mien_window *window, size_t length, bool has_end, mien_window_row *row) {
  char *bytes = window->bytes + window->start;
  size_t size = length - has_end;
  /* A last csv record may have lost the second byte of its line end; a line of text is what it is. */
  if ((has_end || window->is_csv) && size > 0 && bytes[size - 1] == '\r') size--;
  *row = (mien_window_row){.bytes = bytes, .size = size, .length = length, .line = window->line};
  row->is_too_long = window->passed + size > MIEN_MAX_TEXT_BYTES;
  if (row->is_too_long) row->size = 0;
}

/* The last row, of an input whose last line has no end. */
static mien_status find_last(mien_window *window, mien_window_row *row, mien_window_find *find, mien_error *error) {
  size_t pending = window->end - window->start;
  if (window->is_csv && mien_csv_scan_is_open(&window->scan))
    return mien_fail(error, MIEN_INPUT,
                     "%s:%" PRIu64
                     ": a quoted field opens here: expected its closing quote, found the end of the input",
                     window->stream.name, window->line + window->scan.quote_opened);
  *find = pending + window->passed > 0 ? MIEN_WINDOW_ROW : MIEN_WINDOW_END;
  set_row(window, pending, false, row);
  return MIEN_OK;
}

/* Drops what is there of a row that is too long to be kept. */
static void pass_over(mien_window *window) {
  size_t pending = window->end - window->start;
  window->passed += pending;
  window->consumed += pending;
  window->start = window->end = window->scan.at = 0;
}

mien_status mien_window_next(mien_window *window, bool may_wait, mien_window_row *row, mien_window_find *find,
                             mien_error *error) {
  for (;;) {
    const char *bytes = window->bytes + window->start;
    const size_t pending = window->end - window->start;
    if (window->is_csv ? mien_csv_scan_run(&window->scan, bytes, pending) : scan_line(&window->scan, bytes, pending)) {
      *find = MIEN_WINDOW_ROW;
      set_row(window, window->scan.at, true, row);
      return MIEN_OK;
    }
    if (window->ended) return find_last(window, row, find, error);
    if (!may_wait && !mien_stream_is_ready(&window->stream)) {
      *find = MIEN_WINDOW_LATER;
      return MIEN_OK;
    }
    if (pending > MOST_PENDING) pass_over(window);
    mien_status status = read_more(window, error);
    if (status != MIEN_OK) return status;
  }
}

void mien_window_accept(mien_window *window, const mien_window_row *row) {
  window->start += row->length;
  window->consumed += row->length;
  window->line += window->scan.newlines;
  window->passed = 0;
  window->scan = (mien_csv_scan){0};
}

/* Rows of which bytes were dropped can't be found again: they must be accepted. */
void mien_window_leave(mien_window *window) { window->scan = (mien_csv_scan){0}; }
