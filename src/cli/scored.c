/* SPDX-License-Identifier: Apache-2.0 */
/* Labelled data with scores beside it: by a model, or from a file that anything may have made. */
#include "cli/scored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "head/head.h"
#include "head/labels.h"

const char cli_scores_help[] =
    "  --scores FILE         an .npy of (rows, labels), numbers in [0, 1] that anything may have made, in place of a\n"
    "                        model: --thresholds and --threshold are for these then\n"
    "  --labels-of FILE      the names of its columns: a label a line, or .json as `mien label` writes it beside "
    "scores.\n"
    "                        Default: FILE.labels.json beside the scores, or else the data's numbers in their order\n";

/* ---- Names of columns ---------------------------------------------------------------------------------------------
 */

static int out_of_memory(const char *command) {
  fprintf(stderr, "mien: %s: out of memory\n", command);
  return MIEN_RESOURCE;
}

static mien_status take_names(const json_t *list, const char *path, mien_label_set *labels, mien_error *error) {
  labels->n = json_array_size(list);
  if (labels->n == 0) return mien_fail(error, MIEN_INPUT, "%s: labels: expected a list of names, found none", path);
  labels->names = mien_alloc(labels->n, sizeof *labels->names);
  if (!labels->names) return mien_fail_memory(error, path, labels->n * sizeof *labels->names);
  for (size_t i = 0; i < labels->n; i++) {
    const json_t *name = json_array_get(list, i);
    if (!json_is_string(name))
      return mien_fail(error, MIEN_INPUT, "%s: labels: expected a list of names, found %s in it", path,
                       mien_json_kind(name));
    labels->names[i] = mien_copy_text(json_string_value(name), json_string_length(name));
    if (!labels->names[i]) return mien_fail_memory(error, path, json_string_length(name));
  }
  return mien_labels_check(labels->names, labels->n, path, error);
}

/* {"labels": [name, …]}, as the sidecar of scores has it. */
static mien_status read_sidecar(const char *path, mien_label_set *labels, mien_error *error) {
  unsigned char *bytes;
  size_t size;
  json_t *object = NULL;
  mien_status status = mien_file_read(path, (size_t)64 << 20, NULL, &bytes, &size, error);
  if (status != MIEN_OK) return status;
  status = mien_json_parse((const char *)bytes, size, path, 0, JSON_OBJECT, &object, error);
  if (status == MIEN_OK) status = take_names(json_object_get(object, "labels"), path, labels, error);
  json_decref(object);
  mien_free(bytes);
  return status;
}

static bool find_sidecar(const cli_score_files *files, char sidecar[CLI_PATH_CHARS]) {
  return snprintf(sidecar, CLI_PATH_CHARS, "%s.labels.json", files->scores) < CLI_PATH_CHARS && cli_exists(sidecar);
}

