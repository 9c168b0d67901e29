/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in float32 on AVX-512. */
#include "kernels/vector_avx512.h"

#include "kernels/encoder_f32.h"

const mien_encoder_kernels mien_encoder_f32_avx512 = ENCODER_F32(MIEN_ISA_AVX512);
