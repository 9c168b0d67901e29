/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder in int8 by WebAssembly's relaxed dot product of bytes. One side has a sign: the weights. Whether the
 * other one has is up to the engine for what is not 0 to 127: processors' instructions are either, and those that are
 * neither, but saturate, are of no use here. Which it is is found out before (wasm/relaxed.c), and activations are kept
 * so.
 */
#define MIEN_UNFUSED
#include "kernels/vector_simd128.h"

/* 128 where the engine takes them without a sign, 0 where with one. */
extern int mien_relaxed_offset;
#ifndef MIEN_RELAXED_OFFSET
#define MIEN_RELAXED_OFFSET 128
#endif
int mien_relaxed_offset = MIEN_RELAXED_OFFSET;

#define INT8_OFFSET mien_relaxed_offset
/* 12 sums, to hide how long a dot product takes, an input and a panel's weights in turn: 14 of 15 registers. */
#define INT8_ROWS 3
#define INT8_PANELS 1
#include "kernels/bytes_simd128.h"
#include "kernels/encoder_int8.h"

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  (void)panel_bytes;
  (void)P; /* 1 */
  const size_t depth = x->depth;
  const activation *numbers = x->numbers + row * depth;
  const int8_t *end = weights + MIEN_PANEL * depth;
  v128_t all[INT8_ROWS][INT8_VECS];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) all[r][v] = wasm_i32x4_const_splat(0);
  for (; weights < end; weights += MIEN_LINE, numbers += 4) {
    v128_t inputs[INT8_ROWS];
    UNROLLED_FOR (int r = 0; r < R; r++) inputs[r] = wasm_v128_load32_splat(numbers + (size_t)r * depth);
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) {
      const v128_t columns = wasm_v128_load(weights + 16 * v);
      UNROLLED_FOR (int r = 0; r < R; r++)
        all[r][v] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(columns, inputs[r], all[r][v]);
    }
  }
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) sums[r][v] = (signed_integers)all[r][v];
}

const mien_encoder_kernels mien_encoder_int8_relaxed = ENCODER_INT8(MIEN_ISA_RELAXED);
