/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of texts: text, jsonl, csv and tsv, from files and streams. Claiming finds where rows end, filling parses.
 */
#include <inttypes.h>

#include "base/memory.h"
#include "corpus/cancel.h"
#include "corpus/chunk.h"
#include "corpus/jsonl.h"
#include "corpus/table.h"
#include "corpus/window.h"

/* A chunk of a file is this share of what a worker has left. */
enum { CHUNKS_LEFT = 4 };

typedef struct text_reader {
  mien_reader base;
  mien_text_options options;
  mien_row_range range;
  mien_window window;
  size_t next_input; /* the one that the window is open on, or the next to open */
  bool is_open;
  uint64_t next_row, next_row_in_input;
  uint64_t bytes_left; /* of the inputs that are files */
  mien_table **tables; /* [inputs] columns of csv and tsv inputs that were opened */
} text_reader;

static mien_input_format format_of(const text_reader *reader, size_t input) {
  return reader->base.inputs->items[input].format;
}

static bool is_table(mien_input_format format) { return format == MIEN_INPUT_CSV || format == MIEN_INPUT_TSV; }

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* Reads the columns from the first row that is not empty; a header is no row of the run. */
static mien_status open_table(text_reader *reader, size_t input, mien_table **table, mien_error *error) {
  mien_window *window = &reader->window;
  const char *name = mien_input_name(reader->base.inputs->items[input].path);
  mien_window_row row;
  mien_window_find find;
  mien_status status;
  while ((status = mien_window_next(window, true, &row, &find, error)) == MIEN_OK && find == MIEN_WINDOW_ROW &&
         row.size == 0 && !row.is_too_long)
    mien_window_accept(window, &row);
  if (status != MIEN_OK || find != MIEN_WINDOW_ROW) return status;
  if (row.is_too_long)
    return mien_fail(error, MIEN_INPUT, "%s:%" PRIu64 ": the first row is longer than %zu bytes", name, row.line,
                     MIEN_MAX_TEXT_BYTES);
  status = mien_table_create(&reader->options, window->is_csv, name, row.bytes, row.size, table, error);
  if (reader->options.no_header)
    mien_window_leave(window);
  else
    mien_window_accept(window, &row);
  return status;
}

static mien_status open_input(text_reader *reader, size_t input, mien_table **table, mien_error *error) {
  mien_input_format format = format_of(reader, input);
  mien_status status = mien_window_open(&reader->window, reader->base.inputs->items[input].path,
                                        format == MIEN_INPUT_CSV, reader->options.cancel, error);
  if (status == MIEN_OK && is_table(format)) status = open_table(reader, input, table, error);
  if (status != MIEN_OK) mien_window_close(&reader->window);
  return status;
}

/* Opens every file once before work starts: a wrong tenth file should not waste an hour on nine. */
static mien_status check_inputs(text_reader *reader, mien_error *error) {
  const mien_inputs *inputs = reader->base.inputs;
  mien_status status = MIEN_OK;
  bool has_stream = false;
  for (size_t i = 0; status == MIEN_OK && i < inputs->count; i++) {
    const char *path = inputs->items[i].path;
    if (!mien_stream_is_file(path)) {
      has_stream = true;
      continue;
    }
    mien_table *table = NULL;
    /* A file that is stdin would be read on where a look at it ends. */
    status = strcmp(path, "-") == 0 ? mien_stream_open(&reader->window.stream, path, NULL, error)
                                    : open_input(reader, i, &table, error);
    mien_table_destroy(table);
    if (status != MIEN_OK) break;
    reader->bytes_left += reader->window.stream.file_bytes;
    mien_window_close(&reader->window);
  }
  reader->base.n_bytes = has_stream || reader->options.range ? MIEN_BYTES_UNKNOWN : reader->bytes_left;
  if (reader->range.end != MIEN_ROWS_UNKNOWN) reader->base.n_rows = reader->range.end - reader->range.first;
  return status;
}

/* ---- Claiming ---------------------------------------------------------------------------------------------------- */

/* Work of the last chunks is little, so that no worker has much of it when the others have none. */
static size_t bytes_of_chunk(const text_reader *reader) {
  const size_t most = reader->options.chunk_bytes;
  if (!reader->window.stream.has_size || reader->range.end != MIEN_ROWS_UNKNOWN) return most;
  double bytes = (double)reader->bytes_left;
  /* What compressed bytes stand for is more by as much as it was so far. */
  const uint64_t place = mien_window_place(&reader->window);
  if (reader->window.stream.decompressor && place > 0) bytes *= (double)reader->window.consumed / (double)place;
  if (bytes >= (double)most * CHUNKS_LEFT * (reader->options.workers + 1)) return most;
  uint64_t share = (uint64_t)bytes / ((uint64_t)CHUNKS_LEFT * (reader->options.workers + 1));
  if (share < MIEN_LEAST_CHUNK_BYTES) share = MIEN_LEAST_CHUNK_BYTES;
  return share < most ? (size_t)share : most;
}

