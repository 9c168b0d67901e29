/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors' bytes in files beside the model. */
#ifndef MIEN_FORMATS_ONNX_EXTERNAL_H
#define MIEN_FORMATS_ONNX_EXTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "onnx.pb-c.h"

typedef struct mien_onnx_external {
  int fd; /* to be closed */
  uint64_t offset;
  uint64_t length;      /* bytes from `offset` on that the tensor may read */
  uint64_t file_bytes;  /* of the whole file */
  bool length_is_given; /* false: `length` goes to the end of the file */
} mien_onnx_external;

/*
 * Opens the file that `tensor` names. It must be a regular file in the folder of `model_path` as named or as resolved
 * (in Hugging Face's cache the model and its data are links into one folder of blobs), or in folders below; its
 * location has no "..", no backslash, and is not absolute. Links are followed only as far as they stay in there.
 * `where` begins the messages. NULL as `model_path` refuses.
 */
MIEN_MUST_USE mien_status mien_onnx_external_open(const MienOnnx__TensorProto *tensor, const char *model_path,
                                                  const char *where, mien_onnx_external *external, mien_error *error);

#endif
