/* SPDX-License-Identifier: Apache-2.0 */
/* 16-bit floats: each to float and back, and the nearest of floats between, against the standard's definition. */
#include <math.h>

#include "base/half.h"
#include "suite.h"

START_TEST(every_half_is_the_float_that_the_standard_says) {
  for (uint32_t bits = 0; bits <= 0xFFFF; bits++) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float found = mien_half_to_float((uint16_t)bits);
    require(!signbit(found) == !(bits & 0x8000), "0x%04X: the sign", bits);
    if (exponent == 31 && fraction) {
      require(isnan(found), "0x%04X: found %g", bits, found);
      continue;
    }
    const double expected = exponent == 31  ? (double)INFINITY
                            : exponent == 0 ? ldexp(fraction, -24)
                                            : ldexp(1024 + fraction, exponent - 25);
    require(fabs((double)found) == expected, "0x%04X: expected %g, found %g", bits, expected, found);
  }
}
END_TEST

START_TEST(every_bf16_is_the_upper_half_of_a_float) {
  for (uint32_t bits = 0; bits <= 0xFFFF; bits++) {
    const float found = mien_bf16_to_float((uint16_t)bits);
    uint32_t found_bits;
    memcpy(&found_bits, &found, sizeof found_bits);
    require(found_bits == bits << 16, "0x%04X: expected 0x%08X, found 0x%08X", bits, bits << 16, found_bits);
  }
}
END_TEST

/* ---- To 16 bits ---- */

typedef struct format {
  const char *name;
  float (*to_float)(uint16_t number);
  uint16_t (*from_float)(float value);
  uint32_t infinity;
} format;

static const format formats[] = {{"half", mien_half_to_float, mien_float_to_half, 0x7C00},
                                 {"bf16", mien_bf16_to_float, mien_float_to_bf16, 0x7F80}};

#define FOR_EACH_FORMAT(f) for (const format *f = formats; f < formats + sizeof formats / sizeof *formats; f++)

START_TEST(every_number_comes_back_as_it_was) {
  FOR_EACH_FORMAT(f)
  for (uint32_t bits = 0; bits <= 0xFFFF; bits++) {
    const uint32_t found = f->from_float(f->to_float((uint16_t)bits));
    if ((bits & 0x7FFF) > f->infinity)
      require(isnan(f->to_float((uint16_t)found)), "%s: 0x%04X, a NaN: found 0x%04X", f->name, bits, found);
    else
      require(found == bits, "%s: expected 0x%04X, found 0x%04X", f->name, bits, found);
  }
}
END_TEST

static void check_nearest(const format *f, float value, uint32_t expected) {
  for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
    const uint32_t found = f->from_float(sign ? -value : value);
    require(found == (sign | expected), "%s: %a: expected 0x%04X, found 0x%04X", f->name, (double)value,
            sign | expected, found);
  }
}

/* Between two neighbours: what is in the middle, by double arithmetic, goes to the even one, and what is a float's last
 * place from there to the nearer one. In place of the number beyond the largest stands twice its distance. */
START_TEST(floats_go_to_the_nearest_number_and_ties_to_the_even_one) {
  FOR_EACH_FORMAT(f)
  for (uint32_t bits = 0; bits < f->infinity; bits++) {
    const double low = (double)f->to_float((uint16_t)bits);
    const double below = bits ? (double)f->to_float((uint16_t)(bits - 1)) : 0;
    const double high = bits + 1 < f->infinity ? (double)f->to_float((uint16_t)(bits + 1)) : low + (low - below);
    const float middle = (float)((low + high) / 2);
    require((double)middle == (low + high) / 2, "%s: 0x%04X: the middle is no float", f->name, bits);
    check_nearest(f, middle, bits + (bits & 1));
    check_nearest(f, nextafterf(middle, 0), bits);
    check_nearest(f, nextafterf(middle, INFINITY), bits + 1);
  }
}
END_TEST

START_TEST(what_is_beyond_the_largest_is_infinite_and_nan_stays_nan) {
  FOR_EACH_FORMAT(f) {
    check_nearest(f, INFINITY, f->infinity);
    check_nearest(f, 0x1.fffffep127f, f->infinity);
    for (uint32_t fraction = 1; fraction < 0x800000; fraction += fraction < 64 ? 1 : 4097)
      for (uint32_t sign = 0; sign < 2; sign++) {
        const uint32_t bits = sign << 31 | 0x7F800000 | fraction;
        float value;
        memcpy(&value, &bits, sizeof value);
        const uint32_t found = f->from_float(value);
        require((found & 0x7FFF) > f->infinity, "%s: 0x%08X, a NaN: found 0x%04X", f->name, bits, found);
      }
  }
}
END_TEST

MIEN_SUITE("half", every_half_is_the_float_that_the_standard_says, every_bf16_is_the_upper_half_of_a_float,
           every_number_comes_back_as_it_was, floats_go_to_the_nearest_number_and_ties_to_the_even_one,
           what_is_beyond_the_largest_is_infinite_and_nan_stays_nan)
