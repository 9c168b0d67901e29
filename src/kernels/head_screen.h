/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The screen's rows to integers. A kernel file includes this after it has defined
 *
 *   round_pass(row, dim, scale, rounded)   writes each x·scale to the nearest int16, saturated; returns max|x| of the
 *                                          row, or NaN when there is one in it
 */
#ifndef MIEN_KERNELS_HEAD_SCREEN_H
#define MIEN_KERNELS_HEAD_SCREEN_H

/*
 * Each row is tried with the unit of the rows before it, which fits most rows of one encoder: so they are read once.
 * What has been tried changes no result, only how many labels stay undecided.
 */
static void round_rows(const mien_head_plan *plan, const float *rows, size_t stride, size_t n,
                       mien_head_scratch *scratch) {
  /* A unit fits from the largest element on, up to where too much precision is lost. */
  const float room = 1.25f, waste = 6.0f;
  float unit = scratch->unit, scale = unit > 0 ? plan->screen_max / unit : 0;
  for (size_t row = 0; row < n; row++) {
    const float *x = rows + row * stride;
    int16_t *rounded = scratch->rounded + row * plan->padded_dim;
    float largest = round_pass(x, plan->padded_dim, scale, rounded);
    if (largest <= unit && largest * waste >= unit) {
      scratch->units[row] = unit;
    } else if (largest >= plan->row_min && largest <= plan->row_max) {
      unit = fminf(largest * room, plan->row_max);
      scale = plan->screen_max / unit;
      round_pass(x, plan->padded_dim, scale, rounded);
      scratch->units[row] = unit;
    } else {
      scratch->units[row] = NAN;
    }
  }
  scratch->unit = unit;
}

#endif
