/* SPDX-License-Identifier: Apache-2.0 */
/* What a device does at most: memory, its link to the host, multiply-adds and products in registers and by cuBLASLt. */
#include "bench.h"
#include "cublas.h"
#include "tensor.h"

/* ---- Random numbers ---------------------------------------------------------------------------------------------- */

/* Blocks a multiprocessor: together they have as many threads as any device runs at a time. */
enum { THREADS = 256, BLOCKS = 8 };

static unsigned grid_of(const mien_bench *b) { return (unsigned)(b->engine->multiprocessors * BLOCKS); }

typedef struct fill_parameters {
  mien_dtype dtype;
  void *out;
  size_t n;
  float scale;
} fill_parameters;

/* From -1 to 1, by the mixing steps of MurmurHash3 (Appleby, 2011). */
static __device__ __forceinline__ float random_of(size_t i) {
  uint32_t bits = (uint32_t)i ^ (uint32_t)(i >> 32) * 0x9E3779B9u;
  bits = (bits ^ bits >> 16) * 0x85EBCA6Bu;
  bits = (bits ^ bits >> 13) * 0xC2B2AE35u;
  bits ^= bits >> 16;
  return (float)(bits >> 8) * (1.0f / (1 << 23)) - 1;
}

static __global__ void __launch_bounds__(THREADS) fill(fill_parameters p) {
  for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < p.n; i += (size_t)gridDim.x * THREADS) {
    const float x = p.scale * random_of(i);
    switch (p.dtype) {
    case MIEN_F16: static_cast<uint16_t *>(p.out)[i] = mien_f16::bits(x); break;
    case MIEN_BF16: static_cast<uint16_t *>(p.out)[i] = mien_bf16::bits(x); break;
    default: static_cast<float *>(p.out)[i] = x;
    }
  }
}

cudaError_t mien_bench_fill(const mien_bench *b, mien_dtype dtype, void *out, size_t n, float scale) {
  const fill_parameters p = {dtype, out, n, scale};
  MIEN_TRY(mien_launch(fill, dim3(grid_of(b)), THREADS, 0, b->stream, p));
  return cudaSuccess;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

typedef struct read_parameters {
  const uint4 *memory;
  size_t n;
  unsigned *sink;
} read_parameters;

static __global__ void __launch_bounds__(THREADS) read_all(read_parameters p) {
  enum { LOADS = 8, NEVER = 0x5EED1E55 }; /* loads under way in a thread */
  const size_t threads = (size_t)gridDim.x * THREADS;
  unsigned sum = 0;
  for (size_t first = (size_t)blockIdx.x * THREADS + threadIdx.x; first < p.n; first += LOADS * threads) {
    uint4 loaded[LOADS];
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
      const size_t at = first + (size_t)i * threads;
      loaded[i] = at < p.n ? p.memory[at] : make_uint4(0, 0, 0, 0);
    }
#pragma unroll
    for (int i = 0; i < LOADS; i++) sum += loaded[i].x ^ loaded[i].y ^ loaded[i].z ^ loaded[i].w;
  }
  if (sum == NEVER) *p.sink = sum; /* so that it is worked out */
}

cudaError_t mien_bench_read(const mien_bench *b, const uint4 *memory, size_t bytes) {
  const read_parameters p = {memory, bytes / sizeof(uint4), b->sink};
  MIEN_TRY(mien_launch(read_all, dim3(grid_of(b)), THREADS, 0, b->stream, p));
  return cudaSuccess;
}

/* ---- In registers ------------------------------------------------------------------------------------------------ */

typedef struct loop_parameters {
  int iterations;
  float factor, summand;
  unsigned *sink;
} loop_parameters;

/* Chains of a thread or a warp, none of which waits for another. */
enum { CHAINS = 8, UNROLL = 8 };

/* Blocks of THREADS a multiprocessor: all run at the same time. */
enum { LOOP_BLOCKS = 4 };

