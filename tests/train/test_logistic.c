/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic regressions: their gradients vanish in double, whatever the sizes, weights and threads. */
#include "train/logistic.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "suite.h"
#include "train/cholesky.h"

typedef struct data {
  mien_logistic_rows rows;
  float *x, *targets, *weights;
} data;

/* Rows around a mean that is not 0, as embeddings are; labels that a line nearly tells. */
static data make_data(size_t n, size_t dim, size_t n_labels, bool is_soft, bool has_weights) {
  data d = {.x = calloc(n * dim + 1, sizeof(float)),
            .targets = calloc(n * n_labels, sizeof(float)),
            .weights = calloc(n, sizeof(float))};
  uint64_t state = 7 * n + dim;
  for (size_t i = 0; i < n * dim; i++) d.x[i] = (float)(random_unit(&state) / (double)(1 + i % dim) + 0.3);
  for (size_t row = 0; row < n; row++) {
    for (size_t l = 0; l < n_labels; l++) {
      double z = 0.7 * random_unit(&state) - (double)l / 4;
      for (size_t k = 0; k < dim; k++) z += (double)d.x[row * dim + k] * ((k + l) % 3 == 0 ? 1.5 : -0.7);
      d.targets[row * n_labels + l] = is_soft ? (float)(1 / (1 + exp(-2 * z))) : z > 0;
    }
    d.weights[row] = row % 7 == 3 ? 0.0f : 0.25f + (float)(row % 4);
  }
  d.rows = (mien_logistic_rows){d.x, n, dim, d.targets, n_labels, has_weights ? d.weights : NULL};
  return d;
}

static void free_data(const data *d) {
  free(d->x);
  free(d->targets);
  free(d->weights);
}

/* The objective in double, and the largest part of its gradient. */
static double objective_of(const mien_logistic_rows *rows, const mien_logistic_column *column, const float *w, float b,
                           double *largest) {
  double *gradient = calloc(rows->dim + 1, sizeof(double)), objective = 0;
  for (size_t row = 0; row < rows->n; row++) {
    const float *x = rows->x + row * rows->dim;
    const double y = (double)rows->targets[row * rows->n_labels + column->label];
    const double weight = column->c * (rows->weights ? (double)rows->weights[row] : 1);
    const double p = weight * column->positive * y, q = weight * column->negative * (1 - y);
    double z = (double)b;
    for (size_t k = 0; k < rows->dim; k++) z += (double)w[k] * (double)x[k];
    objective += p * (log1p(exp(-fabs(z))) + fmax(-z, 0)) + q * (log1p(exp(-fabs(z))) + fmax(z, 0));
    const double residual = (p + q) / (1 + exp(-z)) - p;
    for (size_t k = 0; k < rows->dim; k++) gradient[k] += residual * (double)x[k];
    gradient[rows->dim] += residual;
  }
  *largest = fabs(gradient[rows->dim]);
  for (size_t k = 0; k < rows->dim; k++) {
    objective += (double)w[k] * (double)w[k] / 2;
    *largest = fmax(*largest, fabs(gradient[k] + (double)w[k]));
  }
  free(gradient);
  return objective;
}

static void check_fit(size_t n, size_t dim, bool is_soft, bool has_weights) {
  enum { LABELS = 3, COLUMNS = 19 };
  const data d = make_data(n, dim, LABELS, is_soft, has_weights);
  mien_logistic_column columns[COLUMNS];
  mien_logistic_fitted fitted[COLUMNS];
  for (size_t j = 0; j < COLUMNS; j++)
    columns[j] = (mien_logistic_column){j % LABELS, 0.01 * pow(2, (double)j), 1 + (double)(j % 4), 1};
  float *w = calloc(COLUMNS * dim, sizeof *w), b[COLUMNS];
  mien_error error = {0};
  const mien_logistic_options options = {.threads = 2, .tolerance = 1e-12};
  ck_assert_msg(mien_logistic_fit(&d.rows, columns, COLUMNS, &options, w, b, fitted, &error) == MIEN_OK, "%s",
                error.message);
  for (size_t j = 0; j < COLUMNS; j++) {
    if (fitted[j].is_constant) continue;
    double largest;
    const double objective = objective_of(&d.rows, &columns[j], w + j * dim, b[j], &largest);
    ck_assert_msg(fitted[j].has_converged, "%zu rows of %zu, column %zu has not converged in %u", n, dim, j,
                  fitted[j].iterations);
    ck_assert_msg(fabs(objective - fitted[j].objective) <= 1e-6 * objective, "objective: expected %.12g, found %.12g",
                  objective, fitted[j].objective);
    /* Of the sum of all rows' parts, which it is what is left of. */
    const double all = columns[j].c * columns[j].positive * (double)n * 4;
    ck_assert_msg(largest <= 2e-6 * all, "%zu rows of %zu, column %zu: gradient of %g", n, dim, j, largest / all);
  }
  free(w);
  free_data(&d);
}

