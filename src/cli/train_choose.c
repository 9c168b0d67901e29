/* SPDX-License-Identifier: Apache-2.0 */
/* Fits of `mien train`: every setting is tried, each label gets its best, and is fitted with it on all rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/train.h"

/* ---- Progress ---------------------------------------------------------------------------------------------------- */

typedef struct progress {
  const train *t;
  const char *what;
  double shown;
  bool shows;
} progress;

static void show_step(void *user, const mien_logistic_step *step) {
  static const double every_seconds = 0.1;
  progress *p = user;
  const double now = cli_now();
  if (!p->shows || (now - p->shown < every_seconds && step->n_active > 0)) return;
  p->shown = now;
  fprintf(stderr, "\r\x1b[Kfit %u of %u (%s): iteration %u, loss %.6g, %zu of %zu labels not yet there", p->t->fit,
          p->t->n_fits, p->what, step->iteration, step->objective, step->n_active, p->t->labels.n);
}

/* ---- One fit ----------------------------------------------------------------------------------------------------- */

/* What rows with and without the label count: (n / 2n₁)^power and (n / 2n₀)^power. */
static mien_logistic_column column_of(const train *t, size_t label, train_setting setting) {
  const double n = (double)t->targets.n_rows, with = t->masses[label], without = n - with;
  return (mien_logistic_column){.label = label,
                                .c = setting.cost,
                                .positive = with > 0 ? pow(n / (2 * with), setting.power) : 1,
                                .negative = without > 0 ? pow(n / (2 * without), setting.power) : 1};
}

/* Fits all labels, each with a setting; chosen[label], or `setting` where that is NULL. `row_weights` may be NULL. */
static int fit(train *t, const size_t *chosen, size_t setting, const float *row_weights, const char *what) {
  const mien_floats *rows = &t->parts[TRAIN_ROWS].rows;
  progress shown = {.t = t, .what = what, .shows = !t->options->data.quiet && isatty(STDERR_FILENO)};
  const mien_logistic_rows given = {.x = rows->data,
                                    .n = rows->n_rows,
                                    .dim = rows->n_columns,
                                    .targets = t->targets.data,
                                    .n_labels = t->labels.n,
                                    .weights = row_weights};
  const mien_logistic_options options = {
      .threads = t->options->data.threads, .cancel = &cli_cancelled, .progress = show_step, .progress_user = &shown};
  mien_logistic_column *columns = mien_alloc(t->labels.n, sizeof *columns);
  mien_error error;
  if (!columns) return train_out_of_memory();
  t->fit++;
  for (size_t label = 0; label < t->labels.n; label++)
    columns[label] = column_of(t, label, t->settings[chosen ? chosen[label] : setting]);
  const mien_status status =
      mien_logistic_fit(&given, columns, t->labels.n, &options, t->weights.data, t->biases, t->fitted, &error);
  if (shown.shows) fprintf(stderr, "\r\x1b[K");
  mien_free(columns);
  return train_report(status, &error);
}

static int score(const train *t, const mien_floats *rows, mien_floats *scores) {
  const mien_linear linear = {.n_labels = t->labels.n, .dim = t->dim, .weights = t->weights.data, .biases = t->biases};
  mien_error error;
  return train_report(mien_linear_score(&linear, rows, t->options->data.threads, &cli_cancelled, scores, &error),
                      &error);
}

/* Scores of the training rows, each by a fit of the other folds. */
static int score_out_of_fold(train *t, const size_t *chosen, size_t setting, const char *what, mien_floats *scores) {
  const mien_floats *rows = &t->parts[TRAIN_ROWS].rows;
  float *weights = mien_alloc(rows->n_rows, sizeof *weights);
  mien_error error;
  int code = weights ? train_report(mien_floats_create(rows->n_rows, t->labels.n, "scores", scores, &error), &error)
                     : train_out_of_memory();
  for (unsigned fold = 0; fold < t->options->folds && code == MIEN_OK; fold++) {
    mien_floats part = {0};
    for (size_t row = 0; row < rows->n_rows; row++) weights[row] = t->folds[row] == fold ? 0 : 1;
    code = fit(t, chosen, setting, weights, what);
    if (code == MIEN_OK) code = score(t, rows, &part);
    for (size_t row = 0; row < rows->n_rows && code == MIEN_OK; row++)
      if (t->folds[row] == fold)
        memcpy(scores->data + row * t->labels.n, part.data + row * t->labels.n, t->labels.n * sizeof(float));
    mien_floats_free(&part);
  }
  mien_free(weights);
  return code;
}

