/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in int8 on AVX-512 with VNNI, whose instruction takes one side without a sign: the activations. */
#define MIEN_UNFUSED
#include "kernels/vector_avx512.h"

#include <stdint.h>

#define INT8_OFFSET 128
/* 24 sums, two panels' weights and an activation: 27 of the 32 registers. */
#define INT8_ROWS 12
#define INT8_PANELS 2
#define vec_max_integers(a, b) (signed_integers) _mm512_max_epi32((__m512i)(a), (__m512i)(b))
#define vec_store_low_bytes(at, a) _mm_storeu_si128((__m128i *)(void *)(at), low_bytes(_mm512_castps_si512(a)))
static inline __m128i low_bytes(__m512i a) {
#ifdef MIEN_EMULATED /* by a library that does not know all intrinsics */
  return (__m128i) __builtin_convertvector((int32_t __attribute__((vector_size(64))))a,
                                           uint8_t __attribute__((vector_size(16))));
#else
  return _mm512_cvtepi32_epi8(a);
#endif
}
#include "kernels/encoder_int8.h"

/* In place: of the intrinsic GCC 12 makes copies of all sums. */
INLINE void add_products(__m512i *sums, __m512i inputs, __m512i weights) {
#ifdef MIEN_EMULATED /* by a library that knows intrinsics only */
  *sums = _mm512_dpbusd_epi32(*sums, inputs, weights);
#else
  __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums) : "v"(inputs), "v"(weights));
#endif
}

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  const size_t depth = x->depth;
  /* A pointer to every third row reaches the two after it by the stride, and leaves a register for all. */
  const activation *thirds[(INT8_ROWS + 2) / 3];
  UNROLLED_FOR (int r = 0; r < R; r += 3) thirds[r / 3] = x->numbers + (row + (size_t)r) * depth;
  __m512i all[INT8_ROWS][INT8_VECS];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int p = 0; p < P; p++) all[r][p] = _mm512_setzero_si512();
  for (size_t i = 0; i < depth; i += 4, weights += MIEN_LINE) {
    __m512i columns[INT8_VECS];
    UNROLLED_FOR (int p = 0; p < P; p++) columns[p] = _mm512_loadu_si512(weights + (size_t)p * panel_bytes);
    UNROLLED_FOR (int r = 0; r < R; r++) {
      int32_t four;
      memcpy(&four, thirds[r / 3] + (size_t)(r % 3) * depth, sizeof four);
      const __m512i inputs = _mm512_set1_epi32(four);
      UNROLLED_FOR (int p = 0; p < P; p++) add_products(&all[r][p], inputs, columns[p]);
    }
    UNROLLED_FOR (int r = 0; r < R; r += 3) {
      thirds[r / 3] += 4;
      __asm__("" : "+r"(thirds[r / 3])); /* else they become one for each row again */
    }
  }
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int p = 0; p < P; p++) sums[r][p] = (signed_integers)all[r][p];
}

const mien_encoder_kernels mien_encoder_int8_avx512vnni = ENCODER_INT8(MIEN_ISA_AVX512VNNI);
