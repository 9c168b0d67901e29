/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: scratch memory and threads that run a model over rows. */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/head_kernels.h"
#include "model/model.h"

enum {
  MAX_THREADS = 1024,
  CHUNK_ROWS = 4 * MIEN_BLOCK_ROWS, /* what a thread takes at a time */
};

/* Work between two calls of the progress callback, with all threads: some tens of milliseconds. */
#define ROWS_BETWEEN_PROGRESS ((size_t)1 << 17)

struct mien_session {
  mien_model *model;
  const mien_head_kernels *kernels;
  pid_t process;
  mien_progress progress;
  void *progress_user;
  mien_pool *pool;
  unsigned threads;
  mien_head_scratch scratch[]; /* [threads] */
};

static mien_status read_options(const mien_session_options *given, mien_session_options *options, mien_error *error) {
  *options = (mien_session_options){.size = sizeof *options};
  if (given) {
    if (given->size < sizeof(size_t) || given->size > sizeof *options)
      return mien_fail(error, MIEN_ARGUMENT, "session options: size: expected at most %zu bytes, found %zu",
                       sizeof *options, given->size);
    memcpy(options, given, given->size);
  }
  if (options->device != MIEN_DEVICE_CPU)
    return mien_fail(error, MIEN_ARGUMENT, "session options: device: expected %d (cpu), found %d", MIEN_DEVICE_CPU,
                     options->device);
  if (options->threads > MAX_THREADS)
    return mien_fail(error, MIEN_ARGUMENT, "session options: threads: expected at most %d, found %u", MAX_THREADS,
                     options->threads);
  if (options->threads == 0) options->threads = 1;
  return MIEN_OK;
}

mien_status mien_session_create(mien_model *model, const mien_session_options *given, mien_session **out,
                                mien_error *error) {
  mien_session_options options;
  mien_isa isa;
  if (!model || !out) return mien_fail(error, MIEN_ARGUMENT, "mien_session_create: model and session must not be NULL");
  mien_status status = read_options(given, &options, error);
  if (status == MIEN_OK) status = mien_isa_choose(&isa, error);
  if (status != MIEN_OK) return status;
  const size_t bytes = sizeof(mien_session) + options.threads * sizeof(mien_head_scratch);
  mien_session *session = mien_alloc(1, bytes);
  if (!session) return mien_fail_memory(error, "session", bytes);
  session->model = mien_model_retain(model);
  session->kernels = mien_head_kernels_for(isa);
  session->process = getpid();
  session->progress = options.progress;
  session->progress_user = options.progress_user;
  while (status == MIEN_OK && session->threads < options.threads) {
    status = mien_head_scratch_create(mien_model_plan(model), &session->scratch[session->threads], error);
    session->threads += status == MIEN_OK;
  }
  if (status == MIEN_OK) status = mien_pool_create(options.threads, &session->pool, error);
  if (status != MIEN_OK) {
    mien_session_destroy(session);
    return status;
  }
  *out = session;
  return MIEN_OK;
}

void mien_session_destroy(mien_session *session) {
  if (!session) return;
  if (session->process == getpid())
    mien_pool_destroy(session->pool);
  else
    mien_pool_abandon(session->pool);
  for (unsigned i = 0; i < session->threads; i++) mien_head_scratch_destroy(&session->scratch[i]);
  mien_model_release(session->model);
  mien_free(session);
}

const char *mien_session_isa(const mien_session *session) { return mien_isa_name(session->kernels->isa); }

/* One call's rows, shared by the workers. */
typedef struct job {
  mien_session *session;
  const mien_rows *rows;
  const mien_results *results;
  size_t end;
  atomic_size_t next, bad;
} job;

static void work(void *user, unsigned worker) {
  job *all = user;
  mien_session *session = all->session;
  for (;;) {
    size_t first = atomic_fetch_add_explicit(&all->next, CHUNK_ROWS, memory_order_relaxed);
    if (first >= all->end) return;
    size_t n = all->end - first < CHUNK_ROWS ? all->end - first : CHUNK_ROWS;
    size_t bad = mien_head_run(session->kernels, mien_model_plan(session->model), all->rows, first, n, all->results,
                               &session->scratch[worker]);
    if (bad) atomic_fetch_add_explicit(&all->bad, bad, memory_order_relaxed);
  }
}

