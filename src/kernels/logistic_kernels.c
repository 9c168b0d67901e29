/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch table of logistic regression's kernel. */
#include "kernels/logistic_kernels.h"

extern const mien_logistic_kernels mien_logistic_portable;
#if defined(__x86_64__)
extern const mien_logistic_kernels mien_logistic_avx2, mien_logistic_avx512;
#elif defined(__aarch64__)
extern const mien_logistic_kernels mien_logistic_neon;
#endif

const mien_logistic_kernels *const mien_logistic_kernels_of[MIEN_ISA_COUNT] = {
    [MIEN_ISA_PORTABLE] = &mien_logistic_portable,
#if defined(__x86_64__)
    [MIEN_ISA_AVX2] = &mien_logistic_avx2,
    [MIEN_ISA_AVX512] = &mien_logistic_avx512,
#elif defined(__aarch64__)
    [MIEN_ISA_NEON] = &mien_logistic_neon,
#endif
};

const mien_logistic_kernels *mien_logistic_kernels_for(mien_isa isa) {
  unsigned some = 0;
  for (int i = 0; i < MIEN_ISA_COUNT; i++) some |= (unsigned)(mien_logistic_kernels_of[i] != NULL) << i;
  return mien_logistic_kernels_of[mien_isa_best(isa, some)];
}
