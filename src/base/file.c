/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files into memory. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* Linux transfers at most 0x7ffff000 bytes a call. */
enum { MAX_TRANSFER = 1 << 30 };

/* What a probe sees of a file. */
enum { PROBE_BYTES = 1 << 16 };

mien_status mien_file_read_at(int fd, const char *path, unsigned long long offset, void *buffer, size_t bytes,
                              mien_error *error) {
  size_t done = 0;
  while (done < bytes) {
    size_t want = bytes - done < MAX_TRANSFER ? bytes - done : MAX_TRANSFER;
    ssize_t got = pread(fd, (char *)buffer + done, want, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return mien_fail(error, MIEN_INPUT, "%s: byte %llu: %s", path, offset + done, strerror(errno));
    if (got == 0)
      return mien_fail(error, MIEN_INPUT, "%s: truncated: expected %llu bytes, found %llu", path,
                       (unsigned long long)(offset + bytes), (unsigned long long)(offset + done));
    done += (size_t)got;
  }
  return MIEN_OK;
}

mien_status mien_file_read(const char *path, size_t max_bytes, mien_file_probe probe, unsigned char **bytes,
                           size_t *size, mien_error *error) {
  /* Opening a pipe for reading would wait for its writer: do not. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return mien_fail_system(error, path, errno);
  mien_status status = MIEN_OK;
  unsigned char *memory = NULL;
  struct stat info;
  if (fstat(fd, &info) != 0) {
    status = mien_fail_system(error, path, errno);
  } else if (S_ISDIR(info.st_mode)) {
    status = mien_fail(error, MIEN_INPUT, "%s: expected a file, found a folder", path);
  } else if (!S_ISREG(info.st_mode)) {
    status = mien_fail(error, MIEN_INPUT, "%s: not a regular file", path);
  } else if ((uintmax_t)info.st_size > max_bytes) {
    status = mien_fail(error, MIEN_INPUT, "%s: too large: expected at most %zu bytes, found %ju", path, max_bytes,
                       (uintmax_t)info.st_size);
  } else {
    size_t total = (size_t)info.st_size;
    const size_t start = total < PROBE_BYTES ? total : PROBE_BYTES;
    memory = mien_alloc_raw(total + 1);
    if (!memory) status = mien_fail_memory(error, path, total + 1);
    if (status == MIEN_OK) status = mien_file_read_at(fd, path, 0, memory, start, error);
    if (status == MIEN_OK && probe) status = probe(memory, start, total, path, error);
    if (status == MIEN_OK) status = mien_file_read_at(fd, path, start, memory + start, total - start, error);
    if (status == MIEN_OK) {
      memory[total] = '\0';
      *bytes = memory;
      *size = total;
      memory = NULL;
    }
  }
  mien_free(memory);
  close(fd);
  return status;
}
