/* SPDX-License-Identifier: Apache-2.0 */
/* Making and unmaking sessions, and what their calls have in common. */
#include "model/session.h"

#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "encoder/panel.h"
#include "model/cuda.h"

enum { MAX_THREADS = 1024 };

static mien_status read_options(const mien_session_options *given, mien_session_options *options, mien_error *error) {
  *options = (mien_session_options){.size = sizeof *options};
  if (given) {
    if (given->size < sizeof(size_t) || given->size > sizeof *options)
      return mien_fail(error, MIEN_ARGUMENT, "session options: size: expected %zu to %zu bytes, found %zu",
                       sizeof(size_t), sizeof *options, given->size);
    memcpy(options, given, given->size);
  }
  if (options->device != MIEN_DEVICE_CPU && options->device != MIEN_DEVICE_CUDA)
    return mien_fail(error, MIEN_ARGUMENT, "session options: device: expected %d (cpu) or %d (cuda), found %d",
                     MIEN_DEVICE_CPU, MIEN_DEVICE_CUDA, options->device);
  if (options->device == MIEN_DEVICE_CPU && options->ordinal != 0)
    return mien_fail(error, MIEN_ARGUMENT, "session options: ordinal: expected 0 for the CPU, found %d",
                     (int)options->ordinal);
  if (options->ordinal < MIEN_ALL_DEVICES)
    return mien_fail(error, MIEN_ARGUMENT, "session options: ordinal: expected %d (all) or a number from 0, found %d",
                     MIEN_ALL_DEVICES, (int)options->ordinal);
  if (options->threads > MAX_THREADS)
    return mien_fail(error, MIEN_ARGUMENT, "session options: threads: expected at most %d, found %u", MAX_THREADS,
                     options->threads);
  if (options->threads == 0) options->threads = 1;
  return MIEN_OK;
}

/* What was made is destroyed by the caller, after a failure too. */
static mien_status create_scratch(const mien_session *session, mien_session_scratch *scratch, mien_error *error) {
  const mien_model *model = session->model;
  const size_t thread = (size_t)(scratch - session->scratch);
  mien_status status = MIEN_OK;
  if (session->n_engines && model->encoder)
    status = mien_device_scratch_create(model, session->engines[thread % session->n_engines], &scratch->device, error);
  if (session->n_engines) return status;
  if (model->head) status = mien_head_scratch_create(model->plan, &scratch->head, error);
  if (status == MIEN_OK && model->encoder) status = mien_text_scratch_create(session, &scratch->text, error);
  return status;
}

static mien_status choose_kernels(mien_session *session, mien_error *error) {
  const mien_encoder_plan *encoder = session->model->encoder;
  mien_isa isa;
  mien_status status = mien_isa_choose(&isa, error);
  if (status != MIEN_OK) return status;
  if (encoder) session->encoder = mien_encoder_kernels_for(mien_products_of(encoder->dtype), isa);
  /* Scores of int8 have the same bits on every processor: the head's tables have not, but for the portable one. */
  session->head = mien_head_kernels_for(encoder && encoder->dtype == MIEN_INT8 ? MIEN_ISA_PORTABLE : isa);
  return MIEN_OK;
}

static mien_status choose_engines(mien_session *session, const mien_session_options *options, unsigned n_devices,
                                  mien_error *error) {
  const bool is_all = options->ordinal == MIEN_ALL_DEVICES;
  mien_status status = MIEN_OK;
  session->engines = mien_alloc(n_devices, sizeof *session->engines);
  if (!session->engines) return mien_fail_memory(error, "session", n_devices * sizeof *session->engines);
  for (unsigned i = 0; status == MIEN_OK && i < n_devices; i++) {
    status = mien_engine_acquire(session->model, is_all ? (int32_t)i : options->ordinal, &session->engines[i], error);
    session->n_engines += status == MIEN_OK;
  }
  return status;
}

mien_status mien_session_create(mien_model *model, const mien_session_options *given, mien_session **out,
                                mien_error *error) {
  mien_session_options options;
  int32_t n_devices = 1;
  if (!model || !out) return mien_fail(error, MIEN_ARGUMENT, "mien_session_create: model and session must not be NULL");
  mien_status status = read_options(given, &options, error);
  if (status == MIEN_OK && options.ordinal == MIEN_ALL_DEVICES) status = mien_cuda_device_count(&n_devices, error);
  if (status != MIEN_OK) return status;
  if (options.threads < (uint32_t)n_devices) options.threads = (uint32_t)n_devices;
  const size_t bytes = sizeof(mien_session) + options.threads * sizeof(mien_session_scratch);
  mien_session *session = mien_alloc(1, bytes);
  if (!session) return mien_fail_memory(error, "session", bytes);
  session->model = mien_model_retain(model);
  session->process = getpid();
  session->progress = options.progress;
  session->progress_user = options.progress_user;
  status = options.device == MIEN_DEVICE_CUDA ? choose_engines(session, &options, (unsigned)n_devices, error)
                                              : choose_kernels(session, error);
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
    mien_device_scratch_destroy(&session->scratch[i].device);
  }
  for (unsigned i = 0; i < session->n_engines; i++) mien_engine_release(session->model, session->engines[i]);
  mien_free(session->engines);
  mien_model_release(session->model);
  mien_free(session);
}

const char *mien_session_head_isa(const mien_session *session) {
  return session->n_engines ? session->engines[0]->info.isa : mien_isa_name(session->head->isa);
}

const char *mien_session_isa(const mien_session *session) {
  if (session->n_engines) return session->engines[0]->info.isa;
  return mien_isa_name(session->model->encoder ? session->encoder->isa : session->head->isa);
}

void mien_session_set_clock(mien_session *session, double (*clock)(void)) { session->clock = clock; }

mien_text_work mien_session_text_work(const mien_session *session) {
  mien_text_work all = {0};
  for (unsigned i = 0; i < session->threads; i++) {
    all.n_tokens += session->scratch[i].work.n_tokens;
    all.tokenize_seconds += session->scratch[i].work.tokenize_seconds;
  }
  return all;
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
    if (atomic_load(&job->has_failed)) {
      if (error) *error = job->error;
      return job->status;
    }
    if (session->progress && session->progress(session->progress_user, job->end, n) != 0)
      return mien_fail(error, MIEN_CANCELLED, "cancelled after %zu of %zu rows", job->end, n);
  }
  return MIEN_OK;
}

void mien_job_fail(mien_job *job, mien_status status, const mien_error *error) {
  if (atomic_exchange(&job->has_failed, true)) return;
  job->status = status; /* read when all threads are back */
  job->error = *error;
}

bool mien_job_claim(mien_job *job, size_t *first, size_t *n) {
  if (atomic_load_explicit(&job->has_failed, memory_order_relaxed)) return false;
  *first = atomic_fetch_add_explicit(&job->next, job->chunk, memory_order_relaxed);
  if (*first >= job->end) return false;
  *n = job->end - *first < job->chunk ? job->end - *first : job->chunk;
  return true;
}
