/* SPDX-License-Identifier: Apache-2.0 */
/* Packing a head for the kernels, and the bounds that make the 16-bit screen exact. */
#include "kernels/head_plan.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/sigmoid.h"

/* Unit roundoff of float32. */
#define UNIT_ROUNDOFF 5.9604644775390625e-8

/* The screen must beat L dot products a row: below this many labels it does not. */
enum { SCREEN_MIN_LABELS = 11 };

static size_t round_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/* The nearest floats that are certainly not above and not below. */
static float float_below(double x) { return nextafterf((float)x, -INFINITY); }
static float float_above(double x) { return nextafterf((float)x, INFINITY); }

/* Where mien_sigmoid's result is certainly ≤ t, and certainly > t. */
static void cuts(float threshold, float *sure_no, float *sure_yes) {
  /* Below this scores lose their relative precision on the way to 0. */
  const double smallest_precise_logit = -80.0;
  double no = mien_logit(threshold / (1.0 + MIEN_SIGMOID_ERROR));
  double yes = mien_logit(threshold / (1.0 - MIEN_SIGMOID_ERROR));
  *sure_no = no < smallest_precise_logit ? -INFINITY : float_below(no);
  *sure_yes = yes < smallest_precise_logit ? (float)smallest_precise_logit : float_above(yes);
}

static bool allocate(mien_head_plan *plan) {
  size_t labels = plan->padded_labels, weights, screen;
  if (!mien_size_mul(plan->n_labels, plan->padded_dim, &weights)) return false;
  if (!mien_size_mul(labels, plan->padded_dim, &screen)) return false;
  float **const rows[] = {&plan->bias,         &plan->thresholds,  &plan->sure_no,   &plan->sure_yes,
                          &plan->screen_scale, &plan->screen_band, &plan->screen_no, &plan->screen_yes};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (!(*rows[i] = mien_alloc(labels, sizeof(float)))) return false;
  if (!(plan->weights = mien_alloc(weights, sizeof(float)))) return false;
  if (plan->has_screen && !(plan->screen_weights = mien_alloc(screen, sizeof(int16_t)))) return false;
  return true;
}

/* Rounds one label's float weights to integers and derives its bound; see the header's derivation. */
static void screen_label(mien_head_plan *plan, size_t label) {
  const float *weights = plan->weights + label * plan->padded_dim;
  const double q = plan->screen_max;
  double sum = 0, largest = 0;
  for (size_t i = 0; i < plan->dim; i++) {
    sum += fabs((double)weights[i]);
    largest = fmax(largest, fabs((double)weights[i]));
  }
  /* Rounding adds at most D/2 to Σ|W|. */
  double most = 2147483647.0 / q - 0.5 * (double)plan->dim;
  double scale = fmax(sum / most, largest / 32767.0);
  double moved = 0, sum_rounded = 0;
  int16_t *panel = plan->screen_weights + label / MIEN_PANEL_LABELS * plan->padded_dim * MIEN_PANEL_LABELS;
  for (size_t i = 0; i < plan->dim; i++) {
    double rounded = scale > 0 ? nearbyint(weights[i] / scale) : 0;
    panel[i / 2 * (2 * MIEN_PANEL_LABELS) + label % MIEN_PANEL_LABELS * 2 + i % 2] = (int16_t)rounded;
    moved += fabs(weights[i] - scale * rounded);
    sum_rounded += fabs(scale * rounded);
  }
  /* Beside rounding to integers there is float arithmetic, relative to Σ|w||x| ≤ m·Σ|w|: of the exact sums at most one
   * rounding an element, and of the screen (sum to float, scale, band, product with m, comparison) and of the tree of
   * the lanes some twenty more: 64 is ample. */
  double arithmetic = ((double)plan->padded_dim + 64) * UNIT_ROUNDOFF * (sum + sum_rounded);
  /* X is rounded from x·fl(q/m): two roundings of up to q more than a half, 2·2^-24·32767 < 0.005. */
  double band = moved + sum_rounded * (0.5 + 0.005) / q + arithmetic;
  /* The exact sum adds the bias with one rounding, and the cut less the bias is rounded here: 16 is ample for both. It
   * also covers what underflows in the screen, far below 2^-24 of a cut. */
  double fixed = 16 * UNIT_ROUNDOFF * fabs((double)plan->bias[label]);
  plan->screen_scale[label] = (float)(scale / q);
  plan->screen_band[label] = float_above(band);
  double no = plan->sure_no[label], yes = plan->sure_yes[label], bias = plan->bias[label];
  plan->screen_no[label] = float_below(no - bias - fixed - 16 * UNIT_ROUNDOFF * (isfinite(no) ? fabs(no) : 0));
  plan->screen_yes[label] = float_above(yes - bias + fixed + 16 * UNIT_ROUNDOFF * (isfinite(yes) ? fabs(yes) : 0));
}

