/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a safetensors file: tensors by name, with type and shape, where they lie in the file's bytes. */
#ifndef MIEN_FORMATS_SAFETENSORS_H
#define MIEN_FORMATS_SAFETENSORS_H

#include <stddef.h>

#include "base/status.h"

enum { MIEN_SAFETENSORS_MAX_RANK = 8 };

typedef struct mien_safetensor {
  const char *name;
  const char *dtype; /* as the format names it: "F32", "BF16", "I64", … */
  size_t rank, dims[MIEN_SAFETENSORS_MAX_RANK];
  size_t begin, bytes;       /* in the file's data */
  const unsigned char *data; /* little-endian, aligned to nothing */
} mien_safetensor;

typedef struct mien_safetensors mien_safetensors;

/*
 * Reads the header of a whole file of `size` bytes and checks it as the reference does: tensors that fill the data
 * without a gap or an overlap, each of as many bytes as its type and shape ask. What is plainly another kind of file is
 * called by its name. `where` names the file in messages and is not kept; `bytes` must outlive the result, and its data
 * is not read.
 */
MIEN_MUST_USE mien_status mien_safetensors_open(const unsigned char *bytes, size_t size, const char *where,
                                                mien_safetensors **file, mien_error *error);
void mien_safetensors_destroy(mien_safetensors *file);

size_t mien_safetensors_count(const mien_safetensors *file);

/* The tensor of that name, NULL when there is none. Lives as long as `file`. */
const mien_safetensor *mien_safetensors_find(const mien_safetensors *file, const char *name);

#endif