START_TEST(gradients_vanish) {
  check_fit(600, 5, false, false);
  check_fit(257, 16, true, false);
  check_fit(5000, 17, false, true);
  check_fit(40, 33, true, true); /* fewer rows than twice the numbers */
  check_fit(300, 2100, true, false);
}
END_TEST

START_TEST(threads_do_not_change_a_bit) {
  enum { COLUMNS = 3, DIM = 24 };
  const data d = make_data(9000, DIM, COLUMNS, false, true);
  float w[3][COLUMNS * DIM], b[3][COLUMNS];
  mien_logistic_fitted fitted[COLUMNS];
  static const unsigned threads[] = {1, 2, 7};
  const mien_logistic_column columns[] = {{0, 10, 1, 1}, {1, 10, 2, 1}, {2, 0.1, 1, 1}};
  mien_error error = {0};
  for (size_t i = 0; i < 3; i++) {
    const mien_logistic_options options = {.threads = threads[i]};
    ck_assert_int_eq(mien_logistic_fit(&d.rows, columns, COLUMNS, &options, w[i], b[i], fitted, &error), MIEN_OK);
    ck_assert_int_eq(memcmp(w[0], w[i], sizeof w[0]), 0);
    ck_assert_int_eq(memcmp(b[0], b[i], sizeof b[0]), 0);
  }
  free_data(&d);
}
END_TEST

START_TEST(a_label_of_one_class_is_a_constant) {
  static const float x[] = {1, 2, 3, 4}, targets[] = {0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 1};
  const mien_logistic_rows rows = {x, 4, 1, targets, 3, NULL};
  const mien_logistic_column columns[] = {{0, 1, 1, 1}, {1, 1, 1, 1}, {2, 1, 1, 1}};
  static const float never[] = {0, 0, 0, 0};
  mien_logistic_rows none = rows;
  none.targets = never;
  none.n_labels = 1;
  float w[3], b[3];
  mien_logistic_fitted fitted[3];
  mien_error error = {0};
  const mien_logistic_options options = {.threads = 1};
  ck_assert_int_eq(mien_logistic_fit(&none, columns, 1, &options, w, b, fitted, &error), MIEN_OK);
  ck_assert(fitted[0].is_constant);
  ck_assert_float_eq(w[0], 0);
  ck_assert_float_eq_tol(b[0], logf(1 / 5.0f), 1e-6f); /* 1 of 6 */
  mien_logistic_rows one = rows;                       /* a single row */
  one.n = 1;
  ck_assert_int_eq(mien_logistic_fit(&one, columns, 3, &options, w, b, fitted, &error), MIEN_OK);
  for (size_t j = 0; j < 3; j++) ck_assert(fitted[j].is_constant);
  ck_assert_float_eq_tol(b[1], logf(2), 1e-6f); /* 2 of 3 */
  ck_assert_int_eq(mien_logistic_fit(&rows, columns, 3, &options, w, b, fitted, &error), MIEN_OK);
  ck_assert(fitted[0].is_constant && fitted[1].is_constant && !fitted[2].is_constant && fitted[2].has_converged);
}
END_TEST

static void stop(void *user, const mien_logistic_step *step) {
  atomic_store((atomic_bool *)user, step->iteration == 2);
}

