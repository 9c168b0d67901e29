/* SPDX-License-Identifier: Apache-2.0 */
/* A run's output files: the rows, and beside arrays a sidecar; both appear whole or not at all. */
#ifndef MIEN_CORPUS_WRITER_H
#define MIEN_CORPUS_WRITER_H

#include "corpus/rows.h"

typedef struct mien_writer mien_writer;

/*
 * Opens `path` (NULL: stdout) for rows of `model`. npy and bits need a file that can be written over, as the number
 * of rows is put into its header at the end; devices that seek (/dev/null) get no sidecar.
 */
MIEN_MUST_USE mien_status mien_writer_create(const mien_model *model, const mien_row_options *options, const char *path,
                                             const atomic_bool *cancel, mien_writer **writer, mien_error *error);

/* A part of an output that is written in parts: a file, and beside arrays its sidecar. */
typedef struct mien_part {
  uint64_t first_row, n_rows;
  uint64_t n_bad, n_labels, n_tokens, n_truncated; /* of these rows */
} mien_part;

/* Where parts go. The functions are called one at a time, in the order of rows. */
typedef struct mien_parts {
  const mien_row_range *range; /* the reader's */
  /* Says where the part that begins with `first_row` goes; the path is the user's until `end`. */
  mien_status (*begin)(void *user, uint64_t first_row, const char **path, mien_error *error);
  /* Takes a part that has its name. */
  mien_status (*end)(void *user, const mien_part *part, mien_error *error);
  void *user;
} mien_parts;

/*
 * A writer of parts, each a file with all that a whole output has (a header) and whole as soon as its last row is
 * written. An output without rows is one part without rows.
 */
MIEN_MUST_USE mien_status mien_writer_create_in_parts(const mien_model *model, const mien_row_options *options,
                                                      const mien_parts *parts, const atomic_bool *cancel,
                                                      mien_writer **writer, mien_error *error);

const mien_row_format *mien_writer_rows(const mien_writer *writer);

/* Writes a block that mien_row_format_run has formatted. In row order, one caller at a time. */
MIEN_MUST_USE mien_status mien_writer_write(mien_writer *writer, const mien_block *block, mien_error *error);

/* Ends the output and gives it its name: of parts the last one, which may have fewer rows. */
MIEN_MUST_USE mien_status mien_writer_finish(mien_writer *writer, mien_error *error);

/* Without mien_writer_finish nothing is left behind. NULL is ignored. */
void mien_writer_destroy(mien_writer *writer);

#endif
