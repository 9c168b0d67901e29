/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses and residuals, written for one number: each kernel file's compiler makes vectors of the 16 labels of a panel.
 *
 * With e = exp(-|z|):  sigmoid(z) = 1 / (1 + e) or e / (1 + e), and log(1 + exp(z)) = max(z, 0) + log(1 + e), where
 * log(1 + e) = 2·artanh(s), s = e / (2 + e) in [0, 1/3], by artanh's series up to s^15.
 */
#ifndef MIEN_KERNELS_LOGISTIC_H
#define MIEN_KERNELS_LOGISTIC_H

#include <stdint.h>
#include <string.h>

#include "kernels/encoder_kernels.h"
#include "kernels/logistic_kernels.h"

/* exp(x) for x ≤ 0 as in sigmoid.h; below -87 it is exp(-87). */
static inline float exp_of_negative(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + MIEN_TO_INTEGER;
  const float n = shifted - MIEN_TO_INTEGER;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r * r + r;
  p = p + 1.0f;
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3F800000; /* the integer sits in the low bits */
  float power;
  memcpy(&power, &bits, sizeof power);
  return p * power;
}

/* log(1 + e) for e in [0, 1] */
static inline float log_of_one_and(float e) {
  const float s = e / (2.0f + e), square = s * s;
  float sum = 1.0f / 15.0f;
  sum = sum * square + 1.0f / 13.0f;
  sum = sum * square + 1.0f / 11.0f;
  sum = sum * square + 1.0f / 9.0f;
  sum = sum * square + 1.0f / 7.0f;
  sum = sum * square + 1.0f / 5.0f;
  sum = sum * square + 1.0f / 3.0f;
  sum = sum * square + 1.0f;
  return 2.0f * s * sum;
}

static void residuals(const mien_loss_panel *panel, size_t n) {
  float positive[MIEN_PANEL], negative[MIEN_PANEL];
  memcpy(positive, panel->positive, sizeof positive);
  memcpy(negative, panel->negative, sizeof negative);
  for (size_t first = 0; first < n; first += MIEN_LOSS_ROWS) {
    const size_t end = n - first < MIEN_LOSS_ROWS ? n : first + MIEN_LOSS_ROWS;
    float sums[MIEN_PANEL] = {0};
    for (size_t row = first; row < end; row++) {
      const float weight = panel->rows ? panel->rows[row] : 1.0f;
      const float *restrict targets = panel->targets + row * MIEN_PANEL;
      float *restrict logits = panel->logits + row * MIEN_PANEL;
      for (size_t i = 0; i < MIEN_PANEL; i++) {
        const float z = logits[i], y = targets[i];
        const float a = weight * positive[i] * y, mass = a + weight * negative[i] * (1.0f - y);
        const float e = exp_of_negative(z < 0.0f ? z : -z);
        const float sigmoid = (z < 0.0f ? e : 1.0f) / (1.0f + e);
        sums[i] += mass * ((z < 0.0f ? 0.0f : z) + log_of_one_and(e)) - a * z;
        logits[i] = mass * sigmoid - a;
      }
    }
    for (size_t i = 0; i < MIEN_PANEL; i++) panel->losses[i] += (double)sums[i];
  }
}

#endif
