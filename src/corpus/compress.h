/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes compressed piece by piece: one gzip member (level 6) or Zstandard frame (level 3, with a checksum). What comes
 * out depends on the bytes and on the pieces that they are given in.
 */
#ifndef MIEN_CORPUS_COMPRESS_H
#define MIEN_CORPUS_COMPRESS_H

#include <stdbool.h>

#include "base/status.h"
#include "corpus/compression.h"

typedef struct mien_compressor mien_compressor;

/* `name` is for messages and outlives it. */
MIEN_MUST_USE mien_status mien_compressor_create(mien_compression compression, const char *name,
                                                 mien_compressor **compressor, mien_error *error);
void mien_compressor_destroy(mien_compressor *compressor); /* NULL is ignored */

/*
 * Goes on with input[0 .. size), *used of it being taken and *made bytes coming out; called again with the rest until
 * *is_done: all is taken, and with `ends` the member or frame has its end.
 */
MIEN_MUST_USE mien_status mien_compress(mien_compressor *compressor, const void *input, size_t size, bool ends,
                                        size_t *used, void *output, size_t capacity, size_t *made, bool *is_done,
                                        mien_error *error);

/* Most bytes that can be stored, and most that are put around them. */
enum { MIEN_STORED_BYTES = 255, MIEN_STORED_AROUND = 32 };

/*
 * Writes `size` bytes as a member or frame of their own that does not compress them, so that others of as many bytes
 * can be written over it; returns its size, which depends on `size` alone.
 */
size_t mien_compress_stored(mien_compression compression, const void *bytes, size_t size, unsigned char *out);

#endif
