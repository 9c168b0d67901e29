/* SPDX-License-Identifier: Apache-2.0 */
/* The run: workers claim chunks, label and format them side by side, and write in row order. */
#include "corpus/pipeline.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/threads.h"
#include "corpus/cancel.h"
#include "mien/mien_cuda.h"
#include "model/session.h"

const mien_chunk_limits *mien_chunk_limits_of(mien_device device) {
  static const mien_chunk_limits cpu = {
      .embedding_bytes = 512 << 10, .text_bytes = 256 << 10, .text_rows = 512, .text_result_bytes = 2 << 20};
  static const mien_chunk_limits cuda = {
      .embedding_bytes = 16 << 20, .text_bytes = 2 << 20, .text_rows = 4096, .text_result_bytes = 16 << 20};
  return device == MIEN_DEVICE_CUDA ? &cuda : &cpu;
}

size_t mien_text_chunk_rows(const mien_chunk_limits *limits, size_t result_bytes) {
  enum { FEWEST_ROWS = 16 };
  size_t rows = limits->text_result_bytes / (result_bytes ? result_bytes : 1);
  if (rows > limits->text_rows) rows = limits->text_rows;
  return rows < FEWEST_ROWS ? FEWEST_ROWS : rows;
}

typedef struct run run;

typedef struct worker {
  mien_session *session;
  mien_block block;
  uint64_t sequence;   /* the chunk's number: 0, 1, 2, … in row order */
  pthread_cond_t turn; /* signalled when a chunk of this slot's number may be written */
} worker;

/*
 * A worker holds one chunk at a time, so the numbers claimed and not yet written are at most `threads`, one behind
 * the other: number mod threads is a slot of its own for each, and only the next writer needs to be woken.
 */
struct run {
  mien_reader *reader;
  mien_writer *writer;
  const mien_run_options *options;
  unsigned threads;
  unsigned n_devices; /* that workers take in turn */

  pthread_mutex_t claim_lock; /* of the reader and these */
  uint64_t next_claim;
  uint64_t next_row; /* behind what was claimed */
  bool claims_end;

  pthread_mutex_t turn_lock; /* of these; the summary and the writer belong to the worker whose turn it is */
  uint64_t next_turn;
  bool failed;

  mien_status status;
  mien_error error;
  mien_run_summary summary;
  worker workers[]; /* [threads] */
};

/* Whether what was claimed are whole parts, and no more are wanted. */
static bool is_finished_early(const run *r) {
  const mien_row_range *range = r->reader->range;
  return range && range->part_rows > 0 && mien_is_cancelled(r->options->finish) &&
         (r->next_row - range->first) % range->part_rows == 0;
}

/* A failure to claim has its number too: what was claimed before it is written first. */
static mien_status claim(run *r, worker *w, bool *end, mien_error *error) {
  pthread_mutex_lock(&r->claim_lock);
  if (!r->claims_end && is_finished_early(r)) r->claims_end = r->summary.is_finished_early = true;
  *end = r->claims_end;
  mien_status status = MIEN_OK;
  if (!*end) {
    w->sequence = r->next_claim;
    status = mien_is_cancelled(r->options->cancel) ? mien_fail(error, MIEN_CANCELLED, "interrupted")
                                                   : r->reader->claim(r->reader, &w->block.chunk, error);
    *end = status == MIEN_OK && w->block.chunk.n_rows == 0;
    r->claims_end = *end || status != MIEN_OK;
    if (!*end) r->next_claim++;
    if (status == MIEN_OK && !*end) r->next_row = w->block.chunk.first_row + w->block.chunk.n_rows;
  }
  pthread_mutex_unlock(&r->claim_lock);
  return status;
}

static void stop_claims(run *r) {
  pthread_mutex_lock(&r->claim_lock);
  r->claims_end = true;
  pthread_mutex_unlock(&r->claim_lock);
}

/* False when the run has failed before this chunk. */
static bool wait_for_turn(run *r, const worker *w) {
  pthread_mutex_lock(&r->turn_lock);
  while (r->next_turn != w->sequence && !r->failed)
    pthread_cond_wait(&r->workers[w->sequence % r->threads].turn, &r->turn_lock);
  bool mine = !r->failed;
  pthread_mutex_unlock(&r->turn_lock);
  return mine;
}

