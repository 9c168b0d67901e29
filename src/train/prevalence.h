/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many rows have a label, of how many were given it. A count of what a classifier gives holds its mistakes: with π
 * the share of rows that have the label, the share that is given it is
 *
 *   q = π·tpr + (1 − π)·fpr,   so   π = (q − fpr) / (tpr − fpr),
 *
 * the adjusted count (Rogan, Gladen: Estimating Prevalence from the Results of a Screening Test, 1978; Forman:
 * Quantifying Counts and Costs via Classification, 2008). tpr, the recall, and fpr are measured on labelled rows. They
 * carry over to other rows where the rows that have a label look as those did, whatever their number: label shift
 * (Saerens, Latinne, Decaestecker: Adjusting the Outputs of a Classifier to New a Priori Probabilities, 2002).
 * Precision does not: it changes with π, and q·precision/recall is right for rows that have the labelled rows' π alone.
 */
#ifndef MIEN_TRAIN_PREVALENCE_H
#define MIEN_TRAIN_PREVALENCE_H

#include <stddef.h>
#include <stdint.h>

#include "train/bootstrap.h"

/* A label's rows of labelled data: given and true, given and not true, true and not given, neither. */
typedef struct mien_confusion {
  uint64_t tp, fp, fn, tn;
} mien_confusion;

typedef enum mien_prevalence_state {
  MIEN_PREVALENCE_FOUND,
  MIEN_PREVALENCE_NO_ROWS,        /* there is no row to count */
  MIEN_PREVALENCE_UNMEASURED,     /* no labelled row has the label, or all have */
  MIEN_PREVALENCE_NOT_IDENTIFIED, /* the label may be given as often to rows without it as to rows with it */
  MIEN_PREVALENCE_INCONSISTENT,   /* q is below fpr or above tpr, by more than chance: these rows are not like those */
} mien_prevalence_state;

typedef struct mien_prevalence {
  mien_prevalence_state state;
  double estimate;        /* in [0, 1]; NaN unless it was found, as the interval is */
  mien_interval interval; /* holds the estimate */
} mien_prevalence;

/* Numbers that the caller lends to an estimate. */
enum { MIEN_PREVALENCE_DRAWS = 5000 };

/*
 * The share of rows that have a label which `given` of `n_rows` were given. The interval has the uncertainty of tpr and
 * fpr and that of the rows, taken for a sample of many more: all three are drawn from their Beta distributions under
 * Jeffreys' prior. Where tpr > fpr in fewer than all but half of 1 − `confidence` of the draws it is not identified;
 * where it is below 0, or above 1, in more than these it is inconsistent. The same arguments give the same numbers.
 * `draws` [MIEN_PREVALENCE_DRAWS] is scratch memory.
 */
mien_prevalence mien_prevalence_of(const mien_confusion *measured, uint64_t given, uint64_t n_rows, double confidence,
                                   double *draws);

#endif
