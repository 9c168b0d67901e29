/* SPDX-License-Identifier: Apache-2.0 */
/* Results of a chunk as bytes of the output: jsonl, csv, npy, bits, or text for people. */
#include "corpus/rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/number.h"

enum {
  ROW_BYTES = 256,         /* names, numbers and punctuation of a row that holds nothing else */
  LABEL_BYTES = 32,        /* what stands around a label and its score, colours among it */
  EXPLANATION_BYTES = 128, /* of a bad row */
};

static const char bold[] = "\x1b[1;36m", dim[] = "\x1b[2m", red[] = "\x1b[31m", plain[] = "\x1b[0m";

#define PUT(buffer, literal) mien_buffer_put(buffer, literal, sizeof(literal) - 1)

/* ---- Preparing ----------------------------------------------------------------------------------------------- */

static mien_status quote_label(mien_row_format *rows, size_t index, const char *name, mien_error *error) {
  mien_buffer *labels = &rows->labels;
  bool done = true;
  switch (rows->options.format) {
  case MIEN_OUTPUT_JSONL: done = mien_buffer_append_json(labels, name); break;
  case MIEN_OUTPUT_TEXT: done = mien_buffer_append_plain(labels, name); break;
  case MIEN_OUTPUT_CSV:
    if (strchr(name, '|'))
      return mien_fail(error, MIEN_ARGUMENT, "label '%s' has a '|', which joins labels in csv: use jsonl", name);
    rows->csv_quoted[index] = strpbrk(name, ",\"\r\n") != NULL;
    for (; *name && done; name++)
      done = mien_buffer_append(labels, "\"\"", *name == '"') && mien_buffer_append(labels, name, 1);
    break;
  default: break;
  }
  return done ? MIEN_OK : mien_fail_memory(error, "labels", labels->size);
}

static bool is_array(mien_output_format format) { return format == MIEN_OUTPUT_NPY || format == MIEN_OUTPUT_BITS; }

size_t mien_row_result_bytes(const mien_model *model, const mien_row_options *options) {
  enum { SCORE_BYTES = 12 }; /* as text with its comma, most often */
  size_t n = mien_model_label_count(model), names = 0;
  if (options->format == MIEN_OUTPUT_BITS && options->top_k == 0 && !options->min_one_label)
    return mien_model_words(model) * sizeof(uint32_t);
  size_t bytes = n * sizeof(float);
  if (is_array(options->format)) return bytes;
  size_t text = options->all_scores ? n * SCORE_BYTES : 0;
  for (size_t i = 0; options->top_k && i < n; i++) names += strlen(mien_model_label_name(model, i));
  if (options->top_k) text += (options->top_k < n ? options->top_k : n) * (names / n + LABEL_BYTES + SCORE_BYTES);
  return text > bytes ? text : bytes;
}

mien_status mien_row_format_init(mien_row_format *rows, const mien_model *model, const mien_row_options *options,
                                 mien_error *error) {
  rows->options = *options;
  size_t n = mien_model_label_count(model);
  rows->label_starts = mien_alloc(n + 1, sizeof *rows->label_starts);
  rows->csv_quoted = mien_alloc(n, sizeof *rows->csv_quoted);
  if (!rows->label_starts || !rows->csv_quoted) return mien_fail_memory(error, "labels", n * sizeof(size_t));
  mien_status status = mien_selection_init(&rows->selection, model, options->top_k, options->min_one_label, error);
  for (size_t i = 0; status == MIEN_OK && i < n; i++) {
    status = quote_label(rows, i, mien_model_label_name(model, i), error);
    rows->label_starts[i + 1] = rows->labels.size;
  }
  rows->row_bytes = ROW_BYTES + rows->labels.size + n * (LABEL_BYTES + 2 * MIEN_NUMBER_CHARS);
  return status;
}

void mien_row_format_free(mien_row_format *rows) {
  mien_selection_free(&rows->selection);
  mien_buffer_free(&rows->labels);
  mien_free(rows->label_starts);
  mien_free(rows->csv_quoted);
}

bool mien_row_format_needs_scores(const mien_row_format *rows) {
  return rows->options.format != MIEN_OUTPUT_BITS || !mien_selection_is_plain(&rows->selection);
}

/* ---- Pieces of a row; room for them was reserved ------------------------------------------------------------- */

