/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder in int8 on WebAssembly's SIMD, whose baseline multiplies int16 and adds pairs of products to int32.
 * Activations are kept as int16, and so are the weights of a panel while it is multiplied by.
 */
#define MIEN_UNFUSED
#include "kernels/vector_simd128.h"

#define INT8_OFFSET 0
/* By four outputs at a time: 8 sums, of two outputs' halves each, their weights and a row's activations: 11 of the 15
 * registers that engines have for them on x86. More rows are slower there. */
#define INT8_ROWS 4
#define INT8_PANELS 1
#define INT8_ROW_BYTES(depth) (2 * (depth))
#define INT8_PANEL_BYTES(depth) (2 * MIEN_PANEL * (depth))
#include "kernels/bytes_simd128.h"
#include "kernels/encoder_int8.h"

/* In place, from the back. */
static void arrange_row(activation *row, int8_range range, size_t depth) {
  (void)range;
  for (size_t i = depth; i > 0; i -= 16) {
    const v128_t numbers = wasm_v128_load(row + i - 16);
    wasm_v128_store(row + 2 * i - 16, wasm_i16x8_extend_high_i8x16(numbers));
    wasm_v128_store(row + 2 * i - 32, wasm_i16x8_extend_low_i8x16(numbers));
  }
}

/* [PANEL_VECS][depth / 4][2][4 outputs][2 inputs]: what a loop of sum_products reads lies together. */
static const int8_t *arrange_panel(const int8_rows *x, const int8_t *panel) {
  int16_t *wide = x->panel;
  for (size_t i = 0; i < x->depth; i += 4, panel += MIEN_LINE)
    UNROLLED_FOR (size_t v = 0; v < PANEL_VECS; v++) {
      const v128_t weights = wasm_v128_load(panel + 16 * v);
      int16_t *at = wide + 4 * v * x->depth + 4 * i;
      wasm_v128_store(at, wasm_i16x8_extend_low_i8x16(weights));
      wasm_v128_store(at + 8, wasm_i16x8_extend_high_i8x16(weights));
    }
  return x->panel;
}

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  (void)panel_bytes;
  (void)P; /* 1 */
  const size_t depth = x->depth, stride = 2 * depth;
  for (int v = 0; v < INT8_VECS; v++) {
    const activation *numbers = x->numbers + row * stride;
    v128_t low[INT8_ROWS], high[INT8_ROWS]; /* two outputs each: inputs 0 and 1 of a step, 2 and 3 */
    UNROLLED_FOR (int r = 0; r < R; r++) low[r] = high[r] = wasm_i32x4_const_splat(0);
    const int8_t *wide = weights + (size_t)v * 8 * depth, *end = wide + 8 * depth;
    for (; wide < end; wide += 32, numbers += 8) {
      const v128_t first = wasm_v128_load(wide), second = wasm_v128_load(wide + 16);
      UNROLLED_FOR (int r = 0; r < R; r++) {
        const v128_t inputs = wasm_v128_load64_splat(numbers + (size_t)r * stride);
        low[r] = wasm_i32x4_add(low[r], wasm_i32x4_dot_i16x8(inputs, first));
        high[r] = wasm_i32x4_add(high[r], wasm_i32x4_dot_i16x8(inputs, second));
      }
    }
    UNROLLED_FOR (int r = 0; r < R; r++)
      sums[r][v] = (signed_integers)wasm_i32x4_add(wasm_i32x4_shuffle(low[r], high[r], 0, 2, 4, 6),
                                                   wasm_i32x4_shuffle(low[r], high[r], 1, 3, 5, 7));
  }
}

const mien_encoder_kernels mien_encoder_int8_simd128 = ENCODER_INT8(MIEN_ISA_SIMD128);
