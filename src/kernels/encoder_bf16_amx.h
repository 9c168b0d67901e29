/* SPDX-License-Identifier: Apache-2.0 */
/* The products of bf16 and of bf16x3 on AMX, whose instructions take and give zeros for subnormal numbers. A kernel
 * file defines after it what its weights are in tiles. */
#ifndef MIEN_KERNELS_ENCODER_BF16_AMX_H
#define MIEN_KERNELS_ENCODER_BF16_AMX_H

#include "kernels/vector_avx512.h"

#define BF16_PAIRS
#define BF16_OWN_PRODUCTS
#include "kernels/encoder_bf16.h"

#define multiply_tiles _tile_dpbf16ps
#ifdef BF16_SPLIT
#define TILE_PARTS 2
#else
#define TILE_PARTS 1
#endif
#include "kernels/encoder_amx.h"

/* The panels, their places and what comes next, of n_panels from `column` on. */
static void take_panels(const product *p, size_t column, size_t n_panels, tile_product *tiles);

/* All rows by n_panels ≤ 2 of 16 columns. */
static void multiply_panels(const product *p, size_t column, size_t n_panels) {
  _Alignas(MIEN_LINE) float sums[SUM_ROWS * SUM_COLUMNS];
  tile_product tiles = {.x = p->x.numbers,
                        .row_bytes = p->x.depth * PARTS * sizeof(activation),
                        .n = p->n,
                        .n_panels = n_panels,
                        .steps = p->x.depth / LINE_NUMBERS};
  take_panels(p, column, n_panels, &tiles);
  for (size_t row = 0; row < p->n; row += SUM_ROWS) {
    sum_rows(&tiles, row, sums);
    for (size_t tile = 0; tile < 2 && row + tile * TILE_LINES < p->n; tile++) {
      const size_t first = row + tile * TILE_LINES, rows = at_most(p->n - first, TILE_LINES);
      finish(p, first, rows, column, n_panels, sums + line_of(&tiles, row, tile) * SUM_COLUMNS, SUM_COLUMNS);
    }
  }
}

static void multiply(const product *p) {
  configure_tiles(p->n);
  for (size_t column = 0; column < p->columns; column += SUM_COLUMNS)
    multiply_panels(p, column, at_most((p->columns - column) / MIEN_PANEL, 2));
  _tile_release();
}

#endif
