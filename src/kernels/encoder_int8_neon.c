/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder in int8 on AArch64's NEON: products of two steps of four inputs are added as int16, which holds two of
 * them, and pairs of these go to int32.
 */
#define MIEN_UNFUSED
#include "kernels/vector_neon.h"

#define INT8_OFFSET 0
/* 16 sums, of two outputs each, and two rows' activations and a half panel's weights of two steps: 28 of the 32
 * registers. */
#define INT8_ROWS 2
#define INT8_PANELS 1
#include "kernels/bytes_neon.h"
#include "kernels/encoder_int8.h"

/* Four inputs, again and again. */
INLINE int8x16_t broadcast(const activation *four) {
  int32_t bits;
  memcpy(&bits, four, sizeof bits);
  return vreinterpretq_s8_s32(vdupq_n_s32(bits));
}

/* Adds to the sums of four outputs: two int32 for each. */
INLINE void add_products(int32x4_t sums[2], const int8x16_t inputs[2], const int8x16_t columns[2]) {
  const int16x8_t low = vmull_s8(vget_low_s8(inputs[0]), vget_low_s8(columns[0]));
  const int16x8_t high = vmull_high_s8(inputs[0], columns[0]);
  sums[0] = vpadalq_s16(sums[0], vmlal_s8(low, vget_low_s8(inputs[1]), vget_low_s8(columns[1])));
  sums[1] = vpadalq_s16(sums[1], vmlal_high_s8(high, inputs[1], columns[1]));
}

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  (void)panel_bytes;
  (void)P; /* 1 */
  const size_t depth = x->depth;
  const activation *numbers = x->numbers + row * depth;
  int32x4_t all[INT8_ROWS][INT8_VECS][2];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) all[r][v][0] = all[r][v][1] = vdupq_n_s32(0);
  for (size_t i = 0; i < depth; i += 8, weights += 2 * MIEN_LINE) {
    int8x16_t inputs[INT8_ROWS][2];
    UNROLLED_FOR (int r = 0; r < R; r++) {
      inputs[r][0] = broadcast(numbers + (size_t)r * depth + i);
      inputs[r][1] = broadcast(numbers + (size_t)r * depth + i + 4);
    }
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) {
      const int8x16_t columns[2] = {vld1q_s8(weights + v * 16), vld1q_s8(weights + MIEN_LINE + v * 16)};
      UNROLLED_FOR (int r = 0; r < R; r++) add_products(all[r][v], inputs[r], columns);
    }
  }
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) sums[r][v] = (signed_integers)vpaddq_s32(all[r][v][0], all[r][v][1]);
}

const mien_encoder_kernels mien_encoder_int8_neon = ENCODER_INT8(MIEN_ISA_NEON);
