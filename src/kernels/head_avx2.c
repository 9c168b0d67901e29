/* SPDX-License-Identifier: Apache-2.0 */
/* The head on AVX2 with FMA and F16C. */
#include <immintrin.h>

#include "kernels/head_kernels.h"

static inline uint32_t above_avx2(const float *scores, const float *thresholds) {
  __m256 low = _mm256_cmp_ps(_mm256_loadu_ps(scores), _mm256_loadu_ps(thresholds), _CMP_GT_OQ);
  __m256 high = _mm256_cmp_ps(_mm256_loadu_ps(scores + 8), _mm256_loadu_ps(thresholds + 8), _CMP_GT_OQ);
  return (uint32_t)_mm256_movemask_ps(low) | (uint32_t)_mm256_movemask_ps(high) << 8;
}
#define MIEN_ABOVE above_avx2
#include "kernels/head_common.h"

#define INLINE static inline __attribute__((always_inline))

enum {
  TILE_ROWS = 2, /* by TILE_LABELS: 8 sums and their operands, which the compiler keeps in the 16 registers */
  TILE_LABELS = 4,
  SCREEN_ROWS = 2, /* by two panels of 16 labels: 8 sums */
  SCREEN_LAST_ROWS = 2
};

/* ---- Exact logits ---- */

/* Lanes 0 to 7 and 8 to 15 to one number, by the tree of head_kernels.h. */
INLINE float add_lanes(__m256 low, __m256 high) {
  __m256 eight = _mm256_add_ps(low, high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* Lanes `lane` to lane + 7 of R rows by C labels, while the row at `next` comes into cache. */
INLINE void half_tile(const float *rows, size_t stride, const float *weights, size_t dim, size_t lane,
                      const float *next, __m256 sums[TILE_ROWS][TILE_LABELS], int R, int C) {
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int c = 0; c < C; c++) sums[r][c] = _mm256_setzero_ps();
  for (size_t i = lane; i < dim; i += MIEN_LANES) {
    _mm_prefetch((const char *)(next + i), _MM_HINT_T0);
    __m256 x[TILE_ROWS];
    UNROLLED_FOR (int r = 0; r < R; r++) x[r] = _mm256_loadu_ps(rows + (size_t)r * stride + i);
    UNROLLED_FOR (int c = 0; c < C; c++) {
      __m256 w = _mm256_load_ps(weights + (size_t)c * dim + i);
      UNROLLED_FOR (int r = 0; r < R; r++) sums[r][c] = _mm256_fmadd_ps(x[r], w, sums[r][c]);
    }
  }
}

/* R rows by C labels from `label` on. The halves of the lanes go one after the other, so that all sums stay in
 * registers. */
INLINE void tile(const mien_head_plan *plan, const float *rows, size_t stride, size_t label, const float *next,
                 float *logits, int R, int C) {
  const size_t dim = plan->padded_dim;
  const float *weights = plan->weights + label * dim;
  __m256 low[TILE_ROWS][TILE_LABELS], high[TILE_ROWS][TILE_LABELS];
  half_tile(rows, stride, weights, dim, 0, next, low, R, C);
  half_tile(rows, stride, weights, dim, MIEN_LANES / 2, next, high, R, C);
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int c = 0; c < C; c++)
      logits[(size_t)r * plan->padded_labels + label + (size_t)c] =
          add_lanes(low[r][c], high[r][c]) + plan->bias[label + (size_t)c];
}

#include "kernels/head_tiles.h"

static float logit_one(const mien_head_plan *plan, const float *row, size_t label) {
  const float *weights = plan->weights + label * plan->padded_dim;
  __m256 low = _mm256_setzero_ps(), high = low;
  for (size_t i = 0; i < plan->padded_dim; i += MIEN_LANES) {
    low = _mm256_fmadd_ps(_mm256_loadu_ps(row + i), _mm256_load_ps(weights + i), low);
    high = _mm256_fmadd_ps(_mm256_loadu_ps(row + i + 8), _mm256_load_ps(weights + i + 8), high);
  }
  return add_lanes(low, high) + plan->bias[label];
}

static void widen_f16(const uint16_t *in, float *out, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(in + i))));
  common_widen_f16(in + i, out + i, n - i);
}

