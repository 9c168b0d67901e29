/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets: what this CPU and its system offer, and what MIEN_ISA narrows it to. */
#define _GNU_SOURCE
#include "base/cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

static const char *const names[MIEN_ISA_COUNT] = {
    "portable", "avx2",    "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx", "neon", "neondot",
#if defined(__wasm__)
    "simd128",  "relaxed",
#endif
};

static const char no_instructions[] = "this processor has none";

const char *mien_isa_name(mien_isa isa) { return names[isa]; }

#if defined(__x86_64__)

/* XCR0 bits: the registers that the operating system saves for us. */
enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xE6, XCR0_AMX = 0x60000 };

static uint64_t read_xcr0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

static bool bit(uint32_t word, int index) { return (word >> index) & 1; }

static bool has_instructions(mien_isa isa) {
  uint32_t a, b, c, d, b7, c7, d7, max7, a71 = 0, ignored;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
  const bool fma = bit(c, 12), avx = bit(c, 28), f16c = bit(c, 29);
  if (!__get_cpuid_count(7, 0, &max7, &b7, &c7, &d7)) return false;
  if (max7 >= 1) __get_cpuid_count(7, 1, &a71, &ignored, &ignored, &ignored);
  const bool avx2 = avx && fma && f16c && bit(b7, 5);
  const bool avx512 = avx2 && bit(b7, 16) && bit(b7, 17) && bit(b7, 30) && bit(b7, 31);
  const bool avx512vnni = avx512 && bit(c7, 11), avx512bf16 = avx512vnni && bit(a71, 5);
  switch (isa) {
  case MIEN_ISA_AVX2: return avx2;
  case MIEN_ISA_AVXVNNI: return avx2 && bit(a71, 4);
  case MIEN_ISA_AVX512: return avx512;
  case MIEN_ISA_AVX512VNNI: return avx512vnni;
  case MIEN_ISA_AVX512BF16: return avx512bf16;
  case MIEN_ISA_AMX: return avx512bf16 && bit(d7, 22) && bit(d7, 24) && bit(d7, 25);
  default: return false;
  }
}

static bool has_registers(mien_isa isa) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !bit(c, 27)) return false; /* OSXSAVE */
  const bool is_256 = isa == MIEN_ISA_AVX2 || isa == MIEN_ISA_AVXVNNI;
  const uint64_t needed = is_256 ? XCR0_AVX : isa == MIEN_ISA_AMX ? XCR0_AVX512 | XCR0_AMX : XCR0_AVX512;
  return (read_xcr0() & needed) == needed;
}

/* Tiles are given to a process that asks for them, once for all its threads. Returns 0 or what errno says. */
static int tiles_refusal(void) {
#if defined(__linux__)
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18, UNKNOWN = -1 };
  static atomic_int refusal = UNKNOWN;
  int found = atomic_load_explicit(&refusal, memory_order_relaxed);
  if (found == UNKNOWN) { /* two threads may ask: the answer is the same */
    found = syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 ? 0 : errno;
    atomic_store_explicit(&refusal, found, memory_order_relaxed);
  }
  return found;
#else
  return 0;
#endif
}

/* But for the kernel's permission. */
static bool may_be_available(mien_isa isa) {
  return isa == MIEN_ISA_PORTABLE || (has_instructions(isa) && has_registers(isa));
}

const char *mien_isa_missing(mien_isa isa, char text[MIEN_ISA_MISSING_CHARS]) {
  if (isa == MIEN_ISA_PORTABLE) return NULL;
  if (!has_instructions(isa)) return no_instructions;
  if (!has_registers(isa)) return "the operating system does not keep its registers";
  const int refusal = isa == MIEN_ISA_AMX ? tiles_refusal() : 0;
  if (refusal == 0) return NULL;
  snprintf(text, MIEN_ISA_MISSING_CHARS, "the kernel refuses its tiles (errno %d)", refusal);
  return text;
}

#elif defined(__aarch64__)

const char *mien_isa_missing(mien_isa isa, char text[MIEN_ISA_MISSING_CHARS]) {
  (void)text;
  switch (isa) {
  case MIEN_ISA_PORTABLE:
  case MIEN_ISA_NEON: return NULL;
#if defined(__linux__)
  case MIEN_ISA_NEONDOT: /* HWCAP_ASIMDDP */ return (getauxval(AT_HWCAP) & (1UL << 20)) != 0 ? NULL : no_instructions;
#endif
  default: return no_instructions;
  }
}

#else

const char *mien_isa_missing(mien_isa isa, char text[MIEN_ISA_MISSING_CHARS]) {
  (void)text;
#if defined(__wasm_simd128__) /* where it is missing, no module with it is loaded */
  if (isa == MIEN_ISA_SIMD128 || isa == MIEN_ISA_RELAXED) return NULL;
#endif
  return isa == MIEN_ISA_PORTABLE ? NULL : no_instructions;
}

#endif

#if !defined(__x86_64__)
static bool may_be_available(mien_isa isa) { return mien_isa_available(isa); }
#endif

bool mien_isa_available(mien_isa isa) {
  char text[MIEN_ISA_MISSING_CHARS];
  return mien_isa_missing(isa, text) == NULL;
}

mien_status mien_isa_choose(mien_isa *isa, mien_error *error) {
  const char *wanted = getenv("MIEN_ISA"), *missing;
  char text[MIEN_ISA_MISSING_CHARS];
  for (int i = MIEN_ISA_COUNT - 1; i >= 0; i--) {
    if (wanted && *wanted) {
      if (strcmp(wanted, names[i]) != 0) continue;
      missing = mien_isa_missing((mien_isa)i, text);
      if (missing)
        return mien_fail(error, MIEN_RESOURCE, "MIEN_ISA: %s is not available on this CPU: %s", wanted, missing);
    } else if (!may_be_available((mien_isa)i)) {
      continue;
    }
    *isa = (mien_isa)i;
    return MIEN_OK;
  }
  char list[128] = "";
  for (int i = 0; i < MIEN_ISA_COUNT; i++) {
    if (i) strcat(list, ", ");
    strcat(list, names[i]);
  }
  return mien_fail(error, MIEN_ARGUMENT, "MIEN_ISA: expected one of %s, found '%s'", list, wanted);
}

mien_isa mien_isa_best(mien_isa isa, unsigned some) {
  /* Lower numbers of the other family have no table here; those of this one are contained in `isa`, but for AVX-VNNI,
   * which is no part of AVX-512. */
  for (int i = (int)isa; i > MIEN_ISA_PORTABLE; i--) {
    if (i == MIEN_ISA_AVXVNNI && isa != MIEN_ISA_AVXVNNI) continue;
    if ((some >> i & 1) && mien_isa_available((mien_isa)i)) return (mien_isa)i;
  }
  return MIEN_ISA_PORTABLE;
}

unsigned mien_cpu_count(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    int count = CPU_COUNT(&set);
    return count > 0 ? (unsigned)count : 1;
  }
#endif
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (unsigned)count : 1;
}
