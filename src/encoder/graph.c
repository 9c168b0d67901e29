/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX graph to be read backwards: which node makes a value, and what is constant. */
#include "encoder/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "formats/onnx_tensor.h"

/* Nodes that pass a value on, one behind the other; a graph may have a ring of them. */
enum { MAX_HOPS = 16 };

/* ---- Names ----------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
  return strcmp(((const mien_graph_name *)a)->name, ((const mien_graph_name *)b)->name);
}

static const void *look_up(const mien_graph_name *names, size_t count, const char *name) {
  const mien_graph_name key = {name, NULL};
  const mien_graph_name *found = count ? bsearch(&key, names, count, sizeof key, by_name) : NULL;
  return found ? found->what : NULL;
}

static mien_status sort_names(const mien_graph *graph, mien_graph_name *names, size_t count, mien_error *error) {
  if (count) qsort(names, count, sizeof *names, by_name);
  for (size_t i = 1; i < count; i++)
    if (strcmp(names[i - 1].name, names[i].name) == 0)
      return mien_fail(error, MIEN_INPUT, "%s: value '%s' is made twice", graph->where, names[i].name);
  return MIEN_OK;
}

static mien_status index_nodes(mien_graph *graph, mien_error *error) {
  const MienOnnx__GraphProto *proto = graph->proto;
  size_t most = 0;
  for (size_t i = 0; i < proto->n_node; i++) most += proto->node[i]->n_output;
  graph->nodes = mien_alloc(most, sizeof *graph->nodes);
  if (!graph->nodes) return mien_fail_memory(error, graph->where, most * sizeof *graph->nodes);
  for (size_t i = 0; i < proto->n_node; i++) {
    const MienOnnx__NodeProto *node = proto->node[i];
    for (size_t k = 0; k < node->n_output; k++)
      if (node->output[k][0]) graph->nodes[graph->n_nodes++] = (mien_graph_name){node->output[k], node};
  }
  return sort_names(graph, graph->nodes, graph->n_nodes, error);
}

static mien_status index_tensors(mien_graph *graph, mien_error *error) {
  const MienOnnx__GraphProto *proto = graph->proto;
  graph->tensors = mien_alloc(proto->n_initializer, sizeof *graph->tensors);
  if (!graph->tensors) return mien_fail_memory(error, graph->where, proto->n_initializer * sizeof *graph->tensors);
  for (size_t i = 0; i < proto->n_initializer; i++)
    if (proto->initializer[i]->name)
      graph->tensors[graph->n_tensors++] = (mien_graph_name){proto->initializer[i]->name, proto->initializer[i]};
  return sort_names(graph, graph->tensors, graph->n_tensors, error);
}

mien_status mien_graph_open(const MienOnnx__GraphProto *proto, const char *where, mien_graph *graph,
                            mien_error *error) {
  *graph = (mien_graph){.proto = proto, .where = where};
  mien_status status = index_nodes(graph, error);
  return status == MIEN_OK ? index_tensors(graph, error) : status;
}

void mien_graph_close(mien_graph *graph) {
  mien_free(graph->nodes);
  mien_free(graph->tensors);
  *graph = (mien_graph){0};
}

/* ---- Values and nodes ------------------------------------------------------------------------------------------ */

static bool is_op(const MienOnnx__NodeProto *node, const char *op) {
  return node->op_type && strcmp(node->op_type, op) == 0 && (!node->domain || !node->domain[0]);
}

const char *mien_graph_source(const mien_graph *graph, const char *value) {
  for (int hop = 0; hop < MAX_HOPS; hop++) {
    const MienOnnx__NodeProto *node = look_up(graph->nodes, graph->n_nodes, value);
    if (!node || node->n_input < 1 || !(is_op(node, "Identity") || is_op(node, "Dropout"))) break;
    value = node->input[0];
  }
  return value;
}

const MienOnnx__NodeProto *mien_graph_node(const mien_graph *graph, const char *value) {
  return look_up(graph->nodes, graph->n_nodes, mien_graph_source(graph, value));
}

