/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bytes back to what they stand for: gzip by zlib, Zstandard by libzstd. */
#include "corpus/decompress.h"

#include <inttypes.h>
#include <limits.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/memory.h"

enum {
  GZIP_WINDOW = MAX_WBITS + 16, /* the largest, in a gzip wrapper: inflateInit2's windowBits */
  ZSTD_WINDOW = 27,             /* log2 of the largest; libzstd's own limit */
};

struct mien_decompressor {
  mien_compression compression;
  const char *name;
  z_stream gzip;
  ZSTD_DStream *zstd;
  uint64_t used; /* bytes of the input */
  uint64_t unit; /* where in it the open member or frame begins */
  bool is_open;  /* a member or frame has begun and not ended */
};

/* ---- gzip -------------------------------------------------------------------------------------------------------- */

static mien_status fail_corrupt(const mien_decompressor *d, const char *why, mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s: behind byte %" PRIu64 ": corrupt %s: %s", d->name, d->used,
                   mien_compression_ending(d->compression) + 1, why);
}

static mien_status fail_garbage(const mien_decompressor *d, mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s: byte %" PRIu64 ": expected the end or another %s, found other bytes",
                   d->name, d->unit, d->compression == MIEN_GZIP ? "gz member" : "zst frame");
}

/* zlib checks the first two bytes of a header at once: what follows a member is garbage where they are others. */
static mien_status gunzip(mien_decompressor *d, const void *input, size_t size, size_t *used, void *output,
                          size_t capacity, size_t *made, mien_error *error) {
  z_stream *stream = &d->gzip;
  stream->next_in = (Bytef *)(uintptr_t)input;
  stream->avail_in = size < UINT_MAX ? (uInt)size : UINT_MAX;
  stream->next_out = output;
  stream->avail_out = capacity < UINT_MAX ? (uInt)capacity : UINT_MAX;
  const uInt most_in = stream->avail_in, most_out = stream->avail_out;
  const int code = inflate(stream, Z_NO_FLUSH);
  *used = most_in - stream->avail_in;
  *made = most_out - stream->avail_out;
  d->used += *used;
  if (code == Z_MEM_ERROR) return mien_fail_memory(error, d->name, (size_t)1 << MAX_WBITS);
  if (code == Z_DATA_ERROR && d->unit > 0 && d->used - d->unit <= 2) return fail_garbage(d, error);
  if (code != Z_OK && code != Z_BUF_ERROR && code != Z_STREAM_END)
    return fail_corrupt(d, stream->msg ? stream->msg : "expected deflated data", error);
  if (code == Z_STREAM_END) {
    d->is_open = false;
    if (inflateReset(stream) != Z_OK) return mien_fail(error, MIEN_INTERNAL, "%s: zlib is not reset", d->name);
  }
  return MIEN_OK;
}

/* ---- Zstandard --------------------------------------------------------------------------------------------------- */

static mien_status fail_zstd(const mien_decompressor *d, size_t code, mien_error *error) {
  switch (ZSTD_getErrorCode(code)) {
  case ZSTD_error_memory_allocation: return mien_fail_memory(error, d->name, (size_t)1 << ZSTD_WINDOW);
  case ZSTD_error_prefix_unknown:
    if (d->unit > 0) return fail_garbage(d, error);
    break;
  case ZSTD_error_frameParameter_windowTooLarge:
    return mien_fail(error, MIEN_INPUT,
                     "%s: byte %" PRIu64 ": expected a zst frame with a window of at most 128 MiB, found a larger one "
                     "(compressed with --long above 27)",
                     d->name, d->unit);
  default: break;
  }
  return fail_corrupt(d, ZSTD_getErrorName(code), error);
}

static mien_status unzstd(mien_decompressor *d, const void *input, size_t size, size_t *used, void *output,
                          size_t capacity, size_t *made, mien_error *error) {
  ZSTD_inBuffer in = {input, size, 0};
  ZSTD_outBuffer out = {output, capacity, 0};
  const size_t code = ZSTD_decompressStream(d->zstd, &out, &in);
  *used = in.pos;
  *made = out.pos;
  d->used += *used;
  if (ZSTD_isError(code)) return fail_zstd(d, code, error);
  if (code == 0) d->is_open = false;
  return MIEN_OK;
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

mien_status mien_decompressor_create(mien_compression compression, const char *name, mien_decompressor **out,
                                     mien_error *error) {
  mien_decompressor *d = mien_alloc(1, sizeof *d);
  if (!d) return mien_fail_memory(error, name, sizeof *d);
  bool is_made;
  d->compression = compression;
  d->name = name;
  if (compression == MIEN_GZIP)
    is_made = inflateInit2(&d->gzip, GZIP_WINDOW) == Z_OK;
  else
    is_made = (d->zstd = ZSTD_createDStream()) != NULL &&
              !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW));
  if (is_made) {
    *out = d;
    return MIEN_OK;
  }
  ZSTD_freeDStream(d->zstd);
  mien_free(d);
  return mien_fail_memory(error, name, sizeof *d);
}

void mien_decompressor_destroy(mien_decompressor *d) {
  if (!d) return;
  if (d->compression == MIEN_GZIP) inflateEnd(&d->gzip);
  ZSTD_freeDStream(d->zstd);
  mien_free(d);
}

mien_status mien_decompress(mien_decompressor *d, const void *input, size_t size, size_t *used, void *output,
                            size_t capacity, size_t *made, mien_error *error) {
  if (!d->is_open && size > 0) {
    d->is_open = true;
    d->unit = d->used;
  }
  return (d->compression == MIEN_GZIP ? gunzip : unzstd)(d, input, size, used, output, capacity, made, error);
}

mien_status mien_decompress_end(const mien_decompressor *d, mien_error *error) {
  if (!d->is_open) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: truncated %s: expected more than %" PRIu64 " bytes, found the end", d->name,
                   mien_compression_ending(d->compression) + 1, d->used);
}
