/* SPDX-License-Identifier: Apache-2.0 */
/* Every table of bf16 and bf16x3 that this machine runs, against double sums and against itself. */
#include "encoder/panel.h"
#include "encoder_test.h"

static const mien_encoder_kernels *table(mien_dtype dtype, int isa) {
  return mien_isa_available((mien_isa)isa) ? mien_encoder_kernels_of[mien_products_of(dtype)][isa] : NULL;
}

/* Tables that bf16x3 has in common with f32 are tested as those of f32 too. */
#define FOR_EACH_TABLE(dtype, kernels)                                                                                 \
  for (int isa = 0; isa < MIEN_ISA_COUNT; isa++)                                                                       \
    for (const mien_encoder_kernels *kernels = table(dtype, isa); kernels; kernels = NULL)

static const mien_dtype dtypes[] = {MIEN_BF16, MIEN_BF16X3};

/* A matrix in a dtype, and its weights [inputs][outputs] as the dtype has them. */
typedef struct weights {
  mien_matrix matrix;
  float *numbers;
} weights;

/* Rows without a seed are zeros. */
static weights make_weights(mien_dtype dtype, size_t inputs, size_t outputs, uint64_t seed) {
  const size_t depth = mien_panel_depth(dtype, inputs), panel_bytes = MIEN_PANEL * depth * mien_panel_element(dtype);
  weights w = {.matrix = {.inputs = inputs, .outputs = outputs}};
  w.numbers = numbers(inputs * outputs, seed ? 1 / sqrt((double)inputs) : 0, seed);
  w.matrix.panels = mien_alloc(outputs / MIEN_PANEL, panel_bytes);
  w.matrix.bias = numbers(outputs, seed ? 1 : 0, seed + 1);
  return w;
}

static void pack(mien_dtype dtype, weights *w) {
  const size_t inputs = w->matrix.inputs, outputs = w->matrix.outputs;
  const size_t panel_bytes = MIEN_PANEL * mien_panel_depth(dtype, inputs) * mien_panel_element(dtype);
  float *panel = mien_alloc(inputs * MIEN_PANEL, sizeof *panel);
  for (size_t column = 0; column < outputs; column += MIEN_PANEL) {
    for (size_t i = 0; i < inputs * MIEN_PANEL; i++)
      panel[i] = w->numbers[i / MIEN_PANEL * outputs + column + i % MIEN_PANEL];
    mien_panel_pack(mien_layout_of(dtype), panel, inputs,
                    (unsigned char *)w->matrix.panels + column / MIEN_PANEL * panel_bytes, NULL);
  }
  mien_round_row(dtype, w->numbers, inputs * outputs);
  mien_free(panel);
}

static weights random_weights(mien_dtype dtype, size_t inputs, size_t outputs, uint64_t seed) {
  weights w = make_weights(dtype, inputs, outputs, seed);
  pack(dtype, &w);
  return w;
}

static void drop(weights *w) {
  mien_free(w->numbers);
  mien_free(w->matrix.panels);
  mien_free(w->matrix.bias);
}

/* Of exactly the size that a table asks for, so that a sanitizer sees what is beyond. */
static void *scratch_for(const mien_encoder_kernels *kernels, size_t rows, size_t inputs, size_t between) {
  const size_t bytes = kernels->scratch_bytes(rows, inputs, between);
  void *scratch = mien_alloc(bytes ? bytes : 1, 1);
  memset(scratch, 0xFF, bytes); /* NaN: what an earlier batch left must not matter */
  return scratch;
}

/* A sum and that of its products' magnitudes. */
typedef struct expected_sum {
  double sum, magnitude;
} expected_sum;

static expected_sum sum_of(const weights *w, const float *x, size_t output) {
  expected_sum all = {w->matrix.bias[output], fabs((double)w->matrix.bias[output])};
  for (size_t i = 0; i < w->matrix.inputs; i++) {
    const double product = (double)x[i] * w->numbers[i * w->matrix.outputs + output];
    all.sum += product;
    all.magnitude += fabs(product);
  }
  return all;
}

static void near_of(double found, double expected, double most, mien_dtype dtype, const mien_encoder_kernels *kernels,
                    const char *what, size_t row, size_t column) {
  require(fabs(found - expected) <= most, "%s, %s: %s of row %zu, column %zu: expected %.9g, found %.9g",
          mien_dtype_name(dtype), mien_isa_name(kernels->isa), what, row, column, expected, found);
}

/*
 * Of the sum of magnitudes. bf16's products are exact in float32, whose rounding a sum of 400 meets 400 times: 2.4e-5
 * at most, far less at random. bf16x3 leaves out 2^-15 of a product at most, of either sign.
 */
static const double tolerance = 1e-5;

