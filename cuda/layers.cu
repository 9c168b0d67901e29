/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings of tokens, LayerNorm and what follows products of cuBLASLt, pooling. */
#include "layers.h"

#include "activation.h"
#include "head_device.h"

enum { ROW_WARPS = 8, BLOCKS_A_MULTIPROCESSOR = 8 };

static __device__ __forceinline__ void store_kept(mien_kept kept, float *y, const mien_planes &y16, size_t at,
                                                  float first, float second) {
  switch (kept) {
  case MIEN_KEPT_F32: *reinterpret_cast<float2 *>(y + at) = make_float2(first, second); break;
  case MIEN_KEPT_F16: mien_store_pair<mien_f16>(y16, at, first, second); break;
  default: mien_store_pair<mien_bf16>(y16, at, first, second);
  }
}

/* ---- LayerNorm: a warp a row ------------------------------------------------------------------------------------- */

typedef struct norm_of_row {
  const float *gamma, *beta, *multipliers;
  float epsilon;
  int columns;
  mien_kept kept;
} norm_of_row;

/* Normalises x [columns], which this warp has just written, lane by lane the same places as here, in place. */
static __device__ __forceinline__ void norm_row(const norm_of_row &norm, float *x, const mien_planes &y16, size_t at,
                                                int lane) {
  const float share = 1.0f / (float)norm.columns;
  float sum = 0;
  for (int i = 2 * lane; i < norm.columns; i += 2 * MIEN_WARP) sum += x[i], sum += x[i + 1];
  const float mean = mien_warp_sum(sum) * share;
  float squares = 0;
  for (int i = 2 * lane; i < norm.columns; i += 2 * MIEN_WARP) {
    const float first = x[i] - mean, second = x[i + 1] - mean;
    squares += first * first, squares += second * second;
  }
  const float inverse = 1.0f / sqrtf(mien_warp_sum(squares) * share + norm.epsilon);
  for (int i = 2 * lane; i < norm.columns; i += 2 * MIEN_WARP) {
    float first = (x[i] - mean) * inverse * norm.gamma[i] + norm.beta[i];
    float second = (x[i + 1] - mean) * inverse * norm.gamma[i + 1] + norm.beta[i + 1];
    *reinterpret_cast<float2 *>(x + i) = make_float2(first, second);
    if (norm.multipliers) first *= norm.multipliers[i], second *= norm.multipliers[i + 1];
    if (norm.kept != MIEN_KEPT_F32) store_kept(norm.kept, NULL, y16, at + (size_t)i, first, second);
  }
}

static __global__ void __launch_bounds__(ROW_WARPS *MIEN_WARP) embed(mien_embed p) {
  const int lane = (int)threadIdx.x % MIEN_WARP, n = p.batch.counts[MIEN_COUNT_TOKENS];
  const norm_of_row norm = {p.gamma, p.beta, p.multipliers, p.epsilon, p.hidden, p.kept};
  for (int token = (int)(blockIdx.x * ROW_WARPS + threadIdx.x / MIEN_WARP); token < n;
       token += (int)gridDim.x * ROW_WARPS) {
    const size_t word = (size_t)p.batch.ids[token] * (size_t)p.hidden, at = (size_t)token * (size_t)p.hidden;
    const float *position = p.positions + (size_t)p.batch.positions[token] * (size_t)p.hidden;
    for (int i = 2 * lane; i < p.hidden; i += 2 * MIEN_WARP) {
      float first, second;
      if (p.words_are_floats) {
        const float2 pair = *reinterpret_cast<const float2 *>(static_cast<const float *>(p.words) + word + (size_t)i);
        first = pair.x, second = pair.y;
      } else {
        const uint32_t pair =
            *reinterpret_cast<const uint32_t *>(static_cast<const uint16_t *>(p.words) + word + (size_t)i);
        const uint16_t low = (uint16_t)pair, high = (uint16_t)(pair >> 16);
        first = p.kept == MIEN_KEPT_F16 ? mien_f16::number(low) : mien_bf16::number(low);
        second = p.kept == MIEN_KEPT_F16 ? mien_f16::number(high) : mien_bf16::number(high);
      }
      *reinterpret_cast<float2 *>(p.y + at + (size_t)i) = make_float2(first + position[i], second + position[i + 1]);
    }
    norm_row(norm, p.y + at, p.y16, at, lane);
  }
}

