/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of AVX2 for encoder_vector.h. */
#ifndef MIEN_KERNELS_VECTOR_AVX2_H
#define MIEN_KERNELS_VECTOR_AVX2_H

#include <immintrin.h>

typedef __m256 vec;
#define VEC_WIDTH 8
#define vec_load _mm256_loadu_ps
#define vec_store _mm256_storeu_ps
#define vec_set _mm256_set1_ps
#ifdef MIEN_UNFUSED
#define vec_multiply_add(a, b, c) ((a) * (b) + (c))
#else
#define vec_multiply_add _mm256_fmadd_ps
#endif
#define vec_min _mm256_min_ps
#define vec_max _mm256_max_ps
/* 12 sums, the weights of a step and an element: 15 of the 16 registers. */
#define TILE_ROWS 6
#define TILE_PANELS 1

#endif
