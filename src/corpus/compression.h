/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed inputs and outputs: which there are, by what they are known, and how they are called. */
#ifndef MIEN_CORPUS_COMPRESSION_H
#define MIEN_CORPUS_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>

typedef enum mien_compression {
  MIEN_PLAIN,
  MIEN_GZIP, /* .gz, RFC 1952: one member or several */
  MIEN_ZSTD, /* .zst, RFC 8878: one frame or several */
} mien_compression;

enum { MIEN_COMPRESSION_MAGIC = 4 }; /* bytes that tell */

/* What begins with these bytes. Of fewer than MIEN_COMPRESSION_MAGIC it is plain: see below. */
mien_compression mien_compression_of(const unsigned char *bytes, size_t size);

/* Whether bytes that are no magic yet may become one with those that follow. */
bool mien_compression_may_follow(const unsigned char *bytes, size_t size);

/* What a name's ending says: of "a.jsonl.gz" MIEN_GZIP. *length is that of the name before it, or of all of it. */
mien_compression mien_compression_of_name(const char *name, size_t *length);

/* ".gz", ".zst", and "" of plain ones; static. For messages, behind the dot. */
const char *mien_compression_ending(mien_compression compression);

#endif
