/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets: what this CPU and its system offer, and what MIEN_ISA narrows it to. */
#define _GNU_SOURCE
#include "base/cpu.h"

#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

static const char *const names[MIEN_ISA_COUNT] = {
    "portable", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx", "neon", "neondot",
};

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

bool mien_isa_available(mien_isa isa) {
  if (isa == MIEN_ISA_PORTABLE) return true;
  uint32_t a, b, c, d, b7, c7, d7, max7, a71 = 0, ignored;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
  bool fma = bit(c, 12), osxsave = bit(c, 27), avx = bit(c, 28), f16c = bit(c, 29);
  if (!osxsave || !avx || !fma || !f16c) return false;
  if (!__get_cpuid_count(7, 0, &max7, &b7, &c7, &d7)) return false;
  if (max7 >= 1) __get_cpuid_count(7, 1, &a71, &ignored, &ignored, &ignored);
  uint64_t xcr0 = read_xcr0();
  bool avx2 = (xcr0 & XCR0_AVX) == XCR0_AVX && bit(b7, 5);
  bool avx512 = avx2 && (xcr0 & XCR0_AVX512) == XCR0_AVX512 && bit(b7, 16) && bit(b7, 17) && bit(b7, 30) && bit(b7, 31);
  bool avx512vnni = avx512 && bit(c7, 11);
  bool avx512bf16 = avx512vnni && bit(a71, 5);
  switch (isa) {
  case MIEN_ISA_AVX2: return avx2;
  case MIEN_ISA_AVXVNNI: return avx2 && bit(a71, 4);
  case MIEN_ISA_AVX512: return avx512;
  case MIEN_ISA_AVX512VNNI: return avx512vnni;
  case MIEN_ISA_AVX512BF16: return avx512bf16;
  case MIEN_ISA_AMX: return avx512bf16 && (xcr0 & XCR0_AMX) == XCR0_AMX && bit(d7, 22) && bit(d7, 24) && bit(d7, 25);
  default: return false;
  }
}

#elif defined(__aarch64__)

bool mien_isa_available(mien_isa isa) {
  switch (isa) {
  case MIEN_ISA_PORTABLE:
  case MIEN_ISA_NEON: return true;
#if defined(__linux__)
  case MIEN_ISA_NEONDOT: return (getauxval(AT_HWCAP) & (1UL << 20)) != 0; /* HWCAP_ASIMDDP */
#endif
  default: return false;
  }
}

#else

bool mien_isa_available(mien_isa isa) { return isa == MIEN_ISA_PORTABLE; }

#endif

mien_status mien_isa_choose(mien_isa *isa, mien_error *error) {
  const char *wanted = getenv("MIEN_ISA");
  for (int i = MIEN_ISA_COUNT - 1; i >= 0; i--) {
    if (wanted && *wanted) {
      if (strcmp(wanted, names[i]) != 0) continue;
      if (!mien_isa_available((mien_isa)i))
        return mien_fail(error, MIEN_RESOURCE, "MIEN_ISA: %s is not available on this CPU", wanted);
    } else if (!mien_isa_available((mien_isa)i)) {
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
  /* Lower numbers of the other family have no table here, those of this one are contained in `isa`; but AVX-VNNI is no
   * part of AVX-512. */
  for (int i = (int)isa; i > MIEN_ISA_PORTABLE; i--)
    if ((some >> i & 1) && mien_isa_available((mien_isa)i)) return (mien_isa)i;
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
