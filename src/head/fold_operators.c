/* SPDX-License-Identifier: Apache-2.0 */
/* The operators that the fold knows, and what holds for a call of any of them. */
#include <string.h>

#include "head/fold.h"

typedef struct operator_entry {
  const char *name;
  bool is_ml;          /* of the domain ai.onnx.ml */
  bool moves_only;     /* does no arithmetic: takes float16 as well */
  size_t least_inputs; /* that must be there */
  size_t most_inputs;
  mien_operator *evaluate;
} operator_entry;

static const operator_entry operators[] = {
    {"Identity", false, true, 1, 1, mien_op_identity},
    {"Dropout", false, true, 1, 3, mien_op_identity},
    {"Cast", false, true, 1, 1, mien_op_cast},
    {"Constant", false, true, 0, 0, mien_op_constant},
    {"Add", false, false, 2, 2, mien_op_add},
    {"Sub", false, false, 2, 2, mien_op_sub},
    {"Mul", false, false, 2, 2, mien_op_mul},
    {"Div", false, false, 2, 2, mien_op_div},
    {"Sum", false, false, 1, SIZE_MAX, mien_op_sum},
    {"Neg", false, false, 1, 1, mien_op_neg},
    {"Sqrt", false, false, 1, 1, mien_op_sqrt},
    {"Log", false, false, 1, 1, mien_op_log},
    {"Reciprocal", false, false, 1, 1, mien_op_reciprocal},
    {"Exp", false, false, 1, 1, mien_op_exp},
    {"Sigmoid", false, false, 1, 1, mien_op_sigmoid},
    {"Abs", false, false, 1, 1, mien_op_abs},
    {"Softmax", false, false, 1, 1, mien_op_softmax},
    {"LpNormalization", false, false, 1, 1, mien_op_lp_normalization},
    {"ReduceSum", false, false, 1, 2, mien_op_reduce_sum},
    {"MatMul", false, false, 2, 2, mien_op_matmul},
    {"Gemm", false, false, 2, 3, mien_op_gemm},
    {"ArgMax", false, true, 1, 1, mien_op_sink},
    {"TopK", false, true, 1, 2, mien_op_sink},
    {"Concat", false, true, 1, SIZE_MAX, mien_op_concat},
    {"Split", false, true, 1, 2, mien_op_split},
    {"Slice", false, true, 1, 5, mien_op_slice},
    {"Gather", false, true, 2, 2, mien_op_gather},
    {"Expand", false, true, 2, 2, mien_op_expand},
    {"Transpose", false, true, 1, 1, mien_op_transpose},
    {"Reshape", false, true, 1, 2, mien_op_reshape},
    {"Flatten", false, true, 1, 1, mien_op_flatten},
    {"Squeeze", false, true, 1, 2, mien_op_squeeze},
    {"Unsqueeze", false, true, 1, 2, mien_op_unsqueeze},
    {"LinearClassifier", true, false, 1, 1, mien_op_linear_classifier},
    {"LinearRegressor", true, false, 1, 1, mien_op_linear_regressor},
    {"Scaler", true, false, 1, 1, mien_op_scaler},
    {"Normalizer", true, false, 1, 1, mien_op_normalizer},
    {"ArrayFeatureExtractor", true, true, 2, 2, mien_op_array_feature_extractor},
    {"ZipMap", true, false, 1, 1, mien_op_zipmap},
};

static const mien_value sink = {.kind = MIEN_VALUE_SINK};

/* Class labels and the like: allowed in the graph, never part of a score. */
mien_status mien_op_sink(const mien_call *call) {
  for (size_t i = 0; i < call->n_results; i++) call->results[i] = &sink;
  return MIEN_OK;
}

static mien_status constant_floats(const mien_call *call, const float *numbers, const mien_onnx_shape *shape) {
  double *out;
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_FLOATS, shape, &call->results[0], &out);
  for (size_t i = 0; i < shape->count && status == MIEN_OK; i++) out[i] = numbers[i];
  return status;
}

static mien_status constant_integers(const mien_call *call, const int64_t *numbers, const mien_onnx_shape *shape) {
  int64_t *out;
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_INTEGERS, shape, &call->results[0], &out);
  for (size_t i = 0; i < shape->count && status == MIEN_OK; i++) out[i] = numbers[i];
  return status;
}

