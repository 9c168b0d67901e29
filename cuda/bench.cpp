/* SPDX-License-Identifier: Apache-2.0 */
/* A benchmark from its beginning to its end; what is measured is in bench_roofs.cu, bench_head.cu, bench_encoder.cu. */
#include "bench.h"

/* ---- Memory and events ------------------------------------------------------------------------------------------- */

mien_bench::~mien_bench(void) {
  if (stream) (void)cudaStreamSynchronize(stream);
  if (from) (void)cudaEventDestroy(from);
  if (to) (void)cudaEventDestroy(to);
  if (stream) (void)cudaStreamDestroy(stream);
  mien_arena_free(&kept);
}

mien_bench_memory::~mien_bench_memory(void) {
  (void)cudaStreamSynchronize(bench->stream);
  mien_pinned_free(&pinned);
  mien_arena_free(&arena);
}

static cudaError_t start(mien_bench *b) {
  enum { TIMES_THE_CACHE = 4, EVENT_WITH_TIME = 0 }; /* its replacement is not known to be of the least recently used */
  int l2;
  MIEN_TRY(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, b->engine->ordinal));
  b->cold_bytes = b->is_trial ? (size_t)4096 : TIMES_THE_CACHE * (size_t)l2;
  MIEN_TRY(cudaStreamCreateWithFlags(&b->stream, cudaStreamNonBlocking));
  MIEN_TRY(cudaEventCreateWithFlags(&b->from, EVENT_WITH_TIME));
  MIEN_TRY(cudaEventCreateWithFlags(&b->to, EVENT_WITH_TIME));
  MIEN_PASS(mien_arena_take(&b->kept, b->cold_bytes / sizeof(uint4), &b->cold));
  MIEN_PASS(mien_arena_take(&b->kept, 1, &b->sink));
  MIEN_TRY(cudaMemsetAsync(b->cold, 0, b->cold_bytes, b->stream));
  return cudaSuccess;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

mien_status mien_engine_bench(mien_cuda_engine *engine, const mien_cuda_bench *request, mien_error *error) {
  mien_status status = mien_engine_check(engine, error);
  if (status != MIEN_OK) return status;
  const mien_on_device here(engine);
  mien_bench bench(engine, request);
  cudaError_t code = here.code == cudaSuccess ? start(&bench) : here.code;
  if (code == cudaSuccess && request->parts & MIEN_BENCH_ROOFS) code = mien_bench_roofs(&bench);
  status = mien_engine_end(engine, code, "measuring the device", error);
  if (status == MIEN_OK && engine->has_head && request->parts & MIEN_BENCH_HEAD)
    status = mien_bench_head(&bench, error);
  if (status == MIEN_OK && engine->has_encoder && request->parts & (MIEN_BENCH_ENCODER | MIEN_BENCH_REST))
    status = mien_bench_encoder(&bench, error);
  return status;
}
