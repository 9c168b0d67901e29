/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as the inputs that readers open, for fuzz targets: a file, a pipe, and compressed. */
#ifndef MIEN_FUZZ_INPUT_H
#define MIEN_FUZZ_INPUT_H

#define _GNU_SOURCE /* memfd_create: this header comes first */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "corpus/compression.h"
#include "corpus/reader.h"

/* Most bytes of an input that goes through a pipe: they are there before the reader is, which reads no sooner. */
enum { PIPE_BYTES = 1 << 16 };

static inline void require(int condition) {
  if (!condition) abort();
}

/* An input open for reading under a name. */
typedef struct fuzz_input {
  int fd;
  char path[32];
} fuzz_input;

static inline fuzz_input name_input(int fd) {
  fuzz_input input = {.fd = fd};
  require(fd >= 0);
  snprintf(input.path, sizeof input.path, "/proc/self/fd/%d", fd);
  return input;
}

static inline fuzz_input file_of(const void *bytes, size_t size) {
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  require(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
  return name_input(fd);
}

static inline fuzz_input pipe_of(const void *bytes, size_t size) {
  int ends[2];
  require(size <= PIPE_BYTES && pipe(ends) == 0 && write(ends[1], bytes, size) == (ssize_t)size);
  close(ends[1]);
  return name_input(ends[0]);
}

static inline void close_input(fuzz_input *input) { close(input->fd); }

static inline size_t pack_piece(mien_compression how, const void *bytes, size_t size, uint8_t *out, size_t capacity) {
  if (how == MIEN_ZSTD) {
    const size_t made = ZSTD_compress(out, capacity, bytes, size, 1);
    require(!ZSTD_isError(made));
    return made;
  }
  z_stream stream = {
      .next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)capacity};
  require(deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  require(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  deflateEnd(&stream);
  return stream.total_out;
}

/* Compressed as two members or frames that meet at `cut`; *packed is to be freed. */
static inline size_t pack(mien_compression how, const uint8_t *bytes, size_t size, size_t cut, uint8_t **packed) {
  enum { AROUND = 1024 }; /* more than two headers and checksums */
  const size_t capacity = size + size / 8 + AROUND;
  require((*packed = malloc(capacity)) != NULL);
  const size_t n = pack_piece(how, bytes, cut, *packed, capacity);
  return n + pack_piece(how, bytes + cut, size - cut, *packed + n, capacity - n);
}

static inline bool is_packed(const uint8_t *bytes, size_t size) {
  return mien_compression_of(bytes, size) != MIEN_PLAIN;
}

/* Rows as bytes that say all there is about them, one behind the other. */
typedef struct fuzz_rows {
  mien_buffer bytes, ends; /* of each row, the end of its bytes: size_t [n] */
  size_t n;
  mien_status status; /* how the reading ended */
  mien_error error;
} fuzz_rows;

static inline void add_bytes(fuzz_rows *rows, const void *bytes, size_t size) {
  require(mien_buffer_append(&rows->bytes, &size, sizeof size));
  if (size > 0) require(mien_buffer_append(&rows->bytes, bytes, size));
}

static inline void end_row(fuzz_rows *rows) {
  require(mien_buffer_append(&rows->ends, &rows->bytes.size, sizeof rows->bytes.size));
  rows->n++;
}

static inline size_t end_of(const fuzz_rows *rows, size_t n) {
  size_t end = 0;
  if (n > 0) memcpy(&end, rows->ends.bytes + (n - 1) * sizeof end, sizeof end);
  return end;
}

static inline void free_rows(fuzz_rows *rows) {
  mien_buffer_free(&rows->bytes);
  mien_buffer_free(&rows->ends);
}

/* `found` are the rows [first, end) of `all`. */
static inline void require_same(const fuzz_rows *found, const fuzz_rows *all, size_t first, size_t end) {
  const size_t start = end_of(all, first), size = end_of(all, end) - start;
  require(found->n == end - first && found->bytes.size == size);
  require(size == 0 || memcmp(found->bytes.bytes, all->bytes.bytes + start, size) == 0);
}

#endif
