/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of WebAssembly's SIMD for encoder_vector.h. */
#ifndef MIEN_KERNELS_VECTOR_SIMD128_H
#define MIEN_KERNELS_VECTOR_SIMD128_H

#include <wasm_simd128.h>

typedef float vec __attribute__((vector_size(16)));
#define VEC_WIDTH 4
#define vec_load(at) ((vec)wasm_v128_load(at))
#define vec_store(at, value) wasm_v128_store(at, (v128_t)(value))
#define vec_set(x) ((vec)wasm_f32x4_splat(x))
#define vec_multiply_add(a, b, c) ((a) * (b) + (c))
/* The pseudo-minimum and -maximum are one instruction on x86; in this order they give the second of two with a NaN. */
#define vec_min(a, b) ((vec)wasm_f32x4_pmin((v128_t)(b), (v128_t)(a)))
#define vec_max(a, b) ((vec)wasm_f32x4_pmax((v128_t)(b), (v128_t)(a)))
/* 8 sums, the weights of a step and an element: 13 of the 15 registers that engines have for them on x86. */
#define TILE_ROWS 2
#define TILE_PANELS 1

#endif
