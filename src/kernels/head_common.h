/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the head's kernels that are plain C in every instruction set. Each kernel file includes this once and
 * compiles it for its own target; it may define MIEN_ABOVE(scores, thresholds), the bits of 16 comparisons, before.
 */
#ifndef MIEN_KERNELS_HEAD_COMMON_H
#define MIEN_KERNELS_HEAD_COMMON_H

#include "base/half.h"
#include <math.h>

#include "kernels/head_kernels.h"
#include "kernels/sigmoid.h"
#include "kernels/unroll.h"

#ifndef MIEN_ABOVE
static inline uint32_t mien_above(const float *scores, const float *thresholds) {
  uint32_t bits = 0;
  for (int i = 0; i < MIEN_PANEL_LABELS; i++) bits |= (uint32_t)(scores[i] > thresholds[i]) << i;
  return bits;
}
#define MIEN_ABOVE mien_above
#endif

static void common_scores(const mien_head_plan *plan, float *logits, size_t n, uint32_t *words) {
  const size_t labels = plan->padded_labels, n_words = plan->n_words;
  for (size_t i = 0; i < n * labels; i++) logits[i] = mien_sigmoid(logits[i]);
  for (size_t row = 0; row < n; row++) {
    const float *scores = logits + row * labels;
    for (size_t word = 0; word < n_words; word++) {
      size_t at = word * 32;
      uint32_t bits = MIEN_ABOVE(scores + at, plan->thresholds + at);
      at += MIEN_PANEL_LABELS;
      if (at < labels) bits |= MIEN_ABOVE(scores + at, plan->thresholds + at) << MIEN_PANEL_LABELS;
      words[row * n_words + word] = bits;
    }
  }
}

static inline void common_widen_f16(const uint16_t *in, float *out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = mien_half_to_float(in[i]);
}

#endif
