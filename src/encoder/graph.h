/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX graph to be read backwards: which node makes a value, and what is constant. */
#ifndef MIEN_ENCODER_GRAPH_H
#define MIEN_ENCODER_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "onnx.pb-c.h"

typedef struct mien_graph_name {
  const char *name;
  const void *what;
} mien_graph_name;

typedef struct mien_graph {
  const MienOnnx__GraphProto *proto;
  const char *where;
  mien_graph_name *nodes; /* [n_nodes] the node that makes a value, by the value's name */
  size_t n_nodes;
  mien_graph_name *tensors; /* [n_tensors] initializers by name */
  size_t n_tensors;
} mien_graph;

/* Names that are made twice are refused. `proto` and `where` must outlive the graph, which is closed in any case. */
MIEN_MUST_USE mien_status mien_graph_open(const MienOnnx__GraphProto *proto, const char *where, mien_graph *graph,
                                          mien_error *error);
void mien_graph_close(mien_graph *graph);

/* The value that `value` is another name of: behind nodes that pass it on, as Identity does. */
const char *mien_graph_source(const mien_graph *graph, const char *value);

/* The node behind the value's source; NULL when it is an input, an initializer or nothing. */
const MienOnnx__NodeProto *mien_graph_node(const mien_graph *graph, const char *value);

/* The same where its operator is `op` and it has at least `n_inputs` inputs, else NULL. */
const MienOnnx__NodeProto *mien_graph_op(const mien_graph *graph, const char *value, const char *op, size_t n_inputs);

/* Whether both are one value. */
bool mien_graph_same(const mien_graph *graph, const char *a, const char *b);

/* The initializer or the Constant's tensor behind a value; NULL when it is none. */
const MienOnnx__TensorProto *mien_graph_tensor(const mien_graph *graph, const char *value);

/* A constant of one number; false when it is none. */
bool mien_graph_number(const mien_graph *graph, const char *value, double *number);

/* A constant of at most `most` integers, in any shape; false when it is none. */
bool mien_graph_integers(const mien_graph *graph, const char *value, size_t most, int64_t *integers, size_t *count);

const MienOnnx__AttributeProto *mien_graph_attribute(const MienOnnx__NodeProto *node, const char *name);

/* An integer attribute, `otherwise` where it is absent. */
int64_t mien_graph_integer(const MienOnnx__NodeProto *node, const char *name, int64_t otherwise);

/* Whether a list attribute has exactly these `count` integers. */
bool mien_graph_has_integers(const MienOnnx__NodeProto *node, const char *name, size_t count, const int64_t *integers);

#endif