/* The same where rows, and not bytes, are known. */
static size_t rows_of_chunk(const text_reader *reader) {
  size_t most = reader->base.chunk_rows;
  if (reader->range.end != MIEN_ROWS_UNKNOWN) {
    const uint64_t left = reader->range.end - reader->next_row;
    uint64_t share = left / ((uint64_t)CHUNKS_LEFT * (reader->options.workers + 1));
    if (share < MIEN_LEAST_CHUNK_ROWS) share = MIEN_LEAST_CHUNK_ROWS;
    if (share < most) most = (size_t)share;
  }
  return mien_row_range_limit(&reader->range, reader->next_row, most);
}

/* What is no row at all. */
static bool is_blank(mien_input_format format, const mien_window_row *row) {
  if (format == MIEN_INPUT_TEXT || row->is_too_long) return false;
  return format == MIEN_INPUT_JSONL ? mien_jsonl_is_blank((mien_span){row->bytes, row->size}) : row->size == 0;
}

/* Into room that was reserved: what is there must not move. */
static void add_record(mien_chunk *chunk, const mien_window_row *row) {
  static const char too_long[] = "longer than 16777216 bytes";
  _Static_assert(MIEN_MAX_TEXT_BYTES == 16777216, "the message says so");
  chunk->records[chunk->n_rows++] = (mien_record){.text = {chunk->raw.bytes + chunk->raw.size, row->size},
                                                  .line = row->line,
                                                  .problem = row->is_too_long ? too_long : NULL};
  if (row->size) mien_buffer_put(&chunk->raw, row->bytes, row->size);
}

/* Goes on to the range's first row in the open input, or to the input's end. */
static mien_status skip_rows(text_reader *reader, mien_error *error) {
  enum { BETWEEN_LOOKS = 4096 };
  const mien_input_format format = format_of(reader, reader->next_input);
  for (uint64_t n = 0; reader->next_row < reader->range.first; n++) {
    mien_window_row row;
    mien_window_find find;
    if (n % BETWEEN_LOOKS == 0 && mien_is_cancelled(reader->range.stop))
      return mien_fail(error, MIEN_CANCELLED, "interrupted");
    mien_status status = mien_window_next(&reader->window, true, &row, &find, error);
    if (status != MIEN_OK || find != MIEN_WINDOW_ROW) return status;
    const bool is_row = !is_blank(format, &row);
    mien_window_accept(&reader->window, &row);
    reader->next_row += is_row;
    reader->next_row_in_input += is_row;
  }
  return MIEN_OK;
}

/* Rows of the open input, as many as a chunk takes. */
static mien_status take_rows(text_reader *reader, mien_chunk *chunk, mien_window_find *find, mien_error *error) {
  const mien_input_format format = format_of(reader, chunk->input);
  const size_t most = bytes_of_chunk(reader), most_rows = rows_of_chunk(reader);
  mien_status status = MIEN_OK;
  for (*find = MIEN_WINDOW_ROW; chunk->n_rows < most_rows;) {
    mien_window_row row;
    status = mien_window_next(&reader->window, chunk->n_rows == 0, &row, find, error);
    if (status != MIEN_OK || *find != MIEN_WINDOW_ROW) break;
    if (!is_blank(format, &row)) {
      size_t room = row.size > most ? row.size : most;
      if (chunk->n_rows == 0 && !mien_buffer_reserve(&chunk->raw, room))
        return mien_fail_memory(error, reader->window.stream.name, room);
      if (chunk->n_rows > 0 && row.size > most - chunk->raw.size) {
        mien_window_leave(&reader->window);
        break;
      }
      add_record(chunk, &row);
      /* One long row is a chunk. */
      if (chunk->raw.size >= most) {
        mien_window_accept(&reader->window, &row);
        break;
      }
    }
    mien_window_accept(&reader->window, &row);
  }
  /* A failure behind rows is met again when they are on their way. */
  return chunk->n_rows > 0 && status != MIEN_CANCELLED ? MIEN_OK : status;
}

