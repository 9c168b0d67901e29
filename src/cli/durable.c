/* SPDX-License-Identifier: Apache-2.0 */
/* Files that a power cut does not take, and locks between processes. */
#include "cli/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/memory.h"

static mien_status fail(const char *path, const char *action, mien_error *error) {
  return mien_fail(error, MIEN_RESOURCE, "%s: %s: %s", path, action, strerror(errno));
}

mien_status cli_sync(const char *path, mien_error *error) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(path, "cannot be opened", error);
  /* Some file systems have nothing to wait for and say so. */
  mien_status status = MIEN_OK;
  if (fsync(fd) != 0 && errno != EINVAL && errno != ENOSYS) status = fail(path, "cannot be written", error);
  close(fd);
  return status;
}

mien_status cli_sync_name(const char *path, mien_error *error) {
  char *copy = mien_copy_text(path, strlen(path));
  if (!copy) return mien_fail_memory(error, path, strlen(path));
  mien_status status = cli_sync(dirname(copy), error);
  mien_free(copy);
  return status;
}

mien_status cli_rename(const char *from, const char *to, mien_error *error) {
  return rename(from, to) == 0 ? MIEN_OK : fail(to, "cannot be renamed to", error);
}

mien_status cli_try_lock(int fd, const char *path, bool *taken, mien_error *error) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    *taken = false;
    if (errno == EWOULDBLOCK) return MIEN_OK;
    /* Some cluster file systems are mounted without locks: there a scheduler sees to it that a job runs once. */
    if (errno != ENOSYS && errno != EOPNOTSUPP && errno != ENOLCK) return fail(path, "cannot be locked", error);
    break;
  }
  *taken = true;
  return MIEN_OK;
}
