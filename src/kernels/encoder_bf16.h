/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The products of a table of bf16, written once for all instruction sets; see encoder_vector.h. Both operands are
 * rounded to bf16, whose products float32 holds exactly. A kernel file may define before
 *
 *   BF16_PAIRS        activations are kept as bf16, for instructions that take pairs of them; without it they are kept
 *                     as floats, and weights become such in the register
 *   BF16_SPLIT        the tables of bf16x3: a number is the sum of two of bf16, weights are float in memory
 *   BF16_OWN_PRODUCTS multiply() is the kernel file's, after this one; else with BF16_PAIRS sum_products() is
 *   BF16_ROWS         rows whose sums are kept in registers, where TILE_ROWS and the weights of a step are too many
 *
 * What lies between the products of a feed-forward is rounded once, after GELU.
 */
#ifndef MIEN_KERNELS_ENCODER_BF16_H
#define MIEN_KERNELS_ENCODER_BF16_H

#include <string.h>

#include "kernels/encoder_vector.h"

#ifdef BF16_PAIRS
typedef uint16_t activation;
#else
typedef float activation;
#endif

#ifdef BF16_SPLIT
enum { IS_SPLIT = 1, PARTS = 2 };
#else
enum { IS_SPLIT = 0, PARTS = 1 };
#endif

enum {
  /* Columns between the products of a feed-forward that are made at once, and stay in cache. */
  BETWEEN_COLUMNS = 384,
  /* bf16 numbers of a row that are one line of a panel's inputs. Of a number's two parts, the higher ones of this many
   * numbers come first, then the lower ones. */
  LINE_NUMBERS = MIEN_LINE / 2
};

static size_t whole_lines(size_t bytes) { return (bytes + MIEN_LINE - 1) / MIEN_LINE * MIEN_LINE; }

/* ---- Rows to bf16 ---------------------------------------------------------------------------------------------- */

/* The bits of the nearest bf16, ties to even, in the upper half of every lane; a NaN stays one. */
INLINE integers bf16_bits(vec x) {
#ifdef __AVX512BF16__
  return (integers)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x)) << 16;
#else
  const integers bits = (integers)x, is_nan = (integers)(x != x);
  const integers rounded = bits + 0x7FFF + (bits >> 16 & 1), quiet = bits | 0x400000;
  return ((rounded & ~is_nan) | (quiet & is_nan)) & 0xFFFF0000;
#endif
}

#ifdef BF16_PAIRS
INLINE void store_bf16(activation *at, vec x) {
#ifdef __AVX512BF16__
  const __m256bh halves = _mm512_cvtneps_pbh(x);
#else
  typedef uint16_t halves_of_vec __attribute__((vector_size(VEC_WIDTH * 2)));
  const halves_of_vec halves = __builtin_convertvector(bf16_bits(x) >> 16, halves_of_vec);
#endif
  memcpy(at, &halves, sizeof halves);
}
#else
INLINE void store_bf16(activation *at, vec x) { vec_store(at, (vec)bf16_bits(x)); }
#endif

/* VEC_WIDTH numbers from `column` on of a row. */
INLINE void store_activations(activation *row, size_t column, vec x) {
#ifdef BF16_SPLIT
  activation *at = row + column / LINE_NUMBERS * (PARTS * LINE_NUMBERS) + column % LINE_NUMBERS;
  store_bf16(at, x);
  store_bf16(at + LINE_NUMBERS, x - (vec)bf16_bits(x));
#else
  store_bf16(row + column, x);
#endif
}

typedef struct bf16_rows {
  activation *numbers; /* [n × depth × PARTS] */
  size_t depth;
} bf16_rows;

static inline activation *row_of(const bf16_rows *rows, size_t row) {
  return rows->numbers + row * rows->depth * PARTS;
}

/* Zeros behind the columns of n rows. */
static void clear_rest(const bf16_rows *rows, size_t n, size_t columns) {
  for (size_t row = 0; row < n; row++)
    for (size_t i = columns; i < rows->depth; i += VEC_WIDTH) store_activations(row_of(rows, row), i, vec_set(0));
}

static void round_rows(const float *x, size_t n, size_t columns, const bf16_rows *out) {
  for (size_t row = 0; row < n; row++, x += columns)
    for (size_t i = 0; i < columns; i += VEC_WIDTH) store_activations(row_of(out, row), i, vec_load(x + i));
  clear_rest(out, n, columns);
}