static void put_float(mien_buffer *out, float value) { out->size += mien_format_float(out->bytes + out->size, value); }

static void put_uint(mien_buffer *out, uint64_t value) { out->size += mien_format_uint(out->bytes + out->size, value); }

static void put_label(const mien_row_format *rows, mien_buffer *out, size_t label) {
  size_t start = rows->label_starts[label];
  mien_buffer_put(out, rows->labels.bytes + start, rows->label_starts[label + 1] - start);
}

static size_t label_of(uint64_t key) { return (size_t)(uint32_t)key; }

typedef struct row {
  uint64_t number;
  const float *scores;   /* [L], or NULL for a bad row */
  const uint64_t *order; /* [n] */
  size_t n;
  const char *explanation; /* of a bad row */
  const mien_buffer *file; /* quoted, empty when there is one input only */
} row;

static void put_jsonl(const mien_row_format *rows, mien_buffer *out, const row *r) {
  PUT(out, "{\"row\":");
  put_uint(out, r->number);
  if (r->file->size) {
    PUT(out, ",\"file\":");
    mien_buffer_put(out, r->file->bytes, r->file->size);
  }
  if (!r->scores) {
    PUT(out, ",\"error\":\"");
    mien_buffer_put(out, r->explanation, strlen(r->explanation));
    PUT(out, "\"}\n");
    return;
  }
  PUT(out, ",\"labels\":[");
  for (size_t i = 0; i < r->n; i++) {
    if (i) PUT(out, ",");
    put_label(rows, out, label_of(r->order[i]));
  }
  PUT(out, "],\"scores\":[");
  for (size_t i = 0; i < r->n; i++) {
    if (i) PUT(out, ",");
    put_float(out, r->scores[label_of(r->order[i])]);
  }
  if (rows->options.all_scores) {
    PUT(out, "],\"all_scores\":[");
    for (size_t i = 0; i < rows->selection.n_labels; i++) {
      if (i) PUT(out, ",");
      put_float(out, r->scores[i]);
    }
  }
  PUT(out, "]}\n");
}

/* An embedding has no id: the column stays, empty, for programs that read outputs of text too. */
static void put_csv(const mien_row_format *rows, mien_buffer *out, const row *r) {
  put_uint(out, r->number);
  PUT(out, ",,");
  bool quoted = false;
  for (size_t i = 0; i < r->n; i++) quoted |= rows->csv_quoted[label_of(r->order[i])];
  if (quoted) PUT(out, "\"");
  for (size_t i = 0; i < r->n; i++) {
    if (i) PUT(out, "|");
    put_label(rows, out, label_of(r->order[i]));
  }
  if (quoted) PUT(out, "\"");
  PUT(out, ",");
  if (!r->scores) mien_buffer_put(out, r->explanation, strlen(r->explanation));
  if (r->file->size) {
    PUT(out, ",");
    mien_buffer_put(out, r->file->bytes, r->file->size);
  }
  for (size_t i = 0; rows->options.all_scores && i < rows->selection.n_labels; i++) {
    PUT(out, ",");
    if (r->scores) put_float(out, r->scores[i]);
  }
  PUT(out, "\n");
}

/* Three decimals are enough for people, unless they would tell another side of the threshold than the label does. */
static void put_short_score(mien_buffer *out, float score, float threshold) {
  char text[MIEN_NUMBER_CHARS];
  int length = snprintf(text, sizeof text, "%.3f", (double)score);
  if ((strtof(text, NULL) > threshold) == (score > threshold)) {
    mien_buffer_put(out, text, (size_t)length);
  } else {
    put_float(out, score);
  }
}

static void put_colour(const mien_row_format *rows, mien_buffer *out, const char *colour) {
  if (rows->options.colour) mien_buffer_put(out, colour, strlen(colour));
}

