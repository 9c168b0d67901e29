/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a model: the head with its thresholds, the encoder, or both. */
#include "model/model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "encoder/panel.h"
#include "formats/onnx_file.h"
#include "model/pack.h"

/* The weights of the largest head that is accepted as double, and some room for the graph around them. */
#define MAX_MODEL_BYTES (MIEN_MAX_WEIGHTS * 8 + ((size_t)64 << 20))

/* Names a pack without a path in messages. */
static const char in_memory[] = "<memory>";

/* A caller's options, however old its structure. */
static mien_status read_options(const mien_model_options *given, mien_model_options *options, mien_error *error) {
  *options = (mien_model_options){.size = sizeof *options};
  if (!given) return MIEN_OK;
  if (given->size < sizeof(size_t) || given->size > sizeof *options)
    return mien_fail(error, MIEN_ARGUMENT, "model options: size: expected %zu to %zu bytes, found %zu", sizeof(size_t),
                     sizeof *options, given->size);
  memcpy(options, given, given->size);
  int sources = (options->thresholds_json != NULL) + (options->thresholds_path != NULL) + (options->threshold != NULL);
  if (sources > 1)
    return mien_fail(error, MIEN_ARGUMENT,
                     "model options: expected one of thresholds_path, thresholds_json and threshold, found %d",
                     sources);
  if (options->dtype && !mien_dtype_name(*options->dtype))
    return mien_fail(error, MIEN_ARGUMENT, "model options: dtype: expected one that encoders run in, found %d",
                     *options->dtype);
  if (options->n_overrides && !options->overrides)
    return mien_fail(error, MIEN_ARGUMENT, "model options: overrides: expected %zu entries, found NULL",
                     options->n_overrides);
  return MIEN_OK;
}

/* What is about an encoder has nothing to do in a head alone. */
static mien_status check_without_encoder(const mien_model_options *options, mien_error *error) {
  if (options->max_tokens && !options->encoder_path)
    return mien_fail(error, MIEN_ARGUMENT, "model options: max_tokens: expected an encoder_path as well, found NULL");
  if (options->dtype && !options->encoder_path)
    return mien_fail(error, MIEN_ARGUMENT, "model options: dtype: expected an encoder_path as well, found NULL");
  return MIEN_OK;
}

/* What names labels or decides on them has nothing to do without a head. */
static mien_status check_without_head(const mien_model_options *options, mien_error *error) {
  if (!options->thresholds_path && !options->thresholds_json && !options->threshold && !options->n_overrides &&
      !options->labels_path)
    return MIEN_OK;
  return mien_fail(error, MIEN_ARGUMENT, "model options: thresholds and labels are a head's: expected a head");
}

static mien_status thresholds_of_file(mien_model *model, const char *path, mien_error *error) {
  unsigned char *bytes = NULL;
  size_t size = 0;
  mien_status status = mien_file_read(path, mien_thresholds_max_bytes(model->head), NULL, &bytes, &size, error);
  if (status == MIEN_OK)
    status = mien_thresholds_parse(model->head, (const char *)bytes, size, path, model->thresholds, error);
  mien_free(bytes);
  return status;
}

static mien_status override_thresholds(mien_model *model, const mien_model_options *options, mien_error *error) {
  for (size_t i = 0; i < options->n_overrides; i++) {
    const mien_threshold *given = &options->overrides[i];
    size_t label = 0;
    if (!given->label)
      return mien_fail(error, MIEN_ARGUMENT, "threshold: override %zu: expected a label, found NULL", i);
    while (label < model->head->n_labels && strcmp(given->label, model->head->labels[label]) != 0) label++;
    if (label == model->head->n_labels)
      return mien_fail(error, MIEN_ARGUMENT, "threshold: the head has no label '%s'", given->label);
    mien_status status = mien_threshold_check(given->value, given->label, &model->thresholds[label], error);
    if (status != MIEN_OK) return status;
  }
  return MIEN_OK;
}

/* `found` is the path of a thresholds.json beside the model, NULL when there is none; `own` [L] are a pack's, or NULL.
 */
