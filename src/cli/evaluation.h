/* SPDX-License-Identifier: Apache-2.0 */
/* All figures of scored rows with their intervals, and of two models on the same rows: what is printed is made here. */
#ifndef MIEN_CLI_EVALUATION_H
#define MIEN_CLI_EVALUATION_H

#include "train/bootstrap.h"
#include "train/examples.h"
#include "train/metrics.h"

/* What intervals are taken of: of a scheme, then of the scores. */
enum {
  CLI_MICRO = 0, /* precision, recall, F1 */
  CLI_MACRO = 3,
  CLI_WEIGHTED = 6,
  CLI_SAMPLES = 9,
  CLI_SUBSET_ACCURACY = 12,
  CLI_SCHEME_FIGURES = 13, /* behind them the labels' F1 [L] */

  CLI_ROC_AUC = 0,
  CLI_AVERAGE_PRECISION = 1,
  CLI_BRIER = 2,
  CLI_CALIBRATION_ERROR = 3,
  CLI_SCORE_FIGURES = 4,
};

#define CLI_CONFIDENCE 0.95

/* Labels of more than these have no intervals of their own F1. */
enum { CLI_MOST_LABEL_INTERVALS = 4096 };

/* One way to set thresholds, and what it leads to. */
typedef struct cli_scheme {
  const char *name;  /* "thresholds", "fixed_0.5", "tuned_on_this_data" */
  const char *title; /* for headings */
  bool is_tuned;     /* its thresholds are those that tuning on these very rows gives */
  float *thresholds; /* [L] */
  mien_outcomes outcomes;
  mien_label_counts *labels; /* [L] */
  mien_averages averages;
  mien_interval *intervals; /* [CLI_SCHEME_FIGURES + L], or NULL; NaN where there is none */
} cli_scheme;

typedef struct cli_evaluation {
  const mien_label_set *labels;
  mien_scored scored;
  cli_scheme schemes[3];
  size_t n_schemes;
  mien_ranking ranking;
  mien_score_figures *label_scores; /* [L] */
  mien_score_figures scores;        /* their means */
  size_t n_means[4];                /* over how many labels each */
  mien_interval score_intervals[CLI_SCORE_FIGURES];
  bool has_intervals;
} cli_evaluation;

/* Which schemes there are, beside the fixed one. */
typedef struct cli_schemes {
  const float *thresholds; /* [L]; NULL: none were given */
  bool is_tuned_on_data;   /* adds thresholds that are tuned on the rows themselves, on the published grid */
} cli_schemes;

/*
 * Measures; intervals come from cli_evaluation_bootstrap. Thresholds that are given are said to be tuned on the very
 * rows where tuning gives the same, on the published grid or exactly: figures at them flatter, whoever made them.
 * *evaluation is freed by the caller, after a failure too; `labels` and what `scored` points at outlive it.
 */
MIEN_MUST_USE mien_status cli_evaluation_measure(const mien_label_set *labels, const mien_scored *scored,
                                                 const cli_schemes *schemes, cli_evaluation *evaluation,
                                                 mien_error *error);
void cli_evaluation_free(cli_evaluation *evaluation);

/* A figure of both, and of the second less the first. */
typedef struct cli_difference {
  double difference;
  mien_interval interval;
  double share_above; /* of resamples in which the second is higher */
} cli_difference;

/* Of every scheme CLI_SCHEME_FIGURES, then CLI_SCORE_FIGURES. */
typedef struct cli_comparison {
  cli_difference *differences; /* [cli_comparison_place(n_schemes, 0) + CLI_SCORE_FIGURES] */
} cli_comparison;

static inline size_t cli_comparison_place(size_t scheme, size_t figure) { return scheme * CLI_SCHEME_FIGURES + figure; }

/*
 * Takes intervals from resamples of the rows. With `other`, which has the same rows, labels and schemes, both are
 * measured on the same resamples, and their differences as well. Nothing to do for 0 resamples, but the differences.
 * The comparison is freed by the caller, after a failure too.
 */
MIEN_MUST_USE mien_status cli_evaluation_bootstrap(cli_evaluation *evaluation, cli_evaluation *other,
                                                   const mien_bootstrap_options *options, cli_comparison *comparison,
                                                   mien_error *error);
void cli_comparison_free(cli_comparison *comparison);

/* The figures in the order of the enumeration. */
const double *cli_scheme_figures(const cli_scheme *scheme);
const double *cli_score_figures(const cli_evaluation *evaluation);

#endif
