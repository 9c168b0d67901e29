/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can do at most: its read bandwidth and its multiply-add rates, measured. */
#include "cli/roofline.h"

#include <stdint.h>

#include "base/cpu.h"
#include "cli/cli.h"

enum { REPEATS = 7 };

/* ---- Reading ---- */

typedef struct reading {
  const roofline_span *spans;
  size_t n;
  unsigned threads;
} reading;

/* A register that every 64-bit machine has; a cache line is four. */
typedef uint64_t vector __attribute__((vector_size(16)));

static void read_part(void *user, unsigned worker) {
  const reading *all = user;
  vector a = {0}, b = a, c = a, d = a;
  for (size_t i = 0; i < all->n; i++) {
    const size_t part = all->spans[i].bytes / all->threads / 64 * 64;
    const vector *at = (const void *)((const unsigned char *)all->spans[i].data + part * worker);
    for (const vector *end = at + part / sizeof(vector); at < end; at += 4) {
      a ^= at[0];
      b ^= at[1];
      c ^= at[2];
      d ^= at[3];
    }
  }
  a ^= b ^ c ^ d;
  __asm__ volatile("" : : "m"(a)); /* the sum is wanted */
}

double roofline_read(mien_pool *pool, const roofline_span *spans, size_t n) {
  reading all = {spans, n, mien_pool_threads(pool)};
  double best = 0, bytes = 0;
  for (size_t i = 0; i < n; i++) bytes += (double)spans[i].bytes;
  for (int i = 0; i < REPEATS; i++) {
    const double start = cli_now();
    mien_pool_run(pool, read_part, &all);
    const double rate = bytes / (cli_now() - start);
    best = rate > best ? rate : best;
  }
  return best;
}

/* ---- Multiply-adds: enough independent sums to keep two units of any latency to 6 busy ---- */

enum { SUMS = 12 };
#define STEPS ((size_t)4000000)

/* One run of a loop; returns how many operations it did. */
typedef double (*loop)(void);

/* `step`(s) adds products of x to the sum s, `done` operations. Variables, not an array, and instructions, not what
 * compilers make of them: so that all stays in registers. */
/* clang-format off */
#define SUM_ALL(type, done, step)                                             \
  const type x = {1};                                                         \
  type s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0;                 \
  type s6 = s0, s7 = s0, s8 = s0, s9 = s0, s10 = s0, s11 = s0;                \
  for (size_t i = 0; i < STEPS; i++) {                                        \
    step(s0); step(s1); step(s2); step(s3); step(s4); step(s5);               \
    step(s6); step(s7); step(s8); step(s9); step(s10); step(s11);             \
  }                                                                           \
  return (double)STEPS * SUMS * (done);
/* clang-format on */

#if defined(__x86_64__)
#include <immintrin.h>

/* One instruction, s += x · x. */
#define STEP_1(s, name) __asm__ volatile(name " %1, %1, %0" : "+v"(s) : "v"(x))

#define STEP(s)                                                                                                        \
  do {                                                                                                                 \
    __m128 t;                                                                                                          \
    __asm__ volatile("movaps %2, %1\n\tmulps %2, %1\n\taddps %1, %0" : "+x"(s), "=&x"(t) : "x"(x));                    \
  } while (0)
static double f32_portable(void) { SUM_ALL(__m128, 8, STEP) }
#undef STEP

#define STEP(s) STEP_1(s, "vfmadd231ps")
__attribute__((target("avx2,fma"))) static double f32_avx2(void) { SUM_ALL(__m256, 16, STEP) }
__attribute__((target("avx512f"))) static double f32_avx512(void) { SUM_ALL(__m512, 32, STEP) }
#undef STEP

#define STEP(s) STEP_1(s, "vdpbf16ps")
__attribute__((target("avx512f,avx512bf16"))) static double bf16_avx512bf16(void) { SUM_ALL(__m512, 64, STEP) }
#undef STEP

