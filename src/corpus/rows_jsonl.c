/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as jsonl: row, file, id, kept fields, then labels and scores, tokens, or an error. */
#include "base/utf8.h"
#include "corpus/row.h"

/* A JSON value as it was read, or a text. White space between its parts may hold \r, which ends a line for some. */
static bool put_value(mien_buffer *out, const mien_value *value) {
  if (!value->is_json) return mien_buffer_append_json(out, value->span.bytes, value->span.size);
  const size_t start = out->size;
  if (!mien_buffer_append(out, value->span.bytes, value->span.size)) return false;
  for (char *at = out->bytes + start, *end = out->bytes + out->size; (at = memchr(at, '\r', (size_t)(end - at)));)
    *at = ' ';
  return true;
}

static bool put_field(const mien_row_format *rows, mien_buffer *out, const mien_field *field) {
  mien_buffer name = {0};
  bool done = mien_row_append_name(rows, field->name, &name) && mien_buffer_append(out, ",", 1) &&
              mien_buffer_append_json(out, name.bytes ? name.bytes : "", name.size) &&
              mien_buffer_append(out, ":", 1) && put_value(out, &field->value);
  mien_buffer_free(&name);
  return done;
}

static bool put_record(const mien_row_format *rows, mien_buffer *out, const mien_record *record) {
  if (record->id.span.bytes && !(mien_buffer_append(out, ",\"id\":", 6) && put_value(out, &record->id))) return false;
  for (size_t i = 0; i < record->n_fields; i++)
    if (!put_field(rows, out, &record->fields[i])) return false;
  return true;
}

static bool put_error(mien_buffer *out, const char *explanation) {
  return mien_buffer_append(out, ",\"error\":", 9) && mien_buffer_append_json(out, explanation, strlen(explanation)) &&
         mien_buffer_append(out, "}\n", 2);
}

/* Labels [n], and the scores [L] that they were given by. */
static void put_labels(const mien_row_format *rows, mien_buffer *out, const uint64_t *order, size_t n,
                       const float *scores) {
  MIEN_PUT(out, ",\"labels\":[");
  for (size_t i = 0; i < n; i++) {
    if (i) MIEN_PUT(out, ",");
    mien_put_label(rows, out, mien_label_of(order[i]));
  }
  MIEN_PUT(out, "],\"scores\":[");
  for (size_t i = 0; i < n; i++) {
    if (i) MIEN_PUT(out, ",");
    mien_put_float(out, scores[mien_label_of(order[i])]);
  }
  if (rows->options.all_scores) {
    MIEN_PUT(out, "],\"all_scores\":[");
    for (size_t i = 0; i < rows->selection.n_labels; i++) {
      if (i) MIEN_PUT(out, ",");
      mien_put_float(out, scores[i]);
    }
  }
  MIEN_PUT(out, "]");
}

/* How many bytes or characters of the text stand before byte `to`; `before` of them stand before byte `from`. */
static size_t count_to(const mien_row_format *rows, const mien_span *text, size_t from, size_t to, size_t before) {
  if (!rows->options.counts_characters) return to;
  uint32_t c;
  for (; from < to; before++) from += mien_utf8_decode(text->bytes + from, text->size - from, &c);
  return before;
}

/* The row's labels are written: their scratch is the spans'. */
static bool put_spans(const mien_row_format *rows, mien_buffer *out, const mien_row *row) {
  const mien_pieces *pieces = row->pieces;
  const mien_span *text = &row->record->text;
  const size_t n_labels = rows->selection.n_labels, words = (n_labels + 31) / 32;
  size_t at = 0, place = 0;
  MIEN_PUT(out, ",\"spans\":[");
  for (size_t i = row->first_span; i < row->first_span + row->n_spans; i++) {
    const size_t slot = pieces->slots[i], start = (size_t)(pieces->texts[i].bytes - text->bytes);
    const float *scores = pieces->results.scores + slot * n_labels;
    if (!mien_buffer_reserve(out, rows->row_bytes)) return false;
    place = count_to(rows, text, at, start, place);
    if (i > row->first_span) MIEN_PUT(out, ",");
    MIEN_PUT(out, "{\"start\":");
    mien_put_uint(out, place);
    at = start + pieces->texts[i].size;
    place = count_to(rows, text, start, at, place);
    MIEN_PUT(out, ",\"end\":");
    mien_put_uint(out, place);
    const size_t n = mien_select_labels(&rows->selection, pieces->results.words + slot * words, scores, row->order);
    put_labels(rows, out, row->order, n, scores);
    MIEN_PUT(out, "}");
  }
  if (!mien_buffer_reserve(out, rows->row_bytes)) return false;
  MIEN_PUT(out, "]");
  return true;
}

/* Digits of most vocabularies' ids, without mien_format_uint's copy. */
static char *put_id(char *at, uint32_t id) {
  enum { SHORT = 100000 };
  if (id >= SHORT) return at + mien_format_uint(at, id);
  char digits[5];
  int n = 0;
  do {
    digits[n++] = (char)('0' + id % 10);
    id /= 10;
  } while (id);
  while (n > 0) *at++ = digits[--n];
  return at;
}

static bool put_tokens(mien_buffer *out, const mien_row *row) {
  enum { ID_BYTES = 11, AROUND = 32 }; /* of an int32 and its comma */
  if (!mien_buffer_reserve(out, row->n_ids * ID_BYTES + AROUND)) return false;
  MIEN_PUT(out, ",\"ids\":[");
  char *at = out->bytes + out->size;
  for (size_t i = 0; i < row->n_ids; i++) {
    at = put_id(at, (uint32_t)row->ids[i]);
    *at++ = ',';
  }
  if (row->n_ids) at--;
  *at++ = ']';
  out->size = (size_t)(at - out->bytes);
  if (row->is_truncated) MIEN_PUT(out, ",\"truncated\":true");
  MIEN_PUT(out, "}\n");
  return true;
}

bool mien_row_put_jsonl(const mien_row_format *rows, mien_buffer *out, const mien_row *row) {
  if (!mien_buffer_reserve(out, rows->row_bytes + row->file->size)) return false;
  MIEN_PUT(out, "{\"row\":");
  mien_put_uint(out, row->number);
  if (row->file->size) {
    MIEN_PUT(out, ",\"file\":");
    mien_buffer_put(out, row->file->bytes, row->file->size);
  }
  if (row->record && !put_record(rows, out, row->record)) return false;
  if (row->explanation) return put_error(out, row->explanation);
  if (rows->options.content == MIEN_ROWS_TOKENS) return put_tokens(out, row);
  if (!mien_buffer_reserve(out, rows->row_bytes)) return false;
  put_labels(rows, out, row->order, row->n, row->scores);
  if (row->pieces && !put_spans(rows, out, row)) return false;
  if (row->is_truncated) MIEN_PUT(out, ",\"truncated\":true");
  MIEN_PUT(out, "}\n");
  return true;
}
