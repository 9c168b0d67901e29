/* SPDX-License-Identifier: Apache-2.0 */
/* The report of mien clean: one JSON object a finding. */
#include "cli/clean_report.h"

#include <jansson.h>
#include <stdlib.h>

/* Texts may hold bytes that are not UTF-8, which JSON can't. */
static json_t *text_of(const char *bytes, size_t size) {
  mien_buffer quoted = {0};
  json_t *value = NULL;
  if (mien_buffer_append_json(&quoted, bytes, size))
    value = json_loadb(quoted.bytes, quoted.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  mien_buffer_free(&quoted);
  return value;
}

static json_t *labels_of(const mien_examples *examples, size_t row) {
  json_t *labels = json_array();
  for (size_t l = 0; l < examples->labels.n; l++)
    if (mien_examples_has(examples, row, l)) json_array_append_new(labels, json_string(examples->labels.names[l]));
  return labels;
}

static json_t *row_of(const mien_examples *examples, size_t row) {
  json_t *object = json_object();
  json_object_set_new(object, "row", json_integer((json_int_t)row));
  json_object_set_new(object, "line", json_integer((json_int_t)examples->lines[row]));
  if (examples->ids[row].bytes)
    json_object_set_new(object, "id", text_of(examples->ids[row].bytes, examples->ids[row].size));
  json_object_set_new(object, "text", text_of(examples->texts[row].bytes, examples->texts[row].size));
  json_object_set_new(object, "labels", labels_of(examples, row));
  return object;
}

/* Takes the object. What it lacks for want of memory is seen where it is dumped or not at all: a NULL value is none. */
static mien_status write_line(const clean_report *report, json_t *object) {
  char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(object);
  if (!line) return mien_fail_memory(report->error, "report", 0);
  mien_status status = mien_output_write(report->output, line, strlen(line), report->error);
  if (status == MIEN_OK) status = mien_output_write(report->output, "\n", 1, report->error);
  free(line);
  return status;
}

mien_status clean_report_group(const clean_report *report, const char *kind, const char *action, const size_t *rows,
                               size_t n, double similarity) {
  if (!report->output) return MIEN_OK;
  json_t *list = json_array(), *object = json_object();
  for (size_t i = 0; i < n; i++) json_array_append_new(list, row_of(report->examples, rows[i]));
  json_object_set_new(object, "kind", json_string(kind));
  json_object_set_new(object, "action", json_string(action));
  if (similarity < 1) json_object_set_new(object, "similarity", json_real(similarity));
  json_object_set_new(object, "rows", list);
  return write_line(report, object);
}

mien_status clean_report_held_out(const clean_report *report, size_t row, const char *path, const mien_examples *there,
                                  size_t row_there, bool has_same_labels) {
  if (!report->output) return MIEN_OK;
  json_t *list = json_array(), *object = json_object(), *other = row_of(there, row_there);
  json_object_set_new(other, "file", text_of(path, strlen(path)));
  json_array_append_new(list, row_of(report->examples, row));
  json_array_append_new(list, other);
  json_object_set_new(object, "kind", json_string("held_out"));
  json_object_set_new(object, "action", json_string("dropped"));
  json_object_set_new(object, "same_labels", json_boolean(has_same_labels));
  json_object_set_new(object, "rows", list);
  return write_line(report, object);
}

mien_status clean_report_suspect(const clean_report *report, const char *action, const mien_suspect *suspect) {
  if (!report->output) return MIEN_OK;
  json_t *list = json_array(), *object = json_object();
  json_array_append_new(list, row_of(report->examples, suspect->row));
  json_object_set_new(object, "kind", json_string("label_error"));
  json_object_set_new(object, "action", json_string(action));
  json_object_set_new(object, "label", json_string(report->examples->labels.names[suspect->label]));
  json_object_set_new(object, "is_given", json_boolean(suspect->is_given));
  json_object_set_new(object, "score", json_real((double)suspect->score));
  json_object_set_new(object, "margin", json_real(suspect->margin));
  json_object_set_new(object, "rows", list);
  return write_line(report, object);
}
