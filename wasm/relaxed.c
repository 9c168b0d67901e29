/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether this engine's relaxed dot product of bytes is exact. WebAssembly leaves open what becomes of its second
 * side's bytes above 127: there are engines that take them with a sign and without one, both exact, and such as
 * saturate sums of two products to 16 bits. An engine may also compile a function anew while it runs, by another
 * compiler.
 */
#include "relaxed.h"

#include "base/memory.h"
#include "kernels/encoder_kernels.h"

enum { INPUTS = MIEN_LINE, OUTPUTS = MIEN_PANEL, ROWS = 4 /* a whole tile of the kernel, and a part of one */ };

extern const mien_encoder_kernels mien_encoder_int8_relaxed;
extern int mien_relaxed_offset;

static int8_t panel[OUTPUTS * INPUTS] __attribute__((aligned(MIEN_LINE)));
static float ones[OUTPUTS], zeros[OUTPUTS], rows[ROWS * INPUTS], expected[ROWS * OUTPUTS];
static int32_t sums[OUTPUTS];
static const mien_matrix matrix = {
    .inputs = INPUTS, .outputs = OUTPUTS, .panels = panel, .bias = zeros, .scales = ones, .sums = sums};

/* Weights and rows of integers: the extremes in all combinations of signs at first, then what comes. */
static void make_problem(void) {
  uint32_t state = 1;
  for (int i = 0; i < OUTPUTS * INPUTS; i++) {
    state = state * 1664525 + 1013904223;
    const int any = (int)(state >> 16) % 128 - (int)(state >> 24) % 128;
    panel[i] = (int8_t)(i % 64 < 8 ? 127 : i % 64 < 16 ? -127 : i % 64 < 24 ? (i % 2 ? 127 : -127) : any);
  }
  for (int i = 0; i < ROWS * INPUTS; i++) {
    state = state * 1664525 + 1013904223;
    const int any = (int)(state >> 16) % 128 - (int)(state >> 24) % 128;
    rows[i] = (float)(i < INPUTS ? 127 : i < 2 * INPUTS ? -127 : i % INPUTS < 16 ? (i % 3 ? 127 : -127) : any);
  }
  for (int output = 0; output < OUTPUTS; output++) {
    ones[output] = 1;
    for (int input = 0; input < INPUTS; input++) {
      const int weight = panel[input / 4 * MIEN_LINE + 4 * output + input % 4];
      sums[output] += weight;
      for (int row = 0; row < ROWS; row++)
        expected[row * OUTPUTS + output] += (float)weight * rows[row * INPUTS + input];
    }
  }
}

static bool is_exact(void) {
  static unsigned char *scratch;
  float found[ROWS * OUTPUTS];
  if (!scratch) scratch = mien_alloc_raw(mien_encoder_int8_relaxed.scratch_bytes(ROWS, INPUTS, MIEN_PANEL));
  if (!scratch) return false;
  mien_encoder_int8_relaxed.project(&matrix, rows, ROWS, OUTPUTS, 0, scratch, found);
  bool same = true;
  for (int i = 0; i < ROWS * OUTPUTS; i++) same &= found[i] == expected[i];
  return same;
}

bool mien_relaxed_is_exact(void) {
  static bool settled;
  if (settled) return is_exact();
  settled = true;
  make_problem();
  if (is_exact()) return true;
  mien_relaxed_offset = 0;
  return is_exact();
}
