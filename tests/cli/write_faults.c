/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded before the C library (LD_PRELOAD): lets one call fail of those that write, so that tests can go through all of
 * them. MIEN_FAULT_AT=N: the N-th call, from 1, fails as a full disk does. MIEN_FAULT_COUNT=FILE: how many there were
 * is written there at the end. Standard streams are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long n_calls;

static int fails(void) {
  const char *at = getenv("MIEN_FAULT_AT");
  const long call = atomic_fetch_add(&n_calls, 1) + 1;
  if (!at || atol(at) != call) return 0;
  errno = ENOSPC;
  return 1;
}

__attribute__((destructor)) static void tell(void) {
  const char *path = getenv("MIEN_FAULT_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", atomic_load(&n_calls));
  fclose(file);
}

/* The C library's own; its type is that of the function that stands in for it. */
#define REAL(name) ((__typeof__(&name))(size_t)dlsym(RTLD_NEXT, #name))

__attribute__((visibility("default"))) ssize_t write(int fd, const void *bytes, size_t size) {
  if (fd <= 2 || !fails()) return REAL(write)(fd, bytes, size);
  if (size > 1 && REAL(write)(fd, bytes, size / 2) < 0) return -1; /* what is written is torn */
  errno = ENOSPC;
  return -1;
}

__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) {
  return fails() ? -1 : REAL(pwrite64)(fd, bytes, size, at);
}

__attribute__((visibility("default"))) int ftruncate64(int fd, off_t size) {
  return fails() ? -1 : REAL(ftruncate64)(fd, size);
}

__attribute__((visibility("default"))) int fsync(int fd) { return fails() ? -1 : REAL(fsync)(fd); }

__attribute__((visibility("default"))) int close(int fd) {
  const int done = REAL(close)(fd);
  return fd > 2 && fails() ? -1 : done;
}

__attribute__((visibility("default"))) int rename(const char *from, const char *to) {
  return fails() ? -1 : REAL(rename)(from, to);
}

__attribute__((visibility("default"))) int mkdir(const char *path, mode_t mode) {
  return fails() ? -1 : REAL(mkdir)(path, mode);
}

__attribute__((visibility("default"))) int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return flags & O_CREAT && fails() ? -1 : REAL(open64)(path, flags, mode);
}
