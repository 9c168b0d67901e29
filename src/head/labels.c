/* SPDX-License-Identifier: Apache-2.0 */
/* Labels' names: read from a file, and checked. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "head/fold.h"
#include "head/labels.h"

/* Of a file of labels: 256 bytes for each of the most that a head has. */
enum { MAX_FILE_BYTES = MIEN_MAX_LABELS * 256 };

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *mien_texts_find_double(const char **texts, size_t n) {
  qsort(texts, n, sizeof *texts, compare_texts);
  for (size_t i = 1; i < n; i++)
    if (strcmp(texts[i - 1], texts[i]) == 0) return texts[i];
  return NULL;
}

mien_status mien_labels_check(char *const *names, size_t n, const char *what, mien_error *error) {
  char shown[MIEN_SHOWN_BYTES];
  for (size_t i = 0; i < n; i++)
    if (!mien_utf8_is_name(names[i], strlen(names[i])))
      return mien_fail(error, MIEN_INPUT, "%s: label %zu ('%s'): expected UTF-8 text without control characters", what,
                       i + 1, mien_utf8_clean(names[i], strlen(names[i]), shown, sizeof shown));
  const char **sorted = mien_alloc(n, sizeof *sorted);
  if (!sorted) return mien_fail_memory(error, what, n * sizeof *sorted);
  memcpy(sorted, names, n * sizeof *sorted);
  const char *twice = mien_texts_find_double(sorted, n);
  mien_free(sorted);
  if (!twice) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: label '%s' is given twice", what,
                   mien_utf8_clean(twice, strlen(twice), shown, sizeof shown));
}

/* The line at `text`, without its end; *next is behind that. */
static size_t line_bytes(const char *text, size_t bytes, size_t *next) {
  const char *end = memchr(text, '\n', bytes);
  size_t length = end ? (size_t)(end - text) : bytes;
  *next = end ? length + 1 : length;
  return length && text[length - 1] == '\r' ? length - 1 : length;
}

static mien_status split_lines(const char *path, const char *text, size_t bytes, size_t n, char **names,
                               mien_error *error) {
  size_t n_lines = 0;
  for (size_t at = 0, next; at < bytes; at += next, n_lines++) {
    size_t length = line_bytes(text + at, bytes - at, &next);
    if (!mien_utf8_is_name(text + at, length))
      return mien_fail(error, MIEN_INPUT, "%s:%zu: expected a label in UTF-8, found %s", path, n_lines + 1,
                       length ? "other bytes or control characters" : "an empty line");
    if (n_lines >= n) continue; /* counted for the message */
    names[n_lines] = mien_copy_text(text + at, length);
    if (!names[n_lines]) return mien_fail_memory(error, path, length);
  }
  if (n_lines != n) return mien_fail(error, MIEN_INPUT, "%s: expected %zu labels, found %zu", path, n, n_lines);
  return mien_labels_check(names, n, path, error);
}

mien_status mien_labels_count(const char *path, size_t *n, mien_error *error) {
  unsigned char *bytes;
  size_t size;
  mien_status status = mien_file_read(path, MAX_FILE_BYTES, NULL, &bytes, &size, error);
  if (status != MIEN_OK) return status;
  *n = 0;
  for (size_t at = mien_utf8_mark(bytes, size), next; at < size; at += next, (*n)++)
    line_bytes((const char *)bytes + at, size - at, &next);
  mien_free(bytes);
  return MIEN_OK;
}

mien_status mien_labels_read(const char *path, size_t n, char **names, mien_error *error) {
  unsigned char *bytes;
  size_t size;
  mien_status status = mien_file_read(path, MAX_FILE_BYTES, NULL, &bytes, &size, error);
  if (status != MIEN_OK) return status;
  const size_t mark = mien_utf8_mark(bytes, size);
  status = split_lines(path, (const char *)bytes + mark, size - mark, n, names, error);
  mien_free(bytes);
  return status;
}
