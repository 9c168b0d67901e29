/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed inputs and outputs: by what they are known, and how they are called. */
#include "corpus/compression.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* A magic's bytes under their masks. */
typedef struct magic {
  unsigned char bytes[MIEN_COMPRESSION_MAGIC], mask[MIEN_COMPRESSION_MAGIC];
  mien_compression compression;
} magic;

static const magic magics[] = {
    {{0x1f, 0x8b, 0x08, 0}, {0xff, 0xff, 0xff, 0xe0}, MIEN_GZIP}, /* deflate; reserved flags are not set */
    {{0x28, 0xb5, 0x2f, 0xfd}, {0xff, 0xff, 0xff, 0xff}, MIEN_ZSTD},
    {{0x50, 0x2a, 0x4d, 0x18}, {0xf0, 0xff, 0xff, 0xff}, MIEN_ZSTD}, /* a frame to be skipped */
};

static bool begins(const magic *expected, const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size && i < MIEN_COMPRESSION_MAGIC; i++)
    if ((bytes[i] & expected->mask[i]) != expected->bytes[i]) return false;
  return true;
}

mien_compression mien_compression_of(const unsigned char *bytes, size_t size) {
  for (size_t i = 0; size >= MIEN_COMPRESSION_MAGIC && i < sizeof magics / sizeof *magics; i++)
    if (begins(&magics[i], bytes, size)) return magics[i].compression;
  return MIEN_PLAIN;
}

bool mien_compression_may_follow(const unsigned char *bytes, size_t size) {
  for (size_t i = 0; size < MIEN_COMPRESSION_MAGIC && i < sizeof magics / sizeof *magics; i++)
    if (begins(&magics[i], bytes, size)) return true;
  return false;
}

mien_compression mien_compression_of_name(const char *name, size_t *length) {
  *length = strlen(name);
  for (mien_compression which = MIEN_GZIP; which <= MIEN_ZSTD; which++) {
    const char *ending = mien_compression_ending(which);
    const size_t n = strlen(ending);
    if (*length <= n || strcasecmp(name + *length - n, ending) != 0) continue;
    *length -= n;
    return which;
  }
  return MIEN_PLAIN;
}

const char *mien_compression_ending(mien_compression compression) {
  return compression == MIEN_GZIP ? ".gz" : compression == MIEN_ZSTD ? ".zst" : "";
}
