/* SPDX-License-Identifier: Apache-2.0 */
/* Percentile bootstrap intervals over rows (Efron: Bootstrap Methods, 1979): how far figures depend on which rows there
 * happened to be. */
#ifndef MIEN_TRAIN_BOOTSTRAP_H
#define MIEN_TRAIN_BOOTSTRAP_H

#include <stdatomic.h>

#include "base/status.h"

enum { MIEN_BOOTSTRAP_RESAMPLES = 1000 }; /* where none are asked for */

typedef struct mien_bootstrap_options {
  uint64_t seed;
  size_t resamples;
  unsigned threads;          /* at least 1 */
  const atomic_bool *cancel; /* may be NULL */
} mien_bootstrap_options;

/* Writes the figures of the rows as they were drawn: counts[row] times each. `worker` is below the number of threads:
 * each has memory of its own. */
typedef void (*mien_statistic)(void *user, unsigned worker, const uint32_t *counts, double *figures);

/*
 * Draws n_rows of n_rows rows, with replacement, `resamples` times, and writes each resample's figures into samples
 * [resamples × n_figures]. A resample depends on the seed and its number alone, so the bits are the same for any number
 * of threads; two models whose figures a statistic writes are measured on the same rows: their difference is paired.
 */
MIEN_MUST_USE mien_status mien_bootstrap(size_t n_rows, size_t n_figures, mien_statistic statistic, void *user,
                                         const mien_bootstrap_options *options, double *samples, mien_error *error);

typedef struct mien_interval {
  double low, high; /* NaN where no resample has the figure */
} mien_interval;

/* The middle `confidence` of `n` values, NaNs left out, as numpy.percentile interpolates. Sorts them. */
mien_interval mien_interval_of(double *values, size_t n, double confidence);

#endif
