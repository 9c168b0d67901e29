/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The products of a table of int8, written once for all instruction sets; see encoder_vector.h, which MIEN_UNFUSED must
 * be defined for. A kernel file defines before
 *
 *   INT8_OFFSET                    what is added to activations in memory: 128 where the instruction takes them without
 *                                  a sign, else 0
 *   INT8_LOWEST_OFFSET             the same where they are 0 to 254; not defined: 0 or -127, as INT8_OFFSET wants it
 *   INT8_ROWS, INT8_PANELS         sums kept in registers: rows by panels of 16 outputs; INT8_PANELS is 1 or 2
 *   INT8_ROW_BYTES(depth)          and arrange_row(row, range, depth), where a row is kept in a form of its own: its
 *                                  bytes in whole lines, and what makes it of the integers at their start
 *   INT8_PANEL_BYTES(depth)        and arrange_panel(x, panel), where the weights of 16 outputs are laid out anew for
 *                                  all rows of a call: the bytes that they take, in whole lines, and what does it, into
 *                                  x->panel; INT8_PANELS is 1 then
 *   sum_products(...)              as declared below: how a tile's sums are made; or INT8_OWN_PANELS, and after this
 *                                  file multiply_panels(), where that is not by tiles of these sizes
 *   vec_max_integers(a, b)         of int32 lanes
 *   vec_store_low_bytes(at, a)     the low byte of each of VEC_WIDTH lanes
 *
 * How numbers are rounded is said in encoder_kernels.h.
 */
#ifndef MIEN_KERNELS_ENCODER_INT8_H
#define MIEN_KERNELS_ENCODER_INT8_H

#ifndef MIEN_UNFUSED
#error "the bits of int8 are those of unfused arithmetic"
#endif

#include <string.h>

#include "kernels/encoder_vector.h"

typedef int32_t signed_integers __attribute__((vector_size(VEC_WIDTH * 4)));
typedef uint8_t activation; /* an int8 + INT8_OFFSET */

enum {
  /* Rows that go through both products of a feed-forward before the next ones do: what lies between stays in cache. */
  FEED_ROWS = 192,
  INT8_VECS = INT8_PANELS * PANEL_VECS
};

INLINE signed_integers load_integers(const int32_t *at) {
  signed_integers value;
  memcpy(&value, at, sizeof value);
  return value;
}

static size_t whole_lines(size_t bytes) { return (bytes + MIEN_LINE - 1) / MIEN_LINE * MIEN_LINE; }

/* ---- Rows to int8 ---------------------------------------------------------------------------------------------- */

/* How a row becomes integers. */
typedef enum int8_range {
  AROUND_ZERO, /* -127 to 127; x, times what the matrix wants it multiplied by */
  FROM_LOWEST, /* 0 to 254 above the lowest number that there is, MIEN_GELU_LOWEST */
} int8_range;

#ifndef INT8_LOWEST_OFFSET
#define INT8_LOWEST_OFFSET (INT8_OFFSET ? 0 : -127)
#endif

#ifndef INT8_ROW_BYTES
#define INT8_ROW_BYTES(depth) (depth)
INLINE void arrange_row(activation *row, int8_range range, size_t depth) { (void)row, (void)range, (void)depth; }
#else
static void arrange_row(activation *row, int8_range range, size_t depth);
#endif

typedef struct int8_rows {
  activation *numbers; /* [n × INT8_ROW_BYTES(depth)] */
  float *scales;       /* [n] */
  void *panel;         /* [INT8_PANEL_BYTES(depth)] */
  size_t depth;
  int8_range range;
  int32_t correction; /* times the sum of an output's weights: what its sum lacks for how numbers are in memory */
} int8_rows;

#ifndef INT8_PANEL_BYTES
#define INT8_PANEL_BYTES(depth) 0
#define arrange_panel(x, panel) (panel)
#else
static const int8_t *arrange_panel(const int8_rows *x, const int8_t *panel);
#endif

/* Numbers of a row from `at` on, on their way to be rounded. */
INLINE vec load_row(const float *x, int8_range range, const float *multipliers, size_t at) {
  vec numbers = vec_load(x + at);
  if (range == FROM_LOWEST) return numbers - vec_set(MIEN_GELU_LOWEST);
  if (multipliers) numbers *= vec_load(multipliers + at);
  return numbers;
}

/* The bits of floats without their signs, as integers, are in the order of the floats. */
INLINE float largest_magnitude(signed_integers all) {
  quad_integers lanes[VEC_WIDTH / 4], most = {0};
  memcpy(lanes, &all, sizeof lanes);
  UNROLLED_FOR (int i = 0; i < VEC_WIDTH / 4; i++) {
    const quad_integers is_more = lanes[i] > most;
    most = (is_more & lanes[i]) | (~is_more & most);
  }
  const int32_t even = most[0] > most[2] ? most[0] : most[2], odd = most[1] > most[3] ? most[1] : most[3];
  const int32_t last = even > odd ? even : odd;
  float value;
  memcpy(&value, &last, sizeof value);
  return value;
}

