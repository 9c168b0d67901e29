/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder's kernels in float32, one table an instruction set.
 *
 * Sums have one definition whatever the sizes of tiles and batches. An element of a product starts from bias (+ what it
 * is added to), and adds x[k]·w[k] for k = 0, 1, … with fused multiply-adds (the portable table: a multiplication and
 * an addition). Sums along a row (softmax, LayerNorm) go to 16 lanes, element i to lane i mod 16, and the lanes are
 * added pairwise as a tree (j + 8, j + 4, j + 2, j + 1). So every table but the portable one gives the same bits, and a
 * row has the same bits in every batch.
 *
 * Matrices of activations are rows of floats, a row a token. Nothing here allocates.
 */
#ifndef MIEN_KERNELS_ENCODER_KERNELS_H
#define MIEN_KERNELS_ENCODER_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cpu.h"

enum {
  MIEN_PANEL = 16,    /* outputs side by side in packed weights; columns of activations come in multiples of it */
  MIEN_DEPTH = 384,   /* inputs that are summed before the sums go back to memory: a panel of them is 24 KiB */
  MIEN_MAX_TILE = 16, /* most rows of any table's tile */
};

/* Columns, or tokens as attention pads them, up to whole panels. */
static inline size_t mien_whole_panels(size_t n) { return (n + MIEN_PANEL - 1) / MIEN_PANEL * MIEN_PANEL; }

/* y = x·W + b. */
typedef struct mien_matrix {
  size_t inputs, outputs; /* multiples of MIEN_PANEL */
  float *panels;          /* [outputs / 16][inputs][16], aligned to 64 */
  float *bias;            /* [outputs] */
} mien_matrix;

/* One text's attention, all heads. Head h's queries are the rows [n × head_columns] at queries + h × head_stride,
 * without gaps, and so are keys and values. Queries are scaled already. */
typedef struct mien_attention {
  const float *queries, *keys, *values;
  size_t heads, head_columns, head_stride; /* head_columns: a multiple of MIEN_PANEL */
  size_t n;                                /* tokens, at least 1 */
  size_t n_queries;                        /* the first ones, whose results are wanted: 1 to n */
  float *transposed; /* scratch [head_columns × n up to a multiple of MIEN_PANEL], aligned to 64 */
  float *scores;     /* scratch [MIEN_MAX_TILE × the same] */
  float *mask;       /* scratch [the same] */
  float *out;        /* [n_queries × heads × head_columns] */
} mien_attention;

typedef struct mien_encoder_kernels {
  mien_isa isa; /* the lowest one that the table needs */

  /* out = x·W + b, its columns in blocks of block_columns: column c of row r goes to
   * out[c / block_columns × block_stride + r × block_columns + c mod block_columns]. x [n × inputs] */
  void (*project)(const mien_matrix *matrix, const float *x, size_t n, size_t block_columns, size_t block_stride,
                  float *out);

  /* y += x·W + b. x [n × inputs], y [n × outputs] */
  void (*project_add)(const mien_matrix *matrix, const float *x, size_t n, float *y);

  /* y = x + down(GELU(up(x))). x and y [n × up->inputs] must not overlap; between: scratch [n × MIEN_DEPTH] */
  void (*feed_forward)(const mien_matrix *up, const mien_matrix *down, const float *x, size_t n, float *between,
                       float *y);

  void (*attend)(const mien_attention *attention);

  /* LayerNorm of each row of x [n × columns] to out, which may be x. */
  void (*norm)(const float *gamma, const float *beta, float epsilon, const float *x, size_t n, size_t columns,
               float *out);
} mien_encoder_kernels;

/* NULL where the compiler's target has no such table. */
extern const mien_encoder_kernels *const mien_encoder_kernels_of[MIEN_ISA_COUNT];

/* The fastest table within `isa`. */
const mien_encoder_kernels *mien_encoder_kernels_for(mien_isa isa);

#endif
