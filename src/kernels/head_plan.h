/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A head as the kernels want it: float weights for exact scores, and 16-bit weights for a screen that decides most
 * labels without them.
 *
 * The screen. Words need no scores, only on which side of a cut each logit lies. Rows and weights are rounded to 16-bit
 * integers, whose products sum exactly in 32 bits at twice the rate of float FMAs or more, and a bound of what rounding
 * can have moved tells for which labels the answer is certain. The others, a few in a hundred rows, are summed again in
 * float exactly as scores are. So words are always those of the float scores, to the bit.
 *
 *   x = (m / q) · X + dx,  m ≥ max|x|, X integer in [-q, q], |dx| ≤ m / 2q
 *   w = s · W + dw,        W integer with q · Σ|W| < 2^31 (no sum can overflow)
 *   |w·x - (s·m/q) ΣWX|  ≤  m · (Σ|dw| + s·Σ|W| / 2q)
 *
 * The two terms of the bound are equal at about q = 2^16 / sqrt(D).
 */
#ifndef MIEN_KERNELS_HEAD_PLAN_H
#define MIEN_KERNELS_HEAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum {
  MIEN_LANES = 16,       /* partial sums of a logit: element i of a row goes to lane i mod 16 */
  MIEN_PANEL_LABELS = 16 /* labels side by side in the screen's weights */
};

typedef struct mien_head_plan {
  size_t n_labels;      /* L */
  size_t dim;           /* D */
  size_t padded_dim;    /* D up to a multiple of MIEN_LANES; the weights there are 0 */
  size_t padded_labels; /* L up to a multiple of MIEN_PANEL_LABELS; never labelled there */
  size_t n_words;       /* ⌈L/32⌉ */
  float *weights;       /* [L × padded_dim] */
  float *bias;          /* [padded_labels] */
  float *thresholds;    /* [padded_labels] */
  /* Logits at most `sure_no` give no label and logits above `sure_yes` give one, whatever the last bits of sigmoid;
   * between the two the score decides. [padded_labels] each */
  float *sure_no, *sure_yes;
  /* The screen: int16 weights in panels of 16 labels, pairs of elements side by side, and for each label
   * logit = bias + m·(scale·sum ± band) and a rest that does not grow with the row. */
  bool has_screen;
  int16_t *screen_weights; /* [padded_labels / 16][padded_dim / 2][16][2] */
  float *screen_scale;     /* [padded_labels] s / q */
  float *screen_band;      /* [padded_labels] */
  float *screen_no;        /* [padded_labels] no label where m·(scale·sum + band) ≤ screen_no */
  float *screen_yes;       /* [padded_labels] a label where m·(scale·sum - band) > screen_yes */
  float screen_max;        /* q */
  float row_min, row_max;  /* the screen takes rows whose max|x| lies between; exact sums take the others */
} mien_head_plan;

/* From weights [L×D], bias [L] (finite, and finite as float32) and thresholds [L] in [0, 1]. */
MIEN_MUST_USE mien_status mien_head_plan_create(size_t n_labels, size_t dim, const double *weights, const double *bias,
                                                const float *thresholds, mien_head_plan **plan, mien_error *error);
void mien_head_plan_destroy(mien_head_plan *plan);

/* Writes the weights [L×D], without what pads them. */
void mien_head_plan_weights(const mien_head_plan *plan, float *weights);

#endif
