/* SPDX-License-Identifier: Apache-2.0 */
/* Percentile bootstrap intervals over rows. */
#include "train/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "train/random.h"

typedef struct bootstrap {
  size_t n_rows, n_figures;
  mien_statistic statistic;
  void *user;
  const mien_bootstrap_options *options;
  double *samples;
  uint32_t *counts; /* [threads × n_rows] */
  atomic_size_t next;
} bootstrap;

static void draw(uint64_t seed, size_t resample, size_t n_rows, uint32_t *counts) {
  mien_random random = mien_random_start(seed, resample);
  memset(counts, 0, n_rows * sizeof *counts);
  for (size_t i = 0; i < n_rows; i++) counts[mien_random_below(&random, (uint32_t)n_rows)]++;
}

static bool is_cancelled(const bootstrap *job) { return job->options->cancel && atomic_load(job->options->cancel); }

static void work(void *user, unsigned worker) {
  bootstrap *job = user;
  uint32_t *counts = job->counts + worker * job->n_rows;
  for (size_t i; !is_cancelled(job) && (i = atomic_fetch_add(&job->next, 1)) < job->options->resamples;) {
    draw(job->options->seed, i, job->n_rows, counts);
    job->statistic(job->user, worker, counts, job->samples + i * job->n_figures);
  }
}

mien_status mien_bootstrap(size_t n_rows, size_t n_figures, mien_statistic statistic, void *user,
                           const mien_bootstrap_options *options, double *samples, mien_error *error) {
  bootstrap job = {n_rows, n_figures, statistic, user, options, samples, NULL, 0};
  mien_pool *pool = NULL;
  size_t numbers;
  if (n_rows == 0 || n_rows > UINT32_MAX || !mien_size_mul(n_rows, options->threads, &numbers))
    return mien_fail(error, MIEN_RESOURCE, "bootstrap: expected from 1 to %u rows, found %zu", UINT32_MAX, n_rows);
  job.counts = mien_alloc(numbers, sizeof *job.counts);
  if (!job.counts) return mien_fail_memory(error, "bootstrap", numbers * sizeof *job.counts);
  mien_status status = mien_pool_create(options->threads, &pool, error);
  if (status == MIEN_OK) mien_pool_run(pool, work, &job);
  if (status == MIEN_OK && is_cancelled(&job)) status = mien_fail(error, MIEN_CANCELLED, "bootstrap: interrupted");
  mien_pool_destroy(pool);
  mien_free(job.counts);
  return status;
}

static int compare_doubles(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* Linear between the two nearest of the sorted values. */
static double quantile(const double *sorted, size_t n, double share) {
  const double place = share * (double)(n - 1);
  const size_t below = (size_t)place;
  if (below + 1 >= n) return sorted[n - 1];
  return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

mien_interval mien_interval_of(double *values, size_t n, double confidence) {
  size_t n_found = 0;
  for (size_t i = 0; i < n; i++)
    if (!isnan(values[i])) values[n_found++] = values[i];
  if (n_found == 0) return (mien_interval){NAN, NAN};
  qsort(values, n_found, sizeof *values, compare_doubles);
  const double tail = (1 - confidence) / 2;
  return (mien_interval){quantile(values, n_found, tail), quantile(values, n_found, 1 - tail)};
}
