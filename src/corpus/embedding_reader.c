/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of embeddings: .npy and raw float32, from files and streams. */
#include <inttypes.h>

#include "base/file.h"
#include "base/memory.h"
#include "corpus/cancel.h"
#include "corpus/source.h"

typedef struct embedding_reader {
  mien_reader base;
  size_t dim;
  mien_row_range range;
  const atomic_bool *cancel;
  size_t next_input;   /* the input that `source` is of, or the next to open when there is none */
  mien_source *source; /* the input being handed out, or NULL */
  uint64_t next_row;   /* of all inputs */
} embedding_reader;

/*
 * Rows a chunk: sixteen at a time where that many fit, for kernels that take blocks of rows. What a row becomes is
 * counted as well as what it is: a head may have thousands of labels for few numbers.
 */
static size_t rows_of_chunk(size_t dim, size_t result_bytes, size_t chunk_bytes, uint64_t n_rows) {
  enum { ROW_BLOCK = 16 };
  size_t row_bytes = dim * sizeof(float);
  if (row_bytes < result_bytes) row_bytes = result_bytes;
  size_t rows = chunk_bytes / row_bytes;
  if (rows > ROW_BLOCK) rows -= rows % ROW_BLOCK;
  if (rows > n_rows) rows = (size_t)n_rows;
  return rows > 0 ? rows : 1;
}

/* Rows of a file that grew are not read: that it did is told. */
static mien_status finish_input(embedding_reader *reader, mien_error *error) {
  const mien_status status = mien_stream_check_size(&reader->source->stream, error);
  mien_source_release(reader->source);
  reader->source = NULL;
  reader->next_input++;
  return status;
}

static mien_status claim_from_file(embedding_reader *reader, mien_chunk *chunk, size_t most) {
  mien_source *source = reader->source;
  uint64_t left = source->n_rows - source->next_row;
  chunk->n_rows = left < most ? (size_t)left : most;
  if (chunk->n_rows == 0) return MIEN_OK;
  chunk->source = source;
  chunk->place = source->data_offset + source->next_row * source->row_bytes;
  atomic_fetch_add(&source->users, 1);
  source->next_row += chunk->n_rows;
  return MIEN_OK;
}

/* Goes on to the range's first row in the open input, or to the input's end; a stream's rows pass through the chunk. */
static mien_status skip(embedding_reader *reader, mien_chunk *chunk, mien_error *error) {
  mien_source *source = reader->source;
  while (reader->next_row < reader->range.first) {
    const uint64_t wanted = reader->range.first - reader->next_row;
    size_t found = wanted < reader->base.chunk_rows ? (size_t)wanted : reader->base.chunk_rows;
    mien_status status = MIEN_OK;
    if (source->stream.is_file) {
      const uint64_t left = source->n_rows - source->next_row, rows = wanted < left ? wanted : left;
      source->next_row += rows;
      reader->next_row += rows;
      return MIEN_OK;
    }
    if (mien_is_cancelled(reader->range.stop)) return mien_fail(error, MIEN_CANCELLED, "interrupted");
    status = mien_source_stream_rows(source, chunk->data, found, &found, error);
    if (status != MIEN_OK || found == 0) return status;
    reader->next_row += found;
  }
  return MIEN_OK;
}