const MienOnnx__NodeProto *mien_graph_op(const mien_graph *graph, const char *value, const char *op, size_t n_inputs) {
  const MienOnnx__NodeProto *node = mien_graph_node(graph, value);
  return node && is_op(node, op) && node->n_input >= n_inputs ? node : NULL;
}

bool mien_graph_same(const mien_graph *graph, const char *a, const char *b) {
  return strcmp(mien_graph_source(graph, a), mien_graph_source(graph, b)) == 0;
}

/* ---- Attributes ------------------------------------------------------------------------------------------------ */

const MienOnnx__AttributeProto *mien_graph_attribute(const MienOnnx__NodeProto *node, const char *name) {
  for (size_t i = 0; i < node->n_attribute; i++)
    if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0) return node->attribute[i];
  return NULL;
}

int64_t mien_graph_integer(const MienOnnx__NodeProto *node, const char *name, int64_t otherwise) {
  const MienOnnx__AttributeProto *attribute = mien_graph_attribute(node, name);
  return attribute && attribute->has_i ? attribute->i : otherwise;
}

bool mien_graph_has_integers(const MienOnnx__NodeProto *node, const char *name, size_t count, const int64_t *integers) {
  const MienOnnx__AttributeProto *attribute = mien_graph_attribute(node, name);
  return attribute && attribute->n_ints == count &&
         (count == 0 || memcmp(attribute->ints, integers, count * sizeof *integers) == 0);
}

/* ---- Constants ------------------------------------------------------------------------------------------------- */

const MienOnnx__TensorProto *mien_graph_tensor(const mien_graph *graph, const char *value) {
  const MienOnnx__NodeProto *constant = mien_graph_op(graph, value, "Constant", 0);
  if (!constant) return look_up(graph->tensors, graph->n_tensors, mien_graph_source(graph, value));
  const MienOnnx__AttributeProto *attribute = mien_graph_attribute(constant, "value");
  return attribute ? attribute->t : NULL;
}

/* Opens a constant of at most `most` elements that is in the file. */
static bool open_constant(const mien_graph *graph, const char *value, size_t most, mien_onnx_tensor *tensor) {
  const MienOnnx__TensorProto *proto = mien_graph_tensor(graph, value);
  if (!proto || mien_onnx_tensor_open(proto, NULL, graph->where, tensor, NULL) != MIEN_OK) return false;
  return tensor->shape.count <= most;
}

/* A Constant that is no tensor: value_float, value_int, value_ints. */
static const MienOnnx__AttributeProto *plain_constant(const mien_graph *graph, const char *value, const char *name) {
  const MienOnnx__NodeProto *constant = mien_graph_op(graph, value, "Constant", 0);
  return constant ? mien_graph_attribute(constant, name) : NULL;
}

bool mien_graph_integers(const mien_graph *graph, const char *value, size_t most, int64_t *integers, size_t *count) {
  mien_onnx_tensor tensor;
  const MienOnnx__AttributeProto *list = plain_constant(graph, value, "value_ints");
  const MienOnnx__AttributeProto *one = plain_constant(graph, value, "value_int");
  if (list || one) {
    *count = list ? list->n_ints : 1;
    if (*count > most) return false;
    if (*count) memcpy(integers, list ? list->ints : &one->i, *count * sizeof *integers);
    return true;
  }
  if (!open_constant(graph, value, most, &tensor) || !tensor.is_integer) return false;
  *count = tensor.shape.count;
  return mien_onnx_tensor_read(&tensor, graph->where, NULL, integers, NULL) == MIEN_OK;
}

bool mien_graph_number(const mien_graph *graph, const char *value, double *number) {
  mien_onnx_tensor tensor;
  const MienOnnx__AttributeProto *plain = plain_constant(graph, value, "value_float");
  if (plain) {
    *number = (double)plain->f;
    return true;
  }
  int64_t integer;
  size_t count;
  if (mien_graph_integers(graph, value, 1, &integer, &count) && count == 1) {
    *number = (double)integer;
    return true;
  }
  if (!open_constant(graph, value, 1, &tensor) || tensor.shape.count != 1 || tensor.is_integer) return false;
  return mien_onnx_tensor_read(&tensor, graph->where, number, NULL, NULL) == MIEN_OK;
}
