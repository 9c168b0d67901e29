/* SPDX-License-Identifier: Apache-2.0 */
/* Every table of head kernels that this machine runs, against double sums, against each other and against itself. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/head_kernels.h"
#include "suite.h"

/* The head and rows of one test. */
typedef struct fixture {
  size_t labels, dim, n, stride;
  double *weights, *bias;
  float *thresholds, *rows;
  mien_head_plan *plan;
  mien_head_scratch scratch;
  mien_rows input;
} fixture;

static void make_plan(fixture *f) {
  mien_head_plan_destroy(f->plan);
  f->plan = NULL;
  ck_assert_int_eq(mien_head_plan_create(f->labels, f->dim, f->weights, f->bias, f->thresholds, &f->plan, NULL),
                   MIEN_OK);
}

/* Rows of about unit length, one dimension ten times the others, as real encoders have. */
static fixture make(size_t labels, size_t dim, size_t n, size_t stride, uint64_t seed) {
  fixture f = {.labels = labels, .dim = dim, .n = n, .stride = stride};
  f.weights = mien_alloc(labels * dim, sizeof(double));
  f.bias = mien_alloc(labels, sizeof(double));
  f.thresholds = mien_alloc(labels, sizeof(float));
  f.rows = mien_alloc(n * stride + 1, sizeof(float));
  uint64_t state = seed * 2 + 1;
  for (size_t i = 0; i < labels * dim; i++) f.weights[i] = (float)(4 * random_unit(&state));
  for (size_t i = 0; i < labels; i++) f.bias[i] = (float)(2 * random_unit(&state) - 1);
  for (size_t i = 0; i < labels; i++) f.thresholds[i] = (float)(0.5 + 0.45 * random_unit(&state));
  for (size_t i = 0; i < n * stride; i++) f.rows[i] = NAN; /* what lies between rows must not matter */
  for (size_t row = 0; row < n; row++)
    for (size_t i = 0; i < dim; i++)
      f.rows[row * stride + i] = (float)(random_unit(&state) / sqrt((double)dim) * (i == dim / 3 ? 10 : 1));
  f.input = (mien_rows){sizeof f.input, f.rows, MIEN_F32, stride};
  make_plan(&f);
  ck_assert_int_eq(mien_head_scratch_create(f.plan, &f.scratch, NULL), MIEN_OK);
  return f;
}

static void drop(fixture *f) {
  mien_free(f->weights);
  mien_free(f->bias);
  mien_free(f->thresholds);
  mien_free(f->rows);
  mien_head_plan_destroy(f->plan);
  mien_head_scratch_destroy(&f->scratch);
}

static const mien_head_kernels *table(int isa) {
  return mien_isa_available((mien_isa)isa) ? mien_head_kernels_of[isa] : NULL;
}

#define FOR_EACH_TABLE(kernels)                                                                                        \
  for (int isa_ = 0; isa_ < MIEN_ISA_COUNT; isa_++)                                                                    \
    for (const mien_head_kernels *kernels = table(isa_); kernels; kernels = NULL)

/* Words by the fast path, and words and scores by the exact one. */
static size_t run(const mien_head_kernels *kernels, fixture *f, size_t first, size_t n, uint32_t *words, float *scores,
                  mien_row_status *status) {
  mien_results results = {.size = sizeof results, .words = words, .scores = scores, .status = status};
  return mien_head_run(kernels, f->plan, &f->input, first, n, &results, &f->scratch);
}

static double exact_score(const fixture *f, size_t row, size_t label, double *magnitude) {
  double z = f->bias[label];
  *magnitude = fabs(z);
  for (size_t i = 0; i < f->dim; i++) {
    double product = f->weights[label * f->dim + i] * f->rows[row * f->stride + i];
    z += product;
    *magnitude += fabs(product);
  }
  return 1 / (1 + exp(-z));
}

