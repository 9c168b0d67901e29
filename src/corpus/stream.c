/* SPDX-License-Identifier: Apache-2.0 */
/* An open input as bytes: a file of known size, or a stream that is read in order and waited for. */
#include "corpus/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "corpus/cancel.h"
#include "corpus/inputs.h"

enum { PACKED_BYTES = 64 * 1024 }; /* compressed bytes that are read at once */

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* Whether the bytes of a regular file are those that its size says. Files of /proc and /sys claim to have none. */
static bool has_size(int fd, const struct stat *info) {
  char byte;
  return info->st_size > 0 || pread(fd, &byte, 1, 0) <= 0;
}

/* As pread, less only at the file's end. */
static ssize_t read_at(int fd, unsigned char *bytes, size_t size, off_t at) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(fd, bytes + done, size - done, at + (off_t)done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += (size_t)got;
  }
  return (ssize_t)done;
}

bool mien_stream_is_file(const char *path) {
  struct stat info;
  if (strcmp(path, "-") != 0) return stat(path, &info) == 0 && S_ISREG(info.st_mode);
  if (fstat(STDIN_FILENO, &info) != 0 || !S_ISREG(info.st_mode) || !has_size(STDIN_FILENO, &info)) return false;
  /* What is compressed can be read only in order, which moves where stdin stands. */
  unsigned char start[MIEN_COMPRESSION_MAGIC];
  const off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
  const ssize_t n = at < 0 ? -1 : read_at(STDIN_FILENO, start, sizeof start, at);
  return n < 0 || mien_compression_of(start, (size_t)n) == MIEN_PLAIN;
}

static mien_status fail_read(const mien_stream *stream, uint64_t place, int code, mien_error *error) {
  /* What lacks memory, or is not open for reading, is at no byte. */
  if (code == ENOMEM || code == EBADF) return mien_fail_system(error, stream->name, code);
  return mien_fail(error, MIEN_INPUT, "%s: byte %" PRIu64 ": %s", stream->name, place, strerror(code));
}

static mien_status begin_decompressing(mien_stream *stream, mien_compression compression, mien_error *error) {
  stream->is_sniffed = true;
  if (compression == MIEN_PLAIN) return MIEN_OK;
  stream->is_file = false;
  stream->packed = mien_alloc_raw(PACKED_BYTES);
  if (!stream->packed) return mien_fail_memory(error, stream->name, PACKED_BYTES);
  return mien_decompressor_create(compression, stream->name, &stream->decompressor, error);
}

/* A file is looked at without being read on: stdin is left where it stands. */
static mien_status sniff_file(mien_stream *stream, mien_error *error) {
  unsigned char start[MIEN_COMPRESSION_MAGIC];
  const ssize_t n = read_at(stream->fd, start, sizeof start, (off_t)stream->base);
  if (n < 0) return fail_read(stream, 0, errno, error);
  return begin_decompressing(stream, mien_compression_of(start, (size_t)n), error);
}

/* O_NONBLOCK: a FIFO without a writer must not hold the open where a cancellation is not seen. */
static mien_status open_path(mien_stream *stream, const char *path, mien_error *error) {
  stream->owns_fd = strcmp(path, "-") != 0;
  stream->fd = stream->owns_fd ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : STDIN_FILENO;
  struct stat info;
  if (stream->fd < 0 || fstat(stream->fd, &info) != 0) return mien_fail_system(error, stream->name, errno);
  if (S_ISDIR(info.st_mode)) return mien_fail(error, MIEN_INPUT, "%s: expected a file, found a folder", stream->name);
  stream->is_file = stream->has_size = S_ISREG(info.st_mode) && has_size(stream->fd, &info);
  if (!stream->is_file) return MIEN_OK;
  off_t at = lseek(stream->fd, 0, SEEK_CUR);
  if (at < 0) return mien_fail_system(error, stream->name, errno);
  stream->base = (uint64_t)at;
  stream->file_bytes = info.st_size > at ? (uint64_t)(info.st_size - at) : 0;
  return sniff_file(stream, error);
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
  mien_decompressor_destroy(stream->decompressor);
  stream->decompressor = NULL;
  mien_free(stream->packed);
  stream->packed = NULL;
}

/* ---- Reading the input as it lies there -------------------------------------------------------------------------- */

static mien_status fail_size(const mien_stream *stream, const char *how, uint64_t found, mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s: %s while it was read: expected %" PRIu64 " bytes, found %" PRIu64,
                   stream->name, how, stream->file_bytes, found);
}

mien_status mien_stream_check_size(const mien_stream *stream, mien_error *error) {
  struct stat info;
  if (!stream->has_size) return MIEN_OK;
  if (fstat(stream->fd, &info) != 0) return mien_fail_system(error, stream->name, errno);
  const uint64_t end = (uint64_t)info.st_size, found = end > stream->base ? end - stream->base : 0;
  if (found == stream->file_bytes) return MIEN_OK;
  return fail_size(stream, found < stream->file_bytes ? "was cut" : "has grown", found, error);
}

