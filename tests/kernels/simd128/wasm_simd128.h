/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for the compiler's header where kernels of WebAssembly's SIMD are compiled for another processor: SIMDe
 * carries them out, and this the relaxed dot product, as the engines do that it is named after.
 *   RELAXED_UNSIGNED     the second side's bytes have no sign: AVX-VNNI
 *   RELAXED_SIGNED       they have: AArch64's dot product
 *   RELAXED_SATURATING   no sign, and sums of two products saturate at 16 bits: x86 without AVX-VNNI
 */
#ifndef TESTS_KERNELS_SIMD128_H
#define TESTS_KERNELS_SIMD128_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/wasm/simd128.h>
#include <stdint.h>
#include <string.h>

#ifndef wasm_i32x4_const_splat /* which this release of it lacks */
#define wasm_i32x4_const_splat(x) wasm_i32x4_splat(x)
#endif

static inline v128_t wasm_i32x4_relaxed_dot_i8x16_i7x16_add(v128_t a, v128_t b, v128_t sums) {
  int8_t signed_side[16], other_side[16];
  int32_t result[4];
  memcpy(signed_side, &a, sizeof a);
  memcpy(other_side, &b, sizeof b);
  memcpy(result, &sums, sizeof sums);
  for (int i = 0; i < 16; i += 2) {
    int pair = 0;
    for (int k = i; k < i + 2; k++)
#ifdef RELAXED_SIGNED
      pair += signed_side[k] * other_side[k];
#else
      pair += signed_side[k] * (uint8_t)other_side[k];
#endif
#ifdef RELAXED_SATURATING
    pair = pair > INT16_MAX ? INT16_MAX : pair < INT16_MIN ? INT16_MIN : pair;
#endif
    result[i / 4] += pair;
  }
  memcpy(&sums, result, sizeof sums);
  return sums;
}

#endif