/* Sizes around every table's tiles; depths that are no multiple of a line's inputs. */
static const size_t rows_of[] = {1, 2, 3, 11, 12, 13, 15, 16, 17, 25, 31, 32, 33, 40, 48, 49};
static const size_t inputs_of[] = {16, 32, 48, 384, 400}, outputs_of[] = {16, 32, 48, 96};
enum { MOST_ROWS = 49 };

static void check_projections(mien_dtype dtype, const mien_encoder_kernels *kernels, const weights *w, const float *x,
                              const float *rounded, size_t n) {
  const size_t inputs = w->matrix.inputs, outputs = w->matrix.outputs;
  const size_t block = outputs % 32 ? 16 : 32, stride = n * block + 5;
  float *blocks = mien_alloc(outputs / block * stride, sizeof *blocks), *y = numbers(n * outputs, 1, 78);
  float *before = numbers(n * outputs, 1, 78);
  void *scratch = scratch_for(kernels, n, inputs, 16);
  kernels->project(&w->matrix, x, n, block, stride, scratch, blocks);
  kernels->project_add(&w->matrix, x, n, scratch, y);
  for (size_t row = 0; row < n; row++)
    for (size_t column = 0; column < outputs; column++) {
      const expected_sum expected = sum_of(w, rounded + row * inputs, column);
      const double added = before[row * outputs + column];
      near_of(blocks[column / block * stride + row * block + column % block], expected.sum,
              tolerance * expected.magnitude, dtype, kernels, "project", row, column);
      near_of(y[row * outputs + column], expected.sum + added, tolerance * (expected.magnitude + fabs(added)), dtype,
              kernels, "project_add", row, column);
    }
  mien_free(blocks);
  mien_free(y);
  mien_free(before);
  mien_free(scratch);
}

START_TEST(projections_are_the_double_sums_of_rounded_numbers_at_every_size) {
  for (size_t d = 0; d < COUNT(dtypes); d++)
    for (size_t i = 0; i < COUNT(inputs_of); i++)
      for (size_t o = 0; o < COUNT(outputs_of); o++) {
        const size_t inputs = inputs_of[i];
        weights w = random_weights(dtypes[d], inputs, outputs_of[o], i * 10 + o + 1);
        float *x = numbers(MOST_ROWS * inputs, 1, 77), *rounded = numbers(MOST_ROWS * inputs, 1, 77);
        mien_round_row(dtypes[d], rounded, MOST_ROWS * inputs);
        FOR_EACH_TABLE(dtypes[d], kernels)
        for (size_t r = 0; r < COUNT(rows_of); r++) check_projections(dtypes[d], kernels, &w, x, rounded, rows_of[r]);
        drop(&w);
        mien_free(x);
        mien_free(rounded);
      }
}
END_TEST

static double gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2))); }

/* What lies between is rounded, with bf16: by 2^-8 of it and a little more where float sums fall on the other side; its
 * GELU is within 7e-5, see vec_gelu_bf16. */
static double between_error(mien_dtype dtype, double value) {
  return dtype == MIEN_BF16 ? 0x1.2p-8 * fabs(value) + 8e-5 : tolerance * fabs(value) + 1e-6;
}

static void check_feed_forward(mien_dtype dtype, const mien_encoder_kernels *kernels, const weights *up,
                               const weights *down, const float *x, const float *rounded, size_t n) {
  const size_t hidden = up->matrix.inputs, between = up->matrix.outputs;
  float *y = mien_alloc(n * hidden, sizeof *y);
  double *middle = mien_alloc(between, sizeof *middle), *error = mien_alloc(between, sizeof *error);
  void *scratch = scratch_for(kernels, n, hidden, between);
  kernels->feed_forward(&up->matrix, &down->matrix, x, n, scratch, y);
  for (size_t row = 0; row < n; row++) {
    for (size_t i = 0; i < between; i++) {
      const expected_sum sum = sum_of(up, rounded + row * hidden, i);
      middle[i] = gelu(sum.sum);
      error[i] = between_error(dtype, middle[i]) + 1.13 * tolerance * sum.magnitude; /* GELU is no steeper */
    }
    for (size_t k = 0; k < hidden; k++) {
      double expected = (double)x[row * hidden + k] + down->matrix.bias[k], most = 2 * tolerance;
      for (size_t i = 0; i < between; i++) {
        const double factor = down->numbers[i * hidden + k];
        expected += middle[i] * factor;
        most += fabs(factor) * (error[i] + tolerance * fabs(middle[i]));
      }
      near_of(y[row * hidden + k], expected, most, dtype, kernels, "feed_forward", row, k);
    }
  }
  mien_free(y);
  mien_free(middle);
  mien_free(error);
  mien_free(scratch);
}

