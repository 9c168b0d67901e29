/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch table of the head's kernels, and the loop that runs one over rows of any type. */
#include "kernels/head_kernels.h"

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "kernels/sigmoid.h"

/* Labels that are decided together. */
enum { MAX_OPEN = 64 };

extern const mien_head_kernels mien_head_portable;
#if defined(__x86_64__)
extern const mien_head_kernels mien_head_avx2, mien_head_avx512, mien_head_avx512vnni;
#elif defined(__aarch64__)
extern const mien_head_kernels mien_head_neon;
#endif

const mien_head_kernels *const mien_head_kernels_of[MIEN_ISA_COUNT] = {
    [MIEN_ISA_PORTABLE] = &mien_head_portable,
#if defined(__x86_64__)
    [MIEN_ISA_AVX2] = &mien_head_avx2,
    [MIEN_ISA_AVX512] = &mien_head_avx512,
    [MIEN_ISA_AVX512VNNI] = &mien_head_avx512vnni,
#elif defined(__aarch64__)
    [MIEN_ISA_NEON] = &mien_head_neon,
#endif
};

const mien_head_kernels *mien_head_kernels_for(mien_isa isa) {
  unsigned some = 0;
  for (int i = 0; i < MIEN_ISA_COUNT; i++) some |= (unsigned)(mien_head_kernels_of[i] != NULL) << i;
  return mien_head_kernels_of[mien_isa_best(isa, some)];
}

mien_status mien_head_scratch_create(const mien_head_plan *plan, mien_head_scratch *scratch, mien_error *error) {
  size_t rows = MIEN_BLOCK_ROWS;
  *scratch = (mien_head_scratch){
      .rows = mien_alloc(rows * plan->padded_dim, sizeof(float)),
      .logits = mien_alloc(rows * plan->padded_labels, sizeof(float)),
      .rounded = mien_alloc(rows * plan->padded_dim, sizeof(int16_t)),
      .units = mien_alloc(rows, sizeof(float)),
      .yes = mien_alloc(rows * plan->n_words, sizeof(uint32_t)),
      .maybe = mien_alloc(rows * plan->n_words, sizeof(uint32_t)),
  };
  if (scratch->rows && scratch->logits && scratch->rounded && scratch->units && scratch->yes && scratch->maybe)
    return MIEN_OK;
  mien_head_scratch_destroy(scratch);
  return mien_fail_memory(error, "session", rows * (plan->padded_dim * 6 + plan->padded_labels * 5));
}

void mien_head_scratch_destroy(mien_head_scratch *scratch) {
  mien_free(scratch->rows);
  mien_free(scratch->logits);
  mien_free(scratch->rounded);
  mien_free(scratch->units);
  mien_free(scratch->yes);
  mien_free(scratch->maybe);
  *scratch = (mien_head_scratch){0};
}

/* Rows as padded floats: in place where they are that already, else converted into the scratch. */
static const float *floats(const mien_head_kernels *kernels, const mien_head_plan *plan, const mien_rows *rows,
                           size_t first, size_t n, mien_head_scratch *scratch, size_t *stride) {
  const size_t dim = plan->dim, padded = plan->padded_dim, from = first * *stride;
  if (rows->dtype == MIEN_F32 && dim == padded) return (const float *)rows->data + from;
  for (size_t row = 0; row < n; row++) {
    float *out = scratch->rows + row * padded;
    const size_t at = from + row * *stride;
    if (rows->dtype == MIEN_F32) {
      memcpy(out, (const float *)rows->data + at, dim * sizeof(float));
    } else if (rows->dtype == MIEN_F16) {
      kernels->widen_f16((const uint16_t *)rows->data + at, out, dim);
    } else if (rows->dtype == MIEN_BF16) {
      const uint16_t *in = (const uint16_t *)rows->data + at;
      for (size_t i = 0; i < dim; i++) out[i] = mien_bf16_to_float(in[i]);
    } else {
      const double *in = (const double *)rows->data + at;
      for (size_t i = 0; i < dim; i++) out[i] = (float)in[i];
    }
  }
  *stride = padded;
  return scratch->rows;
}

/* The label of an exact logit. The cuts are sigmoid's own: scores agree. */
static bool is_label(const mien_head_plan *plan, size_t label, float logit) {
  if (logit <= plan->sure_no[label]) return false;
  if (logit > plan->sure_yes[label]) return true;
  return mien_sigmoid(logit) > plan->thresholds[label];
}

/*
 * A row is finite when its logits are: every element enters each of them, and infinity or NaN times anything, zero too,
 * leaves a sum that is not finite.
 */
static bool logits_finite(const float *logits, size_t n) {
  uint32_t most = 0;
  for (size_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &logits[i], sizeof bits);
    bits &= 0x7FFFFFFF;
    most = bits > most ? bits : most;
  }
  return most < 0x7F800000;
}