/* One row; returns its scale. `depth` - columns numbers behind it are nothing. */
INLINE float quantise_row(const float *x, int8_range range, const float *multipliers, size_t columns, size_t depth,
                          activation *out) {
  const float least = MIEN_INT8_NOTHING, steps = range == FROM_LOWEST ? 254 : 127;
  const int offset = range == AROUND_ZERO ? INT8_OFFSET : INT8_LOWEST_OFFSET;
  signed_integers largest = {0};
  for (size_t i = 0; i < columns; i += MIEN_PANEL)
    UNROLLED_FOR (size_t at = i; at < i + MIEN_PANEL; at += VEC_WIDTH)
      /* Magnitudes by their bits, so that NaN is the largest. */
      largest = vec_max_integers(largest, (signed_integers)load_row(x, range, multipliers, at) & 0x7FFFFFFF);
  const float value = largest_magnitude(largest);
  /* The difference is 0, or NaN where a number is not finite, whatever its byte. */
  const float scale = value < least ? 0 : value / steps + (value - value), inverse = value < least ? 0 : steps / value;
  /* With an even offset ties go where they would without it; an odd one is added afterwards. */
  const bool is_even = offset % 2 == 0;
  const vec all_inverse = vec_set(inverse), add_offset = vec_set((float)offset);
  const vec round_to_integer = vec_set(MIEN_TO_INTEGER + (float)(is_even ? offset : 0));
  for (size_t i = 0; i < columns; i += MIEN_PANEL)
    UNROLLED_FOR (size_t at = i; at < i + MIEN_PANEL; at += VEC_WIDTH) {
      vec rounded = load_row(x, range, multipliers, at) * all_inverse + round_to_integer;
      if (!is_even) rounded += add_offset;
      vec_store_low_bytes(out + at, rounded);
    }
  /* The weights there are zeros: what stands here is of no matter, but for being known. */
  memset(out + columns, 0, depth - columns);
  return scale;
}

static void quantise(const mien_matrix *matrix, int8_range range, const float *x, size_t n, int8_rows *out) {
  const size_t columns = matrix->inputs, depth = out->depth;
  out->range = range;
  out->correction = -(range == AROUND_ZERO ? INT8_OFFSET : INT8_LOWEST_OFFSET);
  for (size_t row = 0; row < n; row++, x += columns) {
    activation *numbers = out->numbers + row * INT8_ROW_BYTES(depth);
    if (range == FROM_LOWEST)
      out->scales[row] = quantise_row(x, FROM_LOWEST, NULL, columns, depth, numbers);
    else if (matrix->multipliers)
      out->scales[row] = quantise_row(x, AROUND_ZERO, matrix->multipliers, columns, depth, numbers);
    else
      out->scales[row] = quantise_row(x, AROUND_ZERO, NULL, columns, depth, numbers);
    arrange_row(numbers, range, depth);
  }
}

/* ---- Products -------------------------------------------------------------------------------------------------- */

/* y = x·W + b (+ from), or GELU of it. */
typedef struct product {
  const mien_matrix *matrix;
  const float *bias; /* [outputs] */
  const int8_rows *x;
  size_t n;
  const float *from; /* [n × outputs] what is added to; NULL: nothing */
  bool gelu;
  float *y;
  size_t block_columns, block_stride; /* as in mien_encoder_kernels.project */
} product;

/* Where 16 columns from `column` on of a row go. */
static inline float *place_of(const product *p, size_t row, size_t column) {
  return p->y + column / p->block_columns * p->block_stride + row * p->block_columns + column % p->block_columns;
}

/* 16 sums of a row, those of the columns from `column` on, to y. */
INLINE void finish(const product *p, size_t row, size_t column, const signed_integers sums[PANEL_VECS]) {
  const mien_matrix *matrix = p->matrix;
  const vec row_scale = vec_set(p->x->scales[row]);
  const int32_t correction = p->x->correction;
  float *y = place_of(p, row, column);
  UNROLLED_FOR (int v = 0; v < PANEL_VECS; v++) {
    const size_t at = column + (size_t)v * VEC_WIDTH;
    signed_integers sum = sums[v];
    if (correction) sum += load_integers(matrix->sums + at) * correction;
    vec result = __builtin_convertvector(sum, vec) * vec_load(matrix->scales + at) * row_scale;
    result += vec_load(p->bias + at);
    if (p->from) result += vec_load(p->from + row * matrix->outputs + at);
    vec_store(y + v * VEC_WIDTH, result);
  }
}

