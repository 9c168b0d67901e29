/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L2-regularised logistic regressions over the same rows, fitted all together. Column j minimises
 *
 *     c_j · Σ over rows (a·log(1 + exp(-z)) + b·log(1 + exp(z))) + ½·|w_j|²,   z = w_j·x + bias_j,
 *
 * a = row weight · positive_j · y, b = row weight · negative_j · (1 - y): scikit-learn's objective, with targets y that
 * may be anything in [0, 1]. The bias is not penalised.
 *
 * By L-BFGS (Nocedal 1980; Nocedal and Wright, Numerical Optimization, algorithm 7.4) on every column in lockstep, so
 * that a pass over the rows serves all of them; it starts from the inverse of (c·κ·Σ(x-μ)(x-μ)ᵀ + I), κ being the
 * variance of the column's targets, estimated on a part of the rows: the Hessian, but that rows weigh alike in it. The
 * same numbers for any number of threads.
 */
#ifndef MIEN_TRAIN_LOGISTIC_H
#define MIEN_TRAIN_LOGISTIC_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"

typedef struct mien_logistic_column {
  size_t label;              /* whose targets */
  double c;                  /* above 0 */
  double positive, negative; /* weights of the two classes, above 0 */
} mien_logistic_column;

typedef struct mien_logistic_step {
  unsigned iteration;
  size_t n_active;  /* columns that go on */
  double objective; /* the sum of all columns' */
} mien_logistic_step;

typedef struct mien_logistic_options {
  unsigned threads;        /* at least 1 */
  unsigned max_iterations; /* 0: 500 */
  double
      tolerance; /* a column is done when its objective is expected to fall by less than this share of it; 0: 1e-10 */
  const atomic_bool *cancel; /* may be NULL */
  void (*progress)(void *user,
                   const mien_logistic_step *step); /* after every pass, on the calling thread; may be NULL */
  void *progress_user;
} mien_logistic_options;

typedef struct mien_logistic_rows {
  const float *x; /* [n × dim] finite */
  size_t n, dim;
  const float *targets; /* [n × n_labels] in [0, 1] */
  size_t n_labels;
  const float *weights; /* [n] at least 0; NULL: 1 */
} mien_logistic_rows;

typedef struct mien_logistic_fitted {
  double objective;
  unsigned iterations;
  bool has_converged;
  bool is_constant; /* all targets of weight are 0, or all are 1: w is 0, and the bias the logit of the rule of
                       succession, (m + 1) / (n + 2) for m of n rows, as the optimum is at infinity */
} mien_logistic_fitted;

/* Writes `weights` [n_columns × dim], `biases` [n_columns] and `fitted` [n_columns]. Rows whose numbers are too large
 * for float32 sums of their products are MIEN_INPUT. */
MIEN_MUST_USE mien_status mien_logistic_fit(const mien_logistic_rows *rows, const mien_logistic_column *columns,
                                            size_t n_columns, const mien_logistic_options *options, float *weights,
                                            float *biases, mien_logistic_fitted *fitted, mien_error *error);

#endif
