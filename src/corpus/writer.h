/* SPDX-License-Identifier: Apache-2.0 */
/* A run's output files: the rows, and beside arrays a sidecar, OUT.labels.json of scores and bits, OUT.rows.json of
 * embeddings; both appear whole or not at all. */
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

/* The name of the sidecar beside `path`, to be freed with mien_free; NULL without memory. */
char *mien_writer_sidecar(const char *path, mien_row_content content);

const mien_row_format *mien_writer_rows(const mien_writer *writer);

/* Writes a block that mien_row_format_run has formatted. In row order, one caller at a time. */
MIEN_MUST_USE mien_status mien_writer_write(mien_writer *writer, const mien_block *block, mien_error *error);

/* Ends the output and gives it its name. */
MIEN_MUST_USE mien_status mien_writer_finish(mien_writer *writer, mien_error *error);

/* Without mien_writer_finish nothing is left behind. NULL is ignored. */
void mien_writer_destroy(mien_writer *writer);

#endif