static mien_status claim_input(text_reader *reader, mien_chunk *chunk, mien_error *error) {
  mien_status status = MIEN_OK;
  mien_window_find find = MIEN_WINDOW_ROW;
  uint64_t before = reader->is_open ? mien_window_place(&reader->window) : 0;
  if (!reader->is_open) {
    reader->next_row_in_input = 0;
    status = open_input(reader, chunk->input, &reader->tables[chunk->input], error);
    reader->is_open = status == MIEN_OK;
  }
  if (status == MIEN_OK && reader->next_row < reader->range.first) {
    status = skip_rows(reader, error);
    before = mien_window_place(&reader->window);
  }
  mien_error later = {0}; /* on success a caller's error stays as it was */
  if (status == MIEN_OK) {
    status = take_rows(reader, chunk, &find, &later);
    if (status != MIEN_OK && error) *error = later;
  }
  if (status != MIEN_OK) return status;
  chunk->n_bytes = mien_window_place(&reader->window) - before;
  if (reader->window.stream.has_size)
    reader->bytes_left -= chunk->n_bytes < reader->bytes_left ? chunk->n_bytes : reader->bytes_left;
  chunk->is_dry = find == MIEN_WINDOW_LATER;
  chunk->source = reader->tables[chunk->input];
  chunk->first_row = reader->next_row;
  chunk->first_row_in_input = reader->next_row_in_input;
  reader->next_row += chunk->n_rows;
  reader->next_row_in_input += chunk->n_rows;
  return MIEN_OK;
}

static mien_status claim(mien_reader *base, mien_chunk *chunk, mien_error *error) {
  text_reader *reader = (text_reader *)base;
  chunk->n_rows = chunk->raw.size = 0;
  if (!mien_chunk_reserve_records(chunk, base->chunk_rows))
    return mien_fail_memory(error, "rows", base->chunk_rows * sizeof *chunk->records);
  while (reader->next_input < base->inputs->count) {
    if (mien_row_range_is_done(&reader->range, reader->next_row)) break;
    if (!reader->is_open && mien_row_range_passes(&reader->range, reader->next_row, reader->next_input)) {
      reader->next_row += reader->range.input_rows[reader->next_input++];
      continue;
    }
    /* Where a failure happened, should one: callers name the input by it. */
    chunk->input = reader->next_input;
    mien_status status = claim_input(reader, chunk, error);
    if (status != MIEN_OK || chunk->n_rows > 0) return status;
    mien_window_close(&reader->window);
    reader->is_open = false;
    reader->next_input++;
  }
  return MIEN_OK;
}

/* ---- Filling ----------------------------------------------------------------------------------------------------- */

static mien_status fill(mien_reader *base, mien_chunk *chunk, mien_error *error) {
  const text_reader *reader = (const text_reader *)base;
  const mien_input_format format = format_of(reader, chunk->input);
  mien_status status = MIEN_OK;
  chunk->n_fields = 0;
  if (format == MIEN_INPUT_TEXT) return MIEN_OK;
  if (!mien_chunk_reserve_unescaped(chunk)) return mien_fail_memory(error, "rows", chunk->raw.size);
  if (is_table(format)) status = mien_table_read(chunk->source, chunk, error);
  for (size_t i = 0; format == MIEN_INPUT_JSONL && status == MIEN_OK && i < chunk->n_rows; i++)
    if (!chunk->records[i].problem) status = mien_jsonl_read(&reader->options, chunk, &chunk->records[i], error);
  mien_chunk_set_fields(chunk);
  return status;
}

/* ---- The reader -------------------------------------------------------------------------------------------------- */

static void destroy(mien_reader *base) {
  text_reader *reader = (text_reader *)base;
  for (size_t i = 0; reader->tables && i < base->inputs->count; i++) mien_table_destroy(reader->tables[i]);
  mien_free(reader->tables);
  if (reader->is_open) mien_window_close(&reader->window);
  mien_window_free(&reader->window);
  mien_free(reader);
}

mien_status mien_text_reader_create(const mien_inputs *inputs, const mien_text_options *options, mien_reader **out,
                                    mien_error *error) {
  text_reader *reader = mien_alloc(1, sizeof *reader);
  if (!reader) return mien_fail_memory(error, "reader", sizeof *reader);
  reader->base = (mien_reader){.claim = claim,
                               .fill = fill,
                               .destroy = destroy,
                               .inputs = inputs,
                               .has_texts = true,
                               .chunk_rows = options->chunk_rows,
                               .n_rows = MIEN_ROWS_UNKNOWN};
  reader->options = *options;
  reader->range = options->range ? *options->range : (mien_row_range){.end = MIEN_ROWS_UNKNOWN};
  if (options->range) reader->base.range = &reader->range;
  if (!reader->options.text_field) reader->options.text_field = "text";
  reader->tables = mien_alloc(inputs->count, sizeof(mien_table *));
  mien_status status =
      reader->tables ? check_inputs(reader, error) : mien_fail_memory(error, "inputs", inputs->count * sizeof(void *));
  if (status == MIEN_OK)
    *out = &reader->base;
  else
    destroy(&reader->base);
  return status;
}
