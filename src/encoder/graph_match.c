/* SPDX-License-Identifier: Apache-2.0 */
/* Linear maps, LayerNorm and GELU in an ONNX graph, each walked from its output back to its input. */
#include "encoder/graph_match.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/onnx_tensor.h"

/* ---- Words ----------------------------------------------------------------------------------------------------- */

void mien_match_enter(mien_match *match, const char *part) { snprintf(match->part, sizeof match->part, "%s", part); }

mien_status mien_match_refuse(const mien_match *match, const char *value, const char *expected) {
  const MienOnnx__NodeProto *node = mien_graph_node(&match->graph, value);
  if (!node)
    return mien_fail(match->error, MIEN_INPUT, "%s: %s: expected %s, found value '%s'", match->where, match->part,
                     expected, value);
  return mien_fail(match->error, MIEN_INPUT, "%s: %s: expected %s, found node '%s' (%s)", match->where, match->part,
                   expected, node->name ? node->name : "", node->op_type ? node->op_type : "");
}

/* ---- Parameters ------------------------------------------------------------------------------------------------ */

enum { NAME_CHARS = MIEN_MATCH_PREFIX_CHARS + MIEN_MATCH_PART_CHARS + 16 };

static const char *full_name(const mien_match *match, const char *name, char out[NAME_CHARS]) {
  snprintf(out, NAME_CHARS, "%s%s.%s", match->prefix, match->part, name);
  return out;
}

bool mien_match_is_parameter(const mien_match *match, const char *operand, const char *name) {
  char full[NAME_CHARS];
  return strcmp(operand, full_name(match, name, full)) == 0;
}

/* Fills data and type of a weight from a tensor of rank `rank` and the given sizes. */
static mien_status read_tensor(const mien_match *match, const char *value, size_t rank, const size_t *dims,
                               mien_weight *weight) {
  static const struct {
    int type; /* TensorProto.DataType */
    mien_dtype dtype;
  } dtypes[] = {{MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, MIEN_F32},
                {MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, MIEN_F16},
                {MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, MIEN_BF16}};
  const MienOnnx__TensorProto *proto = mien_graph_tensor(&match->graph, value);
  if (!proto) return mien_match_refuse(match, value, "an initializer");
  char where[512], expected[MIEN_SHAPE_CHARS], found[MIEN_SHAPE_CHARS];
  mien_onnx_tensor tensor;
  snprintf(where, sizeof where, "%s: initializer '%s'", match->where, proto->name ? proto->name : value);
  if (proto->data_location == MIEN_ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    return mien_fail(match->error, MIEN_INPUT, "%s: expected its data in the file, found it in an external one", where);
  mien_status status = mien_onnx_tensor_open(proto, NULL, where, &tensor, match->error);
  if (status != MIEN_OK) return status;
  if (tensor.shape.rank != rank || memcmp(tensor.shape.dims, dims, rank * sizeof *dims) != 0)
    return mien_fail(match->error, MIEN_INPUT, "%s: expected shape %s, found %s", where,
                     mien_show_shape(expected, rank, dims),
                     mien_show_shape(found, tensor.shape.rank, tensor.shape.dims));
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    if (dtypes[i].type != proto->data_type) continue;
    if (!proto->has_raw_data || proto->raw_data.len == 0)
      return mien_fail(match->error, MIEN_INPUT, "%s: expected its data as raw_data", where);
    weight->data = proto->raw_data.data;
    weight->dtype = dtypes[i].dtype;
    return MIEN_OK;
  }
  return mien_fail(match->error, MIEN_INPUT, "%s: element type %d: expected float, float16 or bfloat16", where,
                   (int)proto->data_type);
}

mien_status mien_match_vector(const mien_match *match, const char *name, size_t size, mien_weight *weight) {
  char full[NAME_CHARS];
  *weight = (mien_weight){.outputs = 1, .inputs = size};
  return read_tensor(match, full_name(match, name, full), 1, &size, weight);
}

