/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic regression's losses and residuals in portable C. */
#include "kernels/logistic.h"

const mien_logistic_kernels mien_logistic_portable = {MIEN_ISA_PORTABLE, residuals};
