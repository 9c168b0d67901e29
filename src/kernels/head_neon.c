/* SPDX-License-Identifier: Apache-2.0 */
/* The head on AArch64's NEON. It has no screen: 16-bit products come no faster here than float ones. */
#include <arm_neon.h>

#include "kernels/head_common.h"

#define INLINE static inline __attribute__((always_inline))

enum {
  QUARTERS = 4,  /* registers for 16 lanes */
  TILE_ROWS = 2, /* by TILE_LABELS: 24 sums of the 32 registers */
  TILE_LABELS = 3
};

/* Four registers of lanes to one number, by the tree of head_kernels.h. */
INLINE float add_lanes(const float32x4_t q[QUARTERS]) {
  float32x4_t four = vaddq_f32(vaddq_f32(q[0], q[2]), vaddq_f32(q[1], q[3]));
  float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

/* R rows by C labels from `label` on, while the row at `next` comes into cache. */
INLINE void tile(const mien_head_plan *plan, const float *rows, size_t stride, size_t label, const float *next,
                 float *logits, int R, int C) {
  const size_t dim = plan->padded_dim;
  const float *weights = plan->weights + label * dim;
  float32x4_t sums[TILE_ROWS][TILE_LABELS][QUARTERS];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int c = 0; c < C; c++)
      UNROLLED_FOR (int q = 0; q < QUARTERS; q++) sums[r][c][q] = vdupq_n_f32(0);
  for (size_t i = 0; i < dim; i += MIEN_LANES) {
    __builtin_prefetch(next + i);
    UNROLLED_FOR (int q = 0; q < QUARTERS; q++) {
      const size_t at = i + (size_t)q * 4;
      float32x4_t x[TILE_ROWS];
      UNROLLED_FOR (int r = 0; r < R; r++) x[r] = vld1q_f32(rows + (size_t)r * stride + at);
      UNROLLED_FOR (int c = 0; c < C; c++) {
        float32x4_t w = vld1q_f32(weights + (size_t)c * dim + at);
        UNROLLED_FOR (int r = 0; r < R; r++) sums[r][c][q] = vfmaq_f32(sums[r][c][q], x[r], w);
      }
    }
  }
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int c = 0; c < C; c++)
      logits[(size_t)r * plan->padded_labels + label + (size_t)c] =
          add_lanes(sums[r][c]) + plan->bias[label + (size_t)c];
}

#include "kernels/head_tiles.h"

static float logit_one(const mien_head_plan *plan, const float *row, size_t label) {
  const float *weights = plan->weights + label * plan->padded_dim;
  float32x4_t sums[QUARTERS] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  for (size_t i = 0; i < plan->padded_dim; i += MIEN_LANES)
    for (size_t q = 0; q < QUARTERS; q++)
      sums[q] = vfmaq_f32(sums[q], vld1q_f32(row + i + 4 * q), vld1q_f32(weights + i + 4 * q));
  return add_lanes(sums) + plan->bias[label];
}

static void widen_f16(const uint16_t *in, float *out, size_t n) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(in + i))));
  common_widen_f16(in + i, out + i, n - i);
}

const mien_head_kernels mien_head_neon = {
    .isa = MIEN_ISA_NEON,
    .logits = logits_block,
    .logit = logit_one,
    .scores = common_scores,
    .widen_f16 = widen_f16,
};
