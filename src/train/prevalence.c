/* SPDX-License-Identifier: Apache-2.0 */
/* Adjusted counts with intervals. */
#include "train/prevalence.h"

#include <math.h>

#include "train/random.h"

/* ---- Draws --------------------------------------------------------------------------------------------------------
 */

/* Uniform in (0, 1). */
static double draw_uniform(mien_random *random) { return ((double)(mien_random_next(random) >> 12) + 0.5) * 0x1p-52; }

/* Marsaglia's polar method, of whose two numbers one is used. */
static double draw_normal(mien_random *random) {
  double x, y, square;
  do {
    x = 2 * draw_uniform(random) - 1;
    y = 2 * draw_uniform(random) - 1;
    square = x * x + y * y;
  } while (square >= 1 || square == 0);
  return x * sqrt(-2 * log(square) / square);
}

/* Of shape at least 1/2 and scale 1 (Marsaglia, Tsang: A Simple Method for Generating Gamma Variables, 2000). */
static double draw_gamma(mien_random *random, double shape) {
  /* Shapes below 1 are one more, times a power of a uniform number. */
  if (shape < 1) return draw_gamma(random, shape + 1) * pow(draw_uniform(random), 1 / shape);
  const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (;;) {
    const double x = draw_normal(random), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (log(draw_uniform(random)) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
  }
}

/* A share of which `yes` and `no` were seen, under Jeffreys' prior. */
static double draw_share(mien_random *random, uint64_t yes, uint64_t no) {
  const double a = draw_gamma(random, (double)yes + 0.5), b = draw_gamma(random, (double)no + 0.5);
  return a / (a + b);
}

/* ---- The estimate -------------------------------------------------------------------------------------------------
 */

static double between_0_and_1(double value) { return value < 0 ? 0 : value > 1 ? 1 : value; }

static double share_of(uint64_t yes, uint64_t no) { return (double)yes / ((double)yes + (double)no); }

/* How many draws have a share at all, and how many of these are none: below 0, above 1. */
typedef struct draw_counts {
  size_t n, n_below, n_above;
} draw_counts;

/* Writes the draws in which tpr > fpr. */
static draw_counts draw_all(const mien_confusion *m, uint64_t given, uint64_t n_rows, double *draws) {
  mien_random random = mien_random_start(0, 0);
  draw_counts drawn = {0};
  for (size_t i = 0; i < MIEN_PREVALENCE_DRAWS; i++) {
    const double tpr = draw_share(&random, m->tp, m->fn), fpr = draw_share(&random, m->fp, m->tn);
    const double q = draw_share(&random, given, n_rows - given);
    if (tpr <= fpr) continue;
    drawn.n_below += q < fpr;
    drawn.n_above += q > tpr;
    draws[drawn.n++] = between_0_and_1((q - fpr) / (tpr - fpr));
  }
  return drawn;
}

mien_prevalence mien_prevalence_of(const mien_confusion *m, uint64_t given, uint64_t n_rows, double confidence,
                                   double *draws) {
  mien_prevalence found = {MIEN_PREVALENCE_FOUND, NAN, {NAN, NAN}};
  if (n_rows == 0) found.state = MIEN_PREVALENCE_NO_ROWS;
  if (m->tp + m->fn == 0 || m->fp + m->tn == 0) found.state = MIEN_PREVALENCE_UNMEASURED;
  if (found.state != MIEN_PREVALENCE_FOUND) return found;
  const double tpr = share_of(m->tp, m->fn), fpr = share_of(m->fp, m->tn);
  const draw_counts drawn = tpr > fpr ? draw_all(m, given, n_rows, draws) : (draw_counts){0};
  const double most = 1 - (1 - confidence) / 2;
  if ((double)drawn.n < most * MIEN_PREVALENCE_DRAWS)
    found.state = MIEN_PREVALENCE_NOT_IDENTIFIED;
  else if ((double)drawn.n_below > most * (double)drawn.n || (double)drawn.n_above > most * (double)drawn.n)
    found.state = MIEN_PREVALENCE_INCONSISTENT;
  if (found.state != MIEN_PREVALENCE_FOUND) return found;
  found.estimate = between_0_and_1((share_of(given, n_rows - given) - fpr) / (tpr - fpr));
  found.interval = mien_interval_of(draws, drawn.n, confidence);
  /* The prior, which no share of 0 or 1 survives, moves the middle of few rows. */
  found.interval.low = fmin(found.interval.low, found.estimate);
  found.interval.high = fmax(found.interval.high, found.estimate);
  return found;
}
