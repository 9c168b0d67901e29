/* SPDX-License-Identifier: Apache-2.0 */
/* The products of a table of f32, written once for all instruction sets; see encoder_vector.h. */
#ifndef MIEN_KERNELS_ENCODER_F32_H
#define MIEN_KERNELS_ENCODER_F32_H

#include "kernels/encoder_vector.h"

/* Inputs that are summed before the sums go back to memory: a panel of them is 24 KiB. */
enum { DEPTH = 384 };

/* Part of y = x·W: all of the columns that y has, and a range of the inputs. */
typedef struct product {
  const mien_matrix *matrix;
  size_t first_column, columns; /* of the matrix: those that y has */
  size_t first_input, inputs;   /* of the matrix: those that x has */
  const float *x;               /* [n × inputs] */
  size_t n;
  bool with_bias;
  const float *from; /* [n × columns] what is added to; NULL: nothing */
  bool gelu;
  float *y;
  size_t block_columns, block_stride; /* as in mien_encoder_kernels.project */
} product;

/* Lines of the following panels that are brought closer while this row of tiles runs. */
INLINE void prefetch(const float *weights, size_t *lines, size_t n_lines) {
  for (size_t i = 0; i < n_lines; i++) __builtin_prefetch(weights + (*lines + i) * MIEN_PANEL, 0, 2);
  *lines += n_lines;
}

/* The panels from `column` on by all rows. `first_input` and `depth` are of x's columns. */
static void multiply_panels(const product *p, size_t column, size_t n_panels, size_t first_input, size_t depth) {
  const size_t inputs = p->matrix->inputs;
  const float *all = p->matrix->panels;
  const bool starts = first_input == 0, ends = first_input + depth == p->inputs;
  const float *weights = all + (p->first_column + column) * inputs + (p->first_input + first_input) * MIEN_PANEL;
  const tile_shape shape = {.depth = depth,
                            .x_stride = p->inputs,
                            .weights_stride = MIEN_PANEL,
                            .from_stride = starts ? p->columns : p->block_columns,
                            .y_stride = p->block_columns,
                            .gelu = p->gelu && ends};
  const size_t tiles = (p->n + TILE_ROWS - 1) / TILE_ROWS, lines_a_tile = (n_panels * depth + tiles - 1) / tiles;
  const bool is_last = p->first_column + column + n_panels * MIEN_PANEL >= p->matrix->outputs;
  const float *next = is_last ? weights : weights + n_panels * inputs * MIEN_PANEL;
  size_t lines = 0;
  for (size_t row = 0; row < p->n; row += TILE_ROWS) {
    tile_panel panels[TILE_PANELS];
    for (size_t i = 0; i < n_panels; i++) {
      const size_t at = column + i * MIEN_PANEL;
      float *y = p->y + at / p->block_columns * p->block_stride + row * p->block_columns + at % p->block_columns;
      const float *from = !starts ? y : p->from ? p->from + row * p->columns + at : NULL;
      panels[i] = (tile_panel){.weights = weights + i * inputs * MIEN_PANEL,
                               .bias = starts && p->with_bias ? p->matrix->bias + p->first_column + at : NULL,
                               .from = from,
                               .y = y};
    }
    prefetch(next, &lines, lines_a_tile);
    tile(&shape, p->x + row * p->inputs + first_input, panels, n_panels, at_most(p->n - row, TILE_ROWS));
  }
}

static void multiply(const product *p) {
  for (size_t input = 0; input < p->inputs; input += DEPTH) {
    const size_t depth = at_most(p->inputs - input, DEPTH);
    for (size_t column = 0; column < p->columns; column += TILE_PANELS * MIEN_PANEL)
      multiply_panels(p, column, at_most((p->columns - column) / MIEN_PANEL, TILE_PANELS), input, depth);
  }
}

static size_t scratch_bytes(size_t rows, size_t inputs, size_t between) {
  (void)inputs;
  return rows * at_most(between, DEPTH) * sizeof(float);
}

static void project(const mien_matrix *matrix, const float *x, size_t n, size_t block_columns, size_t block_stride,
                    void *scratch, float *out) {
  (void)scratch;
  multiply(&(product){.matrix = matrix,
                      .columns = matrix->outputs,
                      .inputs = matrix->inputs,
                      .x = x,
                      .n = n,
                      .with_bias = true,
                      .y = out,
                      .block_columns = block_columns,
                      .block_stride = block_stride});
}

static void project_add(const mien_matrix *matrix, const float *x, size_t n, void *scratch, float *y) {
  (void)scratch;
  multiply(&(product){.matrix = matrix,
                      .columns = matrix->outputs,
                      .inputs = matrix->inputs,
                      .x = x,
                      .n = n,
                      .with_bias = true,
                      .from = y,
                      .y = y,
                      .block_columns = matrix->outputs});
}

/* In blocks of the columns between, which stay in cache from up to down. */
static void feed_forward(const mien_matrix *up, const mien_matrix *down, const float *x, size_t n, void *scratch,
                         float *y) {
  float *between = scratch;
  for (size_t column = 0; column < up->outputs; column += DEPTH) {
    const size_t columns = at_most(up->outputs - column, DEPTH);
    multiply(&(product){.matrix = up,
                        .first_column = column,
                        .columns = columns,
                        .inputs = up->inputs,
                        .x = x,
                        .n = n,
                        .with_bias = true,
                        .gelu = true,
                        .y = between,
                        .block_columns = columns});
    multiply(&(product){.matrix = down,
                        .columns = down->outputs,
                        .first_input = column,
                        .inputs = columns,
                        .x = between,
                        .n = n,
                        .with_bias = column == 0,
                        .from = column == 0 ? x : y,
                        .y = y,
                        .block_columns = down->outputs});
  }
}

#define ENCODER_F32(isa)                                                                                               \
  { isa, scratch_bytes, project, project_add, feed_forward, attend, norm }

#endif