static const size_t dims[] = {1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 100, 384, 385};
static const size_t label_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 15, 16, 17, 28, 31, 32, 33, 48, 49, 64, 65};
static const size_t row_counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 47, 48, 49, 97};
#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(every_table_gives_the_scores_of_double_sums_at_every_size) {
  for (size_t d = 0; d < COUNT(dims); d++) {
    for (size_t l = 0; l < COUNT(label_counts); l++) {
      const size_t n = row_counts[(d + l) % COUNT(row_counts)], dim = dims[d], labels = label_counts[l];
      fixture f = make(labels, dim, n, dim + (d + l) % 3, 1 + d * 100 + l);
      float *scores = mien_alloc(n * labels, sizeof(float));
      uint32_t *words = mien_alloc(n * f.plan->n_words, sizeof(uint32_t));
      FOR_EACH_TABLE(kernels) {
        ck_assert_uint_eq(run(kernels, &f, 0, n, words, scores, NULL), 0);
        for (size_t row = 0; row < n; row++) {
          for (size_t label = 0; label < labels; label++) {
            double magnitude, expected = exact_score(&f, row, label, &magnitude);
            double found = scores[row * labels + label];
            require(fabs(found - expected) <= 4e-7 + 1e-7 * magnitude,
                    "%s: D %zu, L %zu, row %zu of %zu, label %zu: expected %.9g, found %.9g",
                    mien_isa_name(kernels->isa), dim, labels, row, n, label, expected, found);
          }
        }
      }
      mien_free(scores);
      mien_free(words);
      drop(&f);
    }
  }
}
END_TEST

START_TEST(all_tables_with_fused_multiply_adds_give_the_same_bits) {
  for (size_t d = 0; d < COUNT(dims); d++) {
    fixture f = make(29, dims[d], 61, dims[d], 7 + d);
    float *first = mien_alloc(f.n * f.labels, sizeof(float)), *scores = mien_alloc(f.n * f.labels, sizeof(float));
    bool any = false;
    FOR_EACH_TABLE(kernels) {
      if (kernels->isa == MIEN_ISA_PORTABLE) continue;
      run(kernels, &f, 0, f.n, NULL, any ? scores : first, NULL);
      if (any) ck_assert_mem_eq(first, scores, f.n * f.labels * sizeof(float));
      any = true;
    }
    mien_free(first);
    mien_free(scores);
    drop(&f);
  }
}
END_TEST

/* FNV-1a. */
static uint64_t hash_of(const void *bytes, size_t n) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
  return hash;
}

/* Scores may be stored and compared by others: a change of their bits is a change for users. */
START_TEST(scores_keep_their_bits_from_version_to_version_and_on_every_processor) {
  const uint64_t fused = 0xf49e4df9447576b4, portable = 0x18c30f0d6578c566;
  fixture f = make(29, 100, 61, 100, 99);
  float scores[61 * 29];
  FOR_EACH_TABLE(kernels) {
    run(kernels, &f, 0, f.n, NULL, scores, NULL);
    uint64_t expected = kernels->isa == MIEN_ISA_PORTABLE ? portable : fused, found = hash_of(scores, sizeof scores);
    require(found == expected, "%s: expected %016llx, found %016llx", mien_isa_name(kernels->isa),
            (unsigned long long)expected, (unsigned long long)found);
  }
  drop(&f);
}
END_TEST

START_TEST(a_row_has_the_same_bits_alone_and_in_any_batch) {
  fixture f = make(28, 384, 149, 384, 3);
  const size_t labels = f.labels, n = f.n;
  float *together = mien_alloc(n * labels, sizeof(float)), *alone = mien_alloc(n * labels, sizeof(float));
  uint32_t *words = mien_alloc(n, sizeof(uint32_t)), *words_alone = mien_alloc(n, sizeof(uint32_t));
  FOR_EACH_TABLE(kernels) {
    run(kernels, &f, 0, n, NULL, together, NULL);
    run(kernels, &f, 0, n, words, NULL, NULL);
    for (size_t batch = 1; batch <= 60; batch += batch < 14 ? 1 : 9) {
      for (size_t first = 0; first < n; first += batch) {
        size_t rows = n - first < batch ? n - first : batch;
        run(kernels, &f, first, rows, NULL, alone, NULL);
        run(kernels, &f, first, rows, words_alone, NULL, NULL);
      }
      ck_assert_mem_eq(together, alone, n * labels * sizeof(float));
      ck_assert_mem_eq(words, words_alone, n * sizeof(uint32_t));
    }
  }
  mien_free(together);
  mien_free(alone);
  mien_free(words);
  mien_free(words_alone);
  drop(&f);
}
END_TEST

