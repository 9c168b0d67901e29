/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BERT's parameters in an ONNX graph that PyTorch's exporter wrote. Biases, LayerNorms and tables keep their names; the
 * matrices lose theirs, and are found where they are multiplied. The whole graph is walked back from its output, layer
 * by layer, so that one that computes something else is refused and not misread.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "encoder/graph_match.h"
#include "encoder/settings.h"
#include "formats/onnx_mapped.h"

/* ---- Names and sizes ------------------------------------------------------------------------------------------- */

static void enter_layer(mien_match *match, size_t layer, const char *part) {
  snprintf(match->part, sizeof match->part, "encoder.layer.%zu.%s", layer, part);
}

/* The tensor of parameter `name` of the part; NULL when there is none. */
static const MienOnnx__TensorProto *parameter(const mien_match *match, const char *name) {
  char full[MIEN_MATCH_PREFIX_CHARS + MIEN_MATCH_PART_CHARS + 16];
  snprintf(full, sizeof full, "%s%s.%s", match->prefix, match->part, name);
  return mien_graph_tensor(&match->graph, full);
}

/* Dimension `axis` of a parameter of rank `rank`, from 1 to `most`. */
static mien_status read_dim(const mien_match *match, const char *name, size_t rank, size_t axis, size_t most,
                            size_t *dim) {
  const MienOnnx__TensorProto *tensor = parameter(match, name);
  if (!tensor)
    return mien_fail(match->error, MIEN_INPUT, "%s: expected an initializer '%s%s.%s', found none of that name",
                     match->where, match->prefix, match->part, name);
  if (tensor->n_dims != rank || tensor->dims[axis] < 1 || (uint64_t)tensor->dims[axis] > most)
    return mien_fail(match->error, MIEN_INPUT, "%s: '%s%s.%s': expected %zu dimensions, that at %zu from 1 to %zu",
                     match->where, match->prefix, match->part, name, rank, axis, most);
  *dim = (size_t)tensor->dims[axis];
  return MIEN_OK;
}

/* What stands before "embeddings.word_embeddings.weight": the module that was exported may lie in another. */
static mien_status find_prefix(mien_match *match) {
  static const char name[] = "embeddings.word_embeddings.weight";
  const MienOnnx__GraphProto *proto = match->graph.proto;
  for (size_t i = 0; i < proto->n_initializer; i++) {
    const char *found = proto->initializer[i]->name;
    const size_t length = found ? strlen(found) : 0;
    if (length < sizeof name - 1 || strcmp(found + length - (sizeof name - 1), name) != 0) continue;
    const size_t prefix = length - (sizeof name - 1);
    if (prefix >= sizeof match->prefix || (prefix > 0 && found[prefix - 1] != '.')) continue;
    memcpy(match->prefix, found, prefix);
    match->prefix[prefix] = '\0';
    return MIEN_OK;
  }
  return mien_fail(match->error, MIEN_INPUT,
                   "%s: expected an initializer '%s', found none: is it a BERT exported from "
                   "PyTorch?",
                   match->where, name);
}

static mien_status read_sizes(mien_match *match, mien_encoder_config *config) {
  mien_match_enter(match, "embeddings.word_embeddings");
  mien_status status = read_dim(match, "weight", 2, 0, MIEN_ENCODER_MAX_VOCABULARY, &config->vocabulary);
  if (status == MIEN_OK) status = read_dim(match, "weight", 2, 1, MIEN_ENCODER_MAX_HIDDEN, &config->hidden);
  mien_match_enter(match, "embeddings.position_embeddings");
  if (status == MIEN_OK) status = read_dim(match, "weight", 2, 0, MIEN_ENCODER_MAX_POSITIONS, &config->positions);
  mien_match_enter(match, "embeddings.token_type_embeddings");
  if (status == MIEN_OK) status = read_dim(match, "weight", 2, 0, MIEN_ENCODER_MAX_TOKEN_TYPES, &config->token_types);
  enter_layer(match, 0, "intermediate.dense");
  if (status == MIEN_OK) status = read_dim(match, "bias", 1, 0, MIEN_ENCODER_MAX_INTERMEDIATE, &config->intermediate);
  for (config->layers = 0; config->layers < MIEN_ENCODER_MAX_LAYERS; config->layers++) {
    enter_layer(match, config->layers, "output.dense");
    if (!parameter(match, "bias")) break;
  }
  if (status == MIEN_OK && config->layers == 0) status = read_dim(match, "bias", 1, 0, config->hidden, &match->hidden);
  match->hidden = config->hidden;
  match->intermediate = config->intermediate;
  return status;
}

/* ---- Layers ---------------------------------------------------------------------------------------------------- */

