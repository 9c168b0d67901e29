/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder on AArch64's NEON. */
#include <arm_neon.h>

typedef float32x4_t vec;
#define VEC_WIDTH 4
#define vec_load vld1q_f32
#define vec_store vst1q_f32
#define vec_set vdupq_n_f32
#define vec_fma(a, b, c) vfmaq_f32(c, a, b)
#define vec_min vminq_f32
#define vec_max vmaxq_f32
/* 24 sums, the weights of a step and an element: 29 of the 32 registers. */
#define TILE_ROWS 6
#define TILE_PANELS 1
#include "kernels/encoder_common.h"

const mien_encoder_kernels mien_encoder_neon = {MIEN_ISA_NEON, project, project_add, feed_forward, attend, norm};
