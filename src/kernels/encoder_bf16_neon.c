/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in bf16 on AArch64's NEON. */
#include "kernels/vector_neon.h"

#include "kernels/encoder_bf16.h"

const mien_encoder_kernels mien_encoder_bf16_neon = ENCODER_BF16(MIEN_ISA_NEON);
