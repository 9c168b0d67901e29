/* SPDX-License-Identifier: Apache-2.0 */
/* The head on AVX-512 with VNNI: one instruction for the product and the sum. */
#include <immintrin.h>

/* Not _mm512_dpwssd_epi32: around it gcc copies every sum to another register and back, which halves the speed. */
#define DOT16(sum, a, b) __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#include "kernels/head_avx512_common.h"

const mien_head_kernels mien_head_avx512vnni = {
    .isa = MIEN_ISA_AVX512VNNI,
    .logits = logits_block,
    .logit = logit_one,
    .scores = common_scores,
    .screen = screen_block,
    .widen_f16 = widen_f16,
};
