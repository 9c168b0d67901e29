/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic regression's losses and residuals on NEON. */
#include "kernels/logistic.h"

const mien_logistic_kernels mien_logistic_neon = {MIEN_ISA_NEON, residuals};
