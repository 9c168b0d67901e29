/* SPDX-License-Identifier: Apache-2.0 */
/* Labelling embeddings on CUDA devices: rows of host memory by the session's threads, rows of a device by a stream. */
#include "model/cuda.h"
#include "model/jobs.h"

/* Work of a device between two calls of the progress callback, some tens of milliseconds of copies. */
#define ROWS_BETWEEN_PROGRESS ((size_t)1 << 20)

/* What a thread takes at least, where there is so much: copies of some megabytes run at full speed. */
#define LEAST_ROWS ((size_t)1 << 14)

static mien_rows rows_at(const mien_rows *rows, size_t first) {
  mien_rows at = *rows;
  at.data = (const char *)rows->data + first * rows->stride * mien_rows_element(rows->dtype);
  return at;
}

static void work(void *user, unsigned worker) {
  mien_rows_job *job = user;
  const mien_session *session = job->base.session;
  const mien_engine *engine = session->engines[worker % session->n_engines];
  mien_error error = {0};
  size_t first, n;
  while (mien_job_claim(&job->base, &first, &n)) {
    const mien_rows rows = rows_at(job->rows, first);
    const mien_results results = mien_results_at(job->results, session->model, first);
    size_t bad = 0;
    const mien_status status = engine->module->label_rows(engine->engine, &rows, n, &results, &bad, &error);
    if (status != MIEN_OK) mien_job_fail(&job->base, status, &error);
    atomic_fetch_add_explicit(&job->base.bad, bad, memory_order_relaxed);
  }
}

mien_status mien_rows_run_cuda(mien_rows_job *job, size_t n, mien_error *error) {
  const mien_session *session = job->base.session;
  const size_t step = session->n_engines * ROWS_BETWEEN_PROGRESS;
  size_t share = (n < step ? n : step) / session->threads + 1;
  if (share < LEAST_ROWS) share = LEAST_ROWS;
  job->base.work = work;
  job->base.chunk = share < ROWS_BETWEEN_PROGRESS ? share : ROWS_BETWEEN_PROGRESS;
  return mien_session_run(job->base.session, &job->base, n, step, error);
}

mien_status mien_cuda_label_embeddings(mien_session *session, const mien_rows *given_rows, size_t n,
                                       const mien_results *given_results, void *stream, mien_error *error) {
  static const char call[] = "mien_cuda_label_embeddings";
  mien_rows rows;
  mien_results results;
  mien_status status = mien_rows_check(session, call, given_rows, n, &rows, error);
  if (status == MIEN_OK) status = mien_results_check(given_results, &results, error);
  if (status != MIEN_OK) return status;
  if (session->n_engines != 1)
    return mien_fail(error, MIEN_ARGUMENT, "%s: expected a session on one CUDA device, found one on %s", call,
                     session->n_engines ? "several" : "the CPU");
  if (rows.dtype == MIEN_F64)
    return mien_fail(error, MIEN_ARGUMENT, "rows: dtype: expected %d, %d or %d in device memory, found %d", MIEN_F32,
                     MIEN_F16, MIEN_BF16, rows.dtype);
  const mien_engine *engine = session->engines[0];
  return n > 0 ? engine->module->label_device_rows(engine->engine, &rows, n, &results, stream, error) : MIEN_OK;
}
