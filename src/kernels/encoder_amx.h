/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of AMX's tiles, which are 16 lines of 64 bytes (Intel's Architectures Software Developer's Manual, volume 1,
 * chapter 18): two tiles of activations' rows by two panels of weights, whose lines are a tile's. A kernel file defines
 * before
 *
 *   multiply_tiles(sums, rows, panel)   the instruction that adds products to sums
 *   TILE_PARTS                          2 where a number is the sum of two in the tiles, the higher and the lower part
 */
#ifndef MIEN_KERNELS_ENCODER_AMX_H
#define MIEN_KERNELS_ENCODER_AMX_H

#include "kernels/encoder_vector.h"

/* The instructions have the tile's number in them: it must be there for the preprocessor. Sums are named after the rows
 * and the panel they are of. */
#define SUMS_00 0
#define SUMS_01 1
#define SUMS_10 2
#define SUMS_11 3
#define ROWS_0 4
#define ROWS_1 5
#define PANEL_0 6
#define PANEL_1 7

enum {
  TILE_LINES = 16,
  TILE_BYTES = TILE_LINES * MIEN_LINE,
  SUM_ROWS = 2 * TILE_LINES,
  SUM_COLUMNS = 2 * MIEN_PANEL /* of four bytes */
};

/* Memory of LDTILECFG, palette 1. */
typedef struct tile_configuration {
  uint8_t palette, start_row, zeros[14];
  uint16_t line_bytes[16];
  uint8_t lines[16];
} tile_configuration;

/* What was written until now is in memory: the intrinsics of GCC 12 do not say that they read it. */
static inline void settle(const void *at) { __asm__ volatile("" : : "r"(at) : "memory"); }

/* For products of n ≥ 1 rows. They end with _tile_release(): a thread that has no tiles in use is cheaper to switch. */
static void configure_tiles(size_t n) {
  tile_configuration configuration = {.palette = 1};
  const uint8_t lines = (uint8_t)(n < TILE_LINES ? n : TILE_LINES);
  for (int tile = 0; tile < 8; tile++) {
    configuration.line_bytes[tile] = MIEN_LINE;
    configuration.lines[tile] = tile == PANEL_0 || tile == PANEL_1 ? TILE_LINES : lines;
  }
  settle(&configuration);
  _tile_loadconfig(&configuration);
}

/* The rows of a tile that has those from `row` on: the last tile of several begins early, so that it has all its lines
 * and reads nothing behind the rows. */
static inline size_t tile_start(size_t row, size_t n) {
  return n < TILE_LINES ? 0 : row + TILE_LINES <= n ? row : n - TILE_LINES;
}

/* Rows by one or two panels. A step is a line of each row and a tile of each panel; where operands have two parts, the
 * step of the lower part follows that of the higher one. */
typedef struct tile_product {
  const void *x; /* n rows, `row_bytes` apart */
  size_t row_bytes, n;
  const void *panels; /* `panel_bytes` apart */
  size_t panel_bytes, n_panels, steps;
  const void *next; /* as many panels in memory, `next_bytes` apart, which are brought closer; NULL: none */
  size_t next_bytes;
} tile_product;

typedef struct tile_operands {
  const unsigned char *rows[2], *panels[2];
  size_t row_bytes;
} tile_operands;

INLINE void clear_sums(int R, int P) {
  _tile_zero(SUMS_00);
  if (P == 2) _tile_zero(SUMS_01);
  if (R == 2) _tile_zero(SUMS_10);
  if (R == 2 && P == 2) _tile_zero(SUMS_11);
}

INLINE void load_rows(const tile_operands *from, size_t offset, int R) {
  _tile_loadd(ROWS_0, from->rows[0] + offset, from->row_bytes);
  if (R == 2) _tile_loadd(ROWS_1, from->rows[1] + offset, from->row_bytes);
}

INLINE void load_panels(const tile_operands *from, size_t offset, int P) {
  _tile_loadd(PANEL_0, from->panels[0] + offset, MIEN_LINE);
  if (P == 2) _tile_loadd(PANEL_1, from->panels[1] + offset, MIEN_LINE);
}

