/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How good scores are: precision, recall and F1 at thresholds, and figures of the scores themselves. They are those of
 * scikit-learn with zero_division=0. Every figure can be taken of a resample, in which a row counts as often as was
 * drawn: what depends on the rows' scores is prepared once, in lists of rows.
 */
#ifndef MIEN_TRAIN_METRICS_H
#define MIEN_TRAIN_METRICS_H

#include <stdbool.h>

#include "train/floats.h"

/* Scores beside what is true. */
typedef struct mien_scored {
  size_t n_rows, n_labels;
  const float *scores;   /* [n_rows × n_labels], in [0, 1] */
  size_t n_words;        /* of a row in truth: ⌈L/32⌉ */
  const uint32_t *truth; /* [n_rows × n_words] label l of a row is bit l mod 32 of its word l div 32 */
} mien_scored;

static inline bool mien_scored_is_true(const mien_scored *scored, size_t row, size_t label) {
  return scored->truth[row * scored->n_words + label / 32] >> label % 32 & 1;
}

/* ---- At thresholds ------------------------------------------------------------------------------------------------
 */

/* Of a label's rows: given and true, given and not true, true and not given. */
typedef struct mien_label_counts {
  uint64_t tp, fp, fn;
} mien_label_counts;

typedef struct mien_prf {
  double precision, recall, f1; /* 0 where there is nothing to divide by */
} mien_prf;

mien_prf mien_prf_of(mien_label_counts counts);
static inline uint64_t mien_support(mien_label_counts counts) { return counts.tp + counts.fn; }

typedef struct mien_averages {
  mien_prf micro;         /* of all labels' counts together */
  mien_prf macro;         /* the labels' mean */
  mien_prf weighted;      /* the labels' mean, each as often as it is true */
  mien_prf samples;       /* the rows' mean */
  double subset_accuracy; /* the share of rows whose labels are exactly the true ones */
  uint64_t support;       /* labels of all rows */
} mien_averages;

/* Where thresholds lead: a label is given to a row where score > threshold, both float32. */
typedef struct mien_outcomes {
  size_t n_rows, n_labels;
  size_t *starts;    /* [3 L + 1] of a label's rows that are tp, fp and fn, in this order */
  uint32_t *rows;    /* [starts[3 L]] each list in order */
  mien_prf *row_prf; /* [n_rows] */
  uint8_t *is_exact; /* [n_rows] */
} mien_outcomes;

/* `thresholds` [L]. *outcomes is freed by the caller, after a failure too. */
MIEN_MUST_USE mien_status mien_outcomes_create(const mien_scored *scored, const float *thresholds,
                                               mien_outcomes *outcomes, mien_error *error);
void mien_outcomes_free(mien_outcomes *outcomes);

/* A row counts counts[row] times, once where `counts` is NULL. `labels` [L]. */
void mien_outcomes_measure(const mien_outcomes *outcomes, const uint32_t *counts, mien_label_counts *labels,
                           mien_averages *averages);

/* ---- Without thresholds -------------------------------------------------------------------------------------------
 */

enum { MIEN_CALIBRATION_BINS = 15 }; /* of equal width: [0, 1/15), … [14/15, 1] */

/* Figures of one label's scores, or their means over labels. NaN where there is none. */
typedef struct mien_score_figures {
  double roc_auc;           /* rows that have the label and rows that have not; ties count half */
  double average_precision; /* rows that have it; Σ (R[n] − R[n−1]) P[n] over distinct scores */
  double brier;             /* the mean of (score − truth)² */
  double calibration_error; /* expected: Σ over bins, of |Σ (score − truth)| / n_rows */
} mien_score_figures;

/* Every label's rows by score, highest first. */
typedef struct mien_ranking {
  size_t n_rows, n_labels;
  uint32_t *rows; /* [L × n_rows] row << 2 | is true << 1 | is the last of its score */
  float *scores;  /* [L × n_rows] in that order */
  size_t *bins;   /* [L × (MIEN_CALIBRATION_BINS + 1)] where in that order bins begin, the highest first */
} mien_ranking;

/* More rows are MIEN_RESOURCE. */
#define MIEN_RANKING_MAX_ROWS ((size_t)1 << 30)

/* *ranking is freed by the caller, after a failure too. */
MIEN_MUST_USE mien_status mien_ranking_create(const mien_scored *scored, mien_ranking *ranking, mien_error *error);
void mien_ranking_free(mien_ranking *ranking);

/* Of one label. A row counts counts[row] times, once where `counts` is NULL. */
mien_score_figures mien_ranking_measure(const mien_ranking *ranking, size_t label, const uint32_t *counts);

/* The means over the labels that have the figure, NaN without any; n_labels says of how many each is, in the order of
 * mien_score_figures. */
mien_score_figures mien_score_means(const mien_score_figures *labels, size_t n, size_t n_labels[4]);

#endif