static void end_turn(run *r, const worker *w, mien_status status, const mien_error *error) {
  if (status != MIEN_OK) stop_claims(r);
  pthread_mutex_lock(&r->turn_lock);
  r->next_turn = w->sequence + 1;
  if (status != MIEN_OK) {
    r->failed = true;
    r->status = status;
    r->error = *error;
    for (unsigned i = 0; i < r->threads; i++) pthread_cond_broadcast(&r->workers[i].turn);
  } else {
    pthread_cond_signal(&r->workers[r->next_turn % r->threads].turn);
  }
  pthread_mutex_unlock(&r->turn_lock);
}

static mien_status label(run *r, worker *w, mien_error *error) {
  mien_block *block = &w->block;
  mien_status status = r->reader->fill(r->reader, &block->chunk, error);
  if (status != MIEN_OK) return status;
  status = mien_block_run(block, w->session, error);
  if (status == MIEN_CANCELLED) return mien_fail(error, MIEN_CANCELLED, "interrupted");
  if (status != MIEN_OK) return status;
  return mien_row_format_run(mien_writer_rows(r->writer), block, error);
}

/* "NAME: row 3 (row 103 of all): not finite: column 5 is NaN", of texts "NAME:8: …", and what is left of the message.
 */
static mien_status fail_bad_row(const run *r, const mien_block *block, size_t row, uint64_t found, mien_error *error) {
  char explanation[MIEN_EXPLANATION_BYTES], of_all[64] = "", limit[96] = "";
  mien_block_explain(block, row, false, explanation);
  const mien_inputs *inputs = r->reader->inputs;
  const char *name = mien_input_name(inputs->items[block->chunk.input].path);
  if (!r->options->fail_on_bad)
    snprintf(limit, sizeof limit, ": expected at most %" PRIu64 " bad rows, found %" PRIu64, r->options->max_bad,
             found);
  if (r->reader->has_texts)
    return mien_fail(error, MIEN_INPUT, "%s:%" PRIu64 ": %s%s", name, block->chunk.records[row].line, explanation,
                     limit);
  if (inputs->count > 1) snprintf(of_all, sizeof of_all, " (row %" PRIu64 " of all)", block->chunk.first_row + row);
  return mien_fail(error, MIEN_INPUT, "%s: row %" PRIu64 "%s: not finite: %s%s", name,
                   block->chunk.first_row_in_input + row, of_all, explanation, limit);
}

/* Fails with the bad row that passes the limit, where there is one. */
static mien_status check_bad_rows(run *r, const mien_block *block, mien_error *error) {
  uint64_t limit = r->options->fail_on_bad ? 0 : r->options->max_bad;
  uint64_t before = r->options->bad_before + r->summary.n_bad;
  r->summary.n_bad += block->results.n_bad;
  if (before + block->results.n_bad <= limit || block->results.n_bad == 0) return MIEN_OK;
  for (size_t i = 0; i < block->chunk.n_rows; i++) {
    if (!mien_block_is_bad(block, i) || ++before <= limit) continue;
    return fail_bad_row(r, block, i, before, error);
  }
  return mien_fail(error, MIEN_INTERNAL, "bad rows were counted but not marked");
}

static mien_status write_block(run *r, const worker *w, mien_error *error) {
  if (mien_is_cancelled(r->options->cancel)) return mien_fail(error, MIEN_CANCELLED, "interrupted");
  mien_status status = check_bad_rows(r, &w->block, error);
  if (status == MIEN_OK) status = mien_writer_write(r->writer, &w->block, error);
  if (status != MIEN_OK) return status;
  r->summary.n_rows += w->block.chunk.n_rows;
  r->summary.n_labels += w->block.n_labels;
  r->summary.n_tokens += w->block.n_tokens;
  r->summary.n_truncated += w->block.results.n_truncated;
  r->summary.n_bytes += w->block.chunk.n_bytes;
  if (r->options->progress) r->options->progress(r->options->progress_user, &r->summary);
  return MIEN_OK;
}

static void work(void *user, unsigned index) {
  run *r = user;
  worker *w = &r->workers[index];
  for (;;) {
    mien_error error = {0};
    bool end;
    mien_status status = claim(r, w, &end, &error);
    if (end) return;
    if (status == MIEN_OK) status = label(r, w, &error);
    if (!wait_for_turn(r, w)) return;
    if (status == MIEN_OK) status = write_block(r, w, &error);
    end_turn(r, w, status, &error);
    if (status != MIEN_OK) return;
  }
}

static void destroy(run *r) {
  for (unsigned i = 0; i < r->threads; i++) {
    mien_session_destroy(r->workers[i].session);
    mien_block_free(&r->workers[i].block);
    pthread_cond_destroy(&r->workers[i].turn);
  }
  pthread_mutex_destroy(&r->claim_lock);
  pthread_mutex_destroy(&r->turn_lock);
  mien_free(r);
}

