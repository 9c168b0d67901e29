/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a WebAssembly module exports: the C API, with numbers in the place of structures. A handle is a model with its
 * session. Pointers are offsets into the module's memory, which grows: views of it are made anew after every call.
 * After a failure (a handle of 0, a status that is not MIEN_OK) the message is at mien_error_message().
 */
#include "base/memory.h"
#include "model/model.h"

#define EXPORT(name) __attribute__((export_name(#name), used)) name

typedef struct handle {
  mien_model *model;
  mien_session *session;
} handle;

static mien_error last_error;

const char *EXPORT(mien_error_message)(void);
const char *EXPORT(mien_library_version)(void);
void *EXPORT(mien_take)(size_t bytes);
void EXPORT(mien_give)(void *memory);
handle *EXPORT(mien_open)(unsigned char *bytes, size_t size, const char *thresholds, size_t thresholds_size,
                          uint32_t max_tokens);
void EXPORT(mien_close)(handle *h);
const char *EXPORT(mien_describe)(const handle *h);
const char *EXPORT(mien_isa_of)(const handle *h);
mien_status EXPORT(mien_run_texts)(handle *h, const mien_text *texts, size_t n, float *scores, float *embeddings,
                                   mien_row_status *status);
mien_status EXPORT(mien_run_rows)(handle *h, const float *rows, size_t n, float *scores, mien_row_status *status);

const char *mien_error_message(void) { return last_error.message; }

const char *mien_library_version(void) { return mien_version(); }

/* Aligned to 64; 0 without memory. */
void *mien_take(size_t bytes) { return mien_alloc_raw(bytes); }

void mien_give(void *memory) { mien_free(memory); }

/* Takes over `bytes`, from mien_take. thresholds: JSON, or 0; max_tokens: 0 is the model's own. */
handle *mien_open(unsigned char *bytes, size_t size, const char *thresholds, size_t thresholds_size,
                  uint32_t max_tokens) {
  handle *h = mien_alloc(1, sizeof *h);
  if (!h) {
    mien_free(bytes);
    (void)mien_fail_memory(&last_error, "model", sizeof *h);
    return NULL;
  }
  const mien_model_options options = {.size = sizeof options,
                                      .thresholds_json = thresholds,
                                      .thresholds_json_bytes = thresholds_size,
                                      .max_tokens = max_tokens};
  mien_status status = mien_model_adopt(bytes, size, &options, &h->model, &last_error);
  if (status == MIEN_OK) status = mien_session_create(h->model, NULL, &h->session, &last_error);
  if (status == MIEN_OK) return h;
  mien_close(h);
  return NULL;
}

void mien_close(handle *h) {
  if (!h) return;
  mien_session_destroy(h->session);
  mien_model_release(h->model);
  mien_free(h);
}

/* JSON, as mien_model_describe has it. */
const char *mien_describe(const handle *h) { return mien_model_describe(h->model); }

const char *mien_isa_of(const handle *h) { return mien_session_isa(h->session); }

/* scores [n × L] or embeddings [n × D] may be 0; texts [n] are pairs of an offset and a size. */
mien_status mien_run_texts(handle *h, const mien_text *texts, size_t n, float *scores, float *embeddings,
                           mien_row_status *status) {
  mien_results results = {.size = sizeof results, .scores = scores, .embeddings = embeddings, .status = status};
  if (!scores) return mien_embed_texts(h->session, texts, n, &results, &last_error);
  return mien_label_texts(h->session, texts, n, &results, &last_error);
}

/* rows [n × D], scores [n × L], status [n]. */
mien_status mien_run_rows(handle *h, const float *rows, size_t n, float *scores, mien_row_status *status) {
  const mien_rows given = {.size = sizeof given, .data = rows};
  mien_results results = {.size = sizeof results, .scores = scores, .status = status};
  return mien_label_embeddings(h->session, &given, n, &results, &last_error);
}
