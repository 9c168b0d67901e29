/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of int8 that this machine runs: the portable one against integers and doubles, the others against its
 * bits. */
#include <float.h>

#include "encoder/panel.h"
#include "encoder_test.h"

/* The bits of the layer of encoder_test.h on every table. */
#define LAYER_BITS 0x218705a5261fce94u

static const mien_encoder_kernels *table(int isa) {
  return mien_isa_available((mien_isa)isa) ? mien_encoder_kernels_of[MIEN_PRODUCTS_INT8][isa] : NULL;
}

#define FOR_EACH_TABLE(kernels)                                                                                        \
  for (int isa = 0; isa < MIEN_ISA_COUNT; isa++)                                                                       \
    for (const mien_encoder_kernels *kernels = table(isa); kernels; kernels = NULL)

static const mien_encoder_kernels *portable(void) { return table(MIEN_ISA_PORTABLE); }

/* ---- Matrices and rows ---- */

/* With room for weights, all 0; scales are 0 too. */
static mien_matrix empty_matrix(size_t inputs, size_t outputs) {
  return (mien_matrix){.inputs = inputs,
                       .outputs = outputs,
                       .panels = mien_alloc(mien_panel_depth(MIEN_INT8, inputs) * outputs, 1),
                       .bias = mien_alloc(outputs, sizeof(float)),
                       .scales = mien_alloc(outputs, sizeof(float)),
                       .sums = mien_alloc(outputs, sizeof(int32_t)),
                       .lowest = mien_alloc(outputs, sizeof(float))};
}

static void drop_matrix(mien_matrix *matrix) {
  mien_free(matrix->panels);
  mien_free(matrix->bias);
  mien_free(matrix->scales);
  mien_free(matrix->sums);
  mien_free(matrix->multipliers);
  mien_free(matrix->lowest);
}

/* Four inputs of an output lie side by side, 16 outputs beside each other. */
static int8_t *weight(const mien_matrix *m, size_t input, size_t output) {
  int8_t *panel = (int8_t *)m->panels + output / MIEN_PANEL * MIEN_PANEL * mien_panel_depth(MIEN_INT8, m->inputs);
  return panel + (input / 4 * MIEN_PANEL + output % MIEN_PANEL) * 4 + input % 4;
}

/* Of weights that were written one by one. */
static void sum_weights(mien_matrix *m) {
  for (size_t output = 0; output < m->outputs; output++) {
    m->sums[output] = 0;
    for (size_t input = 0; input < m->inputs; input++) m->sums[output] += *weight(m, input, output);
  }
}

/* With multipliers for odd seeds. */
static mien_matrix make_matrix(size_t inputs, size_t outputs, uint64_t seed) {
  mien_matrix m = empty_matrix(inputs, outputs);
  if (seed % 2) {
    m.multipliers = numbers(inputs, 1, seed + 99);
    for (size_t i = 0; i < inputs; i++) m.multipliers[i] += 1.25f;
  }
  float *bias = numbers(outputs, 1, seed + 1);
  memcpy(m.bias, bias, outputs * sizeof *bias);
  mien_free(bias);
  for (size_t output = 0; output < outputs; output += MIEN_PANEL) {
    float *panel = numbers(inputs * MIEN_PANEL, 1 / sqrt((double)inputs), seed + 2 + output);
    mien_panel_pack(MIEN_INT8, panel, inputs, weight(&m, 0, output), m.scales + output);
    require(mien_panel_sums(weight(&m, 0, output), inputs, m.sums + output), "a weight of -128");
    mien_free(panel);
  }
  for (size_t i = 0; i < outputs; i++) m.lowest[i] = m.bias[i] + (float)m.sums[i] * m.scales[i] * MIEN_GELU_LOWEST;
  return m;
}

/* Rows of many kinds, one after the other: most numbers small, all large, in between, with one far out. */
static float *make_rows(size_t n, size_t columns, uint64_t seed) {
  float *rows = numbers(n * columns, 1, seed);
  for (size_t row = 0; row < n; row++) {
    float *x = rows + row * columns;
    for (size_t i = 0; i < columns; i++) {
      if (row % 4 == 0) x[i] *= x[i] * x[i] * x[i] * (x[i] < 0 ? -1.0f : 1.0f);
      if (row % 4 == 1) x[i] = x[i] < 0 ? x[i] - 1 : x[i] + 1;
    }
    if (row % 4 == 3) x[row % columns] = 30;
  }
  return rows;
}

