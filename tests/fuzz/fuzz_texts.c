/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as an input of text, jsonl, csv or tsv. Its rows are the same from a file and from a pipe, in
 * chunks of any size, compressed by either library, and a range's are those of the whole.
 */
#include "fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_span(fuzz_rows *rows, mien_span span) { add_bytes(rows, span.bytes, span.size); }

static void add_record(fuzz_rows *rows, const mien_record *record) {
  add_bytes(rows, &record->line, sizeof record->line);
  add_bytes(rows, record->problem, record->problem ? strlen(record->problem) : 0);
  if (!record->problem) add_span(rows, record->text);
  add_span(rows, record->id.span);
  for (size_t i = 0; i < record->n_fields; i++) {
    add_span(rows, record->fields[i].name);
    add_span(rows, record->fields[i].value.span);
  }
  end_row(rows);
}

static fuzz_rows read_rows(fuzz_input input, mien_input_format format, size_t chunk_rows, size_t chunk_bytes,
                           const mien_row_range *range) {
  mien_input item = {input.path, format};
  const mien_inputs inputs = {&item, 1, 1};
  const mien_text_options options = {.id_field = "id",
                                     .id_column = "1",
                                     .text_column = "0",
                                     .keep_all = true,
                                     .chunk_rows = chunk_rows,
                                     .chunk_bytes = chunk_bytes,
                                     .workers = 2,
                                     .range = range};
  const uint64_t first = range ? range->first : 0;
  fuzz_rows rows = {0};
  mien_chunk chunk = {0};
  mien_reader *reader = NULL;
  rows.status = mien_text_reader_create(&inputs, &options, &reader, &rows.error);
  while (rows.status == MIEN_OK) {
    rows.status = reader->claim(reader, &chunk, &rows.error);
    if (rows.status != MIEN_OK || chunk.n_rows == 0) break;
    require(chunk.first_row == first + rows.n && chunk.n_rows <= chunk_rows);
    require(chunk.raw.size <= chunk_bytes || chunk.n_rows == 1);
    rows.status = reader->fill(reader, &chunk, &rows.error);
    for (size_t i = 0; rows.status == MIEN_OK && i < chunk.n_rows; i++) add_record(&rows, &chunk.records[i]);
  }
  if (reader) reader->destroy(reader);
  mien_chunk_free(&chunk);
  close_input(&input);
  return rows;
}

/* Rows in front of a failure are the same too, but for those of what is compressed, which breaks sooner or later. */
static void check(fuzz_rows found, const fuzz_rows *expected, bool was_packed) {
  require(was_packed || found.status == expected->status);
  if (!was_packed || (found.status == MIEN_OK && expected->status == MIEN_OK))
    require_same(&found, expected, 0, expected->n);
  free_rows(&found);
}

static void check_range(const uint8_t *data, size_t size, mien_input_format format, const fuzz_rows *all,
                        uint32_t random) {
  const size_t first = random % (all->n + 1), end = first + (random >> 8) % (all->n - first + 1);
  const mien_row_range range = {.first = first, .end = end, .part_rows = random >> 16 & 7};
  fuzz_rows found = read_rows(file_of(data, size), format, 4, 32, &range);
  require(found.status == MIEN_OK);
  require_same(&found, all, first, end);
  free_rows(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const mien_input_format formats[] = {MIEN_INPUT_TEXT, MIEN_INPUT_JSONL, MIEN_INPUT_CSV, MIEN_INPUT_TSV};
  if (size < 2 || size > PIPE_BYTES) return 0;
  /* The first byte says what the others are, the second how they are read. */
  const mien_input_format format = formats[data[0] % 4];
  const uint32_t random = data[1] * UINT32_C(2654435761);
  data += 2, size -= 2;
  fuzz_rows all = read_rows(file_of(data, size), format, 256, 1 << 16, NULL);
  const bool was_packed = is_packed(data, size);
  check(read_rows(pipe_of(data, size), format, 1 + (random >> 24) % 5, 16, NULL), &all, was_packed);
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD && !was_packed; how++) {
    uint8_t *packed;
    const size_t n = pack(how, data, size, random % (size + 1), &packed);
    check(read_rows(file_of(packed, n), format, 256, 1 << 16, NULL), &all, false);
    free(packed);
  }
  if (all.status == MIEN_OK) check_range(data, size, format, &all, random);
  free_rows(&all);
  return 0;
}