/* Words are asked for alone and with scores; every bit must be the comparison of the score. */
static void check_words(const mien_head_kernels *kernels, fixture *f) {
  const size_t labels = f->labels, n_words = f->plan->n_words;
  float *scores = mien_alloc(f->n * labels, sizeof(float));
  uint32_t *fast = mien_alloc(f->n * n_words, sizeof(uint32_t)), *slow = mien_alloc(f->n * n_words, sizeof(uint32_t));
  memset(fast, 0xA5, f->n * n_words * sizeof(uint32_t));
  run(kernels, f, 0, f->n, fast, NULL, NULL);
  run(kernels, f, 0, f->n, slow, scores, NULL);
  for (size_t row = 0; row < f->n; row++) {
    for (size_t label = 0; label < n_words * 32; label++) {
      float score = label < labels ? scores[row * labels + label] : 0;
      float threshold = label < labels ? f->thresholds[label] : 1;
      unsigned expected = score > threshold;
      unsigned found = fast[row * n_words + label / 32] >> label % 32 & 1;
      unsigned with_scores = slow[row * n_words + label / 32] >> label % 32 & 1;
      require(found == expected && with_scores == expected,
              "%s: row %zu, label %zu: score %.9g, threshold %.9g: expected %u, found %u and %u",
              mien_isa_name(kernels->isa), row, label, (double)score, (double)threshold, expected, found, with_scores);
    }
  }
  mien_free(scores);
  mien_free(fast);
  mien_free(slow);
}

START_TEST(words_are_the_scores_comparisons_even_where_thresholds_equal_scores) {
  FOR_EACH_TABLE(kernels) {
    for (size_t l = 0; l < COUNT(label_counts); l++) {
      fixture f = make(label_counts[l], 384, 56, 384, 11 + l);
      float *scores = mien_alloc(f.n * f.labels, sizeof(float));
      run(kernels, &f, 0, f.n, NULL, scores, NULL);
      for (size_t row = 0; row < f.n; row += 5) {
        for (int step = -1; step <= 1; step++) {
          for (size_t label = 0; label < f.labels; label++) {
            float score = scores[row * f.labels + label];
            f.thresholds[label] = step < 0 ? nextafterf(score, 0) : step > 0 ? nextafterf(score, 1) : score;
          }
          make_plan(&f);
          check_words(kernels, &f);
        }
      }
      mien_free(scores);
      drop(&f);
    }
  }
}
END_TEST

START_TEST(words_stay_exact_where_all_rounding_errors_of_the_screen_point_one_way) {
  FOR_EACH_TABLE(kernels) {
    for (int trial = 0; trial < 40; trial++) {
      fixture f = make(16, 384, 24, 384, 41 + (uint64_t)trial);
      uint64_t state = 1001 + (uint64_t)trial;
      for (size_t label = 0; label < f.labels; label++) {
        float weight = (float)(0.02 * random_unit(&state));
        for (size_t i = 0; i < f.dim; i++) f.weights[label * f.dim + i] = i ? weight : 0.001;
      }
      for (size_t row = 0; row < f.n; row++) {
        float value = (float)(0.5 + 0.4 * random_unit(&state));
        for (size_t i = 0; i < f.dim; i++) f.rows[row * f.stride + i] = i ? value : 1;
      }
      make_plan(&f);
      float scores[24 * 16];
      for (size_t row = 0; row < f.n; row += 3) {
        run(kernels, &f, 0, f.n, NULL, scores, NULL);
        for (size_t label = 0; label < f.labels; label++)
          f.thresholds[label] = nextafterf(scores[row * f.labels + label], (float)(label % 2));
        make_plan(&f);
        check_words(kernels, &f);
      }
      drop(&f);
    }
  }
}
END_TEST