static mien_status set_thresholds(mien_model *model, const mien_model_options *options, const char *found,
                                  const float *own, mien_error *error) {
  const size_t n = model->head->n_labels;
  mien_status status = MIEN_OK;
  model->thresholds = mien_alloc(n, sizeof(float));
  if (!model->thresholds) return mien_fail_memory(error, "thresholds", n * sizeof(float));
  model->thresholds_from = MIEN_THRESHOLDS_OPTIONS;
  if (options->thresholds_path) {
    status = thresholds_of_file(model, options->thresholds_path, error);
  } else if (options->thresholds_json) {
    status = mien_thresholds_parse(model->head, options->thresholds_json, options->thresholds_json_bytes,
                                   "thresholds_json", model->thresholds, error);
  } else if (!options->threshold && own) {
    model->thresholds_from = MIEN_THRESHOLDS_FOUND;
    memcpy(model->thresholds, own, n * sizeof *own);
  } else if (!options->threshold && found) {
    model->thresholds_from = MIEN_THRESHOLDS_FOUND;
    status = thresholds_of_file(model, found, error);
  } else {
    if (!options->threshold) model->thresholds_from = MIEN_THRESHOLDS_DEFAULT;
    float one = 0.5f;
    if (options->threshold) status = mien_threshold_check(*options->threshold, "every label", &one, error);
    for (size_t i = 0; i < n; i++) model->thresholds[i] = one;
  }
  return status == MIEN_OK ? override_thresholds(model, options, error) : status;
}

static mien_status plan_head(mien_model *model, mien_error *error) {
  mien_status status = mien_head_plan_create(model->head->n_labels, model->head->dim, model->head->weights,
                                             model->head->bias, model->thresholds, &model->plan, error);
  if (status != MIEN_OK) return status;
  /* The kernels have their own copy. */
  mien_free(model->head->weights);
  mien_free(model->head->bias);
  model->head->weights = model->head->bias = NULL;
  return MIEN_OK;
}

static mien_status set_head(mien_model *model, const unsigned char *bytes, size_t size, const char *path,
                            const char *thresholds, const mien_model_options *options, mien_error *error) {
  mien_status status = mien_head_from_onnx(bytes, size, path, options->labels_path, &model->head, error);
  if (status == MIEN_OK) status = set_thresholds(model, options, thresholds, NULL, error);
  return status == MIEN_OK ? plan_head(model, error) : status;
}

/* A pack's encoder is one like others. */
static mien_status open_source(const char *path, mien_encoder_source **source, mien_error *error) {
  if (!mien_pack_is_one(path)) return mien_encoder_source_open(path, source, error);
  mien_pack_file pack;
  mien_pack_parts parts = {0};
  mien_status status = mien_pack_open(path, &pack, error);
  if (status == MIEN_OK) status = mien_pack_read(&pack, &parts, error);
  if (status == MIEN_OK) {
    *source = parts.encoder;
    parts.encoder = NULL;
  }
  mien_pack_parts_free(&parts);
  mien_pack_close(&pack);
  return status;
}

static mien_status set_encoder(mien_model *model, const mien_model_options *options, mien_error *error) {
  mien_encoder_source *source;
  mien_status status = open_source(options->encoder_path, &source, error);
  if (status == MIEN_OK && model->head && source->config.hidden != model->head->dim) {
    status = mien_fail(error, MIEN_INPUT, "%s: embeddings: expected %zu numbers, which the head takes, found %zu",
                       options->encoder_path, model->head->dim, source->config.hidden);
    mien_encoder_source_destroy(source);
  }
  if (status != MIEN_OK) return status;
  return mien_encoder_plan_create(source, options->max_tokens, options->dtype, options->encoder_path, &model->encoder,
                                  error);
}

static mien_status make_model(mien_model **model, mien_error *error) {
  *model = mien_alloc(1, sizeof **model);
  if (!*model) return mien_fail_memory(error, "model", sizeof **model);
  atomic_init(&(*model)->references, 1);
  pthread_mutex_init(&(*model)->engines_lock, NULL);
  return MIEN_OK;
}

