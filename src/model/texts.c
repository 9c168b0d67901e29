/* SPDX-License-Identifier: Apache-2.0 */
/* Texts to tokens, embeddings and labels. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/jobs.h"

mien_status mien_text_scratch_create(const mien_session *session, mien_text_scratch *scratch, mien_error *error) {
  const mien_encoder_plan *encoder = session->model->encoder;
  const mien_encoder_config *config = &encoder->config;
  mien_status status = mien_encoder_scratch_create(session->encoder, encoder, &scratch->encoder, error);
  if (status != MIEN_OK) return status;
  scratch->ids = mien_alloc(MIEN_CHUNK_TEXTS, config->max_tokens * sizeof *scratch->ids);
  scratch->lengths = mien_alloc(MIEN_CHUNK_TEXTS, sizeof *scratch->lengths);
  scratch->truncated = mien_alloc(MIEN_CHUNK_TEXTS, sizeof *scratch->truncated);
  scratch->status = mien_alloc(MIEN_CHUNK_TEXTS, sizeof *scratch->status);
  scratch->embeddings = mien_alloc(MIEN_CHUNK_TEXTS, config->hidden * sizeof *scratch->embeddings);
  if (scratch->ids && scratch->lengths && scratch->truncated && scratch->status && scratch->embeddings) return MIEN_OK;
  return mien_fail_memory(error, "session", MIEN_CHUNK_TEXTS * (config->max_tokens + config->hidden) * sizeof(float));
}

void mien_text_scratch_destroy(mien_text_scratch *scratch) {
  mien_encoder_scratch_destroy(&scratch->encoder);
  mien_free(scratch->ids);
  mien_free(scratch->lengths);
  mien_free(scratch->truncated);
  mien_free(scratch->status);
  mien_free(scratch->embeddings);
}

/* Texts of a chunk to ids; returns how many those are. */
static size_t tokenize(const mien_encoder_plan *encoder, const mien_text *texts, size_t n, mien_text_scratch *scratch) {
  size_t n_ids = 0;
  for (size_t i = 0; i < n; i++) {
    scratch->lengths[i] = mien_tokenizer_run(encoder->source->tokenizer, texts[i].bytes, texts[i].size,
                                             encoder->config.max_tokens, scratch->ids + n_ids, &scratch->truncated[i]);
    n_ids += scratch->lengths[i];
  }
  return n_ids;
}

/* The chunk in batches of about equal numbers of tokens. */
static void embed(const mien_session *session, mien_text_scratch *scratch, size_t n, size_t n_ids, float *embeddings) {
  const mien_encoder_plan *encoder = session->model->encoder;
  const int32_t *ids = scratch->ids;
  for (size_t first = 0, n_texts; first < n; first += n_texts) {
    const size_t *lengths = scratch->lengths + first;
    n_texts = mien_encoder_next_batch(lengths, n - first, n_ids, scratch->encoder.tokens);
    mien_encoder_forward(session->encoder, encoder, ids, lengths, n_texts, &scratch->encoder,
                         embeddings + first * encoder->config.hidden);
    for (size_t i = 0; i < n_texts; i++) {
      ids += lengths[i];
      n_ids -= lengths[i];
    }
  }
}

static bool all_finite(const float *x, size_t n) {
  float product = 0;
  for (size_t i = 0; i < n; i++) product *= x[i]; /* 0 · x is NaN just where x is not finite */
  return product == 0;
}

mien_results mien_results_at(const mien_results *results, const mien_model *model, size_t first) {
  mien_results at = *results;
  if (at.words) at.words += first * mien_model_words(model);
  if (at.scores) at.scores += first * mien_model_label_count(model);
  if (at.embeddings) at.embeddings += first * mien_model_dim(model);
  if (at.status) at.status += first;
  return at;
}

static void run_chunk(mien_texts_job *job, mien_session_scratch *scratch, size_t first, size_t n) {
  const mien_session *session = job->base.session;
  const mien_model *model = session->model;
  mien_text_scratch *text = &scratch->text;
  mien_results results = mien_results_at(job->results, model, first);
  float *embeddings = results.embeddings ? results.embeddings : text->embeddings;
  const size_t dim = mien_model_dim(model);
  size_t bad = 0, truncated = 0;
  const double start = mien_session_now(session);
  const size_t n_ids = tokenize(model->encoder, job->texts + first, n, text);
  scratch->work.tokenize_seconds += mien_session_now(session) - start;
  scratch->work.n_tokens += n_ids;
  embed(session, text, n, n_ids, embeddings);
  mien_row_status *status = results.status ? results.status : text->status;
  for (size_t i = 0; i < n; i++) {
    float *x = embeddings + i * dim;
    status[i] = all_finite(x, dim) ? MIEN_ROW_OK : MIEN_ROW_NOT_FINITE;
    for (size_t k = 0; status[i] != MIEN_ROW_OK && k < dim; k++) x[k] = NAN;
    bad += status[i] != MIEN_ROW_OK;
  }
  if (job->label) {
    const mien_rows rows = {.size = sizeof rows, .data = embeddings, .dtype = MIEN_F32, .stride = dim};
    results.status = status;
    bad = mien_head_run(session->head, model->plan, &rows, 0, n, &results, &scratch->head);
  }
  for (size_t i = 0; i < n; i++) {
    if (!text->truncated[i] || status[i] != MIEN_ROW_OK) continue;
    status[i] = MIEN_ROW_TRUNCATED;
    truncated++;
  }
  atomic_fetch_add_explicit(&job->base.bad, bad, memory_order_relaxed);
  atomic_fetch_add_explicit(&job->base.truncated, truncated, memory_order_relaxed);
}

