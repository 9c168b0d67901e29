/* SPDX-License-Identifier: Apache-2.0 */
/* XXH3's 128 bits of what files and texts hold: by them embeddings are found again, and data is told from other data.
 */
#ifndef MIEN_CLI_CONTENT_HASH_H
#define MIEN_CLI_CONTENT_HASH_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/status.h"

typedef struct cli_hash cli_hash;

enum { CLI_HASH_CHARS = 33 }; /* 32 hexadecimal digits and a NUL */

/* NULL without memory. */
cli_hash *cli_hash_create(void);
void cli_hash_destroy(cli_hash *hash);

/* Takes a text or bytes, with their length before: what follows can't be taken for a part of them. */
void cli_hash_add(cli_hash *hash, const void *bytes, size_t size);

/* Takes a regular file's bytes, in the same way; or, of a folder, those of every file in it and in its folders, in the
 * order of their names, with the names. Hidden files are left out. */
MIEN_MUST_USE mien_status cli_hash_add_path(cli_hash *hash, const char *path, mien_error *error);

/* Ends it. */
void cli_hash_show(cli_hash *hash, char text[CLI_HASH_CHARS]);

/* Takes an encoder as its path names it: a pack is a file; of ONNX the folder counts, and the one above where that is
 * called onnx. */
MIEN_MUST_USE mien_status cli_hash_add_encoder(cli_hash *hash, const char *path, mien_error *error);

/* The plain hash of a file's bytes, as xxh128sum tells it. Ends with MIEN_CANCELLED when *cancel (may be NULL) is set.
 */
MIEN_MUST_USE mien_status cli_hash_file(const char *path, const atomic_bool *cancel, char text[CLI_HASH_CHARS],
                                        mien_error *error);

#endif