/* With no byte more than is asked for. */
static void *make_scratch(const mien_encoder_kernels *kernels, size_t rows, size_t inputs, size_t between) {
  return mien_alloc(kernels->scratch_bytes(rows, inputs, between), 1);
}

static void same(const float *found, const float *expected, size_t n, const mien_encoder_kernels *kernels,
                 const char *what) {
  for (size_t i = 0; i < n; i++) {
    if (isnan(found[i]) && isnan(expected[i])) continue; /* which NaN it is is the processor's matter */
    require(memcmp(found + i, expected + i, sizeof *found) == 0, "%s: %s, number %zu: expected %.9g, found %.9g",
            mien_isa_name(kernels->isa), what, i, (double)expected[i], (double)found[i]);
  }
}

/* ---- The portable table ---- */

/* A row as int8 by the definition; returns its scale. */
static float to_integers(const float *x, size_t n, int *integers) {
  float largest = 0;
  for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(x[i]));
  const bool is_nothing = (double)largest < ldexp(1, -100);
  const float inverse = is_nothing ? 0 : 127 / largest;
  for (size_t i = 0; i < n; i++) integers[i] = (int)nearbyint((double)(x[i] * inverse));
  return is_nothing ? 0 : largest / 127;
}

/* bias + x·W of a row of floats. */
static void multiply(const mien_matrix *m, const float *x, double *y) {
  int *integers = mien_alloc(m->inputs, sizeof *integers);
  float *multiplied = mien_alloc(m->inputs, sizeof *multiplied);
  for (size_t i = 0; i < m->inputs; i++) multiplied[i] = m->multipliers ? x[i] * m->multipliers[i] : x[i];
  const double scale = (double)to_integers(multiplied, m->inputs, integers);
  for (size_t output = 0; output < m->outputs; output++) {
    long long sum = 0;
    for (size_t input = 0; input < m->inputs; input++) sum += integers[input] * *weight(m, input, output);
    y[output] = (double)sum * m->scales[output] * scale + m->bias[output];
  }
  mien_free(integers);
  mien_free(multiplied);
}

/* The same of what GELU gave: its range in 254 steps. */
static void multiply_above_lowest(const mien_matrix *m, const double *x, double *y) {
  const double lowest = (double)MIEN_GELU_LOWEST;
  double largest = 0;
  for (size_t i = 0; i < m->inputs; i++) largest = fmax(largest, x[i] - lowest);
  const double step = largest / 254;
  for (size_t output = 0; output < m->outputs; output++) {
    y[output] = m->bias[output];
    for (size_t input = 0; input < m->inputs; input++)
      y[output] +=
          (nearbyint((x[input] - lowest) / step) * step + lowest) * *weight(m, input, output) * m->scales[output];
  }
}

START_TEST(portable_products_are_those_of_the_definition) {
  static const size_t inputs_of[] = {16, 48, 400}, outputs = 48, n = 9;
  for (size_t i = 0; i < COUNT(inputs_of); i++) {
    const size_t inputs = inputs_of[i];
    mien_matrix m = make_matrix(inputs, outputs, i);
    float *x = make_rows(n, inputs, 7), *y = mien_alloc(n * outputs, sizeof *y);
    float *added = numbers(n * outputs, 1, 9), *before = numbers(n * outputs, 1, 9);
    void *scratch = make_scratch(portable(), n, inputs, 16);
    portable()->project(&m, x, n, outputs, 0, scratch, y);
    portable()->project_add(&m, x, n, scratch, added);
    for (size_t row = 0; row < n; row++) {
      double expected[48];
      multiply(&m, x + row * inputs, expected);
      for (size_t k = 0; k < outputs; k++) {
        const size_t at = row * outputs + k;
        const double tolerance = 4e-7 * (fabs(expected[k]) + 2);
        near(y[at], expected[k], tolerance, "portable", "project", at);
        near(added[at], expected[k] + before[at], tolerance, "portable", "project_add", at);
      }
    }
    drop_matrix(&m);
    mien_free(x);
    mien_free(y);
    mien_free(added);
    mien_free(before);
    mien_free(scratch);
  }
}
END_TEST

