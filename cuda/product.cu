/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of product.h. A block makes a tile of rows × outputs; pieces of both operands, 32 inputs deep, come to
 * shared memory some steps ahead of their use. There, the 16-byte chunks of a row are swapped by bits of the row's
 * number, so that neither stores nor ldmatrix meet in a bank.
 */
#include "product.h"

#include "activation.h"
#include "tensor.h"

enum { DEPTH = 32, CHUNK = 8, CHUNKS = DEPTH / CHUNK, STAGES = 4, NORM_STAGES = 3 };

/* How a block of threads shares a tile. */
template <int rows, int outputs, int warps_of_rows, int warps_of_outputs, int stages> struct tiling {
  enum {
    ROWS = rows,
    OUTPUTS = outputs,
    OUTPUT_WARPS = warps_of_outputs,
    WARPS = warps_of_rows * warps_of_outputs,
    THREADS = WARPS * MIEN_WARP,
    WARP_ROWS = rows / warps_of_rows,
    WARP_OUTPUTS = outputs / warps_of_outputs,
    ROW_TILES = WARP_ROWS / 16,
    OUTPUT_TILES = WARP_OUTPUTS / 8,
    STAGE_COUNT = stages,
    STAGE = (rows + outputs) * DEPTH, /* numbers */
    SHARED_BYTES = stages * STAGE * 2
  };
};

/* Where a chunk of a row lies. */
static __device__ __forceinline__ int place(int row, int chunk) {
  return row * DEPTH + (chunk ^ (row >> 1 & 3)) * CHUNK;
}

/* Rows [first, first + ROWS) of a matrix, from input k on, to shared memory; zeros for what it has not. */
template <int ROWS, int THREADS>
static __device__ __forceinline__ void load_piece(uint16_t *to, const uint16_t *matrix, int first, int n, int k,
                                                  int inputs) {
#pragma unroll
  for (int i = 0; i < ROWS * CHUNKS / THREADS; i++) {
    const int at = i * THREADS + (int)threadIdx.x, row = at / CHUNKS, chunk = at % CHUNKS;
    const bool is_there = first + row < n && k + chunk * CHUNK < inputs;
    const uint16_t *from =
        matrix + (is_there ? (size_t)(first + row) * (size_t)inputs + (size_t)(k + chunk * CHUNK) : 0);
    mien_copy_async(to + place(row, chunk), from, is_there ? 16 : 0);
  }
}

/* Step `step` of the sums: of one plane all inputs; of two, first the small products. */
template <class Tiling>
static __device__ __forceinline__ void load_step(uint16_t *stage, const mien_product &p, int step, int steps,
                                                 int first_row, int n, int first_output) {
  const int pass = step / steps, k = step % steps * DEPTH;
  const bool rest_of_x = p.x.plane > 0 && pass == 0, rest_of_w = p.x.plane > 0 && pass == 1;
  load_piece<Tiling::ROWS, Tiling::THREADS>(stage, p.x.numbers + (rest_of_x ? p.x.plane : 0), first_row, n, k,
                                            p.inputs);
  load_piece<Tiling::OUTPUTS, Tiling::THREADS>(stage + Tiling::ROWS * DEPTH, p.w.numbers + (rest_of_w ? p.w.plane : 0),
                                               first_output, p.outputs, k, p.inputs);
}

template <class Number, class Tiling>
static __device__ __forceinline__ void multiply_step(float sums[Tiling::ROW_TILES][Tiling::OUTPUT_TILES][4],
                                                     const uint16_t *stage, int warp_row, int warp_output, int lane) {
  const uint16_t *x = stage, *w = stage + Tiling::ROWS * DEPTH;
#pragma unroll
  for (int half = 0; half < DEPTH / 16; half++) {
    uint32_t a[Tiling::ROW_TILES][4], b[Tiling::OUTPUT_TILES][2];
#pragma unroll
    for (int tile = 0; tile < Tiling::ROW_TILES; tile++)
      mien_load_matrices(a[tile], x + place(warp_row + tile * 16 + lane % 16, half * 2 + lane / 16));
#pragma unroll
    for (int pair = 0; pair < Tiling::OUTPUT_TILES / 2; pair++) {
      uint32_t both[4];
      mien_load_matrices(both, w + place(warp_output + pair * 16 + lane / 16 * 8 + lane % 8, half * 2 + lane / 8 % 2));
      b[2 * pair][0] = both[0], b[2 * pair][1] = both[1];
      b[2 * pair + 1][0] = both[2], b[2 * pair + 1][1] = both[3];
    }
#pragma unroll
    for (int tile = 0; tile < Tiling::ROW_TILES; tile++)
#pragma unroll
      for (int output = 0; output < Tiling::OUTPUT_TILES; output++)
        mien_mma<Number>(sums[tile][output], a[tile], b[output]);
  }
}

