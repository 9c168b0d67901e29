/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to int8 in registers of WebAssembly's SIMD, for encoder_int8.h. */
#ifndef MIEN_KERNELS_BYTES_SIMD128_H
#define MIEN_KERNELS_BYTES_SIMD128_H

#include <stdint.h>
#include <wasm_simd128.h>

#define vec_max_integers(a, b) ((signed_integers)wasm_i32x4_max((v128_t)(a), (v128_t)(b)))

static inline void vec_store_low_bytes(uint8_t *at, vec a) {
  const v128_t bytes = (v128_t)a;
  wasm_v128_store32_lane(at, wasm_i8x16_shuffle(bytes, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), 0);
}

#endif
