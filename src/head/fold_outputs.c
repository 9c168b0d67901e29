/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the fold: the graph's outputs become the head's labels, weights and biases. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "head/fold.h"
#include "head/labels.h"

/* An output that holds scores. */
typedef struct output {
  const char *name;
  const mien_value *value;
  bool is_pair; /* (N,2) of σ(-t), σ(t): one label */
} output;

typedef struct outputs {
  output *list; /* [n] in the file's order */
  size_t n;
  output *affine; /* [n_affine] outputs that are affine, such as the scores' logits */
  size_t n_affine;
  const char *skipped; /* an output of class labels, or NULL */
} outputs;

__attribute__((format(printf, 3, 4))) static mien_status refuse(mien_fold *fold, const char *name, const char *format,
                                                                ...) {
  char shown[MIEN_SHOWN_BYTES], what[256];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  return mien_fail(fold->error, MIEN_INPUT, "%s: output '%s': %s", fold->where,
                   mien_utf8_clean(name, strlen(name), shown, sizeof shown), what);
}

/* ---- Which outputs hold scores -------------------------------------------------------------------------------- */

static mien_status check_names(mien_fold *fold) {
  const MienOnnx__GraphProto *graph = fold->graph;
  const char **names;
  mien_status status = mien_fold_alloc(fold, graph->n_output, sizeof *names, &names);
  if (status != MIEN_OK) return status;
  for (size_t i = 0; i < graph->n_output; i++) {
    names[i] = graph->output[i]->name;
    if (!names[i] || !*names[i])
      return mien_fail(fold->error, MIEN_INPUT, "%s: output %zu has no name", fold->where, i);
  }
  const char *twice = mien_texts_find_double(names, graph->n_output);
  return twice ? refuse(fold, twice, "is given twice") : MIEN_OK;
}

/* Scores are float or double, or a sequence of maps to them; integers and strings are class labels. */
static bool may_hold_scores(const MienOnnx__ValueInfoProto *info) {
  const MienOnnx__TypeProto *type = info->type;
  if (!type || type->value_case != MIEN_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) return true;
  switch (type->tensor_type->elem_type) {
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED:
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16: return true;
  default: return false;
  }
}

/* Every column is a sigmoid, and nothing done to it. */
static mien_status check_link(mien_fold *fold, const char *name, const mien_value *value) {
  if (value->is_half) return refuse(fold, name, "holds float16: expected scores of float or double");
  if (value->shape.rank > 1)
    return refuse(fold, name, "expected scores (N, labels), found %zu axes", value->shape.rank + 1);
  for (size_t i = 0; i < value->shape.count; i++) {
    const mien_column *c = &value->columns[i];
    if (c->link == MIEN_LINK_IDENTITY) return refuse(fold, name, "no probability link: a linear map without a sigmoid");
    if (c->link != MIEN_LINK_SIGMOID || c->c0 != 0 || c->c1 != 1)
      return refuse(fold, name, "no probability link: column %zu is not a sigmoid alone", i);
  }
  return MIEN_OK;
}

static mien_status collect_output(mien_fold *fold, const MienOnnx__ValueInfoProto *info, outputs *found) {
  const mien_value *value;
  mien_status status = mien_fold_evaluate(fold, info->name, &value);
  if (status != MIEN_OK) return status;
  if (value->kind == MIEN_VALUE_SINK) {
    found->skipped = info->name;
    return MIEN_OK;
  }
  if (!mien_value_is_batch(value)) return refuse(fold, info->name, "does not depend on the embedding");
  if (!value->is_half && value->shape.rank <= 1 && value->shape.count > 0 && mien_value_is_affine(value)) {
    found->affine[found->n_affine++] = (output){.name = info->name, .value = value};
    return MIEN_OK;
  }
  status = check_link(fold, info->name, value);
  if (status != MIEN_OK) return status;
  found->list[found->n++] = (output){info->name, value, mien_value_sums_to_one(fold, value)};
  return MIEN_OK;
}

/* Whether `scores` are the sigmoids of `logits`, column by column. */
static bool are_sigmoids_of(const mien_value *scores, const mien_value *logits) {
  if (scores->shape.count != logits->shape.count) return false;
  for (size_t i = 0; i < scores->shape.count; i++) {
    const mien_column *a = &scores->columns[i], *b = &logits->columns[i];
    if (a->row != b->row || (!a->row && a->unit != b->unit) || a->scale != b->scale || a->bias != b->bias) return false;
  }
  return true;
}