mien_status mien_match_matrix(const mien_match *match, const char *value, size_t outputs, size_t inputs,
                              bool inputs_first, mien_weight *weight) {
  const size_t dims[2] = {inputs_first ? inputs : outputs, inputs_first ? outputs : inputs};
  *weight = (mien_weight){.outputs = outputs, .inputs = inputs, .inputs_first = inputs_first};
  return read_tensor(match, value, 2, dims, weight);
}

/* ---- Linear maps ----------------------------------------------------------------------------------------------- */

const MienOnnx__NodeProto *mien_match_binary(const mien_match *match, const char *value, const char *op) {
  const MienOnnx__NodeProto *node = mien_graph_op(&match->graph, value, op, 2);
  return node && node->n_input == 2 ? node : NULL;
}

/* The other operand of an Add or a Mul of one parameter; NULL when that is none of its operands. */
static const char *beside_parameter(const mien_match *match, const char *value, const char *op, const char *name) {
  const MienOnnx__NodeProto *node = mien_match_binary(match, value, op);
  for (size_t i = 0; node && i < 2; i++)
    if (mien_match_is_parameter(match, node->input[i], name)) return node->input[1 - i];
  return NULL;
}

mien_status mien_match_linear(const mien_match *match, const char *output, size_t outputs, size_t inputs,
                              mien_weight_linear *weights, const char **input) {
  const char *product = beside_parameter(match, output, "Add", "bias");
  if (!product) return mien_match_refuse(match, output, "an Add of its bias");
  const MienOnnx__NodeProto *matmul = mien_match_binary(match, product, "MatMul");
  if (!matmul) return mien_match_refuse(match, product, "a MatMul");
  *input = matmul->input[0];
  /* Exporters that fold no constants leave the weight as PyTorch has it, with a Transpose behind. */
  const MienOnnx__NodeProto *transpose = mien_graph_op(&match->graph, matmul->input[1], "Transpose", 1);
  if (transpose && !mien_graph_has_integers(transpose, "perm", 2, (const int64_t[]){1, 0}))
    return mien_match_refuse(match, matmul->input[1], "a Transpose of two axes");
  mien_status status = mien_match_vector(match, "bias", outputs, &weights->bias);
  if (status != MIEN_OK) return status;
  return mien_match_matrix(match, transpose ? transpose->input[0] : matmul->input[1], outputs, inputs, !transpose,
                           &weights->weight);
}

bool mien_match_gather(const mien_match *match, const char *value, const char **index) {
  const MienOnnx__NodeProto *gather = mien_match_binary(match, value, "Gather");
  if (!gather || !mien_match_is_parameter(match, gather->input[0], "weight")) return false;
  if (mien_graph_integer(gather, "axis", 0) != 0) return false;
  *index = gather->input[1];
  return true;
}

/* ---- Constants ------------------------------------------------------------------------------------------------- */

bool mien_match_is_near(double found, double expected) {
  const double half_rounding = 0x1p-11; /* exporters round constants to the weights' type */
  return fabs(found - expected) <= half_rounding * fabs(expected);
}

static bool is_constant(const mien_match *match, const char *value, double expected) {
  double number;
  return mien_graph_number(&match->graph, value, &number) && mien_match_is_near(number, expected);
}

/* ---- LayerNorm ------------------------------------------------------------------------------------------------- */

/* Embeddings have three axes: text, token, number. */
enum { LAST_AXIS = 2 };

static bool is_last_axis(int64_t axis) { return axis == -1 || axis == LAST_AXIS; }

/* The mean over the last axis; NULL when `value` is none. */
static const char *mean_of(const mien_match *match, const char *value) {
  const MienOnnx__NodeProto *mean = mien_graph_op(&match->graph, value, "ReduceMean", 1);
  if (!mean || mien_graph_integer(mean, "keepdims", 1) != 1) return NULL;
  const MienOnnx__AttributeProto *attribute = mien_graph_attribute(mean, "axes");
  int64_t axis;
  size_t count = 0;
  if (attribute && attribute->n_ints == 1 && mean->n_input == 1)
    axis = attribute->ints[0];
  else if (attribute || mean->n_input != 2 || !mien_graph_integers(&match->graph, mean->input[1], 1, &axis, &count) ||
           count != 1)
    return NULL;
  return is_last_axis(axis) ? mean->input[0] : NULL;
}

