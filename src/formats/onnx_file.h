/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX file's bytes to protobuf-c's structures. */
#ifndef MIEN_FORMATS_ONNX_FILE_H
#define MIEN_FORMATS_ONNX_FILE_H

#include "base/status.h"
#include "onnx.pb-c.h"

/*
 * Refuses what is plainly no ONNX file by its first bytes, `start_bytes` of `file_bytes`, or one that those are enough
 * to refuse; a mien_file_probe. What it passes may still be none.
 */
MIEN_MUST_USE mien_status mien_onnx_probe(const unsigned char *start, size_t start_bytes, size_t file_bytes,
                                          const char *where, mien_error *error);

/*
 * Scans and unpacks. What is plainly another kind of file (a web page, a Git LFS pointer, an archive, …) is called by
 * its name. `where` names the file in messages. *model is freed with mien_onnx_free.
 */
MIEN_MUST_USE mien_status mien_onnx_unpack(const unsigned char *bytes, size_t size, const char *where,
                                           MienOnnx__ModelProto **model, mien_error *error);

/* The second half of it: unpacks what the scan has accepted. */
MIEN_MUST_USE mien_status mien_onnx_unpack_scanned(const unsigned char *bytes, size_t size, const char *where,
                                                   MienOnnx__ModelProto **model, mien_error *error);

/* Memory of malloc, all of it. NULL is none. */
void mien_onnx_free(MienOnnx__ModelProto *model);

#endif
