/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a file that are left, byte for byte. */
#include "cli/clean_copy.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "corpus/stream.h"

/* Of a data file that is copied row by row: more is no training data. */
#define MOST_FILE_BYTES ((size_t)8 << 30)

/* Copies lines from `line` to before `end` (0: all that are left) from *at on, or goes past them. */
static mien_status copy_lines(const char *bytes, size_t size, size_t *at, uint64_t *line, uint64_t end,
                              mien_output *output, mien_error *error) {
  const size_t first = *at;
  while (*at < size && (end == 0 || *line < end)) {
    const char *feed = memchr(bytes + *at, '\n', size - *at);
    *at = feed ? (size_t)(feed - bytes) + 1 : size;
    ++*line;
  }
  return output ? mien_output_write(output, bytes + first, *at - first, error) : MIEN_OK;
}

/* The file's own bytes, but for those of dropped rows: of a row from its line to the next row's. */
static mien_status copy_rows(const mien_examples *examples, const bool *dropped, const char *bytes, size_t size,
                             mien_output *output, mien_error *error) {
  size_t at = 0;
  uint64_t line = 1;
  mien_status status = copy_lines(bytes, size, &at, &line, examples->lines[0], output, error); /* a header */
  for (size_t row = 0; status == MIEN_OK && row < examples->n_rows; row++) {
    const uint64_t end = row + 1 < examples->n_rows ? examples->lines[row + 1] : 0;
    status = copy_lines(bytes, size, &at, &line, end, dropped[row] ? NULL : output, error);
  }
  return status;
}

mien_status clean_look(const char *path, struct stat *file, mien_error *error) {
  if (stat(path, file) != 0) return mien_fail_system(error, path, errno);
  if (!S_ISREG(file->st_mode))
    return mien_fail(error, MIEN_INPUT, "%s: expected a regular file, whose rows are copied", path);
  mien_stream stream;
  mien_status status = mien_stream_open(&stream, path, NULL, error);
  if (status != MIEN_OK) return status;
  if (stream.decompressor)
    status =
        mien_fail(error, MIEN_INPUT, "%s: expected a plain file, whose rows are copied, found a compressed one", path);
  mien_stream_close(&stream);
  return status;
}

/* Rows are found again by their lines: the file must be what it was. */
static mien_status check_unchanged(const char *path, const struct stat *before, mien_error *error) {
  struct stat now;
  if (stat(path, &now) != 0) return mien_fail_system(error, path, errno);
  if (now.st_size == before->st_size && now.st_dev == before->st_dev && now.st_ino == before->st_ino &&
      now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec)
    return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: changed while it was read", path);
}

mien_status clean_copy(const char *path, const struct stat *before, const mien_examples *examples, const bool *dropped,
                       mien_output *output, mien_error *error) {
  unsigned char *bytes = NULL;
  size_t size;
  mien_status status = mien_file_read(path, MOST_FILE_BYTES, NULL, &bytes, &size, error);
  if (status == MIEN_OK) status = check_unchanged(path, before, error);
  if (status == MIEN_OK) status = copy_rows(examples, dropped, (const char *)bytes, size, output, error);
  mien_free(bytes);
  return status;
}