static void work(void *user, unsigned worker) {
  mien_texts_job *job = user;
  size_t first, n;
  while (mien_job_claim(&job->base, &first, &n)) run_chunk(job, &job->base.session->scratch[worker], first, n);
}

static mien_status check_texts(const mien_text *texts, size_t n, mien_error *error) {
  if (n > 0 && !texts) return mien_fail(error, MIEN_ARGUMENT, "texts: expected %zu, found NULL", n);
  for (size_t i = 0; i < n; i++)
    if (texts[i].size > 0 && !texts[i].bytes)
      return mien_fail(error, MIEN_ARGUMENT, "texts: text %zu: expected %zu bytes, found NULL", i, texts[i].size);
  return MIEN_OK;
}

static mien_status run_job(mien_texts_job *job, size_t n, mien_error *error) {
  mien_session *session = job->base.session;
  /* Few texts are shared out too. */
  const size_t share = (n + session->threads - 1) / session->threads;
  const size_t chunk = share < MIEN_CHUNK_TEXTS ? share : MIEN_CHUNK_TEXTS;
  job->base.work = work;
  job->base.chunk = chunk > 0 ? chunk : 1;
  return mien_session_run(session, &job->base, n, (size_t)session->threads * MIEN_CHUNK_TEXTS, error);
}

static mien_status run_texts(mien_session *session, const char *call, const mien_text *texts, size_t n, bool label,
                             mien_results *given, mien_error *error) {
  mien_results results;
  mien_status status = mien_session_check(session, call, error);
  if (status == MIEN_OK && !session->model->encoder)
    status = mien_fail(error, MIEN_ARGUMENT, "%s: expected a model with an encoder, found a head alone", call);
  if (status == MIEN_OK && label && !session->model->head)
    status = mien_fail(error, MIEN_ARGUMENT, "%s: expected a model with a head, found an encoder alone", call);
  if (status == MIEN_OK) status = check_texts(texts, n, error);
  if (status == MIEN_OK) status = mien_results_check(given, &results, error);
  if (status != MIEN_OK) return status;
  mien_texts_job job = {.base = {.session = session}, .texts = texts, .results = &results, .label = label};
  status = session->n_engines ? mien_texts_run_cuda(&job, n, error) : run_job(&job, n, error);
  if (status != MIEN_OK) return status;
  MIEN_RESULTS_SET(given, n_bad, atomic_load_explicit(&job.base.bad, memory_order_relaxed));
  MIEN_RESULTS_SET(given, n_truncated, atomic_load_explicit(&job.base.truncated, memory_order_relaxed));
  return MIEN_OK;
}

mien_status mien_label_texts(mien_session *session, const mien_text *texts, size_t n, mien_results *results,
                             mien_error *error) {
  return run_texts(session, "mien_label_texts", texts, n, true, results, error);
}

mien_status mien_embed_texts(mien_session *session, const mien_text *texts, size_t n, mien_results *results,
                             mien_error *error) {
  return run_texts(session, "mien_embed_texts", texts, n, false, results, error);
}

mien_status mien_tokenize(const mien_model *model, mien_text text, size_t max_tokens, int32_t *ids, size_t capacity,
                          size_t *n_ids, mien_error *error) {
  if (!model || !n_ids || (!ids && capacity))
    return mien_fail(error, MIEN_ARGUMENT, "mien_tokenize: model, ids and n_ids must not be NULL");
  if (!model->encoder)
    return mien_fail(error, MIEN_ARGUMENT, "mien_tokenize: expected a model with an encoder, found a head alone");
  mien_status status = check_texts(&text, 1, error);
  if (status != MIEN_OK) return status;
  if (max_tokens > 0 && max_tokens < MIEN_TOKENIZER_SPECIALS)
    return mien_fail(error, MIEN_ARGUMENT, "mien_tokenize: max_tokens: expected at least %d, found %zu",
                     MIEN_TOKENIZER_SPECIALS, max_tokens);
  const bool cuts = max_tokens > 0 && max_tokens <= capacity;
  bool truncated = capacity < MIEN_TOKENIZER_SPECIALS;
  size_t n = 0;
  if (!truncated)
    n = mien_tokenizer_run(model->encoder->source->tokenizer, text.bytes, text.size, cuts ? max_tokens : capacity, ids,
                           &truncated);
  if (truncated && !cuts)
    return mien_fail(error, MIEN_ARGUMENT, "mien_tokenize: ids: expected room for more than %zu", capacity);
  *n_ids = n;
  return MIEN_OK;
}
