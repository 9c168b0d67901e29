/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder in float32 in portable C: the reference. */
#include "kernels/vector_portable.h"

#include "kernels/encoder_f32.h"

const mien_encoder_kernels mien_encoder_f32_portable = ENCODER_F32(MIEN_ISA_PORTABLE);
