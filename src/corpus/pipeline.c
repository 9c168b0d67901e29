/* SPDX-License-Identifier: Apache-2.0 */
/* The run: workers claim chunks, label and format them side by side, and write them in row order. */
#include "corpus/pipeline.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
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

/* A chunk on its way: claimed, labelled and formatted by a worker, written when its turn comes by whoever is there. */
typedef struct parcel {
  mien_block block;
  uint64_t sequence;  /* its number: 0, 1, 2, … in row order */
  mien_status status; /* of its claim or its work; told when its turn comes */
  mien_error error;
  struct parcel *next; /* of the free ones */
} parcel;

typedef struct worker {
  mien_session *session; /* NULL for tokens */
  mien_pieces pieces;    /* texts on their way through it */
  mien_stage_times times;
  double mark; /* when what it does now began */
} worker;

typedef struct run {
  mien_reader *reader;
  mien_writer *writer;
  const mien_run_options *options;
  unsigned threads;
  unsigned n_devices; /* that workers take in turn */
  size_t n_parcels;
  size_t most_buffer_bytes; /* that a free parcel's buffers keep */
  mien_cache *cache;        /* of texts; NULL: there is none */

  pthread_mutex_t claim_lock; /* of the reader and these */
  uint64_t next_claim;
  uint64_t next_row; /* behind what was claimed */
  bool claims_end, is_finished_early;

  pthread_mutex_t lock; /* of these */
  pthread_cond_t room;  /* a parcel is free or the run has failed: for the worker that has the claim lock */
  parcel *free;         /* the last one first: its memory is most likely still in a cache */
  parcel **ready;       /* [n_parcels] those that wait for their turn, by their number mod n_parcels */
  uint64_t next_turn;
  bool is_writing; /* by the worker that the writer and the summary belong to */
  bool failed;

  mien_status status;
  mien_error error;
  mien_run_summary summary;
  parcel *parcels;  /* [n_parcels] */
  worker workers[]; /* [threads] */
} run;

/* ---- Parcels ----------------------------------------------------------------------------------------------------- */

static void set_free(run *r, parcel *p) {
  mien_block_trim(&p->block, r->most_buffer_bytes);
  pthread_mutex_lock(&r->lock);
  p->next = r->free;
  r->free = p;
  pthread_cond_signal(&r->room);
  pthread_mutex_unlock(&r->lock);
}

/* A free parcel, waited for where all are on their way; NULL when the run has failed. */
static parcel *take_free(run *r) {
  pthread_mutex_lock(&r->lock);
  while (!r->free && !r->failed) pthread_cond_wait(&r->room, &r->lock);
  parcel *p = r->failed ? NULL : r->free;
  if (p) r->free = p->next;
  pthread_mutex_unlock(&r->lock);
  return p;
}

/* Whether what was claimed are whole parts, and no more are wanted. */
static bool is_finished_early(const run *r) {
  const mien_row_range *range = r->reader->range;
  return range && range->part_rows > 0 && mien_is_cancelled(r->options->finish) &&
         (r->next_row - range->first) % range->part_rows == 0;
}

/* A chunk with its number, or a failure to claim one, which has its number too: what was claimed before it is written
 * first. NULL: there are no more. */
static parcel *claim(run *r, worker *w) {
  pthread_mutex_lock(&r->claim_lock);
  if (!r->claims_end && is_finished_early(r)) r->claims_end = r->is_finished_early = true;
  parcel *p = r->claims_end ? NULL : take_free(r);
  bool is_end = !p;
  mien_stage_lap(&w->times, MIEN_STAGE_WAIT, &w->mark);
  if (p) {
    const double start = w->mark;
    p->status = mien_is_cancelled(r->options->cancel) ? mien_fail(&p->error, MIEN_CANCELLED, "interrupted")
                                                      : r->reader->claim(r->reader, &p->block.chunk, &p->error);
    mien_stage_lap(&w->times, MIEN_STAGE_READ, &w->mark);
    w->times.reader_seconds += w->mark - start;
    is_end = p->status == MIEN_OK && p->block.chunk.n_rows == 0;
    if (!is_end) p->sequence = r->next_claim++;
    if (!is_end && p->status == MIEN_OK) r->next_row = p->block.chunk.first_row + p->block.chunk.n_rows;
    r->claims_end = is_end || p->status != MIEN_OK;
  }
  pthread_mutex_unlock(&r->claim_lock);
  if (p && is_end) set_free(r, p);
  return is_end ? NULL : p;
}

