/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head on 512-bit registers. Included by a file an instruction set, which first defines
 * DOT16(sum, a, b): sum += products of int16, added two by two.
 */
#include <immintrin.h>

#define MIEN_ABOVE(scores, thresholds)                                                                                 \
  (uint32_t) _mm512_cmp_ps_mask(_mm512_loadu_ps(scores), _mm512_loadu_ps(thresholds), _CMP_GT_OQ)
#include "kernels/head_common.h"

#define INLINE static inline __attribute__((always_inline))

enum {
  TILE_ROWS = 4, /* by TILE_LABELS: 24 sums, 4 rows and a weight fit the 32 registers */
  TILE_LABELS = 6,
  SCREEN_ROWS = 8, /* by two panels of 16 labels: 16 sums, as the compiler keeps more in memory */
  SCREEN_LAST_ROWS = 4
};

/* ---- Exact logits ---- */

/* Four sums of 16 lanes to four numbers, by the tree of head_kernels.h. */
INLINE __m128 add_lanes(__m512 a, __m512 b, __m512 c, __m512 d) {
  __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
  __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
  __m512 all = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
  all = _mm512_add_ps(all, _mm512_permute_ps(all, 0x4E));
  all = _mm512_add_ps(all, _mm512_permute_ps(all, 0xB1));
  return _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, all));
}

/* R rows by C labels from `label` on, while the row at `next` comes into cache. */
INLINE void tile(const mien_head_plan *plan, const float *rows, size_t stride, size_t label, const float *next,
                 float *logits, int R, int C) {
  const size_t dim = plan->padded_dim;
  const float *weights = plan->weights + label * dim;
  __m512 sums[TILE_ROWS][TILE_LABELS];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int c = 0; c < C; c++) sums[r][c] = _mm512_setzero_ps();
  for (size_t i = 0; i < dim; i += MIEN_LANES) {
    __m512 x[TILE_ROWS];
    _mm_prefetch((const char *)(next + i), _MM_HINT_T0);
    UNROLLED_FOR (int r = 0; r < R; r++) x[r] = _mm512_loadu_ps(rows + (size_t)r * stride + i);
    UNROLLED_FOR (int c = 0; c < C; c++) {
      __m512 w = _mm512_load_ps(weights + (size_t)c * dim + i);
      UNROLLED_FOR (int r = 0; r < R; r++) sums[r][c] = _mm512_fmadd_ps(x[r], w, sums[r][c]);
    }
  }
  UNROLLED_FOR (int c = 0; c < C; c++) {
    __m512 zero = _mm512_setzero_ps();
    float bias = plan->bias[label + (size_t)c], z[4];
    __m128 four =
        add_lanes(sums[0][c], R > 1 ? sums[1][c] : zero, R > 2 ? sums[2][c] : zero, R > 3 ? sums[3][c] : zero);
    _mm_storeu_ps(z, _mm_add_ps(four, _mm_set1_ps(bias)));
    UNROLLED_FOR (int r = 0; r < R; r++) logits[(size_t)r * plan->padded_labels + label + (size_t)c] = z[r];
  }
}

#include "kernels/head_tiles.h"

static float logit_one(const mien_head_plan *plan, const float *row, size_t label) {
  const float *weights = plan->weights + label * plan->padded_dim;
  __m512 sum = _mm512_setzero_ps(), zero = sum;
  for (size_t i = 0; i < plan->padded_dim; i += MIEN_LANES)
    sum = _mm512_fmadd_ps(_mm512_loadu_ps(row + i), _mm512_load_ps(weights + i), sum);
  return _mm_cvtss_f32(add_lanes(sum, zero, zero, zero)) + plan->bias[label];
}

static void widen_f16(const uint16_t *in, float *out, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(in + i))));
  common_widen_f16(in + i, out + i, n - i);
}

/* ---- The screen ---- */

