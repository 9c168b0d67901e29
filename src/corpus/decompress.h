/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed bytes back to what they stand for, piece by piece in bounded memory. What is corrupt, cut short or
 * followed by something else is MIEN_INPUT with the place in the compressed bytes.
 */
#ifndef MIEN_CORPUS_DECOMPRESS_H
#define MIEN_CORPUS_DECOMPRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "corpus/compression.h"

typedef struct mien_decompressor mien_decompressor;

/* `name` is for messages and outlives it. Zstandard's window may be of 128 MiB (--long=27) at most. */
MIEN_MUST_USE mien_status mien_decompressor_create(mien_compression compression, const char *name,
                                                   mien_decompressor **decompressor, mien_error *error);
void mien_decompressor_destroy(mien_decompressor *decompressor); /* NULL is ignored */

/*
 * Goes on with input[0 .. size): *used of it were taken, *made bytes came out. All of it is used up, or all of
 * `capacity` filled, but for where a member or frame ends.
 */
MIEN_MUST_USE mien_status mien_decompress(mien_decompressor *decompressor, const void *input, size_t size, size_t *used,
                                          void *output, size_t capacity, size_t *made, mien_error *error);

/* Whether the input may end behind what was used. */
MIEN_MUST_USE mien_status mien_decompress_end(const mien_decompressor *decompressor, mien_error *error);

#endif