#define STEP(s)                                                                                                        \
  do {                                                                                                                 \
    __m128i t;                                                                                                         \
    __asm__ volatile("movdqa %2, %1\n\tpmaddwd %2, %1\n\tpaddd %1, %0" : "+x"(s), "=&x"(t) : "x"(x));                  \
  } while (0)
static double int8_portable(void) { SUM_ALL(__m128i, 16, STEP) }
#undef STEP

/* Two steps are added before they go to 32 bits. Ones for vpmaddwd are x as well: what is multiplied makes no
 * difference to the time. */
#define STEP(s)                                                                                                        \
  do {                                                                                                                 \
    __m256i t, u;                                                                                                      \
    __asm__ volatile("vpmaddubsw %3, %3, %1\n\tvpmaddubsw %3, %3, %2\n\tvpaddw %2, %1, %1\n\t"                         \
                     "vpmaddwd %3, %1, %1\n\tvpaddd %1, %0, %0"                                                        \
                     : "+x"(s), "=&x"(t), "=&x"(u)                                                                     \
                     : "x"(x));                                                                                        \
  } while (0)
__attribute__((target("avx2"))) static double int8_avx2(void) { SUM_ALL(__m256i, 128, STEP) }
#undef STEP

#define STEP(s) __asm__ volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(s) : "x"(x))
__attribute__((target("avx2"))) static double int8_avxvnni(void) { SUM_ALL(__m256i, 64, STEP) }
#undef STEP

#define STEP(s) STEP_1(s, "vpdpbusd")
__attribute__((target("avx512f,avx512vnni"))) static double int8_avx512vnni(void) { SUM_ALL(__m512i, 128, STEP) }
#undef STEP

/* Four tiles of sums, 16 × 16 each, from two by two of 16 lines of 64 bytes. The same arithmetic in both: `sum` is the
 * instruction. */
#define TILE_STEPS (STEPS / 16)
#define TILE_SUMS(sum, done)                                                                                           \
  static const struct {                                                                                                \
    uint8_t palette, start, reserved[14];                                                                              \
    uint16_t line_bytes[16];                                                                                           \
    uint8_t lines[16];                                                                                                 \
  } shapes = {                                                                                                         \
      .palette = 1, .line_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .lines = {16, 16, 16, 16, 16, 16, 16, 16}};        \
  _tile_loadconfig(&shapes); /* which sets all tiles to zero */                                                        \
  for (size_t i = 0; i < TILE_STEPS; i++) {                                                                            \
    sum(0, 4, 6);                                                                                                      \
    sum(1, 4, 7);                                                                                                      \
    sum(2, 5, 6);                                                                                                      \
    sum(3, 5, 7);                                                                                                      \
  }                                                                                                                    \
  _tile_release();                                                                                                     \
  return 2.0 * (double)TILE_STEPS * 4 * (done);

__attribute__((target("amx-tile,amx-bf16"))) static double bf16_amx(void) { TILE_SUMS(_tile_dpbf16ps, 16 * 16 * 32) }
__attribute__((target("amx-tile,amx-int8"))) static double int8_amx(void) { TILE_SUMS(_tile_dpbssd, 16 * 16 * 64) }

static const loop loops[MIEN_PRODUCTS_COUNT][MIEN_ISA_COUNT] = {
    [MIEN_PRODUCTS_F32] =
        {[MIEN_ISA_PORTABLE] = f32_portable, [MIEN_ISA_AVX2] = f32_avx2, [MIEN_ISA_AVX512] = f32_avx512},
    [MIEN_PRODUCTS_BF16] = {[MIEN_ISA_AVX512BF16] = bf16_avx512bf16, [MIEN_ISA_AMX] = bf16_amx},
    [MIEN_PRODUCTS_INT8] = {[MIEN_ISA_PORTABLE] = int8_portable,
                            [MIEN_ISA_AVX2] = int8_avx2,
                            [MIEN_ISA_AVXVNNI] = int8_avxvnni,
                            [MIEN_ISA_AVX512VNNI] = int8_avx512vnni,
                            [MIEN_ISA_AMX] = int8_amx}};

#elif defined(__aarch64__)
#include <arm_neon.h>

