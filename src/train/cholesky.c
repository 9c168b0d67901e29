/* SPDX-License-Identifier: Apache-2.0 */
/* Cholesky's decomposition, row by row, so that every inner loop runs along rows. */
#include "train/cholesky.h"

#include <math.h>

#include "train/dot.h"

bool mien_cholesky(double *matrix, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double *row = matrix + i * n;
    for (size_t k = 0; k < i; k++) row[k] = (row[k] - mien_dot(row, matrix + k * n, k)) / matrix[k * n + k];
    const double square = row[i] - mien_dot(row, row, i);
    if (!(square > 0)) return false;
    row[i] = sqrt(square);
  }
  return true;
}

void mien_cholesky_solve(const double *lower, size_t n, double *x) {
  for (size_t i = 0; i < n; i++) x[i] = (x[i] - mien_dot(lower + i * n, x, i)) / lower[i * n + i];
  for (size_t i = n; i-- > 0;) {
    const double *row = lower + i * n;
    x[i] /= row[i];
    for (size_t k = 0; k < i; k++) x[k] -= x[i] * row[k];
  }
}