/* The sums of a block's tile. Shared memory may be written again when all threads have come to a barrier. */
template <class Number, class Tiling>
static __device__ __forceinline__ void multiply(float sums[Tiling::ROW_TILES][Tiling::OUTPUT_TILES][4],
                                                const mien_product &p, uint16_t *shared, int first_row, int n,
                                                int first_output, int warp_row, int warp_output, int lane) {
  const int steps = (p.inputs + DEPTH - 1) / DEPTH, all = p.x.plane > 0 ? 3 * steps : steps;
#pragma unroll
  for (int step = 0; step < Tiling::STAGE_COUNT - 1; step++) {
    if (step < all) load_step<Tiling>(shared + step * Tiling::STAGE, p, step, steps, first_row, n, first_output);
    mien_copy_group();
  }
  for (int step = 0; step < all; step++) {
    mien_copy_wait<Tiling::STAGE_COUNT - 2>();
    __syncthreads(); /* this step's numbers are there, and all have read those of the step before */
    const int next = step + Tiling::STAGE_COUNT - 1;
    if (next < all)
      load_step<Tiling>(shared + next % Tiling::STAGE_COUNT * Tiling::STAGE, p, next, steps, first_row, n,
                        first_output);
    mien_copy_group();
    multiply_step<Number, Tiling>(sums, shared + step % Tiling::STAGE_COUNT * Tiling::STAGE, warp_row, warp_output,
                                  lane);
  }
  mien_copy_wait<0>();
}

static __device__ __forceinline__ float finish(const mien_product &p, float sum, int output) {
  return (p.scales ? sum * p.scales[output] : sum) + p.bias[output];
}

/* ---- With GELU or a residual ------------------------------------------------------------------------------------- */

typedef tiling<128, 128, 2, 2, STAGES> plain_tiling;

template <class Number> static __global__ void __launch_bounds__(plain_tiling::THREADS) multiply_plain(mien_product p) {
  typedef plain_tiling T;
  MIEN_SHARED(shared);
  const int n = *p.n, first_row = (int)blockIdx.y * T::ROWS, first_output = (int)blockIdx.x * T::OUTPUTS;
  if (first_row >= n) return;
  const int lane = (int)threadIdx.x % MIEN_WARP, warp = (int)threadIdx.x / MIEN_WARP;
  const int warp_row = warp / T::OUTPUT_WARPS * T::WARP_ROWS, warp_output = warp % T::OUTPUT_WARPS * T::WARP_OUTPUTS;
  float sums[T::ROW_TILES][T::OUTPUT_TILES][4] = {};
  multiply<Number, T>(sums, p, reinterpret_cast<uint16_t *>(shared), first_row, n, first_output, warp_row, warp_output,
                      lane);
#pragma unroll
  for (int tile = 0; tile < T::ROW_TILES; tile++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = first_row + warp_row + tile * 16 + half * 8 + lane / 4;
      if (row >= n) continue;
#pragma unroll
      for (int i = 0; i < T::OUTPUT_TILES; i++) {
        const int output = first_output + warp_output + i * 8 + lane % 4 * 2;
        if (output >= p.outputs) continue;
        const size_t at = (size_t)row * (size_t)p.outputs + (size_t)output;
        float first = finish(p, sums[tile][i][2 * half], output);
        float second = finish(p, sums[tile][i][2 * half + 1], output + 1);
        if (p.gelu) first = mien_gelu(first), second = mien_gelu(second);
        if (p.residual) {
          const float2 residual = *reinterpret_cast<const float2 *>(p.residual + at);
          first += residual.x, second += residual.y;
        }
        if (p.y) *reinterpret_cast<float2 *>(p.y + at) = make_float2(first, second);
        if (p.y16.numbers) mien_store_pair<Number>(p.y16, at, first, second);
      }
    }
}

