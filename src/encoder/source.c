/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder as its files give it: which files those are, and in which order they are read. */
#include "encoder/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/half.h"
#include "base/map.h"
#include "base/memory.h"
#include "encoder/panel.h"
#include "encoder/settings.h"
#include "encoder/small_file.h"
#include "encoder/weights.h"

static const char format_safetensors[] = "safetensors", format_onnx[] = "onnx";

/* ---- Which files ----------------------------------------------------------------------------------------------- */

typedef struct place {
  char *folder;  /* of modules.json */
  char *weights; /* the weights' file when it was named; NULL: to be looked for */
} place;

static bool ends_with(const char *text, const char *ending) {
  const size_t length = strlen(text), ending_length = strlen(ending);
  return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}

/* The folder that `path` lies in. */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return mien_copy_text(".", 1);
  return mien_copy_text(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Exports lie in a folder onnx of a sentence-transformers folder, which has the other files. */
static mien_status leave_onnx_folder(place *where, mien_error *error) {
  if (strcmp(where->folder, "onnx") != 0 && !ends_with(where->folder, "/onnx")) return MIEN_OK;
  if (mien_path_exists(where->folder, "modules.json") || mien_path_exists(where->folder, "tokenizer.json"))
    return MIEN_OK;
  char *parent = folder_of(where->folder);
  if (!parent) return mien_fail_memory(error, where->folder, strlen(where->folder));
  mien_free(where->folder);
  where->folder = parent;
  return MIEN_OK;
}

static mien_status find_place(const char *path, place *where, mien_error *error) {
  struct stat info;
  if (stat(path, &info) != 0) return mien_fail_system(error, path, errno);
  const bool is_folder = S_ISDIR(info.st_mode);
  where->folder = is_folder ? mien_copy_text(path, strlen(path)) : folder_of(path);
  where->weights = is_folder ? NULL : mien_copy_text(path, strlen(path));
  if (!where->folder || (!is_folder && !where->weights)) return mien_fail_memory(error, path, strlen(path));
  return is_folder ? MIEN_OK : leave_onnx_folder(where, error);
}

/* model.safetensors, or an ONNX export, in the folder of the Transformer module. */
static mien_status find_weights(const char *folder, char **path, mien_error *error) {
  static const char *const names[] = {"model.safetensors", "model.onnx", "onnx/model.onnx"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!mien_path_exists(folder, names[i])) continue;
    *path = mien_path_join(folder, names[i]);
    return *path ? MIEN_OK : mien_fail_memory(error, folder, strlen(folder));
  }
  return mien_fail(error, MIEN_INPUT, "%s: expected a model.safetensors or a model.onnx, found neither", folder);
}

/* ---- Opening --------------------------------------------------------------------------------------------------- */

static mien_status allocate_layers(mien_encoder_source *source, mien_error *error) {
  const size_t layers = source->config.layers;
  source->weights.layers = mien_alloc(layers, sizeof *source->weights.layers);
  return source->weights.layers ? MIEN_OK
                                : mien_fail_memory(error, source->path, layers * sizeof *source->weights.layers);
}

static mien_status read_weights(mien_encoder_source *source, const mien_encoder_modules *modules, mien_error *error) {
  const bool is_onnx = source->format == format_onnx;
  bool is_configured = false;
  mien_status status = mien_encoder_read_config(modules->transformer, !is_onnx, &source->config, &is_configured, error);
  if (status == MIEN_OK && is_onnx)
    return mien_encoder_weights_from_onnx(source->mapping, source->mapping_bytes, source->path, is_configured,
                                          &source->config, &source->weights, error);
  if (status == MIEN_OK) status = allocate_layers(source, error);
  if (status == MIEN_OK)
    status = mien_encoder_weights_from_safetensors(source->mapping, source->mapping_bytes, source->path,
                                                   &source->config, &source->weights, error);
  return status;
}

static mien_status map_weights(mien_encoder_source *source, mien_error *error) {
  mien_map map = {0};
  mien_status status = mien_map_open(source->path, &map, error);
  source->mapping = map.bytes;
  source->mapping_bytes = map.size;
  return status;
}