#ifndef INT8_OWN_PANELS
/* sums[r][p·PANEL_VECS + v] of rows row + r and of outputs v·VEC_WIDTH on of panel p. R and P are constants; panels are
 * `panel_bytes` apart. */
INLINE void sum_products(const int8_rows *x, size_t row, const int8_t *weights, size_t panel_bytes, int R, int P,
                         signed_integers sums[INT8_ROWS][INT8_VECS]);

INLINE void tile_of_sums(const product *p, size_t row, size_t column, const int8_t *weights, int R, int P) {
  signed_integers sums[INT8_ROWS][INT8_VECS];
  sum_products(p->x, row, weights, MIEN_PANEL * p->x->depth, R, P, sums);
  /* In copies, which no store can change: what the rows have in common is loaded and divided once. */
  const mien_matrix matrix = *p->matrix;
  const int8_rows x = *p->x;
  product here = *p;
  here.matrix = &matrix;
  here.x = &x;
  UNROLLED_FOR (int r = 0; r < R; r++)
    UNROLLED_FOR (int panel = 0; panel < P; panel++)
      finish(&here, row + (size_t)r, column + (size_t)panel * MIEN_PANEL, &sums[r][panel * PANEL_VECS]);
}

#define INT8_TILE_CASE(R)                                                                                              \
  case R:                                                                                                              \
    if (R <= INT8_ROWS) tile_of_sums(p, row, column, weights, R <= INT8_ROWS ? R : 1, P);                              \
    break;

INLINE void tile_of_rows(const product *p, size_t row, size_t column, const int8_t *weights, size_t rows, int P) {
  _Static_assert(INT8_ROWS <= 12, "there is a case for every number of rows");
  switch (rows) {
    INT8_TILE_CASE(1)
    INT8_TILE_CASE(2)
    INT8_TILE_CASE(3)
    INT8_TILE_CASE(4)
    INT8_TILE_CASE(5)
    INT8_TILE_CASE(6)
    INT8_TILE_CASE(7)
    INT8_TILE_CASE(8)
    INT8_TILE_CASE(9)
    INT8_TILE_CASE(10)
    INT8_TILE_CASE(11)
    INT8_TILE_CASE(12)
  }
}

/* Not inlined: what surrounds it must not take registers from the sums. */
static __attribute__((noinline)) void tile_of_panels(const product *p, size_t row, size_t column, const int8_t *weights,
                                                     size_t rows, size_t n_panels) {
  if (INT8_PANELS == 2 && n_panels == 2)
    tile_of_rows(p, row, column, weights, rows, INT8_PANELS);
  else
    tile_of_rows(p, row, column, weights, rows, 1);
}

/* All rows by n_panels ≤ INT8_PANELS of 16 columns. */
static void multiply_panels(const product *p, size_t column, size_t n_panels) {
  const size_t bytes = n_panels * MIEN_PANEL * p->x->depth, tiles = (p->n + INT8_ROWS - 1) / INT8_ROWS;
  const size_t bytes_a_tile = whole_lines((bytes + tiles - 1) / tiles);
  const bool is_last = column + n_panels * MIEN_PANEL >= p->matrix->outputs;
  /* The panels that come next are brought closer meanwhile. */
  const unsigned char *next =
      (const unsigned char *)p->matrix->panels + (column + (is_last ? 0 : n_panels * MIEN_PANEL)) * p->x->depth;
  const int8_t *weights = arrange_panel(p->x, (const int8_t *)p->matrix->panels + column * p->x->depth);
  for (size_t row = 0; row < p->n; row += INT8_ROWS, next += bytes_a_tile) {
    const size_t rows = at_most(p->n - row, INT8_ROWS);
    for (size_t i = 0; i < bytes_a_tile; i += MIEN_LINE) __builtin_prefetch(next + i, 0, 2);
    tile_of_panels(p, row, column, weights, rows, n_panels);
  }
}
#else
static void multiply_panels(const product *p, size_t column, size_t n_panels);
#endif

/*
 * GELU(x) = x · (1/2 + erf(x/√2)/2), the second term as x·P(x²) with P of degree 5 for |x| up to 3.66, where it is made
 * to be 1/2 exactly: within 5e-4 of GELU everywhere, fitted to the least such error. Its results are rounded to steps
 * that are many times as large.
 */
INLINE vec rough_gelu(vec x) {
  static const float coefficients[] = {-5.01101624e-07f, 2.7305794e-05f, -0.000623243686f,
                                       0.00788402278f,   -0.0626806319f, 0.396552294f};
  const vec inside = vec_min(vec_max(x, vec_set(-3.66f)), vec_set(3.66f)), square = inside * inside;
  vec p = vec_set(coefficients[0]);
  UNROLLED_FOR (size_t i = 1; i < sizeof coefficients / sizeof *coefficients; i++)
    p = p * square + vec_set(coefficients[i]);
  return x * vec_min(vec_max(inside * p + vec_set(0.5f), vec_set(0)), vec_set(1));
}

