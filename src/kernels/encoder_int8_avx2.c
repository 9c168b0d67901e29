/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder in int8 on AVX2, whose instruction multiplies bytes without a sign by bytes with one and adds pairs of
 * products to int16.
 *
 * The first are activations from 0 to 254, or magnitudes of those from -127 to 127. To magnitudes belong weights whose
 * bits are turned where the activation is below 0: weights or -weight - 1. What the 1s make of a sum is put right by
 * its start, the sum of the row's magnitudes below 0. (psignb would need no start, but Intel has fewer units for it
 * than for xor; both sides as int16 need twice the registers of sums, and weights made wider again and again.)
 *
 * Two steps of four inputs are added as int16 before they go to int32: for 64 products 7 instructions, or 5 without
 * signs, and 3 of them in the two units that most processors have for multiplications; each step by itself would be 8,
 * or 6, and 4. What meets in one int16 fits where its activations are at most 256 together, as they nearly always are.
 * Where they are not, a step is taken out of the row and multiplied by itself.
 */
#define MIEN_UNFUSED
#include "kernels/vector_avx2.h"

#define INT8_OFFSET 0
#define INT8_LOWEST_OFFSET 0
/* 6 sums, two steps of weights, a 1 and what two steps of a row come to: 15 of the 16 registers. */
#define INT8_ROWS 3
#define INT8_PANELS 1
#define INT8_ROW_BYTES(depth) row_bytes(depth)
#include "kernels/bytes_avx2.h"

/* A step taken out of a row: numbers up to 127. */
typedef struct lone_step {
  uint32_t input; /* its first */
  uint8_t numbers[4], signs[4];
} lone_step;

/* A row in memory: numbers [depth], 255 for each below 0 and 0 for the others [depth], this. */
typedef struct row_rest {
  int32_t start;
  uint32_t n_steps;
  lone_step steps[]; /* at most two for each step of the row */
} row_rest;

static inline size_t row_bytes(size_t depth) {
  const size_t rest = sizeof(row_rest) + depth / 4 * 2 * sizeof(lone_step);
  return 2 * depth + (rest + 63) / 64 * 64;
}

#include "kernels/encoder_int8.h"

INLINE __m256i load(const void *at) { return _mm256_loadu_si256(at); }

