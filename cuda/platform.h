/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kernels stand on: launches, shared memory, 16-bit numbers. Everything here and in tensor.h, which files of
 * kernels alone include, has a twin for plain C++ compilers, so that the kernels run without a GPU too; no other file
 * knows the difference.
 */
#ifndef MIEN_CUDA_PLATFORM_H
#define MIEN_CUDA_PLATFORM_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>

/* The block's shared memory, as many bytes as the launch gave it, aligned to 16. */
#define MIEN_SHARED(name) extern __shared__ __align__(16) unsigned char name[]

/* One parameter a kernel, a structure. */
template <class Parameters>
static inline cudaError_t mien_launch(void (*kernel)(Parameters), dim3 grid, unsigned threads, size_t shared,
                                      cudaStream_t stream, const Parameters &parameters) {
  void *arguments[] = {const_cast<Parameters *>(&parameters)};
  return cudaLaunchKernel(reinterpret_cast<const void *>(kernel), grid, dim3(threads), arguments, shared, stream);
}
#endif

enum { MIEN_WARP = 32 };
#define MIEN_ALL_LANES 0xFFFFFFFFu

/* Numbers that activations and weights are kept in. `bits` rounds to nearest, ties to even. */
struct mien_bf16 {
  static __device__ __forceinline__ uint16_t bits(float x) {
#ifdef __CUDACC__
    return __bfloat16_as_ushort(__float2bfloat16_rn(x));
#else
    return mien_float_to_bf16(x);
#endif
  }
  static __device__ __forceinline__ float number(uint16_t bits) { return __uint_as_float((uint32_t)bits << 16); }
};

struct mien_f16 {
  static __device__ __forceinline__ uint16_t bits(float x) {
#ifdef __CUDACC__
    return __half_as_ushort(__float2half_rn(x));
#else
    return mien_float_to_half(x);
#endif
  }
  static __device__ __forceinline__ float number(uint16_t bits) {
#ifdef __CUDACC__
    return __half2float(__ushort_as_half(bits));
#else
    return mien_half_to_float(bits);
#endif
  }
};

/* Two neighbours, the first in the low half. */
template <class Number> static __device__ __forceinline__ uint32_t mien_pair(float first, float second) {
  return (uint32_t)Number::bits(first) | (uint32_t)Number::bits(second) << 16;
}

/* Sum and maximum over a warp in a fixed order; every lane gets it. */
template <class T> static __device__ __forceinline__ T mien_warp_sum(T x) {
#pragma unroll
  for (int distance = MIEN_WARP / 2; distance > 0; distance /= 2) x += __shfl_xor_sync(MIEN_ALL_LANES, x, distance);
  return x;
}

static __device__ __forceinline__ float mien_warp_max(float x) {
#pragma unroll
  for (int distance = MIEN_WARP / 2; distance > 0; distance /= 2)
    x = fmaxf(x, __shfl_xor_sync(MIEN_ALL_LANES, x, distance));
  return x;
}

static __device__ __forceinline__ bool mien_is_finite(float x) {
  return (__float_as_uint(x) & 0x7FFFFFFFu) < 0x7F800000u;
}

#endif