START_TEST(words_are_right_at_extreme_thresholds_and_magnitudes) {
  static const float thresholds[] = {0, 1e-45f, 1e-38f, 1e-30f, 0.25f, 0.99999994f, 1};
  static const float magnitudes[] = {0, 1e-44f, 1e-30f, 1e-18f, 1e-3f, 3, 100, 1e5f, 1e18f, 1e30f};
  FOR_EACH_TABLE(kernels) {
    for (size_t t = 0; t < COUNT(thresholds); t++) {
      for (size_t m = 0; m < COUNT(magnitudes); m++) {
        fixture f = make(28, 100, 50, 103, 23 + m);
        for (size_t i = 0; i < f.n * f.stride; i++) f.rows[i] *= magnitudes[m];
        for (size_t label = 0; label < f.labels; label++) f.thresholds[label] = thresholds[t];
        make_plan(&f);
        check_words(kernels, &f);
        drop(&f);
      }
    }
  }
}
END_TEST

START_TEST(a_head_of_zeros_and_one_of_wildly_different_weights_keep_exact_words) {
  FOR_EACH_TABLE(kernels) {
    fixture f = make(20, 64, 40, 64, 5);
    for (size_t i = 0; i < 10 * f.dim; i++) f.weights[i] = 0;
    for (size_t i = 10 * f.dim; i < 20 * f.dim; i++) f.weights[i] *= i % 3 ? 1e-6 : i % 2 ? 1e6 : 1;
    make_plan(&f);
    check_words(kernels, &f);
    drop(&f);
  }
}
END_TEST

/* Sums that reach beyond float32 in the screen, in the exact sums, or in neither. */
START_TEST(heads_at_the_end_of_float32_give_the_same_words_and_status_either_way) {
  static const double magnitudes[] = {1e30, 1e35, 2e36, 5e36, 1e37, 1e38, 3e38};
  FOR_EACH_TABLE(kernels) {
    for (size_t m = 0; m < COUNT(magnitudes) * COUNT(magnitudes); m++) {
      const double weight = magnitudes[m % COUNT(magnitudes)], bias = magnitudes[m / COUNT(magnitudes)];
      for (int small = 0; small < 2; small++) {
        fixture f = make(20, 31, 40, 31, 61 + m);
        for (size_t i = 0; i < f.labels * f.dim; i++) f.weights[i] *= weight / 4;
        for (size_t i = 0; i < f.labels; i++) f.bias[i] *= bias / 3 * (small ? 1e-4 : 1);
        for (size_t i = 0; i < f.n * f.stride; i++) f.rows[i] *= small ? 1e-3f : 1;
        /* Every other head: a sum that nothing cancels but the bias. */
        for (size_t i = 0; m % 2 && i < f.labels * f.dim; i++) f.weights[i] = -fabs(f.weights[i]);
        for (size_t i = 0; m % 2 && i < f.labels; i++) f.bias[i] = fabs(f.bias[i]);
        for (size_t i = 0; m % 2 && i < f.n * f.stride; i++) f.rows[i] = f.rows[f.stride * (i / f.stride)];
        make_plan(&f);
        uint32_t fast[40], slow[40];
        mien_row_status fast_status[40], slow_status[40];
        float scores[40 * 20];
        run(kernels, &f, 0, f.n, fast, NULL, fast_status);
        run(kernels, &f, 0, f.n, slow, scores, slow_status);
        for (size_t row = 0; row < f.n; row++)
          require(fast[row] == slow[row] && fast_status[row] == slow_status[row],
                  "%s: weights %g, bias %g, row %zu: words %x and %x, status %d and %d", mien_isa_name(kernels->isa),
                  weight, bias, row, fast[row], slow[row], fast_status[row], slow_status[row]);
        drop(&f);
      }
    }
  }
}
END_TEST

START_TEST(a_bad_row_is_marked_and_leaves_its_neighbours_alone) {
  static const float bad_values[] = {NAN, INFINITY, -INFINITY};
  for (size_t v = 0; v < COUNT(bad_values); v++) {
    fixture clean = make(28, 384, 61, 384, 9), f = make(28, 384, 61, 384, 9);
    static const size_t bad_rows[] = {0, 13, 14, 60};
    for (size_t i = 0; i < COUNT(bad_rows); i++) f.rows[bad_rows[i] * f.stride + (i * 127) % f.dim] = bad_values[v];
    FOR_EACH_TABLE(kernels) {
      for (int with_scores = 0; with_scores < 2; with_scores++) {
        float expected[61 * 28], scores[61 * 28];
        uint32_t expected_words[61], words[61];
        mien_row_status status[61];
        run(kernels, &clean, 0, f.n, expected_words, with_scores ? expected : NULL, NULL);
        size_t bad = run(kernels, &f, 0, f.n, words, with_scores ? scores : NULL, status);
        ck_assert_uint_eq(bad, COUNT(bad_rows));
        for (size_t row = 0; row < f.n; row++) {
          bool is_bad = row == 0 || row == 13 || row == 14 || row == 60;
          ck_assert_uint_eq(status[row], is_bad ? MIEN_ROW_NOT_FINITE : MIEN_ROW_OK);
          ck_assert_uint_eq(words[row], is_bad ? 0 : expected_words[row]);
          for (size_t label = 0; with_scores && label < 28; label++) {
            if (is_bad)
              ck_assert(isnan(scores[row * 28 + label]));
            else
              ck_assert_mem_eq(&scores[row * 28 + label], &expected[row * 28 + label], sizeof(float));
          }
        }
      }
    }
    drop(&clean);
    drop(&f);
  }
}
END_TEST