static void put_text(const mien_row_format *rows, mien_buffer *out, const row *r) {
  enum { NUMBER_WIDTH = 8 };
  size_t start = out->size;
  put_uint(out, r->number);
  size_t digits = out->size - start;
  if (digits < NUMBER_WIDTH) {
    memmove(out->bytes + start + NUMBER_WIDTH - digits, out->bytes + start, digits);
    memset(out->bytes + start, ' ', NUMBER_WIDTH - digits);
    out->size = start + NUMBER_WIDTH;
  }
  if (r->file->size) {
    PUT(out, "  ");
    mien_buffer_put(out, r->file->bytes, r->file->size);
  }
  if (!r->scores) {
    PUT(out, "  ");
    put_colour(rows, out, red);
    PUT(out, "bad row: ");
    mien_buffer_put(out, r->explanation, strlen(r->explanation));
    put_colour(rows, out, plain);
  } else if (r->n == 0) {
    PUT(out, "  -");
  }
  for (size_t i = 0; i < r->n; i++) {
    size_t label = label_of(r->order[i]);
    PUT(out, "  ");
    put_colour(rows, out, bold);
    put_label(rows, out, label);
    put_colour(rows, out, plain);
    PUT(out, " ");
    put_colour(rows, out, dim);
    put_short_score(out, r->scores[label], rows->selection.thresholds[label]);
    put_colour(rows, out, plain);
  }
  PUT(out, "\n");
}

/* ---- A chunk ------------------------------------------------------------------------------------------------- */

static bool quote_file(const mien_row_format *rows, size_t input, mien_buffer *file) {
  const mien_inputs *inputs = rows->options.inputs;
  if (!inputs || inputs->count < 2) return true;
  const char *path = inputs->items[input].path;
  switch (rows->options.format) {
  case MIEN_OUTPUT_JSONL: return mien_buffer_append_json(file, path);
  case MIEN_OUTPUT_CSV: return mien_buffer_append_csv(file, path);
  default: return mien_buffer_append_plain(file, path);
  }
}

static mien_status format_text(const mien_row_format *rows, mien_block *block, const mien_buffer *file,
                               mien_error *error) {
  size_t n_labels = rows->selection.n_labels, words = (n_labels + 31) / 32;
  block->text.size = 0;
  for (size_t i = 0; i < block->chunk.n_rows; i++) {
    size_t most = rows->row_bytes + file->size + EXPLANATION_BYTES;
    if (!mien_buffer_reserve(&block->text, most)) return mien_fail_memory(error, "output", block->text.size + most);
    char explanation[EXPLANATION_BYTES];
    row r = {.number = block->chunk.first_row + i, .order = block->order, .file = file};
    if (block->results.status[i] == MIEN_ROW_OK) {
      r.scores = block->results.scores + i * n_labels;
      r.n = mien_select_labels(&rows->selection, block->results.words + i * words, r.scores, block->order);
      block->n_labels += r.n;
    } else {
      mien_block_explain(block, i, explanation, sizeof explanation);
      r.explanation = explanation;
    }
    switch (rows->options.format) {
    case MIEN_OUTPUT_JSONL: put_jsonl(rows, &block->text, &r); break;
    case MIEN_OUTPUT_CSV: put_csv(rows, &block->text, &r); break;
    default: put_text(rows, &block->text, &r); break;
    }
  }
  return MIEN_OK;
}

/* bits and npy are the results as they lie in memory; only a choice other than by thresholds changes the words. */
static void format_arrays(const mien_row_format *rows, mien_block *block) {
  size_t n_labels = rows->selection.n_labels, words = (n_labels + 31) / 32;
  if (!mien_selection_is_plain(&rows->selection)) {
    for (size_t i = 0; i < block->chunk.n_rows; i++) {
      if (block->results.status[i] != MIEN_ROW_OK) continue;
      uint32_t *row_words = block->results.words + i * words;
      size_t n = mien_select_labels(&rows->selection, row_words, block->results.scores + i * n_labels, block->order);
      memset(row_words, 0, words * sizeof *row_words);
      for (size_t k = 0; k < n; k++)
        row_words[label_of(block->order[k]) / 32] |= 1u << (label_of(block->order[k]) % 32);
    }
  }
  size_t all = block->chunk.n_rows * words;
  for (size_t i = 0; i < all; i++) block->n_labels += (uint64_t)__builtin_popcount(block->results.words[i]);
}

mien_status mien_row_format_run(const mien_row_format *rows, mien_block *block, mien_error *error) {
  block->n_labels = 0;
  if (is_array(rows->options.format)) {
    format_arrays(rows, block);
    return MIEN_OK;
  }
  mien_buffer file = {0};
  mien_status status = quote_file(rows, block->chunk.input, &file) ? format_text(rows, block, &file, error)
                                                                   : mien_fail_memory(error, "output", 0);
  mien_buffer_free(&file);
  return status;
}