/* More workers than chunks would have nothing to do. */
static uint64_t most_chunks(const mien_reader *reader) {
  if (reader->n_rows != MIEN_ROWS_UNKNOWN) return reader->n_rows / reader->chunk_rows + 1;
  if (!reader->has_texts || reader->n_bytes == MIEN_BYTES_UNKNOWN) return UINT64_MAX;
  return reader->n_bytes / MIEN_LEAST_CHUNK_BYTES + 1;
}

static run *create(mien_reader *reader, mien_writer *writer, const mien_run_options *options, unsigned n_devices,
                   mien_error *error) {
  unsigned threads = options->threads > n_devices ? options->threads : n_devices;
  uint64_t most = most_chunks(reader);
  if (threads > most) threads = (unsigned)most;
  size_t bytes = sizeof(run) + threads * sizeof(worker);
  run *r = mien_alloc(1, bytes);
  if (!r) {
    (void)mien_fail_memory(error, "workers", bytes);
    return NULL;
  }
  r->reader = reader;
  r->writer = writer;
  r->options = options;
  r->threads = r->summary.threads = threads;
  r->n_devices = n_devices;
  r->next_row = reader->range ? reader->range->first : 0;
  pthread_mutex_init(&r->claim_lock, NULL);
  pthread_mutex_init(&r->turn_lock, NULL);
  for (unsigned i = 0; i < threads; i++) pthread_cond_init(&r->workers[i].turn, NULL);
  return r;
}

/* A session's progress: a chunk of texts can take seconds, too long to wait for its end when the run is cancelled. */
static int is_cancelled(void *user, size_t done, size_t n) {
  (void)done, (void)n;
  const run *r = user;
  return mien_is_cancelled(r->options->cancel);
}

static mien_status make_session(run *r, unsigned index, mien_model *model, mien_error *error) {
  const bool is_all = r->options->ordinal == MIEN_ALL_DEVICES;
  const mien_session_options options = {.size = sizeof options,
                                        .device = r->options->device,
                                        .threads = 1,
                                        .progress = is_cancelled,
                                        .progress_user = r,
                                        .ordinal = is_all ? (int32_t)(index % r->n_devices) : r->options->ordinal};
  return mien_session_create(model, &options, &r->workers[index].session, error);
}

static void note_device(run *r, const mien_model *model) {
  const mien_session *session = r->workers[0].session;
  snprintf(r->summary.isa, sizeof r->summary.isa, "%s",
           r->reader->has_texts ? mien_session_isa(session) : mien_session_head_isa(session));
  r->summary.dtype = r->reader->has_texts ? mien_model_dtype(model) : "f32";
}

static mien_status start_workers(run *r, mien_model *model, mien_error *error) {
  const mien_row_format *rows = mien_writer_rows(r->writer);
  const mien_row_content content = rows->options.content;
  mien_status status = MIEN_OK;
  for (unsigned i = 0; status == MIEN_OK && i < r->threads; i++) {
    /* Tokens need no more than the model. */
    if (content != MIEN_ROWS_TOKENS) status = make_session(r, i, model, error);
    if (status == MIEN_OK)
      status =
          mien_block_init(&r->workers[i].block, r->reader, model, content, mien_row_format_needs_scores(rows), error);
  }
  if (status == MIEN_OK && content != MIEN_ROWS_TOKENS) note_device(r, model);
  return status;
}

mien_status mien_run(mien_model *model, mien_reader *reader, mien_writer *writer, const mien_run_options *options,
                     mien_run_summary *summary, mien_error *error) {
  int32_t n_devices = 1;
  mien_status status = MIEN_OK;
  if (options->ordinal == MIEN_ALL_DEVICES) status = mien_cuda_device_count(&n_devices, error);
  run *r = status == MIEN_OK ? create(reader, writer, options, (unsigned)n_devices, error) : NULL;
  if (!r) return status == MIEN_OK ? MIEN_RESOURCE : status;
  mien_pool *pool = NULL;
  status = start_workers(r, model, error);
  if (status == MIEN_OK) status = mien_pool_create(r->threads, &pool, error);
  if (status == MIEN_OK) {
    mien_pool_run(pool, work, r);
    status = r->status;
    if (status != MIEN_OK && error) *error = r->error;
  }
  mien_pool_destroy(pool);
  /* A run that is finished early has ended its last part already. */
  if (status == MIEN_OK && !r->summary.is_finished_early) status = mien_writer_finish(writer, error);
  *summary = r->summary;
  destroy(r);
  return status;
}
