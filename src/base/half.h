/* SPDX-License-Identifier: Apache-2.0 */
/* 16-bit floats: IEEE 754 binary16, and bfloat16, the upper half of a binary32. */
#ifndef MIEN_BASE_HALF_H
#define MIEN_BASE_HALF_H

#include <stdint.h>
#include <string.h>

/*
 * The value with these 16 bits: sign, 5 bits of exponent with bias 15, 10 of fraction. Subnormals are scaled by a float
 * multiplication, which is exact; a NaN keeps its sign and fraction. All three cases are computed, so that a loop over
 * it vectorises.
 */
static inline float mien_half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7FFF;
  uint32_t normal = (magnitude << 13) + ((127 - 15) << 23);
  uint32_t special = (magnitude << 13) | 0x7F800000;
  float subnormal = (float)magnitude * 0x1p-24f;
  uint32_t small;
  memcpy(&small, &subnormal, sizeof small);
  uint32_t bits = sign | (magnitude < 0x0400 ? small : magnitude >= 0x7C00 ? special : normal);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* The nearest one, ties to even; beyond its range infinity. A NaN stays one, quiet. */
static inline uint16_t mien_float_to_half(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return sign | 0x7E00;
  if (magnitude >= 0x477FF000) return sign | 0x7C00; /* from 65520 on */
  if (magnitude < 0x38800000) {                      /* below 2^-14: whole multiples of 2^-24 */
    float small;
    memcpy(&small, &magnitude, sizeof small);
    const float shifted = small + 0.5f; /* a float there has a last place of 2^-24 */
    uint32_t sum;
    memcpy(&sum, &shifted, sizeof sum);
    return sign | (uint16_t)(sum - 0x3F000000);
  }
  const uint32_t odd = magnitude >> 13 & 1;
  return sign | (uint16_t)((magnitude - ((127 - 15) << 23) + 0xFFF + odd) >> 13);
}

static inline float mien_bf16_to_float(uint16_t number) {
  const uint32_t bits = (uint32_t)number << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* The nearest one, ties to even; beyond its range infinity. A NaN stays one, quiet. */
static inline uint16_t mien_float_to_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
  return (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded);
}

#endif
