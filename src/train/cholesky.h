/* SPDX-License-Identifier: Apache-2.0 */
/* Small dense systems with a symmetric positive definite matrix, in double. */
#ifndef MIEN_TRAIN_CHOLESKY_H
#define MIEN_TRAIN_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A = L·Lᵀ; `matrix` [n × n], of which the lower triangle is read, becomes L there. False where A is not positive
 * definite.
 */
bool mien_cholesky(double *matrix, size_t n);

/* Solves L·Lᵀ·x = b; `x` [n] is b before. */
void mien_cholesky_solve(const double *lower, size_t n, double *x);

#endif
