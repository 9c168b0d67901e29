/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as an input of .npy or raw float32. What is read of a file is read of a pipe, compressed by
 * either library, in chunks of any size, and of a range; and what a file is refused for, they are too.
 */
#include "fuzz/input.h"

#include "formats/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static fuzz_rows read_rows(fuzz_input input, mien_input_format format, size_t dim, size_t chunk_bytes,
                           const mien_row_range *range) {
  mien_input item = {input.path, format};
  const mien_inputs inputs = {&item, 1, 1};
  const uint64_t first = range ? range->first : 0;
  fuzz_rows rows = {0};
  mien_reader *reader = NULL;
  mien_chunk chunk = {0};
  rows.status =
      mien_embedding_reader_create(&inputs, dim, sizeof(float), chunk_bytes, range, NULL, &reader, &rows.error);
  if (rows.status == MIEN_OK) require((chunk.data = malloc(reader->chunk_bytes)) != NULL);
  while (rows.status == MIEN_OK) {
    rows.status = reader->claim(reader, &chunk, &rows.error);
    if (rows.status != MIEN_OK || chunk.n_rows == 0) break;
    require(chunk.first_row == first + rows.n && chunk.n_rows <= reader->chunk_rows);
    rows.status = reader->fill(reader, &chunk, &rows.error);
    const size_t row_bytes = dim * mien_dtype_bytes(chunk.dtype);
    for (size_t i = 0; rows.status == MIEN_OK && i < chunk.n_rows; i++) {
      add_bytes(&rows, (char *)chunk.data + i * row_bytes, row_bytes);
      end_row(&rows);
    }
  }
  free(chunk.data);
  chunk.data = NULL;
  if (reader) reader->destroy(reader);
  mien_chunk_free(&chunk);
  close_input(&input);
  return rows;
}

static void check(fuzz_rows found, const fuzz_rows *expected, bool was_packed) {
  require(was_packed || found.status == expected->status);
  if (found.status == MIEN_OK && expected->status == MIEN_OK) require_same(&found, expected, 0, expected->n);
  free_rows(&found);
}

static void check_range(const uint8_t *data, size_t size, mien_input_format format, size_t dim, const fuzz_rows *all,
                        uint32_t random) {
  const size_t first = random % (all->n + 1), end = first + (random >> 8) % (all->n - first + 1);
  const mien_row_range range = {.first = first, .end = end, .part_rows = random >> 16 & 7};
  fuzz_rows found = read_rows(file_of(data, size), format, dim, 64, &range);
  require(found.status == MIEN_OK);
  require_same(&found, all, first, end);
  free_rows(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size > PIPE_BYTES) return 0;
  /* The first byte says what the others are, the second how they are read. */
  const mien_input_format format = data[0] % 2 ? MIEN_INPUT_F32 : MIEN_INPUT_NPY;
  const size_t dim = 1 + data[0] / 2 % 5;
  const uint32_t random = data[1] * UINT32_C(2654435761);
  data += 2, size -= 2;
  fuzz_rows all = read_rows(file_of(data, size), format, dim, 1 << 16, NULL);
  const bool was_packed = is_packed(data, size);
  check(read_rows(pipe_of(data, size), format, dim, 1 + (random >> 24), NULL), &all, was_packed);
  for (mien_compression how = MIEN_GZIP; how <= MIEN_ZSTD && !was_packed; how++) {
    uint8_t *packed;
    const size_t n = pack(how, data, size, random % (size + 1), &packed);
    check(read_rows(file_of(packed, n), format, dim, 1 << 16, NULL), &all, false);
    free(packed);
  }
  if (all.status == MIEN_OK) check_range(data, size, format, dim, &all, random);
  free_rows(&all);
  return 0;
}