mien_status mien_head_plan_create(size_t n_labels, size_t dim, const double *weights, const double *bias,
                                  const float *thresholds, mien_head_plan **out, mien_error *error) {
  mien_head_plan *plan = mien_alloc(1, sizeof *plan);
  if (!plan) return mien_fail_memory(error, "head", sizeof *plan);
  plan->n_labels = n_labels;
  plan->dim = dim;
  plan->padded_dim = round_up(dim, MIEN_LANES);
  plan->padded_labels = round_up(n_labels, MIEN_PANEL_LABELS);
  plan->n_words = (n_labels + 31) / 32;
  plan->has_screen = n_labels >= SCREEN_MIN_LABELS;
  if (!allocate(plan)) {
    mien_head_plan_destroy(plan);
    return mien_fail_memory(error, "head", n_labels * dim * sizeof(float));
  }
  plan->screen_max = floorf(fminf(32767.0f, 65536.0f / sqrtf((float)dim)));
  double largest_sum = 1, largest_bias = 0;
  for (size_t label = 0; label < n_labels; label++) {
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
      plan->weights[label * plan->padded_dim + i] = (float)weights[label * dim + i];
      sum += fabs(weights[label * dim + i]);
    }
    largest_sum = fmax(largest_sum, sum);
    largest_bias = fmax(largest_bias, fabs(bias[label]));
    plan->bias[label] = (float)bias[label];
    plan->thresholds[label] = thresholds[label];
    cuts(thresholds[label], &plan->sure_no[label], &plan->sure_yes[label]);
    if (plan->has_screen) screen_label(plan, label);
  }
  for (size_t label = n_labels; label < plan->padded_labels; label++) {
    plan->thresholds[label] = plan->sure_no[label] = plan->sure_yes[label] = INFINITY;
    plan->screen_no[label] = plan->screen_yes[label] = INFINITY;
  }
  /* The screen's operations stay finite: scale·sum and the band are at most about twice the sum of a label's weights,
   * the products with m that times row_max, and what decides is the side of a cut that lies as far from 0 as a bias
   * can. */
  plan->has_screen &= largest_sum <= FLT_MAX / 16 && largest_bias <= FLT_MAX / 16;
  plan->row_min = 0x1p-60f;
  plan->row_max = (float)fmin(0x1p60, FLT_MAX / 16 / largest_sum);
  *out = plan;
  return MIEN_OK;
}

void mien_head_plan_weights(const mien_head_plan *plan, float *weights) {
  for (size_t label = 0; label < plan->n_labels; label++)
    memcpy(weights + label * plan->dim, plan->weights + label * plan->padded_dim, plan->dim * sizeof *weights);
}

void mien_head_plan_destroy(mien_head_plan *plan) {
  if (!plan) return;
  mien_free(plan->weights);
  mien_free(plan->bias);
  mien_free(plan->thresholds);
  mien_free(plan->sure_no);
  mien_free(plan->sure_yes);
  mien_free(plan->screen_weights);
  mien_free(plan->screen_scale);
  mien_free(plan->screen_band);
  mien_free(plan->screen_no);
  mien_free(plan->screen_yes);
  mien_free(plan);
}