/* A linear map of part `part` of the layer. */
static mien_status linear(mien_match *match, size_t layer, const char *part, const char *output, size_t outputs,
                          size_t inputs, mien_weight_linear *weights, const char **input) {
  enter_layer(match, layer, part);
  return mien_match_linear(match, output, outputs, inputs, weights, input);
}

/* norm(dense(input) + residual): finds the input of `part`.dense and the residual. */
static mien_status residual_block(mien_match *match, size_t layer, const char *part, const char *output, size_t inputs,
                                  mien_weight_linear *dense, mien_weight_norm *norm, const char **input,
                                  const char **residual) {
  const char *sum;
  char name[64];
  snprintf(name, sizeof name, "%s.LayerNorm", part);
  enter_layer(match, layer, name);
  mien_status status = mien_match_norm(match, output, norm, &sum);
  if (status != MIEN_OK) return status;
  const MienOnnx__NodeProto *add = mien_match_binary(match, sum, "Add");
  if (!add) return mien_match_refuse(match, sum, "an Add of the residual");
  snprintf(name, sizeof name, "%s.dense", part);
  enter_layer(match, layer, name);
  /* The term that has the dense map's bias is its output; the other is the residual. */
  size_t term = 0;
  for (size_t i = 0; i < 2; i++) {
    const MienOnnx__NodeProto *inner = mien_match_binary(match, add->input[i], "Add");
    if (inner && (mien_match_is_parameter(match, inner->input[0], "bias") ||
                  mien_match_is_parameter(match, inner->input[1], "bias")))
      term = i;
  }
  *residual = add->input[1 - term];
  return mien_match_linear(match, add->input[term], match->hidden, inputs, dense, input);
}

static mien_status expect_same(const mien_match *match, const char *found, const char *expected) {
  if (mien_graph_same(&match->graph, found, expected)) return MIEN_OK;
  return mien_match_refuse(match, found, "the layer's input");
}

/* The second half of a layer, from its output back to the value between the halves. */
static mien_status feed_forward(mien_match *match, size_t layer, const char *output, mien_layer_weights *weights,
                                const char **middle) {
  const char *activated, *wide, *input;
  mien_status status = residual_block(match, layer, "output", output, match->intermediate, &weights->output,
                                      &weights->output_norm, &activated, middle);
  enter_layer(match, layer, "intermediate");
  if (status == MIEN_OK) status = mien_match_gelu(match, activated, &wide);
  if (status == MIEN_OK)
    status = linear(match, layer, "intermediate.dense", wide, match->intermediate, match->hidden,
                    &weights->intermediate, &input);
  return status == MIEN_OK ? expect_same(match, input, *middle) : status;
}

static mien_status self_attention(mien_match *match, size_t layer, const char *output, mien_layer_weights *weights,
                                  const char **input) {
  const char *attended, *outputs[3], *inputs[3];
  const char *const parts[3] = {"attention.self.query", "attention.self.key", "attention.self.value"};
  mien_weight_linear *const linears[3] = {&weights->query, &weights->key, &weights->value};
  mien_status status = residual_block(match, layer, "attention.output", output, match->hidden,
                                      &weights->attention_output, &weights->attention_norm, &attended, input);
  enter_layer(match, layer, "attention.self");
  if (status == MIEN_OK) status = mien_match_attention(match, attended, &outputs[0], &outputs[1], &outputs[2]);
  for (size_t i = 0; i < 3 && status == MIEN_OK; i++) {
    status = linear(match, layer, parts[i], outputs[i], match->hidden, match->hidden, linears[i], &inputs[i]);
    if (status == MIEN_OK) status = expect_same(match, inputs[i], *input);
  }
  return status;
}

static mien_status match_layers(mien_match *match, const char *output, const mien_encoder_config *config,
                                mien_encoder_weights *weights) {
  mien_status status = MIEN_OK;
  for (size_t layer = config->layers; layer-- > 0 && status == MIEN_OK;) {
    const char *middle;
    status = feed_forward(match, layer, output, &weights->layers[layer], &middle);
    if (status == MIEN_OK) status = self_attention(match, layer, middle, &weights->layers[layer], &output);
  }
  return status == MIEN_OK ? mien_match_embeddings(match, output, config, weights) : status;
}

/* ---- The graph ------------------------------------------------------------------------------------------------- */