INLINE void add_tiles(int R, int P) {
  multiply_tiles(SUMS_00, ROWS_0, PANEL_0);
  if (P == 2) multiply_tiles(SUMS_01, ROWS_0, PANEL_1);
  if (R == 2) multiply_tiles(SUMS_10, ROWS_1, PANEL_0);
  if (R == 2 && P == 2) multiply_tiles(SUMS_11, ROWS_1, PANEL_1);
}

INLINE void store_sums(unsigned char *sums, int R, int P) {
  const size_t line = SUM_COLUMNS * 4;
  _tile_stored(SUMS_00, sums, line);
  if (P == 2) _tile_stored(SUMS_01, sums + MIEN_LINE, line);
  if (R == 2) _tile_stored(SUMS_10, sums + TILE_LINES * line, line);
  if (R == 2 && P == 2) _tile_stored(SUMS_11, sums + TILE_LINES * line + MIEN_LINE, line);
}

/* R tiles of rows by P panels; both are constants. */
INLINE void sum_tiles(const tile_operands *from, size_t steps, int R, int P, unsigned char *sums) {
  clear_sums(R, P);
  for (size_t step = 0; step < steps; step++) {
    const size_t row = step * TILE_PARTS * MIEN_LINE, panel = step * TILE_PARTS * TILE_BYTES;
#if TILE_PARTS == 2
    /* All but the product of the lower parts, in an order that loads the fewest tiles. */
    load_rows(from, row + MIEN_LINE, R);
    load_panels(from, panel, P);
    add_tiles(R, P);
    load_rows(from, row, R);
    add_tiles(R, P);
    load_panels(from, panel + TILE_BYTES, P);
    add_tiles(R, P);
#else
    load_rows(from, row, R);
    load_panels(from, panel, P);
    add_tiles(R, P);
#endif
  }
  store_sums(sums, R, P);
}

/* Of each of the panels that come next, the part that is the turn of the rows from `row` on. */
static void prefetch_next(const tile_product *p, size_t row) {
  const size_t turns = (p->n + SUM_ROWS - 1) / SUM_ROWS, lines = p->steps * TILE_PARTS * TILE_LINES;
  const size_t bytes_a_turn = (lines + turns - 1) / turns * MIEN_LINE;
  for (size_t panel = 0; panel < p->n_panels; panel++) {
    const unsigned char *at = (const unsigned char *)p->next + panel * p->next_bytes + row / SUM_ROWS * bytes_a_turn;
    for (size_t i = 0; i < bytes_a_turn; i += MIEN_LINE) __builtin_prefetch(at + i, 0, 2);
  }
}

/* Sums [SUM_ROWS × SUM_COLUMNS] of as many rows from `row` on as there are in two tiles; see line_of(). */
static void sum_rows(const tile_product *p, size_t row, void *sums) {
  const unsigned char *x = p->x, *panels = p->panels;
  const bool has_second = row + TILE_LINES < p->n;
  const size_t second = has_second ? tile_start(row + TILE_LINES, p->n) : 0;
  const tile_operands from = {.rows = {x + tile_start(row, p->n) * p->row_bytes, x + second * p->row_bytes},
                              .panels = {panels, panels + (p->n_panels - 1) * p->panel_bytes},
                              .row_bytes = p->row_bytes};
  if (p->next) prefetch_next(p, row);
  settle(sums);
  if (has_second && p->n_panels == 2)
    sum_tiles(&from, p->steps, 2, 2, sums);
  else if (has_second)
    sum_tiles(&from, p->steps, 2, 1, sums);
  else if (p->n_panels == 2)
    sum_tiles(&from, p->steps, 1, 2, sums);
  else
    sum_tiles(&from, p->steps, 1, 1, sums);
}

/* The line of the sums from `row` on that the first new row of their tile 0 or 1 has. */
static inline size_t line_of(const tile_product *p, size_t row, size_t tile) {
  const size_t first = row + tile * TILE_LINES;
  return tile * TILE_LINES + first - tile_start(first, p->n);
}

#endif
