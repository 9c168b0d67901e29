/* SPDX-License-Identifier: Apache-2.0 */
/* The small JSON files beside an encoder's weights, and their fields, each checked as it is read. */
#ifndef MIEN_ENCODER_SMALL_FILE_H
#define MIEN_ENCODER_SMALL_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

typedef struct mien_small_file {
  char *path;    /* for messages */
  json_t *value; /* NULL when there is no such file */
} mien_small_file;

/* "folder/name" in fresh memory, `folder` alone for an empty name; NULL without memory. Freed by mien_free. */
char *mien_path_join(const char *folder, const char *name);

/* Whether something is there under that name, a link without a target too: that is for the reader to complain of. */
bool mien_path_exists(const char *folder, const char *name);

/*
 * Reads "folder/name" whose value must be of `type`. Numbers are read as real ones: model_max_length is 1e30 where
 * nobody set it. A file that is not there has no value, unless `is_required`. Free it in any case, zeroed or read.
 */
MIEN_MUST_USE mien_status mien_small_file_read(const char *folder, const char *name, json_type type, bool is_required,
                                               mien_small_file *file, mien_error *error);
void mien_small_file_free(mien_small_file *file);

/* Largest size in a field that any supported encoder has; products of a few of them fit 64 bits. */
#define MIEN_SMALL_MAX_SIZE ((size_t)1 << 24)

/*
 * Each reads field `key` of `object`, found in `file`, and leaves *value as it is, the default, when the field is
 * absent or null. Of another type, or a size outside [least, most]: MIEN_INPUT. Texts live as long as the file.
 */
MIEN_MUST_USE mien_status mien_small_size(const mien_small_file *file, const json_t *object, const char *key,
                                          size_t least, size_t most, size_t *value, mien_error *error);
MIEN_MUST_USE mien_status mien_small_number(const mien_small_file *file, const json_t *object, const char *key,
                                            double *value, mien_error *error);
MIEN_MUST_USE mien_status mien_small_flag(const mien_small_file *file, const json_t *object, const char *key,
                                          bool *value, mien_error *error);
MIEN_MUST_USE mien_status mien_small_text(const mien_small_file *file, const json_t *object, const char *key,
                                          const char **value, mien_error *error);

#endif
