/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run's bytes go: a file that appears whole or not at all, or a stream. */
#include "corpus/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "corpus/cancel.h"

enum {
  GATHERED_BYTES = 64 * 1024,
  MAX_TRANSFER = 1 << 30, /* Linux transfers at most 0x7ffff000 bytes a call */
  TEMPORARY_TRIES = 100,
};

struct mien_output {
  int fd;
  bool owns_fd, is_regular, is_seekable;
  const atomic_bool *cancel;
  char *name;      /* for messages: the path as it was given */
  char *path;      /* the target, links resolved; NULL for stdout */
  char *temporary; /* NULL unless there is one to rename or remove */
  uint64_t start;  /* where in the file the output began */
  size_t gathered;
  char bytes[GATHERED_BYTES];
};

static mien_status fail_system(const mien_output *output, const char *action, mien_error *error) {
  return mien_fail(error, MIEN_RESOURCE, "%s: %s: %s", output->name, action, strerror(errno));
}

/* ---- Opening ------------------------------------------------------------------------------------------------- */

/*
 * Creates a file of a name that is not taken. Not mkstemp: the mode should be what the process's umask gives a new
 * file, or from the first what the file to be replaced allows. Its set-user-ID and set-group-ID bits are not for bytes
 * that come from elsewhere.
 */
