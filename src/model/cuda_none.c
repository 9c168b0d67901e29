/* SPDX-License-Identifier: Apache-2.0 */
/* No CUDA device, where libraries can't be opened: every way to one is refused. */
#include "model/cuda.h"
#include "model/jobs.h"

static mien_status refuse(mien_error *error) {
  return mien_fail(error, MIEN_RESOURCE, "CUDA: expected a native build of mien, found one for WebAssembly");
}

mien_status mien_cuda_add_library_folder(const char *folder, mien_error *error) {
  (void)folder;
  return refuse(error);
}

mien_status mien_cuda_device_count(int32_t *count, mien_error *error) {
  (void)count;
  return refuse(error);
}

mien_status mien_cuda_device_describe(int32_t ordinal, mien_cuda_device *device, mien_error *error) {
  (void)ordinal, (void)device;
  return refuse(error);
}

mien_status mien_cuda_label_embeddings(mien_session *session, const mien_rows *rows, size_t n,
                                       const mien_results *results, void *stream, mien_error *error) {
  (void)session, (void)rows, (void)n, (void)results, (void)stream;
  return refuse(error);
}

mien_status mien_engine_acquire(mien_model *model, int32_t ordinal, mien_engine **engine, mien_error *error) {
  (void)model, (void)ordinal, (void)engine;
  return refuse(error);
}

void mien_engine_release(mien_model *model, mien_engine *engine) { (void)model, (void)engine; }

/* There is no session that gets here. */
mien_status mien_device_scratch_create(const mien_model *model, const mien_engine *engine, mien_device_scratch *scratch,
                                       mien_error *error) {
  (void)model, (void)engine, (void)scratch;
  return refuse(error);
}

void mien_device_scratch_destroy(mien_device_scratch *scratch) { (void)scratch; }

mien_status mien_rows_run_cuda(mien_rows_job *job, size_t n, mien_error *error) {
  (void)job, (void)n;
  return refuse(error);
}

mien_status mien_texts_run_cuda(mien_texts_job *job, size_t n, mien_error *error) {
  (void)job, (void)n;
  return refuse(error);
}