static __global__ void __launch_bounds__(ROW_WARPS *MIEN_WARP) norm_rows(mien_norm_rows p) {
  const int lane = (int)threadIdx.x % MIEN_WARP, n = *p.n;
  const norm_of_row norm = {p.gamma, p.beta, p.multipliers, p.epsilon, p.columns, p.kept};
  for (int row = (int)(blockIdx.x * ROW_WARPS + threadIdx.x / MIEN_WARP); row < n; row += (int)gridDim.x * ROW_WARPS) {
    const size_t at = (size_t)row * (size_t)p.columns;
    for (int i = 2 * lane; p.sums && i < p.columns; i += 2 * MIEN_WARP) {
      const float2 sum = *reinterpret_cast<const float2 *>(p.sums + at + (size_t)i);
      float2 *y = reinterpret_cast<float2 *>(p.y + at + (size_t)i);
      const float first = (p.scales ? sum.x * p.scales[i] : sum.x) + p.bias[i];
      const float second = (p.scales ? sum.y * p.scales[i + 1] : sum.y) + p.bias[i + 1];
      *y = make_float2(first + y->x, second + y->y);
    }
    norm_row(norm, p.y + at, p.y16, at, lane);
  }
}

static __global__ void __launch_bounds__(ROW_WARPS *MIEN_WARP) finish_rows(mien_finish_rows p) {
  const size_t n = (size_t)*p.n * (size_t)p.columns, threads = (size_t)gridDim.x * ROW_WARPS * MIEN_WARP;
  for (size_t at = 2 * ((size_t)blockIdx.x * ROW_WARPS * MIEN_WARP + threadIdx.x); at < n; at += 2 * threads) {
    const int i = (int)(at % (size_t)p.columns);
    const float2 sum = *reinterpret_cast<const float2 *>(p.sums + at);
    float first = (p.scales ? sum.x * p.scales[i] : sum.x) + p.bias[i];
    float second = (p.scales ? sum.y * p.scales[i + 1] : sum.y) + p.bias[i + 1];
    if (p.gelu) first = mien_gelu(first), second = mien_gelu(second);
    store_kept(p.kept, p.y, p.y16, at, first, second);
  }
}

static dim3 row_grid(int multiprocessors) { return dim3((unsigned)(multiprocessors * BLOCKS_A_MULTIPROCESSOR)); }

cudaError_t mien_embed_run(const mien_embed *p, int multiprocessors, cudaStream_t stream) {
  return mien_launch(embed, row_grid(multiprocessors), ROW_WARPS * MIEN_WARP, 0, stream, *p);
}
cudaError_t mien_norm_run(const mien_norm_rows *p, int multiprocessors, cudaStream_t stream) {
  return mien_launch(norm_rows, row_grid(multiprocessors), ROW_WARPS * MIEN_WARP, 0, stream, *p);
}
cudaError_t mien_finish_run(const mien_finish_rows *p, int multiprocessors, cudaStream_t stream) {
  return mien_launch(finish_rows, row_grid(multiprocessors), ROW_WARPS * MIEN_WARP, 0, stream, *p);
}

/* ---- Pooling: a warp a text, then the head for a block's texts --------------------------------------------------- */

enum { POOL_TEXTS = MIEN_HEAD_TILE_ROWS };

static __device__ __forceinline__ void pool_number(mien_cuda_pooling pooling, float *sum, float x) {
  if (pooling == MIEN_CUDA_POOL_MEAN)
    *sum += x;
  else if (x > *sum || x != x) /* NaN comes in, and stays */
    *sum = x;
}

/* A text's tokens x [n × hidden] to one row, four columns a lane at a time. */
static __device__ __forceinline__ void pool_text(const mien_pool &p, const float *x, int n, float *out, int lane) {
  const float *const end = x + (size_t)n * (size_t)p.hidden;
  for (int i = 4 * lane; i < p.hidden; i += 4 * MIEN_WARP) {
    float4 sum = *reinterpret_cast<const float4 *>(x + i);
    if (p.pooling != MIEN_CUDA_POOL_CLS) {
#pragma unroll 8
      for (const float *at = x + p.hidden + i; at < end; at += p.hidden) {
        const float4 more = *reinterpret_cast<const float4 *>(at);
        pool_number(p.pooling, &sum.x, more.x);
        pool_number(p.pooling, &sum.y, more.y);
        pool_number(p.pooling, &sum.z, more.z);
        pool_number(p.pooling, &sum.w, more.w);
      }
    }
    if (p.pooling == MIEN_CUDA_POOL_MEAN) {
      sum.x /= (float)n, sum.y /= (float)n;
      sum.z /= (float)n, sum.w /= (float)n;
    }
    *reinterpret_cast<float4 *>(out + i) = sum;
  }
  __syncwarp(); /* others' columns are read next */
}

