/* SPDX-License-Identifier: Apache-2.0 */
/* One open input of embeddings: a file that is read at offsets, or a stream that is read in order. */
#include "corpus/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "corpus/cancel.h"
#include "formats/npy.h"

/* Bytes of a file's start that make a message about a wrong format better. */
enum { SNIFF_BYTES = 64 };

/* Whether the bytes of a regular file are those that its size says. Files of /proc and /sys claim to have none. */
static bool has_size(int fd, const struct stat *info) {
  char byte;
  return info->st_size > 0 || pread(fd, &byte, 1, 0) <= 0;
}

bool mien_source_is_file(const char *path) {
  struct stat info;
  if (strcmp(path, "-") != 0) return stat(path, &info) == 0 && S_ISREG(info.st_mode);
  return fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode) && has_size(STDIN_FILENO, &info);
}

void mien_source_release(mien_source *source) {
  if (!source || atomic_fetch_sub(&source->users, 1) != 1) return;
  if (source->owns_fd) close(source->fd);
  mien_free(source);
}

/* Reads until `bytes` are there or the stream ends. */
static mien_status read_stream(mien_source *source, void *data, size_t bytes, size_t *found, mien_error *error) {
  size_t done = 0;
  mien_status status = MIEN_OK;
  while (done < bytes && status == MIEN_OK) {
    if (mien_is_cancelled(source->cancel)) {
      status = mien_fail(error, MIEN_CANCELLED, "%s: interrupted", source->name);
      break;
    }
    /* Waiting is left to poll, with an end: a signal may have gone to another thread. */
    struct pollfd waiting = {.fd = source->fd, .events = POLLIN};
    int ready = poll(&waiting, 1, MIEN_POLL_MILLISECONDS);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    ssize_t got = read(source->fd, (char *)data + done, bytes - done);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) status = mien_fail_system(error, source->name, errno);
    if (got == 0) break;
    if (got > 0) done += (size_t)got;
  }
  *found = done;
  return status;
}

/* The first `bytes` of the input, or fewer when it is shorter; a stream's are used up. */
static mien_status read_start(mien_source *source, uint64_t base, uint64_t file_bytes, void *data, size_t at,
                              size_t bytes, size_t *found, mien_error *error) {
  if (!source->is_file) return read_stream(source, data, bytes, found, error);
  uint64_t left = file_bytes > at ? file_bytes - at : 0;
  *found = bytes < left ? bytes : (size_t)left;
  return mien_file_read_at(source->fd, source->name, base + at, data, *found, error);
}

static mien_status check_columns(const char *name, uint64_t found, size_t dim, mien_error *error) {
  if (found == dim) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: dimension: expected %zu columns, as the head has, found %" PRIu64, name, dim,
                   found);
}

static mien_status open_npy(mien_source *source, size_t dim, uint64_t base, uint64_t file_bytes, mien_error *error) {
  unsigned char *header = mien_alloc(MIEN_NPY_MAX_HEADER, 1);
  if (!header) return mien_fail_memory(error, source->name, MIEN_NPY_MAX_HEADER);
  size_t found, rest = 0, header_bytes = 0;
  mien_npy npy;
  /* A stream gives no bytes back: there the prefix is all that may be read before the length is known. */
  size_t prefix = source->is_file ? SNIFF_BYTES : MIEN_NPY_PREFIX;
  mien_status status = read_start(source, base, file_bytes, header, 0, prefix, &found, error);
  if (status == MIEN_OK) status = mien_npy_header_size(header, found, source->name, &header_bytes, error);
  if (status == MIEN_OK && header_bytes > found)
    status = read_start(source, base, file_bytes, header + found, found, header_bytes - found, &rest, error);
  if (status == MIEN_OK) {
    size_t there = found + rest < header_bytes ? found + rest : header_bytes;
    status = mien_npy_parse(header, there, source->name, &npy, error);
  }
  mien_free(header);
  if (status == MIEN_OK) status = check_columns(source->name, npy.n_columns, dim, error);
  if (status == MIEN_OK && source->is_file) status = mien_npy_check_size(&npy, file_bytes, source->name, error);
  if (status != MIEN_OK) return status;
  source->dtype = npy.dtype;
  source->row_bytes = dim * mien_dtype_bytes(npy.dtype);
  source->n_rows = npy.n_rows;
  source->data_offset = base + npy.data_offset;
  return MIEN_OK;
}