static mien_status open_temporary(mien_output *output, const struct stat *target, mien_error *error) {
  const char *slash = strrchr(output->path, '/');
  size_t folder_bytes = slash ? (size_t)(slash - output->path) + 1 : 0;
  size_t bytes = folder_bytes + 64;
  output->temporary = mien_alloc(bytes, 1);
  if (!output->temporary) return mien_fail_memory(error, output->name, bytes);
  memcpy(output->temporary, output->path, folder_bytes);
  mode_t mode = target ? target->st_mode & 0777 : 0666;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  for (unsigned i = 0; i < TEMPORARY_TRIES; i++) {
    unsigned long salt = (unsigned long)now.tv_nsec + i;
    snprintf(output->temporary + folder_bytes, 64, ".mien-%ld-%08lx.tmp", (long)getpid(), salt);
    output->fd = open(output->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (output->fd >= 0 || errno != EEXIST) break;
  }
  if (output->fd < 0) {
    mien_status status = fail_system(output, "cannot be created", error);
    mien_free(output->temporary);
    output->temporary = NULL;
    return status;
  }
  output->owns_fd = true;
  output->is_regular = output->is_seekable = true;
  /* The permissions of a replaced file are worth keeping, not worth failing for. */
  if (target && fchmod(output->fd, mode) != 0) errno = 0;
  return MIEN_OK;
}

/* Opening a FIFO would wait for its reader where a cancellation is not seen: ask again and again instead. */
static mien_status open_directly(mien_output *output, mien_error *error) {
  while ((output->fd = open(output->path, O_WRONLY | O_CLOEXEC | O_NONBLOCK)) < 0) {
    if (mien_is_cancelled(output->cancel)) return mien_fail(error, MIEN_CANCELLED, "%s: interrupted", output->name);
    if (errno != ENXIO && errno != EINTR) return fail_system(output, "cannot be opened", error);
    poll(NULL, 0, MIEN_POLL_MILLISECONDS);
  }
  output->owns_fd = true;
  output->is_seekable = lseek(output->fd, 0, SEEK_CUR) >= 0;
  return MIEN_OK;
}

/* Names of files that are open already: whoever opened them would not see what is renamed to their names. */
static bool is_descriptor(const char *path) {
  static const char *const places[] = {"/dev/std", "/dev/fd/", "/proc/"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (strncmp(path, places[i], strlen(places[i])) == 0) return true;
  return false;
}

static mien_status open_path(mien_output *output, const char *path, mien_error *error) {
  /* A link stays a link: what it leads to is replaced. */
  char *resolved = realpath(path, NULL);
  output->path = resolved ? mien_copy_text(resolved, strlen(resolved)) : mien_copy_text(path, strlen(path));
  free(resolved);
  if (!output->path) return mien_fail_memory(error, path, strlen(path) + 1);
  struct stat info;
  bool exists = stat(output->path, &info) == 0;
  /* A name that is too long, say, is better known now than when the work is done. */
  if (!exists && errno != ENOENT && errno != ENOTDIR) return fail_system(output, "cannot be created", error);
  if (exists && S_ISDIR(info.st_mode))
    return mien_fail(error, MIEN_ARGUMENT, "%s: expected a file to write, found a folder", path);
  if (path[0] == '\0' || path[strlen(path) - 1] == '/')
    return mien_fail(error, MIEN_ARGUMENT, "'%s': expected the name of a file to write", path);
  if (exists && !S_ISREG(info.st_mode)) return open_directly(output, error);
  if (is_descriptor(path))
    return mien_fail(error, MIEN_ARGUMENT, "%s: expected a file's own name, found a descriptor's", path);
  if (!exists && lstat(path, &info) == 0)
    return mien_fail(error, MIEN_ARGUMENT, "%s: expected a file to write, found a link to nothing", path);
  return open_temporary(output, exists ? &info : NULL, error);
}

static mien_status open_stdout(mien_output *output, mien_error *error) {
  output->fd = STDOUT_FILENO;
  struct stat info;
  if (fstat(output->fd, &info) != 0) return fail_system(output, "cannot be written", error);
  output->is_regular = S_ISREG(info.st_mode);
  off_t at = lseek(output->fd, 0, SEEK_CUR);
  /* A file opened for appending can't be patched: every write goes to its end. */
  output->is_seekable = at >= 0 && (fcntl(output->fd, F_GETFL) & O_APPEND) == 0;
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
  output->fd = -1;
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

bool mien_output_is_file(const mien_output *output) { return output->temporary != NULL; }

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
    struct pollfd waiting = {.fd = output->fd, .events = POLLOUT};
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
    ssize_t done = write(output->fd, bytes, size < most ? size : most);
    if (done < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (done < 0) return fail_system(output, "cannot be written", error);
    bytes += done;
    size -= (size_t)done;
  }
  return MIEN_OK;
}

mien_status mien_output_flush(mien_output *output, mien_error *error) {
  size_t size = output->gathered;
  output->gathered = 0;
  return write_all(output, output->bytes, size, error);
}

mien_status mien_output_write(mien_output *output, const void *bytes, size_t size, mien_error *error) {
  if (size == 0) return MIEN_OK;
  if (size > GATHERED_BYTES - output->gathered) {
    mien_status status = mien_output_flush(output, error);
    if (status != MIEN_OK) return status;
  }
  if (size > GATHERED_BYTES) return write_all(output, bytes, size, error);
  memcpy(output->bytes + output->gathered, bytes, size);
  output->gathered += size;
  return MIEN_OK;
}

mien_status mien_output_patch(mien_output *output, uint64_t offset, const void *bytes, size_t size, mien_error *error) {
  mien_status status = mien_output_flush(output, error);
  const char *at = bytes;
  /* Devices that seek (/dev/null) have nothing that could be patched. */
  while (output->is_regular && status == MIEN_OK && size > 0) {
    ssize_t done = pwrite(output->fd, at, size, (off_t)(output->start + offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_system(output, "cannot be written", error);
    at += done;
    offset += (uint64_t)done;
    size -= (size_t)done;
  }
  return status;
}

mien_status mien_output_close(mien_output *output, mien_error *error) {
  mien_status status = mien_output_flush(output, error);
  if (status != MIEN_OK) return status;
  /* Network file systems report at close what they could not write; stdout itself stays open for its owner. */
  int fd = output->owns_fd ? output->fd : dup(output->fd);
  output->owns_fd = false;
  if (fd < 0 || (close(fd) != 0 && errno != EINTR)) return fail_system(output, "cannot be closed", error);
  return MIEN_OK;
}

mien_status mien_output_publish(mien_output *output, mien_error *error) {
  if (!output->temporary) return MIEN_OK;
  if (rename(output->temporary, output->path) != 0) return fail_system(output, "cannot be renamed to", error);
  mien_free(output->temporary);
  output->temporary = NULL;
  return MIEN_OK;
}

void mien_output_destroy(mien_output *output) {
  if (!output) return;
  if (output->owns_fd && output->fd >= 0) close(output->fd);
  if (output->temporary) unlink(output->temporary);
  mien_free(output->temporary);
  mien_free(output->path);
  mien_free(output->name);
  mien_free(output);
}
