/* SPDX-License-Identifier: Apache-2.0 */
/* Making and unmaking sessions, and what their calls have in common. */
#include "model/session.h"

#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "encoder/panel.h"

enum { MAX_THREADS = 1024 };

static mien_status read_options(const mien_session_options *given, mien_session_options *options, mien_error *error) {
  *options = (mien_session_options){.size = sizeof *options};
  if (given) {
    if (given->size < sizeof(size_t) || given->size > sizeof *options)
      return mien_fail(error, MIEN_ARGUMENT, "session options: size: expected %zu to %zu bytes, found %zu",
                       sizeof(size_t), sizeof *options, given->size);
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

/* What was made is destroyed by the caller, after a failure too. */
static mien_status create_scratch(const mien_session *session, mien_session_scratch *scratch, mien_error *error) {
  const mien_model *model = session->model;
  mien_status status = MIEN_OK;
  if (model->head) status = mien_head_scratch_create(model->plan, &scratch->head, error);
  if (status == MIEN_OK && model->encoder) status = mien_text_scratch_create(session, &scratch->text, error);
  return status;
}

mien_status mien_session_create(mien_model *model, const mien_session_options *given, mien_session **out,
                                mien_error *error) {
  mien_session_options options;
  mien_isa isa;
  if (!model || !out) return mien_fail(error, MIEN_ARGUMENT, "mien_session_create: model and session must not be NULL");
  mien_status status = read_options(given, &options, error);
  if (status == MIEN_OK) status = mien_isa_choose(&isa, error);
  if (status != MIEN_OK) return status;
  const size_t bytes = sizeof(mien_session) + options.threads * sizeof(mien_session_scratch);
  mien_session *session = mien_alloc(1, bytes);
  if (!session) return mien_fail_memory(error, "session", bytes);
  session->model = mien_model_retain(model);
  if (model->encoder) session->encoder = mien_encoder_kernels_for(mien_products_of(model->encoder->dtype), isa);
  /* Scores of int8 have the same bits on every processor: the head's tables have not, but for the portable one. */
  const bool is_int8 = model->encoder && model->encoder->dtype == MIEN_INT8;
  session->head = mien_head_kernels_for(is_int8 ? MIEN_ISA_PORTABLE : isa);
  session->process = getpid();
  session->progress = options.progress;
  session->progress_user = options.progress_user;
  while (status == MIEN_OK && session->threads < options.threads)
    status = create_scratch(session, &session->scratch[session->threads++], error);
  if (status == MIEN_OK) status = mien_pool_create(options.threads, &session->pool, error);
  if (status == MIEN_OK)
    *out = session;
  else
    mien_session_destroy(session);
  return status;
}

void mien_session_destroy(mien_session *session) {
  if (!session) return;
  if (session->process == getpid())
    mien_pool_destroy(session->pool);
  else
    mien_pool_abandon(session->pool);
  for (unsigned i = 0; i < session->threads; i++) {
    mien_head_scratch_destroy(&session->scratch[i].head);
    mien_text_scratch_destroy(&session->scratch[i].text);
  }
  mien_model_release(session->model);
  mien_free(session);
}

const char *mien_session_head_isa(const mien_session *session) { return mien_isa_name(session->head->isa); }

const char *mien_session_isa(const mien_session *session) {
  return mien_isa_name(session->model->encoder ? session->encoder->isa : session->head->isa);
}

mien_status mien_session_check(const mien_session *session, const char *call, mien_error *error) {
  if (!session) return mien_fail(error, MIEN_ARGUMENT, "%s: session must not be NULL", call);
  if (session->process != getpid())
    return mien_fail(error, MIEN_ARGUMENT, "session: made before fork, used in the child: make one in the child");
  return MIEN_OK;
}

mien_status mien_results_check(const mien_results *given, mien_results *results, mien_error *error) {
  *results = (mien_results){.size = sizeof *results};
  if (!given || given->size < sizeof(size_t) || given->size > sizeof *results)
    return mien_fail(error, MIEN_ARGUMENT, "results: size: expected %zu to %zu bytes, found %zu", sizeof(size_t),
                     sizeof *results, given ? given->size : 0);
  memcpy(results, given, given->size);
  return MIEN_OK;
}

mien_status mien_session_run(mien_session *session, mien_job *job, size_t n, size_t step, mien_error *error) {
  if (!session->progress) step = n;
  for (size_t done = 0; done < n; done = job->end) {
    job->end = n - done < step ? n : done + step;
    atomic_store_explicit(&job->next, done, memory_order_relaxed);
    if (job->end - done > job->chunk)
      mien_pool_run(session->pool, job->work, job);
    else
      job->work(job, 0);
    if (session->progress && session->progress(session->progress_user, job->end, n) != 0)
      return mien_fail(error, MIEN_CANCELLED, "cancelled after %zu of %zu rows", job->end, n);
  }
  return MIEN_OK;
}

bool mien_job_claim(mien_job *job, size_t *first, size_t *n) {
  *first = atomic_fetch_add_explicit(&job->next, job->chunk, memory_order_relaxed);
  if (*first >= job->end) return false;
  *n = job->end - *first < job->chunk ? job->end - *first : job->chunk;
  return true;
}
