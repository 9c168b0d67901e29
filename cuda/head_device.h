/* SPDX-License-Identifier: Apache-2.0 */
/* The own way of the head inside a kernel: logits of 16 rows by a warp. Rows and fragments may be in any memory. */
#ifndef MIEN_CUDA_HEAD_DEVICE_H
#define MIEN_CUDA_HEAD_DEVICE_H

#include "head.h"
#include "kernels/sigmoid.h"
#include "tensor.h"

/* Types of rows: how a piece of 16 bytes, of which a lane has one a block, becomes operands. */
struct mien_rows_f32 {
  enum { BYTES = 4, PARTS = 2 };
  /* c += x·w of one step: rows g and g + 8 have the pieces `upper` and `lower`; b[part] */
  static __device__ __forceinline__ void multiply(float c[4], const uint32_t upper[4], const uint32_t lower[4],
                                                  int step, const uint2 b[PARTS]) {
    const uint32_t x[4] = {upper[2 * step], lower[2 * step], upper[2 * step + 1], lower[2 * step + 1]};
    uint32_t high[4], low[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      /* Cut, not rounded: large numbers stay finite. What was cut is exact in float32; of it 11 bits are kept. */
      high[i] = x[i] & ~0x1FFFu;
      low[i] = __float_as_uint(__uint_as_float(x[i]) - __uint_as_float(high[i]));
    }
    const uint32_t w_high[2] = {b[0].x, b[0].y}, w_low[2] = {b[1].x, b[1].y};
    mien_mma_tf32(c, low, w_high);
    mien_mma_tf32(c, high, w_low);
    mien_mma_tf32(c, high, w_high);
  }
};

template <class Number, int parts> struct mien_rows_16 {
  enum { BYTES = 2, PARTS = parts };
  static __device__ __forceinline__ void multiply(float c[4], const uint32_t upper[4], const uint32_t lower[4],
                                                  int step, const uint2 b[PARTS]) {
    const uint32_t x[4] = {upper[2 * step], lower[2 * step], upper[2 * step + 1], lower[2 * step + 1]};
#pragma unroll
    for (int part = PARTS - 1; part >= 0; part--) {
      const uint32_t w[2] = {b[part].x, b[part].y};
      mien_mma<Number>(c, x, w);
    }
  }
};
typedef mien_rows_16<mien_f16, 2> mien_rows_f16;
typedef mien_rows_16<mien_bf16, 3> mien_rows_bf16;

/* A piece of 16 bytes of a row from byte `at` on, zeros from `end` on. ALIGNED: row, at and end are multiples of 16. */
template <class Row, bool ALIGNED>
static __device__ __forceinline__ void mien_load_piece(uint32_t piece[4], const unsigned char *row, size_t at,
                                                       size_t end) {
  if constexpr (ALIGNED) {
    uint4 whole = make_uint4(0, 0, 0, 0);
    if (at < end) whole = *reinterpret_cast<const uint4 *>(row + at);
    piece[0] = whole.x, piece[1] = whole.y, piece[2] = whole.z, piece[3] = whole.w;
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const size_t byte = at + 4 * (size_t)i;
      piece[i] = 0;
      if constexpr (Row::BYTES == 4) {
        if (byte < end) piece[i] = *reinterpret_cast<const uint32_t *>(row + byte);
      } else {
        if (byte < end) piece[i] = *reinterpret_cast<const uint16_t *>(row + byte);
        if (byte + 2 < end) piece[i] |= (uint32_t) * reinterpret_cast<const uint16_t *>(row + byte + 2) << 16;
      }
    }
  }
}

/* sums[row tile][tile] += the part of one block of the rows, of which a lane has pieces of rows g and g + 8 of each row
 * tile; `fragments` are the block's. */
