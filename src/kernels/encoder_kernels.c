/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch table of the encoder's kernels. */
#include "kernels/encoder_kernels.h"

extern const mien_encoder_kernels mien_encoder_portable;
#if defined(__x86_64__)
extern const mien_encoder_kernels mien_encoder_avx2, mien_encoder_avx512;
#elif defined(__aarch64__)
extern const mien_encoder_kernels mien_encoder_neon;
#endif

const mien_encoder_kernels *const mien_encoder_kernels_of[MIEN_ISA_COUNT] = {
    [MIEN_ISA_PORTABLE] = &mien_encoder_portable,
#if defined(__x86_64__)
    [MIEN_ISA_AVX2] = &mien_encoder_avx2,
    [MIEN_ISA_AVX512] = &mien_encoder_avx512,
#elif defined(__aarch64__)
    [MIEN_ISA_NEON] = &mien_encoder_neon,
#endif
};

const mien_encoder_kernels *mien_encoder_kernels_for(mien_isa isa) {
  unsigned some = 0;
  for (int i = 0; i < MIEN_ISA_COUNT; i++) some |= (unsigned)(mien_encoder_kernels_of[i] != NULL) << i;
  return mien_encoder_kernels_of[mien_isa_best(isa, some)];
}
