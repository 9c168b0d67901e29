/* SPDX-License-Identifier: Apache-2.0 */
/* What a model is, as JSON. */
#include "base/number.h"
#include "encoder/pack.h"
#include "model/model.h"

static json_t *json_of_thresholds(const mien_model *model) {
  json_t *array = json_array();
  for (size_t i = 0; array && i < model->head->n_labels; i++) {
    /* Through its shortest decimals: 0.15, not the double of float32's 0.15. By jansson, since strtod has locales. */
    char text[MIEN_NUMBER_CHARS];
    size_t length = mien_format_float(text, model->thresholds[i]);
    if (json_array_append_new(array, json_loadb(text, length, JSON_DECODE_ANY, NULL)) != 0) {
      json_decref(array);
      array = NULL;
    }
  }
  return array;
}

/* What a pack says of itself, beside its encoder. */
static int set_pack(const mien_encoder_source *source, json_t *object) {
  json_t *pack = json_pack("{s:I, s:s*, s:s*}", "pack_version", (json_int_t)MIEN_PACK_VERSION, "license",
                           source->license, "created_by", source->created_by);
  const int failed = json_object_update(object, pack);
  json_decref(pack);
  return failed;
}

static json_t *json_of_encoder(const mien_encoder_plan *encoder) {
  const mien_encoder_config *config = &encoder->config;
  json_t *object =
      json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "format", encoder->source->format, "layers",
                (json_int_t)config->layers, "hidden", (json_int_t)config->hidden, "heads", (json_int_t)config->heads,
                "intermediate", (json_int_t)config->intermediate, "vocabulary", (json_int_t)config->vocabulary,
                "positions", (json_int_t)config->positions, "max_tokens", (json_int_t)config->max_tokens, "pooling",
                mien_pack_poolings[config->pooling], "normalize", config->normalize);
  if (object && encoder->source->packed.layers && set_pack(encoder->source, object) != 0) {
    json_decref(object);
    object = NULL;
  }
  return object;
}

json_t *mien_model_json_of_labels(const mien_head *head) {
  json_t *labels = json_array();
  for (size_t i = 0; labels && i < head->n_labels; i++)
    if (json_array_append_new(labels, json_string(head->labels[i])) != 0) {
      json_decref(labels);
      labels = NULL;
    }
  return labels;
}

mien_status mien_model_make_description(mien_model *model, mien_error *error) {
  static const char *const from[] = {"default", "options", "found"};
  json_t *all = json_object();
  int failed = !all;
  if (model->head) failed |= json_object_set_new(all, "labels", mien_model_json_of_labels(model->head)) != 0;
  failed |= json_object_set_new(all, "dim", json_integer((json_int_t)mien_model_dim(model))) != 0;
  if (model->head) {
    failed |= json_object_set_new(all, "thresholds", json_of_thresholds(model)) != 0;
    failed |= json_object_set_new(all, "thresholds_from", json_string(from[model->thresholds_from])) != 0;
    failed |= json_object_set_new(all, "link", json_string("sigmoid")) != 0;
  }
  failed |= json_object_set_new(all, "dtype", json_string(mien_model_dtype(model))) != 0;
  if (model->is_pack) {
    failed |= json_object_set_new(all, "format", json_string("pack")) != 0;
    failed |= set_pack(model->encoder->source, all) != 0;
  }
  if (model->head) failed |= json_object_update(all, model->head->origin) != 0;
  if (model->encoder) failed |= json_object_set_new(all, "encoder", json_of_encoder(model->encoder)) != 0;
  /* Nine digits tell every float32 apart, and thresholds were given as their shortest decimals. */
  if (!failed) model->description = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(all);
  return model->description ? MIEN_OK : mien_fail_memory(error, "description", 0);
}
