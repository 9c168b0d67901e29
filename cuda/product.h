/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products of 16-bit numbers with float32 sums, and what follows them, in one kernel: for row r and output o
 *   y = (sum over k of x[r][k] · w[o][k]) · scale[o] + bias[o], then GELU or + residual[r][o], or that and LayerNorm.
 * An output is summed over k in one order, whatever the number of rows: it has the same bits in every batch.
 *
 * With two planes, numbers are the sums of two: x = x0 + x1, w = w0 + w1, and x0·w0 + x0·w1 + x1·w0 is taken.
 */
#ifndef MIEN_CUDA_PRODUCT_H
#define MIEN_CUDA_PRODUCT_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#include "mien/mien.h"

/* Numbers of one or two planes, `plane` elements apart: [rows × columns] without gaps. */
typedef struct mien_planes {
  uint16_t *numbers;
  size_t plane; /* 0: there is one */
} mien_planes;

typedef struct mien_product {
  mien_planes x;              /* [n × inputs] */
  mien_planes w;              /* [outputs × inputs] */
  int inputs, outputs;        /* multiples of 16 */
  const float *bias, *scales; /* [outputs]; scales may be NULL */
  const int *n;               /* rows, in device memory */
  bool gelu;
  const float *residual; /* [n × outputs] float32, added; NULL: nothing */
  float *y;              /* [n × outputs], may be the residual; NULL: only y16 */
  mien_planes y16;       /* the same, rounded; its numbers may be NULL */
} mien_product;

/* y = LayerNorm(product + residual), to y and, times multipliers, to y16. */
typedef struct mien_product_norm {
  mien_product product;
  const float *gamma, *beta, *multipliers; /* [outputs]; multipliers may be NULL */
  float epsilon;
} mien_product_norm;

/* Whether there is a kernel for outputs of that number with LayerNorm. */
bool mien_product_has_norm(size_t outputs);

/* Allows the kernels their shared memory; once a device. */
cudaError_t mien_product_prepare(void);

/* `dtype` is BF16 or F16; the grid is for `most` rows, of which *n are there. */
cudaError_t mien_product_run(mien_dtype dtype, const mien_product *product, size_t most, cudaStream_t stream);
cudaError_t mien_product_run_norm(mien_dtype dtype, const mien_product_norm *product, size_t most, cudaStream_t stream);

#endif
