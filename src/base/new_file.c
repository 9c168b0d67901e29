/* SPDX-License-Identifier: Apache-2.0 */
/* A file that appears whole or not at all. */
#include "base/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

enum {
  TEMPORARY_TRIES = 100,
  TEMPORARY_CHARS = 64,
  MAX_TRANSFER = 1 << 30, /* Linux transfers at most 0x7ffff000 bytes a call */
};

static mien_status fail_system(const char *name, const char *action, mien_error *error) {
  return mien_fail(error, MIEN_RESOURCE, "%s: %s: %s", name, action, strerror(errno));
}

/*
 * Creates a file of a name that is not taken. Not mkstemp: the mode should be what the process's umask gives a new
 * file, or from the first what the file to be replaced allows. Its set-user-ID and set-group-ID bits are not for bytes
 * that come from elsewhere.
 */
static mien_status open_temporary(mien_new_file *file, const struct stat *target, const char *name, mien_error *error) {
  const char *slash = strrchr(file->path, '/');
  size_t folder_bytes = slash ? (size_t)(slash - file->path) + 1 : 0;
  size_t bytes = folder_bytes + TEMPORARY_CHARS;
  file->temporary = mien_alloc(bytes, 1);
  if (!file->temporary) return mien_fail_memory(error, name, bytes);
  memcpy(file->temporary, file->path, folder_bytes);
  mode_t mode = target ? target->st_mode & 0777 : 0666;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  for (unsigned i = 0; i < TEMPORARY_TRIES; i++) {
    unsigned long salt = (unsigned long)now.tv_nsec + i;
    snprintf(file->temporary + folder_bytes, TEMPORARY_CHARS, ".mien-%ld-%08lx.tmp", (long)getpid(), salt);
    file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file->fd >= 0 || errno != EEXIST) break;
  }
  if (file->fd < 0) {
    mien_status status = fail_system(name, "cannot be created", error);
    mien_free(file->temporary);
    file->temporary = NULL;
    return status;
  }
  /* The permissions of a replaced file are worth keeping, not worth failing for. */
  if (target && fchmod(file->fd, mode) != 0) errno = 0;
  return MIEN_OK;
}

/* Names of files that are open already: whoever opened them would not see what is renamed to their names. */
static bool is_descriptor(const char *path) {
  static const char *const places[] = {"/dev/std", "/dev/fd/", "/proc/"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (strncmp(path, places[i], strlen(places[i])) == 0) return true;
  return false;
}

mien_status mien_new_file_open(const char *path, mien_new_file *file, mien_error *error) {
  *file = (mien_new_file){.fd = -1};
  /* A link stays a link: what it leads to is replaced. */
  char *resolved = realpath(path, NULL);
  file->path = resolved ? mien_copy_text(resolved, strlen(resolved)) : mien_copy_text(path, strlen(path));
  free(resolved);
  if (!file->path) return mien_fail_memory(error, path, strlen(path) + 1);
  struct stat info;
  bool exists = stat(file->path, &info) == 0;
  /* A name that is too long, say, is better known now than when the work is done. */
  if (!exists && errno != ENOENT && errno != ENOTDIR) return fail_system(path, "cannot be created", error);
  if (exists && S_ISDIR(info.st_mode))
    return mien_fail(error, MIEN_ARGUMENT, "%s: expected a file to write, found a folder", path);
  if (path[0] == '\0' || path[strlen(path) - 1] == '/')
    return mien_fail(error, MIEN_ARGUMENT, "'%s': expected the name of a file to write", path);
  if (exists && !S_ISREG(info.st_mode)) return MIEN_OK;
  if (is_descriptor(path))
    return mien_fail(error, MIEN_ARGUMENT, "%s: expected a file's own name, found a descriptor's", path);
  if (!exists && lstat(path, &info) == 0)
    return mien_fail(error, MIEN_ARGUMENT, "%s: expected a file to write, found a link to nothing", path);
  return open_temporary(file, exists ? &info : NULL, path, error);
}

mien_status mien_new_file_write(const mien_new_file *file, const void *bytes, size_t size, const char *name,
                                mien_error *error) {
  const char *at = bytes;
  while (size > 0) {
    const ssize_t done = write(file->fd, at, size < MAX_TRANSFER ? size : MAX_TRANSFER);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_system(name, "cannot be written", error);
    at += done;
    size -= (size_t)done;
  }
  return MIEN_OK;
}

mien_status mien_new_file_sync(const mien_new_file *file, const char *name, mien_error *error) {
  /* Some file systems have nothing to wait for and say so. */
  if (fsync(file->fd) == 0 || errno == EINVAL || errno == ENOSYS) return MIEN_OK;
  return fail_system(name, "cannot be written", error);
}

mien_status mien_new_file_publish(mien_new_file *file, const char *name, mien_error *error) {
  if (!file->temporary) return MIEN_OK;
  if (rename(file->temporary, file->path) != 0) return fail_system(name, "cannot be renamed to", error);
  mien_free(file->temporary);
  file->temporary = NULL;
  return MIEN_OK;
}

void mien_new_file_discard(mien_new_file *file) {
  if (file->fd >= 0) close(file->fd);
  if (file->temporary) unlink(file->temporary);
  mien_free(file->temporary);
  mien_free(file->path);
  *file = (mien_new_file){.fd = -1};
}
