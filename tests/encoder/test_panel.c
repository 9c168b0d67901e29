/* SPDX-License-Identifier: Apache-2.0 */
/* Rows rounded to the dtypes, and panels of weights: where each weight lies, and what it is there and back. */
#include "encoder/panel.h"

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "suite.h"

static const mien_dtype dtypes[] = {MIEN_F32, MIEN_F16, MIEN_BF16, MIEN_BF16X3, MIEN_INT8};
static const size_t inputs_of[] = {16, 48, 64, 400};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Outputs differ in size: each has its own scale. */
static float *make_panel(size_t inputs, uint64_t seed) {
  float *panel = mien_alloc(inputs * MIEN_PANEL, sizeof *panel);
  uint64_t state = seed * 2 + 1;
  for (size_t i = 0; i < inputs * MIEN_PANEL; i++)
    panel[i] = (float)(random_unit(&state) * exp2((double)(i % MIEN_PANEL) - 8));
  return panel;
}

static void *make_packed(mien_dtype dtype, const float *panel, size_t inputs, float *scales) {
  void *packed = mien_alloc(mien_panel_depth(dtype, inputs) * MIEN_PANEL, mien_panel_element(dtype));
  memset(packed, 0x55, mien_panel_depth(dtype, inputs) * MIEN_PANEL * mien_panel_element(dtype));
  mien_panel_pack(dtype, panel, inputs, packed, scales);
  return packed;
}

/* The largest magnitude of an output. */
static double largest_of(const float *panel, size_t inputs, size_t output) {
  double largest = 0;
  for (size_t i = 0; i < inputs; i++) largest = fmax(largest, fabs((double)panel[i * MIEN_PANEL + output]));
  return largest;
}

/* ---- Panels ---- */

START_TEST(four_inputs_of_an_output_lie_side_by_side_in_int8) {
  for (size_t c = 0; c < COUNT(inputs_of); c++) {
    const size_t inputs = inputs_of[c], depth = mien_panel_depth(MIEN_INT8, inputs);
    float *panel = make_panel(inputs, c), scales[MIEN_PANEL];
    int8_t *packed = make_packed(MIEN_INT8, panel, inputs, scales);
    ck_assert_uint_eq(depth % MIEN_LINE, 0);
    for (size_t output = 0; output < MIEN_PANEL; output++) {
      const double largest = largest_of(panel, inputs, output);
      require(scales[output] == (float)largest / 127, "output %zu: expected a scale of %g, found %g", output,
              largest / 127, (double)scales[output]);
      for (size_t i = 0; i < depth; i++) {
        const float exact = i < inputs ? panel[i * MIEN_PANEL + output] * (127 / (float)largest) : 0;
        const int expected = (int)nearbyint((double)exact), found = packed[i / 4 * MIEN_LINE + output * 4 + i % 4];
        require(found == expected, "input %zu, output %zu: expected %d, found %d", i, output, expected, found);
      }
    }
    mien_free(panel);
    mien_free(packed);
  }
}
END_TEST

START_TEST(two_inputs_of_an_output_lie_side_by_side_in_bf16) {
  for (size_t c = 0; c < COUNT(inputs_of); c++) {
    const size_t inputs = inputs_of[c], depth = mien_panel_depth(MIEN_BF16, inputs);
    float *panel = make_panel(inputs, c);
    uint16_t *packed = make_packed(MIEN_BF16, panel, inputs, NULL);
    for (size_t i = 0; i < depth; i++)
      for (size_t output = 0; output < MIEN_PANEL; output++) {
        const uint16_t expected = i < inputs ? mien_float_to_bf16(panel[i * MIEN_PANEL + output]) : 0;
        const uint16_t found = packed[i / 2 * 2 * MIEN_PANEL + output * 2 + i % 2];
        require(found == expected, "input %zu, output %zu: expected 0x%04X, found 0x%04X", i, output, expected, found);
      }
    mien_free(panel);
    mien_free(packed);
  }
}
END_TEST

/* How far a weight may be from itself there and back. */
static double most_error(mien_dtype dtype, double weight, double largest) {
  switch (dtype) {
  case MIEN_INT8: return largest / 127 * 0.50001;
  case MIEN_F16: return fmax(fabs(weight) * 0x1p-11, 0x1p-25);
  case MIEN_BF16: return fabs(weight) * 0x1p-8;
  default: return 0;
  }
}

START_TEST(weights_come_back_as_near_as_the_dtype_can_and_then_stay) {
  for (size_t d = 0; d < COUNT(dtypes); d++)
    for (size_t c = 0; c < COUNT(inputs_of); c++) {
      const size_t inputs = inputs_of[c], bytes = mien_panel_depth(dtypes[d], inputs) * mien_panel_element(dtypes[d]);
      float *panel = make_panel(inputs, c), *back = make_panel(inputs, 99), scales[MIEN_PANEL],
            again_scales[MIEN_PANEL];
      void *packed = make_packed(dtypes[d], panel, inputs, scales);
      mien_panel_unpack(dtypes[d], packed, scales, inputs, back);
      for (size_t i = 0; i < inputs * MIEN_PANEL; i++) {
        const double error = fabs((double)back[i] - (double)panel[i]);
        const double most = most_error(dtypes[d], (double)panel[i], largest_of(panel, inputs, i % MIEN_PANEL));
        require(error <= most, "%s: weight %zu: expected %g within %g, found %g", mien_dtype_name(dtypes[d]), i,
                (double)panel[i], most, (double)back[i]);
      }
      void *again = make_packed(dtypes[d], back, inputs, again_scales);
      require(memcmp(again, packed, bytes * MIEN_PANEL) == 0, "%s, %zu inputs: packed twice it is another panel",
              mien_dtype_name(dtypes[d]), inputs);
      mien_free(panel);
      mien_free(back);
      mien_free(packed);
      mien_free(again);
    }
}
END_TEST

