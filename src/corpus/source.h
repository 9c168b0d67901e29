/* SPDX-License-Identifier: Apache-2.0 */
/* One open input of embeddings: a file that is read at offsets, or a stream that is read in order. */
#ifndef MIEN_CORPUS_SOURCE_H
#define MIEN_CORPUS_SOURCE_H

#include "corpus/reader.h"
#include "corpus/stream.h"

typedef struct mien_source {
  mien_stream stream; /* of a file the size is checked when it is opened */
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

/*
 * Reads up to `n_rows` next rows of a stream into `data`; *found is less only at its end, which is checked: a .npy
 * stream must have neither fewer nor more bytes than its header says, a raw one whole rows.
 */
MIEN_MUST_USE mien_status mien_source_stream_rows(mien_source *source, void *data, size_t n_rows, size_t *found,
                                                  mien_error *error);

#endif