/* What float and a rough GELU make of the numbers between may put some of them to the next integer. */
START_TEST(the_portable_feed_forward_is_that_of_the_definition) {
  enum { N = 9, WIDE = 112, NARROW = 48 };
  mien_matrix up = make_matrix(NARROW, WIDE, 1), down = make_matrix(WIDE, NARROW, 2);
  float *x = make_rows(N, NARROW, 7), y[N * NARROW];
  void *scratch = make_scratch(portable(), N, NARROW, WIDE);
  portable()->feed_forward(&up, &down, x, N, scratch, y);
  for (size_t row = 0; row < N; row++) {
    double middle[WIDE], expected[NARROW], largest = 0;
    multiply(&up, x + row * NARROW, middle);
    for (size_t i = 0; i < WIDE; i++) {
      middle[i] = middle[i] / 2 * (1 + erf(middle[i] / sqrt(2)));
      largest = fmax(largest, middle[i]);
    }
    multiply_above_lowest(&down, middle, expected);
    for (size_t k = 0; k < NARROW; k++) {
      const double step = (largest - (double)MIEN_GELU_LOWEST) / 254 * 127 * (double)down.scales[k];
      const double rough = 5e-4 * 127 * (double)down.scales[k] * sqrt(WIDE); /* of GELU, with random signs */
      near(y[row * NARROW + k], expected[k] + x[row * NARROW + k], 4 * step + rough, "portable", "feed_forward", k);
    }
  }
  drop_matrix(&up);
  drop_matrix(&down);
  mien_free(x);
  mien_free(scratch);
}
END_TEST

/* 64 numbers through the identity and back by 1: y - x is GELU(x), in steps of a 254th of its range. */
START_TEST(gelu_is_that_of_erf_to_half_a_step) {
  mien_matrix identity = empty_matrix(64, 64);
  for (size_t i = 0; i < 64; i++) {
    *weight(&identity, i, i) = 127;
    identity.scales[i] = 1.0f / 127;
  }
  sum_weights(&identity);
  for (size_t i = 0; i < 64; i++) identity.lowest[i] = 127 * identity.scales[i] * MIEN_GELU_LOWEST;
  FOR_EACH_TABLE(kernels) {
    void *scratch = make_scratch(kernels, 1, 64, 64);
    for (int end = 1; end < 200; end++) { /* x in 127 steps up to end / 16, itself without error */
      float x[64], y[64];
      const double unit = end / 16.0 / 127;
      for (int i = 0; i < 64; i++) x[i] = (float)(unit * (4 * i - 125));
      x[0] = (float)(unit * 127);
      kernels->feed_forward(&identity, &identity, x, 1, scratch, y);
      for (size_t i = 0; i < 64; i++) {
        const double exact = (double)x[i], expected = exact / 2 * (1 + erf(exact / sqrt(2)));
        const double step = (end / 16.0 + 0.171) / 254;
        near((double)y[i] - exact, expected, step / 2 + 5e-4 + 3e-6 * fabs(exact), mien_isa_name(kernels->isa), "GELU",
             i);
      }
    }
    mien_free(scratch);
  }
  drop_matrix(&identity);
}
END_TEST

START_TEST(portable_attention_and_norm_are_the_double_sums) {
  static const size_t lengths[] = {1, 5, 16, 33, 130};
  for (size_t l = 0; l < COUNT(lengths); l++) {
    texts t = make_texts(2, 32, lengths[l], 0.6, l);
    portable()->attend(&t.attention);
    for (size_t at = 0; at < t.n * 2; at++) {
      double expected[32];
      expected_attention(&t, at % 2, at / 2, expected);
      for (size_t i = 0; i < 32; i++)
        near(t.attention.out[at * 32 + i], expected[i], 3e-6, "portable", "attention", at);
    }
    drop_texts(&t);
  }
  float *x = numbers(48, 3, 1), *gamma = numbers(48, 2, 2), *beta = numbers(48, 1, 3), y[48];
  double mean = 0, variance = 0;
  for (size_t i = 0; i < 48; i++) mean += (double)x[i] / 48;
  for (size_t i = 0; i < 48; i++) variance += pow((double)x[i] - mean, 2) / 48;
  portable()->norm(gamma, beta, 1e-12f, x, 1, 48, y);
  for (size_t i = 0; i < 48; i++)
    near(y[i], ((double)x[i] - mean) / sqrt(variance) * gamma[i] + beta[i], 5e-6, "portable", "norm", i);
  mien_free(x);
  mien_free(gamma);
  mien_free(beta);
}
END_TEST