/* What has been made of a model, whole or not, to the caller or away. */
static mien_status hand_over(mien_model *model, mien_status status, mien_model **out, mien_error *error) {
  if (status == MIEN_OK) status = mien_model_make_description(model, error);
  if (status == MIEN_OK)
    *out = model;
  else
    mien_model_release(model);
  return status;
}

/* `bytes` is NULL for an encoder alone. */
static mien_status open_bytes(const void *bytes, size_t size, const char *path, const char *thresholds,
                              const mien_model_options *options, mien_model **out, mien_error *error) {
  mien_model *model;
  mien_status status = bytes ? check_without_encoder(options, error) : check_without_head(options, error);
  if (status == MIEN_OK) status = make_model(&model, error);
  if (status != MIEN_OK) return status;
  if (bytes) status = set_head(model, bytes, size, path, thresholds, options, error);
  if (status == MIEN_OK && options->encoder_path) status = set_encoder(model, options, error);
  return hand_over(model, status, out, error);
}

/* ---- Packs ----------------------------------------------------------------------------------------------------- */

static mien_status set_parts(mien_model *model, mien_pack_parts *parts, const char *where,
                             const mien_model_options *options, mien_error *error) {
  mien_status status = parts->head ? MIEN_OK : check_without_head(options, error);
  model->is_pack = true;
  model->head = parts->head;
  parts->head = NULL;
  if (status == MIEN_OK && model->head) status = set_thresholds(model, options, NULL, parts->thresholds, error);
  if (status == MIEN_OK && model->head) status = plan_head(model, error);
  if (status != MIEN_OK) return status;
  mien_encoder_source *source = parts->encoder;
  parts->encoder = NULL;
  return mien_encoder_plan_create(source, options->max_tokens, options->dtype, where, &model->encoder, error);
}

static mien_status open_pack(mien_pack_file *pack, const mien_model_options *options, mien_model **out,
                             mien_error *error) {
  mien_pack_parts parts = {0};
  mien_model *model;
  const char *given = options->encoder_path ? "encoder_path" : options->labels_path ? "labels_path" : NULL;
  if (given)
    return mien_fail(error, MIEN_ARGUMENT, "%s: model options: %s: expected NULL with a pack, which has its own",
                     pack->where, given);
  mien_status status = make_model(&model, error);
  if (status != MIEN_OK) return status;
  status = mien_pack_read(pack, &parts, error);
  if (status == MIEN_OK) status = set_parts(model, &parts, pack->where, options, error);
  mien_pack_parts_free(&parts);
  return hand_over(model, status, out, error);
}

static mien_status open_pack_file(const char *path, const mien_model_options *options, mien_model **model,
                                  mien_error *error) {
  mien_pack_file pack;
  mien_status status = mien_pack_open(path, &pack, error);
  if (status == MIEN_OK) status = open_pack(&pack, options, model, error);
  mien_pack_close(&pack);
  return status;
}

mien_status mien_model_adopt(unsigned char *bytes, size_t size, const mien_model_options *options, mien_model **model,
                             mien_error *error) {
  mien_pack_file pack;
  mien_status status = mien_pack_open_memory(bytes, size, in_memory, &pack, error);
  if (status == MIEN_OK) status = open_pack(&pack, options, model, error);
  mien_pack_close(&pack);
  return status;
}

static mien_status open_pack_copied(const void *bytes, size_t size, const mien_model_options *options,
                                    mien_model **model, mien_error *error) {
  unsigned char *copy = mien_alloc_raw(size);
  if (!copy) return mien_fail_memory(error, in_memory, size);
  memcpy(copy, bytes, size);
  return mien_model_adopt(copy, size, options, model, error);
}

/* ---- Opening --------------------------------------------------------------------------------------------------- */

/* `name` in the folder of `path`, or in `path` when that is one. */
static char *beside(const char *path, bool is_folder, const char *name) {
  const char *slash = strrchr(path, '/');
  size_t folder = is_folder ? strlen(path) : slash ? (size_t)(slash - path) + 1 : 0;
  size_t bytes = folder + strlen(name) + 2;
  char *joined = mien_alloc(bytes, 1);
  if (joined) snprintf(joined, bytes, "%.*s%s%s", (int)folder, path, is_folder ? "/" : "", name);
  return joined;
}

