/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in bf16x3 on AMX. */
#define BF16_SPLIT
#include "kernels/encoder_bf16_amx.h"

/* What bf16 holds of two inputs' weights, side by side, and what is left of them. */
INLINE integers split_pair(vec *first, vec *second) {
  const integers high[] = {bf16_bits(*first), bf16_bits(*second)};
  *first -= (vec)high[0];
  *second -= (vec)high[1];
  return high[0] >> 16 | high[1];
}

/* A panel's weights [inputs][16] in steps of two tiles, higher parts and lower ones; zeros behind the inputs. */
static void split_panel(const float *weights, size_t inputs, size_t depth, uint16_t *out) {
  enum { STEP = PARTS * TILE_BYTES / sizeof(uint16_t), TILE = STEP / PARTS };
  for (size_t input = 0; input < depth; input += 2, weights += 2 * MIEN_PANEL) {
    const bool is_there = input < inputs;
    vec first = is_there ? vec_load(weights) : vec_set(0), second = is_there ? vec_load(weights + MIEN_PANEL) : first;
    uint16_t *at = out + input / LINE_NUMBERS * STEP + input % LINE_NUMBERS * MIEN_PANEL;
    const integers high = split_pair(&first, &second), low = split_pair(&first, &second);
    memcpy(at, &high, sizeof high);
    memcpy(at + TILE, &low, sizeof low);
  }
}

static void take_panels(const product *p, size_t column, size_t n_panels, tile_product *tiles) {
  const size_t inputs = p->matrix->inputs, depth = p->x.depth, panel_numbers = PARTS * MIEN_PANEL * depth;
  const float *weights =
      (const float *)p->matrix->panels + (p->first_column + column) * inputs + p->first_input * MIEN_PANEL;
  for (size_t i = 0; i < n_panels; i++)
    split_panel(weights + i * MIEN_PANEL * inputs, inputs - p->first_input, depth, p->split + i * panel_numbers);
  tiles->panels = p->split;
  tiles->panel_bytes = panel_numbers * sizeof *p->split;
  tiles->next_bytes = MIEN_PANEL * inputs * sizeof *weights;
  if (p->first_column + column + n_panels * MIEN_PANEL < p->matrix->outputs)
    tiles->next = weights + n_panels * MIEN_PANEL * inputs;
}

const mien_encoder_kernels mien_encoder_bf16x3_amx = ENCODER_BF16(MIEN_ISA_AMX);
