/* SPDX-License-Identifier: Apache-2.0 */
/* A set of labels' names. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "head/head.h"
#include "head/labels.h"
#include "train/examples.h"

mien_status mien_label_set_read(const char *path, mien_label_set *labels, mien_error *error) {
  *labels = (mien_label_set){0};
  mien_status status = mien_labels_count(path, &labels->n, error);
  if (status != MIEN_OK) return status;
  labels->names = mien_alloc(labels->n, sizeof *labels->names);
  if (!labels->names) return mien_fail_memory(error, path, labels->n * sizeof *labels->names);
  return mien_labels_read(path, labels->n, labels->names, error);
}

void mien_label_set_free(mien_label_set *labels) {
  for (size_t i = 0; labels->names && i < labels->n; i++) mien_free(labels->names[i]);
  mien_free(labels->names);
  *labels = (mien_label_set){0};
}

size_t mien_label_set_find(const mien_label_set *labels, const char *name, size_t bytes) {
  for (size_t i = 0; i < labels->n; i++)
    if (strlen(labels->names[i]) == bytes && memcmp(labels->names[i], name, bytes) == 0) return i;
  return SIZE_MAX;
}
