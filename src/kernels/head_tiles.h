/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact logits of a block, tile by tile. A kernel file includes this after it has defined TILE_ROWS, TILE_LABELS and
 *
 *   tile(plan, rows, stride, label, next, logits, R, C)   R rows by C labels from `label` on, R and C constants;
 *                                                         brings the row at `next` into cache meanwhile
 */
#ifndef MIEN_KERNELS_HEAD_TILES_H
#define MIEN_KERNELS_HEAD_TILES_H

/* Rows that stay in the first-level cache, with the weights of a tile, while all labels pass. */
enum { GROUP_ROWS = 12 };

/* As many labels as there are, up to a tile of them. */
INLINE void tile_labels(const mien_head_plan *plan, const float *rows, size_t stride, size_t label, const float *next,
                        float *logits, int R) {
#define AT_MOST_TILE(n) ((n) < TILE_LABELS ? (n) : TILE_LABELS)
  switch (plan->n_labels - label) {
  case 1: tile(plan, rows, stride, label, next, logits, R, AT_MOST_TILE(1)); break;
  case 2: tile(plan, rows, stride, label, next, logits, R, AT_MOST_TILE(2)); break;
  case 3: tile(plan, rows, stride, label, next, logits, R, AT_MOST_TILE(3)); break;
  case 4: tile(plan, rows, stride, label, next, logits, R, AT_MOST_TILE(4)); break;
  case 5: tile(plan, rows, stride, label, next, logits, R, AT_MOST_TILE(5)); break;
  default: tile(plan, rows, stride, label, next, logits, R, TILE_LABELS); break;
  }
#undef AT_MOST_TILE
}

static void logits_block(const mien_head_plan *plan, const float *rows, size_t stride, size_t n, float *logits) {
  _Static_assert(TILE_LABELS <= 6, "tile_labels has a case for every smaller number");
  for (size_t first = 0; first < n; first += GROUP_ROWS) {
    const size_t end = n - first < GROUP_ROWS ? n : first + GROUP_ROWS;
    size_t next = end; /* each tile fetches a row of the next group */
    for (size_t label = 0; label < plan->n_labels; label += TILE_LABELS) {
      size_t row = first;
      for (; row + TILE_ROWS <= end; row += TILE_ROWS, next += next + 1 < n)
        tile_labels(plan, rows + row * stride, stride, label, rows + (next < n ? next : row) * stride,
                    logits + row * plan->padded_labels, TILE_ROWS);
      for (; row < end; row++)
        tile_labels(plan, rows + row * stride, stride, label, rows + row * stride, logits + row * plan->padded_labels,
                    1);
    }
  }
}

#endif