template <class Row, int ROW_TILES>
static __device__ __forceinline__ void mien_head_block(float sums[ROW_TILES][MIEN_HEAD_TILES][4],
                                                       const uint32_t pieces[ROW_TILES][2][4], const uint2 *fragments,
                                                       int lane) {
#pragma unroll
  for (int tile = 0; tile < MIEN_HEAD_TILES; tile++) {
    float c[ROW_TILES][4] = {};
#pragma unroll
    for (int step = 0; step < MIEN_HEAD_STEPS; step++) {
      uint2 b[Row::PARTS];
#pragma unroll
      for (int part = 0; part < Row::PARTS; part++)
        b[part] = fragments[((step * Row::PARTS + part) * MIEN_HEAD_TILES + tile) * MIEN_WARP + lane];
#pragma unroll
      for (int of_rows = 0; of_rows < ROW_TILES; of_rows++)
        Row::multiply(c[of_rows], pieces[of_rows][0], pieces[of_rows][1], step, b);
    }
#pragma unroll
    for (int of_rows = 0; of_rows < ROW_TILES; of_rows++)
#pragma unroll
      for (int i = 0; i < 4; i++) sums[of_rows][tile][i] += c[of_rows][i];
  }
}

/* Uint2s of a block's fragments. */
template <class Row> struct mien_head_block_fragments {
  enum { COUNT = MIEN_HEAD_STEPS * Row::PARTS * MIEN_HEAD_TILES * MIEN_WARP };
};

/* The label of a logit. The cuts are those of the score's own function. */
static __device__ __forceinline__ bool mien_head_is_label(const mien_head_numbers &head, int label, float logit) {
  if (logit <= head.sure_no[label]) return false;
  if (logit > head.sure_yes[label]) return true;
  return mien_sigmoid(logit) > head.thresholds[label];
}

/*
 * From a lane's sums of a row (two of each tile's labels, 2t and 2t + 1; first: which of a lane's rows, 0 or 1) to the
 * row's results. The row's four lanes call it together; those of rows that are not there (`is_there` false) too.
 */
static __device__ __forceinline__ void mien_head_finish_row(const mien_head_numbers &head,
                                                            const float sums[MIEN_HEAD_TILES][4], int first, size_t row,
                                                            bool is_there, const mien_device_results &results,
                                                            int lane) {
  const int thread = lane % 4;
  float logits[MIEN_HEAD_TILES][2];
  bool finite = true;
#pragma unroll
  for (int tile = 0; tile < MIEN_HEAD_TILES; tile++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int label = tile * MIEN_HEAD_TILE_LABELS + 2 * thread + i;
      logits[tile][i] = sums[tile][2 * first + i] * head.scales[label] + head.bias[label];
      if (label < head.n_labels) finite = finite && mien_is_finite(logits[tile][i]);
    }
  uint32_t bits = 0;
#pragma unroll
  for (int tile = 0; tile < MIEN_HEAD_TILES; tile++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int label = tile * MIEN_HEAD_TILE_LABELS + 2 * thread + i;
      if (label < head.n_labels && mien_head_is_label(head, label, logits[tile][i])) bits |= 1u << label;
    }
  uint32_t bad = finite ? 0 : 1;
#pragma unroll
  for (int distance = 1; distance < 4; distance *= 2) {
    bits |= __shfl_xor_sync(MIEN_ALL_LANES, bits, distance);
    bad |= __shfl_xor_sync(MIEN_ALL_LANES, bad, distance);
  }
  if (!is_there) return;
  if (thread == 0 && results.words) results.words[row] = bad ? 0 : bits;
  if (thread == 0 && results.status) results.status[row] = bad ? MIEN_ROW_NOT_FINITE : MIEN_ROW_OK;
  if (!results.scores) return;
#pragma unroll
  for (int tile = 0; tile < MIEN_HEAD_TILES; tile++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int label = tile * MIEN_HEAD_TILE_LABELS + 2 * thread + i;
      if (label < head.n_labels)
        results.scores[row * (size_t)head.n_labels + (size_t)label] =
            bad ? __uint_as_float(0x7FC00000u) : mien_sigmoid(logits[tile][i]);
    }
}

#endif
