/* SPDX-License-Identifier: Apache-2.0 */
/* BERT's attention in an ONNX graph, walked from its output back to query, key and value. */
#include <math.h>
#include <string.h>

#include "encoder/graph_match.h"

/* Scores have four axes: text, head, query, key. */
enum { LAST_AXIS = 3, SHAPE_RANK = 4 };

/* [text, token, head, number] to [text, head, token, number] and back, and the key's to [text, head, number, token] */
static const int64_t swap_heads[] = {0, 2, 1, 3}, swap_heads_turned[] = {0, 2, 3, 1}, turn[] = {0, 1, 3, 2};

static const char *transposed(const mien_match *match, const char *value, const int64_t perm[SHAPE_RANK]) {
  const MienOnnx__NodeProto *node = mien_graph_op(&match->graph, value, "Transpose", 1);
  return node && mien_graph_has_integers(node, "perm", SHAPE_RANK, perm) ? node->input[0] : NULL;
}

/* ---- Shapes ---------------------------------------------------------------------------------------------------- */

/* The last `count` numbers of a shape, whose first ones may be known only when it runs; false when it has others. */
static bool shape_end(const mien_match *match, const char *value, size_t count, int64_t *end) {
  int64_t whole[SHAPE_RANK];
  size_t n;
  if (mien_graph_integers(&match->graph, value, SHAPE_RANK, whole, &n)) {
    if (n < count) return false;
    memcpy(end, whole + n - count, count * sizeof *end);
    return true;
  }
  const MienOnnx__NodeProto *concat = mien_graph_op(&match->graph, value, "Concat", 1);
  if (!concat) return false;
  size_t left = count;
  for (size_t i = concat->n_input; i-- > 0 && left > 0;) {
    if (!mien_graph_integers(&match->graph, concat->input[i], left, whole, &n)) return false;
    left -= n;
    memcpy(end + left, whole, n * sizeof *end);
  }
  return left == 0;
}

/* A Reshape that splits `hidden` numbers into heads: finds or checks how many; its input, or NULL. */
static const char *split_heads(mien_match *match, const char *value) {
  int64_t end[2];
  const MienOnnx__NodeProto *reshape = mien_graph_op(&match->graph, value, "Reshape", 2);
  if (!reshape || !shape_end(match, reshape->input[1], 2, end)) return NULL;
  const int64_t hidden = (int64_t)match->hidden;
  /* One of the two may be -1: what is left over. */
  for (size_t i = 0; i < 2; i++) {
    if (end[i] == -1 && end[1 - i] > 0) end[i] = hidden / end[1 - i];
    if (end[i] < 1 || end[i] > hidden) return NULL;
  }
  if (end[0] * end[1] != hidden) return NULL;
  if (match->heads == 0) match->heads = (size_t)end[0];
  return match->heads == (size_t)end[0] ? reshape->input[0] : NULL;
}

static const char *join_heads(const mien_match *match, const char *value) {
  int64_t end;
  const MienOnnx__NodeProto *reshape = mien_graph_op(&match->graph, value, "Reshape", 2);
  if (!reshape || !shape_end(match, reshape->input[1], 1, &end)) return NULL;
  return end == -1 || end == (int64_t)match->hidden ? reshape->input[0] : NULL;
}

/* ---- Scale ----------------------------------------------------------------------------------------------------- */

/* Nodes in an expression of constants, one in the other: √(1 / √size), with casts. */
enum { MAX_EXPRESSION_DEPTH = 8 };

/* The number that picks the last axis' size out of a shape of rank 4: -1, 3, or a slice from there. */
static bool picks_last(const mien_match *match, const MienOnnx__NodeProto *node) {
  double index;
  return node->n_input > 1 && mien_graph_number(&match->graph, node->input[1], &index) &&
         (index == -1 || index == LAST_AXIS);
}