INLINE __m256i broadcast(const uint8_t *four) {
  int32_t bits;
  memcpy(&bits, four, sizeof bits);
  return _mm256_set1_epi32(bits);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------ */

/* In two halves where one of its numbers is beyond 127. */
static void take_out(activation *row, size_t depth, size_t input, row_rest *rest) {
  lone_step step = {.input = (uint32_t)input}, half = step;
  unsigned all = 0;
  for (int i = 0; i < 4; i++) {
    step.numbers[i] = row[input + (size_t)i];
    half.numbers[i] = step.numbers[i] / 2;
    all |= step.numbers[i];
  }
  memcpy(step.signs, row + depth + input, sizeof step.signs);
  memset(row + input, 0, sizeof step.numbers);
  if (all > 127) { /* they have no signs then */
    for (int i = 0; i < 4; i++) step.numbers[i] -= half.numbers[i];
    rest->steps[rest->n_steps++] = half;
  }
  rest->steps[rest->n_steps++] = step;
}

/* Of two steps with too much for one int16 the second goes, and the first too if it is still too much. */
static void take_out_of_two(activation *row, size_t depth, size_t input, row_rest *rest) {
  take_out(row, depth, input + 4, rest);
  const activation *first = row + input;
  if (first[0] + first[1] > 256 || first[2] + first[3] > 256) take_out(row, depth, input, rest);
}

static void arrange_row(activation *row, int8_range range, size_t depth) {
  const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi8(1), most = _mm256_set1_epi16(256);
  row_rest *rest = (row_rest *)(void *)(row + 2 * depth);
  rest->n_steps = 0;
  __m256i start = zero;
  for (size_t i = 0; i < depth; i += 32) {
    __m256i numbers = load(row + i), signs = zero;
    if (range == AROUND_ZERO) {
      signs = _mm256_cmpgt_epi8(zero, numbers);
      numbers = _mm256_abs_epi8(numbers);
      start = _mm256_add_epi64(start, _mm256_sad_epu8(_mm256_and_si256(numbers, signs), zero));
      _mm256_storeu_si256((__m256i *)(void *)(row + i), numbers);
    }
    _mm256_storeu_si256((__m256i *)(void *)(row + depth + i), signs);
    /* In every eight bytes: what meets of two steps, then what is in the second alone. */
    const __m256i pairs = _mm256_maddubs_epi16(numbers, ones);
    const __m256i fours = _mm256_add_epi16(pairs, _mm256_srli_epi64(pairs, 32));
    const unsigned over = (unsigned)_mm256_movemask_epi8(_mm256_cmpgt_epi16(fours, most)) & 0x0F0F0F0F;
    for (size_t k = 0; k < 32 && over >> k; k += 8)
      if (over >> k & 15) take_out_of_two(row, depth, i + k, rest);
  }
  int64_t starts[4];
  memcpy(starts, &start, sizeof starts);
  rest->start = (int32_t)(starts[0] + starts[1] + starts[2] + starts[3]);
}

/* ---- Products -------------------------------------------------------------------------------------------------- */

/* Pairs of products. */
INLINE __m256i pairs_of(const activation *at, bool are_signed, size_t depth, __m256i weights) {
  if (are_signed) weights = _mm256_xor_si256(broadcast(at + depth), weights);
  return _mm256_maddubs_epi16(broadcast(at), weights);
}

INLINE void add_pairs(__m256i *sums, __m256i pairs) {
  *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

INLINE void add_lone_steps(const row_rest *rest, const int8_t *weights, __m256i sums[INT8_VECS]) {
  for (const lone_step *step = rest->steps, *end = step + rest->n_steps; step < end; step++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) {
      const __m256i columns = load(weights + (size_t)step->input * MIEN_PANEL + v * 32);
      const __m256i turned = _mm256_xor_si256(broadcast(step->signs), columns);
      add_pairs(&sums[v], _mm256_maddubs_epi16(broadcast(step->numbers), turned));
    }
}

INLINE void add_rows(const activation *numbers, bool are_signed, size_t depth, const int8_t *weights, int R,
                     __m256i sums[INT8_ROWS][INT8_VECS]) {
  const size_t stride = row_bytes(depth);
  for (size_t i = 0; i < depth; i += 8, weights += 2 * MIEN_LINE) {
    __m256i first[INT8_VECS], second[INT8_VECS];
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) {
      first[v] = load(weights + v * 32);
      second[v] = load(weights + MIEN_LINE + v * 32);
    }
    UNROLLED_FOR (int r = 0; r < R; r++) {
      const activation *at = numbers + (size_t)r * stride + i;
      UNROLLED_FOR (int v = 0; v < INT8_VECS; v++)
        add_pairs(&sums[r][v], _mm256_add_epi16(pairs_of(at, are_signed, depth, first[v]),
                                                pairs_of(at + 4, are_signed, depth, second[v])));
    }
  }
}

INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]) {
  (void)panel_bytes;
  (void)P; /* 1 */
  const size_t depth = x->depth, stride = row_bytes(depth);
  const activation *numbers = x->numbers + row * stride;
  __m256i all[INT8_ROWS][INT8_VECS];
  UNROLLED_FOR (int r = 0; r < R; r++) {
    const row_rest *rest = (const row_rest *)(const void *)(numbers + (size_t)r * stride + 2 * depth);
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) all[r][v] = _mm256_set1_epi32(rest->start);
    add_lone_steps(rest, weights, all[r]);
  }
  if (x->range == AROUND_ZERO)
    add_rows(numbers, true, depth, weights, R, all);
  else
    add_rows(numbers, false, depth, weights, R, all);
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < INT8_VECS; v++) sums[r][v] = (signed_integers)all[r][v];
}

const mien_encoder_kernels mien_encoder_int8_avx2 = ENCODER_INT8(MIEN_ISA_AVX2);
