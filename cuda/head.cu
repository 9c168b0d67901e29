/* SPDX-License-Identifier: Apache-2.0 */
/* The head's kernels. */
#include "head.h"

#include <math.h>

#include <type_traits>

#include "base/half.h"
#include "head_device.h"

/* ---- Weights as the own way has them, on the host ---------------------------------------------------------------- */

int mien_head_parts(mien_dtype dtype) { return dtype == MIEN_BF16 ? 3 : 2; }

static size_t block_columns(mien_dtype dtype) { return MIEN_HEAD_BLOCK_BYTES / mien_row_element(dtype); }

static size_t blocks_of(mien_dtype dtype, size_t dim) {
  return (dim + block_columns(dtype) - 1) / block_columns(dtype);
}

size_t mien_head_fragment_bytes(mien_dtype dtype, size_t dim) {
  return blocks_of(dtype, dim) * MIEN_HEAD_STEPS * (size_t)mien_head_parts(dtype) * MIEN_HEAD_TILES * MIEN_WARP *
         sizeof(uint2);
}

float mien_head_scale(mien_dtype dtype, const float *weights, size_t n) {
  /* The largest weight becomes 2^10 to 2^11: what f16 leaves of it, and of much smaller ones, is no subnormal number.
   */
  enum { LARGEST_EXPONENT = 11, LEAST_EXPONENT = -100 };
  float largest = 0;
  int exponent;
  for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(weights[i]));
  if (dtype != MIEN_F16 || largest == 0) return 1;
  frexpf(largest, &exponent);
  exponent -= LARGEST_EXPONENT;
  return ldexpf(1, exponent < LEAST_EXPONENT ? LEAST_EXPONENT : exponent);
}

void mien_head_split(mien_dtype dtype, float weight, float scale, uint16_t parts[3]) {
  float rest = weight / scale;
  for (int part = 0; part < mien_head_parts(dtype); part++) {
    parts[part] = dtype == MIEN_BF16 ? mien_float_to_bf16(rest) : mien_float_to_half(rest);
    const float taken = dtype == MIEN_BF16 ? mien_bf16_to_float(parts[part]) : mien_half_to_float(parts[part]);
    /* Next to the largest float a weight rounds to infinity: cut instead. */
    if (isinf(taken)) {
      parts[part]--;
      rest -= mien_bf16_to_float(parts[part]);
    } else {
      rest -= taken;
    }
  }
}

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Part `part` of the two neighbouring operands of a lane, from column `column` on. */
static uint2 fragment(mien_dtype dtype, const float *weights, size_t dim, size_t column, float scale, int part) {
  uint32_t words[2] = {0, 0};
  for (size_t i = 0; i < (dtype == MIEN_F32 ? 2u : 4u) && column + i < dim; i++) {
    const float weight = weights[column + i];
    if (dtype == MIEN_F32) {
      const uint32_t high = bits_of(weight) & ~0x1FFFu;
      words[i] = part == 0 ? high : bits_of(weight - float_of(high)) & ~0x1FFFu;
    } else {
      uint16_t parts[3];
      mien_head_split(dtype, weight, scale, parts);
      words[i / 2] |= (uint32_t)parts[part] << i % 2 * 16;
    }
  }
  return make_uint2(words[0], words[1]);
}

void mien_head_make_fragments(mien_dtype dtype, const float *weights, size_t n_labels, size_t dim, uint2 *fragments,
                              float *scales) {
  const size_t piece = block_columns(dtype) / 4, of_step = piece / MIEN_HEAD_STEPS; /* a lane's columns */
  const int parts = mien_head_parts(dtype);
  for (size_t label = 0; label < MIEN_HEAD_LABELS; label++)
    scales[label] = label < n_labels ? mien_head_scale(dtype, weights + label * dim, dim) : 1;
  for (size_t block = 0; block < blocks_of(dtype, dim); block++)
    for (size_t step = 0; step < MIEN_HEAD_STEPS; step++)
      for (int part = 0; part < parts; part++)
        for (size_t tile = 0; tile < MIEN_HEAD_TILES; tile++)
          for (size_t lane = 0; lane < MIEN_WARP; lane++) {
            const size_t label = tile * MIEN_HEAD_TILE_LABELS + lane / 4;
            const size_t column = block * block_columns(dtype) + lane % 4 * piece + step * of_step;
            *fragments++ = label < n_labels ? fragment(dtype, weights + label * dim, dim, column, scales[label], part)
                                            : make_uint2(0, 0);
          }
}

