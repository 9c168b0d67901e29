/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention. On the tensor cores a warp takes 16 queries of one head of one text past its keys, 16 at a time, with the
 * softmax kept up to date as Milakov and Gimelshein, 2018 (arXiv:1805.02867) and Dao et al., 2022 (arXiv:2205.14135)
 * have it; scores never leave registers. In float32 a warp takes one query, its scores in shared memory.
 */
#include "layers.h"

#include "activation.h"
#include "tensor.h"

enum { ATTEND_WARPS = 4, ATTEND_BLOCKS = 16, KEYS = 16, EXACT_WARPS = 4 };

#define LOG2_E 1.44269504f

/* ---- On the tensor cores ----------------------------------------------------------------------------------------- */

/* Two neighbouring numbers of a token's row; zeros where there is no such token. */
static __device__ __forceinline__ uint32_t load_pair(const uint16_t *heads, size_t stride, int token, int n,
                                                     int column) {
  return token < n ? *reinterpret_cast<const uint32_t *>(heads + (size_t)token * stride + (size_t)column) : 0;
}

/* Numbers of one column of two neighbouring tokens. */
static __device__ __forceinline__ uint32_t load_column(const uint16_t *heads, size_t stride, int token, int n,
                                                       int column) {
  const uint16_t *at = heads + (size_t)token * stride + (size_t)column;
  const uint32_t first = token < n ? *at : 0, second = token + 1 < n ? at[stride] : 0;
  return first | second << 16;
}

template <class Number, int COLUMNS>
static __device__ __forceinline__ void attend_tile(const mien_attend &p, const mien_tile &tile, int head, int lane) {
  const int group = lane / 4, thread = lane % 4, columns = p.n_heads * COLUMNS;
  const size_t stride = 3 * (size_t)columns;
  const uint16_t *queries =
      static_cast<const uint16_t *>(p.heads) + (size_t)tile.start * stride + (size_t)(head * COLUMNS);
  const uint16_t *keys = queries + columns, *values = keys + columns;
  uint32_t q[COLUMNS / 16][4];
#pragma unroll
  for (int part = 0; part < COLUMNS / 16; part++)
#pragma unroll
    for (int i = 0; i < 4; i++)
      q[part][i] =
          load_pair(queries, stride, tile.first + group + i % 2 * 8, tile.length, part * 16 + thread * 2 + i / 2 * 8);
  float out[COLUMNS / 8][4] = {}, most[2] = {-INFINITY, -INFINITY}, sums[2] = {0, 0};
  for (int key = 0; key < tile.length; key += KEYS) {
    float scores[2][4] = {};
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
      for (int part = 0; part < COLUMNS / 16; part++) {
        const int token = key + half * 8 + group, column = part * 16 + thread * 2;
        const uint32_t k[2] = {load_pair(keys, stride, token, tile.length, column),
                               load_pair(keys, stride, token, tile.length, column + 8)};
        mien_mma<Number>(scores[half], q[part], k);
      }
    uint32_t weights[4];
#pragma unroll
    for (int row = 0; row < 2; row++) { /* of a lane: groups g and g + 8 */
      float largest = most[row];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        float *score = &scores[i / 2][row * 2 + i % 2];
        if (key + i / 2 * 8 + thread * 2 + i % 2 >= tile.length) *score = -INFINITY;
        largest = fmaxf(largest, *score);
      }
      largest = fmaxf(largest, __shfl_xor_sync(MIEN_ALL_LANES, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(MIEN_ALL_LANES, largest, 2));
      const float shrink = exp2f((most[row] - largest) * LOG2_E); /* 0 at first */
      most[row] = largest;
      float sum = 0;
#pragma unroll
      for (int i = 0; i < 4; i++) {
        float *score = &scores[i / 2][row * 2 + i % 2];
        *score = exp2f((*score - largest) * LOG2_E);
        sum += *score;
      }
      sums[row] = sums[row] * shrink + sum;
#pragma unroll
      for (int part = 0; part < COLUMNS / 8; part++) out[part][row * 2] *= shrink, out[part][row * 2 + 1] *= shrink;
#pragma unroll
      for (int half = 0; half < 2; half++)
        weights[half * 2 + row] = mien_pair<Number>(scores[half][row * 2], scores[half][row * 2 + 1]);
    }
#pragma unroll
    for (int part = 0; part < COLUMNS / 8; part++) {
      const int token = key + thread * 2, column = part * 8 + group;
      const uint32_t v[2] = {load_column(values, stride, token, tile.length, column),
                             load_column(values, stride, token + 8, tile.length, column)};
      mien_mma<Number>(out[part], weights, v);
    }
  }
#pragma unroll
  for (int row = 0; row < 2; row++) {
    float sum = sums[row];
    sum += __shfl_xor_sync(MIEN_ALL_LANES, sum, 1);
    sum += __shfl_xor_sync(MIEN_ALL_LANES, sum, 2);
    const int query = tile.first + group + row * 8;
    if (query >= tile.length) continue;
    const float inverse = 1.0f / sum;
    const size_t at = (size_t)(tile.start + query) * (size_t)columns + (size_t)(head * COLUMNS + thread * 2);
#pragma unroll
    for (int part = 0; part < COLUMNS / 8; part++)
      mien_store_pair<Number>(p.y16, at + (size_t)(part * 8), out[part][row * 2] * inverse,
                              out[part][row * 2 + 1] * inverse);
  }
}

