/* SPDX-License-Identifier: Apache-2.0 */
/* The head in portable C: the reference for every other table, and what runs where there is none. */
#include "kernels/head_common.h"

static float logit_one(const mien_head_plan *plan, const float *row, size_t label) {
  const float *weights = plan->weights + label * plan->padded_dim;
  float sums[MIEN_LANES] = {0};
  for (size_t i = 0; i < plan->padded_dim; i += MIEN_LANES)
    for (int lane = 0; lane < MIEN_LANES; lane++) sums[lane] += row[i + (size_t)lane] * weights[i + (size_t)lane];
  for (int width = MIEN_LANES / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) sums[lane] += sums[lane + width];
  return sums[0] + plan->bias[label];
}

static void logits_block(const mien_head_plan *plan, const float *rows, size_t stride, size_t n, float *logits) {
  for (size_t row = 0; row < n; row++)
    for (size_t label = 0; label < plan->n_labels; label++)
      logits[row * plan->padded_labels + label] = logit_one(plan, rows + row * stride, label);
}

const mien_head_kernels mien_head_portable = {
    .isa = MIEN_ISA_PORTABLE,
    .logits = logits_block,
    .logit = logit_one,
    .scores = common_scores,
    .widen_f16 = common_widen_f16,
};
