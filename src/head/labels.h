/* SPDX-License-Identifier: Apache-2.0 */
/* Labels' names: UTF-8 without control characters, not empty, no two equal. */
#ifndef MIEN_HEAD_LABELS_H
#define MIEN_HEAD_LABELS_H

#include "base/status.h"

/* Reads a label a line; `names` [n], each freed by mien_free, gets them when the file has exactly n. */
MIEN_MUST_USE mien_status mien_labels_read(const char *path, size_t n, char **names, mien_error *error);

/* How many there are in such a file, whatever they are. */
MIEN_MUST_USE mien_status mien_labels_count(const char *path, size_t *n, mien_error *error);

/* The first of two equal texts, NULL when all n differ. Sorts them. */
const char *mien_texts_find_double(const char **texts, size_t n);

/* Refuses names that are equal or can't be names. `what` begins the message. */
MIEN_MUST_USE mien_status mien_labels_check(char *const *names, size_t n, const char *what, mien_error *error);

#endif