/* A weight of 1 each: y is the integer itself. */
START_TEST(ties_go_to_the_even_integer) {
  mien_matrix identity = empty_matrix(64, 64);
  for (size_t i = 0; i < 64; i++) {
    *weight(&identity, i, i) = 1;
    identity.scales[i] = 1;
  }
  sum_weights(&identity);
  FOR_EACH_TABLE(kernels) {
    void *scratch = make_scratch(kernels, 1, 64, 64);
    for (int start = -127; start <= 64; start += 63) {
      float x[64], y[64];
      x[0] = 127; /* so that a step is 1 */
      for (int i = 1; i < 64; i++) x[i] = (float)(start + i) - 0.5f;
      kernels->project(&identity, x, 1, 64, 0, scratch, y);
      for (int i = 1; i < 64; i++) {
        const int above = start + i, even = above % 2 ? above - 1 : above;
        require(y[i] == (float)even, "%s: %g: expected %d, found %g", mien_isa_name(kernels->isa), (double)x[i], even,
                (double)y[i]);
      }
    }
    mien_free(scratch);
  }
  drop_matrix(&identity);
}
END_TEST

/* ---- All tables ---- */

enum { MOST = 40 };

/* Every number of rows up to MOST, in blocks as heads have them. */
static void compare_products(const mien_encoder_kernels *kernels, const mien_matrix *m, const float *x,
                             const float *before, const float *product, const float *added) {
  const size_t outputs = m->outputs, block = outputs % 32 ? 16 : 32;
  for (size_t n = 1; n <= MOST; n++) {
    const size_t stride = n * block + 16;
    void *scratch = make_scratch(kernels, n, m->inputs, 16);
    float *blocks = mien_alloc(outputs / block * stride, sizeof *blocks), *y = mien_alloc(n * outputs, sizeof *y);
    kernels->project(m, x, n, block, stride, scratch, blocks);
    for (size_t row = 0; row < n; row++)
      for (size_t column = 0; column < outputs; column += block)
        memcpy(y + row * outputs + column, blocks + column / block * stride + row * block, block * sizeof *y);
    same(y, product, n * outputs, kernels, "project");
    memcpy(y, before, n * outputs * sizeof *y);
    kernels->project_add(m, x, n, scratch, y);
    same(y, added, n * outputs, kernels, "project_add");
    mien_free(scratch);
    mien_free(blocks);
    mien_free(y);
  }
}

START_TEST(products_have_the_bits_of_the_portable_ones_at_every_size) {
  static const size_t inputs_of[] = {16, 48, 64, 112, 384, 400};
  for (size_t i = 0; i < COUNT(inputs_of); i++)
    for (size_t outputs = 16; outputs <= 96; outputs += 16) {
      const size_t inputs = inputs_of[i];
      mien_matrix m = make_matrix(inputs, outputs, i * 10 + outputs);
      float *x = make_rows(MOST, inputs, 77), *product = mien_alloc(MOST * outputs, sizeof *product);
      float *before = numbers(MOST * outputs, 1, 78), *added = numbers(MOST * outputs, 1, 78);
      void *scratch = make_scratch(portable(), MOST, inputs, 16);
      portable()->project(&m, x, MOST, outputs, 0, scratch, product);
      portable()->project_add(&m, x, MOST, scratch, added);
      FOR_EACH_TABLE(kernels) compare_products(kernels, &m, x, before, product, added);
      drop_matrix(&m);
      mien_free(x);
      mien_free(product);
      mien_free(before);
      mien_free(added);
      mien_free(scratch);
    }
}
END_TEST

START_TEST(feed_forward_has_the_bits_of_the_portable_one_at_every_size) {
  static const size_t between_of[] = {16, 112, 384}, hidden = 48, most = 430; /* more rows than go through at once */
  for (size_t b = 0; b < COUNT(between_of); b++) {
    const size_t between = between_of[b];
    mien_matrix up = make_matrix(hidden, between, b), down = make_matrix(between, hidden, b + 50);
    float *x = make_rows(most, hidden, 5);
    float *expected = mien_alloc(most * hidden, sizeof *expected), *y = mien_alloc(most * hidden, sizeof *y);
    void *scratch = make_scratch(portable(), most, hidden, between);
    portable()->feed_forward(&up, &down, x, most, scratch, expected);
    FOR_EACH_TABLE(kernels)
    for (size_t n = 1; n <= most; n += n < MOST ? 1 : 65) {
      void *own = make_scratch(kernels, n, hidden, between);
      kernels->feed_forward(&up, &down, x, n, own, y);
      same(y, expected, n * hidden, kernels, "feed_forward");
      mien_free(own);
    }
    drop_matrix(&up);
    drop_matrix(&down);
    mien_free(x);
    mien_free(expected);
    mien_free(y);
    mien_free(scratch);
  }
}
END_TEST