static __global__ void __launch_bounds__(THREADS) multiply_add(loop_parameters p) {
  float x[CHAINS], sum = 0;
#pragma unroll
  for (int i = 0; i < CHAINS; i++) x[i] = (float)i + (float)threadIdx.x;
  for (int i = 0; i < p.iterations; i++)
#pragma unroll
    for (int k = 0; k < UNROLL * CHAINS; k++) x[k % CHAINS] = fmaf(x[k % CHAINS], p.factor, p.summand);
#pragma unroll
  for (int i = 0; i < CHAINS; i++) sum += x[i];
  if (sum == -1) *p.sink = 1;
}

template <class Number> static __global__ void __launch_bounds__(THREADS) multiply_tiles(loop_parameters p) {
  const float x = 0.25f + (float)threadIdx.x / THREADS, y = 0.5f - x;
  const uint32_t a[4] = {mien_pair<Number>(x, y), mien_pair<Number>(y, x), mien_pair<Number>(y, y),
                         mien_pair<Number>(x, x)};
  const uint32_t b[2] = {mien_pair<Number>(p.factor, p.summand), mien_pair<Number>(p.summand, -p.factor)};
  float c[CHAINS][4], sum = 0;
#pragma unroll
  for (int chain = 0; chain < CHAINS; chain++)
#pragma unroll
    for (int i = 0; i < 4; i++) c[chain][i] = (float)(chain * 4 + i); /* no two are the same computation */
  for (int i = 0; i < p.iterations; i++)
#pragma unroll
    for (int chain = 0; chain < CHAINS; chain++) mien_mma<Number>(c[chain], a, b);
#pragma unroll
  for (int chain = 0; chain < CHAINS; chain++)
#pragma unroll
    for (int i = 0; i < 4; i++) sum += c[chain][i];
  if (sum == -1) *p.sink = 1;
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

static void tell_bytes(const mien_bench *b, const char *name, double bytes, double seconds) {
  mien_cuda_measure measure = mien_bench_measure(MIEN_MEASURE_ROOF, name, MIEN_F32);
  measure.bytes = bytes;
  measure.seconds = seconds;
  mien_bench_tell(b, &measure);
}

static void tell_operations(const mien_bench *b, const char *name, mien_dtype dtype, double operations,
                            double seconds) {
  mien_cuda_measure measure = mien_bench_measure(MIEN_MEASURE_ROOF, name, dtype);
  measure.operations = operations;
  measure.seconds = seconds;
  mien_bench_tell(b, &measure);
}

/* Many times what the second-level cache holds, and an eighth of what is free at most. */
static cudaError_t memory_bytes(const mien_bench *b, size_t *bytes) {
  const size_t most = b->is_trial ? (size_t)64 << 10 : (size_t)1 << 30;
  size_t free_bytes, total;
  MIEN_TRY(cudaMemGetInfo(&free_bytes, &total));
  *bytes = free_bytes / 8 < most ? free_bytes / 8 : most;
  *bytes -= *bytes % 256;
  return cudaSuccess;
}

static cudaError_t measure_memory(const mien_bench *b) {
  mien_bench_memory memory(b);
  size_t bytes = 0;
  double seconds = 0;
  uint4 *first, *second;
  MIEN_PASS(memory_bytes(b, &bytes));
  MIEN_PASS(mien_arena_take(&memory.arena, bytes / sizeof(uint4), &first));
  MIEN_PASS(mien_arena_take(&memory.arena, bytes / sizeof(uint4), &second));
  MIEN_PASS(mien_bench_fill(b, MIEN_F32, first, bytes / sizeof(float), 1));
  const auto copy = [&] {
    MIEN_TRY(cudaMemcpyAsync(second, first, bytes, cudaMemcpyDeviceToDevice, b->stream));
    return cudaSuccess;
  };
  MIEN_PASS(mien_bench_time(b, MIEN_COLD, copy, &seconds));
  tell_bytes(b, "copy", 2 * (double)bytes, seconds);
  const auto read = [&] { return mien_bench_read(b, first, bytes); };
  MIEN_PASS(mien_bench_time(b, MIEN_COLD, read, &seconds));
  tell_bytes(b, "read", (double)bytes, seconds);
  return cudaSuccess;
}

static cudaError_t measure_link(const mien_bench *b) {
  mien_bench_memory memory(b);
  const size_t bytes = b->is_trial ? (size_t)64 << 10 : (size_t)256 << 20;
  double seconds = 0;
  void *host, *device;
  MIEN_PASS(mien_pinned_take(&memory.pinned, bytes, &host));
  MIEN_PASS(mien_arena_take(&memory.arena, bytes, &device));
  const auto copy = [&] {
    MIEN_TRY(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, b->stream));
    return cudaSuccess;
  };
  MIEN_PASS(mien_bench_time(b, MIEN_COLD, copy, &seconds));
  tell_bytes(b, "link", (double)bytes, seconds);
  return cudaSuccess;
}

