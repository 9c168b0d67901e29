/* SPDX-License-Identifier: Apache-2.0 */
/* A row on its way into a format, and what the formats put together rows of. */
#ifndef MIEN_CORPUS_ROW_H
#define MIEN_CORPUS_ROW_H

#include "corpus/rows.h"

typedef struct mien_row {
  uint64_t number;
  const float *scores;       /* [L], or NULL for a bad row */
  uint64_t *order;           /* [n] */
  size_t n;                  /* labels given */
  const char *explanation;   /* of a bad row, else NULL */
  const mien_record *record; /* of a text, else NULL */
  bool is_truncated;
  const mien_buffer *file; /* quoted, empty when there is one input only */
  const int32_t *ids;      /* [n_ids] tokens */
  size_t n_ids;
  const mien_pieces *pieces; /* of a text that was split: its spans are n_spans from first_span on; else NULL */
  size_t first_span, n_spans;
} mien_row;

/* Append a row; false without memory. */
bool mien_row_put_jsonl(const mien_row_format *rows, mien_buffer *out, const mien_row *row);
bool mien_row_put_csv(const mien_row_format *rows, mien_buffer *out, const mien_row *row);
bool mien_row_put_text(const mien_row_format *rows, mien_buffer *out, const mien_row *row);

/* ---- Pieces; room for them was reserved -------------------------------------------------------------------------- */

#define MIEN_PUT(buffer, literal) mien_buffer_put(buffer, literal, sizeof(literal) - 1)

static inline void mien_put_float(mien_buffer *out, float value) {
  out->size += mien_format_float(out->bytes + out->size, value);
}

static inline void mien_put_uint(mien_buffer *out, uint64_t value) {
  out->size += mien_format_uint(out->bytes + out->size, value);
}

static inline void mien_put_label(const mien_row_format *rows, mien_buffer *out, size_t label) {
  size_t start = rows->label_starts[label];
  mien_buffer_put(out, rows->labels.bytes + start, rows->label_starts[label + 1] - start);
}

static inline size_t mien_label_of(uint64_t key) { return (size_t)(uint32_t)key; }

#endif
