/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder's kernels, one table for a dtype and an instruction set. Every table takes and gives float32; what its
 * products run in is its own matter:
 *
 * - f32: sums of fused multiply-adds in float32.
 *
 * - bf16x3: each operand split into two bf16 numbers, three products of them summed in float32, on processors with
 * tiles for that; elsewhere the tables of f32, which are as exact.
 *
 * - bf16: both operands rounded to bf16 (nearest, ties to even), products summed in float32.
 *
 * - int8: both operands rounded to integers, whose sums are exact: weights to -127 to 127 times their output's scale,
 *   the largest magnitude / 127; activations the same way by their row's scale, after each input was multiplied by a
 *   number of its own, where there is one, which its weights were divided by. What GELU gives is rounded to 0 to 254
 *   steps above MIEN_GELU_LOWEST, each a 254th of its row's range.
 *
 * A row has the same bits in every batch. Between tables: the bits of f32 are the same in all but the portable one; the
 * bits of int8 are the same in all; those of bf16 are the same but for AVX512-BF16, AMX and the portable one.
 *
 * An element of a product of f32 starts from bias (+ what it is added to), and adds x[k]·w[k] for k = 0, 1, … with
 * fused multiply-adds (the portable table: a multiplication and an addition). One of int8 is sum · (scale of the
 * output) · (scale of the row) + bias (+ what it is added to), each rounded by itself; so is everything else in int8:
 * no multiply-add is fused, nothing comes from libm. Sums along a row (softmax, LayerNorm) go to 16 lanes, element i to
 * lane i mod 16, and the lanes are added pairwise as a tree (j + 8, j + 4, j + 2, j + 1).
 *
 * Matrices of activations are rows of floats, a row a token. Nothing here allocates.
 */
#ifndef MIEN_KERNELS_ENCODER_KERNELS_H
#define MIEN_KERNELS_ENCODER_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

enum {
  MIEN_PANEL = 16,    /* outputs side by side in packed weights; columns of activations come in multiples of it */
  MIEN_LINE = 64,     /* bytes: a panel's outputs at 1, 2 or 4 inputs, of which as many as fit lie side by side */
  MIEN_MAX_TILE = 16, /* most rows of any table's tile of attention */
};

/* 1.5 · 2^23: a float of moderate size added to it is rounded to an integer, which is in the sum's low bits. */
#define MIEN_TO_INTEGER 12582912.0f

/* int8: rows whose largest magnitude is less are taken for zeros, with a scale of 0. */
#define MIEN_INT8_NOTHING 0x1p-100f

/* No number that GELU gives is lower: its least is -0.16998. */
#define MIEN_GELU_LOWEST (-0.171f)

/* Columns, or tokens as attention pads them, up to whole panels. */
static inline size_t mien_whole_panels(size_t n) { return (n + MIEN_PANEL - 1) / MIEN_PANEL * MIEN_PANEL; }

/*
 * y = x·W + b, as the tables of one layout read it:
 *   f32, bf16x3  float    [outputs / 16][inputs][16]
 *   bf16         uint16_t [outputs / 16][depth / 2][16][2]
 *   int8         int8_t   [outputs / 16][depth / 4][16][4]
 */
typedef struct mien_matrix {
  size_t inputs, outputs; /* multiples of MIEN_PANEL */
  void *panels;           /* aligned to MIEN_LINE */
  float *bias;            /* [outputs] */
  float *scales;          /* int8: [outputs] what a weight of 1 stands for, at least 0 */
  float *multipliers;     /* int8: [inputs] x is multiplied by them before it is rounded; NULL: by nothing */
  int32_t *sums;          /* int8: [outputs] of an output's weights */
  float *lowest;          /* int8, of feed_forward's down: [outputs] what an output is where every input is
                             MIEN_GELU_LOWEST: bias + sum · scale · MIEN_GELU_LOWEST */
} mien_matrix;

/* Inputs that a matrix has in memory: a line of bytes of them or a multiple, zeros behind the real ones; `bytes` is an
 * element's. For 4 it is all the same. */
static inline size_t mien_depth(size_t inputs, size_t bytes) {
  const size_t whole = bytes == 4 ? MIEN_PANEL : MIEN_LINE / bytes;
  return (inputs + whole - 1) / whole * whole;
}

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

  /* Bytes of scratch for products of `rows` rows of at most `inputs` numbers and feed_forward's of `between`. */
  size_t (*scratch_bytes)(size_t rows, size_t inputs, size_t between);

  /* out = x·W + b, its columns in blocks of block_columns: column c of row r goes to
   * out[c / block_columns × block_stride + r × block_columns + c mod block_columns]. x [n × inputs]; scratch, here and
   * below: as scratch_bytes says, aligned to MIEN_LINE */
  void (*project)(const mien_matrix *matrix, const float *x, size_t n, size_t block_columns, size_t block_stride,
                  void *scratch, float *out);

  /* y += x·W + b. x [n × inputs], y [n × outputs] */
  void (*project_add)(const mien_matrix *matrix, const float *x, size_t n, void *scratch, float *y);

  /* y = x + down(GELU(up(x))). x and y [n × up->inputs] must not overlap */
  void (*feed_forward)(const mien_matrix *up, const mien_matrix *down, const float *x, size_t n, void *scratch,
                       float *y);

  void (*attend)(const mien_attention *attention);

  /* LayerNorm of each row of x [n × columns] to out, which may be x. */
  void (*norm)(const float *gamma, const float *beta, float epsilon, const float *x, size_t n, size_t columns,
               float *out);
} mien_encoder_kernels;

/* What the products of a table run in. */
typedef enum mien_products {
  MIEN_PRODUCTS_F32,
  MIEN_PRODUCTS_BF16X3,
  MIEN_PRODUCTS_BF16,
  MIEN_PRODUCTS_INT8,
  MIEN_PRODUCTS_COUNT
} mien_products;

/* NULL where the compiler's target has no such table. */
extern const mien_encoder_kernels *const mien_encoder_kernels_of[MIEN_PRODUCTS_COUNT][MIEN_ISA_COUNT];

/* The fastest table within `isa`. */
const mien_encoder_kernels *mien_encoder_kernels_for(mien_products products, mien_isa isa);

#endif
