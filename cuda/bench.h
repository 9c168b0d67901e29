/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring on a device: a stream with two events around the work, memory that is freed together, and what is told. */
#ifndef MIEN_CUDA_BENCH_H
#define MIEN_CUDA_BENCH_H

#include <math.h>

#include <chrono>

#include "engine.h"

/* A benchmark on its way, on the thread's device. */
struct mien_bench {
  mien_bench(mien_cuda_engine *engine_, const mien_cuda_bench *request_)
      : engine(engine_), request(request_), is_trial(request_->seconds <= 0) {}
  mien_bench(const mien_bench &) = delete;
  ~mien_bench(void);

  mien_cuda_engine *engine;
  const mien_cuda_bench *request;
  bool is_trial; /* everything once, and little of it */
  cudaStream_t stream = NULL;
  cudaEvent_t from = NULL, to = NULL;
  mien_arena kept = {}; /* as long as the benchmark */
  uint4 *cold = NULL;   /* [cold_bytes] more than the second-level cache holds */
  size_t cold_bytes = 0;
  unsigned *sink = NULL; /* where kernels could write what they are run for */
};

/* Memory of a part of it, freed at that one's end, when all work is done. */
struct mien_bench_memory {
  explicit mien_bench_memory(const mien_bench *bench_) : bench(bench_) {}
  mien_bench_memory(const mien_bench_memory &) = delete;
  ~mien_bench_memory(void);
  const mien_bench *bench;
  mien_arena arena = {};
  mien_pinned pinned;
};

/* Random numbers from -scale to scale. F32, F16 or BF16. */
cudaError_t mien_bench_fill(const mien_bench *bench, mien_dtype dtype, void *out, size_t n, float scale);

/* Reads `bytes`, a multiple of 16, of device memory. */
cudaError_t mien_bench_read(const mien_bench *bench, const uint4 *memory, size_t bytes);

/* Seconds of a clock that only goes forward. */
static inline double mien_bench_now(void) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/* Whether what is timed begins with its data in memory alone, or has what the run before it left in the cache. */
typedef enum mien_bench_cache { MIEN_COLD, MIEN_WARM } mien_bench_cache;

/*
 * The seconds of the best of several timings of `work()`, which queues it on the stream and returns a cudaError_t; they
 * go on for `least` seconds. Reads of more than the second-level cache holds go before each timing: they empty it, with
 * nothing left in it that is still to be written, and keep the device busy while the work is queued. Work that is warm
 * is run several times, so that the first run and what events cost count for little.
 */
template <class Work>
static cudaError_t mien_bench_time_for(const mien_bench *b, double least, mien_bench_cache cache, const Work &work,
                                       double *seconds) {
  enum { WARM_RUNS = 8 };
  const int runs = cache == MIEN_COLD || b->is_trial ? 1 : (int)WARM_RUNS;
  const double until = mien_bench_now() + least;
  float best = INFINITY;
  MIEN_PASS(work()); /* its kernels are loaded */
  do {
    float milliseconds;
    MIEN_PASS(mien_bench_read(b, b->cold, b->cold_bytes));
    MIEN_TRY(cudaEventRecord(b->from, b->stream));
    for (int i = 0; i < runs; i++) MIEN_PASS(work());
    MIEN_TRY(cudaEventRecord(b->to, b->stream));
    MIEN_TRY(cudaEventSynchronize(b->to));
    MIEN_TRY(cudaEventElapsedTime(&milliseconds, b->from, b->to));
    best = fminf(best, milliseconds);
  } while (mien_bench_now() < until);
  *seconds = (double)best / 1e3 / runs;
  return cudaSuccess;
}

template <class Work>
static cudaError_t mien_bench_time(const mien_bench *b, mien_bench_cache cache, const Work &work, double *seconds) {
  return mien_bench_time_for(b, b->request->seconds, cache, work, seconds);
}

/* The same of work that waits for its own end, by the clock; it returns a mien_status. */
template <class Work> static mien_status mien_bench_time_calls(const mien_bench *b, const Work &work, double *seconds) {
  const double until = mien_bench_now() + b->request->seconds;
  mien_status status = work();
  *seconds = INFINITY;
  do {
    const double start = mien_bench_now();
    if (status == MIEN_OK) status = work();
    *seconds = fmin(*seconds, mien_bench_now() - start);
  } while (status == MIEN_OK && mien_bench_now() < until);
  return status;
}

/* A measurement with nothing in it. */
static inline mien_cuda_measure mien_bench_measure(mien_cuda_subject subject, const char *part, mien_dtype dtype) {
  mien_cuda_measure measure = {};
  measure.subject = subject;
  measure.part = part;
  measure.dtype = dtype;
  measure.way = measure.output = measure.bytes_roof = measure.operations_roof = measure.peak = "";
  return measure;
}
static inline void mien_bench_tell(const mien_bench *b, const mien_cuda_measure *measure) {
  b->request->tell(b->request->user, measure);
}

/* ---- The parts: they tell what they measure ---- */
cudaError_t mien_bench_roofs(const mien_bench *bench);
mien_status mien_bench_head(const mien_bench *bench, mien_error *error);
mien_status mien_bench_encoder(const mien_bench *bench, mien_error *error);

#endif
