/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder on AVX2 with FMA. */
#include <immintrin.h>

typedef __m256 vec;
#define VEC_WIDTH 8
#define vec_load _mm256_loadu_ps
#define vec_store _mm256_storeu_ps
#define vec_set _mm256_set1_ps
#define vec_fma _mm256_fmadd_ps
#define vec_min _mm256_min_ps
#define vec_max _mm256_max_ps
/* 12 sums, the weights of a step and an element: 15 of the 16 registers. */
#define TILE_ROWS 6
#define TILE_PANELS 1
#include "kernels/encoder_common.h"

const mien_encoder_kernels mien_encoder_avx2 = {MIEN_ISA_AVX2, project, project_add, feed_forward, attend, norm};
