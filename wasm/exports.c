/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every module of WebAssembly exports: the C API, with numbers in the place of structures. Pointers are offsets
 * into the module's memory, which grows: views of it are made anew after every call. After a failure (a handle of 0, a
 * status that is not MIEN_OK) the message is at mien_error_message() and the status is
 * mien_error_code().
 */
#include "exports.h"

#include "base/memory.h"
#include "base/status.h"

mien_error mien_last_error;

const char *EXPORT(mien_error_message)(void);
mien_status EXPORT(mien_error_code)(void);
void *EXPORT(mien_take)(size_t bytes);
void EXPORT(mien_give)(void *memory);
void EXPORT(mien_close)(handle *h);
const char *EXPORT(mien_describe)(const handle *h);
const char *EXPORT(mien_isa_of)(const handle *h);
mien_status EXPORT(mien_run_rows)(handle *h, const float *rows, size_t n, float *scores, mien_row_status *status);

const char *mien_error_message(void) { return mien_last_error.message; }

mien_status mien_error_code(void) { return mien_last_error.code; }

/* Aligned to 64; 0 without memory. */
void *mien_take(size_t bytes) { return mien_alloc_raw(bytes); }

void mien_give(void *memory) { mien_free(memory); }

mien_model_options mien_options_of(const char *thresholds, size_t thresholds_size) {
  return (mien_model_options){
      .size = sizeof(mien_model_options), .thresholds_json = thresholds, .thresholds_json_bytes = thresholds_size};
}

handle *mien_handle_of(mien_model *model, mien_status status) {
  if (status != MIEN_OK) return NULL;
  handle *h = mien_alloc(1, sizeof *h);
  if (!h) {
    mien_model_release(model);
    (void)mien_fail_memory(&mien_last_error, "model", sizeof *h);
    return NULL;
  }
  h->model = model;
  if (mien_session_create(model, NULL, &h->session, &mien_last_error) == MIEN_OK) return h;
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

/* rows [n × D], scores [n × L], status [n]. */
mien_status mien_run_rows(handle *h, const float *rows, size_t n, float *scores, mien_row_status *status) {
  const mien_rows given = {.size = sizeof given, .data = rows};
  mien_results results = {.size = sizeof results, .scores = scores, .status = status};
  return mien_label_embeddings(h->session, &given, n, &results, &mien_last_error);
}
