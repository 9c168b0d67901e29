/* SPDX-License-Identifier: Apache-2.0 */
/* Every table of encoder kernels that this machine runs, against double sums, against each other and against itself. */
#include "encoder_test.h"

static const mien_encoder_kernels *table(int isa) {
  return mien_isa_available((mien_isa)isa) ? mien_encoder_kernels_of[MIEN_PRODUCTS_F32][isa] : NULL;
}

#define FOR_EACH_TABLE(kernels)                                                                                        \
  for (int isa = 0; isa < MIEN_ISA_COUNT; isa++)                                                                       \
    for (const mien_encoder_kernels *kernels = table(isa); kernels; kernels = NULL)

static mien_matrix make_matrix(size_t inputs, size_t outputs, uint64_t seed) {
  return (mien_matrix){.inputs = inputs,
                       .outputs = outputs,
                       .panels = numbers(inputs * outputs, 1 / sqrt((double)inputs), seed),
                       .bias = numbers(outputs, 1, seed + 1)};
}

static void drop_matrix(mien_matrix *matrix) {
  mien_free(matrix->panels);
  mien_free(matrix->bias);
}

static float weight(const mien_matrix *m, size_t input, size_t output) {
  return ((const float *)m->panels)[(output / MIEN_PANEL * m->inputs + input) * MIEN_PANEL + output % MIEN_PANEL];
}

/* bias + x·W of one row. */
static void multiply(const mien_matrix *m, const float *x, double *y) {
  for (size_t output = 0; output < m->outputs; output++) {
    y[output] = m->bias[output];
    for (size_t input = 0; input < m->inputs; input++) y[output] += (double)x[input] * weight(m, input, output);
  }
}

static double gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2))); }

/* Sizes around every table's tile and BETWEEN_FLOATS. */
static const size_t rows_of[] = {1, 2, 3, 5, 6, 7, 11, 12, 13, 23, 24, 25, 40};
static const size_t inputs_of[] = {16, 48, 384, 400}, outputs_of[] = {16, 32, 48, 96};
/* Room for what feed_forward keeps of a row. */
enum { BETWEEN_FLOATS = 784 };

START_TEST(projections_are_the_double_sums_at_every_size) {
  for (size_t i = 0; i < COUNT(inputs_of); i++)
    for (size_t o = 0; o < COUNT(outputs_of); o++) {
      const size_t inputs = inputs_of[i], outputs = outputs_of[o], most = 40;
      mien_matrix matrix = make_matrix(inputs, outputs, i * 10 + o);
      float *x = numbers(most * inputs, 1, 77), *y = mien_alloc(most * outputs, sizeof *y);
      float *before = numbers(most * outputs, 1, 78);
      double *expected = mien_alloc(most * outputs, sizeof *expected);
      for (size_t row = 0; row < most; row++) multiply(&matrix, x + row * inputs, expected + row * outputs);
      FOR_EACH_TABLE(kernels)
      for (size_t r = 0; r < COUNT(rows_of); r++) {
        const size_t n = rows_of[r], block = outputs % 32 ? 16 : 32, stride = n * block + 5;
        float *blocks = mien_alloc(outputs / block * stride, sizeof *blocks);
        kernels->project(&matrix, x, n, block, stride, NULL, blocks);
        memcpy(y, before, n * outputs * sizeof *y);
        kernels->project_add(&matrix, x, n, NULL, y);
        for (size_t k = 0; k < n * outputs; k++) {
          const size_t row = k / outputs, column = k % outputs;
          near(blocks[column / block * stride + row * block + column % block], expected[k], 1e-5,
               mien_isa_name(kernels->isa), "project", k);
          near(y[k], expected[k] + before[k], 1e-5, mien_isa_name(kernels->isa), "project_add", k);
        }
        mien_free(blocks);
      }
      drop_matrix(&matrix);
      mien_free(x);
      mien_free(y);
      mien_free(before);
      mien_free(expected);
    }
}
END_TEST