template <class Number, int COLUMNS>
static __global__ void __launch_bounds__(ATTEND_WARPS *MIEN_WARP) attend(mien_attend p) {
  const int all = p.batch.counts[MIEN_COUNT_TILES] * p.n_heads, lane = (int)threadIdx.x % MIEN_WARP;
  for (int i = (int)(blockIdx.x * ATTEND_WARPS + threadIdx.x / MIEN_WARP); i < all; i += (int)gridDim.x * ATTEND_WARPS)
    attend_tile<Number, COLUMNS>(p, p.batch.tiles[i / p.n_heads], i % p.n_heads, lane);
}

/* ---- In float32 -------------------------------------------------------------------------------------------------- */

/* Four neighbouring numbers; `at` is a multiple of 4. */
static __device__ __forceinline__ float4 four_of(const mien_attend &p, size_t at) {
  if (p.kept == MIEN_KEPT_F32 || p.kept == MIEN_KEPT_BF16X2)
    return *reinterpret_cast<const float4 *>(static_cast<const float *>(p.heads) + at);
  const uint2 bits = *reinterpret_cast<const uint2 *>(static_cast<const uint16_t *>(p.heads) + at);
  const uint16_t halves[4] = {(uint16_t)bits.x, (uint16_t)(bits.x >> 16), (uint16_t)bits.y, (uint16_t)(bits.y >> 16)};
  float numbers[4];
#pragma unroll
  for (int i = 0; i < 4; i++)
    numbers[i] = p.kept == MIEN_KEPT_F16 ? mien_f16::number(halves[i]) : mien_bf16::number(halves[i]);
  return make_float4(numbers[0], numbers[1], numbers[2], numbers[3]);
}

static __device__ __forceinline__ float number_of(const mien_attend &p, size_t at) {
  switch (p.kept) {
  case MIEN_KEPT_BF16: return mien_bf16::number(static_cast<const uint16_t *>(p.heads)[at]);
  case MIEN_KEPT_F16: return mien_f16::number(static_cast<const uint16_t *>(p.heads)[at]);
  default: return static_cast<const float *>(p.heads)[at];
  }
}

