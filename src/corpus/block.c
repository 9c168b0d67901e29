/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's piece of the run: its memory, the model run over it, and why a row of it is bad. */
#include "corpus/block.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/memory.h"

static bool allocate_results(mien_block *block, size_t rows, size_t words, bool with_scores) {
  mien_results *results = &block->results;
  results->size = sizeof *results;
  results->status = mien_alloc(rows, sizeof(mien_row_status));
  bool done = results->status != NULL;
  size_t numbers;
  if (block->content == MIEN_ROWS_EMBEDDINGS) {
    results->embeddings = mien_size_mul(rows, block->dim, &numbers) ? mien_alloc(numbers, sizeof(float)) : NULL;
    return done && results->embeddings;
  }
  if (block->content == MIEN_ROWS_TOKENS) return done;
  results->words = mien_alloc(rows, words * sizeof(uint32_t));
  block->order = mien_alloc(block->n_labels_of_model, sizeof *block->order);
  done = done && results->words && block->order;
  if (!with_scores) return done;
  results->scores = mien_size_mul(rows, block->n_labels_of_model, &numbers) ? mien_alloc(numbers, sizeof(float)) : NULL;
  return done && results->scores;
}

mien_status mien_block_init(mien_block *block, const mien_reader *reader, const mien_model *model,
                            mien_row_content content, bool with_scores, mien_error *error) {
  const size_t rows = reader->chunk_rows;
  block->content = content;
  block->has_texts = reader->has_texts;
  block->dim = mien_model_dim(model);
  block->n_labels_of_model = mien_model_label_count(model);
  if (!allocate_results(block, rows, mien_model_words(model), with_scores))
    return mien_fail_memory(error, "a worker's block", reader->chunk_bytes);
  if (block->has_texts) return MIEN_OK;
  block->chunk.data = mien_alloc(reader->chunk_bytes, 1);
  return block->chunk.data ? MIEN_OK : mien_fail_memory(error, "a worker's block", reader->chunk_bytes);
}

void mien_block_free(mien_block *block) {
  mien_free(block->chunk.data);
  mien_chunk_free(&block->chunk);
  mien_free(block->results.words);
  mien_free(block->results.scores);
  mien_free(block->results.embeddings);
  mien_free(block->results.status);
  mien_free(block->order);
  mien_free(block->ids);
  mien_tally_free(&block->tally);
  mien_buffer_free(&block->text);
}

mien_status mien_block_add_tally(mien_block *block, mien_error *error) {
  return mien_tally_init(&block->tally, block->n_labels_of_model, error);
}

static void trim(mien_buffer *buffer, size_t most_bytes) {
  if (buffer->capacity > most_bytes) mien_buffer_free(buffer);
}

