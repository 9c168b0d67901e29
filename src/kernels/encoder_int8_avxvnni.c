/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in int8 on AVX-VNNI, whose instruction takes one side without a sign: the activations. */
#define MIEN_UNFUSED
#include "kernels/vector_avx2.h"

#define INT8_OFFSET 128
/* 12 sums, a panel's weights and an activation: 15 of the 16 registers. */
#define INT8_ROWS 6
#define INT8_PANELS 1
#include "kernels/bytes_avx2.h"
#include "kernels/encoder_int8.h"

/* In place: of the intrinsic GCC 12 makes copies of all sums. {vex}: else assemblers take it for AVX-512's. */
INLINE void add_products(__m256i *sums, __m256i inputs, __m256i weights) {
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sums) : "x"(inputs), "x"(weights));
}

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  (void)panel_bytes;
  (void)P; /* 1 */
  const size_t depth = x->depth;
  const activation *inputs_of = x->numbers + row * depth;
  __m256i all[INT8_ROWS][INT8_VECS];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) all[r][v] = _mm256_setzero_si256();
  for (size_t i = 0; i < depth; i += 4, weights += MIEN_LINE) {
    const __m256i columns[INT8_VECS] = {_mm256_loadu_si256((const __m256i *)(const void *)weights),
                                        _mm256_loadu_si256((const __m256i *)(const void *)(weights + 32))};
    UNROLLED_FOR (int r = 0; r < R; r++) {
      int32_t four;
      memcpy(&four, inputs_of + (size_t)r * depth + i, sizeof four);
      const __m256i inputs = _mm256_set1_epi32(four);
      UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) add_products(&all[r][v], inputs, columns[v]);
    }
  }
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) sums[r][v] = (signed_integers)all[r][v];
}

const mien_encoder_kernels mien_encoder_int8_avxvnni = ENCODER_INT8(MIEN_ISA_AVXVNNI);
