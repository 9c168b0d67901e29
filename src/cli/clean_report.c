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

/* jansson frees what it can't take, and fails: one flag says at the end whether all of an object is there. */
typedef struct builder {
  bool failed;
} builder;

static void set(builder *to, json_t *object, const char *key, json_t *value) {
  to->failed |= json_object_set_new(object, key, value) != 0;
}

static void append(builder *to, json_t *array, json_t *value) {
  to->failed |= json_array_append_new(array, value) != 0;
}

static json_t *labels_of(builder *to, const mien_examples *examples, size_t row) {
  json_t *labels = json_array();
  for (size_t l = 0; l < examples->labels.n; l++)
    if (mien_examples_has(examples, row, l)) append(to, labels, json_string(examples->labels.names[l]));
  return labels;
}

static json_t *row_of(builder *to, const mien_examples *examples, size_t row) {
  json_t *object = json_object();
  set(to, object, "row", json_integer((json_int_t)row));
  set(to, object, "line", json_integer((json_int_t)examples->lines[row]));
  if (examples->ids[row].bytes) set(to, object, "id", text_of(examples->ids[row].bytes, examples->ids[row].size));
  set(to, object, "text", text_of(examples->texts[row].bytes, examples->texts[row].size));
  set(to, object, "labels", labels_of(to, examples, row));
  return object;
}

/* A row of the data that is cleaned. */
static json_t *own_row_of(builder *to, const clean_report *report, size_t row) {
  json_t *object = row_of(to, report->examples, row);
  set(to, object, "dropped", json_boolean(report->dropped[row]));
  return object;
}

/* Takes the object. */
static mien_status write_line(const clean_report *report, const builder *from, json_t *object) {
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
  builder to = {0};
  json_t *list = json_array(), *object = json_object();
  for (size_t i = 0; i < n; i++) append(&to, list, own_row_of(&to, report, rows[i]));
  set(&to, object, "kind", json_string(kind));
  set(&to, object, "action", json_string(action_of(report, rows, n)));
  if (similarity < 1) set(&to, object, "similarity", json_real(similarity));
  set(&to, object, "rows", list);
  return write_line(report, &to, object);
}

mien_status clean_report_held_out(const clean_report *report, size_t row, const char *path, const mien_examples *there,
                                  size_t row_there, bool has_same_labels) {
  if (!report->output) return MIEN_OK;
  builder to = {0};
  json_t *list = json_array(), *object = json_object(), *other = row_of(&to, there, row_there);
  set(&to, other, "file", text_of(path, strlen(path)));
  append(&to, list, own_row_of(&to, report, row));
  append(&to, list, other);
  set(&to, object, "kind", json_string("held_out"));
  set(&to, object, "action", json_string("dropped"));
  set(&to, object, "same_labels", json_boolean(has_same_labels));
  set(&to, object, "rows", list);
  return write_line(report, &to, object);
}

mien_status clean_report_suspect(const clean_report *report, const mien_suspect *suspect) {
  if (!report->output) return MIEN_OK;
  builder to = {0};
  json_t *list = json_array(), *object = json_object();
  append(&to, list, own_row_of(&to, report, suspect->row));
  set(&to, object, "kind", json_string("label_error"));
  set(&to, object, "action", json_string(action_of(report, &suspect->row, 1)));
  set(&to, object, "label", json_string(report->examples->labels.names[suspect->label]));
  set(&to, object, "is_given", json_boolean(suspect->is_given));
  set(&to, object, "score", json_real((double)suspect->score));
  set(&to, object, "margin", json_real(suspect->margin));
  set(&to, object, "rows", list);
  return write_line(report, &to, object);
}
