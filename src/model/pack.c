/* SPDX-License-Identifier: Apache-2.0 */
/* A model from a pack and into one: the head's part, beside the encoder's of encoder/pack.h. */
#include "model/pack.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

/* ---- Reading --------------------------------------------------------------------------------------------------- */

/* [rank 1 or 2] finite numbers from `least` to `most`. */
static mien_status read_floats(mien_pack_file *pack, const char *name, size_t rank, const size_t *dims, float least,
                               float most, const float **numbers, mien_error *error) {
  void *data = NULL;
  mien_status status = mien_pack_tensor(pack, name, "F32", rank, dims, sizeof(float), &data, error);
  if (status != MIEN_OK) return status;
  const float *found = data;
  const size_t n = dims[0] * (rank > 1 ? dims[1] : 1);
  *numbers = found;
  for (size_t i = 0; i < n; i++)
    if (!(found[i] >= least && found[i] <= most && isfinite(found[i])))
      return mien_fail(error, MIEN_INPUT, "%s: '%s': expected finite numbers from %g to %g, found %g", pack->where,
                       name, (double)least, (double)most, (double)found[i]);
  return MIEN_OK;
}

static mien_status read_head(mien_pack_file *pack, const json_t *config, size_t dim, mien_pack_parts *parts,
                             mien_error *error) {
  const json_t *labels = json_object_get(config, "labels");
  const size_t n = json_array_size(labels);
  if (n == 0 || n > MIEN_MAX_LABELS || n > MIEN_MAX_WEIGHTS / dim)
    return mien_fail(error, MIEN_INPUT, "%s: head: labels: expected an array of 1 to %d for %zu numbers, found %zu",
                     pack->config.path, MIEN_MAX_LABELS, dim, n);
  const size_t shape[] = {n, dim};
  const float *weights = NULL, *bias = NULL, *thresholds = NULL;
  mien_status status = read_floats(pack, "head.weights", 2, shape, -FLT_MAX, FLT_MAX, &weights, error);
  if (status == MIEN_OK) status = read_floats(pack, "head.bias", 1, shape, -FLT_MAX, FLT_MAX, &bias, error);
  if (status == MIEN_OK) status = read_floats(pack, "thresholds", 1, shape, 0, 1, &thresholds, error);
  if (status == MIEN_OK)
    status = mien_head_from_floats(labels, dim, weights, bias, pack->config.path, &parts->head, error);
  if (status != MIEN_OK) return status;
  parts->thresholds = mien_alloc(n, sizeof *parts->thresholds);
  if (!parts->thresholds) return mien_fail_memory(error, pack->where, n * sizeof *parts->thresholds);
  memcpy(parts->thresholds, thresholds, n * sizeof *thresholds);
  parts->head->origin = json_pack("{s:s*, s:s*}", "producer", json_string_value(json_object_get(config, "producer")),
                                  "producer_version", json_string_value(json_object_get(config, "producer_version")));
  return parts->head->origin ? MIEN_OK : mien_fail_memory(error, pack->where, 0);
}

mien_status mien_pack_read(mien_pack_file *pack, mien_pack_parts *parts, mien_error *error) {
  const json_t *head = json_object_get(pack->config.value, "head");
  mien_status status = mien_pack_encoder(pack, &parts->encoder, error);
  if (status == MIEN_OK && head && !json_is_object(head))
    return mien_fail(error, MIEN_INPUT, "%s: head: expected an object, found %s", pack->config.path,
                     mien_json_kind(head));
  if (status == MIEN_OK && head) status = read_head(pack, head, parts->encoder->config.hidden, parts, error);
  return status == MIEN_OK ? mien_pack_require_all_taken(pack, error) : status;
}

void mien_pack_parts_free(mien_pack_parts *parts) {
  mien_encoder_source_destroy(parts->encoder);
  mien_head_destroy(parts->head);
  mien_free(parts->thresholds);
  *parts = (mien_pack_parts){0};
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

static void list_head(mien_tensor_writer *writer, void *context) {
  const mien_model *model = context;
  const mien_head_plan *plan = model->plan;
  const size_t shape[] = {plan->n_labels, plan->dim};
  if (mien_tensor_begin(writer, "head.weights", "F32", 2, shape))
    for (size_t i = 0; i < plan->n_labels; i++)
      mien_tensor_write(writer, plan->weights + i * plan->padded_dim, plan->dim, sizeof(float));
  if (mien_tensor_begin(writer, "head.bias", "F32", 1, shape))
    mien_tensor_write(writer, plan->bias, plan->n_labels, sizeof(float));
  if (mien_tensor_begin(writer, "thresholds", "F32", 1, shape))
    mien_tensor_write(writer, model->thresholds, plan->n_labels, sizeof(float));
}

/* What of a head is no number, NULL without memory. */
static json_t *json_of_head(const mien_head *head) {
  return json_pack("{s:o, s:O*, s:O*}", "labels", mien_model_json_of_labels(head), "producer",
                   json_object_get(head->origin, "producer"), "producer_version",
                   json_object_get(head->origin, "producer_version"));
}

static mien_status read_options(const mien_pack_options *given, mien_pack_options *options, mien_error *error) {
  *options = (mien_pack_options){.size = sizeof *options};
  if (!given) return MIEN_OK;
  if (given->size < sizeof(size_t) || given->size > sizeof *options)
    return mien_fail(error, MIEN_ARGUMENT, "pack options: size: expected %zu to %zu bytes, found %zu", sizeof(size_t),
                     sizeof *options, given->size);
  memcpy(options, given, given->size);
  if (!options->license || mien_utf8_is_name(options->license, strlen(options->license))) return MIEN_OK;
  return mien_fail(error, MIEN_ARGUMENT, "pack options: license: expected UTF-8 text without control characters");
}

mien_status mien_pack(const mien_model *model, const char *path, const mien_pack_options *given, mien_error *error) {
  mien_pack_options options;
  uint64_t bytes = 0;
  if (!model || !path) return mien_fail(error, MIEN_ARGUMENT, "mien_pack: model and path must not be NULL");
  mien_status status = read_options(given, &options, error);
  if (status != MIEN_OK) return status;
  if (!model->encoder)
    return mien_fail(error, MIEN_ARGUMENT, "mien_pack: expected a model with an encoder, found a head alone");
  const char *license = options.license ? options.license : model->encoder->source->license;
  mien_pack_content content = {.license = license};
  if (model->head) {
    content.list = list_head;
    content.list_context = (void *)(uintptr_t)model;
    content.head = json_of_head(model->head);
    if (!content.head) return mien_fail_memory(error, path, 0);
  }
  status = mien_pack_write(path, model->encoder, &content, &bytes, error);
  json_decref(content.head);
  return status;
}