/* ---- The own way ------------------------------------------------------------------------------------------------- */

/* A warp takes 32 rows at a time, or 16 where loads of their pieces take more registers; a block's weights are loaded
 * once for all that its warps take. */
enum { LABEL_WARPS = 12, AHEAD = 2 };
static constexpr __host__ __device__ int label_tiles(bool aligned) { return aligned ? 2 : 1; }

#define MOST_ALIGNED_STRIDE ((size_t)1 << 24) /* bytes */

typedef struct label_parameters {
  mien_head_numbers head;
  const unsigned char *rows;
  size_t stride_bytes, n;
  mien_device_results results;
} label_parameters;

template <class Row, bool ALIGNED>
static __global__ void __launch_bounds__(LABEL_WARPS *MIEN_WARP, 1) label(label_parameters p) {
  MIEN_SHARED(shared);
  uint2 *fragments = reinterpret_cast<uint2 *>(shared);
  enum { OF_BLOCK = mien_head_block_fragments<Row>::COUNT, TILES = label_tiles(ALIGNED) };
  const size_t end = (size_t)p.head.dim * Row::BYTES;
  const int blocks = (int)((end + MIEN_HEAD_BLOCK_BYTES - 1) / MIEN_HEAD_BLOCK_BYTES);
  for (int i = (int)threadIdx.x; i < blocks * OF_BLOCK; i += LABEL_WARPS * MIEN_WARP)
    fragments[i] = p.head.fragments[i];
  __syncthreads();
  const int lane = (int)threadIdx.x % MIEN_WARP, warp = (int)threadIdx.x / MIEN_WARP;
  /* Within a warp's rows: 32 bits save registers. */
  typedef typename std::conditional<ALIGNED && Row::BYTES == 4, unsigned, size_t>::type offset;
  const size_t rows_a_warp = TILES * MIEN_HEAD_TILE_ROWS, of_lane = (size_t)(lane % 4) * 16;
  for (size_t first = ((size_t)blockIdx.x * LABEL_WARPS + (size_t)warp) * rows_a_warp; first < p.n;
       first += (size_t)gridDim.x * LABEL_WARPS * rows_a_warp) {
    const unsigned char *const rows = p.rows + first * p.stride_bytes;
    offset row[TILES][2];
#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const size_t at = (size_t)(tile * MIEN_HEAD_TILE_ROWS + half * 8 + lane / 4), last = p.n - 1 - first;
        row[tile][half] = (offset)((at < last ? at : last) * p.stride_bytes); /* the last is read again, not written */
      }
    float sums[TILES][MIEN_HEAD_TILES][4] = {};
    uint32_t piece[AHEAD][TILES][2][4];
#pragma unroll
    for (int ahead = 0; ahead < AHEAD; ahead++)
#pragma unroll
      for (int tile = 0; tile < TILES; tile++)
#pragma unroll
        for (int half = 0; half < 2; half++)
          mien_load_piece<Row, ALIGNED>(piece[ahead][tile][half], rows + row[tile][half],
                                        (size_t)ahead * MIEN_HEAD_BLOCK_BYTES + of_lane, end);
    for (int at = 0; at < blocks; at += AHEAD) {
#pragma unroll
      for (int ahead = 0; ahead < AHEAD; ahead++) {
        const int block = at + ahead;
        if (block >= blocks) break;
        mien_head_block<Row, TILES>(sums, piece[ahead], fragments + block * OF_BLOCK, lane);
#pragma unroll
        for (int tile = 0; tile < TILES; tile++)
#pragma unroll
          for (int half = 0; half < 2; half++)
            mien_load_piece<Row, ALIGNED>(piece[ahead][tile][half], rows + row[tile][half],
                                          (size_t)(block + AHEAD) * MIEN_HEAD_BLOCK_BYTES + of_lane, end);
      }
    }
#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const size_t at = first + (size_t)(tile * MIEN_HEAD_TILE_ROWS + half * 8 + lane / 4);
        mien_head_finish_row(p.head, sums[tile], half, at, at < p.n, p.results, lane);
      }
  }
}

