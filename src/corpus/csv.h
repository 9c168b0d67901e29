/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4180: where a record ends, found piece by piece as bytes arrive, and its fields once it is whole. */
#ifndef MIEN_CORPUS_CSV_H
#define MIEN_CORPUS_CSV_H

#include <stdbool.h>

#include "corpus/reader.h"

/* How far the search for a record's end has come. All zero before its first byte. */
typedef struct mien_csv_scan {
  enum { MIEN_CSV_FIELD, MIEN_CSV_PLAIN, MIEN_CSV_QUOTED, MIEN_CSV_QUOTE } state;
  size_t at;             /* bytes of the record that were looked at */
  uint64_t newlines;     /* among them */
  uint64_t quote_opened; /* newlines before the last quoted field began */
} mien_csv_scan;

/*
 * Looks on in a record whose first `size` bytes are there. True when it is whole: scan->at is behind the newline that
 * ends it. Time is linear in the record's bytes, in however many pieces they come.
 */
bool mien_csv_scan_run(mien_csv_scan *scan, const char *bytes, size_t size);

/* Whether the bytes so far end inside a quoted field. */
bool mien_csv_scan_is_open(const mien_csv_scan *scan);

/* Why a record's fields can't be told apart, or NULL; static. */
typedef const char *mien_csv_problem;

/*
 * Splits a record without its line end into fields; the first `capacity` are stored, unescaped in place where quotes
 * are doubled. *n_fields counts all, at least one.
 */
mien_csv_problem mien_csv_split(char *record, size_t size, mien_span *fields, size_t capacity, size_t *n_fields);

/* The same for tab-separated values, which have no quotes. */
void mien_tsv_split(char *record, size_t size, mien_span *fields, size_t capacity, size_t *n_fields);

#endif