/* Rates of a loop in registers; `operations` of a warp in an iteration. */
static cudaError_t measure_loop(const mien_bench *b, const char *name, mien_dtype dtype,
                                void (*kernel)(loop_parameters), double operations) {
  const int iterations = b->is_trial ? 1 : 4096;
  const loop_parameters p = {iterations, -1, 1, b->sink}; /* x, 1 - x, x: bits change, and numbers stay as they are */
  const unsigned grid = (unsigned)(b->engine->multiprocessors * LOOP_BLOCKS);
  double seconds = 0;
  const auto loop = [&] {
    MIEN_TRY(mien_launch(kernel, dim3(grid), THREADS, 0, b->stream, p));
    return cudaSuccess;
  };
  MIEN_PASS(mien_bench_time(b, MIEN_COLD, loop, &seconds));
  tell_operations(b, name, dtype, operations * iterations * (double)grid * (THREADS / MIEN_WARP), seconds);
  return cudaSuccess;
}

static cudaError_t measure_cublas(const mien_bench *b, const char *name, mien_dtype dtype) {
  mien_bench_memory memory(b);
  const size_t side = b->is_trial ? 32 : 8192;
  double seconds = 0;
  uint16_t *x, *w;
  float *y;
  MIEN_PASS(mien_arena_take(&memory.arena, side * side, &x));
  MIEN_PASS(mien_arena_take(&memory.arena, side * side, &w));
  MIEN_PASS(mien_arena_take(&memory.arena, side * side, &y));
  MIEN_PASS(mien_bench_fill(b, dtype, x, side * side, 1));
  MIEN_PASS(mien_bench_fill(b, dtype, w, side * side, 1));
  const auto multiply = [&] { return mien_cublas_multiply(dtype, w, side, side, x, side, side, y, b->stream); };
  MIEN_PASS(mien_bench_time(b, MIEN_COLD, multiply, &seconds));
  tell_operations(b, name, dtype, 2 * (double)side * (double)side * (double)side, seconds);
  return cudaSuccess;
}

cudaError_t mien_bench_roofs(const mien_bench *b) {
  const double of_add = 2.0 * MIEN_WARP * CHAINS * UNROLL, of_tile = 2.0 * 16 * 8 * 16 * CHAINS;
  MIEN_PASS(measure_memory(b));
  MIEN_PASS(measure_link(b));
  MIEN_PASS(measure_loop(b, "fma_f32", MIEN_F32, multiply_add, of_add));
  MIEN_PASS(measure_loop(b, "mma_bf16", MIEN_BF16, multiply_tiles<mien_bf16>, of_tile));
  MIEN_PASS(measure_loop(b, "mma_f16", MIEN_F16, multiply_tiles<mien_f16>, of_tile));
  MIEN_PASS(measure_cublas(b, "cublas_bf16", MIEN_BF16));
  return measure_cublas(b, "cublas_f16", MIEN_F16);
}
