/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in f32 on WebAssembly's SIMD. */
#include "kernels/vector_simd128.h"

#include "kernels/encoder_f32.h"

const mien_encoder_kernels mien_encoder_f32_simd128 = ENCODER_F32(MIEN_ISA_SIMD128);
