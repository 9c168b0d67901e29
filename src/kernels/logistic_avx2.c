/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic regression's losses and residuals on AVX2. */
#include "kernels/logistic.h"

const mien_logistic_kernels mien_logistic_avx2 = {MIEN_ISA_AVX2, residuals};