START_TEST(feed_forward_is_the_double_sums_at_every_size) {
  const size_t between_of[] = {16, 112, 384, 784}, hidden = 48, most = 25;
  for (size_t b = 0; b < COUNT(between_of); b++) {
    mien_matrix up = make_matrix(hidden, between_of[b], b), down = make_matrix(between_of[b], hidden, b + 50);
    float *x = numbers(most * hidden, 2, 5), *between = mien_alloc(most * BETWEEN_FLOATS, sizeof *between);
    float *y = mien_alloc(most * hidden, sizeof *y);
    FOR_EACH_TABLE(kernels)
    for (size_t n = 1; n <= most; n++) {
      kernels->feed_forward(&up, &down, x, n, between, y);
      for (size_t row = 0; row < n; row++) {
        double middle[784], expected[48];
        multiply(&up, x + row * hidden, middle);
        for (size_t k = 0; k < hidden; k++) {
          expected[k] = (double)x[row * hidden + k] + down.bias[k];
          for (size_t i = 0; i < between_of[b]; i++) expected[k] += gelu(middle[i]) * weight(&down, i, k);
          near(y[row * hidden + k], expected[k], 1e-5, mien_isa_name(kernels->isa), "feed_forward", k);
        }
      }
    }
    drop_matrix(&up);
    drop_matrix(&down);
    mien_free(x);
    mien_free(between);
    mien_free(y);
  }
}
END_TEST

static mien_matrix make_zeros(void) {
  return (mien_matrix){
      .inputs = 16, .outputs = 16, .panels = mien_alloc(256, sizeof(float)), .bias = mien_alloc(16, sizeof(float))};
}

/* 16 numbers by 16 through the identity: y - x is GELU(x) itself, as exactly as y holds it. */
START_TEST(gelu_is_that_of_erf_over_its_whole_range) {
  mien_matrix identity = make_zeros();
  for (size_t i = 0; i < 16; i++) ((float *)identity.panels)[i * 16 + i] = 1;
  mien_matrix twice = make_zeros();
  for (size_t i = 0; i < 16; i++) ((float *)twice.panels)[i * 16 + i] = 1024;
  FOR_EACH_TABLE(kernels) {
    for (double start = -12; start < 12; start += 0.016) {
      float x[16], y[16], between[BETWEEN_FLOATS];
      for (size_t i = 0; i < 16; i++) x[i] = (float)(start + 0.001 * (double)i);
      kernels->feed_forward(&identity, &twice, x, 1, between, y);
      for (size_t i = 0; i < 16; i++) {
        const double found = ((double)y[i] - x[i]) / 1024, expected = gelu(x[i]);
        near(found, expected, 4e-7 + 3e-7 * fabs(x[i]), mien_isa_name(kernels->isa), "GELU, thousandths", i);
      }
    }
  }
  drop_matrix(&identity);
  drop_matrix(&twice);
}
END_TEST

/* ---- Attention ---- */

static void check_attention(const mien_encoder_kernels *kernels, texts *t, double tolerance) {
  kernels->attend(&t->attention);
  for (size_t head = 0; head < t->heads; head++)
    for (size_t row = 0; row < t->attention.n_queries; row++) {
      double expected[64];
      expected_attention(t, head, row, expected);
      for (size_t i = 0; i < t->columns; i++)
        near(t->attention.out[row * t->heads * t->columns + head * t->columns + i], expected[i], tolerance,
             mien_isa_name(kernels->isa), "attention", row);
    }
}

START_TEST(attention_is_the_double_sums_for_every_length_of_text) {
  static const size_t lengths[] = {1, 2, 5, 6, 7, 12, 13, 15, 16, 17, 31, 32, 33, 47, 64, 130, 257};
  static const size_t columns_of[] = {16, 32, 48, 64};
  for (size_t c = 0; c < COUNT(columns_of); c++)
    for (size_t l = 0; l < COUNT(lengths); l++) {
      texts t = make_texts(3, columns_of[c], lengths[l], 0.6, c * 100 + l);
      FOR_EACH_TABLE(kernels) check_attention(kernels, &t, 3e-6);
      drop_texts(&t);
    }
}
END_TEST

