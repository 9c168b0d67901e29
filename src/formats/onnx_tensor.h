/* SPDX-License-Identifier: Apache-2.0 */
/* A TensorProto's shape and numbers, wherever the file keeps them. */
#ifndef MIEN_FORMATS_ONNX_TENSOR_H
#define MIEN_FORMATS_ONNX_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/onnx_external.h"

/* Integers of a tensor: they count, index and shape columns, of which a head has two a label at most. */
enum { MIEN_ONNX_MAX_INTEGERS = 1 << 17 };

/* Dimensions of a tensor in a linear classifier: two, and a few of one that exporters add. */
enum { MIEN_ONNX_MAX_RANK = 8 };

typedef struct mien_onnx_shape {
  size_t rank;
  size_t dims[MIEN_ONNX_MAX_RANK];
  size_t count; /* the product */
} mien_onnx_shape;

/* A tensor that is ready to be read: its data is there, and as long as the shape asks. */
typedef struct mien_onnx_tensor {
  const MienOnnx__TensorProto *proto;
  mien_onnx_shape shape;
  bool is_integer; /* int32 and int64; the others are floating-point */
  bool is_external;
  mien_onnx_external external; /* where is_external */
} mien_onnx_tensor;

/*
 * Checks type, dimensions and the amount of data, and opens the external file if there is one. `where` begins the
 * messages and is not kept. Types: float, double, float16, bfloat16, int32, int64.
 */
MIEN_MUST_USE mien_status mien_onnx_tensor_open(const MienOnnx__TensorProto *proto, const char *model_path,
                                                const char *where, mien_onnx_tensor *tensor, mien_error *error);

/* Reads all `shape.count` elements: `floats` for floating-point types, `integers` for the others. */
MIEN_MUST_USE mien_status mien_onnx_tensor_read(const mien_onnx_tensor *tensor, const char *where, double *floats,
                                                int64_t *integers, mien_error *error);

void mien_onnx_tensor_close(mien_onnx_tensor *tensor);

#endif
