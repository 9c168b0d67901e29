/* SPDX-License-Identifier: Apache-2.0 */
/* Labelling embeddings. */
#include <string.h>

#include "base/memory.h"
#include "model/jobs.h"

/* What a thread takes at a time. */
enum { CHUNK_ROWS = 4 * MIEN_BLOCK_ROWS };

/* Work between two calls of the progress callback, with all threads: some tens of milliseconds. */
#define ROWS_BETWEEN_PROGRESS ((size_t)1 << 17)

static void work(void *user, unsigned worker) {
  mien_rows_job *job = user;
  mien_session *session = job->base.session;
  size_t first, n;
  while (mien_job_claim(&job->base, &first, &n)) {
    size_t bad = mien_head_run(session->head, session->model->plan, job->rows, first, n, job->results,
                               &session->scratch[worker].head);
    if (bad) atomic_fetch_add_explicit(&job->base.bad, bad, memory_order_relaxed);
  }
}

static mien_status check_rows(const mien_session *session, const mien_rows *given, size_t n, mien_rows *rows,
                              mien_error *error) {
  const size_t dim = mien_model_dim(session->model);
  size_t bytes;
  *rows = (mien_rows){.size = sizeof *rows};
  if (!given || given->size < sizeof(size_t) || given->size > sizeof *rows)
    return mien_fail(error, MIEN_ARGUMENT, "rows: size: expected %zu to %zu bytes, found %zu", sizeof(size_t),
                     sizeof *rows, given ? given->size : 0);
  memcpy(rows, given, given->size);
  if (rows->stride == 0) rows->stride = dim;
  if (rows->dtype < MIEN_F32 || rows->dtype > MIEN_BF16)
    return mien_fail(error, MIEN_ARGUMENT, "rows: dtype: expected %d, %d, %d or %d, found %d", MIEN_F32, MIEN_F16,
                     MIEN_F64, MIEN_BF16, rows->dtype);
  if (rows->stride < dim)
    return mien_fail(error, MIEN_ARGUMENT, "rows: stride: expected at least %zu elements, found %zu", dim,
                     rows->stride);
  if (n > 0 && !rows->data) return mien_fail(error, MIEN_ARGUMENT, "rows: data: expected %zu rows, found NULL", n);
  const size_t element = mien_rows_element(rows->dtype);
  if (!mien_size_mul(n, rows->stride, &bytes) || !mien_size_mul(bytes, element, &bytes))
    return mien_fail(error, MIEN_ARGUMENT, "rows: %zu rows of %zu elements are more than memory can hold", n,
                     rows->stride);
  if ((uintptr_t)rows->data % element != 0)
    return mien_fail(error, MIEN_ARGUMENT, "rows: data: expected an address aligned to %zu bytes", element);
  return MIEN_OK;
}

mien_status mien_rows_check(const mien_session *session, const char *call, const mien_rows *given, size_t n,
                            mien_rows *rows, mien_error *error) {
  mien_status status = mien_session_check(session, call, error);
  if (status == MIEN_OK && !session->model->head)
    status = mien_fail(error, MIEN_ARGUMENT, "%s: expected a model with a head, found an encoder", call);
  return status == MIEN_OK ? check_rows(session, given, n, rows, error) : status;
}

mien_status mien_label_embeddings(mien_session *session, const mien_rows *given_rows, size_t n,
                                  mien_results *given_results, mien_error *error) {
  mien_rows rows;
  mien_results results;
  mien_status status = mien_rows_check(session, "mien_label_embeddings", given_rows, n, &rows, error);
  if (status == MIEN_OK) status = mien_results_check(given_results, &results, error);
  if (status != MIEN_OK) return status;
  mien_rows_job job = {
      .base = {.session = session, .work = work, .chunk = CHUNK_ROWS}, .rows = &rows, .results = &results};
  status = session->n_engines ? mien_rows_run_cuda(&job, n, error)
                              : mien_session_run(session, &job.base, n, ROWS_BETWEEN_PROGRESS, error);
  if (status != MIEN_OK) return status;
  MIEN_RESULTS_SET(given_results, n_bad, atomic_load_explicit(&job.base.bad, memory_order_relaxed));
  return MIEN_OK;
}
