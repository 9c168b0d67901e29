/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as csv: row,id,labels,error[,file][,kept fields][,a column a label]. */
#include <jansson.h>

#include "corpus/row.h"

/* A text as it is; of JSON, a string's own characters, nothing for null, and other values as they were read. */
static bool put_value(mien_buffer *out, const mien_value *value) {
  const mien_span span = value->span;
  if (!span.bytes || (value->is_json && span.size == 4 && memcmp(span.bytes, "null", 4) == 0)) return true;
  if (!value->is_json || span.bytes[0] != '"') return mien_buffer_append_csv(out, span.bytes, span.size);
  if (!memchr(span.bytes, '\\', span.size)) return mien_buffer_append_csv(out, span.bytes + 1, span.size - 2);
  json_t *string = json_loadb(span.bytes, span.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  bool done = string && mien_buffer_append_csv(out, json_string_value(string), json_string_length(string));
  json_decref(string);
  return done;
}

static void put_labels(const mien_row_format *rows, mien_buffer *out, const mien_row *row) {
  bool quoted = false;
  for (size_t i = 0; i < row->n; i++) quoted |= rows->csv_quoted[mien_label_of(row->order[i])];
  if (quoted) MIEN_PUT(out, "\"");
  for (size_t i = 0; i < row->n; i++) {
    if (i) MIEN_PUT(out, "|");
    mien_put_label(rows, out, mien_label_of(row->order[i]));
  }
  if (quoted) MIEN_PUT(out, "\"");
}

/* Every row has all fields that were asked for, but not one whose own could not be read. */
static bool put_fields(const mien_row_format *rows, mien_buffer *out, const mien_record *record) {
  for (size_t i = 0; record && i < rows->options.n_keep; i++) {
    if (!mien_buffer_append(out, ",", 1)) return false;
    if (i < record->n_fields && !put_value(out, &record->fields[i].value)) return false;
  }
  return true;
}

/* An embedding has no id: the column stays, empty, for programs that read outputs of text too. */
bool mien_row_put_csv(const mien_row_format *rows, mien_buffer *out, const mien_row *row) {
  if (!mien_buffer_reserve(out, rows->row_bytes)) return false;
  mien_put_uint(out, row->number);
  MIEN_PUT(out, ",");
  if (row->record && !put_value(out, &row->record->id)) return false;
  if (!mien_buffer_reserve(out, rows->row_bytes + row->file->size)) return false;
  MIEN_PUT(out, ",");
  put_labels(rows, out, row);
  MIEN_PUT(out, ",");
  if (row->explanation && !mien_buffer_append_csv(out, row->explanation, strlen(row->explanation))) return false;
  if (row->file->size &&
      !(mien_buffer_append(out, ",", 1) && mien_buffer_append(out, row->file->bytes, row->file->size)))
    return false;
  if (!put_fields(rows, out, row->record) || !mien_buffer_reserve(out, rows->row_bytes)) return false;
  for (size_t i = 0; rows->options.all_scores && i < rows->selection.n_labels; i++) {
    MIEN_PUT(out, ",");
    if (row->scores) mien_put_float(out, row->scores[i]);
  }
  MIEN_PUT(out, "\n");
  return true;
}
