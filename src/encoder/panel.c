/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in the dtypes that encoders are stored and run in. */
#include "encoder/panel.h"

#include <string.h>

#include "base/half.h"

const char *mien_dtype_name(mien_dtype dtype) {
  static const char *const names[] = {
      [MIEN_F32] = "f32", [MIEN_F16] = "f16", [MIEN_BF16] = "bf16", [MIEN_BF16X3] = "bf16x3", [MIEN_INT8] = "int8"};
  return dtype >= 0 && dtype < (mien_dtype)(sizeof names / sizeof *names) ? names[dtype] : NULL;
}

/* ---- int8 ------------------------------------------------------------------------------------------------------ */

mien_int8_scale mien_int8_scale_of(float largest) {
  /* NaN and infinity go through: what they scale is not finite then. */
  if (largest < MIEN_INT8_NOTHING) return (mien_int8_scale){0, 0};
  return (mien_int8_scale){largest / MIEN_INT8_MOST, MIEN_INT8_MOST / largest};
}

/* The nearest integer in the low byte, ties to even; any byte where x is not finite. */
static int8_t to_int8(float x) {
  const float shifted = x + MIEN_TO_INTEGER;
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits &= 0xFF;
  return (int8_t)(bits < 128 ? (int)bits : (int)bits - 256);
}

/* By their bits, so that NaN is the largest of all. */
static uint32_t magnitude(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & 0x7FFFFFFF;
}

