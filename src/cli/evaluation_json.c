/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluation as one JSON object. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "cli/evaluation_print.h"
#include "cli/json_build.h"

typedef struct builder {
  const cli_evaluation_print *print;
  cli_json json;
} builder;

/* null where there is no figure. */
static json_t *number(double value) { return isnan(value) ? json_null() : json_real(value); }

/* A float32's shortest decimals, not those of its double. */
static json_t *short_number(float value) {
  char text[MIEN_NUMBER_CHARS + 1];
  text[mien_format_float(text, value)] = '\0';
  return json_real(strtod(text, NULL));
}

static json_t *interval_of(builder *to, mien_interval interval) {
  json_t *pair = json_array();
  cli_json_append(&to->json, pair, number(interval.low));
  cli_json_append(&to->json, pair, number(interval.high));
  return pair;
}

/* ---- Schemes ------------------------------------------------------------------------------------------------------
 */

static void set_prf(builder *to, json_t *object, const double *prf) {
  for (size_t i = 0; i < 3; i++) cli_json_set(&to->json, object, cli_prf_keys[i], number(prf[i]));
}

/* As classification_report(output_dict=True), and each label's threshold. */
static json_t *report_of(builder *to, const cli_evaluation *evaluation, const cli_scheme *scheme) {
  json_t *report = json_object();
  for (size_t l = 0; l < evaluation->scored.n_labels; l++) {
    const mien_prf prf = mien_prf_of(scheme->labels[l]);
    json_t *label = json_object();
    set_prf(to, label, &prf.precision);
    cli_json_set(&to->json, label, "support", cli_json_count(mien_support(scheme->labels[l])));
    cli_json_set(&to->json, label, "threshold", short_number(scheme->thresholds[l]));
    cli_json_set(&to->json, report, evaluation->labels->names[l], label);
  }
  for (size_t i = 0; i < 4; i++) {
    json_t *average = json_object();
    set_prf(to, average, cli_scheme_figures(scheme) + 3 * i);
    cli_json_set(&to->json, average, "support", cli_json_count(scheme->averages.support));
    cli_json_set(&to->json, report, cli_average_keys[i], average);
  }
  return report;
}

static json_t *intervals_of(builder *to, const cli_evaluation *evaluation, const cli_scheme *scheme) {
  json_t *all = json_object();
  for (size_t i = 0; i < 4; i++) {
    json_t *average = json_object();
    for (size_t j = 0; j < 3; j++)
      cli_json_set(&to->json, average, cli_prf_keys[j], interval_of(to, scheme->intervals[3 * i + j]));
    cli_json_set(&to->json, all, cli_average_keys[i], average);
  }
  cli_json_set(&to->json, all, "subset_accuracy", interval_of(to, scheme->intervals[CLI_SUBSET_ACCURACY]));
  json_t *labels = json_object();
  for (size_t l = 0; l < evaluation->scored.n_labels; l++)
    cli_json_set(&to->json, labels, evaluation->labels->names[l],
                 interval_of(to, scheme->intervals[CLI_SCHEME_FIGURES + l]));
  cli_json_set(&to->json, all, "labels_f1-score", labels);
  return all;
}

static json_t *scheme_of(builder *to, const cli_evaluation *evaluation, const cli_scheme *scheme) {
  json_t *object = json_object();
  cli_json_set(&to->json, object, "tuned_on_this_data", json_boolean(scheme->is_tuned));
  cli_json_set(&to->json, object, "report", report_of(to, evaluation, scheme));
  cli_json_set(&to->json, object, "subset_accuracy", number(scheme->averages.subset_accuracy));
  if (scheme->intervals) cli_json_set(&to->json, object, "intervals", intervals_of(to, evaluation, scheme));
  return object;
}

/* ---- Scores -------------------------------------------------------------------------------------------------------
 */

