/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of texts put into a chunk. */
#include "corpus/chunk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

void mien_chunk_free(mien_chunk *chunk) {
  mien_buffer_free(&chunk->raw);
  mien_buffer_free(&chunk->unescaped);
  free(chunk->records);
  free(chunk->fields);
  chunk->records = NULL;
  chunk->fields = NULL;
  chunk->records_capacity = chunk->n_fields = chunk->fields_capacity = 0;
}

void mien_chunk_trim_fields(mien_chunk *chunk, size_t most_bytes) {
  if (chunk->fields_capacity <= most_bytes / sizeof *chunk->fields) return;
  free(chunk->fields);
  chunk->fields = NULL;
  chunk->n_fields = chunk->fields_capacity = 0;
}

bool mien_chunk_reserve_records(mien_chunk *chunk, size_t n) {
  size_t bytes;
  if (n <= chunk->records_capacity) return true;
  if (!mien_size_mul(n, sizeof *chunk->records, &bytes)) return false;
  mien_record *records = realloc(chunk->records, bytes);
  if (!records) return false;
  chunk->records = records;
  chunk->records_capacity = n;
  return true;
}

bool mien_chunk_reserve_unescaped(mien_chunk *chunk) {
  size_t problems, bytes;
  chunk->unescaped.size = 0;
  return mien_size_mul(chunk->n_rows, MIEN_PROBLEM_BYTES, &problems) &&
         mien_size_add(chunk->raw.size, problems, &bytes) && mien_buffer_reserve(&chunk->unescaped, bytes);
}

mien_span mien_chunk_keep(mien_chunk *chunk, const char *bytes, size_t size) {
  mien_span span = {chunk->unescaped.bytes + chunk->unescaped.size, size};
  if (size) mien_buffer_put(&chunk->unescaped, bytes, size);
  return span;
}

void mien_chunk_set_problem(mien_chunk *chunk, mien_record *record, const char *format, ...) {
  char text[MIEN_PROBLEM_BYTES];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  size_t size = length < 0 ? 0 : length < (int)sizeof text ? (size_t)length : sizeof text - 1;
  text[size] = '\0';
  record->problem = mien_chunk_keep(chunk, text, size + 1).bytes;
  record->text = (mien_span){0};
}

bool mien_chunk_add_field(mien_chunk *chunk, mien_record *record, mien_span name, mien_value value) {
  if (chunk->n_fields == chunk->fields_capacity) {
    enum { FIRST = 64 };
    size_t capacity = chunk->fields_capacity ? 2 * chunk->fields_capacity : FIRST, bytes;
    if (!mien_size_mul(capacity, sizeof *chunk->fields, &bytes)) return false;
    mien_field *fields = realloc(chunk->fields, bytes);
    if (!fields) return false;
    chunk->fields = fields;
    chunk->fields_capacity = capacity;
  }
  chunk->fields[chunk->n_fields++] = (mien_field){name, value};
  record->n_fields++;
  return true;
}

void mien_chunk_set_fields(mien_chunk *chunk) {
  const mien_field *at = chunk->fields;
  for (size_t i = 0; i < chunk->n_rows; i++) {
    chunk->records[i].fields = at;
    if (at) at += chunk->records[i].n_fields;
  }
}
