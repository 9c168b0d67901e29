/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in bf16 on AVX-512 with BF16, whose instruction adds two products to a sum, and takes and gives zeros for
 * subnormal numbers. */
#include "kernels/vector_avx512.h"

#define BF16_PAIRS
#include "kernels/encoder_bf16.h"

/* In place: of the intrinsic GCC 12 makes copies of all sums. */
INLINE void add_products(__m512 *sums, __m512i inputs, __m512i weights) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(*sums) : "v"(inputs), "v"(weights));
}

INLINE void sum_products(const activation *x, size_t depth, const uint16_t *weights, size_t panel_stride, int R, int P,
                         float *sums) {
  __m512 all[BF16_ROWS][TILE_VECS];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int p = 0; p < P; p++) all[r][p] = _mm512_setzero_ps();
  for (size_t i = 0; i < depth; i += 2, weights += 2 * MIEN_PANEL) {
    __m512i columns[TILE_VECS];
    UNROLLED_FOR (int p = 0; p < P; p++) columns[p] = _mm512_loadu_si512(weights + (size_t)p * panel_stride);
    UNROLLED_FOR (int r = 0; r < R; r++) {
      int32_t two;
      memcpy(&two, x + (size_t)r * depth + i, sizeof two);
      const __m512i inputs = _mm512_set1_epi32(two);
      UNROLLED_FOR (int p = 0; p < P; p++) add_products(&all[r][p], inputs, columns[p]);
    }
  }
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int p = 0; p < P; p++) vec_store(sums + r * SUM_COLUMNS + p * MIEN_PANEL, all[r][p]);
}

const mien_encoder_kernels mien_encoder_bf16_avx512bf16 = ENCODER_BF16(MIEN_ISA_AVX512BF16);
