/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run's bytes go: a file that appears whole or not at all, or a stream. */
#ifndef MIEN_CORPUS_OUTPUT_H
#define MIEN_CORPUS_OUTPUT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"
#include "corpus/compression.h"

typedef struct mien_output mien_output;

/*
 * Opens `path`, or stdout for NULL. A regular file, or one that is not there yet, is written under a temporary name in
 * the same folder; anything else (stdout, a FIFO, /dev/null) is written directly. A link is followed, one
 * that leads to nothing is MIEN_ARGUMENT, and so are /dev/fd and the like where a file is behind them. Failures of an
 * output are MIEN_RESOURCE. Waiting for a reader of a FIFO or pipe gives up with MIEN_CANCELLED soon after *cancel (may
 * be NULL) is set. A closed pipe is an error only where SIGPIPE is ignored.
 */
MIEN_MUST_USE mien_status mien_output_open(const char *path, const atomic_bool *cancel, mien_output **output,
                                           mien_error *error);

/*
 * Compresses what is written from here on, of an output that nothing was written to. The compressed bytes depend on
 * what is written and not on how it is cut into writes. MIEN_PLAIN changes nothing.
 */
MIEN_MUST_USE mien_status mien_output_compress(mien_output *output, mien_compression compression, mien_error *error);

/* Whether bytes written before can be written over: mien_output_patch_header works. */
bool mien_output_is_seekable(const mien_output *output);

/* Whether it is a file with a temporary name, and not a device or a stream. */
bool mien_output_is_file(const mien_output *output);

/* Whether the output would overwrite `path`: the same file, by whatever names. */
bool mien_output_is_same_file(const char *output_path, const char *path);

/* Appends; small writes are gathered. */
MIEN_MUST_USE mien_status mien_output_write(mien_output *output, const void *bytes, size_t size, mien_error *error);

/*
 * Writes a header, before all else, that is written over when what it tells is known: of at most 255 bytes. Compressed
 * it is a member or frame of its own.
 */
MIEN_MUST_USE mien_status mien_output_write_header(mien_output *output, const void *bytes, size_t size,
                                                   mien_error *error);

/* Writes what is gathered: what reads the output waits for it. Compressed bytes are not cut for it. */
MIEN_MUST_USE mien_status mien_output_flush(mien_output *output, mien_error *error);

/* Writes over the header, by one of the same size. */
MIEN_MUST_USE mien_status mien_output_patch_header(mien_output *output, const void *bytes, size_t size,
                                                   mien_error *error);

/* Has the bytes on the disk before a file gets its name, and not when the system finds the time. */
void mien_output_keep(mien_output *output);

/* Writes what is gathered and closes, checking both; a file stays under its temporary name. */
MIEN_MUST_USE mien_status mien_output_close(mien_output *output, mien_error *error);

/* Gives a closed file its name; nothing to do for others. */
MIEN_MUST_USE mien_status mien_output_publish(mien_output *output, mien_error *error);

/* Frees it; a file that was not published leaves nothing behind and its target as it was. NULL is ignored. */
void mien_output_destroy(mien_output *output);

#endif
