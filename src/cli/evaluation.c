/* SPDX-License-Identifier: Apache-2.0 */
/* All figures of scored rows, with intervals from resamples of the rows. */
#include "cli/evaluation.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "train/tune.h"

/* Both are numbers one behind the other, in the order of the enumeration. */
_Static_assert(offsetof(mien_averages, macro) == CLI_MACRO * sizeof(double), "macro's place");
_Static_assert(offsetof(mien_averages, weighted) == CLI_WEIGHTED * sizeof(double), "weighted's place");
_Static_assert(offsetof(mien_averages, samples) == CLI_SAMPLES * sizeof(double), "samples' place");
_Static_assert(offsetof(mien_averages, subset_accuracy) == CLI_SUBSET_ACCURACY * sizeof(double), "accuracy's place");
_Static_assert(sizeof(mien_score_figures) == CLI_SCORE_FIGURES * sizeof(double), "figures of scores");

const double *cli_scheme_figures(const cli_scheme *scheme) { return (const double *)&scheme->averages; }
const double *cli_score_figures(const cli_evaluation *evaluation) { return (const double *)&evaluation->scores; }

/* ---- Schemes ------------------------------------------------------------------------------------------------------
 */

static mien_status tune(const cli_evaluation *evaluation, double grid, float *thresholds, mien_error *error) {
  const size_t n = evaluation->scored.n_labels;
  const mien_tune_options options = {.objective = MIEN_OBJECTIVE_FBETA, .beta = 1, .grid = grid};
  mien_tuned *tuned = mien_alloc(n, sizeof *tuned);
  if (!tuned) return mien_fail_memory(error, "thresholds", n * sizeof *tuned);
  mien_tune(&evaluation->ranking, &options, tuned);
  for (size_t l = 0; l < n; l++) thresholds[l] = tuned[l].threshold;
  mien_free(tuned);
  return MIEN_OK;
}

/* Whether tuning on these rows gives these very thresholds. */
static mien_status is_tuned_here(const cli_evaluation *evaluation, const float *thresholds, bool *is_tuned,
                                 mien_error *error) {
  static const double grids[] = {MIEN_TUNE_PUBLISHED_GRID, 0};
  const size_t n = evaluation->scored.n_labels;
  float *tuned = mien_alloc(n, sizeof *tuned);
  mien_status status = tuned ? MIEN_OK : mien_fail_memory(error, "thresholds", n * sizeof *tuned);
  *is_tuned = false;
  for (size_t i = 0; i < sizeof grids / sizeof *grids && status == MIEN_OK && !*is_tuned; i++) {
    status = tune(evaluation, grids[i], tuned, error);
    *is_tuned = status == MIEN_OK && memcmp(tuned, thresholds, n * sizeof *tuned) == 0;
  }
  mien_free(tuned);
  return status;
}

/* A scheme whose thresholds are yet to be set. */
static mien_status add_scheme(cli_evaluation *evaluation, const char *name, const char *title, cli_scheme **scheme,
                              mien_error *error) {
  const size_t n = evaluation->scored.n_labels;
  cli_scheme *added = *scheme = &evaluation->schemes[evaluation->n_schemes++];
  *added = (cli_scheme){.name = name, .title = title};
  added->thresholds = mien_alloc(n, sizeof *added->thresholds);
  added->labels = mien_alloc(n, sizeof *added->labels);
  return added->thresholds && added->labels ? MIEN_OK : mien_fail_memory(error, "figures", n * sizeof *added->labels);
}

static mien_status add_given(cli_evaluation *evaluation, const float *thresholds, mien_error *error) {
  cli_scheme *scheme;
  mien_status status = add_scheme(evaluation, "thresholds", "Thresholds per label", &scheme, error);
  if (status != MIEN_OK) return status;
  memcpy(scheme->thresholds, thresholds, evaluation->scored.n_labels * sizeof *thresholds);
  return is_tuned_here(evaluation, thresholds, &scheme->is_tuned, error);
}

static mien_status add_fixed(cli_evaluation *evaluation, mien_error *error) {
  cli_scheme *scheme;
  mien_status status = add_scheme(evaluation, "fixed_0.5", "0.5 for every label", &scheme, error);
  for (size_t l = 0; l < evaluation->scored.n_labels && status == MIEN_OK; l++) scheme->thresholds[l] = 0.5f;
  return status;
}

static mien_status add_tuned(cli_evaluation *evaluation, mien_error *error) {
  cli_scheme *scheme;
  mien_status status =
      add_scheme(evaluation, "tuned_on_this_data", "Thresholds of the highest F1 on a grid of 0.05", &scheme, error);
  scheme->is_tuned = true;
  return status == MIEN_OK ? tune(evaluation, MIEN_TUNE_PUBLISHED_GRID, scheme->thresholds, error) : status;
}

/* ---- Measuring ----------------------------------------------------------------------------------------------------
 */

