/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operating system that the command has in Node. These stand in the place of the C library's functions: files,
 * streams that are waited for without being blocked in, signals.
 *
 * Nothing may block but what has an end: Node ends no process while a thread of it is inside a system call. It has no
 * poll; so streams are opened a second time, not to block, and poll tries to read a byte, which it keeps for read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "node.h"

enum {
  WASM_PAGE_BYTES = 65536,
  STREAMS = 1024,          /* descriptors below may be streams that are waited for */
  DUPLICATE = 1 << 20,     /* what dup returns: a descriptor that can only be closed */
  MOST_TRANSFER = 1 << 30, /* Linux transfers at most 0x7ffff000 bytes a call */
};

/* Of a descriptor's number; a stream is read by one thread at a time, under its reader's lock. */
static struct stream {
  char byte; /* what poll has read */
  bool held; /* whether there is such a byte */
  /* A FIFO by name, of which nothing was read yet: that it is at its end may mean that nobody writes yet. */
  bool silent;
  bool full; /* took nothing when last written to */
} streams[STREAMS];

static int result_of(int found) {
  if (found >= 0) return found;
  errno = -found;
  return -1;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static int get_stat(const char *path, int fd, bool follow, struct stat *info) {
  uint64_t found[4];
  if (path && !path[0]) return result_of(-ENOENT);
  const int status = mien_node_stat(path, fd, follow, found);
  if (status == 0)
    *info = (struct stat){
        .st_dev = (dev_t)found[0], .st_ino = (ino_t)found[1], .st_mode = (mode_t)found[2], .st_size = (off_t)found[3]};
  return result_of(status);
}

int stat(const char *restrict path, struct stat *restrict info) { return get_stat(path, -1, true, info); }
int lstat(const char *restrict path, struct stat *restrict info) { return get_stat(path, -1, false, info); }
int fstat(int fd, struct stat *info) { return get_stat(NULL, fd, true, info); }

/* Names of what is open already, of which nobody is waited for. */
static bool is_descriptor(const char *path) {
  return strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/", 6) == 0;
}

/* What open and fopen call. */
long __syscall_open(long path, long flags, ...);
long __syscall_open(long path, long flags, ...) {
  const char *name = (const char *)path;
  va_list arguments;
  va_start(arguments, flags);
  const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
  va_end(arguments);
  if (!name[0]) return -ENOENT;
  const int fd = mien_node_open(name, (int)flags, mode);
  if (fd >= 0 && fd < STREAMS) {
    struct stat info;
    const bool may_wait = (flags & O_NONBLOCK) && !(flags & O_ACCMODE) && !is_descriptor(name);
    streams[fd] = (struct stream){.silent = may_wait && fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode)};
  }
  return fd;
}

int close(int fd) { return fd == DUPLICATE ? 0 : result_of(mien_node_close(fd)); }

/* To see whether its close fails: Node closes descriptors only. */
int dup(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 ? DUPLICATE : -1;
}

ssize_t pread(int fd, void *data, size_t bytes, off_t at) {
  return result_of(mien_node_read(fd, data, bytes, (double)at));
}
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at) {
  return result_of(mien_node_write(fd, data, bytes, (double)at));
}

/* Only to ask for the place. Where it is not told, a file stands at its start. */
off_t lseek(int fd, off_t offset, int whence) {
  struct stat info;
  if (whence != SEEK_CUR || offset != 0) return result_of(-EINVAL);
  if (fstat(fd, &info) != 0) return -1;
  if (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode) || isatty(fd)) return result_of(-ESPIPE);
  const double at = mien_node_fdinfo(fd, 0);
  return at > 0 ? (off_t)at : 0;
}

int fcntl(int fd, int command, ...) {
  struct stat info;
  if (command != F_GETFL) return fstat(fd, &info);
  const double flags = mien_node_fdinfo(fd, 1);
  return flags > 0 ? (int)flags : 0;
}

int fsync(int fd) { return result_of(mien_node_sync(fd)); }
int fchmod(int fd, mode_t mode) { return result_of(mien_node_chmod(fd, (int)mode)); }
int rename(const char *from, const char *to) { return result_of(mien_node_rename(from, to)); }
int unlink(const char *path) { return result_of(mien_node_unlink(path)); }

char *realpath(const char *restrict path, char *restrict resolved) {
  char buffer[PATH_MAX];
  if (result_of(path[0] ? mien_node_realpath(path, buffer, sizeof buffer) : -ENOENT) < 0) return NULL;
  return resolved ? strcpy(resolved, buffer) : strdup(buffer);
}

