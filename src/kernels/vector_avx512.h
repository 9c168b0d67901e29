/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of AVX-512 for encoder_vector.h. */
#ifndef MIEN_KERNELS_VECTOR_AVX512_H
#define MIEN_KERNELS_VECTOR_AVX512_H

#include <immintrin.h>

typedef __m512 vec;
#define VEC_WIDTH 16
#define vec_load _mm512_loadu_ps
#define vec_store _mm512_storeu_ps
#define vec_set _mm512_set1_ps
#ifdef MIEN_UNFUSED
#define vec_multiply_add(a, b, c) ((a) * (b) + (c))
#else
#define vec_multiply_add _mm512_fmadd_ps
#endif
#define vec_min _mm512_min_ps
#define vec_max _mm512_max_ps
/* 24 sums, the weights of a step and an element: 27 of the 32 registers. */
#define TILE_ROWS 12
#define TILE_PANELS 2

#endif