INLINE float round_pass(const float *row, size_t dim, float scale, int16_t *rounded) {
  const __m512 by = _mm512_set1_ps(scale);
  const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
  const __m512i order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0); /* undoes the lanes of packs */
  /* Magnitudes of floats order as integers, NaN above all. */
  __m512i most = _mm512_setzero_si512();
  size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    __m512 a = _mm512_loadu_ps(row + i), b = _mm512_loadu_ps(row + i + 16);
    most = _mm512_max_epu32(most, _mm512_and_si512(_mm512_castps_si512(a), magnitude));
    most = _mm512_max_epu32(most, _mm512_and_si512(_mm512_castps_si512(b), magnitude));
    __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(a, by)), high = _mm512_cvtps_epi32(_mm512_mul_ps(b, by));
    _mm512_storeu_si512(rounded + i, _mm512_permutexvar_epi64(order, _mm512_packs_epi32(low, high)));
  }
  if (i < dim) {
    __m512 a = _mm512_loadu_ps(row + i);
    most = _mm512_max_epu32(most, _mm512_and_si512(_mm512_castps_si512(a), magnitude));
    _mm256_storeu_si256((void *)(rounded + i), _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(_mm512_mul_ps(a, by))));
  }
  uint32_t bits = _mm512_reduce_max_epu32(most);
  float largest;
  memcpy(&largest, &bits, sizeof largest);
  return largest;
}

/* R rows by P panels: sums, then the bits of what is certain and what may be. */
INLINE void screen_tile(const mien_head_plan *plan, const int16_t *rounded, const float *units, size_t panel,
                        const char *prefetch, uint32_t *yes, uint32_t *maybe, int R, int P) {
  const size_t dim = plan->padded_dim, pairs = dim / 2;
  const int16_t *weights = plan->screen_weights + panel * dim * MIEN_PANEL_LABELS;
  __m512i sums[SCREEN_ROWS][2];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int p = 0; p < P; p++) sums[r][p] = _mm512_setzero_si512();
  for (size_t pair = 0; pair < pairs; pair++) {
    __m512i w[2];
    UNROLLED_FOR (int p = 0; p < P; p++)
      w[p] = _mm512_load_si512(weights + ((size_t)p * pairs + pair) * 2 * MIEN_PANEL_LABELS);
    UNROLLED_FOR (int r = 0; r < R; r++) {
      int32_t two;
      memcpy(&two, rounded + (size_t)r * dim + 2 * pair, sizeof two);
      __m512i x = _mm512_set1_epi32(two);
      UNROLLED_FOR (int p = 0; p < P; p++) DOT16(sums[r][p], x, w[p]);
    }
    /* R rows of the next block in as many steps as there are pairs: 8·R bytes a step. */
    _mm_prefetch(prefetch + pair * 8 * (size_t)R, _MM_HINT_T1);
  }
  UNROLLED_FOR (int r = 0; r < R; r++) {
    const __m512 m = _mm512_set1_ps(units[r]);
    uint32_t certain = 0, possible = 0;
    UNROLLED_FOR (int p = 0; p < P; p++) {
      const size_t at = (panel + (size_t)p) * MIEN_PANEL_LABELS;
      __m512 z = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][p]), _mm512_load_ps(plan->screen_scale + at));
      __m512 band = _mm512_load_ps(plan->screen_band + at);
      __m512 low = _mm512_mul_ps(m, _mm512_sub_ps(z, band)), high = _mm512_mul_ps(m, _mm512_add_ps(z, band));
      __mmask16 above = _mm512_cmp_ps_mask(low, _mm512_load_ps(plan->screen_yes + at), _CMP_GT_OQ);
      __mmask16 not_below = _mm512_cmp_ps_mask(high, _mm512_load_ps(plan->screen_no + at), _CMP_GT_OQ);
      certain |= (uint32_t)above << (MIEN_PANEL_LABELS * p);
      possible |= (uint32_t)not_below << (MIEN_PANEL_LABELS * p);
    }
    yes[(size_t)r * plan->n_words + panel / 2] = certain;
    maybe[(size_t)r * plan->n_words + panel / 2] = possible;
  }
}

#include "kernels/head_screen.h"
