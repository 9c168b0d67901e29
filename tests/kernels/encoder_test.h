/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the encoder's tables share: numbers, texts for attention, a layer, a hash of bits. */
#ifndef MIEN_TESTS_ENCODER_TEST_H
#define MIEN_TESTS_ENCODER_TEST_H

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/encoder_kernels.h"
#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static inline float *numbers(size_t n, double scale, uint64_t seed) {
  float *all = mien_alloc(n, sizeof *all);
  uint64_t state = seed * 2 + 1;
  for (size_t i = 0; i < n; i++) all[i] = (float)(scale * random_unit(&state));
  return all;
}

static inline void near(double found, double expected, double tolerance, const char *isa, const char *what, size_t at) {
  require(fabs(found - expected) <= tolerance, "%s: %s at %zu: expected %.9g, found %.9g", isa, what, at, expected,
          found);
}

/* ---- Attention ---- */

typedef struct texts {
  size_t heads, columns, n, stride;
  float *queries, *keys, *values;
  mien_attention attention;
} texts;

static inline texts make_texts(size_t heads, size_t columns, size_t n, double scale, uint64_t seed) {
  const size_t stride = n * columns + 3, padded = (n + MIEN_PANEL - 1) / MIEN_PANEL * MIEN_PANEL;
  texts t = {.heads = heads, .columns = columns, .n = n, .stride = stride};
  t.queries = numbers(heads * stride, scale, seed);
  t.keys = numbers(heads * stride, scale, seed + 1);
  t.values = numbers(heads * stride, 1, seed + 2);
  t.attention = (mien_attention){t.queries,
                                 t.keys,
                                 t.values,
                                 heads,
                                 columns,
                                 stride,
                                 n,
                                 n,
                                 mien_alloc(columns * padded, sizeof(float)),
                                 mien_alloc(MIEN_MAX_TILE * padded, sizeof(float)),
                                 mien_alloc(padded, sizeof(float)),
                                 mien_alloc(n * heads * columns, sizeof(float))};
  /* What an earlier, longer text left must not matter. */
  for (size_t i = 0; i < columns * padded; i++) t.attention.transposed[i] = NAN;
  for (size_t i = 0; i < MIEN_MAX_TILE * padded; i++) t.attention.scores[i] = NAN;
  return t;
}

static inline void drop_texts(texts *t) {
  mien_free(t->queries);
  mien_free(t->keys);
  mien_free(t->values);
  mien_free(t->attention.transposed);
  mien_free(t->attention.scores);
  mien_free(t->attention.mask);
  mien_free(t->attention.out);
}

/* One head's result for a query, in double. */
static inline void expected_attention(const texts *t, size_t head, size_t row, double *out) {
  double largest = -INFINITY, sum = 0, *scores = mien_alloc(t->n, sizeof *scores);
  const size_t place = head * t->stride;
  for (size_t k = 0; k < t->n; k++) {
    for (size_t i = 0; i < t->columns; i++)
      scores[k] += (double)t->queries[place + row * t->columns + i] * t->keys[place + k * t->columns + i];
    largest = fmax(largest, scores[k]);
  }
  memset(out, 0, t->columns * sizeof *out);
  for (size_t k = 0; k < t->n; k++) {
    const double e = exp(scores[k] - largest);
    sum += e;
    for (size_t i = 0; i < t->columns; i++) out[i] += e * t->values[place + k * t->columns + i];
  }
  for (size_t i = 0; i < t->columns; i++) out[i] /= sum;
  mien_free(scores);
}

/* ---- A layer ---- */

enum { TOKENS = 37, HIDDEN = 96, BETWEEN = 400, COLUMNS = 32, HEADS = 3 };

/* A whole layer over TOKENS rows. */
typedef struct layer {
  mien_matrix three, out, up, down;
} layer;

static inline void run_layer(const mien_encoder_kernels *kernels, const layer *of, void *scratch, float *y) {
  const size_t n = TOKENS;
  float *rows = numbers(n * HIDDEN, 2, 5), *gamma = numbers(HIDDEN, 1, 6), *beta = numbers(HIDDEN, 1, 7);
  float *heads = mien_alloc(n * 3 * HIDDEN, sizeof *heads), *context = mien_alloc(n * HIDDEN, sizeof *context);
  texts t = make_texts(HEADS, COLUMNS, n, 1, 8);
  kernels->project(&of->three, rows, n, COLUMNS, n * COLUMNS, scratch, heads);
  mien_attention attention = t.attention;
  attention.queries = heads;
  attention.keys = heads + n * HIDDEN;
  attention.values = heads + 2 * n * HIDDEN;
  attention.head_stride = n * COLUMNS;
  attention.out = context;
  kernels->attend(&attention);
  kernels->project_add(&of->out, context, n, scratch, rows);
  kernels->norm(gamma, beta, 1e-12f, rows, n, HIDDEN, rows);
  kernels->feed_forward(&of->up, &of->down, rows, n, scratch, y);
  drop_texts(&t);
  mien_free(rows);
  mien_free(gamma);
  mien_free(beta);
  mien_free(heads);
  mien_free(context);
}

static inline uint64_t hash_of(const void *bytes, size_t n) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
  return hash;
}

#endif