static int read_columns(const cli_data *data, const char *command, const cli_score_files *files,
                        mien_label_set *labels) {
  char sidecar[CLI_PATH_CHARS];
  mien_error error;
  const char *path = files->labels_of;
  if (!path && find_sidecar(files, sidecar)) path = sidecar;
  if (!path) {
    const int code = cli_data_numbered(data, command, data->path, labels);
    if (code != MIEN_OK || labels->n > 0) return code;
    return cli_usage(command, "%s: what its columns are is not known: say --labels-of", files->scores);
  }
  const mien_status status = mien_path_ends_with(path, ".json") ? read_sidecar(path, labels, &error)
                                                                : mien_label_set_read(path, labels, &error);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

/* ---- Scores -------------------------------------------------------------------------------------------------------
 */

static mien_status check_range(const mien_floats *scores, const char *path, mien_error *error) {
  for (size_t i = 0; i < scores->n_rows * scores->n_columns; i++)
    if (!(scores->data[i] >= 0 && scores->data[i] <= 1))
      return mien_fail(error, MIEN_INPUT, "%s: row %zu, column %zu: expected a score in [0, 1], found %.9g", path,
                       i / scores->n_columns, i % scores->n_columns, (double)scores->data[i]);
  return MIEN_OK;
}

/* places[column of `from`] is the label's number in `to`; MIEN_INPUT unless they have the same names. */
static mien_status match(const mien_label_set *from, const mien_label_set *to, const char *path, size_t *places,
                         mien_error *error) {
  if (from->n != to->n)
    return mien_fail(error, MIEN_INPUT, "%s: expected the other's %zu labels, found %zu", path, to->n, from->n);
  for (size_t i = 0; i < from->n; i++) {
    places[i] = mien_label_set_find(to, from->names[i], strlen(from->names[i]));
    if (places[i] == SIZE_MAX)
      return mien_fail(error, MIEN_INPUT, "%s: label '%s' is not one of the other's %zu", path, from->names[i], to->n);
  }
  return MIEN_OK;
}

static mien_status reorder(mien_floats *scores, const size_t *places, const char *path, mien_error *error) {
  const size_t n = scores->n_columns;
  float *row = mien_alloc(n, sizeof *row);
  if (!row) return mien_fail_memory(error, path, n * sizeof *row);
  for (size_t i = 0; i < scores->n_rows; i++) {
    memcpy(row, scores->data + i * n, n * sizeof *row);
    for (size_t column = 0; column < n; column++) scores->data[i * n + places[column]] = row[column];
  }
  mien_free(row);
  return MIEN_OK;
}

int cli_scored_read_scores(const cli_data *data, const char *command, const cli_score_files *files, size_t n_rows,
                           const mien_label_set *labels, mien_floats *scores) {
  mien_label_set columns = {0};
  mien_error error;
  int code = read_columns(data, command, files, &columns);
  size_t *places = code == MIEN_OK ? mien_alloc(columns.n, sizeof *places) : NULL;
  if (code == MIEN_OK && !places) code = out_of_memory(command);
  if (code == MIEN_OK) {
    mien_status status = match(&columns, labels, files->scores, places, &error);
    if (status == MIEN_OK) status = mien_floats_read(files->scores, n_rows, labels->n, &cli_cancelled, scores, &error);
    if (status == MIEN_OK) status = check_range(scores, files->scores, &error);
    if (status == MIEN_OK) status = reorder(scores, places, files->scores, &error);
    if (status != MIEN_OK) code = cli_report(command, &error);
  }
  mien_free(places);
  mien_label_set_free(&columns);
  return code;
}

/* ---- Thresholds ---------------------------------------------------------------------------------------------------
 */

int cli_scored_read_thresholds(const char *command, const char *path, const mien_label_set *labels, float *thresholds) {
  const mien_head head = {.n_labels = labels->n, .labels = labels->names};
  unsigned char *bytes = NULL;
  size_t size;
  mien_error error;
  mien_status status = mien_file_read(path, mien_thresholds_max_bytes(&head), NULL, &bytes, &size, &error);
  if (status == MIEN_OK) status = mien_thresholds_parse(&head, (const char *)bytes, size, path, thresholds, &error);
  mien_free(bytes);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

/* Those of the options, where there is no model to have any. */
static int take_thresholds(const cli_model *options, const char *command, cli_scored *scored) {
  int code = MIEN_OK;
  if (options->thresholds_path && options->has_threshold)
    return cli_usage(command, "options '--thresholds' and '--threshold X' exclude each other");
  for (size_t l = 0; l < scored->labels.n; l++)
    scored->thresholds[l] = options->has_threshold ? (float)options->threshold : 0.5f;
  if (options->thresholds_path)
    code = cli_scored_read_thresholds(command, options->thresholds_path, &scored->labels, scored->thresholds);
  for (size_t i = 0; i < options->n_overrides && code == MIEN_OK; i++) {
    const mien_threshold *one = &options->overrides[i];
    const size_t label = mien_label_set_find(&scored->labels, one->label, strlen(one->label));
    if (label == SIZE_MAX) return cli_usage(command, "option '--threshold': there is no label '%s'", one->label);
    scored->thresholds[label] = (float)one->value;
  }
  scored->has_thresholds = options->thresholds_path || options->has_threshold || options->n_overrides;
  return code;
}

/* ---- All of it ----------------------------------------------------------------------------------------------------
 */

static int make_thresholds(const char *command, cli_scored *scored) {
  scored->thresholds = mien_alloc(scored->labels.n, sizeof *scored->thresholds);
  return scored->thresholds ? MIEN_OK : out_of_memory(command);
}

static int read_with_scores(cli_data *data, const char *command, const cli_score_files *files, cli_scored *scored) {
  const cli_model *model = &data->model;
  if (cli_model_is_named(model) || model->labels_path || model->has_dtype || data->embeddings)
    return cli_usage(command, "option '--scores' excludes a model and embeddings");
  data->without_texts = true;
  int code = read_columns(data, command, files, &scored->labels);
  if (code == MIEN_OK) code = cli_data_read(data, command, data->path, &scored->labels, &scored->examples);
  if (code == MIEN_OK)
    code = cli_scored_read_scores(data, command, files, scored->examples.n_rows, &scored->labels, &scored->scores);
  if (code == MIEN_OK) code = make_thresholds(command, scored);
  return code == MIEN_OK ? take_thresholds(model, command, scored) : code;
}

static int read_with_model(cli_data *data, const char *command, cli_scored *scored) {
  mien_model *model = NULL;
  int code = cli_data_open_model(data, command, &model);
  if (code == MIEN_OK) code = cli_data_labels_of(model, command, &scored->labels);
  if (code == MIEN_OK) code = cli_data_read(data, command, data->path, &scored->labels, &scored->examples);
  if (code == MIEN_OK) code = cli_data_score(data, command, model, &scored->examples, &scored->scores);
  if (code == MIEN_OK) code = make_thresholds(command, scored);
  for (size_t l = 0; l < scored->labels.n && code == MIEN_OK; l++)
    scored->thresholds[l] = mien_model_threshold(model, l);
  scored->has_thresholds =
      code == MIEN_OK && (mien_model_thresholds_from(model) != MIEN_THRESHOLDS_DEFAULT || data->model.n_overrides);
  mien_model_release(model);
  return code;
}

int cli_scored_read(cli_data *data, const char *command, const cli_score_files *files, cli_scored *scored) {
  if (!data->path) return cli_usage(command, "expected --data, the labelled data");
  if (!files->scores && files->labels_of)
    return cli_usage(command, "option '--labels-of' is for --scores, which is missing");
  return files->scores ? read_with_scores(data, command, files, scored) : read_with_model(data, command, scored);
}

int cli_scored_check_output(cli_data *data, const char *command, const cli_score_files *files, bool is_thresholds) {
  char sidecar[CLI_PATH_CHARS];
  const bool has_sidecar = files->scores && !files->labels_of && find_sidecar(files, sidecar);
  const char *reads[] = {files->scores, files->labels_of, has_sidecar ? sidecar : NULL, data->model.thresholds_path,
                         data->model.labels_path};
  const int code = cli_data_check_output(data, command, data->output, reads, sizeof reads / sizeof *reads);
  if (code != MIEN_OK || files->scores) return code;
  return cli_check_figures_output(&data->model, command, is_thresholds, data->output);
}

void cli_scored_free(cli_scored *scored) {
  mien_label_set_free(&scored->labels);
  mien_examples_free(&scored->examples);
  mien_floats_free(&scored->scores);
  mien_free(scored->thresholds);
  *scored = (cli_scored){0};
}

mien_scored cli_scored_view(const cli_scored *scored) {
  return (mien_scored){.n_rows = scored->examples.n_rows,
                       .n_labels = scored->labels.n,
                       .scores = scored->scores.data,
                       .n_words = scored->examples.n_words,
                       .truth = scored->examples.truth};
}

static bool is_in_a_row(const mien_scored *scored, size_t label) {
  for (size_t row = 0; row < scored->n_rows; row++)
    if (mien_scored_is_true(scored, row, label)) return true;
  return false;
}

void cli_scored_note_labels(const cli_data *data, const cli_scored *scored) {
  enum { MOST_NAMED = 5 };
  const mien_scored view = cli_scored_view(scored);
  char names[512] = "";
  size_t n = 0;
  for (size_t l = 0; l < view.n_labels; l++) {
    if (is_in_a_row(&view, l) || n++ >= MOST_NAMED) continue;
    const size_t at = strlen(names);
    snprintf(names + at, sizeof names - at, "%s'%.64s'", n > 1 ? ", " : "", scored->labels.names[l]);
  }
  mien_error error;
  if (n == 0 || data->quiet) return;
  (void)mien_fail(&error, MIEN_OK, "%s: no row has %s%s", mien_input_name(data->path), names,
                  n > MOST_NAMED ? ", …" : "");
  fprintf(stderr, "mien: note: %s (%zu of %zu labels)\n", error.message, n, view.n_labels);
}
