/* SPDX-License-Identifier: Apache-2.0 */
/* Files mapped into memory. */
#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static mien_status check_file(int fd, const char *path, size_t *size, mien_error *error) {
  struct stat info;
  if (fstat(fd, &info) != 0) return mien_fail_system(error, path, errno);
  if (S_ISDIR(info.st_mode)) return mien_fail(error, MIEN_INPUT, "%s: expected a file, found a folder", path);
  if (!S_ISREG(info.st_mode)) return mien_fail(error, MIEN_INPUT, "%s: not a regular file", path);
  if (info.st_size == 0) return mien_fail(error, MIEN_INPUT, "%s: is empty", path);
  if ((uintmax_t)info.st_size > SIZE_MAX)
    return mien_fail(error, MIEN_RESOURCE, "%s: %ju bytes are more than this machine can address", path,
                     (uintmax_t)info.st_size);
  *size = (size_t)info.st_size;
  return MIEN_OK;
}

mien_status mien_map_open(const char *path, mien_map *map, mien_error *error) {
  /* Opening a pipe for reading would wait for its writer: do not. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return mien_fail_system(error, path, errno);
  size_t size = 0;
  mien_status status = check_file(fd, path, &size, error);
  if (status == MIEN_OK) {
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
      status = mien_fail_system(error, path, errno);
    else
      *map = (mien_map){bytes, size};
  }
  close(fd);
  return status;
}

void mien_map_close(mien_map *map) {
  if (map->bytes) munmap(map->bytes, map->size);
  *map = (mien_map){0};
}
