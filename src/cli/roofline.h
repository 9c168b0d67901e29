/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can do at most: its read bandwidth and its multiply-add rates, measured. */
#ifndef MIEN_CLI_ROOFLINE_H
#define MIEN_CLI_ROOFLINE_H

#include "base/threads.h"
#include "kernels/encoder_kernels.h"

typedef struct roofline_span {
  const void *data; /* aligned to 16 */
  size_t bytes;
} roofline_span;

/* Bytes a second that the pool's threads read together from n spans of memory, in order, each its part of every one. */
double roofline_read(mien_pool *pool, const roofline_span *spans, size_t n);

/* Float32 operations (two to a multiply-add) a second of the pool's threads together, on the widest registers. */
double roofline_flops(mien_pool *pool);

/*
 * Operations a second of the pool's threads together, in the best sequence of instructions that `isa`, which must be
 * available, has for such products: from registers, sums kept there.
 *   f32     fused multiply-adds; portable: what every processor of the family has
 *   bf16x3  a third of bf16 on tiles, else f32
 *   bf16    vdpbf16ps, tdpbf16ps, else f32, as bf16 numbers are float32 numbers
 *   int8    vpmaddubsw with vpmaddwd and vpaddd (AVX2), vpdpbusd, tdpbssd; smull, smlal and sadalp (NEON), sdot;
 *           portable: pmaddwd and paddd, or NEON's
 */
double roofline_products(mien_pool *pool, mien_products products, mien_isa isa);

#endif
