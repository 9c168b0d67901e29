/* SPDX-License-Identifier: Apache-2.0 */
/* The walk of the fold: from a name back through the graph to the input and the constants, without recursion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "head/fold.h"

/* In the order in which equal names are sorted. */
typedef enum source { SOURCE_INITIALIZER, SOURCE_INPUT, SOURCE_NODE } source;

struct mien_symbol {
  const char *name;
  source source;
  size_t index;            /* of the initializer, input or node */
  const mien_value *value; /* NULL until evaluated */
};

/* A node that waits for its inputs from `next_input` on. */
struct mien_frame {
  size_t node;
  size_t next_input;
};

enum { STATE_NEW, STATE_OPEN, STATE_DONE };

static char *show(const char *name, char *out) { return mien_utf8_clean(name, strlen(name), out, MIEN_SHOWN_BYTES); }

/* ---- Names ---------------------------------------------------------------------------------------------------- */

static int compare_symbols(const void *a, const void *b) {
  const mien_symbol *x = a, *y = b;
  int order = strcmp(x->name, y->name);
  return order ? order : (x->source > y->source) - (x->source < y->source);
}

static int compare_name(const void *name, const void *symbol) {
  return strcmp(name, ((const mien_symbol *)symbol)->name);
}

static mien_symbol *find(const mien_fold *fold, const char *name) {
  return bsearch(name, fold->symbols, fold->n_symbols, sizeof *fold->symbols, compare_name);
}

static mien_status add_symbol(mien_fold *fold, const char *name, source from, size_t index) {
  if (!name || !*name) {
    if (from == SOURCE_NODE) return MIEN_OK; /* an output that is left out */
    return mien_fail(fold->error, MIEN_INPUT, "%s: %s %zu has no name", fold->where,
                     from == SOURCE_INPUT ? "input" : "initializer", index);
  }
  fold->symbols[fold->n_symbols++] = (mien_symbol){.name = name, .source = from, .index = index};
  return MIEN_OK;
}

/* Sorted names are unique; an input that an initializer gives a value to is that initializer (IR version < 4). */
static mien_status unify_symbols(mien_fold *fold) {
  qsort(fold->symbols, fold->n_symbols, sizeof *fold->symbols, compare_symbols);
  size_t kept = 0;
  for (size_t i = 0; i < fold->n_symbols; i++) {
    const mien_symbol *symbol = &fold->symbols[i], *before = kept ? &fold->symbols[kept - 1] : NULL;
    if (before && strcmp(before->name, symbol->name) == 0) {
      char name[MIEN_SHOWN_BYTES];
      if (before->source == SOURCE_INITIALIZER && symbol->source == SOURCE_INPUT) continue;
      return mien_fail(fold->error, MIEN_INPUT, "%s: the name '%s' is given twice", fold->where,
                       show(symbol->name, name));
    }
    fold->symbols[kept++] = *symbol;
  }
  fold->n_symbols = kept;
  return MIEN_OK;
}

static mien_status collect_symbols(mien_fold *fold) {
  const MienOnnx__GraphProto *graph = fold->graph;
  size_t n = graph->n_initializer + graph->n_input, widest = 0;
  for (size_t i = 0; i < graph->n_node; i++) {
    size_t width = graph->node[i]->n_input + graph->node[i]->n_output;
    n += graph->node[i]->n_output;
    widest = width > widest ? width : widest;
  }
  mien_status status = mien_fold_alloc(fold, n, sizeof *fold->symbols, &fold->symbols);
  if (status == MIEN_OK) status = mien_fold_alloc(fold, widest, sizeof *fold->scratch, &fold->scratch);
  if (status == MIEN_OK) status = mien_fold_alloc(fold, graph->n_node, 1, &fold->node_states);
  if (status == MIEN_OK) status = mien_fold_alloc(fold, graph->n_node, sizeof *fold->stack, &fold->stack);
  for (size_t i = 0; i < graph->n_initializer && status == MIEN_OK; i++)
    status = add_symbol(fold, graph->initializer[i]->name, SOURCE_INITIALIZER, i);
  for (size_t i = 0; i < graph->n_input && status == MIEN_OK; i++)
    status = add_symbol(fold, graph->input[i]->name, SOURCE_INPUT, i);
  for (size_t i = 0; i < graph->n_node && status == MIEN_OK; i++)
    for (size_t j = 0; j < graph->node[i]->n_output && status == MIEN_OK; j++)
      status = add_symbol(fold, graph->node[i]->output[j], SOURCE_NODE, i);
  return status == MIEN_OK ? unify_symbols(fold) : status;
}

/* ---- Operator sets -------------------------------------------------------------------------------------------- */

static bool is_standard(const char *domain) { return !domain || !*domain || strcmp(domain, "ai.onnx") == 0; }