static json_t *scores_of(builder *to, const cli_evaluation *evaluation) {
  json_t *all = json_object();
  for (size_t i = 0; i < CLI_SCORE_FIGURES; i++) {
    json_t *figure = json_object(), *labels = json_object();
    cli_json_set(&to->json, figure, "mean", number(cli_score_figures(evaluation)[i]));
    cli_json_set(&to->json, figure, "of_labels", cli_json_count(evaluation->n_means[i]));
    if (evaluation->has_intervals)
      cli_json_set(&to->json, figure, "interval", interval_of(to, evaluation->score_intervals[i]));
    if (i == CLI_CALIBRATION_ERROR) cli_json_set(&to->json, figure, "bins", cli_json_count(MIEN_CALIBRATION_BINS));
    for (size_t l = 0; l < evaluation->scored.n_labels; l++)
      cli_json_set(&to->json, labels, evaluation->labels->names[l], number((&evaluation->label_scores[l].roc_auc)[i]));
    cli_json_set(&to->json, figure, "labels", labels);
    cli_json_set(&to->json, all, cli_score_keys[i], figure);
  }
  return all;
}

static void set_evaluation(builder *to, json_t *object, const cli_evaluation *evaluation) {
  json_t *schemes = json_object();
  for (size_t i = 0; i < evaluation->n_schemes; i++)
    cli_json_set(&to->json, schemes, evaluation->schemes[i].name, scheme_of(to, evaluation, &evaluation->schemes[i]));
  cli_json_set(&to->json, object, "schemes", schemes);
  cli_json_set(&to->json, object, "scores", scores_of(to, evaluation));
}

/* ---- A comparison -------------------------------------------------------------------------------------------------
 */

static json_t *difference_of(builder *to, const cli_difference *found) {
  json_t *object = json_object();
  cli_json_set(&to->json, object, "difference", number(found->difference));
  if (!to->print->evaluation->has_intervals) return object;
  cli_json_set(&to->json, object, "interval", interval_of(to, found->interval));
  cli_json_set(&to->json, object, "share_above", number(found->share_above));
  return object;
}

static json_t *differences_of(builder *to) {
  const cli_evaluation *first = to->print->evaluation;
  const cli_difference *found = to->print->comparison->differences;
  json_t *all = json_object(), *schemes = json_object(), *scores = json_object();
  for (size_t i = 0; i < first->n_schemes; i++) {
    json_t *scheme = json_object();
    for (size_t j = 0; j < 4; j++) {
      json_t *average = json_object();
      for (size_t k = 0; k < 3; k++)
        cli_json_set(&to->json, average, cli_prf_keys[k],
                     difference_of(to, &found[cli_comparison_place(i, 3 * j + k)]));
      cli_json_set(&to->json, scheme, cli_average_keys[j], average);
    }
    cli_json_set(&to->json, scheme, "subset_accuracy",
                 difference_of(to, &found[cli_comparison_place(i, CLI_SUBSET_ACCURACY)]));
    cli_json_set(&to->json, schemes, first->schemes[i].name, scheme);
  }
  for (size_t i = 0; i < CLI_SCORE_FIGURES; i++)
    cli_json_set(&to->json, scores, cli_score_keys[i],
                 difference_of(to, &found[cli_comparison_place(first->n_schemes, i)]));
  cli_json_set(&to->json, all, "schemes", schemes);
  cli_json_set(&to->json, all, "scores", scores);
  return all;
}

static void set_comparison(builder *to, json_t *object) {
  const cli_evaluation *both[] = {to->print->evaluation, to->print->other};
  static const char *const keys[] = {"a", "b"};
  for (size_t i = 0; i < 2; i++) {
    json_t *one = json_object();
    cli_json_set(&to->json, one, "name", cli_json_text(to->print->names[i], strlen(to->print->names[i])));
    set_evaluation(to, one, both[i]);
    cli_json_set(&to->json, object, keys[i], one);
  }
  cli_json_set(&to->json, object, "differences", differences_of(to));
}

/* ---- Mistakes -----------------------------------------------------------------------------------------------------
 */

