/* SPDX-License-Identifier: Apache-2.0 */
/* Cholesky's decomposition, row by row, so that every inner loop runs along rows. */
#include "train/cholesky.h"

#include <math.h>

/* Four sums side by side: one waits for the last addition. */
static double dot(const double *a, const double *b, size_t n) {
  double sums[4] = {0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t k = 0; k < 4; k++) sums[k] += a[i + k] * b[i + k];
  for (; i < n; i++) sums[0] += a[i] * b[i];
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

bool mien_cholesky(double *matrix, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double *row = matrix + i * n;
    for (size_t k = 0; k < i; k++) row[k] = (row[k] - dot(row, matrix + k * n, k)) / matrix[k * n + k];
    const double square = row[i] - dot(row, row, i);
    if (!(square > 0)) return false;
    row[i] = sqrt(square);
  }
  return true;
}

void mien_cholesky_solve(const double *lower, size_t n, double *x) {
  for (size_t i = 0; i < n; i++) x[i] = (x[i] - dot(lower + i * n, x, i)) / lower[i * n + i];
  for (size_t i = n; i-- > 0;) {
    const double *row = lower + i * n;
    x[i] /= row[i];
    for (size_t k = 0; k < i; k++) x[k] -= x[i] * row[k];
  }
}