/* A number made of constants and of the size of a head, as exporters of scaled_dot_product_attention write it. */
static bool evaluate(const mien_match *match, const char *value, int depth, double *number) {
  if (mien_graph_number(&match->graph, value, number)) return true;
  const MienOnnx__NodeProto *node = mien_graph_node(&match->graph, value);
  if (!node || node->n_input < 1 || !node->op_type || depth == MAX_EXPRESSION_DEPTH) return false;
  const char *op = node->op_type;
  if (strcmp(op, "Slice") == 0 || strcmp(op, "Gather") == 0) {
    const MienOnnx__NodeProto *shape = mien_graph_op(&match->graph, node->input[0], "Shape", 1);
    if (!shape || shape->n_attribute > 0 || !picks_last(match, node)) return false;
    *number = (double)(match->hidden / match->heads);
    return true;
  }
  double operand, other = 0;
  if (!evaluate(match, node->input[0], depth + 1, &operand)) return false;
  const bool has_other = node->n_input == 2 && evaluate(match, node->input[1], depth + 1, &other);
  if (strcmp(op, "Cast") == 0 || strcmp(op, "Squeeze") == 0 || strcmp(op, "Unsqueeze") == 0)
    *number = operand;
  else if (strcmp(op, "Sqrt") == 0)
    *number = sqrt(operand);
  else if (strcmp(op, "Div") == 0 && has_other)
    *number = operand / other;
  else if (strcmp(op, "Mul") == 0 && has_other)
    *number = operand * other;
  else
    return false;
  return true;
}

/* What `value` is a multiple of: goes through Mul and Div by numbers, gathering them in *scale. */
static const char *unscaled(const mien_match *match, const char *value, double *scale) {
  double factor;
  const MienOnnx__NodeProto *quotient = mien_match_binary(match, value, "Div");
  if (quotient && evaluate(match, quotient->input[1], 0, &factor)) {
    *scale /= factor;
    return quotient->input[0];
  }
  const MienOnnx__NodeProto *product = mien_match_binary(match, value, "Mul");
  for (size_t i = 0; product && i < 2; i++) {
    if (!evaluate(match, product->input[1 - i], 0, &factor)) continue;
    *scale *= factor;
    return product->input[i];
  }
  return value;
}

/* ---- Mask ------------------------------------------------------------------------------------------------------ */

/*
 * What exporters make the padding's mask of. Nothing in it compares the positions of two tokens but by a size, nor
 * looks up learnt numbers: masks of other kinds, causal or relative, need Trilu, Less, LessOrEqual, Abs, …
 */
static const char *const mask_ops[] = {
    "Unsqueeze", "Squeeze", "Cast",   "Sub",      "Mul",   "Add",     "Constant",
    "Expand",    "Concat",  "Equal",  "Where",    "Slice", "Reshape", "ConstantOfShape",
    "Flatten",   "Range",   "Gather", "Identity", "And",   "Not",     "Min"};

/* "position >= 0", which newer exporters write for "everything": true whatever the text. */
static bool is_always(const mien_match *match, const MienOnnx__NodeProto *node) {
  double number;
  return strcmp(node->op_type, "GreaterOrEqual") == 0 && node->n_input == 2 &&
         mien_graph_number(&match->graph, node->input[1], &number) && number == 0;
}

static bool is_mask_op(const mien_match *match, const MienOnnx__NodeProto *node) {
  if (!node->op_type || (node->domain && node->domain[0])) return false;
  for (size_t i = 0; i < sizeof mask_ops / sizeof *mask_ops; i++)
    if (strcmp(mask_ops[i], node->op_type) == 0) return true;
  return is_always(match, node);
}

static bool is_graph_input(const mien_match *match, const char *name) {
  for (size_t i = 0; i < match->graph.proto->n_input; i++) {
    const char *input = match->graph.proto->input[i]->name;
    if (input && strcmp(input, name) == 0) return true;
  }
  return false;
}

typedef struct visit {
  const char **values; /* to look at, and looked at: a queue */
  size_t count, capacity;
} visit;

static bool remember(visit *seen, const char *value) {
  for (size_t i = 0; i < seen->count; i++)
    if (strcmp(seen->values[i], value) == 0) return true;
  if (seen->count == seen->capacity) return false;
  seen->values[seen->count++] = value;
  return true;
}

/* Values that a mask is made of: some 80 in the longest of today's. */
enum { MAX_MASK_VALUES = 512 };

