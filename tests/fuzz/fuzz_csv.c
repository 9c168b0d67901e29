/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as csv, arriving in pieces of any sizes. Records end and fields are where a reading of RFC
 * 4180 byte by byte says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "corpus/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

/* The reference: one state, one byte at a time. */
typedef struct record {
  size_t length; /* bytes up to its newline and that, or up to the end */
  bool is_whole, is_open, is_broken;
  size_t n_fields, n_bytes; /* of all fields together */
  char *bytes;              /* [size of the input] the fields' bytes */
} record;

static void read_record(const char *bytes, size_t size, record *r) {
  enum { START, PLAIN, QUOTED, CLOSED } state = START;
  *r = (record){.bytes = r->bytes, .n_fields = 1};
  while (r->length < size && !r->is_whole) {
    char byte = bytes[r->length++];
    bool last_return = byte == '\r' && r->length < size && bytes[r->length] == '\n';
    if (state == QUOTED) {
      if (byte == '"')
        state = CLOSED;
      else
        r->bytes[r->n_bytes++] = byte;
    } else if (state == CLOSED && byte == '"') {
      state = QUOTED;
      r->bytes[r->n_bytes++] = byte;
    } else if (byte == '\n') {
      r->is_whole = true;
    } else if (byte == ',') {
      r->n_fields++;
      state = START;
    } else if (state == START && byte == '"') {
      state = QUOTED;
    } else if (!last_return) {
      r->is_broken |= state == CLOSED;
      if (state != CLOSED) r->bytes[r->n_bytes++] = byte;
      /* Behind a closing quote nothing is right until the record's end, which is looked for as in a plain field. */
      if (state == CLOSED || state == START) state = PLAIN;
    }
  }
  r->is_open = state == QUOTED;
}

static void check_record(const char *bytes, const record *expected) {
  size_t size = expected->length - expected->is_whole, n_fields;
  if (expected->is_whole && size > 0 && bytes[size - 1] == '\r') size--;
  char *copy = malloc(size + 1);
  mien_span fields[8];
  require(copy != NULL);
  memcpy(copy, bytes, size);
  mien_csv_problem problem = mien_csv_split(copy, size, fields, 8, &n_fields);
  require((problem != NULL) == expected->is_broken);
  if (!problem) {
    require(n_fields == expected->n_fields);
    size_t at = 0;
    for (size_t i = 0; i < n_fields && i < 8; i++) {
      require(fields[i].size <= expected->n_bytes - at);
      require(fields[i].size == 0 || memcmp(fields[i].bytes, expected->bytes + at, fields[i].size) == 0);
      at += fields[i].size;
    }
    require(n_fields > 8 || at == expected->n_bytes);
  }
  free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  /* The first byte says how the others arrive. */
  uint32_t pieces = data[0];
  const char *bytes = (const char *)data + 1, *end = bytes + size - 1;
  record expected = {.bytes = malloc(size)};
  require(expected.bytes != NULL);
  while (bytes < end) {
    size_t left = (size_t)(end - bytes), there = 0;
    mien_csv_scan scan = {0};
    bool found = false;
    while (!found && there < left) {
      pieces = pieces * 1664525 + 1013904223;
      there += 1 + (pieces >> 24) % 16;
      if (there > left) there = left;
      found = mien_csv_scan_run(&scan, bytes, there);
      require(scan.at <= there);
    }
    read_record(bytes, left, &expected);
    uint64_t newlines = 0;
    for (size_t i = 0; i < expected.length; i++) newlines += bytes[i] == '\n';
    require(found == expected.is_whole && scan.at == expected.length && scan.newlines == newlines);
    require(mien_csv_scan_is_open(&scan) == expected.is_open);
    if (!expected.is_open) check_record(bytes, &expected);
    bytes += scan.at;
  }
  free(expected.bytes);
  return 0;
}