/* Affine outputs may be left out where they are the logits of scores; any other would be a label that is lost. */
static mien_status check_affine(mien_fold *fold, const outputs *found) {
  for (size_t i = 0; i < found->n_affine; i++) {
    const output *logits = &found->affine[i];
    bool is_known = false;
    for (size_t k = 0; k < found->n && !is_known; k++) {
      mien_status status = mien_fold_work(fold, logits->value->shape.count, 1);
      if (status != MIEN_OK) return status;
      is_known = are_sigmoids_of(found->list[k].value, logits->value);
    }
    if (!is_known) return refuse(fold, logits->name, "no probability link: a linear map without a sigmoid");
  }
  return MIEN_OK;
}

static mien_status collect_outputs(mien_fold *fold, outputs *found) {
  const MienOnnx__GraphProto *graph = fold->graph;
  mien_status status = check_names(fold);
  if (status == MIEN_OK) status = mien_fold_alloc(fold, graph->n_output, sizeof *found->list, &found->list);
  if (status == MIEN_OK) status = mien_fold_alloc(fold, graph->n_output, sizeof *found->affine, &found->affine);
  for (size_t i = 0; i < graph->n_output && status == MIEN_OK; i++) {
    if (may_hold_scores(graph->output[i]))
      status = collect_output(fold, graph->output[i], found);
    else
      found->skipped = graph->output[i]->name;
  }
  if (status == MIEN_OK) status = check_affine(fold, found);
  if (status != MIEN_OK || found->n > 0) return status;
  if (found->skipped)
    return refuse(fold, found->skipped, "holds class labels, and no output of the graph holds scores");
  return mien_fail(fold->error, MIEN_INPUT, "%s: the graph has no output", fold->where);
}

/* ---- Labels' columns and names -------------------------------------------------------------------------------- */

/* A label: its column, and its name if the graph has one. */
typedef struct label {
  const mien_column *column;
  const char *name;
} label;

static const char *class_of(const mien_fold *fold, const mien_column *column) {
  return column->class_index > 0 ? fold->classes[column->class_index - 1] : NULL;
}

/* Classes name the columns of a fused output when they name each, and differ: the graph may join many yes/no pairs. */
static mien_status name_fused(mien_fold *fold, label *labels, size_t n) {
  const char **names;
  mien_status status = mien_fold_alloc(fold, n, sizeof *names, &names);
  if (status != MIEN_OK) return status;
  bool all = true;
  for (size_t i = 0; i < n && all; i++) all = (names[i] = labels[i].name) != NULL;
  if (all && !mien_texts_find_double(names, n)) return MIEN_OK;
  for (size_t i = 0; i < n; i++) labels[i].name = NULL;
  return MIEN_OK;
}

static mien_status label_outputs(mien_fold *fold, const outputs *found, label **labels, size_t *n) {
  const output *first = &found->list[0];
  const bool is_fused = found->n == 1 && !first->is_pair && first->value->shape.count > 1;
  *n = is_fused ? first->value->shape.count : found->n;
  mien_status status = mien_fold_alloc(fold, *n, sizeof **labels, labels);
  if (status != MIEN_OK) return status;
  if (is_fused) {
    for (size_t i = 0; i < *n; i++)
      (*labels)[i] = (label){&first->value->columns[i], class_of(fold, &first->value->columns[i])};
    return name_fused(fold, *labels, *n);
  }
  for (size_t i = 0; i < *n; i++) {
    const output *each = &found->list[i];
    const size_t count = each->value->shape.count;
    if (count != 1 && !each->is_pair)
      return refuse(fold, each->name, "expected one label, as (N, 1) or (N, 2) that sums to 1, found %zu columns",
                    count);
    (*labels)[i] = (label){&each->value->columns[count - 1], each->name};
  }
  const char *class_name = class_of(fold, (*labels)[0].column);
  if (found->n == 1 && first->is_pair && class_name) (*labels)[0].name = class_name;
  return MIEN_OK;
}

/* Names from a file for labels that have none; for those that have, the file must say the same. */
static mien_status name_from_file(mien_fold *fold, const char *labels_path, const label *labels, mien_head *head) {
  mien_status status = mien_labels_read(labels_path, head->n_labels, head->labels, fold->error);
  for (size_t i = 0; i < head->n_labels && status == MIEN_OK && labels[0].name; i++)
    if (strcmp(head->labels[i], labels[i].name) != 0) {
      char shown[MIEN_SHOWN_BYTES];
      mien_utf8_clean(labels[i].name, strlen(labels[i].name), shown, sizeof shown);
      return mien_fail(fold->error, MIEN_INPUT, "%s: label %zu: expected '%s', as %s names it, found '%s'", labels_path,
                       i + 1, shown, fold->where, head->labels[i]);
    }
  return status;
}