/* The output that is the last layer's LayerNorm: beside it there may be pooled ones. */
static mien_status find_output(mien_match *match, size_t layers, const char **output) {
  const MienOnnx__GraphProto *proto = match->graph.proto;
  enter_layer(match, layers - 1, "output.LayerNorm");
  for (size_t i = 0; i < proto->n_output; i++) {
    const char *name = proto->output[i]->name;
    const MienOnnx__NodeProto *node = name ? mien_graph_node(&match->graph, name) : NULL;
    for (size_t k = 0; node && k < node->n_input; k++) {
      if (!mien_match_is_parameter(match, node->input[k], "bias")) continue;
      *output = name;
      return MIEN_OK;
    }
  }
  return mien_match_refuse(match, proto->n_output && proto->output[0]->name ? proto->output[0]->name : "",
                           "a graph output that is this LayerNorm");
}

static bool is_quantised(const char *op) {
  static const char *const words[] = {"MatMulInteger", "QuantizeLinear", "QLinear",
                                      "QAttention",    "QGemm",          "MatMulNBits"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strstr(op, words[i])) return true;
  return false;
}

static mien_status refuse_quantised(const MienOnnx__GraphProto *proto, const char *where, mien_error *error) {
  for (size_t i = 0; i < proto->n_node; i++) {
    const MienOnnx__NodeProto *node = proto->node[i];
    if (node->op_type && is_quantised(node->op_type))
      return mien_fail(error, MIEN_INPUT, "%s: node '%s' (%s): is a quantised export: expected one of floats", where,
                       node->name ? node->name : "", node->op_type);
  }
  return MIEN_OK;
}

/* What the graph has must be what config.json says. */
static mien_status compare(const mien_encoder_config *expected, const mien_encoder_config *found, const char *where,
                           mien_error *error) {
  const struct {
    const char *name;
    size_t expected, found;
  } sizes[] = {
      {"num_hidden_layers", expected->layers, found->layers},
      {"hidden_size", expected->hidden, found->hidden},
      {"num_attention_heads", expected->heads, found->heads},
      {"intermediate_size", expected->intermediate, found->intermediate},
      {"vocab_size", expected->vocabulary, found->vocabulary},
      {"max_position_embeddings", expected->positions, found->positions},
      {"type_vocab_size", expected->token_types, found->token_types},
  };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (sizes[i].expected != sizes[i].found)
      return mien_fail(error, MIEN_INPUT, "%s: %s: expected %zu, as config.json has it, found %zu", where,
                       sizes[i].name, sizes[i].expected, sizes[i].found);
  if (mien_match_is_near((double)found->layer_norm_eps, (double)expected->layer_norm_eps)) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: layer_norm_eps: expected %g, as config.json has it, found %g", where,
                   (double)expected->layer_norm_eps, (double)found->layer_norm_eps);
}

/* Before version 13 Softmax's axis was 1 unless given. */
static int64_t default_softmax_axis(const MienOnnx__ModelProto *model) {
  for (size_t i = 0; i < model->n_opset_import; i++) {
    const MienOnnx__OperatorSetIdProto *opset = model->opset_import[i];
    if ((!opset->domain || !opset->domain[0]) && opset->version >= 13) return -1;
  }
  return 1;
}

static mien_status match_graph(mien_match *match, mien_encoder_config *config, mien_encoder_weights *weights) {
  const char *output = NULL;
  mien_status status = find_prefix(match);
  if (status == MIEN_OK) status = read_sizes(match, config);
  if (status == MIEN_OK) status = find_output(match, config->layers, &output);
  if (status != MIEN_OK) return status;
  weights->layers = mien_alloc(config->layers, sizeof *weights->layers);
  if (!weights->layers) return mien_fail_memory(match->error, match->where, config->layers * sizeof *weights->layers);
  status = match_layers(match, output, config, weights);
  config->heads = match->heads;
  config->layer_norm_eps = match->epsilon;
  return status;
}

mien_status mien_encoder_weights_from_onnx(const unsigned char *bytes, size_t size, const char *where,
                                           bool is_configured, mien_encoder_config *config,
                                           mien_encoder_weights *weights, mien_error *error) {
  MienOnnx__ModelProto *model = NULL;
  mien_match match = {.where = where, .error = error, .epsilon = -1};
  mien_encoder_config found = *config;
  mien_status status = mien_onnx_mapped_unpack(bytes, size, where, &model, error);
  if (status == MIEN_OK) status = refuse_quantised(model->graph, where, error);
  if (status == MIEN_OK) status = mien_graph_open(model->graph, where, &match.graph, error);
  if (status == MIEN_OK) {
    match.softmax_axis = default_softmax_axis(model);
    status = match_graph(&match, &found, weights);
  }
  if (status == MIEN_OK && is_configured) status = compare(config, &found, where, error);
  if (status == MIEN_OK) *config = found;
  mien_graph_close(&match.graph);
  mien_onnx_mapped_free(model);
  return status;
}
