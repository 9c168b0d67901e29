/* SPDX-License-Identifier: Apache-2.0 */
/* Every record of one input of text, whatever its fields mean. */
#include "corpus/records.h"

#include <string.h>

#include "base/memory.h"

enum { CHUNK_ROWS = 1024, CHUNK_BYTES = 256 * 1024 };

static mien_status read_chunks(mien_reader *reader, mien_take_record take, void *user, mien_error *error) {
  mien_chunk chunk = {0};
  mien_status status;
  do {
    status = reader->claim(reader, &chunk, error);
    if (status == MIEN_OK && chunk.n_rows) status = reader->fill(reader, &chunk, error);
    for (size_t i = 0; status == MIEN_OK && i < chunk.n_rows; i++) status = take(user, &chunk.records[i]);
  } while (status == MIEN_OK && chunk.n_rows);
  mien_chunk_free(&chunk);
  return status;
}

mien_status mien_read_records(const char *path, mien_input_format format, mien_take_record take, void *user,
                              const atomic_bool *cancel, mien_error *error) {
  const bool is_table = format == MIEN_INPUT_CSV || format == MIEN_INPUT_TSV;
  mien_input input = {mien_copy_text(path, strlen(path)), is_table ? format : MIEN_INPUT_TEXT};
  if (!input.path) return mien_fail_memory(error, mien_input_name(path), strlen(path));
  const mien_inputs inputs = {.items = &input, .count = 1};
  const mien_text_options options = {.text_column = "0",
                                     .no_header = true,
                                     .keep_all = true,
                                     .chunk_rows = CHUNK_ROWS,
                                     .chunk_bytes = CHUNK_BYTES,
                                     .workers = 1,
                                     .cancel = cancel};
  mien_reader *reader = NULL;
  mien_status status = mien_text_reader_create(&inputs, &options, &reader, error);
  if (status == MIEN_OK) status = read_chunks(reader, take, user, error);
  if (reader) reader->destroy(reader);
  mien_free(input.path);
  return status;
}
