/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open input as bytes: a file of known size, or a stream that is read in order and waited for. What is compressed,
 * by its first bytes and not by its name, is a stream of what it stands for.
 */
#ifndef MIEN_CORPUS_STREAM_H
#define MIEN_CORPUS_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "corpus/decompress.h"

typedef struct mien_stream {
  int fd;
  bool owns_fd;
  bool is_file;        /* a regular file of known size that is not compressed: has offsets */
  uint64_t base;       /* files, compressed ones too: where their bytes begin; stdin may have been read before */
  uint64_t file_bytes; /* files, compressed ones too: from there; 0 of streams */
  uint64_t place;      /* bytes of the input, as it lies there, that were read in order and used */
  const char *name;    /* for messages; the path's own memory, or static */
  const atomic_bool *cancel;

  bool has_size;   /* a regular file of known size: that it must have when its end is met */
  bool is_sniffed; /* whether it is compressed is known */
  unsigned char sniffed[MIEN_COMPRESSION_MAGIC]; /* a stream's first bytes, which it gives no second time */
  size_t sniffed_start, sniffed_end;
  mien_decompressor *decompressor; /* NULL: what it is made of is plain, or not known yet */
  unsigned char *packed;           /* compressed bytes that were read and not used: packed[start .. end) */
  size_t packed_start, packed_end;
  bool is_packed_left; /* the decompressor filled what it was given: there may be more without reading */
  mien_error failure;  /* met before, and met again by every read; its code is MIEN_OK where none was */
} mien_stream;

/* Opens `path`, "-" being stdin. Folders are refused. *stream is closed after a failure too. */
MIEN_MUST_USE mien_status mien_stream_open(mien_stream *stream, const char *path, const atomic_bool *cancel,
                                           mien_error *error);
void mien_stream_close(mien_stream *stream);

/* Whether a path may be opened, read and closed without being used up; of stdin, only looked at. */
bool mien_stream_is_file(const char *path);

/*
 * Reads in order until `bytes` are there or the input ends; *found tells. A wait gives up with MIEN_CANCELLED soon
 * after *cancel (may be NULL) is set. The end of a file that is not as long as it was when it was opened, and that of
 * compressed data that lacks some, is MIEN_INPUT.
 */
MIEN_MUST_USE mien_status mien_stream_read(mien_stream *stream, void *data, size_t bytes, size_t *found,
                                           mien_error *error);

/* The same, content with what is there once anything is: *found is 0 at the end only. */
MIEN_MUST_USE mien_status mien_stream_read_some(mien_stream *stream, void *data, size_t bytes, size_t *found,
                                                mien_error *error);

/* MIEN_INPUT where a file that was read at offsets is not as long any more as it was when it was opened. */
MIEN_MUST_USE mien_status mien_stream_check_size(const mien_stream *stream, mien_error *error);

/* Whether a read would find bytes or the end at once. */
bool mien_stream_is_ready(const mien_stream *stream);

#endif
