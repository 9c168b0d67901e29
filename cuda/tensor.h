/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only a GPU has: products of small matrices by a whole warp, loads of their fragments from shared memory, and
 * copies to shared memory that are waited for later. As the PTX ISA defines them (mma.sync, ldmatrix, cp.async), from
 * compute capability 8.0 on.
 *
 * In a product of a warp, lane l stands at row g = l / 4 and thread t = l mod 4 of its group:
 *   c[0..1]  row g, columns 2t and 2t + 1;  c[2..3]  the same of row g + 8
 *   16-bit   a[0] row g, k = 2t, 2t + 1;  a[1] row g + 8;  a[2], a[3] the same, k + 8
 *            b[0] k = 2t, 2t + 1 of column g;  b[1] k + 8
 *   tf32     a[0] row g, k = t;  a[1] row g + 8;  a[2], a[3] the same, k + 4;  b[0] k = t of column g;  b[1] k + 4
 */
#ifndef MIEN_CUDA_TENSOR_H
#define MIEN_CUDA_TENSOR_H

#include "platform.h"

#ifdef __CUDACC__

/* c [16×8] += a [16×16] · b [16×8] */
template <class Number>
static __device__ __forceinline__ void mien_mma(float c[4], const uint32_t a[4], const uint32_t b[2]);

template <> __device__ __forceinline__ void mien_mma<mien_bf16>(float c[4], const uint32_t a[4], const uint32_t b[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <> __device__ __forceinline__ void mien_mma<mien_f16>(float c[4], const uint32_t a[4], const uint32_t b[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* c [16×8] += a [16×8] · b [8×8]; operands are floats whose low 13 bits are not read. */
static __device__ __forceinline__ void mien_mma_tf32(float c[4], const uint32_t a[4], const uint32_t b[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* Four matrices of 8×8 16-bit numbers from shared memory: lanes 8i to 8i + 7 give the addresses of matrix i's rows, 16
 * bytes each; out[i] is row g, columns 2t and 2t + 1 of matrix i. */
static __device__ __forceinline__ void mien_load_matrices(uint32_t out[4], const void *row) {
  const uint32_t address = (uint32_t)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(address)
               : "memory");
}

/* 16 bytes to shared memory, of which the first `bytes` (0 or 16) come from global memory and the rest are zeros. */
static __device__ __forceinline__ void mien_copy_async(void *to, const void *from, int bytes) {
  const uint32_t address = (uint32_t)__cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
}

/* Copies since the last group are a group; a wait is for all but the latest `left` groups of this thread. */
static __device__ __forceinline__ void mien_copy_group(void) { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int left> static __device__ __forceinline__ void mien_copy_wait(void) {
  asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
}

#endif

#endif
