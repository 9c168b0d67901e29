/* SPDX-License-Identifier: Apache-2.0 */
/* Texts on CUDA devices: threads make tokens of them and hand these over, while the devices work on earlier ones. */
#include "base/memory.h"
#include "model/cuda.h"
#include "model/jobs.h"

/* Texts that a thread takes at a time: enough, of some twenty tokens each, to fill a device once. */
enum { CHUNK_TEXTS = 4096 };

/* Chunks of a thread between two calls of the progress callback, before which the devices run dry. */
enum { CHUNKS_BETWEEN_PROGRESS = 4 };

mien_status mien_device_scratch_create(const mien_model *model, const mien_engine *engine, mien_device_scratch *scratch,
                                       mien_error *error) {
  const size_t max_tokens = model->encoder->config.max_tokens, batch = engine->module->batch_tokens(engine->engine);
  size_t ids = 0;
  /* Handed over before a text more could be too much for a batch: what is left over would be one of its own. */
  scratch->tokens = batch / 2 > max_tokens ? batch - max_tokens : batch / 2;
  if (mien_size_add(scratch->tokens, max_tokens, &ids)) scratch->ids = mien_alloc(ids, sizeof *scratch->ids);
  scratch->lengths = mien_alloc(CHUNK_TEXTS, sizeof *scratch->lengths);
  if (scratch->ids && scratch->lengths) return MIEN_OK;
  return mien_fail_memory(error, "session", ids * sizeof *scratch->ids + CHUNK_TEXTS * sizeof *scratch->lengths);
}

void mien_device_scratch_destroy(mien_device_scratch *scratch) {
  mien_free(scratch->ids);
  mien_free(scratch->lengths);
}

/* ---- A thread's way to its device ------------------------------------------------------------------------------ */

typedef struct route {
  mien_engine *engine;
  mien_cuda_lane *lane; /* NULL: it has none */
} route;

static mien_status enter(route *r, mien_error *error) {
  if (r->lane) return MIEN_OK;
  atomic_fetch_add_explicit(&r->engine->waiting, 1, memory_order_relaxed);
  const mien_status status = r->engine->module->acquire(r->engine->engine, &r->lane, error);
  atomic_fetch_sub_explicit(&r->engine->waiting, 1, memory_order_relaxed);
  return status;
}

static mien_status leave(route *r, mien_error *error) {
  if (!r->lane) return MIEN_OK;
  const mien_status status = r->engine->module->drain(r->lane, error);
  r->engine->module->release(r->lane);
  r->lane = NULL;
  return status;
}

/* Drops what is on its way. */
static void turn_back(route *r) {
  if (r->lane) r->engine->module->release(r->lane);
  r->lane = NULL;
}

/* A lane is kept, so that the device works while the next tokens are made; unless others wait for it with theirs. */
static mien_status submit(route *r, const mien_device_scratch *scratch, size_t n, const mien_results *results,
                          mien_error *error) {
  mien_status status = enter(r, error);
  if (status == MIEN_OK) status = r->engine->module->submit(r->lane, scratch->ids, scratch->lengths, n, results, error);
  if (status == MIEN_OK && atomic_load_explicit(&r->engine->waiting, memory_order_relaxed) > 0)
    status = leave(r, error);
  return status;
}

/* ---- Work ------------------------------------------------------------------------------------------------------ */

/* Texts of a chunk to tokens, in as many submissions as they fill. */
static mien_status run_chunk(const mien_texts_job *job, mien_session_scratch *own, route *r, size_t first, size_t n,
                             mien_error *error) {
  const mien_session *session = job->base.session;
  const mien_model *model = session->model;
  mien_device_scratch *scratch = &own->device;
  const size_t end = first + n;
  mien_status status = MIEN_OK;
  double start = mien_session_now(session);
  for (size_t n_ids = 0, text = first; status == MIEN_OK && text < end; text++) {
    const size_t length =
        mien_tokenizer_run(model->encoder->source->tokenizer, job->texts[text].bytes, job->texts[text].size,
                           model->encoder->config.max_tokens, scratch->ids + n_ids, &job->truncated[text]);
    scratch->lengths[text - first] = length;
    n_ids += length;
    if (n_ids < scratch->tokens && text + 1 < end) continue;
    const mien_results results = mien_results_at(job->results, model, first);
    own->work.tokenize_seconds += mien_session_now(session) - start;
    own->work.n_tokens += n_ids;
    status = submit(r, scratch, text + 1 - first, &results, error);
    start = mien_session_now(session);
    first = text + 1;
    n_ids = 0;
  }
  return status;
}

static void work(void *user, unsigned worker) {
  mien_texts_job *job = user;
  mien_session *session = job->base.session;
  route r = {.engine = session->engines[worker % session->n_engines]};
  mien_error error = {0};
  mien_status status = MIEN_OK;
  size_t first, n;
  while (status == MIEN_OK && mien_job_claim(&job->base, &first, &n))
    status = run_chunk(job, &session->scratch[worker], &r, first, n, &error);
  if (status == MIEN_OK) status = leave(&r, &error);
  if (status == MIEN_OK) return;
  turn_back(&r);
  mien_job_fail(&job->base, status, &error);
}

/* Counts what became of the rows, and marks those that were cut. */
static void count(mien_texts_job *job, mien_row_status *status, size_t n) {
  size_t bad = 0, truncated = 0;
  for (size_t i = 0; i < n; i++) {
    if (status[i] == MIEN_ROW_OK && job->truncated[i]) status[i] = MIEN_ROW_TRUNCATED;
    bad += status[i] == MIEN_ROW_NOT_FINITE;
    truncated += status[i] == MIEN_ROW_TRUNCATED;
  }
  atomic_store_explicit(&job->base.bad, bad, memory_order_relaxed);
  atomic_store_explicit(&job->base.truncated, truncated, memory_order_relaxed);
}

static mien_status run(mien_texts_job *job, size_t n, mien_error *error) {
  mien_session *session = job->base.session;
  const size_t share = (n + session->threads - 1) / session->threads;
  job->base.work = work;
  job->base.chunk = share == 0 ? 1 : share < CHUNK_TEXTS ? share : CHUNK_TEXTS;
  const size_t step = (size_t)session->threads * CHUNKS_BETWEEN_PROGRESS * CHUNK_TEXTS;
  return mien_session_run(session, &job->base, n, step, error);
}

/* Rows are done at any time until a lane is drained, whatever else its thread did meanwhile: what the caller has no
 * room for has some of its own, for all. */
mien_status mien_texts_run_cuda(mien_texts_job *job, size_t n, mien_error *error) {
  const mien_model *model = job->base.session->model;
  mien_results results = *job->results;
  const bool wants_status = !results.status;
  /* A sum beyond float32 makes a row bad, which only the head can tell. */
  const bool wants_words = job->label && !results.words && !results.scores;
  if (wants_status) results.status = mien_alloc(n, sizeof *results.status);
  if (wants_words) results.words = mien_alloc(n, mien_model_words(model) * sizeof *results.words);
  if (!job->label) {
    results.words = NULL;
    results.scores = NULL;
  }
  job->truncated = mien_alloc(n, sizeof *job->truncated);
  job->results = &results;
  mien_status status = MIEN_OK;
  if (!results.status || !job->truncated || (wants_words && !results.words))
    status = mien_fail_memory(error, "texts", n);
  if (status == MIEN_OK) status = run(job, n, error);
  if (status == MIEN_OK) count(job, results.status, n);
  mien_free(job->truncated);
  if (wants_words) mien_free(results.words);
  if (wants_status) mien_free(results.status);
  return status;
}