/* ---- Products -------------------------------------------------------------------------------------------------- */

/* Part of y = x·W: a range of the columns and of the inputs. */
typedef struct product {
  const mien_matrix *matrix;
  size_t first_column, columns; /* of the matrix: those that are made */
  size_t first_input;           /* of the matrix: x's first one */
  bf16_rows x;
  size_t n;
  bool with_bias;
  const float *from; /* [n × columns] what is added to; NULL: nothing */
  bf16_rows between; /* where GELU of it goes, rounded; without numbers: it goes to y as it is */
  float *y;
  size_t block_columns, block_stride; /* as in mien_encoder_kernels.project */
  uint16_t *split;                    /* scratch for a step's weights in parts */
} product;

/*
 * GELU that is rounded to bf16 then: x·(1/2 + t·P(t²)), t = x up to ±4.2, where the bracket is 0 or 1. P of degree 8 is
 * fitted to least error of the whole, which is 7e-5, and above -1 within 4e-4 of it; bf16's own error is up to 4e-3 of
 * it.
 */
INLINE vec vec_gelu_bf16(vec x) {
  static const float factors[] = {1.4484869e-11f,   -2.04007167e-09f, 1.16597676e-07f, -3.690727e-06f, 7.35353824e-05f,
                                  -0.000990046072f, 0.00942727737f,   -0.0657323375f,  0.398575932f};
  const vec t = vec_min(vec_max(x, vec_set(-4.2f)), vec_set(4.2f)), square = t * t;
  vec p = vec_set(factors[0]);
  UNROLLED_FOR (size_t i = 1; i < sizeof factors / sizeof *factors; i++)
    p = vec_multiply_add(p, square, vec_set(factors[i]));
  return x * vec_multiply_add(t, p, vec_set(0.5f));
}

INLINE vec gelu_between(vec x) { return IS_SPLIT ? vec_gelu(x) : vec_gelu_bf16(x); }

/* Sums of some rows and panels, `stride` a row, to where the product goes. */
static void finish(const product *p, size_t row, size_t rows, size_t column, size_t n_panels, const float *sums,
                   size_t stride) {
  const size_t columns = n_panels * MIEN_PANEL;
  const float *bias = p->matrix->bias + p->first_column + column;
  for (size_t r = row; r < row + rows; r++, sums += stride) {
    const float *from = p->from ? p->from + r * p->columns + column : NULL;
    for (size_t i = 0; i < columns; i += VEC_WIDTH) {
      const size_t at = column + i;
      vec result = vec_load(sums + i);
      if (p->with_bias) result += vec_load(bias + i);
      if (from) result += vec_load(from + i);
      if (p->between.numbers)
        store_activations(row_of(&p->between, r), at, gelu_between(result));
      else
        vec_store(p->y + at / p->block_columns * p->block_stride + r * p->block_columns + at % p->block_columns,
                  result);
    }
  }
}

#ifndef BF16_OWN_PRODUCTS
#ifndef BF16_ROWS
#define BF16_ROWS TILE_ROWS
#endif

enum { SUM_COLUMNS = TILE_PANELS * MIEN_PANEL };

/* The weights of the first panel from column on that meet x. */
static inline const uint16_t *weights_of(const product *p, size_t column) {
  const size_t depth = mien_depth(p->matrix->inputs, sizeof(uint16_t));
  return (const uint16_t *)p->matrix->panels + (p->first_column + column) * depth + p->first_input * MIEN_PANEL;
}

/* sums[R][SUM_COLUMNS] of rows `depth` apart and of P panels `panel_stride` apart. R and P are constants. */
#ifdef BF16_PAIRS
INLINE void sum_products(const activation *x, size_t depth, const uint16_t *weights, size_t panel_stride, int R, int P,
                         float *sums);
#else
/* Every second of the weights from `at` on, the first or the second of pairs. */
INLINE vec widen(const uint16_t *at, int second) {
  integers pairs;
  memcpy(&pairs, at, sizeof pairs);
  return second ? (vec)(pairs & 0xFFFF0000) : (vec)(pairs << 16);
}