START_TEST(attention_has_the_bits_of_the_portable_one) {
  static const size_t lengths[] = {1, 2, 5, 6, 7, 12, 13, 15, 16, 17, 31, 33, 64, 130}, columns_of[] = {16, 32, 48, 64};
  for (size_t c = 0; c < COUNT(columns_of); c++)
    for (size_t l = 0; l < COUNT(lengths); l++) {
      texts t = make_texts(3, columns_of[c], lengths[l], l % 2 ? 0.6 : 6, c * 100 + l);
      const size_t n = t.n * t.heads * t.columns;
      float *expected = mien_alloc(n, sizeof *expected);
      portable()->attend(&t.attention);
      memcpy(expected, t.attention.out, n * sizeof *expected);
      FOR_EACH_TABLE(kernels) {
        kernels->attend(&t.attention);
        same(t.attention.out, expected, n, kernels, "attention");
      }
      mien_free(expected);
      drop_texts(&t);
    }
}
END_TEST

START_TEST(norm_has_the_bits_of_the_portable_one) {
  for (size_t columns = 16; columns <= 400; columns += 48) {
    const size_t n = 5;
    float *x = make_rows(n, columns, columns), *gamma = numbers(columns, 2, 4), *beta = numbers(columns, 1, 5);
    float *expected = mien_alloc(n * columns, sizeof *expected), *y = mien_alloc(n * columns, sizeof *y);
    for (size_t i = 0; i < columns; i++) x[columns + i] = 7; /* a row without variance */
    portable()->norm(gamma, beta, 1e-12f, x, n, columns, expected);
    FOR_EACH_TABLE(kernels) {
      kernels->norm(gamma, beta, 1e-12f, x, n, columns, y);
      same(y, expected, n * columns, kernels, "norm");
    }
    mien_free(x);
    mien_free(gamma);
    mien_free(beta);
    mien_free(expected);
    mien_free(y);
  }
}
END_TEST

/* ---- Extremes ---- */

/* Every product of a sum 127 · 127, of one sign, of the other, or by turns: no instruction may saturate. */
START_TEST(the_largest_sums_are_exact) {
  static const size_t inputs_of[] = {16, 400, 4096, 32768};
  enum { N = 14, OUTPUTS = 48 };
  for (size_t i = 0; i < COUNT(inputs_of); i++) {
    const size_t inputs = inputs_of[i];
    mien_matrix m = empty_matrix(inputs, OUTPUTS);
    float *x = mien_alloc(N * inputs, sizeof *x), y[N * OUTPUTS];
    for (size_t output = 0; output < OUTPUTS; output++) {
      m.scales[output] = 0.5f;
      for (size_t k = 0; k < inputs; k++)
        *weight(&m, k, output) = (int8_t)(output % 4 > 1 && k / (output % 4 - 1) % 2 == 0 ? -127
                                          : output % 4 == 1                               ? -127
                                                                                          : 127);
    }
    sum_weights(&m);
    for (size_t row = 0; row < N; row++)
      for (size_t k = 0; k < inputs; k++) x[row * inputs + k] = row % 4 > 1 && k % 8 / (row % 4 - 1) % 2 ? 254 : -254;
    for (size_t k = 0; k < inputs; k++) x[k] = 254;
    FOR_EACH_TABLE(kernels) {
      void *scratch = make_scratch(kernels, N, inputs, 16);
      kernels->project(&m, x, N, OUTPUTS, 0, scratch, y);
      for (size_t at = 0; at < N * OUTPUTS; at++) {
        const size_t row = at / OUTPUTS, output = at % OUTPUTS;
        int32_t sum = 0;
        for (size_t k = 0; k < inputs; k++) sum += (x[row * inputs + k] < 0 ? -127 : 127) * *weight(&m, k, output);
        const float expected = (float)sum; /* scales are 1/2 and 2 */
        require(y[at] == expected, "%s: %zu inputs, row %zu, output %zu: expected %.9g, found %.9g",
                mien_isa_name(kernels->isa), inputs, row, output, (double)expected, (double)y[at]);
      }
      mien_free(scratch);
    }
    drop_matrix(&m);
    mien_free(x);
  }
}
END_TEST