static mien_status open_all(mien_encoder_source *source, const place *where, const mien_encoder_modules *modules,
                            mien_error *error) {
  mien_encoder_config *config = &source->config;
  /* An export has lost what follows the network: nothing stands in for it. */
  if (source->format == format_onnx && !modules->is_listed)
    return mien_fail(error, MIEN_INPUT,
                     "%s: expected a modules.json, which says how an ONNX encoder's tokens are pooled, found none",
                     where->folder);
  mien_status status = map_weights(source, error);
  if (status == MIEN_OK) status = read_weights(source, modules, error);
  if (status != MIEN_OK) return status;
  config->pooling = modules->pooling;
  config->normalize = modules->normalize;
  if (modules->pooled_dim != 0 && modules->pooled_dim != config->hidden)
    return mien_fail(error, MIEN_INPUT, "%s: pooling's word_embedding_dimension: expected %zu, found %zu",
                     where->folder, config->hidden, modules->pooled_dim);
  bool lower_case = false;
  status = mien_encoder_read_max_tokens(modules->transformer, modules->is_listed, config, &lower_case, error);
  if (status == MIEN_OK)
    status = mien_encoder_read_tokenizer(modules->transformer, config->vocabulary, &source->tokenizer, error);
  if (status == MIEN_OK && lower_case)
    status = mien_encoder_require_uncased(modules->transformer, source->tokenizer, error);
  return status;
}

mien_status mien_encoder_source_open(const char *path, mien_encoder_source **out, mien_error *error) {
  place where = {0};
  mien_encoder_modules modules = {0};
  mien_encoder_source *source = mien_alloc(1, sizeof *source);
  if (!source) return mien_fail_memory(error, path, sizeof *source);
  mien_status status = find_place(path, &where, error);
  if (status == MIEN_OK) status = mien_encoder_read_modules(where.folder, &modules, error);
  if (status == MIEN_OK && !where.weights) status = find_weights(modules.transformer, &where.weights, error);
  if (status == MIEN_OK) {
    source->path = where.weights;
    where.weights = NULL;
    source->format = ends_with(source->path, ".safetensors") ? format_safetensors : format_onnx;
    status = open_all(source, &where, &modules, error);
  }
  mien_free(modules.transformer);
  mien_free(where.folder);
  mien_free(where.weights);
  if (status == MIEN_OK)
    *out = source;
  else
    mien_encoder_source_destroy(source);
  return status;
}

void mien_encoder_source_destroy(mien_encoder_source *source) {
  if (!source) return;
  mien_map map = {source->mapping, source->mapping_bytes};
  mien_map_close(&map);
  mien_tokenizer_destroy(source->tokenizer);
  mien_free(source->weights.layers);
  mien_free(source->packed.layers);
  mien_free(source->memory);
  mien_free(source->license);
  mien_free(source->created_by);
  mien_free(source->path);
  mien_free(source);
}

mien_matrix *mien_layer_matrix(mien_layer *layer, size_t index) {
  mien_matrix *const matrices[MIEN_LAYER_MATRICES] = {&layer->query_key_value, &layer->attention_output, &layer->up,
                                                      &layer->down};
  return matrices[index];
}

/* ---- Weights as floats ----------------------------------------------------------------------------------------- */

static uint32_t load16(const unsigned char *bytes) { return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8; }

static void copy_floats(const unsigned char *in, size_t n, float *out) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  memcpy(out, in, n * sizeof *out);
#else
  for (size_t i = 0; i < n; i++) {
    const uint32_t bits = load16(in + 4 * i) | load16(in + 4 * i + 2) << 16;
    memcpy(out + i, &bits, sizeof bits);
  }
#endif
}

void mien_weight_numbers(const mien_weight *weight, size_t first, size_t n, float *out) {
  const unsigned char *in = weight->data + first * mien_panel_element(weight->dtype);
  float scale;
  switch (weight->dtype) {
  case MIEN_F16:
    for (size_t i = 0; i < n; i++) out[i] = mien_half_to_float((uint16_t)load16(in + 2 * i));
    break;
  case MIEN_BF16:
    for (size_t i = 0; i < n; i++) out[i] = mien_bf16_to_float((uint16_t)load16(in + 2 * i));
    break;
  case MIEN_INT8:
    copy_floats(weight->scales + first / weight->inputs * sizeof scale, 1, &scale);
    for (size_t i = 0; i < n; i++) out[i] = (float)(in[i] < 128 ? in[i] : in[i] - 256) * scale;
    break;
  default: copy_floats(in, n, out);
  }
}
