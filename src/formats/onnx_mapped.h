/* SPDX-License-Identifier: Apache-2.0 */
/* A large ONNX file unpacked without a copy of its tensors' data. */
#ifndef MIEN_FORMATS_ONNX_MAPPED_H
#define MIEN_FORMATS_ONNX_MAPPED_H

#include "base/status.h"
#include "onnx.pb-c.h"

/*
 * As mien_onnx_unpack, but every raw_data of the model points into `bytes`, which must outlive it and of which only the
 * structure is read: a mapped file's weights stay on disk until they are used. *model is freed with
 * mien_onnx_mapped_free.
 */
MIEN_MUST_USE mien_status mien_onnx_mapped_unpack(const unsigned char *bytes, size_t size, const char *where,
                                                  MienOnnx__ModelProto **model, mien_error *error);
void mien_onnx_mapped_free(MienOnnx__ModelProto *model);

#endif
