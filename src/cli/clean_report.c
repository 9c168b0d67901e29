/* SPDX-License-Identifier: Apache-2.0 */
/* The report of mien clean: one JSON object a finding. */
#include "cli/clean_report.h"

#include <stdlib.h>

#include "cli/json_build.h"

static json_t *labels_of(cli_json *to, const mien_examples *examples, size_t row) {
  json_t *labels = json_array();
  for (size_t l = 0; l < examples->labels.n; l++)
    if (mien_examples_has(examples, row, l)) cli_json_append(to, labels, json_string(examples->labels.names[l]));
  return labels;
}

static json_t *row_of(cli_json *to, const mien_examples *examples, size_t row) {
  json_t *object = json_object();
  cli_json_set(to, object, "row", json_integer((json_int_t)row));
  cli_json_set(to, object, "line", json_integer((json_int_t)examples->lines[row]));
  if (examples->ids[row].bytes)
    cli_json_set(to, object, "id", cli_json_text(examples->ids[row].bytes, examples->ids[row].size));
  cli_json_set(to, object, "text", cli_json_text(examples->texts[row].bytes, examples->texts[row].size));
  cli_json_set(to, object, "labels", labels_of(to, examples, row));
  return object;
}

/* A row of the data that is cleaned. */
static json_t *own_row_of(cli_json *to, const clean_report *report, size_t row) {
  json_t *object = row_of(to, report->examples, row);
  cli_json_set(to, object, "dropped", json_boolean(report->dropped[row]));
  return object;
}

/* Takes the object. */
static mien_status write_line(const clean_report *report, const cli_json *from, json_t *object) {
  char *line = from->failed ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(object);
  if (!line) return mien_fail_memory(report->error, "report", 0);
  mien_status status = mien_output_write(report->output, line, strlen(line), report->error);
  if (status == MIEN_OK) status = mien_output_write(report->output, "\n", 1, report->error);
  free(line);
  return status;
}

/* What became of rows in the end, whatever dropped them. */
static const char *action_of(const clean_report *report, const size_t *rows, size_t n) {
  size_t n_dropped = 0;
  for (size_t i = 0; i < n; i++) n_dropped += report->dropped[rows[i]];
  if (n_dropped == 0) return "kept";
  if (n_dropped == n) return "dropped";
  return n_dropped + 1 == n && !report->dropped[rows[0]] ? "first kept" : "some kept";
}

mien_status clean_report_group(const clean_report *report, const char *kind, const size_t *rows, size_t n,
                               double similarity) {
  if (!report->output) return MIEN_OK;
  cli_json to = {0};
  json_t *list = json_array(), *object = json_object();
  for (size_t i = 0; i < n; i++) cli_json_append(&to, list, own_row_of(&to, report, rows[i]));
  cli_json_set(&to, object, "kind", json_string(kind));
  cli_json_set(&to, object, "action", json_string(action_of(report, rows, n)));
  if (similarity < 1) cli_json_set(&to, object, "similarity", json_real(similarity));
  cli_json_set(&to, object, "rows", list);
  return write_line(report, &to, object);
}

mien_status clean_report_held_out(const clean_report *report, size_t row, const char *path, const mien_examples *there,
                                  size_t row_there, bool has_same_labels) {
  if (!report->output) return MIEN_OK;
  cli_json to = {0};
  json_t *list = json_array(), *object = json_object(), *other = row_of(&to, there, row_there);
  cli_json_set(&to, other, "file", cli_json_text(path, strlen(path)));
  cli_json_append(&to, list, own_row_of(&to, report, row));
  cli_json_append(&to, list, other);
  cli_json_set(&to, object, "kind", json_string("held_out"));
  cli_json_set(&to, object, "action", json_string("dropped"));
  cli_json_set(&to, object, "same_labels", json_boolean(has_same_labels));
  cli_json_set(&to, object, "rows", list);
  return write_line(report, &to, object);
}

mien_status clean_report_suspect(const clean_report *report, const mien_suspect *suspect) {
  if (!report->output) return MIEN_OK;
  cli_json to = {0};
  json_t *list = json_array(), *object = json_object();
  cli_json_append(&to, list, own_row_of(&to, report, suspect->row));
  cli_json_set(&to, object, "kind", json_string("label_error"));
  cli_json_set(&to, object, "action", json_string(action_of(report, &suspect->row, 1)));
  cli_json_set(&to, object, "label", json_string(report->examples->labels.names[suspect->label]));
  cli_json_set(&to, object, "is_given", json_boolean(suspect->is_given));
  cli_json_set(&to, object, "score", json_real((double)suspect->score));
  cli_json_set(&to, object, "margin", json_real(suspect->margin));
  cli_json_set(&to, object, "rows", list);
  return write_line(report, &to, object);
}
