/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of embeddings: which rows a range has, of files and streams. */
#include <pthread.h>
#include <sys/stat.h>

#include "corpus/compressed.h"
#include "corpus/reader.h"
#include "corpus/temporary.h"
#include "formats/npy.h"

enum { DIM = 2, INPUTS = 5, MOST_ROWS = 30, CHUNK_ROWS = 7 };

static mien_error error;
static char names[INPUTS][512];

/* Row r of all is (r, -r). Input 2 is raw; inputs 1 to 3 may be compressed. */
static void write_inputs(bool compressed, mien_input items[INPUTS], uint64_t input_rows[INPUTS], uint64_t *state) {
  uint64_t row = 0;
  for (int k = 0; k < INPUTS; k++) {
    char bytes[MIEN_NPY_HEADER + MOST_ROWS * DIM * sizeof(float)];
    const size_t header = k == 2 ? 0 : MIEN_NPY_HEADER;
    input_rows[k] = random_bits(state) % MOST_ROWS;
    if (header) mien_npy_write_header(bytes, "<f4", input_rows[k], DIM);
    for (uint64_t i = 0; i < input_rows[k]; i++, row++)
      memcpy(bytes + header + i * DIM * sizeof(float), (float[DIM]){(float)row, -(float)row}, DIM * sizeof(float));
    snprintf(names[k], sizeof names[k], "%s%d", in_temporary("in"), k);
    unsigned char packed[2 * sizeof bytes];
    size_t size = header + input_rows[k] * DIM * sizeof(float);
    const bool packs = compressed && k >= 1 && k <= 3;
    if (packs) size = compress_bytes(k == 2 ? MIEN_ZSTD : MIEN_GZIP, bytes, size, packed, sizeof packed);
    write_temporary(strrchr(names[k], '/') + 1, packs ? (char *)packed : bytes, size);
    items[k] = (mien_input){names[k], header ? MIEN_INPUT_NPY : MIEN_INPUT_F32};
  }
}

static void *feed(void *user) {
  char bytes[MIEN_NPY_HEADER + MOST_ROWS * DIM * sizeof(float)];
  const size_t size = read_temporary(user, bytes, sizeof bytes);
  FILE *pipe = fopen(in_temporary("pipe"), "wb");
  require(pipe && fwrite(bytes, 1, size, pipe) == size && fclose(pipe) == 0, "not fed");
  return NULL;
}

/* Reads the range and returns how many rows it has. */
static uint64_t read_range(const mien_inputs *inputs, const mien_row_range *range) {
  mien_reader *reader = NULL;
  ck_assert_msg(mien_embedding_reader_create(inputs, DIM, 4, CHUNK_ROWS * DIM * sizeof(float), range, NULL, &reader,
                                             &error) == MIEN_OK,
                "%s", error.message);
  float rows[CHUNK_ROWS * DIM * 2];
  ck_assert_uint_le(reader->chunk_bytes, sizeof rows);
  mien_chunk chunk = {.data = rows};
  uint64_t next = range->first;
  for (;;) {
    ck_assert_msg(reader->claim(reader, &chunk, &error) == MIEN_OK, "%s", error.message);
    if (chunk.n_rows == 0) break;
    ck_assert_msg(reader->fill(reader, &chunk, &error) == MIEN_OK, "%s", error.message);
    ck_assert_uint_eq(chunk.first_row, next);
    for (size_t i = 0; i < chunk.n_rows; i++) {
      ck_assert(rows[i * DIM] == (float)(next + i));
      ck_assert(rows[i * DIM + 1] == -(float)(next + i));
    }
    next += chunk.n_rows;
    ck_assert_uint_eq((chunk.first_row - range->first) / range->part_rows,
                      (next - 1 - range->first) / range->part_rows);
  }
  reader->destroy(reader);
  return next - range->first;
}

START_TEST(a_range_has_its_rows_and_no_chunk_spans_two_parts) {
  make_temporary();
  uint64_t state = 3;
  for (int i = 0; i < 200; i++) {
    mien_input items[INPUTS];
    const mien_inputs inputs = {items, INPUTS, INPUTS};
    uint64_t input_rows[INPUTS], n_rows = 0;
    write_inputs(i % 3 == 0, items, input_rows, &state);
    for (int k = 0; k < INPUTS; k++) n_rows += input_rows[k];
    mien_row_range range = {.first = random_bits(&state) % (n_rows + 1), .part_rows = 1 + random_bits(&state) % 20};
    range.end = range.first + random_bits(&state) % (n_rows - range.first + 1);
    range.input_rows = i % 2 ? input_rows : NULL;
    ck_assert_uint_eq(read_range(&inputs, &range), range.end - range.first);
    /* The first input as a stream, which is passed through. */
    if (range.first >= range.end || range.input_rows) continue;
    require(mkfifo(in_temporary("pipe"), 0600) == 0, "no pipe");
    char pipe[512];
    snprintf(pipe, sizeof pipe, "%s", in_temporary("pipe"));
    items[0].path = pipe;
    pthread_t thread;
    require(pthread_create(&thread, NULL, feed, "in0") == 0, "no thread");
    ck_assert_uint_eq(read_range(&inputs, &range), range.end - range.first);
    pthread_join(thread, NULL);
    unlink(pipe);
  }
  remove_temporary();
}
END_TEST

MIEN_SUITE("embedding_reader", a_range_has_its_rows_and_no_chunk_spans_two_parts)