static mien_status claim(mien_reader *base, mien_chunk *chunk, mien_error *error) {
  embedding_reader *reader = (embedding_reader *)base;
  chunk->n_rows = 0;
  chunk->source = NULL;
  while (reader->next_input < base->inputs->count) {
    mien_status status = MIEN_OK;
    if (mien_row_range_is_done(&reader->range, reader->next_row)) break;
    if (!reader->source && mien_row_range_passes(&reader->range, reader->next_row, reader->next_input)) {
      reader->next_row += reader->range.input_rows[reader->next_input++];
      continue;
    }
    /* Where a failure happened, should one: callers name the input by it. */
    chunk->input = reader->next_input;
    if (!reader->source)
      status = mien_source_open(&base->inputs->items[reader->next_input], reader->dim, reader->cancel, &reader->source,
                                error);
    if (status == MIEN_OK) status = skip(reader, chunk, error);
    if (status != MIEN_OK) return status;
    const size_t most = mien_row_range_limit(&reader->range, reader->next_row, base->chunk_rows);
    mien_source *source = reader->source;
    chunk->dtype = source->dtype;
    chunk->first_row_in_input = source->next_row;
    status = source->stream.is_file ? claim_from_file(reader, chunk, most)
                                    : mien_source_stream_rows(source, chunk->data, most, &chunk->n_rows, error);
    if (status != MIEN_OK) return status;
    if (chunk->n_rows > 0) {
      chunk->first_row = reader->next_row;
      chunk->n_bytes = chunk->n_rows * source->row_bytes;
      reader->next_row += chunk->n_rows;
      return MIEN_OK;
    }
    status = finish_input(reader, error);
    if (status != MIEN_OK) return status;
  }
  return MIEN_OK;
}

static mien_status fill(mien_reader *base, mien_chunk *chunk, mien_error *error) {
  (void)base;
  mien_source *source = chunk->source;
  if (!source) return MIEN_OK; /* a stream: claim has read it */
  mien_status status = mien_file_read_at(source->stream.fd, source->stream.name, chunk->place, chunk->data,
                                         chunk->n_rows * source->row_bytes, error);
  chunk->source = NULL;
  mien_source_release(source);
  return status;
}

static void destroy(mien_reader *base) {
  mien_source_release(((embedding_reader *)base)->source);
  mien_free(base);
}

/* Opens every file once before work starts: a wrong tenth file should not waste an hour on nine. */
static mien_status check_inputs(embedding_reader *reader, mien_error *error) {
  const mien_inputs *inputs = reader->base.inputs;
  for (size_t i = 0; i < inputs->count; i++) {
    if (!mien_stream_is_file(inputs->items[i].path)) {
      reader->base.n_rows = MIEN_ROWS_UNKNOWN;
      continue;
    }
    mien_source *source;
    mien_status status = mien_source_open(&inputs->items[i], reader->dim, reader->cancel, &source, error);
    if (status != MIEN_OK) return status;
    uint64_t more = source->n_rows;
    mien_source_release(source);
    if (more == MIEN_ROWS_UNKNOWN) reader->base.n_rows = MIEN_ROWS_UNKNOWN;
    if (reader->base.n_rows != MIEN_ROWS_UNKNOWN) reader->base.n_rows += more;
  }
  return MIEN_OK;
}

mien_status mien_embedding_reader_create(const mien_inputs *inputs, size_t dim, size_t result_bytes, size_t chunk_bytes,
                                         const mien_row_range *range, const atomic_bool *cancel, mien_reader **out,
                                         mien_error *error) {
  embedding_reader *reader = mien_alloc(1, sizeof *reader);
  if (!reader) return mien_fail_memory(error, "reader", sizeof *reader);
  reader->base = (mien_reader){.claim = claim, .fill = fill, .destroy = destroy, .inputs = inputs};
  reader->dim = dim;
  reader->cancel = cancel;
  reader->range = range ? *range : (mien_row_range){.end = MIEN_ROWS_UNKNOWN};
  if (range) reader->base.range = &reader->range;
  mien_status status = check_inputs(reader, error);
  if (status == MIEN_OK) {
    if (reader->range.end != MIEN_ROWS_UNKNOWN) reader->base.n_rows = reader->range.end - reader->range.first;
    reader->base.chunk_rows = rows_of_chunk(dim, result_bytes, chunk_bytes, reader->base.n_rows);
    reader->base.chunk_bytes = reader->base.chunk_rows * dim * sizeof(double);
    *out = &reader->base;
  } else {
    destroy(&reader->base);
  }
  return status;
}
