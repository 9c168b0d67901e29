/* SPDX-License-Identifier: Apache-2.0 */
/* No compressed inputs, where there are no libraries for them: they are refused. */
#include "corpus/decompress.h"

mien_status mien_decompressor_create(mien_compression compression, const char *name, mien_decompressor **decompressor,
                                     mien_error *error) {
  *decompressor = NULL;
  return mien_fail(error, MIEN_INPUT, "%s: expected plain data, found %s: the native mien reads it", name,
                   mien_compression_ending(compression) + 1);
}

void mien_decompressor_destroy(mien_decompressor *decompressor) { (void)decompressor; }

/* There is no decompressor that gets here. */
mien_status mien_decompress(mien_decompressor *decompressor, const void *input, size_t size, size_t *used, void *output,
                            size_t capacity, size_t *made, mien_error *error) {
  (void)decompressor, (void)input, (void)size, (void)output, (void)capacity;
  *used = *made = 0;
  return mien_fail(error, MIEN_INTERNAL, "compressed data");
}

mien_status mien_decompress_end(const mien_decompressor *decompressor, mien_error *error) {
  (void)decompressor;
  return mien_fail(error, MIEN_INTERNAL, "compressed data");
}
