/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for base/cpu.c where AVX-512 is emulated in software: that set is there, whatever the processor has. */
#include "base/cpu.h"

bool mien_isa_available(mien_isa isa) { return isa == MIEN_ISA_AVX512; }

const char *mien_isa_name(mien_isa isa) { return isa == MIEN_ISA_AVX512 ? "avx512" : "another"; }

mien_isa mien_isa_best(mien_isa isa, unsigned some) {
  return (some >> isa & 1) && mien_isa_available(isa) ? isa : MIEN_ISA_PORTABLE;
}
