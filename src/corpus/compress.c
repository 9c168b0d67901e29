/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes compressed piece by piece: gzip by zlib, Zstandard by libzstd. */
#include "corpus/compress.h"

#include <stdint.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

#include "base/memory.h"

enum {
  GZIP_LEVEL = 6,
  GZIP_WINDOW = MAX_WBITS + 16, /* the largest, in a gzip wrapper: deflateInit2's windowBits */
  GZIP_MEMORY = 8,              /* zlib's default */
  ZSTD_LEVEL = 3,
};

struct mien_compressor {
  mien_compression compression;
  const char *name;
  z_stream gzip;
  ZSTD_CCtx *zstd;
};

static bool begin(mien_compressor *c) {
  if (c->compression == MIEN_GZIP)
    return deflateInit2(&c->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
  c->zstd = ZSTD_createCCtx();
  return c->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1));
}

mien_status mien_compressor_create(mien_compression compression, const char *name, mien_compressor **out,
                                   mien_error *error) {
  mien_compressor *c = mien_alloc(1, sizeof *c);
  if (!c) return mien_fail_memory(error, name, sizeof *c);
  c->compression = compression;
  c->name = name;
  if (!begin(c)) {
    ZSTD_freeCCtx(c->zstd);
    mien_free(c);
    return mien_fail_memory(error, name, sizeof *c);
  }
  *out = c;
  return MIEN_OK;
}

void mien_compressor_destroy(mien_compressor *c) {
  if (!c) return;
  if (c->compression == MIEN_GZIP) deflateEnd(&c->gzip);
  ZSTD_freeCCtx(c->zstd);
  mien_free(c);
}

static mien_status run_gzip(mien_compressor *c, const void *input, size_t size, bool ends, size_t *used, void *output,
                            size_t capacity, size_t *made, bool *is_done, mien_error *error) {
  z_stream *stream = &c->gzip;
  stream->next_in = (Bytef *)(uintptr_t)input;
  stream->avail_in = (uInt)size;
  stream->next_out = output;
  stream->avail_out = (uInt)capacity;
  const int code = deflate(stream, ends ? Z_FINISH : Z_NO_FLUSH);
  *used = size - stream->avail_in;
  *made = capacity - stream->avail_out;
  *is_done = ends ? code == Z_STREAM_END : stream->avail_in == 0 && stream->avail_out > 0;
  if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR) return MIEN_OK;
  return mien_fail(error, MIEN_INTERNAL, "%s: zlib: %d", c->name, code);
}

static mien_status run_zstd(mien_compressor *c, const void *input, size_t size, bool ends, size_t *used, void *output,
                            size_t capacity, size_t *made, bool *is_done, mien_error *error) {
  ZSTD_inBuffer in = {input, size, 0};
  ZSTD_outBuffer out = {output, capacity, 0};
  const size_t left = ZSTD_compressStream2(c->zstd, &out, &in, ends ? ZSTD_e_end : ZSTD_e_continue);
  *used = in.pos;
  *made = out.pos;
  if (ZSTD_isError(left)) return mien_fail(error, MIEN_RESOURCE, "%s: zstd: %s", c->name, ZSTD_getErrorName(left));
  *is_done = ends ? left == 0 : in.pos == in.size;
  return MIEN_OK;
}

mien_status mien_compress(mien_compressor *c, const void *input, size_t size, bool ends, size_t *used, void *output,
                          size_t capacity, size_t *made, bool *is_done, mien_error *error) {
  return (c->compression == MIEN_GZIP ? run_gzip : run_zstd)(c, input, size, ends, used, output, capacity, made,
                                                             is_done, error);
}

/* ---- Stored ------------------------------------------------------------------------------------------------------ */

static unsigned char *put_little_endian(unsigned char *out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; i++) *out++ = (unsigned char)(value >> 8 * i);
  return out;
}

/* RFC 1952 around one stored block of RFC 1951. */
static size_t store_gzip(const void *bytes, size_t size, unsigned char *out) {
  static const unsigned char header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
  unsigned char *at = out;
  memcpy(at, header, sizeof header);
  at += sizeof header;
  *at++ = 1; /* the last block, stored */
  at = put_little_endian(at, (uint32_t)size, 2);
  at = put_little_endian(at, ~(uint32_t)size, 2);
  memcpy(at, bytes, size);
  at = put_little_endian(at + size, (uint32_t)crc32(0, bytes, (uInt)size), 4);
  return (size_t)(put_little_endian(at, (uint32_t)size, 4) - out);
}

/* RFC 8878: a frame with a content size of one byte and a checksum, around one raw block. */
static size_t store_zstd(const void *bytes, size_t size, unsigned char *out) {
  enum { SINGLE_SEGMENT = 0x20, CHECKSUM = 0x04, LAST_RAW = 1 };
  unsigned char *at = put_little_endian(out, ZSTD_MAGICNUMBER, 4);
  *at++ = SINGLE_SEGMENT | CHECKSUM;
  *at++ = (unsigned char)size;
  at = put_little_endian(at, (uint32_t)size << 3 | LAST_RAW, 3);
  memcpy(at, bytes, size);
  return (size_t)(put_little_endian(at + size, (uint32_t)XXH64(bytes, size, 0), 4) - out);
}

size_t mien_compress_stored(mien_compression compression, const void *bytes, size_t size, unsigned char *out) {
  return (compression == MIEN_GZIP ? store_gzip : store_zstd)(bytes, size, out);
}
