/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluation as one JSON object. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/number.h"
#include "base/utf8.h"
#include "cli/evaluation_print.h"

/* Building on NULL, json_object_set_new and json_array_append_new free what they are given and fail: one flag says at
 * the end whether all of it is there. */
typedef struct builder {
  const cli_evaluation_print *print;
  bool failed;
} builder;

static void set(builder *to, json_t *object, const char *key, json_t *value) {
  to->failed |= json_object_set_new(object, key, value) != 0;
}

static void append(builder *to, json_t *array, json_t *value) {
  to->failed |= json_array_append_new(array, value) != 0;
}

/* null where there is no figure. */
static json_t *number(double value) { return isnan(value) ? json_null() : json_real(value); }

/* A float32's shortest decimals, not those of its double. */
static json_t *short_number(float value) {
  char text[MIEN_NUMBER_CHARS + 1];
  text[mien_format_float(text, value)] = '\0';
  return json_real(strtod(text, NULL));
}

static json_t *count(uint64_t value) { return json_integer((json_int_t)value); }

static json_t *interval_of(builder *to, mien_interval interval) {
  json_t *pair = json_array();
  append(to, pair, number(interval.low));
  append(to, pair, number(interval.high));
  return pair;
}

static json_t *text_of(const char *bytes, size_t size) {
  json_t *text = json_stringn(bytes, size);
  if (text) return text;
  /* Not UTF-8: shown as what can be. */
  const size_t capacity = 3 * size + 4;
  char *clean = malloc(capacity);
  if (clean) text = json_string(mien_utf8_clean(bytes, size, clean, capacity));
  free(clean);
  return text;
}

/* ---- Schemes ------------------------------------------------------------------------------------------------------
 */

static void set_prf(builder *to, json_t *object, const double *prf) {
  for (size_t i = 0; i < 3; i++) set(to, object, cli_prf_keys[i], number(prf[i]));
}

/* As classification_report(output_dict=True), and each label's threshold. */
static json_t *report_of(builder *to, const cli_evaluation *evaluation, const cli_scheme *scheme) {
  json_t *report = json_object();
  for (size_t l = 0; l < evaluation->scored.n_labels; l++) {
    const mien_prf prf = mien_prf_of(scheme->labels[l]);
    json_t *label = json_object();
    set_prf(to, label, &prf.precision);
    set(to, label, "support", count(mien_support(scheme->labels[l])));
    set(to, label, "threshold", short_number(scheme->thresholds[l]));
    set(to, report, evaluation->labels->names[l], label);
  }
  for (size_t i = 0; i < 4; i++) {
    json_t *average = json_object();
    set_prf(to, average, cli_scheme_figures(scheme) + 3 * i);
    set(to, average, "support", count(scheme->averages.support));
    set(to, report, cli_average_keys[i], average);
  }
  return report;
}

static json_t *intervals_of(builder *to, const cli_evaluation *evaluation, const cli_scheme *scheme) {
  json_t *all = json_object();
  for (size_t i = 0; i < 4; i++) {
    json_t *average = json_object();
    for (size_t j = 0; j < 3; j++) set(to, average, cli_prf_keys[j], interval_of(to, scheme->intervals[3 * i + j]));
    set(to, all, cli_average_keys[i], average);
  }
  set(to, all, "subset_accuracy", interval_of(to, scheme->intervals[CLI_SUBSET_ACCURACY]));
  json_t *labels = json_object();
  for (size_t l = 0; l < evaluation->scored.n_labels; l++)
    set(to, labels, evaluation->labels->names[l], interval_of(to, scheme->intervals[CLI_SCHEME_FIGURES + l]));
  set(to, all, "labels_f1-score", labels);
  return all;
}

static json_t *scheme_of(builder *to, const cli_evaluation *evaluation, const cli_scheme *scheme) {
  json_t *object = json_object();
  set(to, object, "tuned_on_this_data", json_boolean(scheme->is_tuned));
  set(to, object, "report", report_of(to, evaluation, scheme));
  set(to, object, "subset_accuracy", number(scheme->averages.subset_accuracy));
  if (scheme->intervals) set(to, object, "intervals", intervals_of(to, evaluation, scheme));
  return object;
}

/* ---- Scores -------------------------------------------------------------------------------------------------------
 */

static json_t *scores_of(builder *to, const cli_evaluation *evaluation) {
  json_t *all = json_object();
  for (size_t i = 0; i < CLI_SCORE_FIGURES; i++) {
    json_t *figure = json_object(), *labels = json_object();
    set(to, figure, "mean", number(cli_score_figures(evaluation)[i]));
    set(to, figure, "of_labels", count(evaluation->n_means[i]));
    if (evaluation->has_intervals) set(to, figure, "interval", interval_of(to, evaluation->score_intervals[i]));
    if (i == CLI_CALIBRATION_ERROR) set(to, figure, "bins", count(MIEN_CALIBRATION_BINS));
    for (size_t l = 0; l < evaluation->scored.n_labels; l++)
      set(to, labels, evaluation->labels->names[l], number((&evaluation->label_scores[l].roc_auc)[i]));
    set(to, figure, "labels", labels);
    set(to, all, cli_score_keys[i], figure);
  }
  return all;
}