static mien_status read_opsets(mien_fold *fold) {
  for (size_t i = 0; i < fold->model->n_opset_import; i++) {
    const MienOnnx__OperatorSetIdProto *set = fold->model->opset_import[i];
    int64_t *version = is_standard(set->domain)                 ? &fold->opset
                       : strcmp(set->domain, "ai.onnx.ml") == 0 ? &fold->opset_ml
                                                                : NULL;
    if (!version) continue;
    const char *name = version == &fold->opset ? "ai.onnx" : "ai.onnx.ml";
    if (*version) return mien_fail(fold->error, MIEN_INPUT, "%s: operator set %s is named twice", fold->where, name);
    if (set->version < 1)
      return mien_fail(fold->error, MIEN_INPUT, "%s: operator set %s: expected version 1 or later, found %lld",
                       fold->where, name, (long long)set->version);
    *version = set->version;
  }
  /* A function could give the standard operators another meaning. */
  for (size_t i = 0; i < fold->model->n_functions; i++) {
    const char *domain = fold->model->functions[i]->domain;
    if (is_standard(domain) || strcmp(domain, "ai.onnx.ml") == 0)
      return mien_fail(fold->error, MIEN_INPUT, "%s: a function of its own in a standard domain", fold->where);
  }
  return MIEN_OK;
}

mien_status mien_fold_begin(mien_fold *fold) {
  for (size_t i = 0; i < fold->graph->n_node; i++)
    if (!fold->graph->node[i]->op_type)
      return mien_fail(fold->error, MIEN_INPUT, "%s: node %zu has no operator", fold->where, i);
  mien_status status = read_opsets(fold);
  return status == MIEN_OK ? collect_symbols(fold) : status;
}

/* ---- Leaves --------------------------------------------------------------------------------------------------- */

/* The type of the input's rows: float, double or float16, [N, D]. */
static mien_status check_input(mien_fold *fold, const MienOnnx__ValueInfoProto *input, const char *shown, size_t *dim) {
  const MienOnnx__TypeProto *type = input->type;
  const MienOnnx__TypeProto__Tensor *tensor =
      type && type->value_case == MIEN_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type : NULL;
  if (!tensor || (tensor->elem_type != MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT &&
                  tensor->elem_type != MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE &&
                  tensor->elem_type != MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16))
    return mien_fail(fold->error, MIEN_INPUT, "%s: input '%s': expected a tensor of float, double or float16",
                     fold->where, shown);
  if (!tensor->shape || tensor->shape->n_dim != 2)
    return mien_fail(fold->error, MIEN_INPUT, "%s: input '%s': expected embeddings [N, D], found %zu axes", fold->where,
                     shown, tensor->shape ? tensor->shape->n_dim : 0);
  const MienOnnx__TensorShapeProto__Dimension *rows = tensor->shape->dim[0], *columns = tensor->shape->dim[1];
  const bool is_fixed = columns->value_case == MIEN_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
  if (!is_fixed || columns->dim_value < 1 || columns->dim_value > MIEN_MAX_DIM)
    return mien_fail(fold->error, MIEN_INPUT,
                     "%s: input '%s': expected embeddings [N, D] with D from 1 to %d, found %lld", fold->where, shown,
                     MIEN_MAX_DIM, is_fixed ? (long long)columns->dim_value : 0);
  if (rows->value_case == MIEN_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && rows->dim_value > 0)
    fold->batch = rows->dim_value;
  *dim = (size_t)columns->dim_value;
  return MIEN_OK;
}

/* The embedding itself: column k is the unit vector of k. */
static mien_status make_input(mien_fold *fold, mien_symbol *symbol) {
  const MienOnnx__ValueInfoProto *input = fold->graph->input[symbol->index];
  char name[MIEN_SHOWN_BYTES], other[MIEN_SHOWN_BYTES];
  mien_value *value;
  mien_column *columns;
  show(symbol->name, name);
  if (fold->input)
    return mien_fail(fold->error, MIEN_INPUT, "%s: input '%s': expected one input, the embedding, found '%s' as well",
                     fold->where, name, show(fold->input, other));
  mien_status status = check_input(fold, input, name, &fold->dim);
  if (status != MIEN_OK) return status;
  fold->input = symbol->name;
  mien_onnx_shape shape = {.rank = 1, .dims = {fold->dim}, .count = fold->dim};
  const mien_value *made;
  status = mien_value_make(fold, MIEN_VALUE_BATCH, &shape, &made, &columns);
  for (size_t k = 0; k < fold->dim && status == MIEN_OK; k++)
    columns[k] = (mien_column){.unit = (uint16_t)k, .scale = 1, .c1 = 1};
  if (status == MIEN_OK) status = mien_fold_alloc(fold, 1, sizeof *value, &value);
  if (status != MIEN_OK) return status;
  *value = *made;
  value->is_half = input->type->tensor_type->elem_type == MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
  symbol->value = value;
  return MIEN_OK;
}

