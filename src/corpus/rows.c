/* SPDX-License-Identifier: Apache-2.0 */
/* Results of a chunk as bytes of the output: jsonl, csv, npy, bits, or text for people. */
#include "corpus/row.h"

#include "base/memory.h"

enum {
  ROW_BYTES = 256,  /* names, numbers and punctuation of a row that holds nothing else */
  LABEL_BYTES = 32, /* what stands around a label and its score, colours among it */
};

/* ---- Preparing ----------------------------------------------------------------------------------------------- */

/* A name for people, harmless on a terminal. */
static bool append_name(mien_buffer *out, const char *name) {
  size_t columns = 0;
  return mien_buffer_append_shown(out, name, strlen(name), SIZE_MAX, &columns);
}

static mien_status quote_label(mien_row_format *rows, size_t index, const char *name, mien_error *error) {
  mien_buffer *labels = &rows->labels;
  bool done = true;
  switch (rows->options.format) {
  case MIEN_OUTPUT_JSONL: done = mien_buffer_append_json(labels, name, strlen(name)); break;
  case MIEN_OUTPUT_TEXT: done = append_name(labels, name); break;
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

size_t mien_row_result_bytes(const mien_model *model, const mien_row_options *options) {
  enum { SCORE_BYTES = 12 }; /* as text with its comma, most often */
  if (options->content == MIEN_ROWS_EMBEDDINGS) return mien_model_dim(model) * sizeof(float);
  if (options->content == MIEN_ROWS_TOKENS) return 1;
  size_t n = mien_model_label_count(model), names = 0;
  if (options->format == MIEN_OUTPUT_BITS && options->top_k == 0 && !options->min_one_label)
    return mien_model_words(model) * sizeof(uint32_t);
  size_t bytes = n * sizeof(float);
  if (mien_output_is_array(options->format)) return bytes;
  size_t text = options->all_scores ? n * SCORE_BYTES : 0;
  for (size_t i = 0; options->top_k && i < n; i++) names += strlen(mien_model_label_name(model, i));
  if (options->top_k) text += (options->top_k < n ? options->top_k : n) * (names / n + LABEL_BYTES + SCORE_BYTES);
  return text > bytes ? text : bytes;
}

mien_status mien_row_format_init(mien_row_format *rows, const mien_model *model, const mien_row_options *options,
                                 mien_error *error) {
  rows->options = *options;
  rows->model = model;
  rows->row_bytes = ROW_BYTES;
  if (options->content != MIEN_ROWS_LABELS) return MIEN_OK;
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
  return rows->options.content == MIEN_ROWS_LABELS &&
         (rows->options.format != MIEN_OUTPUT_BITS || !mien_selection_is_plain(&rows->selection));
}

/* ---- Names of kept fields ---------------------------------------------------------------------------------------- */

static bool is_named(mien_span name, const char *own) {
  return strlen(own) == name.size && memcmp(own, name.bytes, name.size) == 0;
}

/* What the output calls something of its own. */
static bool is_own_name(const mien_row_format *rows, mien_span name) {
  static const char *const names[] = {"row", "file",      "labels", "scores", "all_scores",
                                      "ids", "truncated", "error",  "spans"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (is_named(name, names[i])) return true;
  const bool is_csv = rows->options.format == MIEN_OUTPUT_CSV;
  if (is_named(name, "id")) return rows->options.has_id || is_csv;
  for (size_t i = 0; is_csv && rows->options.all_scores && i < rows->selection.n_labels; i++)
    if (is_named(name, mien_model_label_name(rows->model, i))) return true;
  return false;
}

bool mien_row_append_name(const mien_row_format *rows, mien_span name, mien_buffer *out) {
  static const char prefix[] = "input_";
  enum { PREFIX = sizeof prefix - 1 };
  mien_span own = name;
  while (!is_own_name(rows, own) && own.size > PREFIX && memcmp(own.bytes, prefix, PREFIX) == 0)
    own = (mien_span){own.bytes + PREFIX, own.size - PREFIX};
  if (is_own_name(rows, own) && !mien_buffer_append(out, prefix, PREFIX)) return false;
  return mien_buffer_append(out, name.bytes, name.size);
}

/* ---- A chunk ------------------------------------------------------------------------------------------------- */

static bool quote_file(const mien_row_format *rows, size_t input, mien_buffer *file) {
  const mien_inputs *inputs = rows->options.inputs;
  if (!inputs || inputs->count < 2) return true;
  const char *path = inputs->items[input].path;
  switch (rows->options.format) {
  case MIEN_OUTPUT_JSONL: return mien_buffer_append_json(file, path, strlen(path));
  case MIEN_OUTPUT_CSV: return mien_buffer_append_csv(file, path, strlen(path));
  default: return append_name(file, path);
  }
}

/* The row's tokens, in the block's scratch. */
static mien_status tokenize(const mien_row_format *rows, mien_block *block, mien_row *row, mien_error *error) {
  const mien_span text = row->record->text;
  const size_t limit = rows->options.max_tokens;
  /* As many ids as mien_tokenize may write, and one more than the limit: it tells that the text is longer. */
  size_t most = text.size + 2;
  if (limit > 0 && most > limit) most = limit + 1;
  if (most > block->ids_capacity) {
    mien_free(block->ids);
    block->ids_capacity = most < 4096 ? 4096 : most;
    block->ids = mien_alloc_raw(block->ids_capacity * sizeof *block->ids);
    if (!block->ids) block->ids_capacity = 0;
    if (!block->ids) return mien_fail_memory(error, "tokens", most * sizeof *block->ids);
  }
  row->ids = block->ids;
  mien_status status = mien_tokenize(rows->model, (mien_text){text.bytes, text.size}, limit > 0 ? limit + 1 : 0,
                                     block->ids, block->ids_capacity, &row->n_ids, error);
  row->is_truncated = status == MIEN_OK && limit > 0 && row->n_ids > limit;
  if (row->is_truncated) {
    block->ids[limit - 1] = block->ids[limit]; /* the last one stays the last */
    row->n_ids = limit;
    block->results.n_truncated++;
  }
  block->n_tokens += row->n_ids;
  return status;
}

static mien_status make_row(const mien_row_format *rows, mien_block *block, const mien_pieces *pieces, size_t i,
                            mien_row *row, char explanation[MIEN_EXPLANATION_BYTES], mien_error *error) {
  const size_t n_labels = rows->selection.n_labels, words = (n_labels + 31) / 32;
  row->number = block->chunk.first_row + i;
  if (block->has_texts) row->record = &block->chunk.records[i];
  if (mien_block_is_bad(block, i)) {
    mien_block_explain(block, i, true, explanation);
    row->explanation = explanation;
    return MIEN_OK;
  }
  if (rows->options.content == MIEN_ROWS_TOKENS) return tokenize(rows, block, row, error);
  row->is_truncated = block->results.status[i] == MIEN_ROW_TRUNCATED;
  if (rows->options.splits && mien_pieces_of_row(pieces, i) > 1) {
    row->pieces = pieces;
    row->first_span = pieces->starts[i];
    row->n_spans = mien_pieces_of_row(pieces, i);
  }
  row->order = block->order;
  row->scores = block->results.scores + i * n_labels;
  row->n = mien_select_labels(&rows->selection, block->results.words + i * words, row->scores, block->order);
  block->n_labels += row->n;
  if (block->tally.n_labels) mien_tally_order(&block->tally, block->order, row->n);
  return MIEN_OK;
}

static mien_status format_text(const mien_row_format *rows, mien_block *block, const mien_pieces *pieces,
                               const mien_buffer *file, mien_error *error) {
  mien_status status = MIEN_OK;
  block->text.size = 0;
  for (size_t i = 0; status == MIEN_OK && i < block->chunk.n_rows; i++) {
    char explanation[MIEN_EXPLANATION_BYTES];
    mien_row row = {.file = file};
    bool done = true;
    status = make_row(rows, block, pieces, i, &row, explanation, error);
    if (status != MIEN_OK) break;
    switch (rows->options.format) {
    case MIEN_OUTPUT_JSONL: done = mien_row_put_jsonl(rows, &block->text, &row); break;
    case MIEN_OUTPUT_CSV: done = mien_row_put_csv(rows, &block->text, &row); break;
    default: done = mien_row_put_text(rows, &block->text, &row); break;
    }
    if (!done) status = mien_fail_memory(error, "output", block->text.size);
  }
  return status;
}

/* bits and npy are the results as they lie in memory; only a choice other than by thresholds changes the words. */
static void format_arrays(const mien_row_format *rows, mien_block *block) {
  if (rows->options.content != MIEN_ROWS_LABELS) return;
  size_t n_labels = rows->selection.n_labels, words = (n_labels + 31) / 32;
  if (!mien_selection_is_plain(&rows->selection)) {
    for (size_t i = 0; i < block->chunk.n_rows; i++) {
      if (mien_block_is_bad(block, i)) continue;
      uint32_t *row_words = block->results.words + i * words;
      size_t n = mien_select_labels(&rows->selection, row_words, block->results.scores + i * n_labels, block->order);
      memset(row_words, 0, words * sizeof *row_words);
      for (size_t k = 0; k < n; k++)
        row_words[mien_label_of(block->order[k]) / 32] |= 1u << (mien_label_of(block->order[k]) % 32);
    }
  }
  if (block->tally.n_labels) mien_tally_words(&block->tally, block->results.words, block->chunk.n_rows);
  size_t all = block->chunk.n_rows * words;
  for (size_t i = 0; i < all; i++) block->n_labels += (uint64_t)__builtin_popcount(block->results.words[i]);
}

mien_status mien_row_format_run(const mien_row_format *rows, mien_block *block, const mien_pieces *pieces,
                                mien_error *error) {
  block->n_labels = block->n_tokens = 0;
  if (block->tally.n_labels) mien_tally_clear(&block->tally);
  if (mien_output_is_array(rows->options.format)) {
    format_arrays(rows, block);
    return MIEN_OK;
  }
  mien_buffer file = {0};
  mien_status status = quote_file(rows, block->chunk.input, &file) ? format_text(rows, block, pieces, &file, error)
                                                                   : mien_fail_memory(error, "output", 0);
  mien_buffer_free(&file);
  return status;
}
