/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigmoid(z) = 1 / (1 + exp(-z)) in float32, the same bits on every machine: only additions, multiplications and one
 * division in a fixed order, no FMA, no libm. Written for one number; each kernel file's compiler makes vectors of it.
 *
 * exp(-|z|) = 2^n · exp(r), n = round(-|z|·log2 e), r in [-ln2/2, ln2/2] by Cody and Waite's two-part ln 2, exp(r) by
 * its Taylor polynomial of degree 7. Within MIEN_SIGMOID_ERROR (relative) of the exact value where that is a normal
 * float; 0 below exp's range, 1 above 17.
 */
#ifndef MIEN_KERNELS_SIGMOID_H
#define MIEN_KERNELS_SIGMOID_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A GPU's compiler makes functions for both sides of those that it is told so. */
#ifdef __CUDACC__
#define MIEN_ON_BOTH_SIDES __host__ __device__
#else
#define MIEN_ON_BOTH_SIDES
#endif

/* Measured over all floats: 1.8e-7. */
#define MIEN_SIGMOID_ERROR 4e-7

MIEN_ON_BOTH_SIDES static inline float mien_power_of_two(int32_t exponent) {
  uint32_t bits = (uint32_t)(exponent + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

/* The inverse, in double; infinite from 0 down and from 1 up. */
static inline double mien_logit(double p) { return p <= 0 ? -INFINITY : p >= 1 ? INFINITY : log(p) - log1p(-p); }

/* NaN stays NaN. */
MIEN_ON_BOTH_SIDES static inline float mien_sigmoid(float z) {
  const float round_to_integer = 12582912.0f; /* 1.5 · 2^23: adding it leaves no fraction bits */
  float t = z < 0.0f ? z : -z;
  t = t < -110.0f ? -110.0f : t;
  float shifted = t * 1.44269504f + round_to_integer;
  float n = shifted - round_to_integer;
  float r = (t - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r * r + r;
  p = p + 1.0f;
  /* The integer sits in the low bits of `shifted`. Two factors, since 2^n alone can be below float's range. */
  int32_t exponent;
  memcpy(&exponent, &shifted, sizeof exponent);
  exponent -= 0x4B400000;
  exponent = exponent < -160 ? -160 : exponent > 0 ? 0 : exponent; /* NaN has any bits here */
  int32_t half = exponent / 2;
  float e = p * mien_power_of_two(half) * mien_power_of_two(exponent - half);
  float numerator = z < 0.0f ? e : 1.0f;
  float score = numerator / (1.0f + e);
  return z == z ? score : z;
}

#endif
