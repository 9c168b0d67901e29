/* SPDX-License-Identifier: Apache-2.0 */
/* What the modules of WebAssembly have in common: a handle, and what is said of a failure. */
#ifndef MIEN_WASM_EXPORTS_H
#define MIEN_WASM_EXPORTS_H

#include "mien/mien.h"

#define EXPORT(name) __attribute__((export_name(#name), used)) name

/* A model with its session. */
typedef struct handle {
  mien_model *model;
  mien_session *session;
} handle;

extern mien_error mien_last_error;

/* Options with these thresholds: JSON, or NULL. */
mien_model_options mien_options_of(const char *thresholds, size_t thresholds_size);

/* A handle for `model`, which it takes over, if `status` is MIEN_OK; else NULL. */
handle *mien_handle_of(mien_model *model, mien_status status);

#endif
