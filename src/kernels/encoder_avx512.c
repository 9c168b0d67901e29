/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder on AVX-512. */
#include <immintrin.h>

typedef __m512 vec;
#define VEC_WIDTH 16
#define vec_load _mm512_loadu_ps
#define vec_store _mm512_storeu_ps
#define vec_set _mm512_set1_ps
#define vec_fma _mm512_fmadd_ps
#define vec_min _mm512_min_ps
#define vec_max _mm512_max_ps
/* 24 sums, the weights of a step and an element: 27 of the 32 registers. */
#define TILE_ROWS 12
#define TILE_PANELS 2
#include "kernels/encoder_common.h"

const mien_encoder_kernels mien_encoder_avx512 = {MIEN_ISA_AVX512, project, project_add, feed_forward, attend, norm};
