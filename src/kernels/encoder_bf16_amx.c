/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in bf16 on AMX. */
#include "kernels/encoder_bf16_amx.h"

static void take_panels(const product *p, size_t column, size_t n_panels, tile_product *tiles) {
  const size_t depth = mien_depth(p->matrix->inputs, sizeof(uint16_t)), at = p->first_column + column;
  const uint16_t *panels = (const uint16_t *)p->matrix->panels + at * depth + p->first_input * MIEN_PANEL;
  tiles->panels = panels;
  tiles->panel_bytes = tiles->next_bytes = MIEN_PANEL * depth * sizeof *panels;
  if (at + n_panels * MIEN_PANEL < p->matrix->outputs) tiles->next = panels + n_panels * MIEN_PANEL * depth;
}

const mien_encoder_kernels mien_encoder_bf16_amx = ENCODER_BF16(MIEN_ISA_AMX);
