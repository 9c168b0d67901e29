/* SPDX-License-Identifier: Apache-2.0 */
/* An open input as bytes: a file of known size, or a stream that is read in order and waited for. */
#ifndef MIEN_CORPUS_STREAM_H
#define MIEN_CORPUS_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"

typedef struct mien_stream {
  int fd;
  bool owns_fd;
  bool is_file;        /* a regular file of known size: has offsets */
  uint64_t base;       /* files: where its bytes begin; stdin may have been read in part before */
  uint64_t file_bytes; /* files: from there */
  const char *name;    /* for messages; the path's own memory, or static */
  const atomic_bool *cancel;
} mien_stream;

/* Opens `path`, "-" being stdin. Folders are refused. *stream is closed after a failure too. */
MIEN_MUST_USE mien_status mien_stream_open(mien_stream *stream, const char *path, const atomic_bool *cancel,
                                           mien_error *error);
void mien_stream_close(mien_stream *stream);

/* Whether a path may be opened, looked at and closed without being used up. */
bool mien_stream_is_file(const char *path);

/*
 * Reads in order until `bytes` are there or the input ends; *found tells. A wait gives up with MIEN_CANCELLED soon
 * after *cancel (may be NULL) is set.
 */
MIEN_MUST_USE mien_status mien_stream_read(mien_stream *stream, void *data, size_t bytes, size_t *found,
                                           mien_error *error);

/* The same, content with what is there once anything is: *found is 0 at the end only. */
MIEN_MUST_USE mien_status mien_stream_read_some(mien_stream *stream, void *data, size_t bytes, size_t *found,
                                                mien_error *error);

/* Whether a read would find bytes or the end at once. */
bool mien_stream_is_ready(const mien_stream *stream);

#endif
