/* SPDX-License-Identifier: Apache-2.0 */
/* One open input of embeddings: a file that is read at offsets, or a stream that is read in order. */
#include "corpus/source.h"

#include <inttypes.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/npy.h"

/* Bytes of a file's start that make a message about a wrong format better. */
enum { SNIFF_BYTES = 64 };

void mien_source_release(mien_source *source) {
  if (!source || atomic_fetch_sub(&source->users, 1) != 1) return;
  mien_stream_close(&source->stream);
  mien_free(source);
}

/* The first `bytes` of the input, or fewer when it is shorter; a stream's are used up. */
static mien_status read_start(mien_source *source, void *data, size_t at, size_t bytes, size_t *found,
                              mien_error *error) {
  if (!source->stream.is_file) return mien_stream_read(&source->stream, data, bytes, found, error);
  uint64_t left = source->stream.file_bytes > at ? source->stream.file_bytes - at : 0;
  *found = bytes < left ? bytes : (size_t)left;
  return mien_file_read_at(source->stream.fd, source->stream.name, source->stream.base + at, data, *found, error);
}

static mien_status check_columns(const char *name, uint64_t found, size_t dim, mien_error *error) {
  if (found == dim) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: dimension: expected %zu columns, as the head has, found %" PRIu64, name, dim,
                   found);
}

static mien_status open_npy(mien_source *source, size_t dim, mien_error *error) {
  unsigned char *header = mien_alloc(MIEN_NPY_MAX_HEADER, 1);
  if (!header) return mien_fail_memory(error, source->stream.name, MIEN_NPY_MAX_HEADER);
  size_t found, rest = 0, header_bytes = 0;
  mien_npy npy;
  /* A stream gives no bytes back: there the prefix is all that may be read before the length is known. */
  size_t prefix = source->stream.is_file ? SNIFF_BYTES : MIEN_NPY_PREFIX;
  mien_status status = read_start(source, header, 0, prefix, &found, error);
  if (status == MIEN_OK) status = mien_npy_header_size(header, found, source->stream.name, &header_bytes, error);
  if (status == MIEN_OK && header_bytes > found)
    status = read_start(source, header + found, found, header_bytes - found, &rest, error);
  if (status == MIEN_OK) {
    size_t there = found + rest < header_bytes ? found + rest : header_bytes;
    status = mien_npy_parse(header, there, source->stream.name, &npy, error);
  }
  mien_free(header);
  if (status == MIEN_OK) status = check_columns(source->stream.name, npy.n_columns, dim, error);
  if (status == MIEN_OK && source->stream.is_file)
    status = mien_npy_check_size(&npy, source->stream.file_bytes, source->stream.name, error);
  if (status != MIEN_OK) return status;
  source->dtype = npy.dtype;
  source->row_bytes = dim * mien_dtype_bytes(npy.dtype);
  source->n_rows = npy.n_rows;
  source->data_offset = source->stream.base + npy.data_offset;
  return MIEN_OK;
}

static mien_status open_raw(mien_source *source, size_t dim, mien_error *error) {
  source->dtype = MIEN_F32;
  source->row_bytes = dim * sizeof(float);
  source->n_rows = source->stream.is_file ? source->stream.file_bytes / source->row_bytes : MIEN_ROWS_UNKNOWN;
  source->data_offset = source->stream.base;
  if (!source->stream.is_file || source->stream.file_bytes % source->row_bytes == 0) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT,
                   "%s: raw f32: expected a multiple of %zu bytes (rows of %zu numbers), found %" PRIu64,
                   source->stream.name, source->row_bytes, dim, source->stream.file_bytes);
}

mien_status mien_source_open(const mien_input *input, size_t dim, const atomic_bool *cancel, mien_source **out,
                             mien_error *error) {
  mien_source *source = mien_alloc(1, sizeof *source);
  if (!source) return mien_fail_memory(error, input->path, sizeof *source);
  atomic_init(&source->users, 1);
  mien_status status = mien_stream_open(&source->stream, input->path, cancel, error);
  if (status == MIEN_OK)
    status = input->format == MIEN_INPUT_NPY ? open_npy(source, dim, error) : open_raw(source, dim, error);
  if (status == MIEN_OK)
    *out = source;
  else
    mien_source_release(source);
  return status;
}

/* The whole stream was read: one byte more would be one that no row has. */
static mien_status check_stream_end(mien_source *source, mien_error *error) {
  char byte;
  size_t more;
  mien_status status = mien_stream_read(&source->stream, &byte, 1, &more, error);
  if (status == MIEN_OK && more > 0)
    status =
        mien_fail(error, MIEN_INPUT, "%s: bytes after the data: expected %" PRIu64 " rows of %zu bytes, found more",
                  source->stream.name, source->n_rows, source->row_bytes);
  return status;
}

mien_status mien_source_stream_rows(mien_source *source, void *data, size_t n_rows, size_t *found, mien_error *error) {
  bool counted = source->n_rows != MIEN_ROWS_UNKNOWN;
  uint64_t left = source->n_rows - source->next_row;
  if (counted && n_rows > left) n_rows = (size_t)left;
  *found = 0;
  if (n_rows == 0) return check_stream_end(source, error);
  size_t bytes = 0;
  mien_status status = mien_stream_read(&source->stream, data, n_rows * source->row_bytes, &bytes, error);
  if (status != MIEN_OK) return status;
  uint64_t all = source->next_row * source->row_bytes + bytes;
  if (counted && bytes < n_rows * source->row_bytes)
    return mien_fail(error, MIEN_INPUT,
                     "%s: truncated: expected %" PRIu64 " rows of %zu bytes, found %" PRIu64 " bytes of rows",
                     source->stream.name, source->n_rows, source->row_bytes, all);
  if (bytes % source->row_bytes != 0)
    return mien_fail(error, MIEN_INPUT,
                     "%s: raw f32: expected a multiple of %zu bytes (rows of %zu numbers), found %" PRIu64,
                     source->stream.name, source->row_bytes, source->row_bytes / sizeof(float), all);
  *found = bytes / source->row_bytes;
  source->next_row += *found;
  return MIEN_OK;
}