static mien_status measure_scores(cli_evaluation *evaluation, mien_error *error) {
  const size_t n = evaluation->scored.n_labels;
  mien_status status = mien_ranking_create(&evaluation->scored, &evaluation->ranking, error);
  if (status != MIEN_OK) return status;
  evaluation->label_scores = mien_alloc(n, sizeof *evaluation->label_scores);
  if (!evaluation->label_scores) return mien_fail_memory(error, "figures", n * sizeof *evaluation->label_scores);
  for (size_t l = 0; l < n; l++) evaluation->label_scores[l] = mien_ranking_measure(&evaluation->ranking, l, NULL);
  evaluation->scores = mien_score_means(evaluation->label_scores, n, evaluation->n_means);
  return MIEN_OK;
}

mien_status cli_evaluation_measure(const mien_label_set *labels, const mien_scored *scored, const cli_schemes *schemes,
                                   cli_evaluation *evaluation, mien_error *error) {
  *evaluation = (cli_evaluation){.labels = labels, .scored = *scored};
  mien_status status = measure_scores(evaluation, error);
  if (status == MIEN_OK && schemes->thresholds) status = add_given(evaluation, schemes->thresholds, error);
  if (status == MIEN_OK) status = add_fixed(evaluation, error);
  if (status == MIEN_OK && schemes->is_tuned_on_data) status = add_tuned(evaluation, error);
  for (size_t i = 0; i < evaluation->n_schemes && status == MIEN_OK; i++) {
    cli_scheme *scheme = &evaluation->schemes[i];
    status = mien_outcomes_create(scored, scheme->thresholds, &scheme->outcomes, error);
    if (status == MIEN_OK) mien_outcomes_measure(&scheme->outcomes, NULL, scheme->labels, &scheme->averages);
  }
  return status;
}

void cli_evaluation_free(cli_evaluation *evaluation) {
  for (size_t i = 0; i < evaluation->n_schemes; i++) {
    cli_scheme *scheme = &evaluation->schemes[i];
    mien_free(scheme->thresholds);
    mien_free(scheme->labels);
    mien_free(scheme->intervals);
    mien_outcomes_free(&scheme->outcomes);
  }
  mien_ranking_free(&evaluation->ranking);
  mien_free(evaluation->label_scores);
  *evaluation = (cli_evaluation){0};
}

/* ---- Resamples ----------------------------------------------------------------------------------------------------
 */

typedef struct resampling {
  cli_evaluation *evaluations[2];
  size_t n_evaluations, n_label_figures, scheme_figures, figures; /* the latter two of one evaluation */
  mien_label_counts *counts;                                      /* [threads × L] */
  mien_score_figures *scores;                                     /* [threads × L] */
  size_t resamples;
  double *samples; /* [resamples × n_evaluations × figures] */
  double *column;  /* [resamples] */
} resampling;

static void measure_resample(const cli_evaluation *evaluation, const resampling *all, unsigned worker,
                             const uint32_t *rows, double *figures) {
  const size_t n = evaluation->scored.n_labels;
  mien_label_counts *counts = all->counts + worker * n;
  mien_score_figures *scores = all->scores + worker * n;
  size_t n_means[4];
  for (size_t i = 0; i < evaluation->n_schemes; i++, figures += all->scheme_figures) {
    mien_averages averages;
    mien_outcomes_measure(&evaluation->schemes[i].outcomes, rows, counts, &averages);
    memcpy(figures, &averages, CLI_SCHEME_FIGURES * sizeof *figures);
    for (size_t l = 0; l < all->n_label_figures; l++) figures[CLI_SCHEME_FIGURES + l] = mien_prf_of(counts[l]).f1;
  }
  for (size_t l = 0; l < n; l++) scores[l] = mien_ranking_measure(&evaluation->ranking, l, rows);
  const mien_score_figures means = mien_score_means(scores, n, n_means);
  memcpy(figures, &means, sizeof means);
}

static void measure_resamples(void *user, unsigned worker, const uint32_t *counts, double *figures) {
  const resampling *all = user;
  for (size_t i = 0; i < all->n_evaluations; i++)
    measure_resample(all->evaluations[i], all, worker, counts, figures + i * all->figures);
}

static mien_interval interval_of(const resampling *all, size_t evaluation, size_t figure) {
  const size_t stride = all->n_evaluations * all->figures, at = evaluation * all->figures + figure;
  for (size_t i = 0; i < all->resamples; i++) all->column[i] = all->samples[i * stride + at];
  return mien_interval_of(all->column, all->resamples, CLI_CONFIDENCE);
}