/* Logits in the scratch to words and, in place, scores. */
static size_t finish_exact(const mien_head_kernels *kernels, const mien_head_plan *plan, size_t n,
                           mien_head_scratch *scratch, uint32_t *words, mien_row_status *status) {
  size_t bad = 0;
  for (size_t row = 0; row < n; row++) {
    status[row] =
        logits_finite(scratch->logits + row * plan->padded_labels, plan->n_labels) ? MIEN_ROW_OK : MIEN_ROW_NOT_FINITE;
    bad += status[row] != MIEN_ROW_OK;
  }
  kernels->scores(plan, scratch->logits, n, words);
  for (size_t row = 0; bad > 0 && row < n; row++) {
    if (status[row] == MIEN_ROW_OK) continue;
    memset(words + row * plan->n_words, 0, plan->n_words * sizeof *words);
    for (size_t label = 0; label < plan->n_labels; label++) scratch->logits[row * plan->padded_labels + label] = NAN;
  }
  return bad;
}

/* Labels that the screen left open. */
typedef struct open_label {
  uint32_t row, label;
} open_label;

/* Decides them exactly: the sums first, side by side, then what they say. */
static void decide(const mien_head_kernels *kernels, const mien_head_plan *plan, const float *rows, size_t stride,
                   const open_label *open, size_t n, uint32_t *words) {
  float logits[MAX_OPEN];
  for (size_t i = 0; i < n; i++) logits[i] = kernels->logit(plan, rows + open[i].row * stride, open[i].label);
  for (size_t i = 0; i < n; i++)
    words[open[i].row * plan->n_words + open[i].label / 32] |= (uint32_t)is_label(plan, open[i].label, logits[i])
                                                               << open[i].label % 32;
}

/* Words by the screen, then exactly what it left open. */
static size_t words_block(const mien_head_kernels *kernels, const mien_head_plan *plan, const float *rows,
                          size_t stride, size_t n, const float *next, mien_head_scratch *scratch,
                          mien_row_status *status) {
  const size_t n_words = plan->n_words;
  open_label open[MAX_OPEN];
  size_t bad = 0, n_open = 0;
  kernels->screen(plan, rows, stride, n, next, scratch);
  for (size_t row = 0; row < n; row++) {
    uint32_t *yes = scratch->yes + row * n_words;
    status[row] = MIEN_ROW_OK;
    if (isnan(scratch->units[row])) {
      kernels->logits(plan, rows + row * stride, stride, 1, scratch->logits);
      bad += finish_exact(kernels, plan, 1, scratch, yes, &status[row]);
      continue;
    }
    for (size_t word = 0; word < n_words; word++) {
      uint32_t bits = scratch->maybe[row * n_words + word] & ~yes[word];
      for (; bits; bits &= bits - 1) {
        open[n_open++] = (open_label){(uint32_t)row, (uint32_t)(word * 32) + (uint32_t)__builtin_ctz(bits)};
        if (n_open < MAX_OPEN) continue;
        decide(kernels, plan, rows, stride, open, n_open, scratch->yes);
        n_open = 0;
      }
    }
  }
  decide(kernels, plan, rows, stride, open, n_open, scratch->yes);
  return bad;
}

size_t mien_head_run(const mien_head_kernels *kernels, const mien_head_plan *plan, const mien_rows *rows, size_t first,
                     size_t n, const mien_results *results, mien_head_scratch *scratch) {
  const size_t n_words = plan->n_words, labels = plan->n_labels;
  size_t bad = 0;
  for (size_t done = 0; done < n;) {
    const size_t at = first + done, block = n - done < MIEN_BLOCK_ROWS ? n - done : MIEN_BLOCK_ROWS;
    size_t stride = rows->stride ? rows->stride : plan->dim;
    mien_row_status status[MIEN_BLOCK_ROWS];
    const float *in = floats(kernels, plan, rows, at, block, scratch, &stride);
    if (kernels->screen && plan->has_screen && !results->scores) {
      const float *next = in != scratch->rows && done + 2 * MIEN_BLOCK_ROWS <= n ? in + MIEN_BLOCK_ROWS * stride : NULL;
      bad += words_block(kernels, plan, in, stride, block, next, scratch, status);
    } else {
      kernels->logits(plan, in, stride, block, scratch->logits);
      bad += finish_exact(kernels, plan, block, scratch, scratch->yes, status);
    }
    if (results->words) memcpy(results->words + at * n_words, scratch->yes, block * n_words * sizeof *results->words);
    for (size_t row = 0; results->scores && row < block; row++)
      memcpy(results->scores + (at + row) * labels, scratch->logits + row * plan->padded_labels,
             labels * sizeof(float));
    if (results->status) memcpy(results->status + at, status, block);
    done += block;
  }
  return bad;
}