/* A copy: that of a file's map is private, and the models' are read only. */
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  (void)address, (void)protection;
  char *memory = aligned_alloc(WASM_PAGE_BYTES, (bytes + WASM_PAGE_BYTES - 1) / WASM_PAGE_BYTES * WASM_PAGE_BYTES);
  if (!memory) return errno = ENOMEM, MAP_FAILED;
  size_t done = 0;
  while (!(flags & MAP_ANONYMOUS) && done < bytes) {
    const size_t want = bytes - done < MOST_TRANSFER ? bytes - done : MOST_TRANSFER;
    const ssize_t got = pread(fd, memory + done, want, offset + (off_t)done);
    if (got < 0) return free(memory), MAP_FAILED;
    if (got == 0) break;
    done += (size_t)got;
  }
  memset(memory + done, 0, bytes - done);
  return memory;
}

int munmap(void *address, size_t bytes) { return (void)bytes, free(address), 0; }
int madvise(void *address, size_t bytes, int advice) { return (void)address, (void)bytes, (void)advice, 0; }

/* ---- Folders: one is listed at a time, by the thread that opened it ---------------------------------------------- */

struct __dirstream {
  int count, next;
  struct dirent entry;
};

DIR *opendir(const char *path) {
  const int count = result_of(path[0] ? mien_node_list(path) : -ENOENT);
  DIR *folder = count < 0 ? NULL : calloc(1, sizeof *folder);
  if (folder) folder->count = count;
  return folder;
}

struct dirent *readdir(DIR *folder) {
  while (folder->next < folder->count) {
    struct dirent *entry = &folder->entry;
    if (mien_node_next(folder->next++, entry->d_name, sizeof entry->d_name) < 0) continue;
    entry->d_ino = 1; /* not 0, which is for entries that are gone */
    return entry;
  }
  return NULL;
}

int closedir(DIR *folder) { return free(folder), 0; }

/* ---- The process ------------------------------------------------------------------------------------------------- */

/* As in other systems the result is the system's to keep: the few that are asked for are never freed. */
char *getenv(const char *name) {
  char buffer[PATH_MAX];
  return mien_node_getenv(name, buffer, sizeof buffer) < 0 ? NULL : strdup(buffer);
}

pid_t getpid(void) { return mien_node_getpid(); }
int isatty(int fd) { return mien_node_isatty(fd); }

/* Only for the size of the terminal that stdout is. */
int ioctl(int fd, int request, ...) {
  const int columns = fd == STDOUT_FILENO && request == TIOCGWINSZ ? mien_node_columns() : 0;
  va_list arguments;
  va_start(arguments, request);
  if (columns > 0) *va_arg(arguments, struct winsize *) = (struct winsize){.ws_col = (unsigned short)columns};
  va_end(arguments);
  return columns > 0 ? 0 : result_of(-ENOTTY);
}

static atomic_bool interrupted;
static void (*handlers[_NSIG])(int);

/* Runs on Node's main thread, while the command's own threads go on. */
static void on_signal(int number) {
  atomic_store(&interrupted, true);
  handlers[number](number);
}

/* Handlers are called once: mien_node_once ends the process at a later signal. Node does not tell which signals are
 * ignored. */
int sigaction(int number, const struct sigaction *restrict action, struct sigaction *restrict before) {
  if (before) *before = (struct sigaction){.sa_handler = handlers[number] ? handlers[number] : SIG_DFL};
  if (!action || action->sa_handler == SIG_IGN || action->sa_handler == SIG_DFL) return 0;
  handlers[number] = action->sa_handler;
  mien_node_once(number, on_signal);
  return 0;
}

/* ---- Streams ----------------------------------------------------------------------------------------------------- */

static void sleep_milliseconds(int milliseconds) {
  nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L}, NULL);
}

/* The descriptor to use for stdin and stdout where they are streams: one that does not block. */
static int nonblocking(int fd) {
  enum { UNKNOWN = -1 };
  static atomic_int opened[] = {UNKNOWN, UNKNOWN};
  if (fd > STDOUT_FILENO) return fd;
  int found = atomic_load(&opened[fd]);
  if (found != UNKNOWN) return found;
  struct stat info;
  found = fd;
  if (fstat(fd, &info) == 0 && !S_ISREG(info.st_mode)) {
    char name[] = "/proc/self/fd/0";
    name[sizeof name - 2] = (char)('0' + fd);
    found = mien_node_open(name, (fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY, 0);
    if (found < 0 && fd == STDIN_FILENO) (void)mien_node_unblock_stdin(); /* a socket, or no Linux */
    if (found < 0) found = fd;
  }
  atomic_store(&opened[fd], found);
  return found;
}

static bool is_readable(int fd) {
  struct stat info;
  if (fd < 0 || fd >= STREAMS || (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))) return true;
  struct stream *stream = &streams[fd];
  if (stream->held) return true;
  const int got = mien_node_read(nonblocking(fd), &stream->byte, 1, -1);
  stream->held = got > 0;
  if (stream->held) stream->silent = false;
  return got > 0 || (got == 0 && !stream->silent) || (got < 0 && got != -EAGAIN);
}