START_TEST(feed_forward_is_the_double_sums_of_rounded_numbers_at_every_size) {
  static const size_t between_of[] = {16, 112, 384, 400, 784}, n_of[] = {1, 12, 17, 33};
  const size_t hidden = 48;
  for (size_t d = 0; d < COUNT(dtypes); d++)
    for (size_t b = 0; b < COUNT(between_of); b++) {
      weights up = random_weights(dtypes[d], hidden, between_of[b], b + 1);
      weights down = random_weights(dtypes[d], between_of[b], hidden, b + 50);
      float *x = numbers(33 * hidden, 2, 5), *rounded = numbers(33 * hidden, 2, 5);
      mien_round_row(dtypes[d], rounded, 33 * hidden);
      FOR_EACH_TABLE(dtypes[d], kernels)
      for (size_t i = 0; i < COUNT(n_of); i++) check_feed_forward(dtypes[d], kernels, &up, &down, x, rounded, n_of[i]);
      drop(&up);
      drop(&down);
      mien_free(x);
      mien_free(rounded);
    }
}
END_TEST

/* Through 1 and through 1024, of numbers that bf16 has: y - x is GELU(x) in bf16, as exactly as y holds it. */
START_TEST(gelu_is_within_the_rounding_of_bf16_over_its_whole_range) {
  weights identity = make_weights(MIEN_BF16, 16, 16, 0), more = make_weights(MIEN_BF16, 16, 16, 0);
  for (size_t i = 0; i < 16; i++) {
    identity.numbers[i * 17] = 1;
    more.numbers[i * 17] = 1024;
  }
  pack(MIEN_BF16, &identity);
  pack(MIEN_BF16, &more);
  FOR_EACH_TABLE(MIEN_BF16, kernels) {
    void *scratch = scratch_for(kernels, 1, 16, 16);
    for (double start = -12; start < 12; start += 0.016) {
      float x[16], y[16];
      for (size_t i = 0; i < 16; i++) x[i] = (float)(start + 0.001 * (double)i);
      mien_round_row(MIEN_BF16, x, 16);
      kernels->feed_forward(&identity.matrix, &more.matrix, x, 1, scratch, y);
      for (size_t i = 0; i < 16; i++) {
        const double expected = gelu(x[i]);
        near_of(((double)y[i] - x[i]) / 1024, expected, between_error(MIEN_BF16, expected), MIEN_BF16, kernels,
                "GELU, thousandths", 0, (size_t)(1000 * fabs((double)x[i])));
      }
    }
    mien_free(scratch);
  }
  drop(&identity);
  drop(&more);
}
END_TEST

/* Activations as a table has them, through the weight 1. Subnormal numbers are left out: instructions for bf16 take
 * them for zeros. */
START_TEST(activations_are_rounded_to_the_nearest_and_ties_to_even) {
  static const uint32_t bits_of[] = {0x3F800000, 0x3F807FFF, 0x3F808000, 0x3F808001, 0x3F817FFF, 0x3F818000,
                                     0x3F818001, 0xBF808000, 0xBF818000, 0x3F7FFFFF, 0x00800000, 0x80FF8000,
                                     0x7F7F0000, 0x00000000, 0x80000000, 0x42280000};
  float x[16], y[16], expected[16];
  memcpy(x, bits_of, sizeof x);
  memcpy(expected, x, sizeof x);
  mien_round_row(MIEN_BF16, expected, 16);
  weights identity = make_weights(MIEN_BF16, 16, 16, 0);
  for (size_t i = 0; i < 16; i++) identity.numbers[i * 17] = 1;
  pack(MIEN_BF16, &identity);
  FOR_EACH_TABLE(MIEN_BF16, kernels) {
    void *scratch = scratch_for(kernels, 1, 16, 16);
    kernels->project(&identity.matrix, x, 1, 16, 0, scratch, y);
    for (size_t i = 0; i < 16; i++)
      require(y[i] == expected[i], "%s: %a: expected %a, found %a", mien_isa_name(kernels->isa), (double)x[i],
              (double)expected[i], (double)y[i]);
    mien_free(scratch);
  }
  drop(&identity);
}
END_TEST

enum { BATCH = 67, OUTER = 112, INNER = 400 };

