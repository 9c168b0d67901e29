/* SPDX-License-Identifier: Apache-2.0 */
/* BERT's parameters by transformers' names, with the shapes that a configuration gives them. */
#include <stdio.h>

#include "encoder/weights.h"

/* Room for a module's name, to which ".weight" or ".bias" is added. */
enum { MODULE_CHARS = 96 };

typedef struct walk {
  mien_parameter_finder find;
  void *context;
  mien_error *error;
  mien_status status; /* of the first failure */
} walk;

static void matrix(walk *w, const char *module, size_t outputs, size_t inputs, mien_weight *weight) {
  mien_parameter parameter = {.outputs = outputs, .inputs = inputs, .weight = weight};
  snprintf(parameter.name, sizeof parameter.name, "%.*s.weight", MODULE_CHARS, module);
  if (w->status == MIEN_OK) w->status = w->find(w->context, &parameter, w->error);
}

static void vector(walk *w, const char *module, const char *name, size_t size, mien_weight *weight) {
  mien_parameter parameter = {.is_vector = true, .outputs = 1, .inputs = size, .weight = weight};
  snprintf(parameter.name, sizeof parameter.name, "%.*s.%s", MODULE_CHARS, module, name);
  if (w->status == MIEN_OK) w->status = w->find(w->context, &parameter, w->error);
}

static void norm(walk *w, const char *module, size_t size, mien_weight_norm *weights) {
  vector(w, module, "weight", size, &weights->gamma);
  vector(w, module, "bias", size, &weights->beta);
}

/* Module `name` of layer `index`. */
static const char *in_layer(char out[MODULE_CHARS], size_t index, const char *name) {
  snprintf(out, MODULE_CHARS, "encoder.layer.%zu.%s", index, name);
  return out;
}

static void layer(walk *w, const mien_encoder_config *config, size_t index, mien_layer_weights *weights) {
  const size_t hidden = config->hidden, wide = config->intermediate;
  const struct {
    const char *name;
    size_t outputs, inputs;
    mien_weight_linear *weights;
  } linears[] = {
      {"attention.self.query", hidden, hidden, &weights->query},
      {"attention.self.key", hidden, hidden, &weights->key},
      {"attention.self.value", hidden, hidden, &weights->value},
      {"attention.output.dense", hidden, hidden, &weights->attention_output},
      {"intermediate.dense", wide, hidden, &weights->intermediate},
      {"output.dense", hidden, wide, &weights->output},
  };
  char module[MODULE_CHARS];
  for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) {
    in_layer(module, index, linears[i].name);
    matrix(w, module, linears[i].outputs, linears[i].inputs, &linears[i].weights->weight);
    vector(w, module, "bias", linears[i].outputs, &linears[i].weights->bias);
  }
  norm(w, in_layer(module, index, "attention.output.LayerNorm"), hidden, &weights->attention_norm);
  norm(w, in_layer(module, index, "output.LayerNorm"), hidden, &weights->output_norm);
}

mien_status mien_encoder_each_parameter(const mien_encoder_config *config, mien_encoder_weights *weights,
                                        mien_parameter_finder find, void *context, mien_error *error) {
  walk w = {find, context, error, MIEN_OK};
  matrix(&w, "embeddings.word_embeddings", config->vocabulary, config->hidden, &weights->word);
  matrix(&w, "embeddings.position_embeddings", config->positions, config->hidden, &weights->position);
  matrix(&w, "embeddings.token_type_embeddings", config->token_types, config->hidden, &weights->token_type);
  norm(&w, "embeddings.LayerNorm", config->hidden, &weights->norm);
  for (size_t i = 0; i < config->layers && w.status == MIEN_OK; i++) layer(&w, config, i, &weights->layers[i]);
  return w.status;
}

char *mien_show_shape(char out[MIEN_SHAPE_CHARS], size_t rank, const size_t *dims) {
  size_t at = (size_t)snprintf(out, MIEN_SHAPE_CHARS, "[");
  for (size_t i = 0; i < rank && at < MIEN_SHAPE_CHARS; i++)
    at += (size_t)snprintf(out + at, MIEN_SHAPE_CHARS - at, "%s%zu", i ? ", " : "", dims[i]);
  if (at < MIEN_SHAPE_CHARS) snprintf(out + at, MIEN_SHAPE_CHARS - at, "]");
  return out;
}
