/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a file that are left, byte for byte. */
#ifndef MIEN_CLI_CLEAN_COPY_H
#define MIEN_CLI_CLEAN_COPY_H

#include <sys/stat.h>

#include "corpus/output.h"
#include "train/examples.h"

/* What the file is before it is read as examples: a regular one, or MIEN_INPUT. */
MIEN_MUST_USE mien_status clean_look(const char *path, struct stat *file, mien_error *error);

/* Copies the file but for the lines of rows that are `dropped` [n_rows]. MIEN_INPUT where it is no more what it was. */
MIEN_MUST_USE mien_status clean_copy(const char *path, const struct stat *before, const mien_examples *examples,
                                     const bool *dropped, mien_output *output, mien_error *error);

#endif