/* Divides by the L2 norm, or by a little where that is less; tells whether all is finite. */
static __device__ __forceinline__ bool normalise(const mien_pool &p, float *x, int lane) {
  double sum = 0;
  bool finite = true;
  for (int i = lane; i < p.hidden; i += MIEN_WARP) sum += (double)x[i] * (double)x[i];
  const float length = (float)sqrt(mien_warp_sum(sum)), least = 1e-12f;
  const float divisor = length > least || length != length ? length : least;
  for (int i = lane; i < p.hidden; i += MIEN_WARP) {
    if (p.normalize) x[i] /= divisor;
    finite = finite && mien_is_finite(x[i]);
  }
  return __any_sync(MIEN_ALL_LANES, !finite) == 0;
}

static __global__ void __launch_bounds__(POOL_TEXTS *MIEN_WARP) pool(mien_pool p) {
  MIEN_SHARED(shared);
  const int n = p.batch.counts[MIEN_COUNT_TEXTS], lane = (int)threadIdx.x % MIEN_WARP;
  const int warp = (int)threadIdx.x / MIEN_WARP, first = (int)blockIdx.x * POOL_TEXTS, text = first + warp;
  if (first >= n) return;
  const size_t hidden = (size_t)p.hidden;
  float *row = reinterpret_cast<float *>(shared) + (size_t)warp * hidden;
  if (text < n) {
    const int start = p.batch.starts[text];
    pool_text(p, p.x + (size_t)start * hidden, p.batch.starts[text + 1] - start, row, lane);
    const bool finite = normalise(p, row, lane);
    for (int i = lane; i < p.hidden; i += MIEN_WARP) {
      if (!finite) row[i] = __uint_as_float(0x7FC00000u);
      p.embeddings[(size_t)text * hidden + (size_t)i] = row[i];
    }
    if (lane == 0) p.status[text] = finite ? MIEN_ROW_OK : MIEN_ROW_NOT_FINITE;
  } else {
    for (int i = lane; i < p.hidden; i += MIEN_WARP) row[i] = 0;
  }
  if (!p.label) return;
  __syncthreads();
  if (warp > 0) return;
  /* The same sums in the same order as of embeddings that are given. */
  enum { OF_BLOCK = mien_head_block_fragments<mien_rows_f32>::COUNT };
  const unsigned char *upper = shared + (size_t)(lane / 4) * hidden * sizeof(float);
  const unsigned char *lower = upper + 8 * hidden * sizeof(float);
  float sums[1][MIEN_HEAD_TILES][4] = {};
  const size_t end = hidden * sizeof(float);
  for (size_t block = 0; block * MIEN_HEAD_BLOCK_BYTES < end; block++) {
    const size_t at = block * MIEN_HEAD_BLOCK_BYTES + (size_t)(lane % 4) * 16;
    uint32_t piece[1][2][4];
    mien_load_piece<mien_rows_f32, true>(piece[0][0], upper, at, end);
    mien_load_piece<mien_rows_f32, true>(piece[0][1], lower, at, end);
    mien_head_block<mien_rows_f32, 1>(sums, piece, p.head.fragments + block * OF_BLOCK, lane);
  }
  for (int half = 0; half < 2; half++) {
    const int of_row = first + half * 8 + lane / 4;
    mien_head_finish_row(p.head, sums[0], half, (size_t)of_row, of_row < n, p.results, lane);
  }
}

static size_t pool_bytes(size_t hidden) { return POOL_TEXTS * hidden * sizeof(float); }

bool mien_pool_fits(size_t hidden, size_t shared_bytes) { return pool_bytes(hidden) <= shared_bytes; }

cudaError_t mien_pool_prepare(size_t shared_bytes) {
  return cudaFuncSetAttribute(pool, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes);
}

cudaError_t mien_pool_run(const mien_pool *p, size_t most_texts, cudaStream_t stream) {
  return mien_launch(pool, dim3((unsigned)((most_texts + POOL_TEXTS - 1) / POOL_TEXTS)), POOL_TEXTS * MIEN_WARP,
                     pool_bytes((size_t)p->hidden), stream, *p);
}
