/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in bf16 in portable C: the reference. */
#include "kernels/vector_portable.h"

#include "kernels/encoder_bf16.h"

const mien_encoder_kernels mien_encoder_bf16_portable = ENCODER_BF16(MIEN_ISA_PORTABLE);