INLINE void add_product(vec *sum, vec element, vec weights) {
#ifdef __AVX512F__ /* In place: of the intrinsic GCC 12 makes copies of sums. */
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(element), "v"(weights));
#else
  *sum = vec_multiply_add(element, weights, *sum);
#endif
}

/* An input of each row, `depth` apart, by the first or the second weights of pairs. */
INLINE void add_input(const activation *x, size_t depth, const uint16_t *weights, size_t panel_stride, int second,
                      int R, int P, vec all[BF16_ROWS][TILE_VECS]) {
  vec columns[TILE_VECS];
  UNROLLED_FOR (int v = 0; v < P * PANEL_VECS; v++)
    columns[v] = widen(weights + (size_t)(v / PANEL_VECS) * panel_stride + v % PANEL_VECS * 2 * VEC_WIDTH, second);
  UNROLLED_FOR (int r = 0; r < R; r++) {
    const vec element = vec_set(x[(size_t)r * depth]);
    UNROLLED_FOR (int v = 0; v < P * PANEL_VECS; v++) add_product(&all[r][v], element, columns[v]);
  }
}

INLINE void sum_products(const activation *x, size_t depth, const uint16_t *weights, size_t panel_stride, int R, int P,
                         float *sums) {
  vec all[BF16_ROWS][TILE_VECS];
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < P * PANEL_VECS; v++) all[r][v] = vec_set(0);
  for (size_t i = 0; i < depth; i += 2, weights += 2 * MIEN_PANEL) {
    add_input(x + i, depth, weights, panel_stride, 0, R, P, all);
    add_input(x + i + 1, depth, weights, panel_stride, 1, R, P, all);
  }
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int v = 0; v < P * PANEL_VECS; v++) vec_store(sums + r * SUM_COLUMNS + v * VEC_WIDTH, all[r][v]);
}
#endif

#define BF16_TILE_CASE(R)                                                                                              \
  case R:                                                                                                              \
    if (R <= BF16_ROWS) sum_products(x, p->x.depth, weights, panel_stride, R <= BF16_ROWS ? R : 1, P, sums);           \
    break;

INLINE void tile_of_rows(const product *p, size_t row, size_t column, size_t rows, int P) {
  _Static_assert(BF16_ROWS <= 12, "there is a case for every number of rows");
  const activation *x = row_of(&p->x, row);
  const uint16_t *weights = weights_of(p, column);
  const size_t panel_stride = MIEN_PANEL * mien_depth(p->matrix->inputs, sizeof *weights);
  float sums[BF16_ROWS * SUM_COLUMNS];
  switch (rows) {
    BF16_TILE_CASE(1)
    BF16_TILE_CASE(2)
    BF16_TILE_CASE(3)
    BF16_TILE_CASE(4)
    BF16_TILE_CASE(5)
    BF16_TILE_CASE(6)
    BF16_TILE_CASE(7)
    BF16_TILE_CASE(8)
    BF16_TILE_CASE(9)
    BF16_TILE_CASE(10)
    BF16_TILE_CASE(11)
    BF16_TILE_CASE(12)
  }
  finish(p, row, rows, column, (size_t)P, sums, SUM_COLUMNS);
}

/* All rows by n_panels ≤ TILE_PANELS of 16 columns. */
static void multiply_panels(const product *p, size_t column, size_t n_panels) {
  const size_t panel_stride = MIEN_PANEL * mien_depth(p->matrix->inputs, sizeof(uint16_t));
  const size_t tiles = (p->n + BF16_ROWS - 1) / BF16_ROWS, lines_a_tile = (p->x.depth / 2 + tiles - 1) / tiles;
  const bool is_last = p->first_column + column + n_panels * MIEN_PANEL >= p->matrix->outputs;
  /* Lines of the panels that come next are brought closer meanwhile. */
  const uint16_t *next = weights_of(p, column + (is_last ? 0 : n_panels * MIEN_PANEL));
  for (size_t row = 0; row < p->n; row += BF16_ROWS, next += lines_a_tile * 2 * MIEN_PANEL) {
    const size_t rows = at_most(p->n - row, BF16_ROWS);
    for (size_t panel = 0; panel < n_panels; panel++)
      for (size_t i = 0; i < lines_a_tile; i++)
        __builtin_prefetch(next + panel * panel_stride + i * 2 * MIEN_PANEL, 0, 2);
    if (TILE_PANELS == 2 && n_panels == 2)
      tile_of_rows(p, row, column, rows, TILE_PANELS);
    else
      tile_of_rows(p, row, column, rows, 1);
  }
}

