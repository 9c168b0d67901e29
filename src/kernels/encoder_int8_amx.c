/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in int8 on AMX. */
#define MIEN_UNFUSED
#include "kernels/vector_avx512.h"

#define INT8_OFFSET 0
#define INT8_ROWS 32
#define INT8_PANELS 2
#define INT8_OWN_PANELS
#define vec_max_integers(a, b) (signed_integers) _mm512_max_epi32((__m512i)(a), (__m512i)(b))
#define vec_store_low_bytes(at, a)                                                                                     \
  _mm_storeu_si128((__m128i *)(void *)(at), _mm512_cvtepi32_epi8(_mm512_castps_si512(a)))
#include "kernels/encoder_int8.h"

#define multiply_tiles _tile_dpbssd
#define TILE_PARTS 1
#include "kernels/encoder_amx.h"

/* Tiles are configured before the first panels of a matrix, and released after its last ones. */
static void multiply_panels(const product *p, size_t column, size_t n_panels) {
  _Alignas(MIEN_LINE) signed_integers sums[SUM_ROWS][INT8_PANELS];
  const size_t depth = p->x->depth;
  const int8_t *panels = (const int8_t *)p->matrix->panels + column * depth;
  const bool is_last = column + n_panels * MIEN_PANEL >= p->matrix->outputs;
  const tile_product tiles = {.x = p->x->numbers,
                              .row_bytes = depth,
                              .n = p->n,
                              .panels = panels,
                              .panel_bytes = MIEN_PANEL * depth,
                              .n_panels = n_panels,
                              .steps = depth / MIEN_LINE,
                              .next = is_last ? NULL : panels + n_panels * MIEN_PANEL * depth,
                              .next_bytes = MIEN_PANEL * depth};
  if (column == 0) configure_tiles(p->n);
  for (size_t row = 0; row < p->n; row += SUM_ROWS) {
    sum_rows(&tiles, row, sums);
    for (size_t r = row; r < at_most(p->n, row + SUM_ROWS); r++) {
      const size_t tile = (r - row) / TILE_LINES, line = line_of(&tiles, row, tile) + (r - row) % TILE_LINES;
      for (size_t panel = 0; panel < n_panels; panel++) finish(p, r, column + panel * MIEN_PANEL, &sums[line][panel]);
    }
  }
  if (is_last) _tile_release();
}

const mien_encoder_kernels mien_encoder_int8_amx = ENCODER_INT8(MIEN_ISA_AMX);
