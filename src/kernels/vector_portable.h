/* SPDX-License-Identifier: Apache-2.0 */
/* Portable C for encoder_vector.h, on the vector types that GCC and clang have for every machine. */
#ifndef MIEN_KERNELS_VECTOR_PORTABLE_H
#define MIEN_KERNELS_VECTOR_PORTABLE_H

#include <string.h>

typedef float vec __attribute__((vector_size(16)));
#define VEC_WIDTH 4
static inline vec vec_load(const float *at) {
  vec value;
  memcpy(&value, at, sizeof value);
  return value;
}
static inline void vec_store(float *at, vec value) { memcpy(at, &value, sizeof value); }
static inline vec vec_set(float x) { return (vec){x, x, x, x}; }
/* A fused one is a call of libm where the machine has none. */
static inline vec vec_multiply_add(vec a, vec b, vec c) { return a * b + c; }
static inline vec vec_min(vec a, vec b) {
  for (int i = 0; i < VEC_WIDTH; i++) a[i] = a[i] < b[i] ? a[i] : b[i];
  return a;
}
static inline vec vec_max(vec a, vec b) {
  for (int i = 0; i < VEC_WIDTH; i++) a[i] = a[i] > b[i] ? a[i] : b[i]; /* the second of two with a NaN, as on x86 */
  return a;
}
/* 8 sums, the weights of a step and an element: 13 of the 16 registers that most machines have. */
#define TILE_ROWS 2
#define TILE_PANELS 1

#endif
