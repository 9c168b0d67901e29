/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch table of the encoder's kernels. */
#include "kernels/encoder_kernels.h"

extern const mien_encoder_kernels mien_encoder_f32_portable, mien_encoder_bf16_portable, mien_encoder_int8_portable;
#if defined(__x86_64__)
extern const mien_encoder_kernels mien_encoder_f32_avx2, mien_encoder_f32_avx512;
extern const mien_encoder_kernels mien_encoder_bf16x3_amx;
extern const mien_encoder_kernels mien_encoder_bf16_avx2, mien_encoder_bf16_avx512, mien_encoder_bf16_avx512bf16,
    mien_encoder_bf16_amx;
extern const mien_encoder_kernels mien_encoder_int8_avx2, mien_encoder_int8_avxvnni, mien_encoder_int8_avx512vnni,
    mien_encoder_int8_amx;
#elif defined(__aarch64__)
extern const mien_encoder_kernels mien_encoder_f32_neon, mien_encoder_bf16_neon, mien_encoder_int8_neon,
    mien_encoder_int8_neondot;
#elif defined(__wasm_simd128__)
extern const mien_encoder_kernels mien_encoder_f32_simd128, mien_encoder_int8_simd128;
/* Linked into one of the modules. */
extern const mien_encoder_kernels mien_encoder_int8_relaxed __attribute__((weak));
#endif

/* A WebAssembly module is downloaded: what its SIMD stands in for stays out, whatever MIEN_ISA asks for. */
#if defined(__wasm_simd128__)
#define REFERENCE(products)                                                                                            \
  [MIEN_ISA_PORTABLE] = &mien_encoder_##products##_simd128, [MIEN_ISA_SIMD128] = &mien_encoder_##products##_simd128
#else
#define REFERENCE(products) [MIEN_ISA_PORTABLE] = &mien_encoder_##products##_portable
#endif

const mien_encoder_kernels *const mien_encoder_kernels_of[MIEN_PRODUCTS_COUNT][MIEN_ISA_COUNT] = {
    [MIEN_PRODUCTS_F32] =
        {
            REFERENCE(f32),
#if defined(__x86_64__)
            [MIEN_ISA_AVX2] = &mien_encoder_f32_avx2,
            [MIEN_ISA_AVX512] = &mien_encoder_f32_avx512,
#elif defined(__aarch64__)
            [MIEN_ISA_NEON] = &mien_encoder_f32_neon,
#endif
        },
    [MIEN_PRODUCTS_BF16X3] =
        {
            REFERENCE(f32),
#if defined(__x86_64__)
            [MIEN_ISA_AVX2] = &mien_encoder_f32_avx2,
            [MIEN_ISA_AVX512] = &mien_encoder_f32_avx512,
            [MIEN_ISA_AMX] = &mien_encoder_bf16x3_amx,
#elif defined(__aarch64__)
            [MIEN_ISA_NEON] = &mien_encoder_f32_neon,
#endif
        },
    [MIEN_PRODUCTS_BF16] =
        {
            [MIEN_ISA_PORTABLE] = &mien_encoder_bf16_portable,
#if defined(__x86_64__)
            [MIEN_ISA_AVX2] = &mien_encoder_bf16_avx2,
            [MIEN_ISA_AVX512] = &mien_encoder_bf16_avx512,
            [MIEN_ISA_AVX512BF16] = &mien_encoder_bf16_avx512bf16,
            [MIEN_ISA_AMX] = &mien_encoder_bf16_amx,
#elif defined(__aarch64__)
            [MIEN_ISA_NEON] = &mien_encoder_bf16_neon,
#endif
        },
    [MIEN_PRODUCTS_INT8] =
        {
            REFERENCE(int8),
#if defined(__x86_64__)
            [MIEN_ISA_AVX2] = &mien_encoder_int8_avx2,
            [MIEN_ISA_AVXVNNI] = &mien_encoder_int8_avxvnni,
            [MIEN_ISA_AVX512VNNI] = &mien_encoder_int8_avx512vnni,
            [MIEN_ISA_AMX] = &mien_encoder_int8_amx,
#elif defined(__aarch64__)
            [MIEN_ISA_NEON] = &mien_encoder_int8_neon,
            [MIEN_ISA_NEONDOT] = &mien_encoder_int8_neondot,
#elif defined(__wasm_simd128__)
            [MIEN_ISA_RELAXED] = &mien_encoder_int8_relaxed,
#endif
        },
};

const mien_encoder_kernels *mien_encoder_kernels_for(mien_products products, mien_isa isa) {
  const mien_encoder_kernels *const *tables = mien_encoder_kernels_of[products];
  unsigned some = 0;
  for (int i = 0; i < MIEN_ISA_COUNT; i++) some |= (unsigned)(tables[i] != NULL) << i;
  return tables[mien_isa_best(isa, some)];
}