static float half_value(uint16_t half) {
  int exponent = half >> 10 & 31, fraction = half & 1023;
  double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                 : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                : ldexp(fraction, -24);
  return (float)(half & 0x8000 ? -value : value);
}

START_TEST(every_binary16_number_widens_to_its_value) {
  static uint16_t halves[65536 + 3];
  static float floats[65536 + 3];
  for (size_t i = 0; i < COUNT(halves); i++) halves[i] = (uint16_t)i;
  FOR_EACH_TABLE(kernels) {
    kernels->widen_f16(halves, floats, COUNT(halves));
    for (size_t i = 0; i < COUNT(halves); i++) {
      float expected = half_value(halves[i]);
      if (isnan(expected))
        require(isnan(floats[i]), "%s: %zx", mien_isa_name(kernels->isa), i);
      else
        require(!memcmp(&floats[i], &expected, 4), "%s: %zx", mien_isa_name(kernels->isa), i);
    }
  }
}
END_TEST

START_TEST(rows_of_binary16_and_binary64_score_as_their_float32_values) {
  fixture f = make(28, 97, 50, 97, 31);
  uint16_t *halves = mien_alloc(f.n * f.stride, sizeof(uint16_t));
  double *doubles = mien_alloc(f.n * f.stride, sizeof(double));
  uint64_t state = 77;
  for (size_t i = 0; i < f.n * f.stride; i++) {
    halves[i] = (uint16_t)(random_bits(&state) % 0x3C00); /* [0, 1) */
    f.rows[i] = half_value(halves[i]);
    doubles[i] = (double)f.rows[i] * (1 + 1e-12);
  }
  FOR_EACH_TABLE(kernels) {
    float expected[50 * 28], scores[50 * 28];
    f.input = (mien_rows){sizeof f.input, f.rows, MIEN_F32, f.stride};
    run(kernels, &f, 0, f.n, NULL, expected, NULL);
    f.input.data = halves;
    f.input.dtype = MIEN_F16;
    run(kernels, &f, 0, f.n, NULL, scores, NULL);
    ck_assert_mem_eq(expected, scores, sizeof scores);
    f.input.data = doubles;
    f.input.dtype = MIEN_F64;
    run(kernels, &f, 0, f.n, NULL, scores, NULL);
    ck_assert_mem_eq(expected, scores, sizeof scores);
  }
  mien_free(halves);
  mien_free(doubles);
  drop(&f);
}
END_TEST

MIEN_SUITE("head kernels", every_table_gives_the_scores_of_double_sums_at_every_size,
           all_tables_with_fused_multiply_adds_give_the_same_bits,
           scores_keep_their_bits_from_version_to_version_and_on_every_processor,
           a_row_has_the_same_bits_alone_and_in_any_batch,
           words_are_the_scores_comparisons_even_where_thresholds_equal_scores,
           words_stay_exact_where_all_rounding_errors_of_the_screen_point_one_way,
           words_are_right_at_extreme_thresholds_and_magnitudes,
           a_head_of_zeros_and_one_of_wildly_different_weights_keep_exact_words,
           heads_at_the_end_of_float32_give_the_same_words_and_status_either_way,
           a_bad_row_is_marked_and_leaves_its_neighbours_alone, every_binary16_number_widens_to_its_value,
           rows_of_binary16_and_binary64_score_as_their_float32_values)
