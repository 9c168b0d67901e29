/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as gzip or Zstandard, in pieces of any sizes: no call is without progress, and what comes out
 * of all pieces is the same. And any bytes compressed come back.
 */
#include "fuzz/input.h"

#include "corpus/compress.h"
#include "corpus/decompress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_OUTPUT = 1 << 20 }; /* few bytes may stand for endless ones */

static size_t next_piece(uint32_t *random, size_t left) {
  *random = *random * 1664525 + 1013904223;
  const size_t piece = 1 + (*random >> 24) % 32;
  return *random == 0 || piece > left ? left : piece;
}

/* `random`: how the pieces are cut; NULL: there is one, and much room. */
static mien_status decompress_pieces(mien_compression how, const uint8_t *data, size_t size, uint32_t *random,
                                     mien_buffer *out) {
  mien_decompressor *decompressor;
  mien_error error;
  static uint8_t room[1 << 16];
  mien_status status = mien_decompressor_create(how, "fuzz", &decompressor, &error);
  require(status == MIEN_OK);
  bool is_left = false; /* more may come without more bytes */
  while (status == MIEN_OK && (size > 0 || is_left) && out->size < MOST_OUTPUT) {
    const size_t piece = random ? next_piece(random, size) : size;
    const size_t capacity = random ? next_piece(random, sizeof room) : sizeof room;
    size_t used, made;
    status = mien_decompress(decompressor, data, piece, &used, room, capacity, &made, &error);
    require(used <= piece && made <= capacity);
    if (status != MIEN_OK) break;
    require(used > 0 || made > 0 || size == 0);
    if (made > 0) require(mien_buffer_append(out, room, made));
    is_left = made == capacity;
    data += used, size -= used;
  }
  if (status == MIEN_OK && out->size < MOST_OUTPUT) status = mien_decompress_end(decompressor, &error);
  require(status == MIEN_OK || strncmp(error.message, "fuzz: ", 6) == 0);
  mien_decompressor_destroy(decompressor);
  return status;
}

static void compress_pieces(mien_compression how, const uint8_t *data, size_t size, uint32_t *random,
                            mien_buffer *out) {
  mien_compressor *compressor;
  mien_error error;
  uint8_t room[64];
  bool is_done = false;
  require(mien_compressor_create(how, "fuzz", &compressor, &error) == MIEN_OK);
  do {
    const size_t piece = next_piece(random, size);
    size_t taken = 0;
    do {
      size_t used, made;
      require(mien_compress(compressor, data + taken, piece - taken, piece == size, &used, room, sizeof room, &made,
                            &is_done, &error) == MIEN_OK);
      require(used <= piece - taken && made <= sizeof room);
      if (made > 0) require(mien_buffer_append(out, room, made));
      taken += used;
    } while (!is_done);
    data += piece, size -= piece;
  } while (size > 0);
  mien_compressor_destroy(compressor);
}

static void require_equal(const mien_buffer *found, const mien_buffer *expected) {
  require(found->size == expected->size);
  require(found->size == 0 || memcmp(found->bytes, expected->bytes, found->size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  /* The first byte says what the others are, the second how they arrive. */
  const mien_compression how = data[0] % 2 ? MIEN_ZSTD : MIEN_GZIP;
  uint32_t random = data[1];
  mien_buffer whole = {0}, pieces = {0}, packed = {0}, back = {0};
  data += 2, size -= 2;
  const mien_status status = decompress_pieces(how, data, size, NULL, &whole);
  const mien_status status_in_pieces = decompress_pieces(how, data, size, &random, &pieces);
  /* Of a frame that is there at once libzstd checks the claimed size, and not the window that it does not need. */
  if (how == MIEN_GZIP && whole.size < MOST_OUTPUT && pieces.size < MOST_OUTPUT) require(status == status_in_pieces);
  if (status == MIEN_OK && status_in_pieces == MIEN_OK && whole.size < MOST_OUTPUT) require_equal(&whole, &pieces);
  compress_pieces(how, data, size, &random, &packed);
  require(decompress_pieces(how, (const uint8_t *)packed.bytes, packed.size, &random, &back) == MIEN_OK);
  if (size < MOST_OUTPUT) require_equal(&back, &(mien_buffer){.bytes = (char *)(uintptr_t)data, .size = size});
  mien_buffer_free(&whole);
  mien_buffer_free(&pieces);
  mien_buffer_free(&packed);
  mien_buffer_free(&back);
  return 0;
}
