/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of BERT in an ONNX graph, each walked from its output back to its input. */
#ifndef MIEN_ENCODER_GRAPH_MATCH_H
#define MIEN_ENCODER_GRAPH_MATCH_H

#include "encoder/graph.h"
#include "encoder/weights.h"

enum { MIEN_MATCH_PREFIX_CHARS = 64, MIEN_MATCH_PART_CHARS = 128 };

typedef struct mien_match {
  mien_graph graph;
  const char *where;
  mien_error *error;
  char prefix[MIEN_MATCH_PREFIX_CHARS]; /* before the names of parameters: "", "bert.", … */
  char part[MIEN_MATCH_PART_CHARS];     /* the module being walked, for names and messages: "encoder.layer.3.output" */
  size_t hidden, intermediate;          /* known before */
  size_t heads;                         /* 0 until the first layer says it */
  float epsilon;                        /* negative until the first LayerNorm says it */
  int64_t softmax_axis;                 /* Softmax's default, of the graph's version of it */
  const char *mask;                     /* what is added to the attention's scores, once it was checked */
} mien_match;

/* Names the part that is walked next. */
void mien_match_enter(mien_match *match, const char *part);

/* Refuses `value`: "model.onnx: encoder.layer.3.output: expected …, found node 'n17' (Relu)". */
mien_status mien_match_refuse(const mien_match *match, const char *value, const char *expected);

/* Whether the operand's name is that of parameter `name` of the part. */
bool mien_match_is_parameter(const mien_match *match, const char *operand, const char *name);

/* Whether a constant of the graph is the one that is expected. */
bool mien_match_is_near(double found, double expected);

/* The parameter `name` of the part as a vector of `size` numbers. */
MIEN_MUST_USE mien_status mien_match_vector(const mien_match *match, const char *name, size_t size,
                                            mien_weight *weight);

/* A tensor of the file as a matrix of these sizes, [inputs × outputs] if `inputs_first`. */
MIEN_MUST_USE mien_status mien_match_matrix(const mien_match *match, const char *value, size_t outputs, size_t inputs,
                                            bool inputs_first, mien_weight *weight);

/* MatMul by a constant and Add of the part's bias. */
MIEN_MUST_USE mien_status mien_match_linear(const mien_match *match, const char *output, size_t outputs, size_t inputs,
                                            mien_weight_linear *weights, const char **input);

/* LayerNorm over the last axis, as one node or as nine. */
MIEN_MUST_USE mien_status mien_match_norm(mien_match *match, const char *output, mien_weight_norm *weights,
                                          const char **input);

/* GELU by the error function: h · (1 + erf(h / √2)) / 2. */
MIEN_MUST_USE mien_status mien_match_gelu(const mien_match *match, const char *output, const char **input);

/*
 * The heads' attention: `output` [texts, tokens, hidden] of the values query, key and value, softmax over the keys, the
 * padding masked. The head count is checked, or found.
 */
MIEN_MUST_USE mien_status mien_match_attention(mien_match *match, const char *output, const char **query,
                                               const char **key, const char **value);

/* The sum of word, position and token type embeddings, normalised: where all layers begin. */
MIEN_MUST_USE mien_status mien_match_embeddings(mien_match *match, const char *output,
                                                const mien_encoder_config *config, mien_encoder_weights *weights);

/* The two operands of a node of operator `op`, NULL when it is another. */
const MienOnnx__NodeProto *mien_match_binary(const mien_match *match, const char *value, const char *op);

/* Rows of the parameter "weight" of the part at the indices of `index`: Gather(weight, index). */
bool mien_match_gather(const mien_match *match, const char *value, const char **index);

#endif