static mien_status make_leaf(mien_fold *fold, mien_symbol *symbol) {
  if (symbol->source == SOURCE_INPUT) return make_input(fold, symbol);
  char name[MIEN_SHOWN_BYTES], where[MIEN_SHOWN_BYTES + 16];
  snprintf(where, sizeof where, "tensor '%s'", show(symbol->name, name));
  return mien_value_from_tensor(fold, fold->graph->initializer[symbol->index], where, &symbol->value);
}

/* ---- Nodes ---------------------------------------------------------------------------------------------------- */

/* All inputs have values. */
static mien_status run(mien_fold *fold, size_t index) {
  const MienOnnx__NodeProto *node = fold->graph->node[index];
  for (size_t i = 0; i < node->n_input; i++)
    fold->scratch[i] = *node->input[i] ? find(fold, node->input[i])->value : NULL;
  const mien_value **results = fold->scratch + node->n_input;
  memset(results, 0, node->n_output * sizeof *results);
  mien_call call = {.fold = fold,
                    .node = node,
                    .operands = fold->scratch,
                    .n_operands = node->n_input,
                    .results = results,
                    .n_results = node->n_output};
  /* Inputs left out at the end are as if they were not there. */
  while (call.n_operands && !call.operands[call.n_operands - 1]) call.n_operands--;
  mien_status status = mien_fold_call(&call);
  for (size_t i = 0; i < node->n_output && status == MIEN_OK; i++)
    if (*node->output[i]) find(fold, node->output[i])->value = results[i];
  return status;
}

/*
 * Moves the frame on to its first input without a value, and makes that one when it is a leaf. *node is left alone
 * when all inputs have values, else it is the node that must be evaluated first.
 */
static mien_status advance(mien_fold *fold, mien_frame *f, size_t *node) {
  const MienOnnx__NodeProto *waiting = fold->graph->node[f->node];
  const mien_call call = {.fold = fold, .node = waiting};
  char name[MIEN_SHOWN_BYTES];
  for (; f->next_input < waiting->n_input; f->next_input++) {
    const char *input = waiting->input[f->next_input];
    mien_symbol *symbol = *input ? find(fold, input) : NULL;
    if (!*input || (symbol && symbol->value)) continue;
    if (!symbol) return mien_call_refuse(&call, "its input '%s' is not defined", show(input, name));
    if (symbol->source == SOURCE_NODE) {
      if (fold->node_states[symbol->index] == STATE_OPEN)
        return mien_call_refuse(&call, "its input '%s' depends on the node itself: the graph has a cycle",
                                show(input, name));
      *node = symbol->index;
      return MIEN_OK;
    }
    mien_status status = make_leaf(fold, symbol);
    if (status != MIEN_OK) return status;
  }
  return MIEN_OK;
}

static mien_status evaluate_node(mien_fold *fold, size_t node) {
  size_t depth = 0;
  fold->stack[depth++] = (mien_frame){.node = node};
  fold->node_states[node] = STATE_OPEN;
  while (depth > 0) {
    mien_frame *top = &fold->stack[depth - 1];
    size_t first = SIZE_MAX;
    mien_status status = advance(fold, top, &first);
    if (status == MIEN_OK && first == SIZE_MAX) {
      status = run(fold, top->node);
      fold->node_states[top->node] = STATE_DONE;
      depth--;
    } else if (status == MIEN_OK) {
      fold->node_states[first] = STATE_OPEN;
      fold->stack[depth++] = (mien_frame){.node = first}; /* each node is on the stack once */
    }
    if (status != MIEN_OK) return status;
  }
  return MIEN_OK;
}

mien_status mien_fold_evaluate(mien_fold *fold, const char *name, const mien_value **value) {
  mien_symbol *symbol = find(fold, name);
  mien_status status = MIEN_OK;
  char shown[MIEN_SHOWN_BYTES];
  if (!symbol)
    return mien_fail(fold->error, MIEN_INPUT, "%s: output '%s' is not defined", fold->where, show(name, shown));
  if (!symbol->value)
    status = symbol->source == SOURCE_NODE ? evaluate_node(fold, symbol->index) : make_leaf(fold, symbol);
  *value = symbol->value;
  return status;
}

void mien_fold_mark(mien_fold *fold, const char *name, unsigned char *marks) {
  const mien_symbol *symbol = find(fold, name);
  size_t depth = 0;
  if (symbol->source != SOURCE_NODE || marks[symbol->index]) return;
  marks[symbol->index] = 1;
  fold->stack[depth++] = (mien_frame){.node = symbol->index};
  while (depth > 0) {
    mien_frame *top = &fold->stack[depth - 1];
    const MienOnnx__NodeProto *node = fold->graph->node[top->node];
    if (top->next_input == node->n_input) {
      depth--;
      continue;
    }
    const char *input = node->input[top->next_input++];
    symbol = *input ? find(fold, input) : NULL;
    if (!symbol || symbol->source != SOURCE_NODE || marks[symbol->index]) continue;
    marks[symbol->index] = 1;
    fold->stack[depth++] = (mien_frame){.node = symbol->index};
  }
}
