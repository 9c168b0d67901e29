/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The screen of a block: its rows to integers, then tile by tile. A kernel file includes this after it has defined
 * SCREEN_ROWS, SCREEN_LAST_ROWS (no more than that, for what is left over) and
 *
 *   round_pass(row, dim, scale, rounded)   writes each x·scale to the nearest int16, saturated; returns max|x| of the
 *                                          row, or NaN when there is one in it
 *   screen_tile(plan, rounded, units, panel, prefetch, yes, maybe, R, P)
 *                                          R rows by P panels, R and P constants: the bits of what is certain and of
 *                                          what may be; brings what lies at `prefetch` into cache meanwhile
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

INLINE void screen_panels(const mien_head_plan *plan, const int16_t *rounded, const float *units, size_t panel,
                          const char *prefetch, uint32_t *yes, uint32_t *maybe, int R) {
  if (panel + 1 < plan->padded_labels / MIEN_PANEL_LABELS)
    screen_tile(plan, rounded, units, panel, prefetch, yes, maybe, R, 2);
  else
    screen_tile(plan, rounded, units, panel, prefetch, yes, maybe, R, 1);
}

static void screen_block(const mien_head_plan *plan, const float *rows, size_t stride, size_t n, const float *next,
                         mien_head_scratch *scratch) {
  _Static_assert(MIEN_BLOCK_ROWS % SCREEN_ROWS == 0 && SCREEN_ROWS % SCREEN_LAST_ROWS == 0,
                 "the last group may run over n, not over the scratch");
  round_rows(plan, rows, stride, n, scratch);
  for (size_t panel = 0; panel < plan->padded_labels / MIEN_PANEL_LABELS; panel += 2) {
    for (size_t row = 0, group; row < n; row += group) {
      const int16_t *rounded = scratch->rounded + row * plan->padded_dim;
      const float *units = scratch->units + row;
      uint32_t *yes = scratch->yes + row * plan->n_words, *maybe = scratch->maybe + row * plan->n_words;
      const char *prefetch = next && panel == 0 ? (const char *)(next + row * stride) : (const char *)rounded;
      group = n - row > SCREEN_LAST_ROWS ? SCREEN_ROWS : SCREEN_LAST_ROWS;
      if (group == SCREEN_ROWS)
        screen_panels(plan, rounded, units, panel, prefetch, yes, maybe, SCREEN_ROWS);
      else
        screen_panels(plan, rounded, units, panel, prefetch, yes, maybe, SCREEN_LAST_ROWS);
    }
  }
}

#endif