static void apply_gelu(const product *p, size_t column, size_t columns) {
  for (size_t row = 0; row < p->n; row++)
    for (size_t i = 0; i < columns; i += MIEN_PANEL) {
      float *y = place_of(p, row, column + i);
      UNROLLED_FOR (int v = 0; v < PANEL_VECS; v++)
        vec_store(y + v * VEC_WIDTH, rough_gelu(vec_load(y + v * VEC_WIDTH)));
    }
}

static void multiply(const product *p) {
  const size_t outputs = p->matrix->outputs;
  for (size_t column = 0; column < outputs; column += INT8_PANELS * MIEN_PANEL) {
    const size_t columns = at_most(outputs - column, INT8_PANELS * MIEN_PANEL);
    multiply_panels(p, column, columns / MIEN_PANEL);
    if (p->gelu) apply_gelu(p, column, columns);
  }
}

/* ---- The table's functions ------------------------------------------------------------------------------------- */

/* Scratch: rows as int8 with their scales; of a feed-forward also what lies between, as floats and as int8. */
static size_t rows_bytes(size_t rows, size_t columns) {
  const size_t depth = mien_depth(columns, 1);
  return rows * INT8_ROW_BYTES(depth) + whole_lines(rows * sizeof(float)) + INT8_PANEL_BYTES(depth);
}

static int8_rows take_rows(unsigned char **scratch, size_t rows, size_t columns) {
  int8_rows taken = {.numbers = *scratch, .depth = mien_depth(columns, 1)};
  taken.scales = (float *)(void *)(*scratch + rows * INT8_ROW_BYTES(taken.depth));
  taken.panel = (unsigned char *)taken.scales + whole_lines(rows * sizeof(float));
  *scratch += rows_bytes(rows, columns);
  return taken;
}

static size_t scratch_bytes(size_t rows, size_t inputs, size_t between) {
  const size_t one = rows_bytes(rows, inputs);
  const size_t feed =
      rows_bytes(FEED_ROWS, inputs) + rows_bytes(FEED_ROWS, between) + FEED_ROWS * between * sizeof(float);
  return one > feed ? one : feed;
}

static void project(const mien_matrix *matrix, const float *x, size_t n, size_t block_columns, size_t block_stride,
                    void *scratch, float *out) {
  unsigned char *at = scratch;
  int8_rows rows = take_rows(&at, n, matrix->inputs);
  quantise(matrix, AROUND_ZERO, x, n, &rows);
  multiply(&(product){.matrix = matrix,
                      .bias = matrix->bias,
                      .x = &rows,
                      .n = n,
                      .y = out,
                      .block_columns = block_columns,
                      .block_stride = block_stride});
}

static void project_add(const mien_matrix *matrix, const float *x, size_t n, void *scratch, float *y) {
  unsigned char *at = scratch;
  int8_rows rows = take_rows(&at, n, matrix->inputs);
  quantise(matrix, AROUND_ZERO, x, n, &rows);
  multiply(&(product){
      .matrix = matrix, .bias = matrix->bias, .x = &rows, .n = n, .from = y, .y = y, .block_columns = matrix->outputs});
}

static void feed_forward(const mien_matrix *up, const mien_matrix *down, const float *x, size_t n, void *scratch,
                         float *y) {
  unsigned char *at = scratch;
  const size_t hidden = up->inputs, columns = up->outputs;
  int8_rows rows = take_rows(&at, FEED_ROWS, hidden), rows_between = take_rows(&at, FEED_ROWS, columns);
  float *between = (float *)(void *)at;
  for (size_t row = 0; row < n; row += FEED_ROWS, x += FEED_ROWS * hidden, y += FEED_ROWS * hidden) {
    const size_t n_rows = at_most(n - row, FEED_ROWS);
    quantise(up, AROUND_ZERO, x, n_rows, &rows);
    multiply(&(product){
        .matrix = up, .bias = up->bias, .x = &rows, .n = n_rows, .gelu = true, .y = between, .block_columns = columns});
    quantise(down, FROM_LOWEST, between, n_rows, &rows_between);
    multiply(&(product){.matrix = down,
                        .bias = down->lowest,
                        .x = &rows_between,
                        .n = n_rows,
                        .from = x,
                        .y = y,
                        .block_columns = down->outputs});
  }
}

#define ENCODER_INT8(isa)                                                                                              \
  { isa, scratch_bytes, project, project_add, feed_forward, attend, norm }

#endif
