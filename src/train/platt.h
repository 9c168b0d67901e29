/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platt scaling: sigmoid(a·z + c) of a label's logits z, where sigmoid(z) says more or less than rows bear out.
 * Platt, Probabilistic Outputs for Support Vector Machines (1999), with its smoothed targets; by Newton's method with
 * backtracking as in Lin, Lin, Weng, A Note on Platt's Probabilistic Outputs (2007), algorithm 1.
 */
#ifndef MIEN_TRAIN_PLATT_H
#define MIEN_TRAIN_PLATT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum mien_platt_result {
  MIEN_PLATT_FITTED,
  MIEN_PLATT_ONE_CLASS, /* all rows have the label, or none: nothing to fit */
  MIEN_PLATT_REVERSED,  /* the fit would turn the label around: its scores fall where rows have it */
} mien_platt_result;

typedef struct mien_platt {
  double a, c; /* 1 and 0 unless fitted; a is above 0 */
  mien_platt_result result;
} mien_platt;

/*
 * The scaling of logits [n] whose rows are is_true [n]. Rows for which `folds` [n] is `without` are left out; NULL:
 * none is.
 */
mien_platt mien_platt_fit(const double *logits, const bool *is_true, size_t n, const unsigned *folds, unsigned without);

#endif
