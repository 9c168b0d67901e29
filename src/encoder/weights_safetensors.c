/* SPDX-License-Identifier: Apache-2.0 */
/* BERT's parameters in a safetensors file, as transformers saves and finds them. */
#include <stdio.h>
#include <string.h>

#include "encoder/weights.h"
#include "formats/safetensors.h"

typedef struct search {
  const mien_safetensors *file;
  const char *where;
  const char *prefix; /* before every name: BertModel saves none, models with a head of their own "bert." */
} search;

static const char *const prefixes[] = {"", "bert."};

static const struct dtype {
  const char *name;
  mien_dtype dtype;
} dtypes[] = {{"F32", MIEN_F32}, {"F16", MIEN_F16}, {"BF16", MIEN_BF16}};

static const mien_safetensor *find_named(const search *s, const char *name) {
  char full[2 * MIEN_PARAMETER_CHARS];
  snprintf(full, sizeof full, "%s%s", s->prefix, name);
  return mien_safetensors_find(s->file, full);
}

/* Weights of TensorFlow times call LayerNorm's weight gamma and its bias beta. */
static const mien_safetensor *find_old_norm(const search *s, const char *name) {
  static const char *const renamed[][2] = {{".LayerNorm.weight", ".LayerNorm.gamma"},
                                           {".LayerNorm.bias", ".LayerNorm.beta"}};
  for (size_t i = 0; i < 2; i++) {
    const size_t length = strlen(name), ending = strlen(renamed[i][0]);
    char old[MIEN_PARAMETER_CHARS + 8];
    if (length < ending || strcmp(name + length - ending, renamed[i][0]) != 0) continue;
    snprintf(old, sizeof old, "%.*s%s", (int)(length - ending), name, renamed[i][1]);
    return find_named(s, old);
  }
  return NULL;
}

static mien_status check_shape(const search *s, const mien_parameter *parameter, const mien_safetensor *tensor,
                               mien_error *error) {
  const size_t dims[2] = {parameter->outputs, parameter->inputs};
  const size_t *expected = parameter->is_vector ? dims + 1 : dims, rank = parameter->is_vector ? 1 : 2;
  if (tensor->rank == rank && memcmp(tensor->dims, expected, rank * sizeof *expected) == 0) return MIEN_OK;
  char wanted[MIEN_SHAPE_CHARS], found[MIEN_SHAPE_CHARS];
  return mien_fail(error, MIEN_INPUT, "%s: '%s': expected shape %s, found %s", s->where, tensor->name,
                   mien_show_shape(wanted, rank, expected), mien_show_shape(found, tensor->rank, tensor->dims));
}

static mien_status find_parameter(void *context, const mien_parameter *parameter, mien_error *error) {
  const search *s = context;
  const mien_safetensor *tensor = find_named(s, parameter->name);
  if (!tensor) tensor = find_old_norm(s, parameter->name);
  if (!tensor)
    return mien_fail(error, MIEN_INPUT, "%s: expected a tensor '%s%s', found none of that name", s->where, s->prefix,
                     parameter->name);
  mien_status status = check_shape(s, parameter, tensor, error);
  if (status != MIEN_OK) return status;
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    if (strcmp(dtypes[i].name, tensor->dtype) != 0) continue;
    *parameter->weight = (mien_weight){
        .data = tensor->data, .outputs = parameter->outputs, .inputs = parameter->inputs, .dtype = dtypes[i].dtype};
    return MIEN_OK;
  }
  return mien_fail(error, MIEN_INPUT, "%s: '%s': dtype: expected F32, F16 or BF16, found %s", s->where, tensor->name,
                   tensor->dtype);
}

/* Layers that config.json does not count would be left out in silence. */
static mien_status check_layer_count(const search *s, size_t layers, mien_error *error) {
  char name[MIEN_PARAMETER_CHARS];
  snprintf(name, sizeof name, "encoder.layer.%zu.output.dense.weight", layers);
  if (!find_named(s, name)) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: expected %zu layers, as config.json has, found a tensor '%s%s'", s->where,
                   layers, s->prefix, name);
}

mien_status mien_encoder_weights_from_safetensors(const unsigned char *bytes, size_t size, const char *where,
                                                  const mien_encoder_config *config, mien_encoder_weights *weights,
                                                  mien_error *error) {
  mien_safetensors *file = NULL;
  mien_status status = mien_safetensors_open(bytes, size, where, &file, error);
  if (status != MIEN_OK) return status;
  search s = {.file = file, .where = where, .prefix = prefixes[0]};
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    const search candidate = {file, where, prefixes[i]};
    if (find_named(&candidate, "embeddings.word_embeddings.weight")) {
      s = candidate;
      break;
    }
  }
  status = mien_encoder_each_parameter(config, weights, find_parameter, &s, error);
  if (status == MIEN_OK) status = check_layer_count(&s, config->layers, error);
  mien_safetensors_destroy(file);
  return status;
}
