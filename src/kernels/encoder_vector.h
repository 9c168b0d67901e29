/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every table of the encoder's kernels has of its own instruction set, written once: exp, GELU, softmax's and
 * LayerNorm's sums, products of float32 and attention made of them. A kernel file includes one of vector_*.h before,
 * which defines
 *
 *   vec, VEC_WIDTH            a register of floats, a type with arithmetic operators, and how many it holds: 4, 8 or 16
 *   vec_load, vec_store       from and to unaligned memory
 *   vec_set(x)                x in every lane
 *   vec_multiply_add(a, b, c) a·b + c: fused, or rounded twice where MIEN_UNFUSED is defined and in portable C
 *   vec_min, vec_max
 *   TILE_ROWS, TILE_PANELS    sums kept in registers: rows by panels of 16 columns; TILE_PANELS is 1 or 2
 */
#ifndef MIEN_KERNELS_ENCODER_VECTOR_H
#define MIEN_KERNELS_ENCODER_VECTOR_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/encoder_kernels.h"
#include "kernels/unroll.h"

#define INLINE static inline __attribute__((always_inline))

enum { PANEL_VECS = MIEN_PANEL / VEC_WIDTH, TILE_VECS = TILE_PANELS * PANEL_VECS };
_Static_assert(TILE_ROWS <= MIEN_MAX_TILE, "scratch has room for a tile");

typedef uint32_t integers __attribute__((vector_size(VEC_WIDTH * 4)));
typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_integers __attribute__((vector_size(16)));

static inline size_t at_most(size_t value, size_t most) { return value < most ? value : most; }

/* ---- Elements ------------------------------------------------------------------------------------------------ */

/*
 * exp(x) for x ≤ 0: 2^n · exp(r), n = round(x·log2 e), r in [-ln2/2, ln2/2] by Cody and Waite's two-part ln 2, exp(r)
 * by its Taylor polynomial of degree 6. Below -87 it is exp(-87), which vanishes beside the 1 of a row's largest.
 */
INLINE vec vec_exp(vec x) {
  const vec round_to_integer = vec_set(MIEN_TO_INTEGER);
  x = vec_max(vec_set(-87.0f), x); /* in this order NaN stays NaN on x86, which gives the second of two */
  vec shifted = vec_multiply_add(x, vec_set(1.44269504f), round_to_integer);
  vec n = shifted - round_to_integer;
  vec r = vec_multiply_add(n, vec_set(2.12194440e-4f), vec_multiply_add(n, vec_set(-0.693359375f), x));
  vec p = vec_set(1.0f / 720.0f);
  p = vec_multiply_add(p, r, vec_set(1.0f / 120.0f));
  p = vec_multiply_add(p, r, vec_set(1.0f / 24.0f));
  p = vec_multiply_add(p, r, vec_set(1.0f / 6.0f));
  p = vec_multiply_add(p, r, vec_set(0.5f));
  p = vec_multiply_add(p, r, vec_set(1.0f));
  p = vec_multiply_add(p, r, vec_set(1.0f));
  /* The integer sits in the low bits of `shifted`: moved up, it is the exponent of a power of two. */
  return p * (vec)(((integers)shifted << 23) + 0x3F800000);
}

/*
 * GELU(x) = x/2 · (1 + erf(x/√2)). erf(x/√2) = x·P(x²)/Q(x²), P and Q of degree 5 fitted to least relative error
 * (1.9e-8 before rounding) for |x| up to 5.55, beyond which erf is ±1 in float. Within 4e-7 of erf, absolute.
 */
