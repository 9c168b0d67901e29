/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in int8 on AArch64's dot product, which takes both sides with a sign. */
#define MIEN_UNFUSED
#include "kernels/vector_neon.h"

#define INT8_OFFSET 0
/* 20 sums, five rows' activations and a panel's weights: 29 of the 32 registers. */
#define INT8_ROWS 5
#define INT8_PANELS 1
#include "kernels/bytes_neon.h"
#include "kernels/encoder_int8.h"

/* Step `lane` of the four whose activations the registers hold; an immediate. */
#define ADD_STEP(lane)                                                                                                 \
  for (int v = 0; v < INT8_VECS; v++) columns[v] = vld1q_s8(weights + (lane)*MIEN_LINE + v * 16);                      \
  UNROLLED_FOR (int r = 0; r < R; r++)                                                                                 \
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) all[r][v] = vdotq_laneq_s32(all[r][v], columns[v], inputs[r], lane);

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  (void)panel_bytes;
  (void)P; /* 1 */
  const size_t depth = x->depth;
  const activation *numbers = x->numbers + row * depth;
  int32x4_t all[INT8_ROWS][INT8_VECS];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) all[r][v] = vdupq_n_s32(0);
  for (size_t i = 0; i < depth; i += 16, weights += 4 * MIEN_LINE) {
    int8x16_t inputs[INT8_ROWS], columns[INT8_VECS];
    UNROLLED_FOR (int r = 0; r < R; r++) inputs[r] = vld1q_s8((const int8_t *)numbers + (size_t)r * depth + i);
    ADD_STEP(0)
    ADD_STEP(1)
    ADD_STEP(2)
    ADD_STEP(3)
  }
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) sums[r][v] = (signed_integers)all[r][v];
}

const mien_encoder_kernels mien_encoder_int8_neondot = ENCODER_INT8(MIEN_ISA_NEONDOT);