static mien_status walk_mask(const mien_match *match, const char *mask) {
  const char *values[MAX_MASK_VALUES];
  visit seen = {values, 0, MAX_MASK_VALUES};
  bool has_input = false;
  remember(&seen, mask);
  for (size_t i = 0; i < seen.count; i++) {
    const char *value = seen.values[i];
    const MienOnnx__NodeProto *node = mien_graph_node(&match->graph, value);
    const MienOnnx__TensorProto *tensor = mien_graph_tensor(&match->graph, value);
    if (tensor && tensor->n_dims > 1)
      return mien_match_refuse(match, value, "no learnt numbers in the attention's mask");
    if (!node) has_input |= strcmp(mien_graph_source(&match->graph, value), "attention_mask") == 0;
    if (!node || tensor || mien_graph_op(&match->graph, value, "Shape", 1))
      continue; /* a size says nothing of tokens */
    if (!is_mask_op(match, node)) return mien_match_refuse(match, value, "a mask of padding only");
    for (size_t k = 0; k < node->n_input; k++)
      if (node->input[k][0] && !remember(&seen, node->input[k]))
        return mien_match_refuse(match, mask, "a mask of padding of fewer values");
  }
  if (has_input && is_graph_input(match, "attention_mask")) return MIEN_OK;
  return mien_match_refuse(match, mask, "a mask made of the input attention_mask");
}

/* Layers share one mask: it is checked once. */
static mien_status check_mask(mien_match *match, const char *mask) {
  if (match->mask && mien_graph_same(&match->graph, match->mask, mask)) return MIEN_OK;
  mien_status status = walk_mask(match, mask);
  if (status == MIEN_OK) match->mask = mask;
  return status;
}

/* ---- Attention ------------------------------------------------------------------------------------------------- */

/* The scores before the mask, the node that multiplies query and key, and the mask. */
static const MienOnnx__NodeProto *find_scores(const mien_match *match, const char *masked, double *scale,
                                              const char **mask) {
  const MienOnnx__NodeProto *sum = mien_match_binary(match, masked, "Add");
  for (size_t i = 0; sum && i < 2; i++) {
    *scale = 1;
    const MienOnnx__NodeProto *product = mien_match_binary(match, unscaled(match, sum->input[i], scale), "MatMul");
    if (!product) continue;
    *mask = sum->input[1 - i];
    return product;
  }
  return NULL;
}

/* The key as [text, head, number, token]. */
static const char *split_key(mien_match *match, const char *value) {
  const char *split = transposed(match, value, swap_heads_turned);
  if (!split) {
    const char *turned = transposed(match, value, turn);
    split = turned ? transposed(match, turned, swap_heads) : NULL;
  }
  return split ? split_heads(match, split) : NULL;
}

static const char *split_query(mien_match *match, const char *value) {
  const char *split = transposed(match, value, swap_heads);
  return split ? split_heads(match, split) : NULL;
}

static mien_status match_scores(mien_match *match, const char *masked, const char **query, const char **key) {
  double scale = 1;
  const char *mask = NULL;
  const MienOnnx__NodeProto *product = find_scores(match, masked, &scale, &mask);
  if (!product) return mien_match_refuse(match, masked, "an Add of a mask to the scaled product of query and key");
  const char *left = unscaled(match, product->input[0], &scale), *right = unscaled(match, product->input[1], &scale);
  *query = split_query(match, left);
  if (!*query) return mien_match_refuse(match, left, "the query, split into heads");
  *key = split_key(match, right);
  if (!*key) return mien_match_refuse(match, right, "the key, split into as many heads");
  const double expected = 1 / sqrt((double)(match->hidden / match->heads));
  if (!mien_match_is_near(scale, expected))
    return mien_fail(match->error, MIEN_INPUT, "%s: %s: expected scores scaled by %g, found %g", match->where,
                     match->part, expected, scale);
  return check_mask(match, mask);
}

mien_status mien_match_attention(mien_match *match, const char *output, const char **query, const char **key,
                                 const char **value) {
  const char *joined = join_heads(match, output);
  const char *swapped = joined ? transposed(match, joined, swap_heads) : NULL;
  if (!swapped) return mien_match_refuse(match, output, "a Reshape that joins the heads");
  const MienOnnx__NodeProto *product = mien_match_binary(match, swapped, "MatMul");
  if (!product) return mien_match_refuse(match, swapped, "a MatMul of probabilities and values");
  /* The value first: it says how many heads there are before the scale is looked at. */
  *value = split_query(match, product->input[1]);
  if (!*value) return mien_match_refuse(match, product->input[1], "the value, split into as many heads as elsewhere");
  const MienOnnx__NodeProto *softmax = mien_graph_op(&match->graph, product->input[0], "Softmax", 1);
  const int64_t axis = softmax ? mien_graph_integer(softmax, "axis", match->softmax_axis) : 0;
  if (axis != -1 && axis != LAST_AXIS)
    return mien_match_refuse(match, product->input[0], "a Softmax over the last axis");
  return match_scores(match, softmax->input[0], query, key);
}
