/* SPDX-License-Identifier: Apache-2.0 */
/* An open input as bytes: a file of known size, or a stream that is read in order and waited for. */
#include "corpus/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "corpus/cancel.h"
#include "corpus/inputs.h"

/* Whether the bytes of a regular file are those that its size says. Files of /proc and /sys claim to have none. */
static bool has_size(int fd, const struct stat *info) {
  char byte;
  return info->st_size > 0 || pread(fd, &byte, 1, 0) <= 0;
}

bool mien_stream_is_file(const char *path) {
  struct stat info;
  if (strcmp(path, "-") != 0) return stat(path, &info) == 0 && S_ISREG(info.st_mode);
  return fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode) && has_size(STDIN_FILENO, &info);
}

/* O_NONBLOCK: a FIFO without a writer must not hold the open where a cancellation is not seen. */
static mien_status open_path(mien_stream *stream, const char *path, mien_error *error) {
  stream->owns_fd = strcmp(path, "-") != 0;
  stream->fd = stream->owns_fd ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : STDIN_FILENO;
  struct stat info;
  if (stream->fd < 0 || fstat(stream->fd, &info) != 0) return mien_fail_system(error, stream->name, errno);
  if (S_ISDIR(info.st_mode)) return mien_fail(error, MIEN_INPUT, "%s: expected a file, found a folder", stream->name);
  stream->is_file = S_ISREG(info.st_mode) && has_size(stream->fd, &info);
  if (!stream->is_file) return MIEN_OK;
  off_t at = lseek(stream->fd, 0, SEEK_CUR);
  if (at < 0) return mien_fail_system(error, stream->name, errno);
  stream->base = (uint64_t)at;
  stream->file_bytes = info.st_size > at ? (uint64_t)(info.st_size - at) : 0;
  return MIEN_OK;
}

mien_status mien_stream_open(mien_stream *stream, const char *path, const atomic_bool *cancel, mien_error *error) {
  *stream = (mien_stream){.fd = -1, .name = mien_input_name(path), .cancel = cancel};
  mien_status status = open_path(stream, path, error);
  if (status != MIEN_OK) mien_stream_close(stream);
  return status;
}

void mien_stream_close(mien_stream *stream) {
  if (stream->owns_fd && stream->fd >= 0) close(stream->fd);
  stream->fd = -1;
}

mien_status mien_stream_read_some(mien_stream *stream, void *data, size_t bytes, size_t *found, mien_error *error) {
  *found = 0;
  for (;;) {
    if (mien_is_cancelled(stream->cancel)) return mien_fail(error, MIEN_CANCELLED, "%s: interrupted", stream->name);
    /* Waiting is left to poll, with an end: a signal may have gone to another thread. */
    struct pollfd waiting = {.fd = stream->fd, .events = POLLIN};
    int ready = poll(&waiting, 1, MIEN_POLL_MILLISECONDS);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    ssize_t got = read(stream->fd, data, bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return mien_fail_system(error, stream->name, errno);
    *found = (size_t)got;
    return MIEN_OK;
  }
}

mien_status mien_stream_read(mien_stream *stream, void *data, size_t bytes, size_t *found, mien_error *error) {
  mien_status status = MIEN_OK;
  size_t done = 0, got = 1;
  while (done < bytes && got > 0 && status == MIEN_OK) {
    status = mien_stream_read_some(stream, (char *)data + done, bytes - done, &got, error);
    done += got;
  }
  *found = done;
  return status;
}

bool mien_stream_is_ready(const mien_stream *stream) {
  struct pollfd waiting = {.fd = stream->fd, .events = POLLIN};
  return stream->is_file || poll(&waiting, 1, 0) != 0;
}
