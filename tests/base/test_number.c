/* SPDX-License-Identifier: Apache-2.0 */
/* The shortest decimals of float32: read back exactly, no digit too many, in the notation that is promised. */
#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static const char *text_of(float value) {
  static char text[MIEN_NUMBER_CHARS + 1];
  size_t length = mien_format_float(text, value);
  require(length <= MIEN_NUMBER_CHARS, "%zu characters", length);
  text[length] = '\0';
  return text;
}

/* Significant digits: without sign, point, exponent, and zeros at either end. */
static int digits_of(const char *text) {
  char digits[64];
  int n = 0;
  for (; *text && *text != 'e'; text++)
    if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0')) digits[n++] = *text;
  while (n > 1 && digits[n - 1] == '0') n--;
  return n;
}

static void check(uint32_t bits) {
  float value = float_of(bits);
  const char *text = text_of(value);
  float back = strtof(text, NULL);
  require(memcmp(&back, &value, sizeof back) == 0, "%08x: '%s' reads back as %.9g", bits, text, (double)back);
  /* The fewest digits with which printf's nearest decimal reads back: no more may be used. */
  char nearest[64];
  int digits = 1;
  for (; digits < 9; digits++) {
    snprintf(nearest, sizeof nearest, "%.*e", digits - 1, (double)value);
    if (strtof(nearest, NULL) == value) break;
  }
  require(digits_of(text) <= digits, "%08x: '%s' has %d digits, %d do", bits, text, digits_of(text), digits);
  require(strpbrk(text, ".e") != NULL, "%08x: '%s' reads like an integer", bits, text);
}

START_TEST(random_floats_read_back_with_the_fewest_digits) {
  uint64_t state = 1;
  for (int i = 0; i < 1000000; i++) {
    uint32_t bits = (uint32_t)(random_bits(&state) >> 32);
    if (isfinite(float_of(bits)) && (bits & 0x7FFFFFFF)) check(bits);
  }
}
END_TEST

START_TEST(random_scores_read_back_with_the_fewest_digits) {
  uint64_t state = 2;
  for (int i = 0; i < 1000000; i++) {
    float score = (float)(1 / (1 + exp(10 * random_unit(&state))));
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    check(bits);
  }
}
END_TEST

/* Powers of two have a nearer neighbour below; binary exponents end there. */
START_TEST(floats_around_every_power_of_two_read_back_with_the_fewest_digits) {
  for (uint32_t exponent = 0; exponent < 255; exponent++) {
    for (uint32_t near = 0; near <= 128; near++) {
      uint32_t bits = (exponent << 23) + near;
      if (bits) check(bits);
      if (bits > near) check((exponent << 23) - near - 1 + (exponent == 0));
    }
  }
  check(0x7F7FFFFF);
}
END_TEST

START_TEST(numbers_are_written_as_promised) {
  static const struct {
    float value;
    const char *text;
  } cases[] = {
      {0.0f, "0.0"},
      {-0.0f, "-0.0"},
      {1.0f, "1.0"},
      {-1.5f, "-1.5"},
      {0.1f, "0.1"},
      {0.25f, "0.25"},
      {0.93f, "0.93"},
      {100.0f, "100.0"},
      {16777216.0f, "16777216.0"},
      {0.001f, "0.001"},
      {0.0001f, "0.0001"},
      {0.00012f, "0.00012"},
      {0.00001f, "1e-5"},
      {1.25e-7f, "1.25e-7"},
      {1e15f, "1000000000000000.0"},
      {1e16f, "1e16"},
      {-1e15f, "-1000000000000000.0"},
      {3.4028235e38f, "3.4028235e38"},
      {1e-45f, "1e-45"},
      {1.17549435e-38f, "1.1754944e-38"},
      {0.99999994f, "0.99999994"},
      {(float)INFINITY, "inf"},
      {-(float)INFINITY, "-inf"},
      {(float)NAN, "nan"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) ck_assert_str_eq(text_of(cases[i].value), cases[i].text);
}
END_TEST

START_TEST(integers_are_written_in_decimal) {
  static const uint64_t numbers[] = {0, 1, 9, 10, 99, 100, 101, 12345, 999999, 1000000, UINT32_MAX, UINT64_MAX};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    char text[MIEN_NUMBER_CHARS + 1], expected[32];
    text[mien_format_uint(text, numbers[i])] = '\0';
    snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
    ck_assert_str_eq(text, expected);
  }
}
END_TEST

MIEN_SUITE("number", random_floats_read_back_with_the_fewest_digits, random_scores_read_back_with_the_fewest_digits,
           floats_around_every_power_of_two_read_back_with_the_fewest_digits, numbers_are_written_as_promised,
           integers_are_written_in_decimal)