/* Scores from -4000 to 4000: one token has all of a row's weight, and no exp may overflow. */
START_TEST(attention_stays_exact_where_scores_are_far_apart) {
  texts t = make_texts(2, 32, 50, 16, 9);
  FOR_EACH_TABLE(kernels) check_attention(kernels, &t, 2e-3);
  drop_texts(&t);
}
END_TEST

START_TEST(the_first_queries_alone_have_the_bits_they_have_among_all) {
  texts t = make_texts(2, 32, 29, 0.6, 3);
  FOR_EACH_TABLE(kernels) {
    float all[29 * 64];
    t.attention.n_queries = t.n;
    kernels->attend(&t.attention);
    memcpy(all, t.attention.out, sizeof all);
    for (size_t n = 1; n < t.n; n++) {
      memset(t.attention.out, 0, sizeof all);
      t.attention.n_queries = n;
      kernels->attend(&t.attention);
      ck_assert_mem_eq(t.attention.out, all, n * 64 * sizeof(float));
    }
  }
  drop_texts(&t);
}
END_TEST

/* ---- LayerNorm ---- */

START_TEST(norm_is_that_of_double_sums_and_works_in_place) {
  static const size_t columns_of[] = {16, 48, 384};
  for (size_t c = 0; c < COUNT(columns_of); c++) {
    const size_t columns = columns_of[c], n = 3;
    float *x = numbers(n * columns, 3, c), *gamma = numbers(columns, 2, 4), *beta = numbers(columns, 1, 5);
    float *y = mien_alloc(n * columns, sizeof *y);
    for (size_t i = 0; i < columns; i++) x[columns + i] = 7; /* a row without variance */
    FOR_EACH_TABLE(kernels) {
      memcpy(y, x, n * columns * sizeof *y);
      kernels->norm(gamma, beta, 1e-12f, y, n, columns, y);
      for (size_t row = 0; row < n; row++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < columns; i++) mean += x[row * columns + i] / (double)columns;
        for (size_t i = 0; i < columns; i++) variance += pow(x[row * columns + i] - mean, 2) / (double)columns;
        for (size_t i = 0; i < columns; i++)
          near(y[row * columns + i], (x[row * columns + i] - mean) / sqrt(variance + 1e-12) * gamma[i] + beta[i], 5e-6,
               mien_isa_name(kernels->isa), "norm", i);
      }
    }
    mien_free(x);
    mien_free(y);
    mien_free(gamma);
    mien_free(beta);
  }
}
END_TEST

START_TEST(a_row_beyond_float_does_not_look_like_a_good_one) {
  float x[32], y[32], gamma[32], beta[32];
  for (size_t i = 0; i < 32; i++) {
    x[i] = (float)(i % 2 ? 1e30 : -1e30); /* finite, its variance is not */
    gamma[i] = beta[i] = 1;
  }
  FOR_EACH_TABLE(kernels) {
    kernels->norm(gamma, beta, 1e-12f, x, 1, 32, y);
    for (size_t i = 0; i < 32; i++)
      require(isnan(y[i]), "%s: number %zu: expected NaN, found %g", mien_isa_name(kernels->isa), i, (double)y[i]);
  }
}
END_TEST

