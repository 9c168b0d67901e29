/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in float32 on AArch64's NEON. */
#include "kernels/vector_neon.h"

#include "kernels/encoder_f32.h"

const mien_encoder_kernels mien_encoder_f32_neon = ENCODER_F32(MIEN_ISA_NEON);