/* x of x - mean(x); NULL when `value` is none. */
static const char *centered(const mien_match *match, const char *value) {
  const MienOnnx__NodeProto *sub = mien_match_binary(match, value, "Sub");
  const char *mean = sub ? mean_of(match, sub->input[1]) : NULL;
  return mean && mien_graph_same(&match->graph, mean, sub->input[0]) ? mean : NULL;
}

/* d of d²; NULL when `value` is none. */
static const char *squared(const mien_match *match, const char *value) {
  const MienOnnx__NodeProto *power = mien_match_binary(match, value, "Pow");
  if (power) return is_constant(match, power->input[1], 2) ? power->input[0] : NULL;
  const MienOnnx__NodeProto *product = mien_match_binary(match, value, "Mul");
  return product && mien_graph_same(&match->graph, product->input[0], product->input[1]) ? product->input[0] : NULL;
}

/* x of √(mean((x - mean(x))²) + epsilon); NULL when `value` is none. */
static const char *deviation_of(const mien_match *match, const char *value, double *epsilon) {
  const MienOnnx__NodeProto *root = mien_graph_op(&match->graph, value, "Sqrt", 1);
  const MienOnnx__NodeProto *sum = root ? mien_match_binary(match, root->input[0], "Add") : NULL;
  for (size_t i = 0; sum && i < 2; i++) {
    if (!mien_graph_number(&match->graph, sum->input[1 - i], epsilon)) continue;
    const char *variance = mean_of(match, sum->input[i]);
    const char *difference = variance ? squared(match, variance) : NULL;
    return difference ? centered(match, difference) : NULL;
  }
  return NULL;
}

/* LayerNorm in nine nodes; NULL when `value` is none. */
static const char *norm_of_nodes(const mien_match *match, const char *value, double *epsilon) {
  const char *scaled = beside_parameter(match, value, "Add", "bias");
  const char *ratio = scaled ? beside_parameter(match, scaled, "Mul", "weight") : NULL;
  const MienOnnx__NodeProto *division = ratio ? mien_match_binary(match, ratio, "Div") : NULL;
  const char *x = division ? centered(match, division->input[0]) : NULL;
  const char *again = x ? deviation_of(match, division->input[1], epsilon) : NULL;
  return again && mien_graph_same(&match->graph, x, again) ? x : NULL;
}

/* LayerNorm in one node; NULL when `value` is none. */
static const char *norm_of_node(const mien_match *match, const char *value, double *epsilon) {
  const MienOnnx__NodeProto *node = mien_graph_op(&match->graph, value, "LayerNormalization", 3);
  if (!node || !is_last_axis(mien_graph_integer(node, "axis", -1))) return NULL;
  if (!mien_match_is_parameter(match, node->input[1], "weight") ||
      !mien_match_is_parameter(match, node->input[2], "bias"))
    return NULL;
  const MienOnnx__AttributeProto *attribute = mien_graph_attribute(node, "epsilon");
  *epsilon = attribute ? (double)attribute->f : 1e-5; /* the operator's default */
  return node->input[0];
}

/* One epsilon for all of them, as config.json has it. */
static mien_status take_epsilon(mien_match *match, double epsilon) {
  if (!(epsilon >= 0 && epsilon < 1))
    return mien_fail(match->error, MIEN_INPUT, "%s: %s: epsilon: expected a number in [0, 1), found %g", match->where,
                     match->part, epsilon);
  if (match->epsilon < 0) match->epsilon = (float)epsilon;
  if (match->epsilon == (float)epsilon) return MIEN_OK;
  return mien_fail(match->error, MIEN_INPUT, "%s: %s: epsilon: expected %g, as in the other LayerNorms, found %g",
                   match->where, match->part, (double)match->epsilon, epsilon);
}

