/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4180: where a record ends, found piece by piece as bytes arrive, and its fields once it is whole. */
#include "corpus/csv.h"

#include <string.h>

static uint64_t count_newlines(const char *bytes, size_t size) {
  uint64_t count = 0;
  for (const char *at = bytes, *end = bytes + size; (at = memchr(at, '\n', (size_t)(end - at))); at++) count++;
  return count;
}

/* Most records are one line without quotes. */
static bool scan_plain_line(mien_csv_scan *scan, const char *bytes, size_t size) {
  const char *newline = memchr(bytes, '\n', size);
  size_t length = newline ? (size_t)(newline - bytes) : size;
  if (!newline || memchr(bytes, '"', length)) return false;
  scan->at = length + 1;
  scan->newlines = 1;
  return true;
}

bool mien_csv_scan_run(mien_csv_scan *scan, const char *bytes, size_t size) {
  if (scan->at == 0 && scan->state == MIEN_CSV_FIELD && scan->newlines == 0 && scan_plain_line(scan, bytes, size))
    return true;
  size_t at = scan->at;
  while (at < size) {
    char byte = bytes[at];
    switch (scan->state) {
    case MIEN_CSV_FIELD:
      scan->state = byte == '"' ? MIEN_CSV_QUOTED : MIEN_CSV_PLAIN;
      if (byte == '"') {
        scan->quote_opened = scan->newlines;
        at++;
      }
      break;
    case MIEN_CSV_PLAIN:
      while (at < size && bytes[at] != ',' && bytes[at] != '\n') at++;
      if (at == size) break;
      if (bytes[at++] == ',') {
        scan->state = MIEN_CSV_FIELD;
        break;
      }
      scan->newlines++;
      scan->at = at;
      return true;
    case MIEN_CSV_QUOTED: {
      const char *quote = memchr(bytes + at, '"', size - at);
      size_t end = quote ? (size_t)(quote - bytes) : size;
      scan->newlines += count_newlines(bytes + at, end - at);
      if (quote) scan->state = MIEN_CSV_QUOTE;
      at = end + (quote != NULL);
      break;
    }
    case MIEN_CSV_QUOTE: /* the end of the field, or the first of two that are one */
      scan->state = byte == '"' ? MIEN_CSV_QUOTED : MIEN_CSV_PLAIN;
      at += byte == '"';
      break;
    }
  }
  scan->at = at;
  return false;
}

bool mien_csv_scan_is_open(const mien_csv_scan *scan) { return scan->state == MIEN_CSV_QUOTED; }

/*
 * The field that begins with the quote at record[at], as *field; returns where its closing quote is, or `size` when
 * there is none. A doubled quote moves what follows it down by one.
 */
static size_t read_quoted(char *record, size_t size, size_t at, mien_span *field) {
  size_t from = at + 1, to = from;
  field->bytes = record + from;
  for (;;) {
    const char *quote = memchr(record + from, '"', size - from);
    size_t end = quote ? (size_t)(quote - record) : size;
    bool doubled = end + 1 < size && record[end + 1] == '"';
    size_t length = end - from + doubled;
    if (to != from) memmove(record + to, record + from, length);
    to += length;
    from = end + 2;
    field->size = (size_t)(record + to - field->bytes);
    if (!doubled) return end;
  }
}

mien_csv_problem mien_csv_split(char *record, size_t size, mien_span *fields, size_t capacity, size_t *n_fields) {
  size_t n = 0, at = 0;
  mien_csv_problem problem = NULL;
  for (;;) {
    mien_span field;
    if (at < size && record[at] == '"') {
      at = read_quoted(record, size, at, &field) + 1;
      if (at < size && record[at] != ',') {
        problem = "bytes between a field's closing quote and the next comma";
        break;
      }
    } else {
      const char *comma = memchr(record + at, ',', size - at);
      field.bytes = record + at;
      field.size = comma ? (size_t)(comma - field.bytes) : size - at;
      at += field.size;
    }
    if (n++ < capacity) fields[n - 1] = field;
    if (at >= size) break;
    at++;
  }
  *n_fields = n;
  return problem;
}

void mien_tsv_split(char *record, size_t size, mien_span *fields, size_t capacity, size_t *n_fields) {
  size_t n = 0;
  for (const char *at = record, *end = record + size;; n++) {
    const char *tab = memchr(at, '\t', (size_t)(end - at));
    if (n < capacity) fields[n] = (mien_span){at, (size_t)((tab ? tab : end) - at)};
    if (!tab) break;
    at = tab + 1;
  }
  *n_fields = n + 1;
}
