/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of AArch64's NEON for encoder_vector.h. */
#ifndef MIEN_KERNELS_VECTOR_NEON_H
#define MIEN_KERNELS_VECTOR_NEON_H

#include <arm_neon.h>

typedef float32x4_t vec;
#define VEC_WIDTH 4
#define vec_load vld1q_f32
#define vec_store vst1q_f32
#define vec_set vdupq_n_f32
#ifdef MIEN_UNFUSED
#define vec_multiply_add(a, b, c) ((a) * (b) + (c))
#else
#define vec_multiply_add(a, b, c) vfmaq_f32(c, a, b)
#endif
#define vec_min vminq_f32
#define vec_max vmaxq_f32
/* 24 sums, the weights of a step and an element: 29 of the 32 registers. */
#define TILE_ROWS 6
#define TILE_PANELS 1

#endif
