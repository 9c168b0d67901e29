/* SPDX-License-Identifier: Apache-2.0 */
/* From an ONNX file's bytes to a head with its origin. */
#include "head/head.h"

#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "formats/onnx_file.h"
#include "head/fold.h"
#include "head/labels.h"

/* How messages call bytes without a path. */
static const char MEMORY[] = "<memory>";

void mien_head_destroy(mien_head *head) {
  if (!head) return;
  for (size_t i = 0; head->labels && i < head->n_labels; i++) mien_free(head->labels[i]);
  mien_free(head->labels);
  mien_free(head->weights);
  mien_free(head->bias);
  json_decref(head->origin);
  mien_free(head);
}

/* ---- Origin: what is worth telling of the file ---------------------------------------------------------------- */

/* A string of the file as JSON, whatever its bytes; NULL without memory. Long ones are cut. */
static json_t *text_of(const char *text) {
  char clean[512];
  return json_string(mien_utf8_clean(text ? text : "", text ? strlen(text) : 0, clean, sizeof clean));
}

static json_t *opsets_of(const MienOnnx__ModelProto *model) {
  json_t *opsets = json_object();
  for (size_t i = 0; i < model->n_opset_import && opsets; i++) {
    const MienOnnx__OperatorSetIdProto *set = model->opset_import[i];
    char domain[512];
    if (set->domain && *set->domain)
      mien_utf8_clean(set->domain, strlen(set->domain), domain, sizeof domain);
    else
      strcpy(domain, "ai.onnx");
    if (json_object_set_new(opsets, domain, json_integer(set->version)) == 0) continue;
    json_decref(opsets);
    opsets = NULL;
  }
  return opsets;
}

/* Only operators that the fold knows were met: their names need no cleaning. */
static json_t *operators_of(const MienOnnx__GraphProto *graph, const unsigned char *used) {
  static const char prefix[] = "ai.onnx.ml.";
  json_t *operators = json_object();
  for (size_t i = 0; i < graph->n_node && operators; i++) {
    if (!used[i]) continue;
    const MienOnnx__NodeProto *node = graph->node[i];
    char name[64] = "";
    if (node->domain && strcmp(node->domain, "ai.onnx.ml") == 0) strcpy(name, prefix);
    strncat(name, node->op_type, sizeof name - sizeof prefix);
    json_int_t count = json_integer_value(json_object_get(operators, name));
    if (json_object_set_new(operators, name, json_integer(count + 1)) == 0) continue;
    json_decref(operators);
    operators = NULL;
  }
  return operators;
}

static mien_status describe_origin(const mien_fold *fold, const unsigned char *used, mien_head *head) {
  const MienOnnx__ModelProto *model = fold->model;
  /* The format "s" steals nothing and "o" steals its reference; a NULL one makes the whole NULL. */
  head->origin = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "format", "onnx", "ir_version",
                           (json_int_t)model->ir_version, "producer", text_of(model->producer_name), "producer_version",
                           text_of(model->producer_version), "opsets", opsets_of(model), "input", text_of(fold->input),
                           "operators", operators_of(fold->graph, used));
  return head->origin ? MIEN_OK : mien_fail_memory(fold->error, fold->where, 0);
}

/* ---- The whole ------------------------------------------------------------------------------------------------ */

static mien_status fold_model(mien_fold *fold, const char *labels_path, mien_head *head) {
  unsigned char *used;
  mien_status status = mien_fold_begin(fold);
  if (status == MIEN_OK) status = mien_fold_alloc(fold, fold->graph->n_node, 1, &used);
  if (status == MIEN_OK) status = mien_fold_outputs(fold, labels_path, used, head);
  if (status == MIEN_OK) status = describe_origin(fold, used, head);
  return status;
}

mien_status mien_head_from_onnx(const unsigned char *bytes, size_t size, const char *path, const char *labels_path,
                                mien_head **head, mien_error *error) {
  MienOnnx__ModelProto *model;
  const char *where = path ? path : MEMORY;
  mien_status status = mien_onnx_unpack(bytes, size, where, &model, error);
  if (status != MIEN_OK) return status;
  mien_fold fold = {.model = model,
                    .graph = model->graph,
                    .path = path,
                    .where = where,
                    .error = error,
                    .bytes_left = MIEN_FOLD_BASE_BYTES,
                    .work_left = MIEN_FOLD_WORK};
  mien_head *made = mien_alloc(1, sizeof *made);
  status = made ? fold_model(&fold, labels_path, made) : mien_fail_memory(error, where, sizeof *made);
  mien_fold_release(&fold);
  mien_onnx_free(model);
  if (status == MIEN_OK)
    *head = made;
  else
    mien_head_destroy(made);
  return status;
}

/* ---- From numbers ---------------------------------------------------------------------------------------------- */

static mien_status copy_labels(const json_t *labels, const char *where, mien_head *head, mien_error *error) {
  for (size_t i = 0; i < head->n_labels; i++) {
    const json_t *label = json_array_get(labels, i);
    if (!json_is_string(label))
      return mien_fail(error, MIEN_INPUT, "%s: label %zu: expected a string, found %s", where, i + 1,
                       mien_json_kind(label));
    head->labels[i] = mien_copy_text(json_string_value(label), json_string_length(label));
    if (!head->labels[i]) return mien_fail_memory(error, where, json_string_length(label));
  }
  return mien_labels_check(head->labels, head->n_labels, where, error);
}

mien_status mien_head_from_floats(const json_t *labels, size_t dim, const float *weights, const float *bias,
                                  const char *where, mien_head **out, mien_error *error) {
  const size_t n = json_array_size(labels), count = n * dim;
  mien_head *head = mien_alloc(1, sizeof *head);
  if (!head) return mien_fail_memory(error, where, sizeof *head);
  head->n_labels = n;
  head->dim = dim;
  head->labels = mien_alloc(n, sizeof *head->labels);
  head->weights = mien_alloc(count, sizeof *head->weights);
  head->bias = mien_alloc(n, sizeof *head->bias);
  const bool has_room = head->labels && head->weights && head->bias;
  for (size_t i = 0; has_room && i < count; i++) head->weights[i] = (double)weights[i];
  for (size_t i = 0; has_room && i < n; i++) head->bias[i] = (double)bias[i];
  mien_status status = has_room ? copy_labels(labels, where, head, error)
                                : mien_fail_memory(error, where, count * sizeof *head->weights);
  if (status == MIEN_OK)
    *out = head;
  else
    mien_head_destroy(head);
  return status;
}
