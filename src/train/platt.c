/* SPDX-License-Identifier: Apache-2.0 */
/* Platt scaling by Newton's method. */
#include "train/platt.h"

#include <math.h>

enum { MOST_STEPS = 100 };
static const double SHORTEST = 1e-10, RIDGE = 1e-12, FLAT = 1e-9, SUFFICIENT = 1e-4;

typedef struct rows {
  const double *logits;
  const bool *is_true;
  size_t n;
  const unsigned *folds;
  unsigned without;
  double high, low; /* the smoothed targets */
} rows;

static bool is_in(const rows *r, size_t i) { return !r->folds || r->folds[i] != r->without; }

/* log(1 + exp(x)) */
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

static double loss_of(const rows *r, double a, double c) {
  double loss = 0;
  for (size_t i = 0; i < r->n; i++) {
    if (!is_in(r, i)) continue;
    const double z = a * r->logits[i] + c, target = r->is_true[i] ? r->high : r->low;
    loss += softplus(z) - target * z;
  }
  return loss;
}

/* The loss' gradient and Hessian. */
static void derive(const rows *r, double a, double c, double gradient[2], double hessian[3]) {
  gradient[0] = gradient[1] = hessian[1] = 0;
  hessian[0] = hessian[2] = RIDGE;
  for (size_t i = 0; i < r->n; i++) {
    if (!is_in(r, i)) continue;
    const double x = r->logits[i], z = a * x + c, target = r->is_true[i] ? r->high : r->low;
    const double p = z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)), weight = p * (1 - p);
    gradient[0] += (p - target) * x;
    gradient[1] += p - target;
    hessian[0] += weight * x * x;
    hessian[1] += weight * x;
    hessian[2] += weight;
  }
}

/* Half steps until the loss falls enough; false where none does. */
static bool step(const rows *r, const double gradient[2], const double direction[2], double *a, double *c,
                 double *loss) {
  const double slope = gradient[0] * direction[0] + gradient[1] * direction[1];
  for (double length = 1; length >= SHORTEST; length /= 2) {
    const double next_a = *a + length * direction[0], next_c = *c + length * direction[1];
    const double next = loss_of(r, next_a, next_c);
    if (!(next < *loss + SUFFICIENT * length * slope)) continue;
    *a = next_a;
    *c = next_c;
    *loss = next;
    return true;
  }
  return false;
}

mien_platt mien_platt_fit(const double *logits, const bool *is_true, size_t n, const unsigned *folds,
                          unsigned without) {
  rows r = {.logits = logits, .is_true = is_true, .n = n, .folds = folds, .without = without};
  double n_true = 0, n_false = 0;
  for (size_t i = 0; i < n; i++) {
    if (!is_in(&r, i)) continue;
    *(is_true[i] ? &n_true : &n_false) += 1;
  }
  if (n_true == 0 || n_false == 0) return (mien_platt){1, 0, MIEN_PLATT_ONE_CLASS};
  r.high = (n_true + 1) / (n_true + 2);
  r.low = 1 / (n_false + 2);
  double a = 0, c = log((n_true + 1) / (n_false + 1)), loss = loss_of(&r, a, c);
  for (int i = 0; i < MOST_STEPS; i++) {
    double gradient[2], hessian[3];
    derive(&r, a, c, gradient, hessian);
    if (fabs(gradient[0]) < FLAT * n_true && fabs(gradient[1]) < FLAT * n_true) break;
    const double determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
    const double direction[2] = {-(hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant,
                                 -(hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant};
    if (!step(&r, gradient, direction, &a, &c, &loss)) break;
  }
  if (!(a > 0) || !isfinite(a) || !isfinite(c)) return (mien_platt){1, 0, MIEN_PLATT_REVERSED};
  return (mien_platt){a, c, MIEN_PLATT_FITTED};
}