mien_status mien_model_open(const char *path, const mien_model_options *given, mien_model **model, mien_error *error) {
  mien_model_options options;
  if (!model) return mien_fail(error, MIEN_ARGUMENT, "mien_model_open: model must not be NULL");
  mien_status status = read_options(given, &options, error);
  if (status != MIEN_OK) return status;
  if (!path && !options.encoder_path)
    return mien_fail(error, MIEN_ARGUMENT, "mien_model_open: expected a path or an encoder_path, found neither");
  if (!path) return open_bytes(NULL, 0, NULL, NULL, &options, model, error);
  if (mien_pack_is_like(path)) return open_pack_file(path, &options, model, error);
  struct stat info;
  const bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  char *file = is_folder ? beside(path, true, "model.onnx") : mien_copy_text(path, strlen(path));
  char *thresholds = beside(path, is_folder, "thresholds.json");
  unsigned char *bytes = NULL;
  size_t size = 0;
  if (!file || !thresholds) {
    status = mien_fail_memory(error, "path", strlen(path));
  } else {
    status = mien_file_read(file, MAX_MODEL_BYTES, mien_onnx_probe, &bytes, &size, error);
    /* Anything but its absence, a link to nothing too, is for the reader of the file to report. */
    const bool found = lstat(thresholds, &info) == 0 || errno != ENOENT;
    if (status == MIEN_OK) status = open_bytes(bytes, size, file, found ? thresholds : NULL, &options, model, error);
  }
  mien_free(bytes);
  mien_free(thresholds);
  mien_free(file);
  return status;
}

mien_status mien_model_open_memory(const void *bytes, size_t size, const mien_model_options *given, mien_model **model,
                                   mien_error *error) {
  mien_model_options options;
  if ((!bytes && size) || !model)
    return mien_fail(error, MIEN_ARGUMENT, "mien_model_open_memory: bytes and model must not be NULL");
  mien_status status = read_options(given, &options, error);
  if (status != MIEN_OK) return status;
  if (mien_safetensors_is_one(bytes, size)) return open_pack_copied(bytes, size, &options, model, error);
  return open_bytes(bytes ? bytes : "", size, NULL, NULL, &options, model, error);
}

mien_model *mien_model_retain(mien_model *model) {
  if (model) atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
  return model;
}

void mien_model_release(mien_model *model) {
  if (!model || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1) return;
  mien_head_destroy(model->head);
  mien_head_plan_destroy(model->plan);
  mien_encoder_plan_destroy(model->encoder);
  mien_free(model->thresholds);
  free(model->description); /* jansson's, by malloc */
  pthread_mutex_destroy(&model->engines_lock);
  mien_free(model);
}

size_t mien_model_label_count(const mien_model *model) { return model->head ? model->head->n_labels : 0; }
size_t mien_model_words(const mien_model *model) { return model->head ? model->plan->n_words : 0; }

size_t mien_model_dim(const mien_model *model) {
  return model->head ? model->head->dim : model->encoder->config.hidden;
}

size_t mien_model_max_tokens(const mien_model *model) { return model->encoder ? model->encoder->config.max_tokens : 0; }

const char *mien_model_dtype(const mien_model *model) {
  return mien_dtype_name(model->encoder ? model->encoder->dtype : MIEN_F32);
}

const char *mien_model_label_name(const mien_model *model, size_t index) {
  return index < mien_model_label_count(model) ? model->head->labels[index] : NULL;
}

float mien_model_threshold(const mien_model *model, size_t index) {
  return index < mien_model_label_count(model) ? model->thresholds[index] : NAN;
}

mien_thresholds_from mien_model_thresholds_from(const mien_model *model) { return model->thresholds_from; }
const char *mien_model_describe(const mien_model *model) { return model->description; }
const mien_head_plan *mien_model_plan(const mien_model *model) { return model->plan; }