/* ---- Measures ---------------------------------------------------------------------------------------------------- */

static mien_scored scored_of(const train_part *part, const mien_floats *scores) {
  return (mien_scored){.n_rows = scores->n_rows,
                       .n_labels = scores->n_columns,
                       .scores = scores->data,
                       .n_words = part->examples.n_words,
                       .truth = part->examples.truth};
}

/* Of every label; NaN where no row has it. */
static int measure(const train *t, const train_part *part, const mien_floats *scores, double *figures) {
  const mien_scored scored = scored_of(part, scores);
  mien_ranking ranking = {0};
  mien_error error;
  mien_tuned *tuned = mien_alloc(t->labels.n, sizeof *tuned);
  int code = tuned ? train_report(mien_ranking_create(&scored, &ranking, &error), &error) : train_out_of_memory();
  if (code == MIEN_OK) {
    const mien_tune_options f1 = {.objective = MIEN_OBJECTIVE_FBETA, .beta = 1};
    mien_tune(&ranking, &f1, tuned);
    for (size_t label = 0; label < t->labels.n; label++)
      figures[label] = !tuned[label].has_rows ? NAN
                       : t->options->measure == TRAIN_F1
                           ? mien_prf_of(tuned[label].counts).f1
                           : mien_ranking_measure(&ranking, label, NULL).average_precision;
  }
  mien_ranking_free(&ranking);
  mien_free(tuned);
  return code;
}

/* ---- The choice -------------------------------------------------------------------------------------------------- */

static void describe(train_setting setting, char text[96]) {
  char power[32];
  snprintf(text, 96, "C %.9g, class weight %s", setting.cost, train_power_name(setting.power, power));
}

static int try_setting(train *t, size_t setting) {
  const bool by_folds = t->options->folds > 0;
  const train_part *part = &t->parts[by_folds ? TRAIN_ROWS : DEV_ROWS];
  double *figures = t->figures + setting * t->labels.n, sum = 0;
  char what[96];
  mien_floats scores = {0};
  size_t n = 0;
  describe(t->settings[setting], what);
  int code = by_folds ? score_out_of_fold(t, NULL, setting, what, &scores) : fit(t, NULL, setting, NULL, what);
  if (code == MIEN_OK && !by_folds) code = score(t, &part->rows, &scores);
  if (code == MIEN_OK) code = measure(t, part, &scores, figures);
  mien_floats_free(&scores);
  for (size_t label = 0; label < t->labels.n && code == MIEN_OK; label++) {
    if (isnan(figures[label])) continue;
    sum += figures[label];
    n++;
  }
  t->means[setting] = n ? sum / (double)n : NAN;
  return code;
}

/* The best setting of all labels together, and of each; of equally good ones the first, of the least C. Where nothing
 * is known of a label it is that of all, and where nothing is known at all the middle one. */
static void choose(train *t) {
  t->best = t->n_settings / 2;
  for (size_t s = 0; s < t->n_settings; s++)
    if (!isnan(t->means[s]) && (isnan(t->means[t->best]) || t->means[s] > t->means[t->best] ||
                                (t->means[s] == t->means[t->best] && s < t->best)))
      t->best = s;
  for (size_t label = 0; label < t->labels.n; label++) {
    double highest = -1;
    t->chosen[label] = t->best;
    for (size_t s = 0; s < t->n_settings && !t->options->same_for_all; s++) {
      const double figure = t->figures[s * t->labels.n + label];
      if (!(figure > highest)) continue;
      highest = figure;
      t->chosen[label] = s;
    }
  }
}

