/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows a library a lesser processor: in a copy of it every `cpuid` is the undefined instruction ud2, of the same two
 * bytes, and this answers for it without what is beyond AVX2, or AVX-VNNI. Loaded by limited.py, which makes the copy
 * and writes where each of them is: places.inc, of lines {"library's file name", address in it},
 *
 *   cc -O2 -shared -fPIC -I folder/of/places.inc cpuid.c -o cpuid.so
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static const struct {
  const char *library;
  uintptr_t address;
} places[] = {
#include "places.inc"
};

static int with_avx_vnni;
static volatile unsigned answers;

/* What is left of registers a, b, c, d: Intel's manual, volume 2A, CPUID, leaf 7. */
static void hide(uint32_t leaf, uint32_t subleaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
  if (leaf != 7) return;
  if (subleaf == 0) {
    *b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31); /* AVX-512 */
    *c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);                                    /* VBMI, VNNI… */
    *d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);               /* …, FP16; AMX */
  } else if (subleaf == 1) {
    *a &= ~(1u << 5 | 1u << 21 | 1u << 22 | 1u << 23); /* AVX512-BF16, AMX-FP16, AVX-IFMA */
    if (!with_avx_vnni) *a &= ~(1u << 4);
    *d &= ~(1u << 4 | 1u << 5 | 1u << 8 | 1u << 10 | 1u << 19); /* AVX-VNNI-INT8 and INT16, NE-CONVERT, AMX, AVX10 */
  }
}

/* A library has ud2 of its own, where it gives up. Addresses in it count from where it was loaded. */
static bool was_cpuid(uintptr_t at) {
  Dl_info library;
  if (!dladdr((const void *)at, &library)) return false;
  const char *slash = strrchr(library.dli_fname, '/');
  const char *name = slash ? slash + 1 : library.dli_fname;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (places[i].address == at - (uintptr_t)library.dli_fbase && strcmp(places[i].library, name) == 0) return true;
  return false;
}

static void answer(int number, siginfo_t *info, void *user) {
  (void)info;
  ucontext_t *context = user;
  greg_t *registers = context->uc_mcontext.gregs;
  if (!was_cpuid((uintptr_t)registers[REG_RIP])) {
    signal(number, SIG_DFL); /* it is met again, and ends the process */
    return;
  }
  uint32_t a, b, c, d;
  const uint32_t leaf = (uint32_t)registers[REG_RAX], subleaf = (uint32_t)registers[REG_RCX];
  __cpuid_count(leaf, subleaf, a, b, c, d);
  hide(leaf, subleaf, &a, &b, &c, &d);
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
  answers++;
}

/* Answers from now on; 0 when done. */
int cpuid_limit(int avx_vnni) {
  with_avx_vnni = avx_vnni;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  return sigaction(SIGILL, &action, NULL);
}

/* How often it was asked. */
unsigned cpuid_answers(void) { return answers; }
