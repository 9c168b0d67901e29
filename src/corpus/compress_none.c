/* SPDX-License-Identifier: Apache-2.0 */
/* No compressed outputs, where there are no libraries for them: they are refused. */
#include "corpus/compress.h"

mien_status mien_compressor_create(mien_compression compression, const char *name, mien_compressor **compressor,
                                   mien_error *error) {
  *compressor = NULL;
  return mien_fail(error, MIEN_ARGUMENT, "%s: expected plain output, found %s: the native mien writes it", name,
                   mien_compression_ending(compression) + 1);
}

void mien_compressor_destroy(mien_compressor *compressor) { (void)compressor; }

/* There is no compressor that gets here. */
mien_status mien_compress(mien_compressor *compressor, const void *input, size_t size, bool ends, size_t *used,
                          void *output, size_t capacity, size_t *made, bool *is_done, mien_error *error) {
  (void)compressor, (void)input, (void)size, (void)ends, (void)output, (void)capacity;
  *used = *made = 0;
  *is_done = true;
  return mien_fail(error, MIEN_INTERNAL, "compressed data");
}

size_t mien_compress_stored(mien_compression compression, const void *bytes, size_t size, unsigned char *out) {
  (void)compression, (void)bytes, (void)size, (void)out;
  return 0;
}
