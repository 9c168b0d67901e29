/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run's bytes go: a file that appears whole or not at all, or a stream. */
#include "corpus/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/new_file.h"
#include "corpus/cancel.h"
#include "corpus/compress.h"

enum {
  GATHERED_BYTES = 64 * 1024, /* also what the compressor gets at once */
  PACKED_BYTES = 16 * 1024,
  MAX_TRANSFER = 1 << 30, /* Linux transfers at most 0x7ffff000 bytes a call */
};

struct mien_output {
  mien_new_file file; /* or what is written directly, and of stdout the descriptor alone */
  bool is_regular, is_seekable;
  const atomic_bool *cancel;
  char *name;     /* for messages: the path as it was given */
  uint64_t start; /* where in the file the output began */
  size_t gathered;
  char bytes[GATHERED_BYTES];
  bool is_kept; /* the bytes are on the disk before the file has its name */
  mien_compression compression;
  mien_compressor *compressor; /* NULL: bytes are written as they are */
};

static mien_status fail_system(const mien_output *output, const char *action, mien_error *error) {
  return mien_fail(error, MIEN_RESOURCE, "%s: %s: %s", output->name, action, strerror(errno));
}

/* ---- Opening ------------------------------------------------------------------------------------------------- */

/* Opening a FIFO would wait for its reader where a cancellation is not seen: ask again and again instead. */
static mien_status open_directly(mien_output *output, mien_error *error) {
  while ((output->file.fd = open(output->file.path, O_WRONLY | O_CLOEXEC | O_NONBLOCK)) < 0) {
    if (mien_is_cancelled(output->cancel)) return mien_fail(error, MIEN_CANCELLED, "%s: interrupted", output->name);
    if (errno != ENXIO && errno != EINTR) return fail_system(output, "cannot be opened", error);
    poll(NULL, 0, MIEN_POLL_MILLISECONDS);
  }
  output->is_seekable = lseek(output->file.fd, 0, SEEK_CUR) >= 0;
  return MIEN_OK;
}

static mien_status open_path(mien_output *output, const char *path, mien_error *error) {
  mien_status status = mien_new_file_open(path, &output->file, error);
  if (status != MIEN_OK) return status;
  if (!output->file.temporary) return open_directly(output, error);
  output->is_regular = output->is_seekable = true;
  return MIEN_OK;
}

static mien_status open_stdout(mien_output *output, mien_error *error) {
  output->file.fd = STDOUT_FILENO;
  struct stat info;
  if (fstat(output->file.fd, &info) != 0) return fail_system(output, "cannot be written", error);
  output->is_regular = S_ISREG(info.st_mode);
  off_t at = lseek(output->file.fd, 0, SEEK_CUR);
  /* A file opened for appending can't be patched: every write goes to its end. */
  output->is_seekable = at >= 0 && (fcntl(output->file.fd, F_GETFL) & O_APPEND) == 0;
  output->start = at > 0 ? (uint64_t)at : 0;
  return MIEN_OK;
}

mien_status mien_output_open(const char *path, const atomic_bool *cancel, mien_output **out, mien_error *error) {
  mien_output *output = mien_alloc(1, sizeof *output);
  char *name = mien_copy_text(path ? path : "stdout", strlen(path ? path : "stdout"));
  if (!output || !name) {
    mien_free(output);
    mien_free(name);
    return mien_fail_memory(error, "output", sizeof *output);
  }
  output->file.fd = -1;
  output->name = name;
  output->cancel = cancel;
  mien_status status = path ? open_path(output, path, error) : open_stdout(output, error);
  if (status == MIEN_OK) {
    *out = output;
  } else {
    mien_output_destroy(output);
  }
  return status;
}

bool mien_output_is_seekable(const mien_output *output) { return output->is_seekable; }

bool mien_output_is_file(const mien_output *output) { return output->file.temporary != NULL; }

bool mien_output_is_same_file(const char *output_path, const char *path) {
  struct stat a, b;
  if ((output_path ? stat(output_path, &a) : fstat(STDOUT_FILENO, &a)) != 0) return false;
  if ((strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &b) : stat(path, &b)) != 0) return false;
  return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ---- Writing ------------------------------------------------------------------------------------------------- */

/* What may be written at once. A pipe that poll calls writable takes PIPE_BUF bytes without waiting. */
static mien_status wait_until_writable(mien_output *output, size_t *most, mien_error *error) {
  *most = MAX_TRANSFER;
  if (output->is_regular) return MIEN_OK;
  *most = PIPE_BUF;
  for (;;) {
    if (mien_is_cancelled(output->cancel)) return mien_fail(error, MIEN_CANCELLED, "%s: interrupted", output->name);
    struct pollfd waiting = {.fd = output->file.fd, .events = POLLOUT};
    int ready = poll(&waiting, 1, MIEN_POLL_MILLISECONDS);
    if (ready > 0) return MIEN_OK;
    if (ready < 0 && errno != EINTR) return fail_system(output, "cannot be written", error);
  }
}