INLINE vec vec_gelu(vec x) {
  static const float numerator[] = {4.52113902e-08f, 1.25883071e-05f, 0.00033344145f,
                                    0.00932833087f,  0.0673843548f,   0.797884524f};
  static const float denominator[] = {1.18899084e-06f, 7.27396691e-05f, 0.00187287689f, 0.0285454672f, 0.25112012f, 1};
  vec inside = vec_min(vec_max(x, vec_set(-5.5508f)), vec_set(5.5508f));
  vec square = inside * inside, p = vec_set(numerator[0]), q = vec_set(denominator[0]);
  UNROLLED_FOR (size_t i = 1; i < sizeof numerator / sizeof *numerator; i++) {
    p = vec_multiply_add(p, square, vec_set(numerator[i]));
    q = vec_multiply_add(q, square, vec_set(denominator[i]));
  }
  vec half = x * vec_set(0.5f);
  return vec_multiply_add(half, inside * p / q, half);
}

/* Sixteen lanes to one number, by the tree of encoder_kernels.h. By fours: every machine has registers of them. */
INLINE float add_lanes(const vec sums[PANEL_VECS]) {
  quad lanes[4];
  memcpy(lanes, sums, sizeof lanes);
  const quad sum = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* The first where it is the larger, else the second. */
INLINE quad larger(quad a, quad b) {
  const quad_integers is_first = a > b;
  return (quad)((is_first & (quad_integers)a) | (~is_first & (quad_integers)b));
}

INLINE float largest_lane(vec all) {
  quad lanes[VEC_WIDTH / 4];
  memcpy(lanes, &all, sizeof lanes);
  UNROLLED_FOR (int width = VEC_WIDTH / 8; width > 0; width /= 2)
    UNROLLED_FOR (int i = 0; i < width; i++) lanes[i] = larger(lanes[i], lanes[i + width]);
  const quad last = lanes[0];
  const float even = last[0] > last[2] ? last[0] : last[2], odd = last[1] > last[3] ? last[1] : last[3];
  return even > odd ? even : odd;
}

/* ---- Tiles ------------------------------------------------------------------------------------------------ */

/* A tile: rows of x by one or two panels of columns, each with its own weights, bias and place in y. */
typedef struct tile_panel {
  const float *weights; /* [depth], 16 columns at each, weights_stride apart */
  const float *bias;    /* [16]; NULL: none */
  const float *from;    /* what is added to, `from_stride` a row; NULL: nothing */
  float *y;             /* `y_stride` a row */
} tile_panel;

typedef struct tile_shape {
  size_t depth, x_stride, weights_stride, from_stride, y_stride;
  bool gelu;
} tile_shape;

/* R and P are constants. */
INLINE void tile_of(const tile_shape *shape, const float *x, const tile_panel *panels, int R, int P) {
  const size_t x_stride = shape->x_stride, weights_stride = shape->weights_stride, depth = shape->depth;
  vec sums[TILE_ROWS][TILE_VECS];
  UNROLLED_FOR (int p = 0; p < P; p++) {
    const float *bias = panels[p].bias, *from = panels[p].from;
    UNROLLED_FOR (int v = 0; v < PANEL_VECS; v++) {
      vec start = bias ? vec_load(bias + v * VEC_WIDTH) : vec_set(0);
      UNROLLED_FOR (int r = 0; r < R; r++) sums[r][p * PANEL_VECS + v] = start;
      if (!from) continue;
      UNROLLED_FOR (int r = 0; r < R; r++)
        sums[r][p * PANEL_VECS + v] += vec_load(from + (size_t)r * shape->from_stride + v * VEC_WIDTH);
    }
  }
  const float *first = panels[0].weights, *second = panels[P - 1].weights;
  for (size_t i = 0; i < depth; i++) {
    vec weights[TILE_VECS];
    UNROLLED_FOR (int v = 0; v < PANEL_VECS; v++) {
      weights[v] = vec_load(first + v * VEC_WIDTH);
      if (P == 2) weights[PANEL_VECS + v] = vec_load(second + v * VEC_WIDTH);
    }
    first += weights_stride;
    second += weights_stride;
    UNROLLED_FOR (int r = 0; r < R; r++) {
      vec element = vec_set(x[(size_t)r * x_stride + i]);
      UNROLLED_FOR (int v = 0; v < P * PANEL_VECS; v++) sums[r][v] = vec_multiply_add(element, weights[v], sums[r][v]);
    }
  }
  UNROLLED_FOR (int p = 0; p < P; p++)
    UNROLLED_FOR (int r = 0; r < R; r++)
      UNROLLED_FOR (int v = 0; v < PANEL_VECS; v++)
        vec_store(panels[p].y + (size_t)r * shape->y_stride + v * VEC_WIDTH, sums[r][p * PANEL_VECS + v]);
  if (!shape->gelu) return;
  for (int p = 0; p < P; p++)
    for (int r = 0; r < R; r++)
      for (int v = 0; v < PANEL_VECS; v++) {
        float *y = panels[p].y + (size_t)r * shape->y_stride + v * VEC_WIDTH;
        vec_store(y, vec_gelu(vec_load(y)));
      }
}

#define TILE_CASE(R)                                                                                                   \
  case R:                                                                                                              \
    if (R <= TILE_ROWS) tile_of(shape, x, panels, R <= TILE_ROWS ? R : 1, P);                                          \
    break;

/* `rows` by P panels, a constant. */
INLINE void tile_rows(const tile_shape *shape, const float *x, const tile_panel *panels, size_t rows, int P) {
  switch (rows) {
    TILE_CASE(1)
    TILE_CASE(2)
    TILE_CASE(3)
    TILE_CASE(4)
    TILE_CASE(5)
    TILE_CASE(6)
    TILE_CASE(7)
    TILE_CASE(8)
    TILE_CASE(9)
    TILE_CASE(10)
    TILE_CASE(11)
    TILE_CASE(12)
  }
}

/* Not inlined: one copy of the loops for all that calls it. */
static __attribute__((noinline)) void tile(const tile_shape *shape, const float *x, const tile_panel *panels,
                                           size_t n_panels, size_t rows) {
  _Static_assert(TILE_ROWS <= 12, "tile_rows has a case for every number of rows");
#if TILE_PANELS == 2
  if (n_panels == 2) {
    tile_rows(shape, x, panels, rows, 2);
    return;
  }
#endif
  (void)n_panels;
  tile_rows(shape, x, panels, rows, 1);
}

/* ---- Attention ----------------------------------------------------------------------------------------------- */

/* keys [n × columns] to panels of 16 tokens, [padded / 16][columns][16]; tokens past n are zeros. */
static void transpose_keys(const float *keys, size_t n, size_t columns, float *panels) {
  for (size_t first = 0; first < n; first += MIEN_PANEL, panels += columns * MIEN_PANEL) {
    const size_t tokens = at_most(n - first, MIEN_PANEL);
    for (size_t token = 0; token < MIEN_PANEL; token++) {
      const float *key = keys + (first + token) * columns;
      for (size_t i = 0; i < columns; i++) panels[i * MIEN_PANEL + token] = token < tokens ? key[i] : 0;
    }
  }
}

/* One row of scores to exp(score - the largest), returning 1 / the sum. */
INLINE float soften(float *scores, size_t padded) {
  vec largest = vec_load(scores);
  for (size_t i = VEC_WIDTH; i < padded; i += VEC_WIDTH) largest = vec_max(largest, vec_load(scores + i));
  largest = vec_set(largest_lane(largest));
  vec sums[PANEL_VECS];
  for (int v = 0; v < PANEL_VECS; v++) sums[v] = vec_set(0);
  for (size_t i = 0; i < padded; i += MIEN_PANEL)
    UNROLLED_FOR (int v = 0; v < PANEL_VECS; v++) {
      vec e = vec_exp(vec_load(scores + i + (size_t)v * VEC_WIDTH) - largest);
      vec_store(scores + i + (size_t)v * VEC_WIDTH, e);
      sums[v] += e;
    }
  return 1.0f / add_lanes(sums);
}

/* What attention's two products share: panels of `columns` columns, a tile of rows. */
static void multiply_tile(const tile_shape *shape, const float *x, const float *weights, size_t panel_stride,
                          const float *bias, float *y, size_t columns, size_t rows) {
  for (size_t column = 0; column < columns; column += TILE_PANELS * MIEN_PANEL) {
    const size_t n_panels = at_most((columns - column) / MIEN_PANEL, TILE_PANELS);
    tile_panel panels[TILE_PANELS];
    for (size_t i = 0; i < n_panels; i++) {
      const size_t at = column + i * MIEN_PANEL;
      panels[i] = (tile_panel){
          .weights = weights + at / MIEN_PANEL * panel_stride, .bias = bias ? bias + at : NULL, .y = y + at};
    }
    tile(shape, x, panels, n_panels, rows);
  }
}

static void attend_head(const mien_attention *a, size_t head, size_t padded) {
  const size_t columns = a->head_columns, out_stride = a->heads * columns, place = head * a->head_stride;
  const float *queries = a->queries + place, *values = a->values + place;
  const tile_shape to_scores = {
      .depth = columns, .x_stride = columns, .weights_stride = MIEN_PANEL, .y_stride = padded};
  const tile_shape to_values = {.depth = a->n, .x_stride = padded, .weights_stride = columns, .y_stride = out_stride};
  transpose_keys(a->keys + place, a->n, columns, a->transposed);
  for (size_t row = 0; row < a->n_queries; row += TILE_ROWS) {
    const size_t rows = at_most(a->n_queries - row, TILE_ROWS);
    float *out = a->out + row * out_stride + head * columns, scale[TILE_ROWS];
    multiply_tile(&to_scores, queries + row * columns, a->transposed, columns * MIEN_PANEL, a->mask, a->scores, padded,
                  rows);
    for (size_t r = 0; r < rows; r++) scale[r] = soften(a->scores + r * padded, padded);
    multiply_tile(&to_values, a->scores, values, MIEN_PANEL, NULL, out, columns, rows);
    for (size_t r = 0; r < rows; r++)
      for (size_t i = 0; i < columns; i += VEC_WIDTH) {
        float *at = out + r * out_stride + i;
        vec_store(at, vec_load(at) * vec_set(scale[r]));
      }
  }
}

static void attend(const mien_attention *a) {
  /* Far below any score, and finite: its exp is nothing beside the largest's. */
  const float no_token = -FLT_MAX / 4;
  const size_t padded = mien_whole_panels(a->n);
  for (size_t i = 0; i < padded; i++) a->mask[i] = i < a->n ? 0 : no_token;
  for (size_t head = 0; head < a->heads; head++) attend_head(a, head, padded);
}

/* ---- LayerNorm ----------------------------------------------------------------------------------------------- */

static void norm(const float *gamma, const float *beta, float epsilon, const float *x, size_t n, size_t columns,
                 float *out) {
  for (size_t row = 0; row < n; row++, x += columns, out += columns) {
    vec sums[PANEL_VECS], squares[PANEL_VECS];
    for (int v = 0; v < PANEL_VECS; v++) sums[v] = squares[v] = vec_set(0);
    for (size_t i = 0; i < columns; i += MIEN_PANEL)
      UNROLLED_FOR (int v = 0; v < PANEL_VECS; v++) sums[v] += vec_load(x + i + (size_t)v * VEC_WIDTH);
    const vec mean = vec_set(add_lanes(sums) / (float)columns);
    for (size_t i = 0; i < columns; i += MIEN_PANEL)
      UNROLLED_FOR (int v = 0; v < PANEL_VECS; v++) {
        vec centred = vec_load(x + i + (size_t)v * VEC_WIDTH) - mean;
        squares[v] = vec_multiply_add(centred, centred, squares[v]);
      }
    const float variance = add_lanes(squares) / (float)columns;
    /* The difference is 0, or NaN where the variance is beyond float: such a row must not look like a good one. */
    const vec scale = vec_set(1.0f / sqrtf(variance + epsilon) + (variance - variance));
    for (size_t i = 0; i < columns; i += VEC_WIDTH)
      vec_store(out + i, vec_multiply_add((vec_load(x + i) - mean) * scale, vec_load(gamma + i), vec_load(beta + i)));
  }
}

#endif
