/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMX's intrinsics in plain C, as Intel's manual describes the instructions (Software Developer's Manual, volume 2),
 * for processors without them; amx.sh includes it before a kernel file. Where the processor would fault, it aborts.
 */
#ifndef MIEN_TESTS_AMX_EMULATION_H
#define MIEN_TESTS_AMX_EMULATION_H

#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EMULATED_TILES = 8, EMULATED_LINES = 16, EMULATED_LINE_BYTES = 64 };

typedef struct emulated_tile {
  unsigned lines, line_bytes;
  unsigned char data[EMULATED_LINES][EMULATED_LINE_BYTES];
} emulated_tile;

static emulated_tile emulated_tiles[EMULATED_TILES];
static int emulated_is_configured;

static inline void emulated_check(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "AMX would fault: %s\n", what);
  abort();
}

static inline emulated_tile *emulated_tile_of(int number) {
  emulated_check(emulated_is_configured, "no configuration was loaded");
  emulated_check(number >= 0 && number < EMULATED_TILES, "the tile's number");
  emulated_check(emulated_tiles[number].lines > 0, "the tile is not configured");
  return &emulated_tiles[number];
}

static inline void emulated_loadconfig(const void *memory) {
  const unsigned char *bytes = memory;
  emulated_check(bytes[0] == 1, "palette 1 is all there is");
  emulated_check(bytes[1] == 0, "start_row is for interrupted loads");
  memset(emulated_tiles, 0, sizeof emulated_tiles);
  for (int i = 2; i < 16; i++) emulated_check(bytes[i] == 0, "reserved bytes 2 to 15");
  for (int i = 32; i < 48; i++) emulated_check(bytes[i] == 0, "reserved bytes 32 to 47");
  for (int i = 56; i < 64; i++) emulated_check(bytes[i] == 0, "reserved bytes 56 to 63");
  for (int i = 0; i < EMULATED_TILES; i++) {
    const unsigned line_bytes = bytes[16 + 2 * i] + 256u * bytes[17 + 2 * i], lines = bytes[48 + i];
    emulated_check(line_bytes <= EMULATED_LINE_BYTES && lines <= EMULATED_LINES, "a tile's size");
    emulated_check((line_bytes == 0) == (lines == 0), "a tile of no lines or of no bytes");
    emulated_tiles[i].lines = lines;
    emulated_tiles[i].line_bytes = line_bytes;
  }
  emulated_is_configured = 1;
}

static inline void emulated_release(void) {
  memset(emulated_tiles, 0, sizeof emulated_tiles);
  emulated_is_configured = 0;
}

static inline void emulated_zero(int number) {
  emulated_tile *tile = emulated_tile_of(number);
  memset(tile->data, 0, sizeof tile->data);
}

static inline void emulated_loadd(int number, const void *base, size_t stride) {
  emulated_tile *tile = emulated_tile_of(number);
  memset(tile->data, 0, sizeof tile->data);
  for (unsigned line = 0; line < tile->lines; line++)
    memcpy(tile->data[line], (const unsigned char *)base + line * stride, tile->line_bytes);
}

static inline void emulated_stored(int number, void *base, size_t stride) {
  const emulated_tile *tile = emulated_tile_of(number);
  for (unsigned line = 0; line < tile->lines; line++)
    memcpy((unsigned char *)base + line * stride, tile->data[line], tile->line_bytes);
}

static inline void emulated_check_product(const emulated_tile *sums, const emulated_tile *a, const emulated_tile *b) {
  emulated_check(sums != a && a != b && sums != b, "a product's tiles must differ");
  emulated_check(sums->line_bytes == b->line_bytes && sums->lines == a->lines && a->line_bytes / 4 == b->lines,
                 "the sizes of a product's tiles");
  emulated_check(sums->line_bytes % 4 == 0 && a->line_bytes % 4 == 0, "lines of whole elements");
}

static inline void emulated_dpbssd(int to, int first, int second) {
  emulated_tile *sums = emulated_tile_of(to);
  const emulated_tile *a = emulated_tile_of(first), *b = emulated_tile_of(second);
  emulated_check_product(sums, a, b);
  for (unsigned m = 0; m < sums->lines; m++)
    for (unsigned k = 0; k < a->line_bytes / 4; k++)
      for (unsigned n = 0; n < sums->line_bytes / 4; n++) {
        uint32_t sum;
        memcpy(&sum, sums->data[m] + 4 * n, sizeof sum);
        for (unsigned i = 0; i < 4; i++)
          sum += (uint32_t)((int8_t)a->data[m][4 * k + i] * (int8_t)b->data[k][4 * n + i]);
        memcpy(sums->data[m] + 4 * n, &sum, sizeof sum);
      }
}

/* Zero for a subnormal number, with its sign. */
static inline float emulated_flush(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7F800000) == 0) bits &= 0x80000000;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline float emulated_bf16(const unsigned char *at) {
  const uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 24;
  float x;
  memcpy(&x, &bits, sizeof x);
  return emulated_flush(x);
}

/* Products of even inputs and of odd ones are summed by themselves, with fused multiply-adds; then both sums are added,
 * and what comes of it to what was there. */
static inline void emulated_dpbf16ps(int to, int first, int second) {
  emulated_tile *sums = emulated_tile_of(to);
  const emulated_tile *a = emulated_tile_of(first), *b = emulated_tile_of(second);
  emulated_check_product(sums, a, b);
  for (unsigned m = 0; m < sums->lines; m++)
    for (unsigned n = 0; n < sums->line_bytes / 4; n++) {
      float both[2] = {0, 0}, sum;
      for (unsigned k = 0; k < a->line_bytes / 4; k++)
        for (unsigned i = 0; i < 2; i++) {
          const float x = emulated_bf16(a->data[m] + 4 * k + 2 * i), w = emulated_bf16(b->data[k] + 4 * n + 2 * i);
          both[i] = emulated_flush(__builtin_fmaf(x, w, both[i]));
        }
      memcpy(&sum, sums->data[m] + 4 * n, sizeof sum);
      sum = emulated_flush(emulated_flush(sum) + emulated_flush(both[0] + both[1]));
      memcpy(sums->data[m] + 4 * n, &sum, sizeof sum);
    }
}

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbssd
#undef _tile_dpbf16ps
#define _tile_loadconfig emulated_loadconfig
#define _tile_release emulated_release
#define _tile_zero emulated_zero
#define _tile_loadd emulated_loadd
#define _tile_stored emulated_stored
#define _tile_dpbssd emulated_dpbssd
#define _tile_dpbf16ps emulated_dpbf16ps

#endif