/* ---- Work -------------------------------------------------------------------------------------------------------- */

/* Runs the model; the making of tokens is a stage of its own. */
static mien_status forward(worker *w, mien_block *block, mien_span_pooling pooling, mien_error *error) {
  if (!w->session) return mien_block_run(block, &w->pieces, pooling, NULL, error);
  const mien_text_work before = mien_session_text_work(w->session);
  mien_status status = mien_block_run(block, &w->pieces, pooling, w->session, error);
  const mien_text_work after = mien_session_text_work(w->session);
  block->n_encoded = after.n_tokens - before.n_tokens;
  w->times.seconds[MIEN_STAGE_TOKENIZE] += after.tokenize_seconds - before.tokenize_seconds;
  w->mark += after.tokenize_seconds - before.tokenize_seconds;
  return status == MIEN_CANCELLED ? mien_fail(error, MIEN_CANCELLED, "interrupted") : status;
}

static mien_status label(run *r, worker *w, mien_block *block, mien_error *error) {
  const mien_row_format *rows = mien_writer_rows(r->writer);
  const bool has_texts = r->reader->has_texts, has_tokens = block->content == MIEN_ROWS_TOKENS;
  mien_stage_lap(&w->times, MIEN_STAGE_WAIT, &w->mark);
  mien_status status = r->reader->fill(r->reader, &block->chunk, error);
  /* Of embeddings in files, workers read a chunk each. */
  mien_stage_lap(&w->times, has_texts ? MIEN_STAGE_PARSE : MIEN_STAGE_READ, &w->mark);
  if (status == MIEN_OK) status = forward(w, block, rows->options.pooling, error);
  mien_stage_lap(&w->times, MIEN_STAGE_FORWARD, &w->mark);
  if (status == MIEN_OK) status = mien_row_format_run(rows, block, &w->pieces, error);
  if (status == MIEN_OK && block->tally.n_labels)
    mien_tally_scores(&block->tally, block->results.scores, block->results.status, block->chunk.n_rows);
  mien_stage_lap(&w->times, has_tokens ? MIEN_STAGE_TOKENIZE : MIEN_STAGE_FORMAT, &w->mark);
  return status;
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

static mien_status write_block(run *r, const mien_block *block, mien_error *error) {
  if (mien_is_cancelled(r->options->cancel)) return mien_fail(error, MIEN_CANCELLED, "interrupted");
  mien_status status = check_bad_rows(r, block, error);
  if (status == MIEN_OK) status = mien_writer_write(r->writer, block, error);
  if (status != MIEN_OK) return status;
  r->summary.n_rows += block->chunk.n_rows;
  r->summary.n_labels += block->n_labels;
  r->summary.n_tokens += block->n_tokens;
  r->summary.n_truncated += block->results.n_truncated;
  r->summary.n_encoded += block->n_encoded;
  if (r->options->tally) mien_tally_add(r->options->tally, &block->tally);
  r->summary.n_bytes += block->chunk.n_bytes;
  r->summary.n_split += block->n_split;
  r->summary.n_pieces += block->n_pieces;
  r->summary.n_duplicates += block->n_duplicates;
  if (r->options->progress) r->options->progress(r->options->progress_user, &r->summary);
  return MIEN_OK;
}

/* The parcel whose turn it is, for the one worker that writes; NULL when it is not ready, or the run has failed: then
 * nobody writes any more. */
static parcel *take_ready(run *r) {
  parcel **next = &r->ready[r->next_turn % r->n_parcels], *p = r->failed ? NULL : *next;
  r->is_writing = p != NULL;
  if (!p) return NULL;
  *next = NULL;
  r->next_turn++;
  return p;
}

/* Puts the parcel where its turn will find it, and writes all that are ready unless another worker is at it. No lock is
 * held meanwhile: the others go on. */
static void deliver(run *r, worker *w, parcel *p) {
  pthread_mutex_lock(&r->lock);
  r->ready[p->sequence % r->n_parcels] = p;
  p = r->is_writing ? NULL : take_ready(r);
  pthread_mutex_unlock(&r->lock);
  while (p) {
    mien_stage_lap(&w->times, MIEN_STAGE_WAIT, &w->mark);
    if (p->status == MIEN_OK) p->status = write_block(r, &p->block, &p->error);
    mien_stage_lap(&w->times, MIEN_STAGE_WRITE, &w->mark);
    pthread_mutex_lock(&r->lock);
    if (p->status != MIEN_OK) {
      r->failed = true;
      r->status = p->status;
      r->error = p->error;
    }
    pthread_mutex_unlock(&r->lock);
    set_free(r, p);
    pthread_mutex_lock(&r->lock);
    p = take_ready(r);
    pthread_mutex_unlock(&r->lock);
  }
}

static void work(void *user, unsigned index) {
  run *r = user;
  worker *w = &r->workers[index];
  w->mark = mien_now();
  for (parcel *p; (p = claim(r, w));) {
    if (p->status == MIEN_OK) p->status = label(r, w, &p->block, &p->error);
    deliver(r, w, p);
  }
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static void destroy(run *r) {
  for (unsigned i = 0; i < r->threads; i++) {
    mien_session_destroy(r->workers[i].session);
    mien_pieces_free(&r->workers[i].pieces);
  }
  for (size_t i = 0; r->parcels && i < r->n_parcels; i++) mien_block_free(&r->parcels[i].block);
  mien_free(r->parcels);
  mien_free(r->ready);
  mien_cache_destroy(r->cache);
  pthread_mutex_destroy(&r->claim_lock);
  pthread_mutex_destroy(&r->lock);
  pthread_cond_destroy(&r->room);
  mien_free(r);
}

/* More workers than chunks would have nothing to do. */
static uint64_t most_chunks(const mien_reader *reader) {
  const size_t least_rows = reader->has_texts ? MIEN_LEAST_CHUNK_ROWS : reader->chunk_rows;
  if (reader->n_rows != MIEN_ROWS_UNKNOWN) return reader->n_rows / least_rows + 1;
  if (!reader->has_texts || reader->n_bytes == MIEN_BYTES_UNKNOWN) return UINT64_MAX;
  return reader->n_bytes / MIEN_LEAST_CHUNK_BYTES + 1;
}

/*
 * A worker alone writes each chunk before it claims the next. Of more, one may be long at a chunk while the others go
 * on: to a few chunks each, as far as memory for them is not much. Chunks of embeddings take about the same time each.
 */
static size_t count_parcels(const mien_reader *reader, const mien_chunk_limits *limits, unsigned threads) {
  enum { SPARE_TEXTS = 3, SPARE_EMBEDDINGS = 1 };
  static const size_t most_bytes = (size_t)256 << 20;
  /* What is read, and what is made of it. */
  const size_t bytes =
      reader->has_texts ? 2 * (limits->text_bytes + limits->text_result_bytes) : 2 * reader->chunk_bytes;
  const size_t spare = (size_t)threads * (reader->has_texts ? SPARE_TEXTS : SPARE_EMBEDDINGS);
  const size_t most = most_bytes / (bytes ? bytes : 1);
  return threads == 1 ? 1 : threads + (spare < most ? spare : most);
}

static run *create(mien_reader *reader, mien_writer *writer, const mien_run_options *options, unsigned n_devices,
                   mien_error *error) {
  const mien_chunk_limits *limits = mien_chunk_limits_of(options->device);
  unsigned threads = options->threads > n_devices ? options->threads : n_devices;
  uint64_t most = most_chunks(reader);
  if (threads > most) threads = (unsigned)most;
  const size_t n_parcels = count_parcels(reader, limits, threads), bytes = sizeof(run) + threads * sizeof(worker);
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
  r->n_parcels = n_parcels;
  r->most_buffer_bytes = 4 * limits->text_result_bytes;
  r->parcels = mien_alloc(n_parcels, sizeof *r->parcels);
  r->ready = mien_alloc(n_parcels, sizeof *r->ready);
  pthread_mutex_init(&r->claim_lock, NULL);
  pthread_mutex_init(&r->lock, NULL);
  pthread_cond_init(&r->room, NULL);
  if (r->parcels && r->ready) return r;
  (void)mien_fail_memory(error, "workers", n_parcels * sizeof *r->parcels);
  destroy(r);
  return NULL;
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
  mien_status status = mien_session_create(model, &options, &r->workers[index].session, error);
  if (status == MIEN_OK) mien_session_set_clock(r->workers[index].session, mien_now);
  return status;
}

static void note_device(run *r, const mien_model *model) {
  const mien_session *session = r->workers[0].session;
  snprintf(r->summary.isa, sizeof r->summary.isa, "%s",
           r->reader->has_texts ? mien_session_isa(session) : mien_session_head_isa(session));
  r->summary.dtype = r->reader->has_texts ? mien_model_dtype(model) : "f32";
}

/* The sessions, and what goes through them; tokens need no more than the model. */
static mien_status make_workers(run *r, mien_model *model, bool with_scores, mien_error *error) {
  const mien_row_options *rows = &mien_writer_rows(r->writer)->options;
  const bool has_texts = r->reader->has_texts;
  const mien_pieces_options options = {.has_labels = rows->content == MIEN_ROWS_LABELS,
                                       .has_scores = with_scores || rows->splits,
                                       .splits = rows->splits,
                                       .rows = r->reader->chunk_rows};
  mien_status status = MIEN_OK;
  if (has_texts && !r->options->no_cache)
    status = mien_cache_create(mien_pieces_result_bytes(model, &options), &r->cache, error);
  for (unsigned i = 0; status == MIEN_OK && i < r->threads; i++) {
    status = make_session(r, i, model, error);
    if (status == MIEN_OK && has_texts)
      status = mien_pieces_init(&r->workers[i].pieces, model, &options, r->cache, error);
  }
  return status;
}

static mien_status start_workers(run *r, mien_model *model, mien_error *error) {
  const mien_row_format *rows = mien_writer_rows(r->writer);
  const mien_row_content content = rows->options.content;
  const bool with_scores = mien_row_format_needs_scores(rows) || r->options->tally;
  mien_status status = MIEN_OK;
  if (content != MIEN_ROWS_TOKENS) status = make_workers(r, model, with_scores, error);
  for (size_t i = r->n_parcels; status == MIEN_OK && i-- > 0;) {
    status = mien_block_init(&r->parcels[i].block, r->reader, model, content, with_scores, error);
    if (status == MIEN_OK && r->options->tally) status = mien_block_add_tally(&r->parcels[i].block, error);
    if (status == MIEN_OK) set_free(r, &r->parcels[i]);
  }
  if (status == MIEN_OK && content != MIEN_ROWS_TOKENS) note_device(r, model);
  return status;
}

/* What the workers did not do anything else in, they waited. */
static void sum_up(run *r, double seconds) {
  mien_stage_times *times = &r->summary.times;
  double busy = 0;
  for (unsigned i = 0; i < r->threads; i++) mien_stage_add(times, &r->workers[i].times);
  for (int i = 0; i < MIEN_STAGES; i++) busy += i == MIEN_STAGE_WAIT ? 0 : times->seconds[i];
  times->seconds[MIEN_STAGE_WAIT] = fmax(0, seconds * r->threads - busy);
  r->summary.seconds = seconds;
  r->summary.is_finished_early = r->is_finished_early;
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
  const double start = mien_now();
  if (status == MIEN_OK) {
    mien_pool_run(pool, work, r);
    status = r->status;
    if (status != MIEN_OK && error) *error = r->error;
  }
  mien_pool_destroy(pool);
  double mark = mien_now();
  /* A run that is finished early has ended its last part already. */
  if (status == MIEN_OK && !r->is_finished_early) status = mien_writer_finish(writer, error);
  mien_stage_lap(&r->summary.times, MIEN_STAGE_WRITE, &mark);
  sum_up(r, mark - start);
  *summary = r->summary;
  destroy(r);
  return status;
}