/* One text whose scores are infinite or NaN, from queries or from keys. */
START_TEST(attention_hands_on_what_is_not_finite) {
  static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f};
  for (size_t b = 0; b < COUNT(bad); b++)
    for (int in_keys = 0; in_keys < 2; in_keys++) {
      texts t = make_texts(1, 16, 5, 1, 4);
      for (size_t i = 0; i < 5 * 16; i++) (in_keys ? t.keys : t.queries)[i] = bad[b];
      if (bad[b] == 3e38f) (in_keys ? t.queries : t.keys)[0] = 1e30f;
      FOR_EACH_TABLE(kernels) {
        kernels->attend(&t.attention);
        require(isnan(t.attention.out[0]), "%s: %g: expected NaN, found %g", mien_isa_name(kernels->isa),
                (double)bad[b], (double)t.attention.out[0]);
      }
      drop_texts(&t);
    }
}
END_TEST

/* ---- Bits ---- */

START_TEST(a_layer_keeps_its_bits_from_version_to_version_and_on_every_processor) {
  static const uint64_t portable = 0x5655379d84efb961u, fused = 0xe7b54657a09813b6u;
  static float y[TOKENS * HIDDEN];
  layer of = {make_matrix(HIDDEN, 3 * HIDDEN, 1), make_matrix(HIDDEN, HIDDEN, 2), make_matrix(HIDDEN, BETWEEN, 3),
              make_matrix(BETWEEN, HIDDEN, 4)};
  float *between = mien_alloc(TOKENS * BETWEEN_FLOATS, sizeof *between);
  FOR_EACH_TABLE(kernels) {
    run_layer(kernels, &of, between, y);
    const uint64_t expected = kernels->isa == MIEN_ISA_PORTABLE ? portable : fused, found = hash_of(y, sizeof y);
    require(found == expected, "%s: expected bits of 0x%016llx, found 0x%016llx", mien_isa_name(kernels->isa),
            (unsigned long long)expected, (unsigned long long)found);
  }
  drop_matrix(&of.three);
  drop_matrix(&of.out);
  drop_matrix(&of.up);
  drop_matrix(&of.down);
  mien_free(between);
}
END_TEST

START_TEST(a_row_of_a_product_has_the_same_bits_alone_and_in_any_batch) {
  mien_matrix up = make_matrix(HIDDEN, BETWEEN, 3), down = make_matrix(BETWEEN, HIDDEN, 4);
  float *x = numbers(TOKENS * HIDDEN, 2, 5);
  static float all[TOKENS * HIDDEN], some[TOKENS * HIDDEN], between[TOKENS * BETWEEN_FLOATS];
  static float projected[TOKENS * BETWEEN], alone[TOKENS * BETWEEN];
  FOR_EACH_TABLE(kernels) {
    kernels->feed_forward(&up, &down, x, TOKENS, between, all);
    kernels->project(&up, x, TOKENS, BETWEEN, 0, NULL, projected);
    for (size_t n = 1; n <= 14; n++)
      for (size_t first = 0; first + n <= TOKENS; first += n) {
        kernels->feed_forward(&up, &down, x + first * HIDDEN, n, between, some);
        ck_assert_mem_eq(some, all + first * HIDDEN, n * HIDDEN * sizeof(float));
        kernels->project(&up, x + first * HIDDEN, n, BETWEEN, 0, NULL, alone);
        ck_assert_mem_eq(alone, projected + first * BETWEEN, n * BETWEEN * sizeof(float));
      }
  }
  drop_matrix(&up);
  drop_matrix(&down);
  mien_free(x);
}
END_TEST

MIEN_SUITE("encoder kernels", projections_are_the_double_sums_at_every_size,
           feed_forward_is_the_double_sums_at_every_size, gelu_is_that_of_erf_over_its_whole_range,
           attention_is_the_double_sums_for_every_length_of_text, attention_stays_exact_where_scores_are_far_apart,
           the_first_queries_alone_have_the_bits_they_have_among_all, norm_is_that_of_double_sums_and_works_in_place,
           a_row_beyond_float_does_not_look_like_a_good_one, attention_hands_on_what_is_not_finite,
           a_layer_keeps_its_bits_from_version_to_version_and_on_every_processor,
           a_row_of_a_product_has_the_same_bits_alone_and_in_any_batch)
