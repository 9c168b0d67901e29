/* SPDX-License-Identifier: Apache-2.0 */
/* What lies beside an array of numbers: the names of its columns and its bad rows. */
#include "corpus/sidecar.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/number.h"

char *mien_sidecar_path(const char *path, mien_row_content content) {
  const char *ending = content == MIEN_ROWS_EMBEDDINGS ? ".rows.json" : ".labels.json";
  size_t bytes = strlen(path) + strlen(ending) + 1;
  char *sidecar = mien_alloc(bytes, 1);
  if (sidecar) snprintf(sidecar, bytes, "%s%s", path, ending);
  return sidecar;
}

static bool append_text(mien_buffer *text, const char *more) { return mien_buffer_append(text, more, strlen(more)); }

static bool append_labels(mien_buffer *text, const char *const *labels, size_t n) {
  bool done = append_text(text, "\"labels\":[");
  for (size_t i = 0; done && i < n; i++)
    done = (i == 0 || append_text(text, ",")) && mien_buffer_append_json(text, labels[i], strlen(labels[i]));
  return done && append_text(text, "],");
}

static bool append_first_row(mien_buffer *text, uint64_t first_row) {
  char number[MIEN_NUMBER_CHARS];
  return append_text(text, "\"first_row\":") && mien_buffer_append(text, number, mien_format_uint(number, first_row)) &&
         append_text(text, ",");
}

mien_status mien_sidecar_open(mien_sidecar *sidecar, const char *path, mien_row_content content,
                              const char *const *labels, size_t n_labels, uint64_t first_row, const atomic_bool *cancel,
                              mien_error *error) {
  *sidecar = (mien_sidecar){0};
  char *sidecar_path = mien_sidecar_path(path, content);
  if (!sidecar_path) return mien_fail_memory(error, path, strlen(path));
  mien_status status = mien_output_open(sidecar_path, cancel, &sidecar->output, error);
  mien_free(sidecar_path);
  if (status != MIEN_OK) return status;
  mien_buffer text = {0};
  bool done = append_text(&text, "{");
  if (content == MIEN_ROWS_LABELS) done = done && append_labels(&text, labels, n_labels);
  if (first_row != MIEN_ROWS_UNKNOWN) done = done && append_first_row(&text, first_row);
  done = done && append_text(&text, "\"bad_rows\":[");
  status = done ? mien_output_write(sidecar->output, text.bytes, text.size, error)
                : mien_fail_memory(error, "labels", text.size);
  mien_buffer_free(&text);
  return status;
}

mien_status mien_sidecar_add(mien_sidecar *sidecar, uint64_t bad_row, mien_error *error) {
  char number[1 + MIEN_NUMBER_CHARS] = ",";
  const size_t bytes = 1 + mien_format_uint(number + 1, bad_row);
  const bool is_first = sidecar->n_bad++ == 0;
  return mien_output_write(sidecar->output, number + is_first, bytes - is_first, error);
}

mien_status mien_sidecar_close(mien_sidecar *sidecar, mien_error *error) {
  mien_status status = mien_output_write(sidecar->output, "]}\n", 3, error);
  return status == MIEN_OK ? mien_output_close(sidecar->output, error) : status;
}

void mien_sidecar_destroy(mien_sidecar *sidecar) {
  mien_output_destroy(sidecar->output);
  *sidecar = (mien_sidecar){0};
}