/* Every number between is the largest, 254 steps. */
START_TEST(the_largest_sums_after_gelu_are_exact) {
  enum { N = 7, HIDDEN_OF = 16, BETWEEN_OF = 4096 };
  mien_matrix up = empty_matrix(HIDDEN_OF, BETWEEN_OF), down = empty_matrix(BETWEEN_OF, HIDDEN_OF);
  for (size_t i = 0; i < BETWEEN_OF; i++) up.bias[i] = 5;
  for (size_t output = 0; output < HIDDEN_OF; output++) {
    down.scales[output] = 0.25f;
    for (size_t i = 0; i < BETWEEN_OF; i++)
      *weight(&down, i, output) = output == 0 || (i >> (output - 1) & 1) ? 127 : -127;
  }
  sum_weights(&up);
  sum_weights(&down);
  for (size_t i = 0; i < HIDDEN_OF; i++) down.lowest[i] = (float)down.sums[i] * down.scales[i] * MIEN_GELU_LOWEST;
  float x[N * HIDDEN_OF] = {0}, y[N * HIDDEN_OF];
  FOR_EACH_TABLE(kernels) {
    void *scratch = make_scratch(kernels, N, HIDDEN_OF, BETWEEN_OF);
    kernels->feed_forward(&up, &down, x, N, scratch, y);
    for (size_t at = 0; at < N * HIDDEN_OF; at++) {
      const double sum = down.sums[at % HIDDEN_OF];
      near(y[at], 5 * sum / 4, 1e-6 * 127 * BETWEEN_OF * 5 / 4, mien_isa_name(kernels->isa), "feed_forward", at);
    }
    mien_free(scratch);
  }
  drop_matrix(&up);
  drop_matrix(&down);
}
END_TEST

START_TEST(rows_of_zeros_and_of_tiny_and_of_huge_numbers_have_one_result) {
  enum { N = 7, INPUTS = 48, OUTPUTS = 32 };
  static const float largest[N] = {0, 0x1p-149f, 0x1.8p-101f, 0x1p-100f, 0x1p-60f, 0x1p100f, FLT_MAX};
  mien_matrix m = make_matrix(INPUTS, OUTPUTS, 3);
  float *x = numbers(N * INPUTS, 1, 4), y[N * OUTPUTS], expected[N * OUTPUTS];
  for (size_t at = 0; at < N * INPUTS; at++) x[at] = at % INPUTS ? x[at] * largest[at / INPUTS] : largest[at / INPUTS];
  void *scratch = make_scratch(portable(), N, INPUTS, 16);
  portable()->project(&m, x, N, OUTPUTS, 0, scratch, expected);
  for (size_t at = 0; at < N * OUTPUTS; at++) { /* of what counts as nothing there is the bias */
    const bool is_nothing = at / OUTPUTS < 3, is_bias = expected[at] == m.bias[at % OUTPUTS];
    require(at / OUTPUTS > 5 || is_bias == (is_nothing || at / OUTPUTS < 5),
            "row %zu, output %zu: bias %.9g, found %.9g", at / OUTPUTS, at % OUTPUTS, (double)m.bias[at % OUTPUTS],
            (double)expected[at]);
  }
  FOR_EACH_TABLE(kernels) {
    void *own = make_scratch(kernels, N, INPUTS, 16);
    kernels->project(&m, x, N, OUTPUTS, 0, own, y);
    same(y, expected, N * OUTPUTS, kernels, "project");
    mien_free(own);
  }
  drop_matrix(&m);
  mien_free(x);
  mien_free(scratch);
}
END_TEST

/* Row 2 of some has `bad` in it: it is NaN, and the others are as ever. */
static void check_bad_row(const mien_encoder_kernels *kernels, float bad) {
  enum { N = 9, WIDE = 112, NARROW = 48 };
  mien_matrix up = make_matrix(NARROW, WIDE, 1), down = make_matrix(WIDE, NARROW, 2);
  float *x = make_rows(N, NARROW, 7), good[N * WIDE], y[N * WIDE], good_fed[N * NARROW], fed[N * NARROW];
  void *scratch = make_scratch(kernels, N, NARROW, WIDE);
  kernels->project(&up, x, N, WIDE, 0, scratch, good);
  kernels->feed_forward(&up, &down, x, N, scratch, good_fed);
  x[2 * NARROW + 17] = bad;
  kernels->project(&up, x, N, WIDE, 0, scratch, y);
  kernels->feed_forward(&up, &down, x, N, scratch, fed);
  for (size_t i = 0; i < WIDE; i++) good[2 * WIDE + i] = NAN;
  for (size_t i = 0; i < NARROW; i++) good_fed[2 * NARROW + i] = NAN;
  same(y, good, N * WIDE, kernels, "project");
  same(fed, good_fed, N * NARROW, kernels, "feed_forward");
  drop_matrix(&up);
  drop_matrix(&down);
  mien_free(x);
  mien_free(scratch);
}