static mien_status write_all(mien_output *output, const char *bytes, size_t size, mien_error *error) {
  while (size > 0) {
    size_t most;
    mien_status status = wait_until_writable(output, &most, error);
    if (status != MIEN_OK) return status;
    ssize_t done = write(output->file.fd, bytes, size < most ? size : most);
    if (done < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (done < 0) return fail_system(output, "cannot be written", error);
    bytes += done;
    size -= (size_t)done;
  }
  return MIEN_OK;
}

/* Takes what is gathered to the compressor, and what comes out of it to the output. */
static mien_status compress_gathered(mien_output *output, bool ends, mien_error *error) {
  char packed[PACKED_BYTES];
  size_t at = 0;
  mien_status status = MIEN_OK;
  for (bool is_done = false; status == MIEN_OK && !is_done;) {
    size_t used = 0, made = 0;
    status = mien_compress(output->compressor, output->bytes + at, output->gathered - at, ends, &used, packed,
                           sizeof packed, &made, &is_done, error);
    at += used;
    if (status == MIEN_OK) status = write_all(output, packed, made, error);
  }
  output->gathered = 0;
  return status;
}

/* Compressed in units of GATHERED_BYTES, however they are written. */
static mien_status write_compressed(mien_output *output, const char *bytes, size_t size, mien_error *error) {
  mien_status status = MIEN_OK;
  while (status == MIEN_OK && size > 0) {
    const size_t room = GATHERED_BYTES - output->gathered, n = size < room ? size : room;
    memcpy(output->bytes + output->gathered, bytes, n);
    output->gathered += n;
    bytes += n;
    size -= n;
    if (output->gathered == GATHERED_BYTES) status = compress_gathered(output, false, error);
  }
  return status;
}

mien_status mien_output_compress(mien_output *output, mien_compression compression, mien_error *error) {
  output->compression = compression;
  if (compression == MIEN_PLAIN) return MIEN_OK;
  return mien_compressor_create(compression, output->name, &output->compressor, error);
}

static mien_status write_gathered(mien_output *output, mien_error *error) {
  size_t size = output->gathered;
  output->gathered = 0;
  return write_all(output, output->bytes, size, error);
}

mien_status mien_output_flush(mien_output *output, mien_error *error) {
  return output->compressor ? MIEN_OK : write_gathered(output, error);
}

mien_status mien_output_write_header(mien_output *output, const void *bytes, size_t size, mien_error *error) {
  unsigned char stored[MIEN_STORED_BYTES + MIEN_STORED_AROUND];
  if (!output->compressor) return mien_output_write(output, bytes, size, error);
  return write_all(output, (char *)stored, mien_compress_stored(output->compression, bytes, size, stored), error);
}

mien_status mien_output_write(mien_output *output, const void *bytes, size_t size, mien_error *error) {
  if (size == 0) return MIEN_OK;
  if (output->compressor) return write_compressed(output, bytes, size, error);
  if (size > GATHERED_BYTES - output->gathered) {
    mien_status status = mien_output_flush(output, error);
    if (status != MIEN_OK) return status;
  }
  if (size > GATHERED_BYTES) return write_all(output, bytes, size, error);
  memcpy(output->bytes + output->gathered, bytes, size);
  output->gathered += size;
  return MIEN_OK;
}

static mien_status write_over(mien_output *output, const void *bytes, size_t size, mien_error *error) {
  mien_status status = mien_output_flush(output, error);
  const char *at = bytes;
  uint64_t offset = 0;
  /* Devices that seek (/dev/null) have nothing that could be patched. */
  while (output->is_regular && status == MIEN_OK && size > 0) {
    ssize_t done = pwrite(output->file.fd, at, size, (off_t)(output->start + offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_system(output, "cannot be written", error);
    at += done;
    offset += (uint64_t)done;
    size -= (size_t)done;
  }
  return status;
}

mien_status mien_output_patch_header(mien_output *output, const void *bytes, size_t size, mien_error *error) {
  unsigned char stored[MIEN_STORED_BYTES + MIEN_STORED_AROUND];
  if (!output->compressor) return write_over(output, bytes, size, error);
  return write_over(output, stored, mien_compress_stored(output->compression, bytes, size, stored), error);
}

void mien_output_keep(mien_output *output) { output->is_kept = true; }

mien_status mien_output_close(mien_output *output, mien_error *error) {
  mien_status status = output->compressor ? compress_gathered(output, true, error) : write_gathered(output, error);
  if (status == MIEN_OK && output->is_kept && mien_output_is_file(output))
    status = mien_new_file_sync(&output->file, output->name, error);
  if (status != MIEN_OK) return status;
  /* Network file systems report at close what they could not write; stdout itself stays open for its owner. */
  int fd = output->file.fd == STDOUT_FILENO ? dup(STDOUT_FILENO) : output->file.fd;
  output->file.fd = -1;
  if (fd < 0 || (close(fd) != 0 && errno != EINTR)) return fail_system(output, "cannot be closed", error);
  return MIEN_OK;
}

mien_status mien_output_publish(mien_output *output, mien_error *error) {
  return mien_new_file_publish(&output->file, output->name, error);
}

void mien_output_destroy(mien_output *output) {
  if (!output) return;
  if (output->file.fd == STDOUT_FILENO) output->file.fd = -1;
  mien_new_file_discard(&output->file);
  mien_compressor_destroy(output->compressor);
  mien_free(output->name);
  mien_free(output);
}