static json_t *mistakes_of(builder *to, const cli_mistake *mistakes, size_t n) {
  const cli_evaluation *evaluation = to->print->evaluation;
  const mien_examples *examples = to->print->examples;
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) {
    const uint32_t row = mistakes[i].row;
    json_t *one = json_object(), *labels = json_array();
    cli_json_set(&to->json, one, "label", json_string(evaluation->labels->names[mistakes[i].label]));
    cli_json_set(&to->json, one, "score", short_number(mistakes[i].score));
    cli_json_set(&to->json, one, "threshold", short_number(to->print->mistakes->scheme->thresholds[mistakes[i].label]));
    cli_json_set(&to->json, one, "row", cli_json_count(row));
    cli_json_set(&to->json, one, "line", cli_json_count(examples->lines[row]));
    if (examples->ids[row].bytes)
      cli_json_set(&to->json, one, "id", cli_json_text(examples->ids[row].bytes, examples->ids[row].size));
    for (size_t l = 0; l < evaluation->scored.n_labels; l++)
      if (mien_scored_is_true(&evaluation->scored, row, l))
        cli_json_append(&to->json, labels, json_string(evaluation->labels->names[l]));
    cli_json_set(&to->json, one, "labels", labels);
    if (examples->has_texts)
      cli_json_set(&to->json, one, "text", cli_json_text(examples->texts[row].bytes, examples->texts[row].size));
    cli_json_append(&to->json, list, one);
  }
  return list;
}

static json_t *errors_of(builder *to) {
  const cli_mistakes *mistakes = to->print->mistakes;
  const mien_label_set *labels = to->print->evaluation->labels;
  json_t *errors = json_object(), *confusions = json_array();
  cli_json_set(&to->json, errors, "scheme", json_string(mistakes->scheme->name));
  cli_json_set(&to->json, errors, "tuned_on_this_data", json_boolean(mistakes->scheme->is_tuned));
  cli_json_set(&to->json, errors, "wrongly_given", mistakes_of(to, mistakes->given, mistakes->n_given));
  cli_json_set(&to->json, errors, "wrongly_not_given", mistakes_of(to, mistakes->missed, mistakes->n_missed));
  for (size_t i = 0; i < mistakes->n_confusions; i++) {
    json_t *one = json_object();
    cli_json_set(&to->json, one, "not_given", json_string(labels->names[mistakes->confusions[i].missed]));
    cli_json_set(&to->json, one, "given", json_string(labels->names[mistakes->confusions[i].given]));
    cli_json_set(&to->json, one, "rows", cli_json_count(mistakes->confusions[i].n_rows));
    cli_json_append(&to->json, confusions, one);
  }
  cli_json_set(&to->json, errors, "given_in_place_of_others", confusions);
  return errors;
}

/* ---- All of it ----------------------------------------------------------------------------------------------------
 */

static json_t *labels_of(builder *to, const mien_label_set *labels) {
  json_t *list = json_array();
  for (size_t l = 0; l < labels->n; l++) cli_json_append(&to->json, list, json_string(labels->names[l]));
  return list;
}

static json_t *bootstrap_of(builder *to) {
  json_t *object = json_object();
  cli_json_set(&to->json, object, "resamples", cli_json_count(to->print->bootstrap->resamples));
  cli_json_set(&to->json, object, "confidence", json_real(CLI_CONFIDENCE));
  cli_json_set(&to->json, object, "seed", cli_json_count(to->print->bootstrap->seed));
  return object;
}

mien_status cli_evaluation_print_json(const cli_evaluation_print *print, FILE *out, mien_error *error) {
  enum { DIGITS = 15 }; /* figures are no more exact */
  builder to = {.print = print};
  json_t *object = json_object();
  cli_json_set(&to.json, object, "data", cli_json_text(print->data, strlen(print->data)));
  cli_json_set(&to.json, object, "rows", cli_json_count(print->evaluation->scored.n_rows));
  cli_json_set(&to.json, object, "labels", labels_of(&to, print->evaluation->labels));
  if (print->evaluation->has_intervals) cli_json_set(&to.json, object, "bootstrap", bootstrap_of(&to));
  if (print->other)
    set_comparison(&to, object);
  else
    set_evaluation(&to, object, print->evaluation);
  if (print->mistakes) cli_json_set(&to.json, object, "errors", errors_of(&to));
  char *text = to.json.failed ? NULL : json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS));
  if (text) fprintf(out, "%s\n", text);
  json_decref(object);
  const bool done = text != NULL;
  free(text);
  return done ? MIEN_OK : mien_fail_memory(error, "JSON", 0);
}
