/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in bf16 on AVX2 with FMA. */
#include "kernels/vector_avx2.h"

#include "kernels/encoder_bf16.h"

const mien_encoder_kernels mien_encoder_bf16_avx2 = ENCODER_BF16(MIEN_ISA_AVX2);
