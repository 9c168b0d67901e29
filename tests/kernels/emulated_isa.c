/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for base/cpu.c where an instruction set is emulated in software: that set is there beside portable C,
 * whatever the processor has. */
#include "base/cpu.h"

#ifndef EMULATED
#define EMULATED MIEN_ISA_AVX512
#endif

bool mien_isa_available(mien_isa isa) { return isa == EMULATED || isa == MIEN_ISA_PORTABLE; }

const char *mien_isa_name(mien_isa isa) {
  return isa == EMULATED ? "emulated" : isa == MIEN_ISA_PORTABLE ? "portable" : "another";
}

mien_isa mien_isa_best(mien_isa isa, unsigned some) {
  return (some >> isa & 1) && mien_isa_available(isa) ? isa : MIEN_ISA_PORTABLE;
}
