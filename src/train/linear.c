/* SPDX-License-Identifier: Apache-2.0 */
/* The head's kernels on weights that are no model yet. */
#include "train/linear.h"

#include "base/memory.h"
#include "base/threads.h"
#include "corpus/cancel.h"
#include "kernels/head_kernels.h"

enum { CHUNK_ROWS = 1024 };

typedef struct work {
  const mien_head_kernels *kernels;
  const mien_head_plan *plan;
  mien_rows rows;
  mien_results results;
  size_t n_rows;
  mien_head_scratch *scratch; /* [threads] */
  atomic_size_t next;
  const atomic_bool *cancel;
} work;

static void score_chunks(void *user, unsigned worker) {
  work *w = user;
  size_t first;
  while ((first = atomic_fetch_add(&w->next, CHUNK_ROWS)) < w->n_rows && !mien_is_cancelled(w->cancel)) {
    const size_t n = w->n_rows - first < CHUNK_ROWS ? w->n_rows - first : CHUNK_ROWS;
    (void)mien_head_run(w->kernels, w->plan, &w->rows, first, n, &w->results, &w->scratch[worker]);
  }
}

static mien_status make_plan(const mien_linear *linear, mien_head_plan **plan, mien_error *error) {
  const size_t n = linear->n_labels * linear->dim;
  double *weights = mien_alloc(n, sizeof *weights), *biases = mien_alloc(linear->n_labels, sizeof *biases);
  float *thresholds = mien_alloc(linear->n_labels, sizeof *thresholds);
  mien_status status = weights && biases && thresholds ? MIEN_OK : mien_fail_memory(error, "head", n * sizeof *weights);
  if (status == MIEN_OK) {
    for (size_t i = 0; i < n; i++) weights[i] = (double)linear->weights[i];
    for (size_t i = 0; i < linear->n_labels; i++) biases[i] = (double)linear->biases[i];
    status = mien_head_plan_create(linear->n_labels, linear->dim, weights, biases, thresholds, plan, error);
  }
  mien_free(weights);
  mien_free(biases);
  mien_free(thresholds);
  return status;
}

static mien_status run(work *w, unsigned threads, mien_error *error) {
  mien_pool *pool = NULL;
  w->scratch = mien_alloc(threads, sizeof *w->scratch);
  mien_status status = w->scratch ? MIEN_OK : mien_fail_memory(error, "scores", threads * sizeof *w->scratch);
  for (unsigned i = 0; i < threads && status == MIEN_OK; i++)
    status = mien_head_scratch_create(w->plan, &w->scratch[i], error);
  if (status == MIEN_OK) status = mien_pool_create(threads, &pool, error);
  if (status == MIEN_OK) mien_pool_run(pool, score_chunks, w);
  if (status == MIEN_OK && mien_is_cancelled(w->cancel)) status = mien_fail(error, MIEN_CANCELLED, "interrupted");
  mien_pool_destroy(pool);
  for (unsigned i = 0; w->scratch && i < threads; i++) mien_head_scratch_destroy(&w->scratch[i]);
  mien_free(w->scratch);
  return status;
}

mien_status mien_linear_score(const mien_linear *linear, const mien_floats *rows, unsigned threads,
                              const atomic_bool *cancel, mien_floats *scores, mien_error *error) {
  mien_isa isa;
  mien_head_plan *plan = NULL;
  *scores = (mien_floats){0};
  mien_status status = mien_isa_choose(&isa, error);
  if (status == MIEN_OK) status = mien_floats_create(rows->n_rows, linear->n_labels, "scores", scores, error);
  if (status == MIEN_OK) status = make_plan(linear, &plan, error);
  if (status == MIEN_OK) {
    work w = {.kernels = mien_head_kernels_for(isa),
              .plan = plan,
              .rows = {.size = sizeof w.rows, .data = rows->data, .dtype = MIEN_F32},
              .results = {.size = sizeof w.results, .scores = scores->data},
              .n_rows = rows->n_rows,
              .cancel = cancel};
    status = run(&w, threads, error);
  }
  mien_head_plan_destroy(plan);
  if (status != MIEN_OK) mien_floats_free(scores);
  return status;
}
