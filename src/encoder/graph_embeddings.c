/* SPDX-License-Identifier: Apache-2.0 */
/* BERT's embeddings in an ONNX graph: the sum of three tables' rows, and which rows those are. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "encoder/graph_match.h"
#include "encoder/settings.h"

/* Nodes between the graph's inputs and the rows that are looked up. */
enum { MAX_INDEX_NODES = 16 };

static bool is_input(const mien_match *match, const char *value, const char *name) {
  return !mien_graph_node(&match->graph, value) && !mien_graph_tensor(&match->graph, value) &&
         strcmp(mien_graph_source(&match->graph, value), name) == 0;
}

/* Whether a Slice takes from the start on, one by one. */
static bool slices_from_start(const mien_match *match, const MienOnnx__NodeProto *slice) {
  int64_t starts[4];
  size_t count;
  const MienOnnx__AttributeProto *attribute = mien_graph_attribute(slice, "starts");
  if (attribute) return attribute->n_ints == 1 && attribute->ints[0] == 0;
  if (slice->n_input < 3 || !mien_graph_integers(&match->graph, slice->input[1], 4, starts, &count)) return false;
  for (size_t i = 0; i < count; i++)
    if (starts[i] != 0) return false;
  double step = 1;
  return slice->n_input < 5 || (mien_graph_number(&match->graph, slice->input[4], &step) && step == 1);
}

/* Goes back through nodes that only reshape, repeat or cut from the start. */
static const char *index_source(const mien_match *match, const char *value) {
  static const char *const passing[] = {"Cast", "Unsqueeze", "Squeeze", "Reshape", "Expand", "Slice"};
  for (size_t hop = 0; hop < MAX_INDEX_NODES; hop++) {
    const MienOnnx__NodeProto *node = NULL;
    for (size_t i = 0; i < sizeof passing / sizeof *passing && !node; i++)
      node = mien_graph_op(&match->graph, value, passing[i], 1);
    if (!node) break;
    if (strcmp(node->op_type, "Slice") == 0 && !slices_from_start(match, node)) break;
    value = node->input[0];
  }
  return value;
}

/* Whether a constant is first, first + step, first + 2 · step, … */
static mien_status is_sequence(const mien_match *match, const char *value, int64_t step, bool *is_one) {
  const size_t most = MIEN_ENCODER_MAX_POSITIONS / 8;
  size_t count = 0;
  const MienOnnx__TensorProto *tensor = mien_graph_tensor(&match->graph, value);
  *is_one = false;
  if (!tensor) return MIEN_OK;
  int64_t *integers = mien_alloc(most, sizeof *integers);
  if (!integers) return mien_fail_memory(match->error, match->where, most * sizeof *integers);
  *is_one = mien_graph_integers(&match->graph, value, most, integers, &count);
  for (size_t i = 0; i < count && *is_one; i++) *is_one = integers[i] == (int64_t)i * step;
  mien_free(integers);
  return MIEN_OK;
}

/* Positions count from 0: a constant list, or a Range. */
static mien_status check_positions(const mien_match *match, const char *index) {
  const char *source = index_source(match, index);
  const MienOnnx__NodeProto *range = mien_graph_op(&match->graph, source, "Range", 3);
  double start = -1, step = -1;
  bool is_one = is_input(match, source, "position_ids");
  if (range)
    is_one = mien_graph_number(&match->graph, range->input[0], &start) &&
             mien_graph_number(&match->graph, range->input[2], &step) && start == 0 && step == 1;
  mien_status status = is_one ? MIEN_OK : is_sequence(match, source, 1, &is_one);
  if (status != MIEN_OK || is_one) return status;
  return mien_match_refuse(match, source, "positions that count from 0");
}

/* Nothing is cut from the texts, nor are they arranged otherwise. */
static mien_status check_words(const mien_match *match, const char *index) {
  const MienOnnx__NodeProto *cast = mien_graph_op(&match->graph, index, "Cast", 1);
  const char *source = cast ? cast->input[0] : index;
  return is_input(match, source, "input_ids") ? MIEN_OK : mien_match_refuse(match, source, "the input input_ids");
}

/* Texts are of one part, whose type is 0. */
static mien_status check_types(const mien_match *match, const char *index) {
  const char *source = index_source(match, index);
  bool is_zeros = false;
  if (is_input(match, source, "token_type_ids")) return MIEN_OK;
  const MienOnnx__NodeProto *zeros = mien_graph_op(&match->graph, source, "ConstantOfShape", 1);
  if (zeros) {
    const MienOnnx__AttributeProto *value = mien_graph_attribute(zeros, "value");
    is_zeros = !value || (value->t && value->t->has_raw_data && value->t->raw_data.len == 8 &&
                          memcmp(value->t->raw_data.data, (const char[8]){0}, 8) == 0);
  }
  mien_status status = is_zeros ? MIEN_OK : is_sequence(match, source, 0, &is_zeros);
  if (status != MIEN_OK || is_zeros) return status;
  return mien_match_refuse(match, source, "the input token_type_ids, or zeros");
}

/* The terms of a sum of three, in two nodes. */
static bool terms_of(const mien_match *match, const char *sum, const char *terms[3]) {
  const MienOnnx__NodeProto *outer = mien_match_binary(match, sum, "Add");
  for (size_t i = 0; outer && i < 2; i++) {
    const MienOnnx__NodeProto *inner = mien_match_binary(match, outer->input[i], "Add");
    if (!inner) continue;
    terms[0] = inner->input[0];
    terms[1] = inner->input[1];
    terms[2] = outer->input[1 - i];
    return true;
  }
  return false;
}

mien_status mien_match_embeddings(mien_match *match, const char *output, const mien_encoder_config *config,
                                  mien_encoder_weights *weights) {
  const struct {
    const char *part;
    size_t rows;
    mien_weight *weight;
    mien_status (*check)(const mien_match *match, const char *index);
  } tables[] = {
      {"embeddings.word_embeddings", config->vocabulary, &weights->word, check_words},
      {"embeddings.position_embeddings", config->positions, &weights->position, check_positions},
      {"embeddings.token_type_embeddings", config->token_types, &weights->token_type, check_types},
  };
  const char *sum, *terms[3];
  mien_match_enter(match, "embeddings.LayerNorm");
  mien_status status = mien_match_norm(match, output, &weights->norm, &sum);
  if (status != MIEN_OK) return status;
  if (!terms_of(match, sum, terms))
    return mien_match_refuse(match, sum, "the sum of word, position and token type embeddings");
  for (size_t t = 0; t < 3 && status == MIEN_OK; t++) {
    const char *index = NULL;
    mien_match_enter(match, tables[t].part);
    for (size_t i = 0; i < 3 && !index; i++)
      if (!mien_match_gather(match, terms[i], &index)) index = NULL;
    if (!index) return mien_match_refuse(match, sum, "a sum with the Gather of its weight");
    status = tables[t].check(match, index);
    char name[MIEN_MATCH_PREFIX_CHARS + MIEN_MATCH_PART_CHARS + 16];
    snprintf(name, sizeof name, "%s%s.weight", match->prefix, match->part);
    if (status == MIEN_OK)
      status = mien_match_matrix(match, name, tables[t].rows, config->hidden, false, tables[t].weight);
  }
  return status;
}
