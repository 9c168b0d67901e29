/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic regression's losses and residuals on AVX-512. */
#include "kernels/logistic.h"

const mien_logistic_kernels mien_logistic_avx512 = {MIEN_ISA_AVX512, residuals};
