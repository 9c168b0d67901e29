/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a .npy file. What is accepted must be consistent with its own size. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "formats/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  enum { PREFIX = 64 };
  mien_error error;
  mien_npy npy;
  size_t header;
  if (mien_npy_header_size(data, size < PREFIX ? size : PREFIX, "fuzz.npy", &header, &error) != MIEN_OK) return 0;
  if (mien_npy_parse(data, size < header ? size : header, "fuzz.npy", &npy, &error) != MIEN_OK) return 0;
  if (npy.data_offset != header || npy.data_bytes > INT64_MAX - header) abort();
  if (npy.n_rows && npy.n_columns && npy.data_bytes / npy.n_rows / npy.n_columns != mien_dtype_bytes(npy.dtype))
    abort();
  bool whole = mien_npy_check_size(&npy, size, "fuzz.npy", &error) == MIEN_OK;
  if (whole != (npy.data_offset + npy.data_bytes == size)) abort();
  return 0;
}