void mien_block_trim(mien_block *block, size_t most_bytes) {
  trim(&block->chunk.raw, most_bytes);
  trim(&block->chunk.unescaped, most_bytes);
  trim(&block->text, most_bytes);
  if (block->ids_capacity > most_bytes / sizeof *block->ids) {
    mien_free(block->ids);
    block->ids = NULL;
    block->ids_capacity = 0;
  }
  mien_chunk_trim_fields(&block->chunk, most_bytes);
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static void copy_row(void *rows, size_t row, const void *from, size_t slot, size_t bytes) {
  if (rows) memcpy((char *)rows + row * bytes, (const char *)from + slot * bytes, bytes);
}

/* What came of a text, as the row's. */
static void take_results(mien_block *block, size_t row, const mien_results *from, size_t slot) {
  mien_results *results = &block->results;
  const size_t n_labels = block->n_labels_of_model, words = (n_labels + 31) / 32;
  copy_row(results->words, row, from->words, slot, words * sizeof(uint32_t));
  copy_row(results->scores, row, from->scores, slot, n_labels * sizeof(float));
  copy_row(results->embeddings, row, from->embeddings, slot, block->dim * sizeof(float));
  results->status[row] = from->status[slot];
}

static void set_nan(float *rows, size_t n, size_t row) {
  for (size_t i = 0; rows && i < n; i++) rows[row * n + i] = NAN;
}

static void mark_bad(mien_block *block, size_t row) {
  mien_results *results = &block->results;
  const size_t words = (block->n_labels_of_model + 31) / 32;
  if (results->words) memset(results->words + row * words, 0, words * sizeof(uint32_t));
  set_nan(results->scores, block->n_labels_of_model, row);
  set_nan(results->embeddings, block->dim, row);
  results->status[row] = MIEN_ROW_NOT_FINITE;
}

/* Runs the good texts. */
static mien_status run_pieces(mien_block *block, mien_pieces *pieces, mien_session *session, mien_error *error) {
  mien_status status = MIEN_OK;
  mien_pieces_clear(pieces);
  for (size_t i = 0; status == MIEN_OK && i < block->chunk.n_rows; i++) {
    const mien_record *record = &block->chunk.records[i];
    const mien_text text = {record->text.bytes, record->text.size};
    status = mien_pieces_add_row(pieces, record->problem ? NULL : &text, error);
  }
  if (status == MIEN_OK) status = mien_pieces_run(pieces, session, error);
  block->n_pieces = pieces->n;
  block->n_duplicates = pieces->n_duplicates;
  return status;
}

/* What came of a row's text or of its spans. */
static mien_status take_pieces(mien_block *block, mien_pieces *pieces, size_t row, mien_span_pooling pooling,
                               mien_error *error) {
  mien_results *results = &block->results;
  const size_t n_labels = block->n_labels_of_model, words = (n_labels + 31) / 32;
  if (mien_pieces_of_row(pieces, row) == 1) {
    take_results(block, row, &pieces->results, pieces->slots[pieces->starts[row]]);
    return MIEN_OK;
  }
  block->n_split++;
  const mien_status status =
      mien_pieces_pool(pieces, row, pooling, results->scores ? results->scores + row * n_labels : NULL,
                       results->words + row * words, &results->status[row], error);
  if (status == MIEN_OK && results->status[row] == MIEN_ROW_NOT_FINITE) mark_bad(block, row);
  return status;
}

static mien_status run_texts(mien_block *block, mien_pieces *pieces, mien_span_pooling pooling, mien_session *session,
                             mien_error *error) {
  mien_results *results = &block->results;
  mien_status status = MIEN_OK;
  block->n_split = 0;
  if (block->content != MIEN_ROWS_TOKENS) status = run_pieces(block, pieces, session, error);
  results->n_bad = results->n_truncated = 0;
  for (size_t row = 0; status == MIEN_OK && row < block->chunk.n_rows; row++) {
    if (block->chunk.records[row].problem)
      mark_bad(block, row);
    else if (block->content == MIEN_ROWS_TOKENS)
      results->status[row] = MIEN_ROW_OK;
    else
      status = take_pieces(block, pieces, row, pooling, error);
    results->n_bad += results->status[row] == MIEN_ROW_NOT_FINITE;
    results->n_truncated += results->status[row] == MIEN_ROW_TRUNCATED;
  }
  return status;
}

mien_status mien_block_run(mien_block *block, mien_pieces *pieces, mien_span_pooling pooling, mien_session *session,
                           mien_error *error) {
  if (block->has_texts) return run_texts(block, pieces, pooling, session, error);
  const mien_rows rows = {.size = sizeof rows, .data = block->chunk.data, .dtype = block->chunk.dtype};
  return mien_label_embeddings(session, &rows, block->chunk.n_rows, &block->results, error);
}

/* ---- Bad rows ---------------------------------------------------------------------------------------------------- */

/* Sign, infinity and NaN of a binary16 are those of the binary32 with the same top bits. */
static double half_class(uint16_t bits) {
  if ((bits & 0x7C00) != 0x7C00) return 0;
  return bits & 0x03FF ? (double)NAN : bits & 0x8000 ? -INFINITY : INFINITY;
}

static double number_at(const mien_chunk *chunk, size_t index) {
  switch (chunk->dtype) {
  case MIEN_F16: return half_class(((const uint16_t *)chunk->data)[index]);
  case MIEN_F64: return ((const double *)chunk->data)[index];
  default: return ((const float *)chunk->data)[index];
  }
}

static void explain_text(const mien_record *record, bool with_line, char out[MIEN_EXPLANATION_BYTES]) {
  const char *problem = record->problem ? record->problem : "its embedding is not finite";
  if (with_line)
    snprintf(out, MIEN_EXPLANATION_BYTES, "line %" PRIu64 ": %s", record->line, problem);
  else
    snprintf(out, MIEN_EXPLANATION_BYTES, "%s", problem);
}

void mien_block_explain(const mien_block *block, size_t row, bool with_line, char out[MIEN_EXPLANATION_BYTES]) {
  if (block->has_texts) {
    explain_text(&block->chunk.records[row], with_line, out);
    return;
  }
  for (size_t i = 0; i < block->dim; i++) {
    double number = number_at(&block->chunk, row * block->dim + i);
    const char *words = isnan(number)              ? "NaN"
                        : isinf(number)            ? (number < 0 ? "-infinity" : "infinity")
                        : !isfinite((float)number) ? "beyond float32"
                                                   : NULL;
    if (!words) continue;
    snprintf(out, MIEN_EXPLANATION_BYTES, "column %zu is %s", i, words);
    return;
  }
  snprintf(out, MIEN_EXPLANATION_BYTES, "a sum of the row is beyond float32");
}
