/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel of logistic regression beside the products, which are those of the encoder's f32 tables: losses and
 * residuals of a block of logits.
 *
 * A logit z with a target y in [0, 1] costs  a·log(1 + exp(-z)) + b·log(1 + exp(z)),  a = row · positive · y and
 * b = row · negative · (1 - y); its residual is the derivative, (a + b)·sigmoid(z) - a. In float32, within 4e-7 of the
 * exact values, relative to (a + b)·(1 + |z|); losses are added up in double every MIEN_LOSS_ROWS rows.
 */
#ifndef MIEN_KERNELS_LOGISTIC_KERNELS_H
#define MIEN_KERNELS_LOGISTIC_KERNELS_H

#include <stddef.h>

#include "base/cpu.h"

enum { MIEN_LOSS_ROWS = 32 };

typedef struct mien_loss_panel {
  float *logits;                    /* [n × 16] become residuals */
  const float *targets;             /* [n × 16] */
  const float *rows;                /* [n] weights of rows; NULL: 1 */
  const float *positive, *negative; /* [16] */
  double *losses;                   /* [16] the panel's are added */
} mien_loss_panel;

typedef struct mien_logistic_kernels {
  mien_isa isa; /* the lowest one that it needs */
  void (*residuals)(const mien_loss_panel *panel, size_t n);
} mien_logistic_kernels;

/* NULL where the compiler's target has no such table. */
extern const mien_logistic_kernels *const mien_logistic_kernels_of[MIEN_ISA_COUNT];

/* The fastest table within `isa`. */
const mien_logistic_kernels *mien_logistic_kernels_for(mien_isa isa);

#endif
