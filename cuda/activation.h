/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise functions of the encoder inside kernels. */
#ifndef MIEN_CUDA_ACTIVATION_H
#define MIEN_CUDA_ACTIVATION_H

#include "platform.h"
#include "product.h"

/* x·Φ(x), by the error function, as BERT has it (Hendrycks, Gimpel, 2016, arXiv:1606.08415). */
static __device__ __forceinline__ float mien_gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }

/* Two neighbouring numbers to the planes. */
template <class Number>
static __device__ __forceinline__ void mien_store_pair(const mien_planes &to, size_t at, float first, float second) {
  const uint32_t high = mien_pair<Number>(first, second);
  *reinterpret_cast<uint32_t *>(to.numbers + at) = high;
  if (to.plane == 0) return;
  const float first_rest = first - Number::number((uint16_t)high);
  const float second_rest = second - Number::number((uint16_t)(high >> 16));
  *reinterpret_cast<uint32_t *>(to.numbers + to.plane + at) = mien_pair<Number>(first_rest, second_rest);
}

#endif
