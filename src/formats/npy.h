/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's .npy files: a strict reader of headers of (N,D) float matrices, and a writer of headers. */
#ifndef MIEN_FORMATS_NPY_H
#define MIEN_FORMATS_NPY_H

#include "base/status.h"

enum {
  MIEN_NPY_PREFIX = 12,            /* bytes that tell how long a header is */
  MIEN_NPY_MAX_HEADER = 64 * 1024, /* longest header that is read; NumPy's own take 128 bytes */
  MIEN_NPY_HEADER = 128,           /* every header that is written: the data after it is aligned to a cache line */
};

/* A little-endian matrix in C order; data_bytes = n_rows × n_columns × the size of an element, without overflow. */
typedef struct mien_npy {
  mien_dtype dtype;
  uint64_t n_rows, n_columns;
  uint64_t data_offset, data_bytes;
} mien_npy;

/*
 * How long the header is, prefix included: always at least MIEN_NPY_PREFIX and at most MIEN_NPY_MAX_HEADER. `prefix`
 * holds the first `size` bytes of the file: MIEN_NPY_PREFIX or more, less only when the file is shorter. More of them
 * make a better message about a file that is something else. `path` is for messages.
 */
MIEN_MUST_USE mien_status mien_npy_header_size(const void *prefix, size_t size, const char *path, size_t *header_bytes,
                                               mien_error *error);

/* Reads a header of exactly `size` bytes, as mien_npy_header_size said. Every byte of it must have a meaning. */
MIEN_MUST_USE mien_status mien_npy_parse(const void *header, size_t size, const char *path, mien_npy *npy,
                                         mien_error *error);

/* Whether a file of `file_bytes` bytes is exactly header and data; the message has expected and found bytes. */
MIEN_MUST_USE mien_status mien_npy_check_size(const mien_npy *npy, uint64_t file_bytes, const char *path,
                                              mien_error *error);

/* Writes a header for (n_rows, n_columns) of `descr`, "<f4" or "<u4". Its length does not depend on the counts. */
void mien_npy_write_header(char out[MIEN_NPY_HEADER], const char *descr, uint64_t n_rows, uint64_t n_columns);

/* Bytes of one number. */
size_t mien_dtype_bytes(mien_dtype dtype);

#endif
