/* SPDX-License-Identifier: Apache-2.0 */
/* A threshold for each label by labelled rows: where a figure of those rows is best. */
#ifndef MIEN_TRAIN_TUNE_H
#define MIEN_TRAIN_TUNE_H

#include "train/metrics.h"

typedef enum mien_objective {
  MIEN_OBJECTIVE_FBETA,        /* the highest F-beta */
  MIEN_OBJECTIVE_PRECISION_AT, /* the highest recall of those whose precision is at least `target`; where none is, the
                                  highest precision */
  MIEN_OBJECTIVE_RECALL_AT,    /* the highest precision of those whose recall is at least `target`; where none is, the
                                  highest recall */
} mien_objective;

typedef struct mien_tune_options {
  mien_objective objective;
  double beta;   /* of F-beta, above 0: 1 is F1 */
  double target; /* in (0, 1] */
  double grid;   /* thresholds grid, 2 grid, … below 1; 0: between every two neighbours of the scores that occur, and
                    below the lowest */
} mien_tune_options;

/* The step of the published thresholds. */
#define MIEN_TUNE_PUBLISHED_GRID 0.05
/* What a label gets that no row has: nothing speaks for another. */
#define MIEN_TUNE_WITHOUT_ROWS 0.5f

typedef struct mien_tuned {
  float threshold;
  mien_label_counts counts; /* at it */
  bool has_rows;            /* a row has the label; else the threshold is MIEN_TUNE_WITHOUT_ROWS */
  bool reaches;             /* the target, of an objective with one */
} mien_tuned;

/* Of equally good thresholds the lowest: with MIEN_TUNE_PUBLISHED_GRID and F1 the thresholds are those that were
 * published. `tuned` [L]. */
void mien_tune(const mien_ranking *ranking, const mien_tune_options *options, mien_tuned *tuned);

#endif
