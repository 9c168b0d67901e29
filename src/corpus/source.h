/* SPDX-License-Identifier: Apache-2.0 */
/* One open input of embeddings: a file that is read at offsets, or a stream that is read in order. */
#ifndef MIEN_CORPUS_SOURCE_H
#define MIEN_CORPUS_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "corpus/inputs.h"
#include "corpus/reader.h"

typedef struct mien_source {
  int fd;
  bool owns_fd;
  bool is_file; /* a regular file of known size: has offsets, and the size is checked when it is opened */
  const char *name;
  const atomic_bool *cancel;
  mien_dtype dtype;
  size_t row_bytes;
  uint64_t n_rows; /* MIEN_ROWS_UNKNOWN for a raw stream */
  uint64_t next_row;
  uint64_t data_offset; /* files: where row 0 lies */
  atomic_uint users;    /* references: the reader's and one for each chunk that is claimed and not yet filled */
} mien_source;

/* Opens `input` and reads its header; *source is a new reference. */
MIEN_MUST_USE mien_status mien_source_open(const mien_input *input, size_t dim, const atomic_bool *cancel,
                                           mien_source **source, mien_error *error);
void mien_source_release(mien_source *source);

/* Whether a path may be opened, checked and closed without being used up. */
bool mien_source_is_file(const char *path);

/*
 * Reads up to `n_rows` next rows of a stream into `data`; *found is less only at its end, which is checked: a .npy
 * stream must have neither fewer nor more bytes than its header says, a raw one whole rows.
 */
MIEN_MUST_USE mien_status mien_source_stream_rows(mien_source *source, void *data, size_t n_rows, size_t *found,
                                                  mien_error *error);

#endif
