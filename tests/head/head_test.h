/* SPDX-License-Identifier: Apache-2.0 */
/* Loading heads in tests, and scoring rows with them in double. */
#ifndef MIEN_TESTS_HEAD_TEST_H
#define MIEN_TESTS_HEAD_TEST_H

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "head/head.h"
#include "suite.h"

/* The fold of the file at `path`; NULL, with error->message, when it is refused. */
static inline mien_head *load_head(const char *path, const char *labels_path, mien_error *error) {
  unsigned char *bytes;
  size_t size;
  mien_head *head = NULL;
  *error = (mien_error){0};
  ck_assert_msg(mien_file_read(path, SIZE_MAX, NULL, &bytes, &size, error) == MIEN_OK, "%s", error->message);
  mien_status status = mien_head_from_onnx(bytes, size, path, labels_path, &head, error);
  ck_assert_msg((status == MIEN_OK) == (head != NULL), "%s: status %d", path, (int)status);
  ck_assert_msg(status == MIEN_OK || error->code == status, "%s: status %d", path, (int)status);
  mien_free(bytes);
  return head;
}

static inline double score(const mien_head *head, size_t label, const float *row) {
  double z = head->bias[label];
  for (size_t k = 0; k < head->dim; k++) z += head->weights[label * head->dim + k] * row[k];
  return 1 / (1 + exp(-z));
}

#endif