static int tune(train *t, const train_part *part, const mien_floats *scores) {
  const mien_scored scored = scored_of(part, scores);
  mien_ranking ranking = {0};
  mien_error error;
  const int code = train_report(mien_ranking_create(&scored, &ranking, &error), &error);
  if (code == MIEN_OK) mien_tune(&ranking, &t->options->tune.options, t->tuned);
  for (size_t label = 0; label < t->labels.n && code == MIEN_OK; label++)
    t->thresholds[label] = t->tuned[label].threshold;
  mien_ranking_free(&ranking);
  if (code == MIEN_OK && !t->options->data.quiet) cli_tune_note(&t->options->tune, &t->labels, t->tuned);
  return code;
}

/* The head with the settings that were chosen, and its thresholds: on dev, or on rows out of their folds. */
static int finish(train *t) {
  const train_part *dev = &t->parts[DEV_ROWS], *part = dev->path ? dev : &t->parts[TRAIN_ROWS];
  mien_floats scores = {0};
  int code = MIEN_OK;
  if (!dev->path) code = score_out_of_fold(t, t->chosen, 0, "out of folds, for thresholds", &scores);
  if (code == MIEN_OK) code = fit(t, t->chosen, 0, NULL, "the head");
  if (code == MIEN_OK && dev->path) code = score(t, &dev->rows, &scores);
  if (code == MIEN_OK) code = tune(t, part, &scores);
  mien_floats_free(&scores);
  return code;
}

static void note_constants(const train *t) {
  mien_error error;
  for (size_t label = 0; label < t->labels.n; label++) {
    if (!train_is_constant(t, label) || t->options->data.quiet) continue;
    (void)mien_fail(&error, MIEN_OK, "label '%s': %s row that was learned from has it: its score is a constant",
                    t->labels.names[label], t->masses[label] > 0 ? "every" : "no");
    fprintf(stderr, "mien: note: %s\n", error.message);
  }
}

static int allocate(train *t) {
  const train_options *options = t->options;
  const size_t n = t->labels.n;
  mien_error error;
  t->n_settings = options->n_costs * options->n_powers;
  t->settings = mien_alloc(t->n_settings, sizeof *t->settings);
  t->figures = mien_alloc(t->n_settings * n, sizeof *t->figures);
  t->means = mien_alloc(t->n_settings, sizeof *t->means);
  t->chosen = mien_alloc(n, sizeof *t->chosen);
  t->biases = mien_alloc(n, sizeof *t->biases);
  t->fitted = mien_alloc(n, sizeof *t->fitted);
  t->tuned = mien_alloc(n, sizeof *t->tuned);
  t->thresholds = mien_alloc(n, sizeof *t->thresholds);
  if (!t->settings || !t->figures || !t->means || !t->chosen || !t->biases || !t->fitted || !t->tuned || !t->thresholds)
    return train_out_of_memory();
  for (size_t i = 0; i < t->n_settings; i++)
    t->settings[i] =
        (train_setting){.cost = options->costs[i / options->n_powers], .power = options->powers[i % options->n_powers]};
  return train_report(mien_floats_create(n, t->dim, "weights", &t->weights, &error), &error);
}

int train_choose(train *t) {
  const unsigned folds = t->options->folds ? t->options->folds : 1;
  int code = allocate(t);
  if (code != MIEN_OK) return code;
  const bool tries = t->n_settings > 1;
  t->n_fits = (tries ? (unsigned)t->n_settings * folds : 0) + 1 + (t->parts[DEV_ROWS].path ? 0 : folds);
  for (size_t i = 0; i < t->n_settings; i++) t->means[i] = NAN;
  for (size_t i = 0; i < t->n_settings * t->labels.n; i++) t->figures[i] = NAN;
  for (size_t i = 0; i < t->n_settings && tries && code == MIEN_OK; i++) code = try_setting(t, i);
  if (code == MIEN_OK) choose(t);
  if (code == MIEN_OK) code = finish(t);
  if (code == MIEN_OK) note_constants(t);
  return code;
}