typedef void (*label_kernel)(label_parameters);
static label_kernel kernel_of(mien_dtype dtype, bool aligned) {
  switch (dtype) {
  case MIEN_F16: return aligned ? label<mien_rows_f16, true> : label<mien_rows_f16, false>;
  case MIEN_BF16: return aligned ? label<mien_rows_bf16, true> : label<mien_rows_bf16, false>;
  default: return aligned ? label<mien_rows_f32, true> : label<mien_rows_f32, false>;
  }
}

cudaError_t mien_head_prepare(size_t shared_bytes) {
  cudaError_t error = cudaSuccess;
  for (mien_dtype dtype : {MIEN_F32, MIEN_F16, MIEN_BF16})
    for (int aligned = 0; aligned < 2 && error == cudaSuccess; aligned++)
      error = cudaFuncSetAttribute(kernel_of(dtype, aligned), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   (int)shared_bytes);
  return error;
}

cudaError_t mien_head_label(const mien_head_numbers *head, mien_dtype dtype, const void *rows, size_t stride, size_t n,
                            const mien_device_results *results, int multiprocessors, cudaStream_t stream) {
  const size_t element = mien_row_element(dtype);
  if (n == 0) return cudaSuccess;
  const bool aligned = (uintptr_t)rows % 16 == 0 && stride * element % 16 == 0 &&
                       (size_t)head->dim * element % 16 == 0 && stride * element <= MOST_ALIGNED_STRIDE;
  const size_t rows_a_block = LABEL_WARPS * (size_t)label_tiles(aligned) * MIEN_HEAD_TILE_ROWS;
  const size_t blocks = (n + rows_a_block - 1) / rows_a_block;
  const label_parameters p = {*head, static_cast<const unsigned char *>(rows), stride * element, n, *results};
  const unsigned grid = blocks < (size_t)multiprocessors ? (unsigned)blocks : (unsigned)multiprocessors;
  return mien_launch(kernel_of(dtype, aligned), dim3(grid), LABEL_WARPS * MIEN_WARP,
                     mien_head_fragment_bytes(dtype, (size_t)head->dim), stream, p);
}

/* ---- Logits to labels -------------------------------------------------------------------------------------------- */

typedef struct logits_parameters {
  mien_head_numbers head;
  const float *logits;
  size_t stride, part_stride, n;
  int parts;
  mien_device_results results;
} logits_parameters;

enum { LOGITS_WARPS = 8 };

static __device__ __forceinline__ float logit_at(const logits_parameters &p, const float *logits, int label) {
  float sum = logits[label];
  for (int part = 1; part < p.parts; part++) sum += logits[(size_t)part * p.part_stride + (size_t)label];
  return sum * p.head.scales[label] + p.head.bias[label];
}

