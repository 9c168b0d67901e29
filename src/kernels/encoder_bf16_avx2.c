/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in bf16 on AVX2 with FMA. */
#include "kernels/vector_avx2.h"

/* 10 sums, the weights of a step, an element and what is made of weights: 14 of the 16 registers. */
#define BF16_ROWS 5
#include "kernels/encoder_bf16.h"

const mien_encoder_kernels mien_encoder_bf16_avx2 = ENCODER_BF16(MIEN_ISA_AVX2);
