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
  if (largest < 0x1p-100f) return (mien_int8_scale){0, 0};
  return (mien_int8_scale){largest / MIEN_INT8_MOST, MIEN_INT8_MOST / largest};
}

/* The nearest integer in the low byte, ties to even; any byte where x is not finite. */
static int8_t to_int8(float x) {
  const float shifted = x + 12582912.0f; /* 1.5 · 2^23: the sum's last place is 1 */
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

float mien_int8_row(const float *row, size_t n, int8_t *out) {
  uint32_t largest = 0;
  for (size_t i = 0; i < n; i++) largest = magnitude(row[i]) > largest ? magnitude(row[i]) : largest;
  const mien_int8_scale scale = mien_int8_scale_of(from_magnitude(largest));
  for (size_t i = 0; i < n; i++) out[i] = to_int8(row[i] * scale.inverse);
  return scale.scale;
}

static void round_int8(float *row, size_t n) {
  uint32_t largest = 0;
  for (size_t i = 0; i < n; i++) largest = magnitude(row[i]) > largest ? magnitude(row[i]) : largest;
  const mien_int8_scale scale = mien_int8_scale_of(from_magnitude(largest));
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
    uint32_t largest = 0;
    for (size_t i = 0; i < inputs; i++) {
      const uint32_t bits = magnitude(panel[i * MIEN_PANEL + output]);
      largest = bits > largest ? bits : largest;
    }
    of[output] = mien_int8_scale_of(from_magnitude(largest));
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

bool mien_panel_sums(const int8_t *packed, size_t inputs, int32_t *sums) {
  const size_t depth = mien_panel_depth(MIEN_INT8, inputs);
  int32_t all[MIEN_LINE] = {0};
  int8_t least = 0;
  for (size_t line = 0; line < depth / 4; line++, packed += MIEN_LINE)
    for (size_t i = 0; i < MIEN_LINE; i++) {
      all[i] += packed[i];
      least = packed[i] < least ? packed[i] : least;
    }
  for (size_t output = 0; output < MIEN_PANEL; output++) {
    const int32_t *of = all + 4 * output;
    sums[output] = of[0] + of[1] + of[2] + of[3];
  }
  return least >= -MIEN_INT8_MOST;
}
