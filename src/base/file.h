/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files into memory. */
#ifndef MIEN_BASE_FILE_H
#define MIEN_BASE_FILE_H

#include "base/status.h"

/* Looks at a file's first bytes, before the rest is read: an error ends the reading. */
typedef mien_status (*mien_file_probe)(const unsigned char *start, size_t start_bytes, size_t file_bytes,
                                       const char *path, mien_error *error);

/*
 * Reads a regular file of at most `max_bytes` into fresh memory with a NUL behind it (not counted in *size), to be
 * freed with mien_free. Folders, devices and larger files are refused (MIEN_INPUT), naming the path and the reason.
 * `probe` may be NULL.
 */
MIEN_MUST_USE mien_status mien_file_read(const char *path, size_t max_bytes, mien_file_probe probe,
                                         unsigned char **bytes, size_t *size, mien_error *error);

/*
 * Reads exactly `bytes` bytes at `offset` of an open file; MIEN_INPUT when the file ends before, naming `path`.
 * Safe from several threads at once on one descriptor.
 */
MIEN_MUST_USE mien_status mien_file_read_at(int fd, const char *path, unsigned long long offset, void *buffer,
                                            size_t bytes, mien_error *error);

#endif