/* One attribute, whose name tells the form. */
mien_status mien_op_constant(const mien_call *call) {
  const MienOnnx__NodeProto *node = call->node;
  if (node->n_attribute != 1 || !node->attribute[0]->name) return mien_call_refuse(call, "expected one attribute");
  const MienOnnx__AttributeProto *attribute = node->attribute[0];
  const char *form = attribute->name;
  const mien_onnx_shape scalar = {.count = 1};
  if (strcmp(form, "value") == 0 && attribute->t) {
    char where[MIEN_NODE_SHOWN_BYTES];
    return mien_value_from_tensor(call->fold, attribute->t, mien_node_show(node, where), &call->results[0]);
  }
  if (strcmp(form, "value_float") == 0 && attribute->has_f) return constant_floats(call, &attribute->f, &scalar);
  if (strcmp(form, "value_int") == 0 && attribute->has_i) return constant_integers(call, &attribute->i, &scalar);
  const size_t n = attribute->n_floats + attribute->n_ints;
  const mien_onnx_shape list = {.rank = 1, .dims = {n}, .count = n};
  if (strcmp(form, "value_floats") == 0 && !attribute->n_ints) return constant_floats(call, attribute->floats, &list);
  if (strcmp(form, "value_ints") == 0 && !attribute->n_floats) return constant_integers(call, attribute->ints, &list);
  return mien_call_refuse(call, "a form of constant that is not supported");
}

static bool is_domain(const char *domain, bool ml) {
  if (ml) return domain && strcmp(domain, "ai.onnx.ml") == 0;
  return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static const operator_entry *find_operator(const MienOnnx__NodeProto *node) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (strcmp(operators[i].name, node->op_type) == 0 && is_domain(node->domain, operators[i].is_ml))
      return &operators[i];
  return NULL;
}

static mien_status check_operands(const mien_call *call, const operator_entry *entry) {
  if (call->n_operands < entry->least_inputs || call->n_operands > entry->most_inputs)
    return mien_call_refuse(call,
                            call->n_operands < entry->least_inputs ? "expected at least %zu inputs, found %zu"
                                                                   : "expected at most %zu inputs, found %zu",
                            call->n_operands < entry->least_inputs ? entry->least_inputs : entry->most_inputs,
                            call->n_operands);
  for (size_t i = 0; i < call->n_operands; i++) {
    const mien_value *x = call->operands[i];
    if (!x && i < entry->least_inputs) return mien_call_refuse(call, "input %zu is left out", i);
    if (x && x->is_half && !entry->moves_only)
      return mien_call_refuse(call, "computes in float16: expected float or double");
  }
  return MIEN_OK;
}

static mien_status check_attributes(const mien_call *call) {
  for (size_t i = 0; i < call->node->n_attribute; i++)
    if (call->node->attribute[i]->g || call->node->attribute[i]->n_graphs)
      return mien_call_refuse(call, "not part of a linear classifier: it holds a graph");
  return MIEN_OK;
}

/* What follows a class label is none of a score. */
static bool has_sink(const mien_call *call) {
  for (size_t i = 0; i < call->n_operands; i++)
    if (call->operands[i] && call->operands[i]->kind == MIEN_VALUE_SINK) return true;
  return false;
}

mien_status mien_fold_call(const mien_call *call) {
  const MienOnnx__NodeProto *node = call->node;
  const operator_entry *entry = find_operator(node);
  if (!entry && !is_domain(node->domain, false) && !is_domain(node->domain, true))
    return mien_call_refuse(call, "not part of a linear classifier: its operator is not one of ONNX's own");
  if (!entry) return mien_call_refuse(call, "not part of a linear classifier");
  if ((entry->is_ml ? call->fold->opset_ml : call->fold->opset) == 0)
    return mien_call_refuse(call, "the file names no operator set for it");
  mien_status status = check_attributes(call);
  if (status == MIEN_OK && has_sink(call)) return mien_op_sink(call);
  if (status == MIEN_OK) status = check_operands(call, entry);
  /* A look at a column or at an attribute costs as much as a few multiply-adds. */
  enum { LOOK = 4 };
  uint64_t work = call->n_operands + call->n_results + node->n_attribute;
  for (size_t i = 0; i < call->n_operands; i++) work += call->operands[i] ? call->operands[i]->shape.count : 0;
  if (status == MIEN_OK) status = mien_fold_work(call->fold, work, LOOK);
  if (status == MIEN_OK) status = entry->evaluate(call);
  /* Outputs beyond those of the operator's meaning, a mask of Dropout. */
  for (size_t i = 0; i < call->n_results && status == MIEN_OK; i++)
    if (!call->results[i]) call->results[i] = &sink;
  return status;
}
