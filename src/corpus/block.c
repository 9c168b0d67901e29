/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's piece of the run: its memory, and why a row of it is bad. */
#include "corpus/block.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"

mien_status mien_block_init(mien_block *block, const mien_reader *reader, const mien_model *model, bool with_scores,
                            mien_error *error) {
  size_t rows = reader->chunk_rows, n_labels = mien_model_label_count(model), words = mien_model_words(model), scores;
  if (!mien_size_mul(n_labels, sizeof(float), &scores)) return mien_fail_memory(error, "scores", SIZE_MAX);
  block->dim = mien_model_dim(model);
  block->results.size = sizeof block->results;
  block->chunk.data = mien_alloc(reader->chunk_bytes, 1);
  block->results.words = mien_alloc(rows, words * sizeof(uint32_t));
  block->results.status = mien_alloc(rows, sizeof(mien_row_status));
  block->order = mien_alloc(n_labels, sizeof *block->order);
  if (with_scores) block->results.scores = mien_alloc(rows, scores);
  bool complete = block->chunk.data && block->results.words && block->results.status && block->order &&
                  (!with_scores || block->results.scores);
  return complete ? MIEN_OK : mien_fail_memory(error, "a worker's block", reader->chunk_bytes + rows * scores);
}

void mien_block_free(mien_block *block) {
  mien_free(block->chunk.data);
  mien_free(block->results.words);
  mien_free(block->results.scores);
  mien_free(block->results.status);
  mien_free(block->order);
  mien_buffer_free(&block->text);
}

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

void mien_block_explain(const mien_block *block, size_t row, char *out, size_t capacity) {
  for (size_t i = 0; i < block->dim; i++) {
    double number = number_at(&block->chunk, row * block->dim + i);
    const char *words = isnan(number)              ? "NaN"
                        : isinf(number)            ? (number < 0 ? "-infinity" : "infinity")
                        : !isfinite((float)number) ? "beyond float32"
                                                   : NULL;
    if (!words) continue;
    snprintf(out, capacity, "column %zu is %s", i, words);
    return;
  }
  snprintf(out, capacity, "a sum of the row is beyond float32");
}
