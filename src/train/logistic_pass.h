/* SPDX-License-Identifier: Apache-2.0 */
/* A pass over the rows: losses and gradients of many columns at their weights. */
#ifndef MIEN_TRAIN_LOGISTIC_PASS_H
#define MIEN_TRAIN_LOGISTIC_PASS_H

#include "base/threads.h"
#include "train/logistic.h"

typedef struct mien_logistic_pass mien_logistic_pass;

/* For the columns in `columns`, whose targets are gathered; rows, columns and pool outlive it. */
MIEN_MUST_USE mien_status mien_logistic_pass_create(const mien_logistic_rows *rows, const mien_logistic_column *columns,
                                                    const size_t *which, size_t n_columns, mien_pool *pool,
                                                    mien_logistic_pass **pass, mien_error *error);
void mien_logistic_pass_destroy(mien_logistic_pass *pass);

/*
 * losses [n_columns]; gradients [n_columns × (dim + 1)], the bias' last. points[j] [dim + 1] are column j's weights and
 * bias. Neither c nor the penalty is in them.
 */
void mien_logistic_pass_run(mien_logistic_pass *pass, const double *const *points, double *losses,
                            double *const *gradients);

/*
 * The covariance of x [dim × dim], both triangles, and its means [dim], from at most `most` rows of weight, evenly
 * taken.
 */
MIEN_MUST_USE mien_status mien_logistic_covariance(const mien_logistic_rows *rows, size_t most, mien_pool *pool,
                                                   double *covariance, double *means, mien_error *error);

#endif