static mien_status check_rows(const mien_session *session, const mien_rows *given, size_t n, mien_rows *rows,
                              mien_error *error) {
  static const unsigned char bytes_of[] = {[MIEN_F32] = 4, [MIEN_F16] = 2, [MIEN_F64] = 8};
  const size_t dim = mien_model_plan(session->model)->dim;
  size_t bytes;
  *rows = (mien_rows){.size = sizeof *rows};
  if (!given || given->size < sizeof(size_t) || given->size > sizeof *rows)
    return mien_fail(error, MIEN_ARGUMENT, "rows: size: expected at most %zu bytes, found %zu", sizeof *rows,
                     given ? given->size : 0);
  memcpy(rows, given, given->size);
  if (rows->stride == 0) rows->stride = dim;
  if (rows->dtype < MIEN_F32 || rows->dtype > MIEN_F64)
    return mien_fail(error, MIEN_ARGUMENT, "rows: dtype: expected %d, %d or %d, found %d", MIEN_F32, MIEN_F16, MIEN_F64,
                     rows->dtype);
  if (rows->stride < dim)
    return mien_fail(error, MIEN_ARGUMENT, "rows: stride: expected at least %zu elements, found %zu", dim,
                     rows->stride);
  if (n > 0 && !rows->data) return mien_fail(error, MIEN_ARGUMENT, "rows: data: expected %zu rows, found NULL", n);
  if (!mien_size_mul(n, rows->stride, &bytes) || !mien_size_mul(bytes, bytes_of[rows->dtype], &bytes))
    return mien_fail(error, MIEN_ARGUMENT, "rows: %zu rows of %zu elements are more than memory can hold", n,
                     rows->stride);
  if ((uintptr_t)rows->data % bytes_of[rows->dtype] != 0)
    return mien_fail(error, MIEN_ARGUMENT, "rows: data: expected an address aligned to %d bytes",
                     bytes_of[rows->dtype]);
  return MIEN_OK;
}

static mien_status check_results(const mien_results *given, mien_results *results, mien_error *error) {
  *results = (mien_results){.size = sizeof *results};
  if (!given || given->size < sizeof(size_t) || given->size > sizeof *results)
    return mien_fail(error, MIEN_ARGUMENT, "results: size: expected at most %zu bytes, found %zu", sizeof *results,
                     given ? given->size : 0);
  memcpy(results, given, given->size);
  return MIEN_OK;
}

mien_status mien_label_embeddings(mien_session *session, const mien_rows *given_rows, size_t n,
                                  mien_results *given_results, mien_error *error) {
  mien_rows rows;
  mien_results results;
  if (!session) return mien_fail(error, MIEN_ARGUMENT, "mien_label_embeddings: session must not be NULL");
  if (session->process != getpid())
    return mien_fail(error, MIEN_ARGUMENT, "session: made before fork, used in the child: make one in the child");
  mien_status status = check_rows(session, given_rows, n, &rows, error);
  if (status == MIEN_OK) status = check_results(given_results, &results, error);
  if (status != MIEN_OK) return status;
  job all = {.session = session, .rows = &rows, .results = &results};
  const size_t step = session->progress ? ROWS_BETWEEN_PROGRESS : n;
  for (size_t done = 0; done < n; done = all.end) {
    all.end = n - done < step ? n : done + step;
    atomic_store_explicit(&all.next, done, memory_order_relaxed);
    if (all.end - done > CHUNK_ROWS)
      mien_pool_run(session->pool, work, &all);
    else
      work(&all, 0);
    if (session->progress && session->progress(session->progress_user, all.end, n) != 0)
      return mien_fail(error, MIEN_CANCELLED, "cancelled after %zu of %zu rows", all.end, n);
  }
  if (given_results->size >= offsetof(mien_results, n_bad) + sizeof results.n_bad)
    given_results->n_bad = atomic_load_explicit(&all.bad, memory_order_relaxed);
  return MIEN_OK;
}