/* ---- With a residual and LayerNorm ------------------------------------------------------------------------------- */

/* All outputs of a row are in one block. */
enum { NORM_ROWS = 64, NORM_WARPS = 8 };
template <int outputs> struct norm_tiling : tiling<NORM_ROWS, outputs, 1, NORM_WARPS, NORM_STAGES> {};

/* Sums of rows over all threads that have a part of them, in a fixed order: by lanes, then by warps. parts[tile][half]
 * becomes the row's sum. `shared` [NORM_ROWS × NORM_WARPS] */
template <class T>
static __device__ __forceinline__ void sum_rows(float parts[T::ROW_TILES][2], float *shared, int lane, int warp) {
#pragma unroll
  for (int tile = 0; tile < T::ROW_TILES; tile++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float sum = parts[tile][half];
      sum += __shfl_xor_sync(MIEN_ALL_LANES, sum, 1);
      sum += __shfl_xor_sync(MIEN_ALL_LANES, sum, 2);
      if (lane % 4 == 0) shared[(tile * 16 + half * 8 + lane / 4) * NORM_WARPS + warp] = sum;
    }
  __syncthreads();
#pragma unroll
  for (int tile = 0; tile < T::ROW_TILES; tile++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const float *row = shared + (tile * 16 + half * 8 + lane / 4) * NORM_WARPS;
      float sum = 0;
#pragma unroll
      for (int i = 0; i < NORM_WARPS; i++) sum += row[i];
      parts[tile][half] = sum;
    }
  __syncthreads();
}

template <class Number, int outputs>
static __global__ void __launch_bounds__(norm_tiling<outputs>::THREADS) multiply_norm(mien_product_norm p) {
  typedef norm_tiling<outputs> T;
  MIEN_SHARED(shared);
  const int n = *p.product.n, first_row = (int)blockIdx.x * T::ROWS;
  if (first_row >= n) return;
  const int lane = (int)threadIdx.x % MIEN_WARP, warp = (int)threadIdx.x / MIEN_WARP;
  const int warp_output = warp * T::WARP_OUTPUTS;
  float sums[T::ROW_TILES][T::OUTPUT_TILES][4] = {};
  multiply<Number, T>(sums, p.product, reinterpret_cast<uint16_t *>(shared), first_row, n, 0, 0, warp_output, lane);
  __syncthreads();
  float parts[T::ROW_TILES][2] = {};
#pragma unroll
  for (int tile = 0; tile < T::ROW_TILES; tile++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = first_row + tile * 16 + half * 8 + lane / 4;
#pragma unroll
      for (int i = 0; i < T::OUTPUT_TILES; i++) {
        const int output = warp_output + i * 8 + lane % 4 * 2;
        float *sum = &sums[tile][i][2 * half];
        float2 residual = make_float2(0, 0);
        if (row < n)
          residual = *reinterpret_cast<const float2 *>(p.product.residual + (size_t)row * outputs + (size_t)output);
        sum[0] = finish(p.product, sum[0], output) + residual.x;
        sum[1] = finish(p.product, sum[1], output + 1) + residual.y;
        parts[tile][half] += sum[0];
        parts[tile][half] += sum[1];
      }
    }
  float *scratch = reinterpret_cast<float *>(shared);
  sum_rows<T>(parts, scratch, lane, warp);
  float means[T::ROW_TILES][2];
#pragma unroll
  for (int tile = 0; tile < T::ROW_TILES; tile++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      means[tile][half] = parts[tile][half] * (1.0f / outputs);
      parts[tile][half] = 0;
#pragma unroll
      for (int i = 0; i < T::OUTPUT_TILES; i++) {
        const float first = sums[tile][i][2 * half] - means[tile][half];
        const float second = sums[tile][i][2 * half + 1] - means[tile][half];
        parts[tile][half] += first * first;
        parts[tile][half] += second * second;
      }
    }
  sum_rows<T>(parts, scratch, lane, warp);
#pragma unroll
  for (int tile = 0; tile < T::ROW_TILES; tile++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = first_row + tile * 16 + half * 8 + lane / 4;
      if (row >= n) continue;
      const float inverse = 1.0f / sqrtf(parts[tile][half] * (1.0f / outputs) + p.epsilon);
#pragma unroll
      for (int i = 0; i < T::OUTPUT_TILES; i++) {
        const int output = warp_output + i * 8 + lane % 4 * 2;
        const size_t at = (size_t)row * outputs + (size_t)output;
        float first = (sums[tile][i][2 * half] - means[tile][half]) * inverse * p.gamma[output] + p.beta[output];
        float second =
            (sums[tile][i][2 * half + 1] - means[tile][half]) * inverse * p.gamma[output + 1] + p.beta[output + 1];
        *reinterpret_cast<float2 *>(p.product.y + at) = make_float2(first, second);
        if (p.multipliers) first *= p.multipliers[output], second *= p.multipliers[output + 1];
        if (p.product.y16.numbers) mien_store_pair<Number>(p.product.y16, at, first, second);
      }
    }
}