static void multiply(const product *p) {
  for (size_t column = 0; column < p->columns; column += TILE_PANELS * MIEN_PANEL)
    multiply_panels(p, column, at_most((p->columns - column) / MIEN_PANEL, TILE_PANELS));
}
#else
static void multiply(const product *p);
#endif

/* ---- The table's functions ------------------------------------------------------------------------------------- */

static size_t rows_bytes(size_t rows, size_t columns) {
  return whole_lines(rows * mien_depth(columns, sizeof(uint16_t)) * PARTS * sizeof(activation));
}

/* Of two panels' weights in parts, at the inputs of one product. */
static size_t split_bytes(size_t columns) {
  return IS_SPLIT ? 2 * PARTS * MIEN_PANEL * mien_depth(columns, sizeof(uint16_t)) * sizeof(uint16_t) : 0;
}

static bf16_rows take_rows(unsigned char **scratch, size_t rows, size_t columns) {
  const bf16_rows taken = {.numbers = (activation *)(void *)*scratch, .depth = mien_depth(columns, sizeof(uint16_t))};
  *scratch += rows_bytes(rows, columns);
  return taken;
}

static size_t scratch_bytes(size_t rows, size_t inputs, size_t between) {
  const size_t columns = at_most(between, BETWEEN_COLUMNS);
  return rows_bytes(rows, inputs) + rows_bytes(rows, columns) + split_bytes(inputs > columns ? inputs : columns);
}

static void project(const mien_matrix *matrix, const float *x, size_t n, size_t block_columns, size_t block_stride,
                    void *scratch, float *out) {
  unsigned char *at = scratch;
  const bf16_rows rows = take_rows(&at, n, matrix->inputs);
  round_rows(x, n, matrix->inputs, &rows);
  multiply(&(product){.matrix = matrix,
                      .columns = matrix->outputs,
                      .x = rows,
                      .n = n,
                      .with_bias = true,
                      .y = out,
                      .block_columns = block_columns,
                      .block_stride = block_stride,
                      .split = (uint16_t *)(void *)at});
}

static void project_add(const mien_matrix *matrix, const float *x, size_t n, void *scratch, float *y) {
  unsigned char *at = scratch;
  const bf16_rows rows = take_rows(&at, n, matrix->inputs);
  round_rows(x, n, matrix->inputs, &rows);
  multiply(&(product){.matrix = matrix,
                      .columns = matrix->outputs,
                      .x = rows,
                      .n = n,
                      .with_bias = true,
                      .from = y,
                      .y = y,
                      .block_columns = matrix->outputs,
                      .split = (uint16_t *)(void *)at});
}

/* In blocks of the columns between. */
static void feed_forward(const mien_matrix *up, const mien_matrix *down, const float *x, size_t n, void *scratch,
                         float *y) {
  unsigned char *at = scratch;
  const bf16_rows rows = take_rows(&at, n, up->inputs);
  unsigned char *rest = at;
  round_rows(x, n, up->inputs, &rows);
  for (size_t column = 0; column < up->outputs; column += BETWEEN_COLUMNS) {
    const size_t columns = at_most(up->outputs - column, BETWEEN_COLUMNS);
    at = rest;
    const bf16_rows between = take_rows(&at, n, columns);
    clear_rest(&between, n, columns);
    multiply(&(product){.matrix = up,
                        .first_column = column,
                        .columns = columns,
                        .x = rows,
                        .n = n,
                        .with_bias = true,
                        .between = between,
                        .split = (uint16_t *)(void *)at});
    multiply(&(product){.matrix = down,
                        .columns = down->outputs,
                        .first_input = column,
                        .x = between,
                        .n = n,
                        .with_bias = column == 0,
                        .from = column == 0 ? x : y,
                        .y = y,
                        .block_columns = down->outputs,
                        .split = (uint16_t *)(void *)at});
  }
}

#define ENCODER_BF16(isa)                                                                                              \
  { isa, scratch_bytes, project, project_add, feed_forward, attend, norm }

#endif
