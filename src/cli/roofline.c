/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can do at most: its read bandwidth and its float multiply-add rate, measured. */
#include "cli/roofline.h"

#include <stdint.h>

#include "base/cpu.h"
#include "cli/cli.h"

enum { REPEATS = 7 };

/* ---- Reading ---- */

typedef struct reading {
  const unsigned char *data;
  size_t bytes;
  unsigned threads;
} reading;

/* A register that every 64-bit machine has; a cache line is four. */
typedef uint64_t vector __attribute__((vector_size(16)));

static void read_part(void *user, unsigned worker) {
  const reading *all = user;
  const size_t part = all->bytes / all->threads / 64 * 64;
  const vector *at = (const void *)(all->data + part * worker), *end = at + part / sizeof(vector);
  vector a = {0}, b = a, c = a, d = a;
  for (; at < end; at += 4) {
    a ^= at[0];
    b ^= at[1];
    c ^= at[2];
    d ^= at[3];
  }
  a ^= b ^ c ^ d;
  __asm__ volatile("" : : "m"(a)); /* the sum is wanted */
}

double roofline_read(mien_pool *pool, const void *data, size_t bytes) {
  reading all = {data, bytes, mien_pool_threads(pool)};
  double best = 0;
  for (int i = 0; i < REPEATS; i++) {
    double start = cli_now();
    mien_pool_run(pool, read_part, &all);
    double rate = (double)bytes / (cli_now() - start);
    best = rate > best ? rate : best;
  }
  return best;
}

/* ---- Multiply-adds: enough independent sums to keep two units of any latency to 6 busy ---- */

enum { SUMS = 12 };
#define STEPS ((size_t)4000000)

/* Variables, not an array: compilers keep those in registers. */
#define SUM(multiply_add, s)                                                                                           \
  s = multiply_add(x, x, s);                                                                                           \
  __asm__ volatile("" : KEEP(s)); /* no sum is known beforehand */

/* clang-format off */
#define SUM_ALL(type, multiply_add)                                                           \
  type x = {1.0f}, s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0;                     \
  type s6 = s0, s7 = s0, s8 = s0, s9 = s0, s10 = s0, s11 = s0;                                \
  for (size_t i = 0; i < STEPS; i++) {                                                        \
    SUM(multiply_add, s0) SUM(multiply_add, s1) SUM(multiply_add, s2) SUM(multiply_add, s3)   \
    SUM(multiply_add, s4) SUM(multiply_add, s5) SUM(multiply_add, s6) SUM(multiply_add, s7)   \
    SUM(multiply_add, s8) SUM(multiply_add, s9) SUM(multiply_add, s10) SUM(multiply_add, s11) \
  }                                                                                           \
  return 2.0 * (double)STEPS * SUMS * (double)(sizeof(type) / sizeof(float));
/* clang-format on */

#if defined(__x86_64__)
#include <immintrin.h>
#define KEEP(value) "+v"(value)
__attribute__((target("avx512f"))) static double flops_avx512(void) { SUM_ALL(__m512, _mm512_fmadd_ps) }
#undef KEEP
#define KEEP(value) "+x"(value)
__attribute__((target("avx2,fma"))) static double flops_avx2(void) { SUM_ALL(__m256, _mm256_fmadd_ps) }
static inline __m128 multiply_then_add(__m128 a, __m128 b, __m128 c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
static double flops_portable(void) { SUM_ALL(__m128, multiply_then_add) }
#elif defined(__aarch64__)
#include <arm_neon.h>
#define KEEP(value) "+w"(value)
static inline float32x4_t fused(float32x4_t a, float32x4_t b, float32x4_t c) { return vfmaq_f32(c, a, b); }
static double flops_portable(void) { SUM_ALL(float32x4_t, fused) }
#else
#define KEEP(value) "+m"(value)
static inline float multiply_then_add(float a, float b, float c) { return a * b + c; }
static double flops_portable(void) { SUM_ALL(float, multiply_then_add) }
#endif

static void compute(void *user, unsigned worker) {
  double *flops = user;
  double done;
#if defined(__x86_64__)
  if (mien_isa_available(MIEN_ISA_AVX512))
    done = flops_avx512();
  else if (mien_isa_available(MIEN_ISA_AVX2))
    done = flops_avx2();
  else
    done = flops_portable();
#else
  done = flops_portable();
#endif
  if (worker == 0) *flops = done;
}

double roofline_flops(mien_pool *pool) {
  double best = 0, flops = 0;
  for (int i = 0; i < REPEATS; i++) {
    double start = cli_now();
    mien_pool_run(pool, compute, &flops);
    double rate = flops * mien_pool_threads(pool) / (cli_now() - start);
    best = rate > best ? rate : best;
  }
  return best;
}
