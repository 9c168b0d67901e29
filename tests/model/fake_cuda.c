/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_cuda.h. A text's embedding is made of its tokens and their places, a row's scores of its first number. */
#include "model/fake_cuda.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_(a, b, c) #a "." #b "." #c
#define TEXT(a, b, c) TEXT_(a, b, c)

struct mien_cuda_engine {
  int ordinal;
  size_t n_labels, dim;
  pthread_mutex_t lock;
  pthread_cond_t is_free;
  int n_free;
};

/* A text that was submitted. */
typedef struct waiting {
  struct waiting *next;
  mien_results results;
  float sum;
  bool is_bad;
} waiting;

struct mien_cuda_lane {
  mien_cuda_engine *engine;
  waiting *first;
};

static fake_cuda fake;

static mien_status fail(mien_error *error, mien_status code, const char *message) {
  if (error) {
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s", message);
  }
  return code;
}

static bool is_time(atomic_int *left) { return atomic_load(left) > 0 && atomic_fetch_sub(left, 1) == 1; }

static mien_status add_folder(const char *folder, mien_error *error) {
  (void)error;
  const size_t length = strlen(fake.folders);
  snprintf(fake.folders + length, sizeof fake.folders - length, "%s:", folder);
  return MIEN_OK;
}

static mien_status device_count(int *count, mien_error *error) {
  (void)error;
  *count = FAKE_DEVICES;
  return MIEN_OK;
}

static mien_status device_info(int ordinal, mien_cuda_device_info *info, mien_error *error) {
  if (ordinal >= FAKE_DEVICES) return fail(error, MIEN_RESOURCE, "fake: no such device");
  *info = (mien_cuda_device_info){.name = "Fake", .multiprocessors = 7, .driver = 13000, .total_bytes = 100};
  snprintf(info->isa, sizeof info->isa, "sm_%d", 90 + ordinal);
  return MIEN_OK;
}

static void note_weights(const mien_cuda_head *head, const mien_cuda_encoder *encoder) {
  if (head && head->n_labels * head->dim <= FAKE_NUMBERS)
    memcpy(fake.head, head->weights, head->n_labels * head->dim * sizeof(float));
  if (!encoder) return;
  const mien_cuda_matrix *matrix = &encoder->layer[encoder->layers - 1].matrices[2];
  fake.encoder = *encoder;
  if (matrix->inputs * matrix->outputs <= FAKE_NUMBERS)
    encoder->weights(encoder->user, encoder->layers - 1, 2, fake.matrix);
  if (encoder->hidden <= FAKE_NUMBERS) encoder->word(encoder->user, 5, fake.word);
}

static mien_status open_engine(const mien_cuda_open_options *options, const mien_cuda_head *head,
                               const mien_cuda_encoder *encoder, mien_cuda_engine **out, mien_error *error) {
  if (options->ordinal >= FAKE_DEVICES) return fail(error, MIEN_RESOURCE, "fake: no such device");
  mien_cuda_engine *engine = calloc(1, sizeof *engine);
  engine->ordinal = options->ordinal;
  engine->n_labels = head ? head->n_labels : 0;
  engine->dim = head ? head->dim : encoder->hidden;
  engine->n_free = FAKE_LANES;
  pthread_mutex_init(&engine->lock, NULL);
  pthread_cond_init(&engine->is_free, NULL);
  note_weights(head, encoder);
  atomic_fetch_add(&fake.opens[engine->ordinal], 1);
  *out = engine;
  return MIEN_OK;
}

static void close_engine(mien_cuda_engine *engine) {
  atomic_fetch_add(&fake.closes, 1);
  free(engine);
}

static void put_labels(const mien_cuda_engine *engine, const mien_results *results, size_t row, float x, bool is_bad) {
  const size_t words = (engine->n_labels + 31) / 32;
  for (size_t word = 0; results->words && word < words; word++)
    results->words[row * words + word] = is_bad ? 0 : (uint32_t)x;
  for (size_t label = 0; results->scores && label < engine->n_labels; label++)
    results->scores[row * engine->n_labels + label] = is_bad ? NAN : x + (float)label;
  if (results->status) results->status[row] = is_bad ? MIEN_ROW_NOT_FINITE : MIEN_ROW_OK;
}

