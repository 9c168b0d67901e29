/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to int8 in registers of AArch64's NEON, for encoder_int8.h. */
#ifndef MIEN_KERNELS_BYTES_NEON_H
#define MIEN_KERNELS_BYTES_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#define vec_max_integers(a, b) (signed_integers) vmaxq_s32((int32x4_t)(a), (int32x4_t)(b))

static inline void vec_store_low_bytes(uint8_t *at, float32x4_t a) {
  const uint16x4_t low = vmovn_u32(vreinterpretq_u32_f32(a));
  vst1_lane_u32((uint32_t *)(void *)at, vreinterpret_u32_u8(vmovn_u16(vcombine_u16(low, low))), 0);
}

#endif
