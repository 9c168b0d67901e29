/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operating system that a WebAssembly module has: none. These stand in the place of the C library's functions, so
 * that the core, which is the native library's, links without imports from the host. Whatever takes a path fails as on
 * a system without files; there is one process, one thread and no environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int none(void) {
  errno = ENOSYS;
  return -1;
}

int open(const char *path, int flags, ...) { return (void)path, (void)flags, none(); }
int close(int fd) { return (void)fd, none(); }
int fstat(int fd, struct stat *info) { return (void)fd, (void)info, none(); }
int stat(const char *path, struct stat *info) { return (void)path, (void)info, none(); }
int lstat(const char *path, struct stat *info) { return (void)path, (void)info, none(); }
ssize_t pread(int fd, void *buffer, size_t bytes, off_t offset) {
  return (void)fd, (void)buffer, (void)bytes, (void)offset, none();
}
ssize_t read(int fd, void *buffer, size_t bytes) { return (void)fd, (void)buffer, (void)bytes, none(); }
char *realpath(const char *path, char *resolved) { return (void)path, (void)resolved, none(), NULL; }
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return (void)address, (void)bytes, (void)protection, (void)flags, (void)fd, (void)offset, none(), MAP_FAILED;
}
int munmap(void *address, size_t bytes) { return (void)address, (void)bytes, none(); }
int madvise(void *address, size_t bytes, int advice) { return (void)address, (void)bytes, (void)advice, 0; }
pid_t getpid(void) { return 1; }
int raise(int signal) { return (void)signal, none(); }
char *getenv(const char *name) { return (void)name, NULL; }

/* What jansson's hash tables take a seed from, where nobody gives one. */
int gettimeofday(struct timeval *now, void *zone) { return (void)zone, *now = (struct timeval){.tv_sec = 1}, 0; }
time_t time(time_t *now) { return now ? *now = 1 : 1; }

/* Nobody is told: views of the memory are made anew after every call. */
void emscripten_notify_memory_growth(size_t index);
void emscripten_notify_memory_growth(size_t index) { (void)index; }