/* A warp a row. */
static __global__ void __launch_bounds__(LOGITS_WARPS *MIEN_WARP) label_logits(logits_parameters p) {
  const int lane = (int)threadIdx.x % MIEN_WARP, labels = p.head.n_labels, n_words = (labels + 31) / 32;
  const size_t warps = (size_t)gridDim.x * LOGITS_WARPS;
  for (size_t row = (size_t)blockIdx.x * LOGITS_WARPS + threadIdx.x / MIEN_WARP; row < p.n; row += warps) {
    const float *logits = p.logits + row * p.stride;
    bool finite = true;
    for (int label = lane; label < labels; label += MIEN_WARP)
      finite = finite && mien_is_finite(logit_at(p, logits, label));
    const bool bad = __any_sync(MIEN_ALL_LANES, !finite) != 0;
    for (int word = 0; word < n_words; word++) {
      const int label = word * 32 + lane;
      const bool is_there = label < labels;
      const float logit = is_there ? logit_at(p, logits, label) : 0;
      const unsigned bits =
          __ballot_sync(MIEN_ALL_LANES, is_there && !bad && mien_head_is_label(p.head, is_there ? label : 0, logit));
      if (lane == 0 && p.results.words) p.results.words[row * (size_t)n_words + (size_t)word] = bits;
      if (is_there && p.results.scores)
        p.results.scores[row * (size_t)labels + (size_t)label] =
            bad ? __uint_as_float(0x7FC00000u) : mien_sigmoid(logit);
    }
    if (lane == 0 && p.results.status) p.results.status[row] = bad ? MIEN_ROW_NOT_FINITE : MIEN_ROW_OK;
  }
}

/* Enough blocks for any device; each takes what is left over. */
enum { MOST_BLOCKS = 1 << 15 };
static unsigned blocks_for(size_t n, size_t a_block) {
  const size_t blocks = (n + a_block - 1) / a_block;
  return (unsigned)(blocks < MOST_BLOCKS ? blocks : (size_t)MOST_BLOCKS);
}

cudaError_t mien_head_label_logits(const mien_head_numbers *head, const float *logits, size_t stride, int parts,
                                   size_t part_stride, size_t n, const mien_device_results *results,
                                   cudaStream_t stream) {
  if (n == 0) return cudaSuccess;
  const logits_parameters p = {*head, logits, stride, part_stride, n, parts, *results};
  return mien_launch(label_logits, dim3(blocks_for(n, LOGITS_WARPS)), LOGITS_WARPS * MIEN_WARP, 0, stream, p);
}

/* ---- Rows as products take them ---------------------------------------------------------------------------------- */

typedef struct pack_parameters {
  const void *rows;
  void *out;
  size_t stride, n, dim, padded;
  mien_dtype dtype;
} pack_parameters;

enum { PACK_THREADS = 256 };

static __global__ void __launch_bounds__(PACK_THREADS) pack_rows(pack_parameters p) {
  const size_t all = p.n * p.padded;
  for (size_t i = (size_t)blockIdx.x * PACK_THREADS + threadIdx.x; i < all; i += (size_t)gridDim.x * PACK_THREADS) {
    const size_t row = i / p.padded, column = i % p.padded, from = row * p.stride + column;
    const bool is_there = column < p.dim;
    if (p.dtype == MIEN_F64)
      static_cast<float *>(p.out)[i] = is_there ? (float)static_cast<const double *>(p.rows)[from] : 0;
    else if (p.dtype == MIEN_F32)
      static_cast<float *>(p.out)[i] = is_there ? static_cast<const float *>(p.rows)[from] : 0;
    else
      static_cast<uint16_t *>(p.out)[i] = is_there ? static_cast<const uint16_t *>(p.rows)[from] : (uint16_t)0;
  }
}

cudaError_t mien_head_pack_rows(mien_dtype dtype, const void *rows, size_t stride, size_t n, size_t dim, size_t padded,
                                void *out, cudaStream_t stream) {
  if (n == 0) return cudaSuccess;
  const pack_parameters p = {rows, out, stride, n, dim, padded, dtype};
  return mien_launch(pack_rows, dim3(blocks_for(n * padded, PACK_THREADS)), PACK_THREADS, 0, stream, p);
}
