/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for people: a line each on a terminal. */
#include <stdio.h>
#include <stdlib.h>

#include "corpus/row.h"

static const char bold[] = "\x1b[1;36m", dim[] = "\x1b[2m", red[] = "\x1b[31m", plain[] = "\x1b[0m";

/* Three decimals are enough for people, unless they would tell another side of the threshold than the label does. */
size_t mien_format_score(char out[MIEN_NUMBER_CHARS], float score, float threshold) {
  int length = snprintf(out, MIEN_NUMBER_CHARS, "%.3f", (double)score);
  return (strtof(out, NULL) > threshold) == (score > threshold) ? (size_t)length : mien_format_float(out, score);
}

static void put_colour(const mien_row_format *rows, mien_buffer *out, const char *colour) {
  if (rows->options.colour) mien_buffer_put(out, colour, strlen(colour));
}

/* A number of rows, to the right of a column. */
static void put_number(mien_buffer *out, uint64_t number) {
  enum { WIDTH = 8 };
  char digits[MIEN_NUMBER_CHARS];
  size_t n = mien_format_uint(digits, number);
  for (size_t i = n; i < WIDTH; i++) MIEN_PUT(out, " ");
  mien_buffer_put(out, digits, n);
}

/* The text, in a column of its own that leaves room for a few labels. */
static bool put_shown_text(const mien_row_format *rows, mien_buffer *out, mien_span text) {
  enum { LEAST = 20, MOST = 100, LABELS = 45 };
  size_t columns = rows->options.columns > LABELS + LEAST ? rows->options.columns - LABELS : LEAST, used = 0;
  if (columns > MOST) columns = MOST;
  if (!mien_buffer_append(out, "  ", 2) || !mien_buffer_append_shown(out, text.bytes, text.size, columns, &used))
    return false;
  for (; used < columns; used++)
    if (!mien_buffer_append(out, " ", 1)) return false;
  return true;
}

static bool put_problem(const mien_row_format *rows, mien_buffer *out, const char *explanation) {
  size_t used = 0;
  MIEN_PUT(out, "  ");
  put_colour(rows, out, red);
  MIEN_PUT(out, "bad row: ");
  if (!mien_buffer_append_shown(out, explanation, strlen(explanation), MIEN_EXPLANATION_BYTES, &used) ||
      !mien_buffer_reserve(out, rows->row_bytes))
    return false;
  put_colour(rows, out, plain);
  return true;
}

bool mien_row_put_text(const mien_row_format *rows, mien_buffer *out, const mien_row *row) {
  if (!mien_buffer_reserve(out, rows->row_bytes + row->file->size)) return false;
  put_number(out, row->number);
  if (row->file->size) {
    MIEN_PUT(out, "  ");
    mien_buffer_put(out, row->file->bytes, row->file->size);
  }
  if (row->record && !row->explanation && !put_shown_text(rows, out, row->record->text)) return false;
  if (!mien_buffer_reserve(out, rows->row_bytes)) return false;
  if (row->explanation && !put_problem(rows, out, row->explanation)) return false;
  if (!row->explanation && row->n == 0) MIEN_PUT(out, "  -");
  for (size_t i = 0; i < row->n; i++) {
    size_t label = mien_label_of(row->order[i]);
    MIEN_PUT(out, "  ");
    put_colour(rows, out, bold);
    mien_put_label(rows, out, label);
    put_colour(rows, out, plain);
    MIEN_PUT(out, " ");
    put_colour(rows, out, dim);
    out->size += mien_format_score(out->bytes + out->size, row->scores[label], rows->selection.thresholds[label]);
    put_colour(rows, out, plain);
  }
  MIEN_PUT(out, "\n");
  return true;
}
