/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of labelled rows, from the precision, recall and support that files of figures hold. */
#include "cli/measured.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

enum { MOST_BYTES = 1 << 28 };

/* A count that a share of another gives: figures are those of whole rows. */
static bool whole(double value, double most, uint64_t *count) {
  const double nearest = round(value);
  if (!(fabs(value - nearest) <= 1e-3 * fmax(1, value)) || nearest > most) return false;
  *count = (uint64_t)nearest;
  return true;
}

static mien_status read_label(const cli_measured *measured, const char *name, const json_t *figures,
                              cli_measured_label *label, mien_error *error) {
  const json_t *threshold = json_object_get(figures, "threshold"), *support = json_object_get(figures, "support");
  const json_t *precision = json_object_get(figures, "precision"), *recall = json_object_get(figures, "recall");
  const double n = (double)measured->n_rows, p = json_number_value(precision), n_true = json_number_value(support);
  uint64_t tp = 0, given = 0;
  bool done = json_is_number(precision) && json_is_number(recall) && json_is_number(support) && n_true >= 0 &&
              n_true <= n && whole(json_number_value(recall) * n_true, n_true, &tp);
  /* Nothing was given rightly: how much was given at all is not known, and nothing can be corrected by it. */
  if (done && tp > 0) done = p > 0 && whole((double)tp / p, n, &given);
  if (!done || given < tp || (double)(given - tp) > n - n_true)
    return mien_fail(error, MIEN_INPUT,
                     "%s: '%s': expected precision, recall and support of %" PRIu64 " rows, found other numbers",
                     measured->path, name, measured->n_rows);
  label->is_there = true;
  label->confusion.tp = tp;
  label->confusion.fp = given - tp;
  label->confusion.fn = (uint64_t)n_true - tp;
  label->confusion.tn = measured->n_rows - given - label->confusion.fn;
  label->has_threshold = json_is_number(threshold);
  label->threshold = (float)json_number_value(threshold);
  return MIEN_OK;
}

/* Figures of labels, wherever the file has them; of schemes those of the thresholds that the model has. */
static const json_t *find_labels(const json_t *file, cli_measured *measured) {
  const json_t *labels = json_object_get(file, "per_label"), *schemes = json_object_get(file, "schemes");
  const char *split = json_string_value(json_object_get(file, "split"));
  const json_t *scheme = json_object_get(schemes, "thresholds");
  if (!scheme) scheme = json_object_get(schemes, "fixed_0.5");
  if (!labels) labels = json_object_get(scheme, "report");
  if (!split) split = json_string_value(json_object_get(file, "data"));
  measured->is_tuned_on_it = json_is_true(json_object_get(scheme, "tuned_on_this_data"));
  if (split) snprintf(measured->split, sizeof measured->split, "%s", split);
  return labels;
}

static mien_status take(const json_t *file, const mien_label_set *labels, cli_measured *measured, mien_error *error) {
  const json_t *rows = json_object_get(file, "rows"), *list = find_labels(file, measured);
  if (!json_is_integer(rows) || json_integer_value(rows) < 1 || !json_is_object(list))
    return mien_fail(error, MIEN_INPUT,
                     "%s: expected the metrics.json of a model, or figures of mien evaluate --json, found others",
                     measured->path);
  measured->n_rows = (uint64_t)json_integer_value(rows);
  mien_status status = MIEN_OK;
  size_t n_there = 0;
  for (size_t l = 0; status == MIEN_OK && l < labels->n; l++) {
    const json_t *figures = json_object_get(list, labels->names[l]);
    if (!figures) continue;
    status = read_label(measured, labels->names[l], figures, &measured->labels[l], error);
    n_there++;
  }
  if (status == MIEN_OK && n_there == 0 && labels->n > 0)
    return mien_fail(error, MIEN_INPUT, "%s: expected figures of the results' labels, found those of others",
                     measured->path);
  return status;
}

mien_status cli_measured_read(const char *path, const mien_label_set *labels, cli_measured *measured,
                              mien_error *error) {
  unsigned char *bytes = NULL;
  size_t size = 0;
  json_t *file = NULL;
  *measured = (cli_measured){.path = path};
  measured->labels = mien_alloc(labels->n, sizeof *measured->labels);
  if (!measured->labels) return mien_fail_memory(error, path, labels->n * sizeof *measured->labels);
  mien_status status = mien_file_read(path, MOST_BYTES, NULL, &bytes, &size, error);
  if (status == MIEN_OK) status = mien_json_parse_object((const char *)bytes, size, path, &file, error);
  if (status == MIEN_OK) status = take(file, labels, measured, error);
  json_decref(file);
  mien_free(bytes);
  return status;
}

void cli_measured_free(cli_measured *measured) {
  mien_free(measured->labels);
  *measured = (cli_measured){0};
}
