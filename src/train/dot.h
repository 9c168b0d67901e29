/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar product of two rows in double. */
#ifndef MIEN_TRAIN_DOT_H
#define MIEN_TRAIN_DOT_H

#include <stddef.h>

/* Four sums side by side: one waits for the last addition. */
static inline double mien_dot(const double *a, const double *b, size_t n) {
  double sums[4] = {0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t k = 0; k < 4; k++) sums[k] += a[i + k] * b[i + k];
  for (; i < n; i++) sums[0] += a[i] * b[i];
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

#endif