START_TEST(a_row_of_a_product_has_the_same_bits_alone_and_in_any_batch) {
  static float all[BATCH * OUTER], some[BATCH * OUTER], projected[BATCH * INNER], alone[BATCH * INNER];
  for (size_t d = 0; d < COUNT(dtypes); d++) {
    weights up = random_weights(dtypes[d], OUTER, INNER, 3), down = random_weights(dtypes[d], INNER, OUTER, 4);
    float *x = numbers(BATCH * OUTER, 2, 5);
    FOR_EACH_TABLE(dtypes[d], kernels) {
      void *scratch = scratch_for(kernels, BATCH, OUTER, INNER);
      kernels->feed_forward(&up.matrix, &down.matrix, x, BATCH, scratch, all);
      kernels->project(&up.matrix, x, BATCH, INNER, 0, scratch, projected);
      for (size_t n = 1; n <= 34; n++)
        for (size_t first = 0; first + n <= BATCH; first += n) {
          kernels->feed_forward(&up.matrix, &down.matrix, x + first * OUTER, n, scratch, some);
          ck_assert_mem_eq(some, all + first * OUTER, n * OUTER * sizeof(float));
          kernels->project(&up.matrix, x + first * OUTER, n, INNER, 0, scratch, alone);
          ck_assert_mem_eq(alone, projected + first * INNER, n * INNER * sizeof(float));
        }
      mien_free(scratch);
    }
    drop(&up);
    drop(&down);
    mien_free(x);
  }
}
END_TEST

/* Of what is computed with fused multiply-adds; the instructions for bf16 have their own order. */
START_TEST(bf16_keeps_its_bits_from_version_to_version_and_on_every_processor_without_instructions_for_it) {
  static const uint64_t portable = 0xae8e100d56f0e90eu, fused = 0x06144eae720d30f0u;
  static float y[BATCH * OUTER];
  weights up = random_weights(MIEN_BF16, OUTER, INNER, 3), down = random_weights(MIEN_BF16, INNER, OUTER, 4);
  float *x = numbers(BATCH * OUTER, 2, 5);
  FOR_EACH_TABLE(MIEN_BF16, kernels) {
    if (kernels->isa == MIEN_ISA_AVX512BF16 || kernels->isa == MIEN_ISA_AMX) continue;
    void *scratch = scratch_for(kernels, BATCH, OUTER, INNER);
    kernels->feed_forward(&up.matrix, &down.matrix, x, BATCH, scratch, y);
    const uint64_t expected = kernels->isa == MIEN_ISA_PORTABLE ? portable : fused, found = hash_of(y, sizeof y);
    require(found == expected, "%s: expected bits of 0x%016llx, found 0x%016llx", mien_isa_name(kernels->isa),
            (unsigned long long)expected, (unsigned long long)found);
    mien_free(scratch);
  }
  drop(&up);
  drop(&down);
  mien_free(x);
}
END_TEST

static void check_bad_row(mien_dtype dtype, const mien_encoder_kernels *kernels, uint32_t bits) {
  enum { N = 20, BAD = 17 };
  weights w = random_weights(dtype, 48, 48, 9);
  float *x = numbers(N * 48, 1, 10), *y = mien_alloc(N * 48, sizeof *y), *good = mien_alloc(N * 48, sizeof *good);
  void *scratch = scratch_for(kernels, N, 48, 48);
  kernels->feed_forward(&w.matrix, &w.matrix, x, N, scratch, good);
  memcpy(x + BAD * 48 + 5, &bits, sizeof bits);
  for (int feed = 0; feed < 2; feed++) {
    if (feed)
      kernels->feed_forward(&w.matrix, &w.matrix, x, N, scratch, y);
    else
      kernels->project(&w.matrix, x, N, 48, 0, scratch, y);
    for (size_t i = 0; i < 48; i++)
      require(!isfinite(y[BAD * 48 + i]), "%s, %s: 0x%08x: expected NaN or infinity, found %g", mien_dtype_name(dtype),
              mien_isa_name(kernels->isa), bits, (double)y[BAD * 48 + i]);
  }
  memcpy(y + BAD * 48, good + BAD * 48, 48 * sizeof *y);
  ck_assert_mem_eq(y, good, N * 48 * sizeof *y);
  mien_free(x);
  mien_free(y);
  mien_free(good);
  mien_free(scratch);
  drop(&w);
}

START_TEST(a_row_that_is_not_finite_stays_so_and_spoils_no_other) {
  /* Quiet, signalling and all-ones NaNs, which plain rounding would carry into a number, and infinities. */
  static const uint32_t bad[] = {0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800000, 0xFF800000};
  for (size_t d = 0; d < COUNT(dtypes); d++)
    for (size_t b = 0; b < COUNT(bad); b++)
      FOR_EACH_TABLE(dtypes[d], kernels) check_bad_row(dtypes[d], kernels, bad[b]);
}
END_TEST

MIEN_SUITE("encoder kernels in bf16", projections_are_the_double_sums_of_rounded_numbers_at_every_size,
           feed_forward_is_the_double_sums_of_rounded_numbers_at_every_size,
           gelu_is_within_the_rounding_of_bf16_over_its_whole_range,
           activations_are_rounded_to_the_nearest_and_ties_to_even,
           a_row_of_a_product_has_the_same_bits_alone_and_in_any_batch,
           bf16_keeps_its_bits_from_version_to_version_and_on_every_processor_without_instructions_for_it,
           a_row_that_is_not_finite_stays_so_and_spoils_no_other)