/* ---- The screen ---- */

INLINE float round_pass(const float *row, size_t dim, float scale, int16_t *rounded) {
  const __m256 by = _mm256_set1_ps(scale);
  const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
  /* Magnitudes of floats order as integers, NaN above all. */
  __m256i most = _mm256_setzero_si256();
  for (size_t i = 0; i < dim; i += 16) {
    __m256 a = _mm256_loadu_ps(row + i), b = _mm256_loadu_ps(row + i + 8);
    most = _mm256_max_epu32(most, _mm256_and_si256(_mm256_castps_si256(a), magnitude));
    most = _mm256_max_epu32(most, _mm256_and_si256(_mm256_castps_si256(b), magnitude));
    __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(a, by)), high = _mm256_cvtps_epi32(_mm256_mul_ps(b, by));
    _mm256_storeu_si256((void *)(rounded + i), _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xD8));
  }
  __m128i four = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4E));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xB1));
  return _mm_cvtss_f32(_mm_castsi128_ps(four));
}

INLINE uint32_t bits_above(__m256 a, __m256 b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)); }

/* R rows by P panels: sums, then the bits of what is certain and what may be. */
INLINE void screen_tile(const mien_head_plan *plan, const int16_t *rounded, const float *units, size_t panel,
                        const char *prefetch, uint32_t *yes, uint32_t *maybe, int R, int P) {
  enum { HALVES = 4 };
  const size_t dim = plan->padded_dim, pairs = dim / 2;
  const int16_t *weights = plan->screen_weights + panel * dim * MIEN_PANEL_LABELS;
  __m256i sums[SCREEN_ROWS][HALVES];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int h = 0; h < 2 * P; h++) sums[r][h] = _mm256_setzero_si256();
  for (size_t pair = 0; pair < pairs; pair++) {
    const int16_t *at = weights + pair * 2 * MIEN_PANEL_LABELS;
    /* Rows of the next block in as many steps as there are pairs: 8 bytes a row and step. */
    _mm_prefetch(prefetch + pair * 8 * (size_t)R, _MM_HINT_T1);
    __m256i x[SCREEN_ROWS];
    UNROLLED_FOR (int r = 0; r < R; r++) {
      int32_t two;
      memcpy(&two, rounded + (size_t)r * dim + 2 * pair, sizeof two);
      x[r] = _mm256_set1_epi32(two);
    }
    UNROLLED_FOR (int h = 0; h < 2 * P; h++) {
      __m256i w = _mm256_load_si256((const void *)(at + (size_t)(h / 2) * dim * MIEN_PANEL_LABELS + h % 2 * 16));
      UNROLLED_FOR (int r = 0; r < R; r++) sums[r][h] = _mm256_add_epi32(sums[r][h], _mm256_madd_epi16(x[r], w));
    }
  }
  UNROLLED_FOR (int r = 0; r < R; r++) {
    const __m256 m = _mm256_set1_ps(units[r]);
    uint32_t certain = 0, possible = 0;
    UNROLLED_FOR (int h = 0; h < 2 * P; h++) {
      const size_t at = panel * MIEN_PANEL_LABELS + (size_t)h * 8;
      __m256 z = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[r][h]), _mm256_load_ps(plan->screen_scale + at));
      __m256 band = _mm256_load_ps(plan->screen_band + at);
      __m256 low = _mm256_mul_ps(m, _mm256_sub_ps(z, band)), high = _mm256_mul_ps(m, _mm256_add_ps(z, band));
      certain |= bits_above(low, _mm256_load_ps(plan->screen_yes + at)) << (8 * h);
      possible |= bits_above(high, _mm256_load_ps(plan->screen_no + at)) << (8 * h);
    }
    yes[(size_t)r * plan->n_words + panel / 2] = certain;
    maybe[(size_t)r * plan->n_words + panel / 2] = possible;
  }
}

#include "kernels/head_screen.h"

const mien_head_kernels mien_head_avx2 = {
    .isa = MIEN_ISA_AVX2,
    .logits = logits_block,
    .logit = logit_one,
    .scores = common_scores,
    .screen = screen_block,
    .widen_f16 = widen_f16,
};
