/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets: what this CPU and its system offer, and what MIEN_ISA narrows it to. */
#ifndef MIEN_BASE_CPU_H
#define MIEN_BASE_CPU_H

#include <stdbool.h>

#include "base/status.h"

/* In each family every one contains those before it, but for AVX-VNNI, which is no part of AVX-512. */
typedef enum mien_isa {
  MIEN_ISA_PORTABLE,
  MIEN_ISA_AVX2,       /* AVX2, FMA, F16C */
  MIEN_ISA_AVXVNNI,    /* and AVX-VNNI */
  MIEN_ISA_AVX512,     /* AVX-512 F, BW, DQ, VL */
  MIEN_ISA_AVX512VNNI, /* and VNNI */
  MIEN_ISA_AVX512BF16, /* and BF16 */
  MIEN_ISA_AMX,        /* and AMX tiles with int8 and bf16 */
  MIEN_ISA_NEON,       /* AArch64 */
  MIEN_ISA_NEONDOT,    /* and the dot product */
#if defined(__wasm__)
  MIEN_ISA_SIMD128, /* WebAssembly, which has none of the others */
  MIEN_ISA_RELAXED, /* and relaxed SIMD, whose kernels are in a module of their own */
#endif
  MIEN_ISA_COUNT
} mien_isa;

const char *mien_isa_name(mien_isa isa);

/* Whether this CPU and its operating system can run it. The first question for AMX on a CPU that has it asks the kernel
 * for the process's permission to use tiles, on which it depends. */
bool mien_isa_available(mien_isa isa);

/* Why it cannot, in a few words, for which there is room in `text`; NULL where it can. */
enum { MIEN_ISA_MISSING_CHARS = 80 };
const char *mien_isa_missing(mien_isa isa, char text[MIEN_ISA_MISSING_CHARS]);

/* The best one of this CPU, or the one that the environment variable MIEN_ISA names. Whether the kernel gives AMX's
 * tiles, which cannot be given back, is only asked by mien_isa_best, where there is something to run on them, or where
 * MIEN_ISA names them. */
MIEN_MUST_USE mien_status mien_isa_choose(mien_isa *isa, mien_error *error);

/* The best one within `isa` that is among `some`, a bit 1 << isa for each; the portable one is taken to be. */
mien_isa mien_isa_best(mien_isa isa, unsigned some);

/* CPUs that this process may run on, at least 1. */
unsigned mien_cpu_count(void);

#endif
