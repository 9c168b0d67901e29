/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bytes for tests, made by the libraries themselves. */
#ifndef MIEN_TESTS_COMPRESSED_H
#define MIEN_TESTS_COMPRESSED_H

#include <zlib.h>
#include <zstd.h>

#include "corpus/compression.h"
#include "suite.h"

static inline size_t gzip_bytes(const void *bytes, size_t size, unsigned char *out, size_t capacity) {
  z_stream stream = {0};
  require(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "no deflate");
  stream.next_in = (Bytef *)(uintptr_t)bytes;
  stream.avail_in = (uInt)size;
  stream.next_out = out;
  stream.avail_out = (uInt)capacity;
  require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "no room");
  deflateEnd(&stream);
  return stream.total_out;
}

/* With a checksum of the content, as the zstd command writes. */
static inline size_t zstd_bytes(const void *bytes, size_t size, unsigned char *out, size_t capacity) {
  ZSTD_CCtx *context = ZSTD_createCCtx();
  require(context && !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)), "no zstd");
  const size_t made = ZSTD_compress2(context, out, capacity, bytes, size);
  require(!ZSTD_isError(made), "%s", ZSTD_getErrorName(made));
  ZSTD_freeCCtx(context);
  return made;
}

static inline size_t compress_bytes(mien_compression how, const void *bytes, size_t size, unsigned char *out,
                                    size_t capacity) {
  return (how == MIEN_GZIP ? gzip_bytes : zstd_bytes)(bytes, size, out, capacity);
}

#endif