static mien_status take_intervals(const resampling *all, size_t which, mien_error *error) {
  cli_evaluation *evaluation = all->evaluations[which];
  const size_t n = CLI_SCHEME_FIGURES + evaluation->scored.n_labels;
  size_t figure = 0;
  for (size_t i = 0; i < evaluation->n_schemes; i++) {
    cli_scheme *scheme = &evaluation->schemes[i];
    scheme->intervals = mien_alloc(n, sizeof *scheme->intervals);
    if (!scheme->intervals) return mien_fail_memory(error, "intervals", n * sizeof *scheme->intervals);
    for (size_t l = all->scheme_figures; l < n; l++) scheme->intervals[l] = (mien_interval){NAN, NAN};
    for (size_t l = 0; l < all->scheme_figures; l++) scheme->intervals[l] = interval_of(all, which, figure++);
  }
  for (size_t i = 0; i < CLI_SCORE_FIGURES; i++) evaluation->score_intervals[i] = interval_of(all, which, figure++);
  evaluation->has_intervals = true;
  return MIEN_OK;
}

/* ---- Differences --------------------------------------------------------------------------------------------------
 */

static cli_difference difference_of(const resampling *all, size_t figure, double first, double second) {
  size_t above = 0, n = 0;
  for (size_t i = 0; i < all->resamples; i++) {
    const double *figures = all->samples + i * 2 * all->figures;
    const double found = figures[all->figures + figure] - figures[figure];
    all->column[i] = found;
    n += !isnan(found);
    above += found > 0;
  }
  return (cli_difference){.difference = second - first,
                          .interval = mien_interval_of(all->column, all->resamples, CLI_CONFIDENCE),
                          .share_above = n ? (double)above / (double)n : NAN};
}

static mien_status compare(const resampling *all, cli_comparison *comparison, mien_error *error) {
  const cli_evaluation *first = all->evaluations[0], *second = all->evaluations[1];
  const size_t n = cli_comparison_place(first->n_schemes, 0) + CLI_SCORE_FIGURES;
  cli_difference *to = comparison->differences = mien_alloc(n, sizeof *comparison->differences);
  if (!to) return mien_fail_memory(error, "comparison", n * sizeof *to);
  for (size_t i = 0; i < first->n_schemes; i++) {
    const double *a = cli_scheme_figures(&first->schemes[i]), *b = cli_scheme_figures(&second->schemes[i]);
    for (size_t figure = 0; figure < CLI_SCHEME_FIGURES; figure++)
      *to++ = difference_of(all, i * all->scheme_figures + figure, a[figure], b[figure]);
  }
  const double *a = cli_score_figures(first), *b = cli_score_figures(second);
  for (size_t figure = 0; figure < CLI_SCORE_FIGURES; figure++)
    *to++ = difference_of(all, first->n_schemes * all->scheme_figures + figure, a[figure], b[figure]);
  return MIEN_OK;
}

void cli_comparison_free(cli_comparison *comparison) {
  mien_free(comparison->differences);
  *comparison = (cli_comparison){0};
}

/* ---- All of it ----------------------------------------------------------------------------------------------------
 */

static mien_status make_room(resampling *all, unsigned threads, mien_error *error) {
  const size_t n_labels = all->evaluations[0]->scored.n_labels;
  size_t n_scratch, n_samples;
  if (!mien_size_mul(threads, n_labels, &n_scratch) ||
      !mien_size_mul(all->resamples, all->n_evaluations * all->figures, &n_samples))
    return mien_fail(error, MIEN_RESOURCE, "intervals: %zu resamples are more than memory can hold", all->resamples);
  all->counts = mien_alloc(n_scratch, sizeof *all->counts);
  all->scores = mien_alloc(n_scratch, sizeof *all->scores);
  all->samples = mien_alloc(n_samples, sizeof *all->samples);
  all->column = mien_alloc(all->resamples, sizeof *all->column);
  if (all->counts && all->scores && all->samples && all->column) return MIEN_OK;
  return mien_fail_memory(error, "intervals", n_samples * sizeof *all->samples);
}

mien_status cli_evaluation_bootstrap(cli_evaluation *evaluation, cli_evaluation *other,
                                     const mien_bootstrap_options *options, cli_comparison *comparison,
                                     mien_error *error) {
  const size_t n_labels = evaluation->scored.n_labels;
  resampling all = {.evaluations = {evaluation, other},
                    .n_evaluations = other ? 2 : 1,
                    .n_label_figures = n_labels > CLI_MOST_LABEL_INTERVALS ? 0 : n_labels,
                    .resamples = options->resamples};
  all.scheme_figures = CLI_SCHEME_FIGURES + all.n_label_figures;
  all.figures = evaluation->n_schemes * all.scheme_figures + CLI_SCORE_FIGURES;
  mien_status status = make_room(&all, options->threads, error);
  if (status == MIEN_OK && all.resamples)
    status = mien_bootstrap(evaluation->scored.n_rows, all.n_evaluations * all.figures, measure_resamples, &all,
                            options, all.samples, error);
  for (size_t i = 0; i < all.n_evaluations && status == MIEN_OK && all.resamples; i++)
    status = take_intervals(&all, i, error);
  if (status == MIEN_OK && other) status = compare(&all, comparison, error);
  mien_free(all.counts);
  mien_free(all.scores);
  mien_free(all.samples);
  mien_free(all.column);
  return status;
}
