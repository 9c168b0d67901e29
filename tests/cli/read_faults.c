/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded before the C library (LD_PRELOAD): makes what reads fail, or come in other pieces, so that tests can go
 * through all of it. MIEN_READ_FAULT is one of
 *   interrupt  half of the calls that wait, read or write are interrupted by a signal
 *   short      reads and writes transfer less than they are asked for
 *   error, cut, grow, open   the MIEN_READ_AT-th call, from 1, on files whose paths end in MIEN_READ_FILE: a read that
 *              fails, one before which the file loses or gets a byte, or an opening that is refused
 * MIEN_READ_COUNT=FILE: how many calls there were of the last ones is written there at the end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long n_calls, n_interruptible;

__attribute__((destructor)) static void tell(void) {
  const char *path = getenv("MIEN_READ_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", atomic_load(&n_calls));
  fclose(file);
}

/* The C library's own; its type is that of the function that stands in for it. */
#define REAL(name) ((__typeof__(&name))(size_t)dlsym(RTLD_NEXT, #name))

static int is_fault(const char *name) {
  const char *fault = getenv("MIEN_READ_FAULT");
  return fault && strcmp(fault, name) == 0;
}

static int is_watched(const char *path) {
  const char *ending = getenv("MIEN_READ_FILE");
  const size_t length = strlen(path), n = ending ? strlen(ending) : 0;
  return n > 0 && length >= n && strcmp(path + length - n, ending) == 0;
}

/* Whether this call on a watched file is the one. */
static int is_due(void) {
  const char *at = getenv("MIEN_READ_AT");
  const long call = atomic_fetch_add(&n_calls, 1) + 1;
  return at && atol(at) == call;
}

/* Without a pattern, which could be that of a caller's loop. */
static int is_interrupted(void) {
  if (!is_fault("interrupt")) return 0;
  const unsigned long call = (unsigned long)atomic_fetch_add(&n_interruptible, 1);
  if ((call * 0x9E3779B97F4A7C15 >> 40) % 2) return 0;
  errno = EINTR;
  return 1;
}

static size_t cut_short(size_t size) {
  return is_fault("short") && size > 1 ? 1 + (size_t)atomic_fetch_add(&n_interruptible, 1) % 97 % size : size;
}

/* Before a read of a descriptor; whether it fails. */
static int fails(int fd) {
  char link[64], path[PATH_MAX];
  struct stat info;
  if (is_fault("interrupt") || is_fault("short") || is_fault("open")) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = '\0';
  if (!is_watched(path) || !is_due()) return 0;
  if (is_fault("error")) {
    errno = EIO;
    return 1;
  }
  if (stat(path, &info) != 0 || truncate(path, info.st_size + (is_fault("grow") ? 1 : -1)) != 0) abort();
  return 0;
}

__attribute__((visibility("default"))) ssize_t read(int fd, void *bytes, size_t size) {
  return is_interrupted() || fails(fd) ? -1 : REAL(read)(fd, bytes, cut_short(size));
}

__attribute__((visibility("default"))) ssize_t pread64(int fd, void *bytes, size_t size, off_t at) {
  return is_interrupted() || fails(fd) ? -1 : REAL(pread64)(fd, bytes, cut_short(size), at);
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *bytes, size_t size) {
  return is_interrupted() ? -1 : REAL(write)(fd, bytes, cut_short(size));
}

__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) {
  return is_interrupted() ? -1 : REAL(pwrite64)(fd, bytes, cut_short(size), at);
}

__attribute__((visibility("default"))) int poll(struct pollfd *all, nfds_t n, int milliseconds) {
  return is_interrupted() ? -1 : REAL(poll)(all, n, milliseconds);
}

__attribute__((visibility("default"))) int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  if (!is_fault("open") || !is_watched(path) || !is_due()) return REAL(open64)(path, flags, mode);
  errno = EACCES;
  return -1;
}
