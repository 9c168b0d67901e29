/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of a report as JSON. */
#include <math.h>
#include <stdlib.h>

#include "cli/json_build.h"
#include "cli/report_markup.h"

enum { DIGITS = 15 };

static json_t *show_measured(cli_json *to, const cli_measured *measured) {
  if (!measured->path) return json_null();
  json_t *object = json_object();
  cli_json_set(to, object, "file", cli_json_text_or_null(measured->path));
  cli_json_set(to, object, "data", cli_json_text_or_null(measured->split[0] ? measured->split : NULL));
  cli_json_set(to, object, "rows", cli_json_count(measured->n_rows));
  cli_json_set(to, object, "tuned_on_this_data", json_boolean(measured->is_tuned_on_it));
  return object;
}

static json_t *list_bins(cli_json *to, const uint64_t *bins) {
  json_t *list = json_array();
  for (size_t i = 0; i < MIEN_SCORE_BINS; i++) cli_json_append(to, list, cli_json_count(bins[i]));
  return list;
}

static json_t *show_label(cli_json *to, const cli_findings *report, const cli_report_label *label) {
  const cli_tally *tally = report->tally;
  const size_t bins = label->label * MIEN_SCORE_BINS;
  const bool is_corrected = label->correction == CLI_CORRECTED;
  const float *thresholds = report->results->thresholds;
  json_t *object = json_object(), *prevalence = is_corrected ? json_object() : json_null();
  cli_json_set(to, object, "label", cli_json_text_or_null(label->name));
  cli_json_set(to, object, "rows", cli_json_count(label->rows));
  cli_json_set(to, object, "share", json_real(cli_share(label->rows, cli_tally_labelled(tally))));
  cli_json_set(to, object, "correction", json_string(cli_correction_name(label->correction)));
  if (is_corrected) {
    cli_json_set(to, prevalence, "share", json_real(label->prevalence.estimate));
    cli_json_set(to, prevalence, "low", json_real(label->prevalence.interval.low));
    cli_json_set(to, prevalence, "high", json_real(label->prevalence.interval.high));
  }
  cli_json_set(to, object, "corrected", prevalence);
  cli_json_set(to, object, "threshold", thresholds ? cli_json_float(thresholds[label->label]) : json_null());
  cli_json_set(to, object, "scores", tally->n_scored ? list_bins(to, tally->bins + bins) : json_null());
  cli_json_set(to, object, "given_scores",
               tally->n_given_scored ? list_bins(to, tally->given_bins + bins) : json_null());
  return object;
}

static json_t *list_pairs(cli_json *to, const cli_findings *report) {
  json_t *list = json_array();
  for (size_t i = 0; i < report->n_pairs; i++) {
    const cli_report_pair *pair = &report->pairs[i];
    json_t *object = json_object(), *labels = json_array();
    cli_json_append(to, labels, cli_json_text_or_null(report->labels[pair->a].name));
    cli_json_append(to, labels, cli_json_text_or_null(report->labels[pair->b].name));
    cli_json_set(to, object, "labels", labels);
    cli_json_set(to, object, "rows", cli_json_count(pair->rows));
    cli_json_set(to, object, "lift", json_real(pair->lift));
    cli_json_append(to, list, object);
  }
  return list;
}

/* ---- By a field -------------------------------------------------------------------------------------------------- */

static json_t *show_group(cli_json *to, const cli_findings *report, const cli_group *group) {
  char start[CLI_TIME_CHARS];
  json_t *object = json_object(), *labels = json_object();
  if (report->is_time) {
    cli_time_show(report->unit, group->start, start);
    cli_json_set(to, object, "start", json_string(start));
  } else {
    cli_json_set(to, object, "value", group->name ? cli_json_text(group->name, group->bytes) : json_null());
  }
  cli_json_set(to, object, "rows", cli_json_count(group->n_rows));
  for (size_t i = 0; i < report->n_labels; i++)
    cli_json_set(to, labels, report->labels[i].name, cli_json_count(group->counts[report->labels[i].label]));
  cli_json_set(to, object, "labels", labels);
  return object;
}

static json_t *show_by(cli_json *to, const cli_findings *report) {
  if (!report->by) return json_null();
  const cli_tally_by *by = report->tally->by;
  json_t *object = json_object(), *groups = json_array();
  cli_json_set(to, object, "field", cli_json_text_or_null(report->by));
  cli_json_set(to, object, "unit", report->is_time ? json_string(cli_time_unit_name(report->unit)) : json_null());
  const cli_group *list = report->is_time ? by->bins : by->groups;
  const size_t n = report->is_time ? by->n_bins : by->n_groups;
  for (size_t i = 0; i < n; i++) cli_json_append(to, groups, show_group(to, report, &list[i]));
  if (!report->is_time && by->other.n_rows > 0) cli_json_append(to, groups, show_group(to, report, &by->other));
  cli_json_set(to, object, "groups", groups);
  return object;
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static json_t *show_report(cli_json *to, const cli_findings *report) {
  uint64_t truncated = 0;
  const cli_tally *tally = report->tally;
  json_t *object = json_object(), *paths = json_array(), *labels = json_array(), *assumed = json_array();
  for (size_t i = 0; i < report->n_paths; i++) cli_json_append(to, paths, cli_json_text_or_null(report->paths[i]));
  for (size_t i = 0; i < report->n_labels; i++) cli_json_append(to, labels, show_label(to, report, &report->labels[i]));
  cli_json_set(to, object, "results", paths);
  cli_json_set(to, object, "rows", cli_json_count(tally->n_rows));
  cli_json_set(to, object, "bad_rows", cli_json_count(tally->n_bad));
  cli_json_set(to, object, "without_labels", cli_json_count(tally->n_without));
  cli_json_set(to, object, "truncated",
               cli_report_truncated(report, &truncated) ? cli_json_count(truncated) : json_null());
  cli_json_set(to, object, "confidence", json_real(CLI_REPORT_CONFIDENCE));
  cli_json_set(to, object, "measured", show_measured(to, report->measured));
  cli_json_set(to, object, "uncorrected", report->uncorrected ? json_string(report->uncorrected) : json_null());
  for (size_t i = 0; i < report->n_assumed; i++) cli_json_append(to, assumed, json_string(report->assumed[i]));
  cli_json_set(to, object, "assumed", assumed);
  cli_json_set(to, object, "labels", labels);
  cli_json_set(to, object, "pairs", list_pairs(to, report));
  cli_json_set(to, object, "by", show_by(to, report));
  return object;
}

mien_status cli_report_json(const cli_findings *report, mien_buffer *text, mien_error *error) {
  cli_json to = {0};
  json_t *object = show_report(&to, report);
  char *dumped = to.failed ? NULL : json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS));
  const bool done = dumped && mien_buffer_append(text, dumped, strlen(dumped)) && mien_buffer_append(text, "\n", 1);
  free(dumped);
  json_decref(object);
  return done ? MIEN_OK : mien_fail_memory(error, "report", text->size);
}
