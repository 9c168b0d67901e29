/* SPDX-License-Identifier: Apache-2.0 */
/* The head on AVX-512 F, BW, DQ and VL. */
#include <immintrin.h>

#define DOT16(sum, a, b) (sum) = _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
#include "kernels/head_avx512_common.h"

const mien_head_kernels mien_head_avx512 = {
    .isa = MIEN_ISA_AVX512,
    .logits = logits_block,
    .logit = logit_one,
    .scores = common_scores,
    .screen = screen_block,
    .widen_f16 = widen_f16,
};
