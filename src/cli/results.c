/* SPDX-License-Identifier: Apache-2.0 */
/* Reading results: which labels there are, which format a file is in, and folders of parts. */
#include "cli/results.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "cli/parts_folder.h"
#include "corpus/sidecar.h"

enum { SHOWN_BYTES = 96 /* of a label in a message */ };

/* ---- Labels ------------------------------------------------------------------------------------------------------ */

mien_status cli_results_create(cli_results *results, mien_error *error) {
  results->numbers = json_object();
  results->labels.names = mien_alloc(CLI_MOST_RESULT_LABELS, sizeof *results->labels.names);
  results->tells_truncated = true;
  return results->numbers && results->labels.names ? MIEN_OK : mien_fail_memory(error, "labels", 0);
}

void cli_results_free(cli_results *results) {
  mien_label_set_free(&results->labels);
  mien_free(results->thresholds);
  json_decref(results->numbers);
  *results = (cli_results){0};
}

static mien_status add_label(cli_results *results, const char *where, mien_span name, mien_error *error) {
  mien_label_set *labels = &results->labels;
  if (labels->n == CLI_MOST_RESULT_LABELS)
    return mien_fail(error, MIEN_INPUT, "%s: expected at most %d labels, found more", where, CLI_MOST_RESULT_LABELS);
  char *copy = mien_copy_text(name.bytes, name.size);
  if (!copy || json_object_set_new(results->numbers, copy, json_integer((json_int_t)labels->n)) != 0) {
    mien_free(copy);
    return mien_fail_memory(error, where, name.size);
  }
  labels->names[labels->n++] = copy;
  return MIEN_OK;
}

mien_status cli_results_label(cli_results *results, const char *where, mien_span name, uint32_t *label,
                              mien_error *error) {
  char shown[SHOWN_BYTES];
  const json_t *found = json_object_getn(results->numbers, name.bytes, name.size);
  if (found) {
    *label = (uint32_t)json_integer_value(found);
    return MIEN_OK;
  }
  if (results->is_assumed) cli_results_give_up(results);
  if (results->has_labels)
    return mien_fail(error, MIEN_INPUT, "%s: label '%s': expected one of the %zu labels that are known", where,
                     mien_utf8_clean(name.bytes, name.size, shown, sizeof shown), results->labels.n);
  if (!mien_utf8_is_name(name.bytes, name.size))
    return mien_fail(error, MIEN_INPUT, "%s: label '%s': expected UTF-8 text without control characters", where,
                     mien_utf8_clean(name.bytes, name.size, shown, sizeof shown));
  *label = (uint32_t)results->labels.n;
  return add_label(results, where, name, error);
}

static mien_status compare_labels(const cli_results *results, const char *where, const char *const *labels, size_t n,
                                  mien_error *error) {
  if (n != results->labels.n)
    return mien_fail(error, MIEN_INPUT, "%s: expected the %zu labels that are known, found %zu", where,
                     results->labels.n, n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(labels[i], results->labels.names[i]) != 0)
      return mien_fail(error, MIEN_INPUT, "%s: label %zu: expected '%s', found '%s'", where, i,
                       results->labels.names[i], labels[i]);
  return MIEN_OK;
}

static mien_status know_thresholds(cli_results *results, const char *where, const float *thresholds,
                                   mien_error *error) {
  const size_t n = results->labels.n;
  for (size_t i = 0; results->thresholds && i < n; i++)
    if (thresholds[i] != results->thresholds[i])
      return mien_fail(error, MIEN_INPUT, "%s: threshold of '%s': expected %.9g, as others have it, found %.9g", where,
                       results->labels.names[i], (double)results->thresholds[i], (double)thresholds[i]);
  if (results->thresholds) return MIEN_OK;
  results->thresholds = mien_alloc(n, sizeof *thresholds);
  if (!results->thresholds) return mien_fail_memory(error, where, n * sizeof *thresholds);
  memcpy(results->thresholds, thresholds, n * sizeof *thresholds);
  return MIEN_OK;
}

void cli_results_give_up(cli_results *results) {
  results->is_assumed = results->has_labels = false;
  results->has_other_labels = true;
  mien_free(results->thresholds);
  results->thresholds = NULL;
}

/* What was a guess, beside what is known now. */
static void replace_assumed(cli_results *results, const char *const *labels, size_t n, bool has_thresholds) {
  mien_label_set *set = &results->labels;
  bool are_same = n == set->n;
  for (size_t i = 0; are_same && i < n; i++) are_same = strcmp(labels[i], set->names[i]) == 0;
  if (!are_same || has_thresholds) {
    mien_free(results->thresholds);
    results->thresholds = NULL;
  }
  results->is_assumed = false;
  if (are_same || results->n_rows > 0) return;
  results->has_other_labels = true;
  for (; set->n > 0; set->n--) mien_free(set->names[set->n - 1]);
  json_object_clear(results->numbers);
  results->has_labels = false;
}