START_TEST(what_is_not_finite_makes_its_own_row_nan_and_no_other) {
  FOR_EACH_TABLE(kernels) {
    check_bad_row(kernels, NAN);
    check_bad_row(kernels, -NAN);
    check_bad_row(kernels, INFINITY);
    check_bad_row(kernels, -INFINITY);
  }
}
END_TEST

/* ---- Bits ---- */

START_TEST(a_layer_keeps_its_bits_from_version_to_version_and_on_every_processor) {
  static float y[TOKENS * HIDDEN];
  layer of = {make_matrix(HIDDEN, 3 * HIDDEN, 1), make_matrix(HIDDEN, HIDDEN, 2), make_matrix(HIDDEN, BETWEEN, 3),
              make_matrix(BETWEEN, HIDDEN, 4)};
  FOR_EACH_TABLE(kernels) {
    void *scratch = make_scratch(kernels, TOKENS, HIDDEN, BETWEEN);
    run_layer(kernels, &of, scratch, y);
    const uint64_t found = hash_of(y, sizeof y);
    require(found == LAYER_BITS, "%s: expected bits of 0x%016llx, found 0x%016llx", mien_isa_name(kernels->isa),
            (unsigned long long)LAYER_BITS, (unsigned long long)found);
    mien_free(scratch);
  }
  drop_matrix(&of.three);
  drop_matrix(&of.out);
  drop_matrix(&of.up);
  drop_matrix(&of.down);
}
END_TEST

START_TEST(a_row_has_the_same_bits_alone_and_in_any_batch) {
  mien_matrix up = make_matrix(HIDDEN, BETWEEN, 3), down = make_matrix(BETWEEN, HIDDEN, 4);
  float *x = make_rows(TOKENS, HIDDEN, 5);
  static float all[TOKENS * HIDDEN], some[TOKENS * HIDDEN], projected[TOKENS * BETWEEN], alone[TOKENS * BETWEEN];
  FOR_EACH_TABLE(kernels) {
    void *scratch = make_scratch(kernels, TOKENS, HIDDEN, BETWEEN);
    kernels->feed_forward(&up, &down, x, TOKENS, scratch, all);
    kernels->project(&up, x, TOKENS, BETWEEN, 0, scratch, projected);
    for (size_t n = 1; n <= 14; n++)
      for (size_t first = 0; first + n <= TOKENS; first += n) {
        kernels->feed_forward(&up, &down, x + first * HIDDEN, n, scratch, some);
        same(some, all + first * HIDDEN, n * HIDDEN, kernels, "feed_forward");
        kernels->project(&up, x + first * HIDDEN, n, BETWEEN, 0, scratch, alone);
        same(alone, projected + first * BETWEEN, n * BETWEEN, kernels, "project");
      }
    mien_free(scratch);
  }
  drop_matrix(&up);
  drop_matrix(&down);
  mien_free(x);
}
END_TEST

MIEN_SUITE("encoder int8", portable_products_are_those_of_the_definition,
           the_portable_feed_forward_is_that_of_the_definition, gelu_is_that_of_erf_to_half_a_step,
           portable_attention_and_norm_are_the_double_sums, ties_go_to_the_even_integer,
           products_have_the_bits_of_the_portable_ones_at_every_size,
           feed_forward_has_the_bits_of_the_portable_one_at_every_size, attention_has_the_bits_of_the_portable_one,
           norm_has_the_bits_of_the_portable_one, the_largest_sums_are_exact, the_largest_sums_after_gelu_are_exact,
           rows_of_zeros_and_of_tiny_and_of_huge_numbers_have_one_result,
           what_is_not_finite_makes_its_own_row_nan_and_no_other,
           a_layer_keeps_its_bits_from_version_to_version_and_on_every_processor,
           a_row_has_the_same_bits_alone_and_in_any_batch)
