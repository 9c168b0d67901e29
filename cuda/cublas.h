/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products by cuBLASLt, which is opened when the first one is wanted. Each (outputs, inputs, type) has one
 * algorithm, found once for one number of rows and used for every number of them, without split-K: a row's sums have
 * the same bits in every batch.
 */
#ifndef MIEN_CUDA_CUBLAS_H
#define MIEN_CUDA_CUBLAS_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#include "mien/mien.h"

/* A folder where the library is looked for before other places; copied. Not thread-safe. */
void mien_cublas_add_folder(const char *folder);

/* Opens the library for the thread's device; thread-safe, and quick once it is open. */
cudaError_t mien_cublas_prepare(void);

/* y[r][o] = sum over k of x[r][k] · w[o][k], in float32 arithmetic for F32, else with float32 sums: x [n × inputs] rows
 * x_stride apart, w [outputs × inputs], y [n × outputs]. F32, F16 and BF16. x, w and rows are aligned to 16 bytes. */
cudaError_t mien_cublas_multiply(mien_dtype dtype, const void *w, size_t outputs, size_t inputs, const void *x,
                                 size_t x_stride, size_t n, float *y, cudaStream_t stream);

#endif