/* ---- Launches ---------------------------------------------------------------------------------------------------- */

typedef void (*norm_kernel)(mien_product_norm);
typedef struct norm_choice {
  size_t outputs;
  norm_kernel bf16, f16;
  size_t shared;
} norm_choice;

#define NORM_CHOICE(outputs)                                                                                           \
  { outputs, multiply_norm<mien_bf16, outputs>, multiply_norm<mien_f16, outputs>, norm_tiling<outputs>::SHARED_BYTES }
static const norm_choice norm_choices[] = {NORM_CHOICE(128), NORM_CHOICE(256), NORM_CHOICE(384)};

static const norm_choice *norm_of(size_t outputs) {
  for (size_t i = 0; i < sizeof norm_choices / sizeof *norm_choices; i++)
    if (norm_choices[i].outputs == outputs) return &norm_choices[i];
  return NULL;
}

bool mien_product_has_norm(size_t outputs) { return norm_of(outputs) != NULL; }

template <class Kernel> static cudaError_t allow(Kernel *kernel, size_t bytes) {
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);
}

cudaError_t mien_product_prepare(void) {
  cudaError_t error = allow(multiply_plain<mien_bf16>, plain_tiling::SHARED_BYTES);
  if (error == cudaSuccess) error = allow(multiply_plain<mien_f16>, plain_tiling::SHARED_BYTES);
  for (size_t i = 0; i < sizeof norm_choices / sizeof *norm_choices && error == cudaSuccess; i++) {
    error = allow(norm_choices[i].bf16, norm_choices[i].shared);
    if (error == cudaSuccess) error = allow(norm_choices[i].f16, norm_choices[i].shared);
  }
  return error;
}

cudaError_t mien_product_run(mien_dtype dtype, const mien_product *product, size_t most, cudaStream_t stream) {
  const dim3 grid((unsigned)((product->outputs + plain_tiling::OUTPUTS - 1) / plain_tiling::OUTPUTS),
                  (unsigned)((most + plain_tiling::ROWS - 1) / plain_tiling::ROWS));
  return mien_launch(dtype == MIEN_F16 ? multiply_plain<mien_f16> : multiply_plain<mien_bf16>, grid,
                     plain_tiling::THREADS, plain_tiling::SHARED_BYTES, stream, *product);
}

cudaError_t mien_product_run_norm(mien_dtype dtype, const mien_product_norm *product, size_t most,
                                  cudaStream_t stream) {
  const norm_choice *choice = norm_of((size_t)product->product.outputs);
  return mien_launch(dtype == MIEN_F16 ? choice->f16 : choice->bf16,
                     dim3((unsigned)((most + NORM_ROWS - 1) / NORM_ROWS)), NORM_WARPS * MIEN_WARP, choice->shared,
                     stream, *product);
}