static mien_status name_labels(mien_fold *fold, const char *labels_path, const outputs *found, const label *labels,
                               mien_head *head) {
  head->labels = mien_alloc(head->n_labels, sizeof *head->labels);
  if (!head->labels) return mien_fail_memory(fold->error, fold->where, head->n_labels * sizeof *head->labels);
  if (labels_path) return name_from_file(fold, labels_path, labels, head);
  if (!labels[0].name)
    return refuse(fold, found->list[0].name, "the graph does not name its %zu labels: --labels FILE gives them",
                  head->n_labels);
  for (size_t i = 0; i < head->n_labels; i++) {
    head->labels[i] = mien_copy_text(labels[i].name, strlen(labels[i].name));
    if (!head->labels[i]) return mien_fail_memory(fold->error, fold->where, strlen(labels[i].name));
  }
  return mien_labels_check(head->labels, head->n_labels, fold->where, fold->error);
}

/* ---- Weights -------------------------------------------------------------------------------------------------- */

static mien_status check_number(mien_fold *fold, const char *label_name, double number, const char *what) {
  if (fabs(number) <= FLT_MAX) return MIEN_OK;
  char shown[MIEN_JSON_NUMBER_CHARS];
  return mien_fail(fold->error, MIEN_INPUT, "%s: label '%s': %s: expected a finite float32, found %s", fold->where,
                   label_name, what, mien_json_show_number(number, shown));
}

/* A label's row of weights [D] and its bias. */
static mien_status fill_label(mien_fold *fold, const mien_column *column, size_t index, mien_head *head) {
  double *weights = head->weights + index * head->dim;
  mien_status status = MIEN_OK;
  if (!column->row) weights[column->unit] = column->scale;
  for (size_t k = 0; k < head->dim && column->row; k++) weights[k] = column->scale * column->row[k];
  for (size_t k = 0; k < head->dim && status == MIEN_OK; k++) {
    char what[40];
    if (fabs(weights[k]) <= FLT_MAX) continue;
    snprintf(what, sizeof what, "weight %zu", k);
    status = check_number(fold, head->labels[index], weights[k], what);
  }
  head->bias[index] = column->bias;
  return status == MIEN_OK ? check_number(fold, head->labels[index], column->bias, "bias") : status;
}

static mien_status fill_weights(mien_fold *fold, const label *labels, mien_head *head) {
  size_t n_weights, bytes;
  if (!mien_size_mul(head->n_labels, head->dim, &n_weights) || n_weights > MIEN_MAX_WEIGHTS ||
      !mien_size_mul(n_weights, sizeof(double), &bytes) || bytes > fold->bytes_left)
    return mien_fail(fold->error, MIEN_INPUT, "%s: a head of %zu labels × %zu dimensions is too large for its file",
                     fold->where, head->n_labels, head->dim);
  head->weights = mien_alloc(n_weights, sizeof(double));
  head->bias = mien_alloc(head->n_labels, sizeof(double));
  if (!head->weights || !head->bias) return mien_fail_memory(fold->error, fold->where, bytes);
  mien_status status = MIEN_OK;
  for (size_t i = 0; i < head->n_labels && status == MIEN_OK; i++) status = fill_label(fold, labels[i].column, i, head);
  return status;
}

mien_status mien_fold_outputs(mien_fold *fold, const char *labels_path, unsigned char *used, mien_head *head) {
  outputs found = {0};
  label *labels;
  mien_status status = collect_outputs(fold, &found);
  if (status == MIEN_OK) status = label_outputs(fold, &found, &labels, &head->n_labels);
  if (status != MIEN_OK) return status;
  head->dim = fold->dim;
  if (head->n_labels > MIEN_MAX_LABELS)
    return mien_fail(fold->error, MIEN_INPUT, "%s: expected at most %d labels, found %zu", fold->where, MIEN_MAX_LABELS,
                     head->n_labels);
  status = name_labels(fold, labels_path, &found, labels, head);
  if (status == MIEN_OK) status = fill_weights(fold, labels, head);
  for (size_t i = 0; i < found.n && status == MIEN_OK; i++) mien_fold_mark(fold, found.list[i].name, used);
  return status;
}