static void set_evaluation(builder *to, json_t *object, const cli_evaluation *evaluation) {
  json_t *schemes = json_object();
  for (size_t i = 0; i < evaluation->n_schemes; i++)
    set(to, schemes, evaluation->schemes[i].name, scheme_of(to, evaluation, &evaluation->schemes[i]));
  set(to, object, "schemes", schemes);
  set(to, object, "scores", scores_of(to, evaluation));
}

/* ---- A comparison -------------------------------------------------------------------------------------------------
 */

static json_t *difference_of(builder *to, const cli_difference *found) {
  json_t *object = json_object();
  set(to, object, "difference", number(found->difference));
  if (!to->print->evaluation->has_intervals) return object;
  set(to, object, "interval", interval_of(to, found->interval));
  set(to, object, "share_above", number(found->share_above));
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
        set(to, average, cli_prf_keys[k], difference_of(to, &found[cli_comparison_place(i, 3 * j + k)]));
      set(to, scheme, cli_average_keys[j], average);
    }
    set(to, scheme, "subset_accuracy", difference_of(to, &found[cli_comparison_place(i, CLI_SUBSET_ACCURACY)]));
    set(to, schemes, first->schemes[i].name, scheme);
  }
  for (size_t i = 0; i < CLI_SCORE_FIGURES; i++)
    set(to, scores, cli_score_keys[i], difference_of(to, &found[cli_comparison_place(first->n_schemes, i)]));
  set(to, all, "schemes", schemes);
  set(to, all, "scores", scores);
  return all;
}

static void set_comparison(builder *to, json_t *object) {
  const cli_evaluation *both[] = {to->print->evaluation, to->print->other};
  static const char *const keys[] = {"a", "b"};
  for (size_t i = 0; i < 2; i++) {
    json_t *one = json_object();
    set(to, one, "name", text_of(to->print->names[i], strlen(to->print->names[i])));
    set_evaluation(to, one, both[i]);
    set(to, object, keys[i], one);
  }
  set(to, object, "differences", differences_of(to));
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
    set(to, one, "label", json_string(evaluation->labels->names[mistakes[i].label]));
    set(to, one, "score", short_number(mistakes[i].score));
    set(to, one, "threshold", short_number(to->print->mistakes->scheme->thresholds[mistakes[i].label]));
    set(to, one, "row", count(row));
    set(to, one, "line", count(examples->lines[row]));
    if (examples->ids[row].bytes) set(to, one, "id", text_of(examples->ids[row].bytes, examples->ids[row].size));
    for (size_t l = 0; l < evaluation->scored.n_labels; l++)
      if (mien_scored_is_true(&evaluation->scored, row, l))
        append(to, labels, json_string(evaluation->labels->names[l]));
    set(to, one, "labels", labels);
    if (examples->has_texts) set(to, one, "text", text_of(examples->texts[row].bytes, examples->texts[row].size));
    append(to, list, one);
  }
  return list;
}

static json_t *errors_of(builder *to) {
  const cli_mistakes *mistakes = to->print->mistakes;
  const mien_label_set *labels = to->print->evaluation->labels;
  json_t *errors = json_object(), *confusions = json_array();
  set(to, errors, "scheme", json_string(mistakes->scheme->name));
  set(to, errors, "tuned_on_this_data", json_boolean(mistakes->scheme->is_tuned));
  set(to, errors, "wrongly_given", mistakes_of(to, mistakes->given, mistakes->n_given));
  set(to, errors, "wrongly_not_given", mistakes_of(to, mistakes->missed, mistakes->n_missed));
  for (size_t i = 0; i < mistakes->n_confusions; i++) {
    json_t *one = json_object();
    set(to, one, "not_given", json_string(labels->names[mistakes->confusions[i].missed]));
    set(to, one, "given", json_string(labels->names[mistakes->confusions[i].given]));
    set(to, one, "rows", count(mistakes->confusions[i].n_rows));
    append(to, confusions, one);
  }
  set(to, errors, "given_in_place_of_others", confusions);
  return errors;
}

/* ---- All of it ----------------------------------------------------------------------------------------------------
 */

static json_t *labels_of(builder *to, const mien_label_set *labels) {
  json_t *list = json_array();
  for (size_t l = 0; l < labels->n; l++) append(to, list, json_string(labels->names[l]));
  return list;
}

static json_t *bootstrap_of(builder *to) {
  json_t *object = json_object();
  set(to, object, "resamples", count(to->print->bootstrap->resamples));
  set(to, object, "confidence", json_real(CLI_CONFIDENCE));
  set(to, object, "seed", count(to->print->bootstrap->seed));
  return object;
}

mien_status cli_evaluation_print_json(const cli_evaluation_print *print, FILE *out, mien_error *error) {
  enum { DIGITS = 15 }; /* figures are no more exact */
  builder to = {.print = print};
  json_t *object = json_object();
  set(&to, object, "data", text_of(print->data, strlen(print->data)));
  set(&to, object, "rows", count(print->evaluation->scored.n_rows));
  set(&to, object, "labels", labels_of(&to, print->evaluation->labels));
  if (print->evaluation->has_intervals) set(&to, object, "bootstrap", bootstrap_of(&to));
  if (print->other)
    set_comparison(&to, object);
  else
    set_evaluation(&to, object, print->evaluation);
  if (print->mistakes) set(&to, object, "errors", errors_of(&to));
  char *text = to.failed ? NULL : json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS));
  if (text) fprintf(out, "%s\n", text);
  json_decref(object);
  const bool done = text != NULL;
  free(text);
  return done ? MIEN_OK : mien_fail_memory(error, "JSON", 0);
}