/* Their covariance has no rank but for its rounding, which a large C makes more than the penalty. */
START_TEST(rows_that_depend_on_each_other_are_fitted) {
  enum { N = 2000, DIM = 48 };
  static float x[N * DIM], targets[N];
  uint64_t state = 17;
  float factors[DIM][2];
  for (size_t k = 0; k < DIM; k++)
    for (size_t i = 0; i < 2; i++) factors[k][i] = (float)random_unit(&state);
  for (size_t row = 0; row < N; row++) {
    const float a = (float)random_unit(&state), b = (float)random_unit(&state);
    for (size_t k = 0; k < DIM; k++) x[row * DIM + k] = a * factors[k][0] + b * factors[k][1];
    targets[row] = (double)a + random_unit(&state) > 0;
  }
  const mien_logistic_rows rows = {x, N, DIM, targets, 1, NULL};
  const mien_logistic_column columns[] = {{0, 1, 1, 1}, {0, 1e9, 1, 1}};
  const mien_logistic_options options = {.threads = 1};
  mien_logistic_fitted fitted[2];
  static float w[2 * DIM];
  float b[2];
  mien_error error = {0};
  ck_assert_msg(mien_logistic_fit(&rows, columns, 2, &options, w, b, fitted, &error) == MIEN_OK, "%s", error.message);
  /* Less the penalty the second is no worse than the first. */
  ck_assert(fitted[1].has_converged);
  ck_assert_double_le(fitted[1].objective / 1e9, fitted[0].objective * (1 + 1e-6));
}
END_TEST

START_TEST(numbers_that_are_too_large_are_refused) {
  enum { N = 40 };
  static float x[N * 2100], targets[N];
  static float w[2100];
  static const size_t dims[] = {1, 4, 2100}; /* the last by variances alone */
  for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
    uint64_t state = 5;
    for (size_t i = 0; i < N * dims[d]; i++) x[i] = (float)(1e25 * random_unit(&state));
    for (size_t row = 0; row < N; row++) targets[row] = row % 2 ? 1.0f : 0.0f;
    const mien_logistic_rows rows = {x, N, dims[d], targets, 1, NULL};
    const mien_logistic_column column = {0, 1, 1, 1};
    const mien_logistic_options options = {.threads = 1};
    mien_logistic_fitted fitted;
    float b;
    mien_error error = {0};
    const mien_status status = mien_logistic_fit(&rows, &column, 1, &options, w, &b, &fitted, &error);
    if (status == MIEN_OK) /* in double all of it can be had */
      ck_assert(dims[d] > 2048 && isfinite(w[0]) && isfinite(b));
    else
      ck_assert_msg(status == MIEN_INPUT && strstr(error.message, "too large"), "%s", error.message);
  }
}
END_TEST

START_TEST(a_fit_is_cancelled) {
  const data d = make_data(600, 5, 2, false, false);
  atomic_bool cancel = false;
  const mien_logistic_column columns[] = {{0, 10, 1, 1}, {1, 10, 1, 1}};
  const mien_logistic_options options = {.threads = 1, .cancel = &cancel, .progress = stop, .progress_user = &cancel};
  float w[10], b[2];
  mien_logistic_fitted fitted[2];
  mien_error error = {0};
  ck_assert_int_eq(mien_logistic_fit(&d.rows, columns, 2, &options, w, b, fitted, &error), MIEN_CANCELLED);
  free_data(&d);
}
END_TEST

START_TEST(cholesky_solves) {
  enum { N = 13 };
  double matrix[N * N], lower[N * N], x[N], b[N];
  uint64_t state = 3;
  for (size_t i = 0; i < N * N; i++) lower[i] = random_unit(&state);
  for (size_t i = 0; i < N; i++)
    for (size_t k = 0; k < N; k++) {
      matrix[i * N + k] = i == k;
      for (size_t j = 0; j < N; j++) matrix[i * N + k] += lower[i * N + j] * lower[k * N + j];
    }
  for (size_t i = 0; i < N; i++) x[i] = b[i] = random_unit(&state);
  memcpy(lower, matrix, sizeof lower);
  ck_assert(mien_cholesky(lower, N));
  mien_cholesky_solve(lower, N, x);
  for (size_t i = 0; i < N; i++) {
    double sum = 0;
    for (size_t k = 0; k < N; k++) sum += matrix[i * N + k] * x[k];
    ck_assert_double_eq_tol(sum, b[i], 1e-12);
  }
  double indefinite[] = {1, 2, 2, 1};
  ck_assert(!mien_cholesky(indefinite, 2));
}
END_TEST

MIEN_SUITE("logistic", gradients_vanish, threads_do_not_change_a_bit, a_label_of_one_class_is_a_constant,
           rows_that_depend_on_each_other_are_fitted, numbers_that_are_too_large_are_refused, a_fit_is_cancelled,
           cholesky_solves)