#define STEP(s) __asm__ volatile("fmla %0.4s, %1.4s, %1.4s" : "+w"(s) : "w"(x))
static double f32_neon(void) { SUM_ALL(float32x4_t, 8, STEP) }
#undef STEP

#define STEP(s)                                                                                                        \
  do {                                                                                                                 \
    int16x8_t t;                                                                                                       \
    __asm__ volatile("smull %1.8h, %2.8b, %2.8b\n\tsmlal2 %1.8h, %2.16b, %2.16b\n\tsadalp %0.4s, %1.8h"                \
                     : "+w"(s), "=&w"(t)                                                                               \
                     : "w"(x));                                                                                        \
  } while (0)
static double int8_neon(void){SUM_ALL(int32x4_t, 32, STEP)}
#undef STEP

#define STEP(s) __asm__ volatile("sdot %0.4s, %1.16b, %1.16b" : "+w"(s) : "w"(x))
#if defined(__clang__)
#define WITH_DOT_PRODUCT __attribute__((target("dotprod")))
#else
#define WITH_DOT_PRODUCT __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
WITH_DOT_PRODUCT static double int8_neondot(void) {
  SUM_ALL(int32x4_t, 32, STEP)
}
#undef STEP

static const loop loops[MIEN_PRODUCTS_COUNT][MIEN_ISA_COUNT] = {
    [MIEN_PRODUCTS_F32] = {[MIEN_ISA_PORTABLE] = f32_neon, [MIEN_ISA_NEON] = f32_neon},
    [MIEN_PRODUCTS_INT8] = {
        [MIEN_ISA_PORTABLE] = int8_neon, [MIEN_ISA_NEON] = int8_neon, [MIEN_ISA_NEONDOT] = int8_neondot}};

#else

#define STEP(s)                                                                                                        \
  s += x * x;                                                                                                          \
  __asm__ volatile("" : "+m"(s))
static double f32_portable(void) { SUM_ALL(float, 2, STEP) }
static double int8_portable(void) { SUM_ALL(int32_t, 2, STEP) }
#undef STEP

static const loop loops[MIEN_PRODUCTS_COUNT][MIEN_ISA_COUNT] = {
    [MIEN_PRODUCTS_F32] = {[MIEN_ISA_PORTABLE] = f32_portable}, [MIEN_PRODUCTS_INT8] = {int8_portable}};

#endif

typedef struct computing {
  loop run;
  double done; /* by one thread */
} computing;

static void compute(void *user, unsigned worker) {
  computing *all = user;
  const double done = all->run();
  if (worker == 0) all->done = done;
}

/* The best loop for the products within `isa`; NULL where it has none of them. */
static loop best_loop(mien_products products, mien_isa isa) {
  unsigned some = 0;
  for (int i = 0; i < MIEN_ISA_COUNT; i++) some |= (unsigned)(loops[products][i] != NULL) << i;
  return loops[products][mien_isa_best(isa, some)];
}

double roofline_products(mien_pool *pool, mien_products products, mien_isa isa) {
  if (products == MIEN_PRODUCTS_BF16X3 && isa == MIEN_ISA_AMX)
    return roofline_products(pool, MIEN_PRODUCTS_BF16, isa) / 3;
  computing all = {.run = products == MIEN_PRODUCTS_BF16X3 ? NULL : best_loop(products, isa)};
  if (!all.run) all.run = best_loop(MIEN_PRODUCTS_F32, isa);
  double best = 0;
  for (int i = 0; i < REPEATS; i++) {
    const double start = cli_now();
    mien_pool_run(pool, compute, &all);
    const double rate = all.done * mien_pool_threads(pool) / (cli_now() - start);
    best = rate > best ? rate : best;
  }
  return best;
}

double roofline_flops(mien_pool *pool) {
  mien_isa widest = MIEN_ISA_PORTABLE;
  for (int i = 0; i < MIEN_ISA_COUNT; i++)
    if (mien_isa_available((mien_isa)i)) widest = (mien_isa)i;
  return roofline_products(pool, MIEN_PRODUCTS_F32, widest);
}