static __device__ __forceinline__ void attend_query(const mien_attend &p, const mien_tile &tile, int query, int head,
                                                    float *scores, int lane) {
  const size_t columns = (size_t)(p.n_heads * p.columns), stride = 3 * columns;
  const size_t start = (size_t)tile.start * stride + (size_t)(head * p.columns), q = start + (size_t)query * stride;
  float most = -INFINITY, sum = 0;
  for (int key = lane; key < tile.length; key += MIEN_WARP) {
    const size_t k = start + columns + (size_t)key * stride;
    float score = 0;
    for (int i = 0; i < p.columns; i += 4) {
      const float4 of_query = four_of(p, q + (size_t)i), of_key = four_of(p, k + (size_t)i);
      score = fmaf(of_query.x, of_key.x, score);
      score = fmaf(of_query.y, of_key.y, score);
      score = fmaf(of_query.z, of_key.z, score);
      score = fmaf(of_query.w, of_key.w, score);
    }
    scores[key] = score;
    most = fmaxf(most, score);
  }
  most = mien_warp_max(most);
  for (int key = lane; key < tile.length; key += MIEN_WARP) {
    scores[key] = expf(scores[key] - most);
    sum += scores[key];
  }
  sum = mien_warp_sum(sum);
  __syncwarp();
  for (int i = 2 * lane; i < p.columns; i += 2 * MIEN_WARP) {
    const size_t v = start + 2 * columns + (size_t)i;
    float first = 0, second = 0;
    for (int key = 0; key < tile.length; key++) {
      first = fmaf(scores[key], number_of(p, v + (size_t)key * stride), first);
      second = fmaf(scores[key], number_of(p, v + (size_t)key * stride + 1), second);
    }
    first /= sum, second /= sum;
    const size_t at = (size_t)(tile.start + query) * columns + (size_t)(head * p.columns + i);
    if (p.kept == MIEN_KEPT_F32)
      *reinterpret_cast<float2 *>(p.y + at) = make_float2(first, second);
    else if (p.kept == MIEN_KEPT_F16)
      mien_store_pair<mien_f16>(p.y16, at, first, second);
    else
      mien_store_pair<mien_bf16>(p.y16, at, first, second);
  }
  __syncwarp();
}

static __global__ void __launch_bounds__(EXACT_WARPS *MIEN_WARP) attend_exactly(mien_attend p) {
  MIEN_SHARED(shared);
  const int all = p.batch.counts[MIEN_COUNT_TILES] * p.n_heads, lane = (int)threadIdx.x % MIEN_WARP;
  const int warp = (int)threadIdx.x / MIEN_WARP;
  float *scores = reinterpret_cast<float *>(shared) + (size_t)warp * (size_t)p.most_tokens;
  for (int i = (int)blockIdx.x; i < all; i += (int)gridDim.x) {
    const mien_tile tile = p.batch.tiles[i / p.n_heads];
    const int end = tile.first + MIEN_QUERY_TILE < tile.length ? tile.first + MIEN_QUERY_TILE : tile.length;
    for (int query = tile.first + warp; query < end; query += EXACT_WARPS)
      attend_query(p, tile, query, i % p.n_heads, scores, lane);
  }
}

/* ---- Launches ---------------------------------------------------------------------------------------------------- */

typedef void (*attend_kernel)(mien_attend);

/* NULL where the tensor cores have none. */
static attend_kernel kernel_of(const mien_attend *p) {
  const bool f16 = p->kept == MIEN_KEPT_F16;
  if (!f16 && p->kept != MIEN_KEPT_BF16) return NULL;
  switch (p->columns) {
  case 16: return f16 ? attend<mien_f16, 16> : attend<mien_bf16, 16>;
  case 32: return f16 ? attend<mien_f16, 32> : attend<mien_bf16, 32>;
  case 64: return f16 ? attend<mien_f16, 64> : attend<mien_bf16, 64>;
  default: return NULL;
  }
}

bool mien_attend_is_exact(const mien_attend *p) { return kernel_of(p) == NULL; }

static size_t exact_bytes(int most_tokens) { return EXACT_WARPS * (size_t)most_tokens * sizeof(float); }

bool mien_attend_fits(int most_tokens, size_t shared_bytes) { return exact_bytes(most_tokens) <= shared_bytes; }

cudaError_t mien_attend_prepare(size_t shared_bytes) {
  return cudaFuncSetAttribute(attend_exactly, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes);
}

cudaError_t mien_attend_run(const mien_attend *p, int multiprocessors, cudaStream_t stream) {
  const dim3 grid((unsigned)(multiprocessors * ATTEND_BLOCKS));
  const attend_kernel kernel = kernel_of(p);
  if (kernel) return mien_launch(kernel, grid, ATTEND_WARPS * MIEN_WARP, 0, stream, *p);
  return mien_launch(attend_exactly, grid, EXACT_WARPS * MIEN_WARP, exact_bytes(p->most_tokens), stream, *p);
}
