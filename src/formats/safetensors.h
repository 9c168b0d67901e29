/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a safetensors file: tensors by name, with type and shape, where they lie in the file's bytes. */
#ifndef MIEN_FORMATS_SAFETENSORS_H
#define MIEN_FORMATS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { MIEN_SAFETENSORS_MAX_RANK = 8 };

/* A key of the header that is no tensor's name. */
#define MIEN_SAFETENSORS_METADATA "__metadata__"

/*
 * Bytes of a header. The reference takes 100 MB, which as JSON values would be gigabytes. A tensor takes some 110
 * bytes, so this is room for tens of thousands, and for metadata as large as a vocabulary.
 */
enum { MIEN_SAFETENSORS_MAX_HEADER = 4 << 20 };

/* Bytes of the header's length, which the file begins with. */
enum { MIEN_SAFETENSORS_PREFIX = 8 };

typedef struct mien_safetensor {
  const char *name;
  const char *dtype; /* as the format names it: "F32", "BF16", "I64", … */
  size_t rank, dims[MIEN_SAFETENSORS_MAX_RANK];
  size_t begin, bytes;       /* in the file's data */
  const unsigned char *data; /* little-endian, aligned to nothing */
} mien_safetensor;

typedef struct mien_safetensors mien_safetensors;

/* Bits of an element of a type, 0 when the format has no type of that name. */
unsigned mien_safetensors_bits(const char *dtype);

/*
 * Reads the header of a whole file of `size` bytes and checks it as the reference does: tensors that fill the data
 * without a gap or an overlap, each of as many bytes as its type and shape ask. What is plainly another kind of file is
 * called by its name. `where` names the file in messages and is not kept; `bytes` must outlive the result, and its data
 * is not read.
 */
MIEN_MUST_USE mien_status mien_safetensors_open(const unsigned char *bytes, size_t size, const char *where,
                                                mien_safetensors **file, mien_error *error);
void mien_safetensors_destroy(mien_safetensors *file);

/* Whether the bytes begin as a safetensors file does, and no other kind of model's file; it may be cut. */
bool mien_safetensors_is_one(const unsigned char *bytes, size_t size);

/* Bytes from the file's begin to the end of its header, or its own where it is cut before; 0 of what is none. */
size_t mien_safetensors_header(const unsigned char *bytes, size_t size);

/* What the header's __metadata__ says under a key: UTF-8 without NULs, NULL when it says nothing. Lives as long as
 * `file`. */
const char *mien_safetensors_metadata(const mien_safetensors *file, const char *key);

size_t mien_safetensors_count(const mien_safetensors *file);

/* Tensor `index` of them in the order of their names. */
const mien_safetensor *mien_safetensors_at(const mien_safetensors *file, size_t index);

/* The tensor of that name, NULL when there is none. Lives as long as `file`. */
const mien_safetensor *mien_safetensors_find(const mien_safetensors *file, const char *name);

#endif
