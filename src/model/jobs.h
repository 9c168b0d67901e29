/* SPDX-License-Identifier: Apache-2.0 */
/* Calls as the session's threads work on them, on the CPU or on CUDA devices. */
#ifndef MIEN_MODEL_JOBS_H
#define MIEN_MODEL_JOBS_H

#include "model/session.h"

typedef struct mien_rows_job {
  mien_job base;
  const mien_rows *rows;
  const mien_results *results;
} mien_rows_job;

typedef struct mien_texts_job {
  mien_job base;
  const mien_text *texts;
  const mien_results *results;
  bool label;
  bool *truncated; /* CUDA: [n] */
} mien_texts_job;

/* The place of row `first` in the results. */
mien_results mien_results_at(const mien_results *results, const mien_model *model, size_t first);

/* Bytes of a number of rows. */
static inline size_t mien_rows_element(mien_dtype dtype) { return dtype == MIEN_F64 ? 8 : dtype == MIEN_F32 ? 4 : 2; }

/* A caller's rows, however old the structure and with its stride, for `call` on n of them. */
MIEN_MUST_USE mien_status mien_rows_check(const mien_session *session, const char *call, const mien_rows *given,
                                          size_t n, mien_rows *rows, mien_error *error);

/* ---- CUDA ------------------------------------------------------------------------------------------------------ */

/* Runs the job, whose `base` has its session alone, over n rows or texts; counts what is bad and truncated in it. */
MIEN_MUST_USE mien_status mien_rows_run_cuda(mien_rows_job *job, size_t n, mien_error *error);
MIEN_MUST_USE mien_status mien_texts_run_cuda(mien_texts_job *job, size_t n, mien_error *error);

#endif