static mien_status label_rows(mien_cuda_engine *engine, const mien_rows *rows, size_t n, const mien_results *results,
                              size_t *n_bad, mien_error *error) {
  if (is_time(&fake.failing_piece)) return fail(error, MIEN_RESOURCE, "fake: rows failed");
  atomic_fetch_add(&fake.pieces[engine->ordinal], 1);
  *n_bad = 0;
  for (size_t row = 0; row < n; row++) {
    const float x = ((const float *)rows->data)[row * rows->stride];
    put_labels(engine, results, row, x, isnan(x));
    *n_bad += isnan(x);
  }
  return MIEN_OK;
}

static mien_status label_device_rows(mien_cuda_engine *engine, const mien_rows *rows, size_t n,
                                     const mien_results *results, void *stream, mien_error *error) {
  size_t n_bad;
  fake.stream = stream;
  return label_rows(engine, rows, n, results, &n_bad, error);
}

static mien_status acquire(mien_cuda_engine *engine, mien_cuda_lane **out, mien_error *error) {
  (void)error;
  pthread_mutex_lock(&engine->lock);
  while (engine->n_free == 0) pthread_cond_wait(&engine->is_free, &engine->lock);
  engine->n_free--;
  pthread_mutex_unlock(&engine->lock);
  atomic_fetch_add(&fake.lanes, 1);
  *out = calloc(1, sizeof **out);
  (*out)->engine = engine;
  return MIEN_OK;
}

static waiting *take_first(mien_cuda_lane *lane) {
  waiting *text = lane->first;
  lane->first = text->next;
  return text;
}

static void release(mien_cuda_lane *lane) {
  mien_cuda_engine *engine = lane->engine;
  while (lane->first) free(take_first(lane));
  free(lane);
  atomic_fetch_sub(&fake.lanes, 1);
  pthread_mutex_lock(&engine->lock);
  engine->n_free++;
  pthread_cond_signal(&engine->is_free);
  pthread_mutex_unlock(&engine->lock);
}

static size_t batch_tokens(const mien_cuda_engine *engine) {
  (void)engine;
  return FAKE_BATCH_TOKENS;
}

static mien_status submit(mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n,
                          const mien_results *results, mien_error *error) {
  const mien_cuda_engine *engine = lane->engine;
  if (is_time(&fake.failing_submit)) return fail(error, MIEN_RESOURCE, "fake: texts failed");
  atomic_fetch_add(&fake.submits[engine->ordinal], 1);
  for (size_t i = 0; i < n; i++) {
    waiting *text = calloc(1, sizeof *text);
    *text = (waiting){.next = lane->first, .results = *results};
    if (results->words) text->results.words += i * ((engine->n_labels + 31) / 32);
    if (results->scores) text->results.scores += i * engine->n_labels;
    if (results->embeddings) text->results.embeddings += i * engine->dim;
    if (results->status) text->results.status += i;
    for (size_t k = 0; k < lengths[i]; k++, ids++) {
      text->sum += (float)((size_t)*ids * (k + 1));
      text->is_bad |= *ids == FAKE_BAD_TOKEN;
    }
    lane->first = text;
  }
  return MIEN_OK;
}

static mien_status drain(mien_cuda_lane *lane, mien_error *error) {
  (void)error;
  while (lane->first) {
    waiting *text = take_first(lane);
    for (size_t i = 0; text->results.embeddings && i < lane->engine->dim; i++)
      text->results.embeddings[i] = text->is_bad ? NAN : text->sum + (float)i;
    put_labels(lane->engine, &text->results, 0, text->sum, text->is_bad);
    free(text);
  }
  return MIEN_OK;
}

static fake_cuda fake = {.module = {.abi = MIEN_CUDA_MODULE_ABI,
                                    .version = TEXT(MIEN_VERSION_MAJOR, MIEN_VERSION_MINOR, MIEN_VERSION_PATCH),
                                    .add_folder = add_folder,
                                    .device_count = device_count,
                                    .device_info = device_info,
                                    .open = open_engine,
                                    .close = close_engine,
                                    .label_rows = label_rows,
                                    .label_device_rows = label_device_rows,
                                    .acquire = acquire,
                                    .release = release,
                                    .batch_tokens = batch_tokens,
                                    .submit = submit,
                                    .drain = drain}};

const mien_cuda_module *mien_cuda_module_get(void) { return &fake.module; }
fake_cuda *fake_cuda_get(void) { return &fake; }
