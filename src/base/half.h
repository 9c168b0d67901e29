/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 754 binary16 to float. */
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

#endif