static float from_magnitude(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Of n numbers, `stride` apart. */
static mien_int8_scale scale_of_all(const float *numbers, size_t n, size_t stride) {
  uint32_t largest = 0;
  for (size_t i = 0; i < n; i++, numbers += stride)
    largest = magnitude(*numbers) > largest ? magnitude(*numbers) : largest;
  return mien_int8_scale_of(from_magnitude(largest));
}

float mien_int8_row(const float *row, size_t n, int8_t *out) {
  const mien_int8_scale scale = scale_of_all(row, n, 1);
  for (size_t i = 0; i < n; i++) out[i] = to_int8(row[i] * scale.inverse);
  return scale.scale;
}

static void round_int8(float *row, size_t n) {
  const mien_int8_scale scale = scale_of_all(row, n, 1);
  for (size_t i = 0; i < n; i++) row[i] = (float)to_int8(row[i] * scale.inverse) * scale.scale;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------ */

void mien_round_row(mien_dtype dtype, float *row, size_t n) {
  if (dtype == MIEN_INT8) round_int8(row, n);
  if (dtype == MIEN_BF16)
    for (size_t i = 0; i < n; i++) row[i] = mien_bf16_to_float(mien_float_to_bf16(row[i]));
  if (dtype == MIEN_F16)
    for (size_t i = 0; i < n; i++) row[i] = mien_half_to_float(mien_float_to_half(row[i]));
}

/* ---- Panels ---------------------------------------------------------------------------------------------------- */

size_t mien_panel_element(mien_dtype dtype) {
  switch (dtype) {
  case MIEN_INT8: return 1;
  case MIEN_F16:
  case MIEN_BF16: return 2;
  default: return 4;
  }
}

mien_products mien_products_of(mien_dtype dtype) {
  switch (dtype) {
  case MIEN_INT8: return MIEN_PRODUCTS_INT8;
  case MIEN_BF16: return MIEN_PRODUCTS_BF16;
  case MIEN_BF16X3: return MIEN_PRODUCTS_BF16X3;
  default: return MIEN_PRODUCTS_F32;
  }
}

mien_dtype mien_layout_of(mien_dtype dtype) { return dtype == MIEN_INT8 || dtype == MIEN_BF16 ? dtype : MIEN_F32; }

/* Where the weight of an input and an output lies: inputs that share a line are side by side. */
static size_t place(size_t input, size_t output, size_t side_by_side) {
  return (input / side_by_side * MIEN_PANEL + output) * side_by_side + input % side_by_side;
}

static void pack_int8(const float *panel, size_t inputs, int8_t *packed, float *scales) {
  mien_int8_scale of[MIEN_PANEL];
  for (size_t output = 0; output < MIEN_PANEL; output++) {
    of[output] = scale_of_all(panel + output, inputs, MIEN_PANEL);
    scales[output] = of[output].scale;
  }
  memset(packed, 0, mien_panel_depth(MIEN_INT8, inputs) * MIEN_PANEL);
  for (size_t i = 0; i < inputs; i++)
    for (size_t output = 0; output < MIEN_PANEL; output++)
      packed[place(i, output, 4)] = to_int8(panel[i * MIEN_PANEL + output] * of[output].inverse);
}

static void pack_bf16(const float *panel, size_t inputs, uint16_t *packed) {
  memset(packed, 0, mien_panel_depth(MIEN_BF16, inputs) * MIEN_PANEL * sizeof *packed);
  for (size_t i = 0; i < inputs; i++)
    for (size_t output = 0; output < MIEN_PANEL; output++)
      packed[place(i, output, 2)] = mien_float_to_bf16(panel[i * MIEN_PANEL + output]);
}

void mien_panel_pack(mien_dtype dtype, const float *panel, size_t inputs, void *packed, float *scales) {
  uint16_t *halves = packed;
  switch (dtype) {
  case MIEN_INT8: pack_int8(panel, inputs, packed, scales); break;
  case MIEN_BF16: pack_bf16(panel, inputs, packed); break;
  case MIEN_F16:
    for (size_t i = 0; i < inputs * MIEN_PANEL; i++) halves[i] = mien_float_to_half(panel[i]);
    break;
  default: memcpy(packed, panel, inputs * MIEN_PANEL * sizeof *panel);
  }
}

void mien_panel_unpack(mien_dtype dtype, const void *packed, const float *scales, size_t inputs, float *panel) {
  const int8_t *bytes = packed;
  const uint16_t *halves = packed;
  switch (dtype) {
  case MIEN_INT8:
    for (size_t i = 0; i < inputs; i++)
      for (size_t output = 0; output < MIEN_PANEL; output++)
        panel[i * MIEN_PANEL + output] = (float)bytes[place(i, output, 4)] * scales[output];
    break;
  case MIEN_BF16:
    for (size_t i = 0; i < inputs; i++)
      for (size_t output = 0; output < MIEN_PANEL; output++)
        panel[i * MIEN_PANEL + output] = mien_bf16_to_float(halves[place(i, output, 2)]);
    break;
  case MIEN_F16:
    for (size_t i = 0; i < inputs * MIEN_PANEL; i++) panel[i] = mien_half_to_float(halves[i]);
    break;
  default: memcpy(panel, packed, inputs * MIEN_PANEL * sizeof *panel);
  }
}

bool mien_panels_have_zeros_behind(mien_dtype dtype, const void *panels, size_t inputs, size_t outputs) {
  const size_t element = mien_panel_element(dtype), depth = mien_panel_depth(dtype, inputs);
  const unsigned char *bytes = panels, zeros[sizeof(uint32_t)] = {0};
  for (size_t output = 0; output < outputs; output++)
    for (size_t input = inputs; input < depth; input++) {
      const size_t panel = output / MIEN_PANEL * MIEN_PANEL * depth;
      const size_t at = panel + place(input, output % MIEN_PANEL, sizeof(uint32_t) / element);
      if (memcmp(bytes + at * element, zeros, element) != 0) return false;
    }
  return true;
}

/* 128 bytes at a time fit int16, of which a compiler makes vectors. */
bool mien_panel_sums(const int8_t *packed, size_t inputs, int32_t *sums) {
  enum { LINES = 128 };
  const size_t lines = mien_panel_depth(MIEN_INT8, inputs) / 4;
  int8_t least = 0;
  memset(sums, 0, MIEN_PANEL * sizeof *sums);
  for (size_t line = 0; line < lines;) {
    const size_t end = lines - line < LINES ? lines : line + LINES;
    int16_t some[MIEN_LINE] = {0};
    for (; line < end; line++, packed += MIEN_LINE)
      for (size_t i = 0; i < MIEN_LINE; i++) {
        some[i] = (int16_t)(some[i] + packed[i]);
        least = packed[i] < least ? packed[i] : least;
      }
    for (size_t i = 0; i < MIEN_LINE; i++) sums[i / 4] += some[i];
  }
  return least >= -MIEN_INT8_MOST;
}