/* Whether a stream takes more is known when it has: after some time it is tried again. */
static bool is_writable(int fd) {
  if (fd < 0 || fd >= STREAMS || !streams[fd].full) return true;
  streams[fd].full = false;
  return false;
}

int poll(struct pollfd *waiting, nfds_t count, int timeout) {
  enum { LONGEST_SLEEP = 10 };
  for (int slept = 0, pause = 1;; pause = pause < LONGEST_SLEEP ? 2 * pause : LONGEST_SLEEP) {
    if (count > 0 && (waiting->events & POLLOUT ? is_writable(waiting->fd) : is_readable(waiting->fd))) {
      waiting->revents = waiting->events;
      return 1;
    }
    if (atomic_load(&interrupted) && timeout > 0) return result_of(-EINTR);
    if (timeout >= 0 && slept >= timeout) return 0;
    if (timeout >= 0 && pause > timeout - slept) pause = timeout - slept;
    sleep_milliseconds(pause);
    slept += pause;
  }
}

ssize_t read(int fd, void *data, size_t bytes) {
  struct stream *stream = fd >= 0 && fd < STREAMS ? &streams[fd] : NULL;
  const bool held = stream && stream->held && bytes > 0;
  if (held) {
    *(char *)data = stream->byte;
    stream->held = false;
    if (bytes == 1) return 1;
  }
  const int got = mien_node_read(nonblocking(fd), (char *)data + held, bytes - held, -1);
  return held ? 1 + (got > 0 ? got : 0) : result_of(got);
}

ssize_t write(int fd, const void *data, size_t bytes) {
  const int done = mien_node_write(nonblocking(fd), data, bytes, -1);
  if (fd >= 0 && fd < STREAMS) streams[fd].full = done == -EAGAIN;
  return result_of(done);
}

/* ---- What stdio calls -------------------------------------------------------------------------------------------- */

unsigned short fd_read(int fd, const struct iovec *pieces, size_t count, size_t *found) __asm__("__wasi_fd_read");
unsigned short fd_read(int fd, const struct iovec *pieces, size_t count, size_t *found) {
  *found = 0;
  for (size_t i = 0; i < count; i++) {
    if (pieces[i].iov_len == 0) continue;
    ssize_t got = -1;
    if (*found == 0 && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, INT_MAX) < 0) return (unsigned short)errno;
    if (*found == 0 || is_readable(fd)) got = read(fd, pieces[i].iov_base, pieces[i].iov_len);
    if (got < 0) return *found > 0 ? 0 : (unsigned short)errno;
    *found += (size_t)got;
    if ((size_t)got < pieces[i].iov_len) break;
  }
  return 0;
}

unsigned short fd_write(int fd, const struct iovec *pieces, size_t count, size_t *found) __asm__("__wasi_fd_write");
unsigned short fd_write(int fd, const struct iovec *pieces, size_t count, size_t *found) {
  *found = 0;
  for (size_t i = 0; i < count; i++) {
    const char *bytes = pieces[i].iov_base;
    for (size_t done = 0; done < pieces[i].iov_len;) {
      const int got = mien_node_write(fd, bytes + done, pieces[i].iov_len - done, -1);
      if (got == -EAGAIN) sleep_milliseconds(1);
      if (got < 0 && got != -EAGAIN) return (unsigned short)-got;
      if (got > 0) done += (size_t)got;
    }
    *found += pieces[i].iov_len;
  }
  return 0;
}

unsigned short fd_close(int fd) __asm__("__wasi_fd_close");
unsigned short fd_close(int fd) { return close(fd) == 0 ? 0 : (unsigned short)errno; }

unsigned short fd_seek(int fd, int64_t offset, unsigned char whence, uint64_t *found) __asm__("__wasi_fd_seek");
unsigned short fd_seek(int fd, int64_t offset, unsigned char whence, uint64_t *found) {
  return (void)fd, (void)offset, (void)whence, *found = 0, (unsigned short)ESPIPE;
}
