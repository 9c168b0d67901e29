/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to int8 in registers of AVX2, for encoder_int8.h. */
#ifndef MIEN_KERNELS_BYTES_AVX2_H
#define MIEN_KERNELS_BYTES_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define vec_max_integers(a, b) (signed_integers) _mm256_max_epi32((__m256i)(a), (__m256i)(b))

static inline void vec_store_low_bytes(uint8_t *at, __m256 a) {
  const __m256i low = _mm256_set1_epi32(0x0C080400);
  const __m256i fours = _mm256_shuffle_epi8(_mm256_castps_si256(a), low); /* in each half, four times the same */
  const __m128i eight = _mm_unpacklo_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
  _mm_storel_epi64((__m128i *)(void *)at, eight);
}

#endif