static mien_status open_raw(mien_source *source, size_t dim, uint64_t base, uint64_t file_bytes, mien_error *error) {
  source->dtype = MIEN_F32;
  source->row_bytes = dim * sizeof(float);
  source->n_rows = source->is_file ? file_bytes / source->row_bytes : MIEN_ROWS_UNKNOWN;
  source->data_offset = base;
  if (!source->is_file || file_bytes % source->row_bytes == 0) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT,
                   "%s: raw f32: expected a multiple of %zu bytes (rows of %zu numbers), found %" PRIu64, source->name,
                   source->row_bytes, dim, file_bytes);
}

/* O_NONBLOCK: a FIFO without a writer must not hold the open where a cancellation is not seen. */
static mien_status open_path(mien_source *source, const char *path, mien_error *error) {
  source->owns_fd = strcmp(path, "-") != 0;
  source->fd = source->owns_fd ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : STDIN_FILENO;
  struct stat info;
  if (source->fd < 0 || fstat(source->fd, &info) != 0) return mien_fail_system(error, source->name, errno);
  if (S_ISDIR(info.st_mode)) return mien_fail(error, MIEN_INPUT, "%s: expected a file, found a folder", source->name);
  source->is_file = S_ISREG(info.st_mode) && has_size(source->fd, &info);
  return MIEN_OK;
}

static mien_status open_source(mien_source *source, const mien_input *input, size_t dim, mien_error *error) {
  mien_status status = open_path(source, input->path, error);
  if (status != MIEN_OK) return status;
  uint64_t base = 0, file_bytes = 0;
  if (source->is_file) {
    struct stat info;
    off_t at = lseek(source->fd, 0, SEEK_CUR); /* stdin may have been read in part before */
    if (at < 0 || fstat(source->fd, &info) != 0) return mien_fail_system(error, source->name, errno);
    base = (uint64_t)at;
    file_bytes = info.st_size > at ? (uint64_t)(info.st_size - at) : 0;
  }
  return input->format == MIEN_INPUT_NPY ? open_npy(source, dim, base, file_bytes, error)
                                         : open_raw(source, dim, base, file_bytes, error);
}

mien_status mien_source_open(const mien_input *input, size_t dim, const atomic_bool *cancel, mien_source **out,
                             mien_error *error) {
  mien_source *source = mien_alloc(1, sizeof *source);
  if (!source) return mien_fail_memory(error, input->path, sizeof *source);
  source->fd = -1;
  source->name = mien_input_name(input->path);
  source->cancel = cancel;
  atomic_init(&source->users, 1);
  mien_status status = open_source(source, input, dim, error);
  if (status == MIEN_OK) {
    *out = source;
    return MIEN_OK;
  }
  source->owns_fd = source->owns_fd && source->fd >= 0;
  mien_source_release(source);
  return status;
}

/* The whole stream was read: one byte more would be one that no row has. */
static mien_status check_stream_end(mien_source *source, mien_error *error) {
  char byte;
  size_t more;
  mien_status status = read_stream(source, &byte, 1, &more, error);
  if (status == MIEN_OK && more > 0)
    status =
        mien_fail(error, MIEN_INPUT, "%s: bytes after the data: expected %" PRIu64 " rows of %zu bytes, found more",
                  source->name, source->n_rows, source->row_bytes);
  return status;
}

mien_status mien_source_stream_rows(mien_source *source, void *data, size_t n_rows, size_t *found, mien_error *error) {
  bool counted = source->n_rows != MIEN_ROWS_UNKNOWN;
  uint64_t left = source->n_rows - source->next_row;
  if (counted && n_rows > left) n_rows = (size_t)left;
  *found = 0;
  if (n_rows == 0) return check_stream_end(source, error);
  size_t bytes = 0;
  mien_status status = read_stream(source, data, n_rows * source->row_bytes, &bytes, error);
  if (status != MIEN_OK) return status;
  uint64_t all = source->next_row * source->row_bytes + bytes;
  if (counted && bytes < n_rows * source->row_bytes)
    return mien_fail(error, MIEN_INPUT,
                     "%s: truncated: expected %" PRIu64 " rows of %zu bytes, found %" PRIu64 " bytes of rows",
                     source->name, source->n_rows, source->row_bytes, all);
  if (bytes % source->row_bytes != 0)
    return mien_fail(error, MIEN_INPUT,
                     "%s: raw f32: expected a multiple of %zu bytes (rows of %zu numbers), found %" PRIu64,
                     source->name, source->row_bytes, source->row_bytes / sizeof(float), all);
  *found = bytes / source->row_bytes;
  source->next_row += *found;
  return MIEN_OK;
}