mien_status mien_match_norm(mien_match *match, const char *output, mien_weight_norm *weights, const char **input) {
  double epsilon = 0;
  const char *x = norm_of_node(match, output, &epsilon);
  if (!x) x = norm_of_nodes(match, output, &epsilon);
  if (!x) return mien_match_refuse(match, output, "a LayerNorm of its weight and bias");
  *input = x;
  mien_status status = take_epsilon(match, epsilon);
  if (status == MIEN_OK) status = mien_match_vector(match, "weight", match->hidden, &weights->gamma);
  return status == MIEN_OK ? mien_match_vector(match, "bias", match->hidden, &weights->beta) : status;
}

/* ---- GELU ------------------------------------------------------------------------------------------------------ */

/* A product of products of two: at most four factors, of which GELU has three. */
enum { MAX_FACTORS = 4 };

static size_t factors_of(const mien_match *match, const char *value, const char *factors[MAX_FACTORS]) {
  const MienOnnx__NodeProto *product = mien_match_binary(match, value, "Mul");
  size_t count = 0;
  for (size_t i = 0; product && i < 2; i++) {
    const MienOnnx__NodeProto *inner = mien_match_binary(match, product->input[i], "Mul");
    for (size_t k = 0; k < (inner ? 2 : 1); k++) factors[count++] = inner ? inner->input[k] : product->input[i];
  }
  return count;
}

/* h of 1 + erf(h / √2); NULL when `value` is none. */
static const char *erf_of(const mien_match *match, const char *value) {
  const MienOnnx__NodeProto *sum = mien_match_binary(match, value, "Add"), *erf = NULL;
  for (size_t i = 0; sum && i < 2; i++)
    if (is_constant(match, sum->input[1 - i], 1)) erf = mien_graph_op(&match->graph, sum->input[i], "Erf", 1);
  if (!erf) return NULL;
  const MienOnnx__NodeProto *quotient = mien_match_binary(match, erf->input[0], "Div");
  if (quotient) return is_constant(match, quotient->input[1], sqrt(2)) ? quotient->input[0] : NULL;
  const MienOnnx__NodeProto *product = mien_match_binary(match, erf->input[0], "Mul");
  for (size_t i = 0; product && i < 2; i++)
    if (is_constant(match, product->input[1 - i], sqrt(0.5))) return product->input[i];
  return NULL;
}

/* One of three factors is the constant a half, one 1 + erf, and the third what erf is of. */
static const char *gelu_of_factors(const mien_match *match, const char *factors[MAX_FACTORS]) {
  for (size_t e = 0; e < 3; e++) {
    const char *h = erf_of(match, factors[e]), *a = factors[(e + 1) % 3], *b = factors[(e + 2) % 3];
    if (!h) continue;
    if (is_constant(match, a, 0.5) && mien_graph_same(&match->graph, b, h)) return h;
    if (is_constant(match, b, 0.5) && mien_graph_same(&match->graph, a, h)) return h;
  }
  return NULL;
}

static bool is_exact(const MienOnnx__NodeProto *gelu) {
  static const char none[] = "none";
  const MienOnnx__AttributeProto *approximate = mien_graph_attribute(gelu, "approximate");
  return !approximate ||
         (approximate->s.len == sizeof none - 1 && memcmp(approximate->s.data, none, sizeof none - 1) == 0);
}

mien_status mien_match_gelu(const mien_match *match, const char *output, const char **input) {
  const MienOnnx__NodeProto *gelu = mien_graph_op(&match->graph, output, "Gelu", 1);
  if (gelu && is_exact(gelu)) {
    *input = gelu->input[0];
    return MIEN_OK;
  }
  const char *factors[MAX_FACTORS];
  *input = factors_of(match, output, factors) == 3 ? gelu_of_factors(match, factors) : NULL;
  return *input ? MIEN_OK : mien_match_refuse(match, output, "a GELU by the error function");
}
