/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a safetensors file whose tensors may be used where they lie, once it is mapped. */
#ifndef MIEN_FORMATS_SAFETENSORS_WRITER_H
#define MIEN_FORMATS_SAFETENSORS_WRITER_H

#include <stdbool.h>

#include "base/json.h"
#include "formats/safetensors.h"

/* The first tensor's data lies at a multiple of this in the file: a header has spaces behind it. The others follow
 * without gaps, as the format wants it. */
enum { MIEN_SAFETENSORS_ALIGNMENT = 64 };

typedef struct mien_tensor_writer mien_tensor_writer;

/* Names every tensor in the order of their data, and gives its data. Called twice, for the header and for the data. */
typedef void (*mien_tensor_lister)(mien_tensor_writer *writer, void *context);

/*
 * Begins a tensor, `type` being the format's ("F32"). True when its data is wanted: all of it by calls of
 * mien_tensor_write, little-endian, [n × element]. Errors are kept and returned at the end.
 */
bool mien_tensor_begin(mien_tensor_writer *writer, const char *name, const char *type, size_t rank, const size_t *dims);
void mien_tensor_write(mien_tensor_writer *writer, const void *data, size_t n, size_t element);

/* For a lister that can't go on. */
void mien_tensor_fail(mien_tensor_writer *writer, mien_status status);

/*
 * Writes the file: it appears whole, on the disk, or not at all. `metadata` is an object of strings. Where `path` is no
 * regular file: MIEN_ARGUMENT.
 */
MIEN_MUST_USE mien_status mien_safetensors_write(const char *path, json_t *metadata, mien_tensor_lister list,
                                                 void *context, uint64_t *file_bytes, mien_error *error);

#endif