/* `place`: how many bytes of the input were read before. */
static mien_status read_raw(const mien_stream *stream, uint64_t place, void *data, size_t bytes, size_t *found,
                            mien_error *error) {
  *found = 0;
  for (;;) {
    if (mien_is_cancelled(stream->cancel)) return mien_fail(error, MIEN_CANCELLED, "%s: interrupted", stream->name);
    /* Waiting is left to poll, with an end: a signal may have gone to another thread. */
    struct pollfd waiting = {.fd = stream->fd, .events = POLLIN};
    int ready = poll(&waiting, 1, MIEN_POLL_MILLISECONDS);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    ssize_t got = read(stream->fd, data, bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail_read(stream, place, errno, error);
    const uint64_t now = place + (uint64_t)got;
    if (stream->has_size && got == 0 && now < stream->file_bytes) return fail_size(stream, "was cut", now, error);
    if (stream->has_size && now > stream->file_bytes) return fail_size(stream, "has grown", now, error);
    *found = (size_t)got;
    return MIEN_OK;
  }
}

/* ---- Decompressing ----------------------------------------------------------------------------------------------- */

/* A stream's first bytes: no more of them than may be a magic are waited for. */
static mien_status sniff_stream(mien_stream *stream, mien_error *error) {
  mien_status status = MIEN_OK;
  size_t found = 1;
  while (status == MIEN_OK && found > 0 && mien_compression_may_follow(stream->sniffed, stream->sniffed_end)) {
    status = read_raw(stream, stream->sniffed_end, stream->sniffed + stream->sniffed_end,
                      sizeof stream->sniffed - stream->sniffed_end, &found, error);
    stream->sniffed_end += found;
  }
  if (status != MIEN_OK) return status;
  status = begin_decompressing(stream, mien_compression_of(stream->sniffed, stream->sniffed_end), error);
  if (status != MIEN_OK || !stream->decompressor) return status;
  memcpy(stream->packed, stream->sniffed, stream->sniffed_end);
  stream->packed_end = stream->sniffed_end;
  stream->sniffed_end = 0;
  return MIEN_OK;
}

static mien_status read_packed(mien_stream *stream, bool *has_ended, mien_error *error) {
  size_t found = 0;
  mien_status status = read_raw(stream, stream->place, stream->packed, PACKED_BYTES, &found, error);
  stream->packed_start = 0;
  stream->packed_end = found;
  *has_ended = status == MIEN_OK && found == 0;
  return status;
}

static mien_status read_decompressed(mien_stream *stream, void *data, size_t bytes, size_t *found, mien_error *error) {
  mien_status status = MIEN_OK;
  bool has_ended = false;
  while (status == MIEN_OK && *found == 0 && bytes > 0 && !has_ended) {
    if (stream->packed_start == stream->packed_end && !stream->is_packed_left)
      status = read_packed(stream, &has_ended, error);
    if (status != MIEN_OK) break;
    if (has_ended) return mien_decompress_end(stream->decompressor, error);
    size_t used = 0;
    status = mien_decompress(stream->decompressor, stream->packed + stream->packed_start,
                             stream->packed_end - stream->packed_start, &used, data, bytes, found, error);
    stream->packed_start += used;
    stream->place += used;
    stream->is_packed_left = *found == bytes;
  }
  return status;
}

static mien_status read_plain(mien_stream *stream, void *data, size_t bytes, size_t *found, mien_error *error) {
  mien_status status = MIEN_OK;
  const size_t sniffed = stream->sniffed_end - stream->sniffed_start;
  if (sniffed > 0) {
    *found = sniffed < bytes ? sniffed : bytes;
    memcpy(data, stream->sniffed + stream->sniffed_start, *found);
    stream->sniffed_start += *found;
  } else {
    status = read_raw(stream, stream->place, data, bytes, found, error);
  }
  stream->place += *found;
  return status;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

mien_status mien_stream_read_some(mien_stream *stream, void *data, size_t bytes, size_t *found, mien_error *error) {
  *found = 0;
  mien_error failure;
  mien_status status = stream->failure.code;
  if (status == MIEN_OK) {
    if (!stream->is_sniffed) status = sniff_stream(stream, &failure);
    if (status == MIEN_OK)
      status = (stream->decompressor ? read_decompressed : read_plain)(stream, data, bytes, found, &failure);
    if (status == MIEN_OK) return MIEN_OK;
    stream->failure = failure;
  }
  *found = 0;
  if (error) *error = stream->failure;
  return status;
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
  if (stream->failure.code != MIEN_OK || stream->has_size || stream->is_packed_left) return true;
  if (stream->sniffed_start < stream->sniffed_end || stream->packed_start < stream->packed_end) return true;
  return poll(&waiting, 1, 0) != 0;
}
