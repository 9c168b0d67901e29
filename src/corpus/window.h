/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next bytes of an input of texts, and where its rows end: lines, or csv records. Memory is bounded whatever a
 * row's length: one that is too long is passed over and told as such.
 */
#ifndef MIEN_CORPUS_WINDOW_H
#define MIEN_CORPUS_WINDOW_H

#include "corpus/csv.h"
#include "corpus/stream.h"

typedef struct mien_window {
  mien_stream stream;
  bool is_csv;
  char *bytes;
  size_t capacity;
  size_t start, end;  /* bytes[start .. end) are read and not accepted */
  uint64_t passed;    /* bytes of the row looked for that were dropped, as it is too long */
  uint64_t consumed;  /* bytes before bytes[start], of what a compressed input stands for */
  uint64_t line;      /* 1-based, where the row looked for begins */
  mien_csv_scan scan; /* of the row looked for */
  bool ended;         /* the input has no more bytes than are here */
} mien_window;

/* A row that was found. */
typedef struct mien_window_row {
  char *bytes;      /* until the next call; may be changed */
  size_t size;      /* without its line end */
  size_t length;    /* with it */
  uint64_t line;    /* where it begins */
  bool is_too_long; /* over MIEN_MAX_TEXT_BYTES; it has no bytes then */
} mien_window_row;

typedef enum mien_window_find {
  MIEN_WINDOW_ROW,
  MIEN_WINDOW_LATER, /* a stream has no whole row for now */
  MIEN_WINDOW_END,
} mien_window_find;

/* Opens `path` and skips its byte order mark; UTF-16 is refused. *window starts as zeros, and is closed after a failure
 * too; it may then be opened again. */
MIEN_MUST_USE mien_status mien_window_open(mien_window *window, const char *path, bool is_csv,
                                           const atomic_bool *cancel, mien_error *error);
void mien_window_close(mien_window *window);

/* How far it is in the input as it lies there; of a compressed one, behind what was read to get where it is. */
uint64_t mien_window_place(const mien_window *window);

void mien_window_free(mien_window *window);

/* Looks for the next row behind those accepted, reading as it has to; a stream is waited for only if it `may_wait`. */
MIEN_MUST_USE mien_status mien_window_next(mien_window *window, bool may_wait, mien_window_row *row,
                                           mien_window_find *find, mien_error *error);

/* After a row was found: goes on behind it, or leaves it to be found again. */
void mien_window_accept(mien_window *window, const mien_window_row *row);
void mien_window_leave(mien_window *window);

#endif
