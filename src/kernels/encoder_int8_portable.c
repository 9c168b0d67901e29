/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in int8 in portable C: the reference. */
#define MIEN_UNFUSED
#include "kernels/vector_portable.h"

#include <stdint.h>

#define INT8_OFFSET 0
#define INT8_ROWS 2
#define INT8_PANELS 1
typedef int32_t four_integers __attribute__((vector_size(16)));
static inline four_integers vec_max_integers(four_integers a, four_integers b) {
  const four_integers greater = a > b;
  return (a & greater) | (b & ~greater);
}
static inline void vec_store_low_bytes(uint8_t *at, vec a) {
  uint32_t bits[VEC_WIDTH];
  memcpy(bits, &a, sizeof bits);
  for (int i = 0; i < VEC_WIDTH; i++) at[i] = (uint8_t)bits[i];
}
#include "kernels/encoder_int8.h"

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  (void)panel_bytes;
  (void)P; /* 1 */
  int32_t all[INT8_ROWS][MIEN_PANEL] = {{0}};
  for (size_t i = 0; i < x->depth; i += 4, weights += MIEN_LINE)
    for (int r = 0; r < R; r++) {
      const int8_t *inputs = (const int8_t *)x->numbers + (row + (size_t)r) * x->depth + i;
      for (int column = 0; column < MIEN_PANEL; column++)
        for (int k = 0; k < 4; k++) all[r][column] += inputs[k] * weights[4 * column + k];
    }
  for (int r = 0; r < R; r++) memcpy(sums[r], all[r], sizeof all[r]);
}

const mien_encoder_kernels mien_encoder_int8_portable = ENCODER_INT8(MIEN_ISA_PORTABLE);
