/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder in int8 on AVX2, whose instruction multiplies bytes without a sign by bytes with one and adds pairs of
 * products to int16.
 *
 * The first are magnitudes of activations. The others are weights whose bits are turned where the activation is below
 * 0: weights or -weight - 1. What the 1s make of a sum is put right by its start, the sum of the row's magnitudes below
 * 0. (psignb would need no start, but Intel has fewer units for it than for xor; both sides as int16 need twice the
 * registers of sums and weights widened again and again: half as fast here.)
 *
 * Two steps of four inputs are added as int16 before they go to int32: 7 instructions for 64 products, not 8, and 5 not
 * 6 of them in the two units that most processors have for multiplications. That fits where the magnitudes that meet in
 * one int16 are at most 256 together, as they nearly always are; of two steps where they are not, the second is taken
 * out of the row and multiplied by itself afterwards.
 */
#define MIEN_UNFUSED
#include "kernels/vector_avx2.h"

#define INT8_OFFSET 0
/* 6 sums, two steps of weights, a 1 and what two steps of a row come to: 15 of the 16 registers. */
#define INT8_ROWS 3
#define INT8_PANELS 1
#define INT8_ROW_BYTES(depth) row_bytes(depth)
#include "kernels/bytes_avx2.h"

/* A step taken out of a row. */
typedef struct lone_step {
  uint32_t input; /* its first */
  uint8_t magnitudes[4], signs[4];
} lone_step;

/* A row in memory: magnitudes [depth], signs [depth], this. */
typedef struct row_rest {
  int32_t start;
  uint32_t n_steps;
  lone_step steps[]; /* at most one of two */
} row_rest;

static size_t row_bytes(size_t depth) {
  const size_t rest = sizeof(row_rest) + depth / 8 * sizeof(lone_step);
  return 2 * depth + (rest + 63) / 64 * 64;
}

static void arrange_row(uint8_t *row, size_t depth);
#include "kernels/encoder_int8.h"

INLINE __m256i load(const void *at) { return _mm256_loadu_si256(at); }

INLINE __m256i broadcast(const uint8_t *four) {
  int32_t bits;
  memcpy(&bits, four, sizeof bits);
  return _mm256_set1_epi32(bits);
}

static void take_out(activation *row, size_t depth, size_t input, row_rest *rest) {
  lone_step *step = &rest->steps[rest->n_steps++];
  step->input = (uint32_t)input;
  memcpy(step->magnitudes, row + input, sizeof step->magnitudes);
  memcpy(step->signs, row + depth + input, sizeof step->signs);
  memset(row + input, 0, sizeof step->magnitudes);
}

static void arrange_row(activation *row, size_t depth) {
  const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi8(1), most = _mm256_set1_epi16(256);
  row_rest *rest = (row_rest *)(void *)(row + 2 * depth);
  rest->n_steps = 0;
  __m256i start = zero;
  for (size_t i = 0; i < depth; i += 32) {
    const __m256i numbers = load(row + i), signs = _mm256_cmpgt_epi8(zero, numbers);
    const __m256i magnitudes = _mm256_abs_epi8(numbers);
    start = _mm256_add_epi64(start, _mm256_sad_epu8(_mm256_and_si256(magnitudes, signs), zero));
    _mm256_storeu_si256((__m256i *)(void *)(row + i), magnitudes);
    _mm256_storeu_si256((__m256i *)(void *)(row + depth + i), signs);
    const __m256i pairs = _mm256_maddubs_epi16(magnitudes, ones);
    const __m256i fours = _mm256_add_epi16(pairs, _mm256_srli_epi64(pairs, 32));
    const unsigned over = (unsigned)_mm256_movemask_epi8(_mm256_cmpgt_epi16(fours, most));
    for (size_t k = 0; k < 32 && over >> k; k += 8)
      if (over >> k & 15) take_out(row, depth, i + k + 4, rest); /* the upper half of each 8 is no sum of two steps */
  }
  int64_t starts[4];
  memcpy(starts, &start, sizeof starts);
  rest->start = (int32_t)(starts[0] + starts[1] + starts[2] + starts[3]);
}

/* Pairs of products. */
INLINE __m256i pairs_of(const activation *at, size_t depth, __m256i weights) {
  return _mm256_maddubs_epi16(broadcast(at), _mm256_xor_si256(broadcast(at + depth), weights));
}

INLINE void add_pairs(__m256i *sums, __m256i pairs) {
  *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

INLINE void add_steps(const row_rest *rest, const int8_t *weights, __m256i sums[INT8_VECS]) {
  for (const lone_step *step = rest->steps, *end = step + rest->n_steps; step < end; step++)
#pragma GCC unroll 2
    for (int v = 0; v < INT8_VECS; v++) {
      const __m256i columns = load(weights + step->input * MIEN_PANEL + v * 32);
      const __m256i turned = _mm256_xor_si256(broadcast(step->signs), columns);
      add_pairs(&sums[v], _mm256_maddubs_epi16(broadcast(step->magnitudes), turned));
    }
}

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  (void)panel_bytes;
  (void)P; /* 1 */
  const size_t depth = x->depth, stride = row_bytes(depth);
  const activation *numbers = x->numbers + row * stride;
  __m256i all[INT8_ROWS][INT8_VECS];
#pragma GCC unroll 4
  for (int r = 0; r < R; r++) {
    const row_rest *rest = (const row_rest *)(const void *)(numbers + (size_t)r * stride + 2 * depth);
#pragma GCC unroll 2
    for (int v = 0; v < INT8_VECS; v++) all[r][v] = _mm256_set1_epi32(rest->start);
    add_steps(rest, weights, all[r]);
  }
  for (size_t i = 0; i < depth; i += 8, weights += 2 * MIEN_LINE) {
    __m256i first[INT8_VECS], second[INT8_VECS];
#pragma GCC unroll 2
    for (int v = 0; v < INT8_VECS; v++) {
      first[v] = load(weights + v * 32);
      second[v] = load(weights + MIEN_LINE + v * 32);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      const activation *at = numbers + (size_t)r * stride + i;
#pragma GCC unroll 2
      for (int v = 0; v < INT8_VECS; v++)
        add_pairs(&all[r][v], _mm256_add_epi16(pairs_of(at, depth, first[v]), pairs_of(at + 4, depth, second[v])));
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; r++)
#pragma GCC unroll 2
    for (int v = 0; v < INT8_VECS; v++) sums[r][v] = (signed_integers)all[r][v];
}

const mien_encoder_kernels mien_encoder_int8_avx2 = ENCODER_INT8(MIEN_ISA_AVX2);