START_TEST(an_output_of_zeros_or_of_tiny_weights_is_zeros) {
  static const float largest[] = {0, 0x1p-149f, 0x1.fffffep-101f, 0x1p-100f};
  for (size_t l = 0; l < COUNT(largest); l++) {
    float panel[16 * MIEN_PANEL] = {0}, scales[MIEN_PANEL];
    for (size_t i = 0; i < 16; i++) panel[i * MIEN_PANEL + 3] = i % 2 ? largest[l] : -largest[l];
    int8_t *packed = make_packed(MIEN_INT8, panel, 16, scales);
    const int expected = largest[l] < 0x1p-100f ? 0 : 127;
    require(packed[3 * 4 + 1] == expected && packed[3 * 4] == -expected, "%g: expected %d, found %d and %d",
            (double)largest[l], expected, packed[3 * 4 + 1], packed[3 * 4]);
    require((scales[3] == 0) == (expected == 0) && scales[0] == 0, "%g: found a scale of %g", (double)largest[l],
            (double)scales[3]);
    mien_free(packed);
  }
}
END_TEST

START_TEST(sums_are_those_of_the_weights_and_minus_128_is_refused) {
  for (size_t c = 0; c < COUNT(inputs_of); c++) {
    const size_t inputs = inputs_of[c], depth = mien_panel_depth(MIEN_INT8, inputs);
    float *panel = make_panel(inputs, c), scales[MIEN_PANEL];
    int8_t *packed = make_packed(MIEN_INT8, panel, inputs, scales);
    int32_t sums[MIEN_PANEL];
    ck_assert(mien_panel_sums(packed, inputs, sums));
    for (size_t output = 0; output < MIEN_PANEL; output++) {
      int32_t expected = 0;
      for (size_t i = 0; i < depth; i++) expected += packed[i / 4 * MIEN_LINE + output * 4 + i % 4];
      require(sums[output] == expected, "output %zu: expected %d, found %d", output, expected, sums[output]);
    }
    for (size_t at = 0; at < depth * MIEN_PANEL; at += 37) {
      const int8_t before = packed[at];
      packed[at] = -127;
      ck_assert(mien_panel_sums(packed, inputs, sums));
      packed[at] = -128;
      require(!mien_panel_sums(packed, inputs, sums), "-128 at %zu: taken for a weight", at);
      packed[at] = before;
    }
    mien_free(panel);
    mien_free(packed);
  }
}
END_TEST

/* ---- Rows ---- */

START_TEST(rows_are_rounded_to_what_their_integers_stand_for) {
  float *row = make_panel(25, 5), rounded[400];
  int8_t integers[400];
  const float scale = mien_int8_row(row, 400, integers);
  double largest = 0;
  for (size_t i = 0; i < 400; i++) largest = fmax(largest, fabs((double)row[i]));
  require(scale == (float)largest / 127, "expected a scale of %g, found %g", largest / 127, (double)scale);
  memcpy(rounded, row, sizeof rounded);
  mien_round_row(MIEN_INT8, rounded, 400);
  for (size_t i = 0; i < 400; i++) {
    const float stands_for = (float)integers[i] * scale;
    require(rounded[i] == stands_for, "number %zu: expected %g, found %g", i, (double)stands_for, (double)rounded[i]);
    require(fabs((double)(rounded[i] - row[i])) <= (double)scale * 0.50001, "number %zu: %g became %g", i,
            (double)row[i], (double)rounded[i]);
  }
  mien_free(row);
}
END_TEST

START_TEST(rows_of_16_bits_are_rounded_number_by_number_and_floats_stay) {
  float *row = make_panel(25, 6);
  for (size_t d = 0; d < COUNT(dtypes); d++) {
    float rounded[400];
    memcpy(rounded, row, sizeof rounded);
    mien_round_row(dtypes[d], rounded, 400);
    for (size_t i = 0; i < 400 && dtypes[d] != MIEN_INT8; i++) {
      const float expected = dtypes[d] == MIEN_F16    ? mien_half_to_float(mien_float_to_half(row[i]))
                             : dtypes[d] == MIEN_BF16 ? mien_bf16_to_float(mien_float_to_bf16(row[i]))
                                                      : row[i];
      require(rounded[i] == expected, "%s: number %zu: expected %g, found %g", mien_dtype_name(dtypes[d]), i,
              (double)expected, (double)rounded[i]);
    }
  }
  mien_free(row);
}
END_TEST

MIEN_SUITE("panel", four_inputs_of_an_output_lie_side_by_side_in_int8, two_inputs_of_an_output_lie_side_by_side_in_bf16,
           weights_come_back_as_near_as_the_dtype_can_and_then_stay, an_output_of_zeros_or_of_tiny_weights_is_zeros,
           sums_are_those_of_the_weights_and_minus_128_is_refused, rows_are_rounded_to_what_their_integers_stand_for,
           rows_of_16_bits_are_rounded_number_by_number_and_floats_stay)
