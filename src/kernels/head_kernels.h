/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head's kernels, one table an instruction set; and the loop that runs a table over rows.
 *
 * Exact logits have one definition: lane j of MIEN_LANES sums x[i]·w[i] for i = j, j+16, … in float32 with fused
 * multiply-adds (the portable table: a multiplication and an addition), the lanes are added pairwise as a tree (j + 8,
 * j + 4, j + 2, j + 1), and the bias last. Every table but the portable one gives the same bits.
 */
#ifndef MIEN_KERNELS_HEAD_KERNELS_H
#define MIEN_KERNELS_HEAD_KERNELS_H

#include "base/cpu.h"
#include "kernels/head_plan.h"

/* Rows that a kernel takes at most: 72 KiB of them at D = 384 stay in a core's own cache. */
enum { MIEN_BLOCK_ROWS = 48 };

/* What a thread needs while it runs; see mien_head_scratch_create. */
typedef struct mien_head_scratch {
  float *rows;      /* [BLOCK × padded_dim] rows that had to be converted or padded */
  float *logits;    /* [BLOCK × padded_labels] */
  int16_t *rounded; /* [BLOCK × padded_dim] the screen's X */
  float *units;     /* [BLOCK] what q stands for in X, at least max|x|; NaN when the screen can't take the row */
  float unit;       /* the last one: the next row is tried with it, so that most rows are read once */
  uint32_t *yes;    /* [BLOCK × n_words] certain labels */
  uint32_t *maybe;  /* [BLOCK × n_words] certain or undecided ones */
} mien_head_scratch;

/* Rows are [n × padded_dim] floats, n ≤ MIEN_BLOCK_ROWS, `stride` floats apart, zero past D. */
typedef struct mien_head_kernels {
  mien_isa isa; /* the lowest one that the table needs */
  /* logits [n × padded_labels] */
  void (*logits)(const mien_head_plan *plan, const float *rows, size_t stride, size_t n, float *logits);
  /* One logit, the same bits. */
  float (*logit)(const mien_head_plan *plan, const float *row, size_t label);
  /* Logits to scores in place, and the words of score > threshold. */
  void (*scores)(const mien_head_plan *plan, float *logits, size_t n, uint32_t *words);
  /* Fills scratch->units, yes and maybe. NULL: words come from exact logits alone. `next` (may be NULL) is where the
   * following rows lie, to be brought into cache meanwhile. */
  void (*screen)(const mien_head_plan *plan, const float *rows, size_t stride, size_t n, const float *next,
                 mien_head_scratch *scratch);
  /* IEEE binary16 to binary32. */
  void (*widen_f16)(const uint16_t *in, float *out, size_t n);
} mien_head_kernels;

/* NULL where the compiler's target has no such table. */
extern const mien_head_kernels *const mien_head_kernels_of[MIEN_ISA_COUNT];

/* The fastest table within `isa`. */
const mien_head_kernels *mien_head_kernels_for(mien_isa isa);

MIEN_MUST_USE mien_status mien_head_scratch_create(const mien_head_plan *plan, mien_head_scratch *scratch,
                                                   mien_error *error);
void mien_head_scratch_destroy(mien_head_scratch *scratch);

/*
 * Labels n rows of `rows` from `first` on, with the results at the same row numbers of `results`. Returns the number of
 * bad rows. Touches nothing but the results and the scratch.
 */
size_t mien_head_run(const mien_head_kernels *kernels, const mien_head_plan *plan, const mien_rows *rows, size_t first,
                     size_t n, const mien_results *results, mien_head_scratch *scratch);

#endif