mien_status cli_results_know(cli_results *results, const char *where, const char *const *labels, size_t n,
                             const float *thresholds, mien_error *error) {
  mien_status status = MIEN_OK;
  if (n == 0) return mien_fail(error, MIEN_INPUT, "%s: expected labels, found none", where);
  if (results->is_assumed) replace_assumed(results, labels, n, thresholds != NULL);
  if (!results->has_labels && results->labels.n > 0)
    return mien_fail(error, MIEN_ARGUMENT,
                     "%s: its order of labels comes too late: name it before results without, or say --model", where);
  if (results->has_labels) status = compare_labels(results, where, labels, n, error);
  for (size_t i = 0; !results->has_labels && status == MIEN_OK && i < n; i++)
    status = add_label(results, where, (mien_span){labels[i], strlen(labels[i])}, error);
  results->has_labels = true;
  return status == MIEN_OK && thresholds ? know_thresholds(results, where, thresholds, error) : status;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

mien_status cli_results_take(cli_results *results, cli_result *result, mien_error *error) {
  result->row = results->n_rows++;
  results->n_untold += !result->is_bad && !result->scores && !results->tells_rule;
  results->has_text |= result->text.bytes != NULL;
  results->has_by |= result->by.bytes != NULL;
  return results->take(results->user, result, error);
}

mien_status cli_results_assume(cli_results *results, const char *where, const char *const *labels, size_t n,
                               const float *thresholds, mien_error *error) {
  mien_status status = cli_results_know(results, where, labels, n, thresholds, error);
  results->is_assumed = status == MIEN_OK;
  return status;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static mien_status read_file(cli_results *results, const char *path, mien_output_format format, mien_error *error) {
  switch (format) {
  case MIEN_OUTPUT_JSONL: return cli_results_read_texts(results, path, false, error);
  case MIEN_OUTPUT_CSV: return cli_results_read_texts(results, path, true, error);
  case MIEN_OUTPUT_NPY: return cli_results_read_array(results, path, false, error);
  case MIEN_OUTPUT_BITS: return cli_results_read_array(results, path, true, error);
  default:
    return mien_fail(error, MIEN_INPUT, "%s: format: expected labels, as jsonl, csv, npy or bits, found embeddings",
                     mien_input_name(path));
  }
}

/* ---- Folders of parts -------------------------------------------------------------------------------------------- */

typedef struct reading {
  cli_results *results;
  const cli_parts_folder *folder;
} reading;

static mien_status read_part(void *user, const char *path, const cli_part *part, mien_error *error) {
  const reading *to = user;
  const uint64_t before = to->results->n_rows;
  bool differs;
  mien_status status =
      cli_part_check(part, path, MIEN_ROWS_LABELS, mien_output_is_array(to->folder->format), &differs, error);
  if (status == MIEN_OK) status = read_file(to->results, path, to->folder->format, error);
  if (status == MIEN_OK && to->results->n_rows - before != part->rows.n_rows)
    return mien_fail(error, MIEN_INPUT, "%s: expected %" PRIu64 " rows, found %" PRIu64, path, part->rows.n_rows,
                     to->results->n_rows - before);
  return status;
}

/* Labels and thresholds are those of the header, in its order. */
static mien_status know_header(cli_results *results, const cli_parts_folder *folder, mien_error *error) {
  json_t *list = json_object_get(folder->header, "thresholds"), *value;
  const json_t *settings = json_object_get(folder->header, "settings");
  const size_t n = json_object_size(list);
  const char *name, **labels = mien_alloc(n, sizeof *labels);
  float *thresholds = mien_alloc(n, sizeof *thresholds);
  size_t i = 0;
  mien_status status = labels && thresholds ? MIEN_OK : mien_fail_memory(error, folder->path, n * sizeof *labels);
  if (status == MIEN_OK) {
    json_object_foreach(list, name, value) {
      labels[i] = name;
      thresholds[i++] = (float)json_number_value(value);
    }
    status = cli_results_know(results, folder->path, labels, n, thresholds, error);
  }
  if (json_integer_value(json_object_get(settings, "top_k")) != 0 ||
      json_integer_value(json_object_get(settings, "min_labels")) != 0)
    results->has_other_rule = true;
  /* Rows as JSON tell which texts were split. */
  const char *how = json_string_value(json_object_get(settings, "long"));
  const char *head = json_string_value(json_object_get(json_object_get(folder->header, "model"), "head"));
  results->has_other_model |= head && results->head[0] && strcmp(head, results->head) != 0;
  results->has_split |= how && strcmp(how, "split") == 0 && folder->format != MIEN_OUTPUT_JSONL;
  mien_free(labels);
  mien_free(thresholds);
  return status;
}

static mien_status read_folder(cli_results *results, const char *path, mien_error *error) {
  cli_parts_folder folder = {0};
  mien_status status = cli_parts_folder_open(&folder, path, error);
  if (status == MIEN_OK && folder.content != MIEN_ROWS_LABELS)
    status = mien_fail(error, MIEN_INPUT, "%s: expected the parts of mien label, found those of another command", path);
  if (status == MIEN_OK) status = know_header(results, &folder, error);
  /* The parts of some formats do not say what was cut; their manifest does. */
  const bool told = results->tells_truncated;
  const bool counts = folder.format != MIEN_OUTPUT_JSONL;
  if (status == MIEN_OK && counts) results->n_truncated += folder.sum.n_truncated;
  results->tells_rule = true;
  if (results->head[0]) results->n_of_head += folder.sum.n_rows;
  if (status == MIEN_OK) status = cli_parts_folder_each(&folder, read_part, &(reading){results, &folder}, error);
  results->tells_rule = false;
  if (counts) results->tells_truncated = told;
  cli_parts_folder_close(&folder);
  return status;
}

mien_status cli_results_read(cli_results *results, const char *path, mien_error *error) {
  mien_output_format format = MIEN_OUTPUT_JSONL;
  struct stat info;
  const bool is_stdin = strcmp(path, "-") == 0;
  if (!is_stdin && stat(path, &info) != 0) return mien_fail_system(error, path, errno);
  if (!is_stdin && S_ISDIR(info.st_mode)) return read_folder(results, path, error);
  if (results->has_format)
    format = results->format;
  else if (!is_stdin && !cli_format_of(path, &format))
    return mien_fail(error, MIEN_ARGUMENT,
                     "%s: format: expected a name that ends in .jsonl, .csv, .npy or .bits, found another: say "
                     "--input-format",
                     path);
  return read_file(results, path, format, error);
}
