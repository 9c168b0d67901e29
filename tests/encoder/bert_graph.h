/* SPDX-License-Identifier: Apache-2.0 */
/* BERT as PyTorch's exporter writes it to ONNX, small, with one thing about it changed. */
#ifndef MIEN_TESTS_BERT_GRAPH_H
#define MIEN_TESTS_BERT_GRAPH_H

#include <math.h>
#include <stdbool.h>

#include "encoder_files.h"
#include "formats/onnx_builder.h"

/* What a graph does otherwise than BERT; 0 is BERT. */
typedef enum deviation {
  NONE,
  SCALE_OF_ANOTHER_SIZE,
  TANH_GELU,
  RELU,
  SOFTMAX_OVER_QUERIES,
  CAUSAL_MASK,
  NO_MASK,
  LEARNT_MASK,
  NO_RESIDUAL,
  RESIDUAL_OF_ANOTHER_LAYER,
  PRE_NORM,
  BIAS_OF_ANOTHER,
  KEY_IS_QUERY,
  OTHER_EPSILON,
  POSITIONS_FROM_TWO,
  WORDS_OF_POSITIONS,
  WEIGHT_OF_ANOTHER_SHAPE,
  WEIGHT_COMPUTED,
  FOUR_HEADS_ONCE,
  OUTPUT_OF_FIRST_LAYER,
  QUANTISED,
  EXTERNAL_WEIGHT,
  WEIGHT_AS_FLOAT_DATA,
} deviation;

typedef struct graph_style {
  deviation deviation;
  const char *prefix;      /* before parameters' names; NULL: "" */
  bool is_new;             /* LayerNormalization nodes, a Where in the mask, Identity of shared parameters */
  bool is_unfolded;        /* weights stay [outputs × inputs] with a Transpose behind */
  bool has_split_scale;    /* query and key are scaled, by the size of a head's root's root, computed from its Shape */
  bool has_types_of_zeros; /* no input token_type_ids */
} graph_style;

typedef struct graph {
  builder b;
  graph_style style;
  size_t n_values, n_weights;
} graph;

static inline const char *format(char *out, const char *pattern, const char *a, const char *b) {
  ck_assert_int_lt(snprintf(out, 192, pattern, a, b), 192);
  return out;
}

/* A new value's name. */
static inline void name_value(graph *g, char out[64]) { snprintf(out, 64, "/v%zu", g->n_values++); }

/* A node with `inputs` in words; its output's name in `out`, which may be the memory that `inputs` is in. */
static inline void node(graph *g, const char *op, const char *inputs, char out[64]) {
  char words[512];
  snprintf(words, sizeof words, "%s", inputs);
  name_value(g, out);
  put_node(&g->b, op, words, out);
}

static inline void node2(graph *g, const char *op, const char *a, const char *b, char out[64]) {
  char inputs[512];
  snprintf(inputs, sizeof inputs, "%s %s", a, b);
  node(g, op, inputs, out);
}

static inline void transpose(graph *g, const char *input, size_t n, const int64_t *perm, char out[64]) {
  char word[192];
  snprintf(word, sizeof word, "%s", input);
  name_value(g, out);
  begin_node(&g->b, "Transpose", word, out);
  put_attribute_integers(&g->b, "perm", n, perm);
  end(&g->b);
}

/* Constant nodes, as the exporter writes them. */
static inline void constant_tensor(graph *g, int type, size_t rank, const int64_t *dims, const void *data, size_t bytes,
                                   char out[64]) {
  name_value(g, out);
  begin_node(&g->b, "Constant", "", out);
  begin(&g->b, 5);
  put_text(&g->b, 1, "value");
  begin(&g->b, 5);
  for (size_t i = 0; i < rank; i++) put_integer(&g->b, 1, dims[i]);
  put_integer(&g->b, 2, type);
  put_blob(&g->b, 9, data, bytes);
  end(&g->b);
  put_integer(&g->b, 20, 4);
  end(&g->b);
  end(&g->b);
}

static inline void constant(graph *g, float value, char out[64]) {
  constant_tensor(g, ONNX_FLOAT, 0, NULL, &value, sizeof value, out);
}

static inline void constant_integers(graph *g, size_t n, const int64_t *values, char out[64]) {
  const int64_t dims[1] = {(int64_t)n};
  constant_tensor(g, ONNX_INT64, 1, dims, values, n * sizeof *values, out);
}

/* ---- Parameters ------------------------------------------------------------------------------------------------ */

static inline const char *full_name(const graph *g, const char *name, char out[192]) {
  return format(out, "%s%s", g->style.prefix ? g->style.prefix : "", name);
}

/* The parameter `name` as it is saved; transposed into another file's name where `as` is given. */
static inline void put_parameter(graph *g, const char *name, const char *as, size_t rows, size_t columns,
                                 bool is_transposed) {
  char full[192];
  float values[512];
  const size_t n = rows * columns;
  ck_assert_uint_le(n, sizeof values / sizeof *values);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++)
      values[is_transposed ? c * rows + r : r * columns + c] = element_of(name, r * columns + c);
  const int64_t dims[2] = {(int64_t)(is_transposed ? columns : rows), (int64_t)(is_transposed ? rows : columns)};
  const int64_t vector[1] = {(int64_t)columns};
  const bool is_vector = rows == 1;
  const char *title = as ? as : full_name(g, name, full);
  const bool is_first = g->n_weights == 1 && as;
  if (is_first && g->style.deviation == WEIGHT_AS_FLOAT_DATA) {
    begin_tensor(&g->b, title, ONNX_FLOAT, 2, dims);
    put_blob(&g->b, 4, values, n * sizeof *values);
    end(&g->b);
  } else if (is_first && g->style.deviation == EXTERNAL_WEIGHT) {
    begin_tensor(&g->b, title, ONNX_FLOAT, 2, dims);
    put_external(&g->b, "model.onnx_data", "0", NULL);
    end(&g->b);
  } else {
    put_floats(&g->b, title, is_vector ? 1 : 2, is_vector ? vector : dims, values);
  }
}

/* module.weight and module.bias of a linear map, input · weight + bias. */
static inline void linear(graph *g, const char *module, const char *input, size_t outputs, size_t inputs,
                          char out[64]) {
  char weight[192], bias[192], matrix[64], product[64], full[192];
  format(weight, "%s.%s", module, "weight");
  format(bias, "%s.%s", module, "bias");
  snprintf(matrix, sizeof matrix, "onnx::MatMul_%zu", ++g->n_weights);
  const bool is_odd = g->style.deviation == WEIGHT_OF_ANOTHER_SHAPE && g->n_weights == 1;
  put_parameter(g, weight, g->style.is_unfolded ? NULL : matrix, outputs, inputs - is_odd, !g->style.is_unfolded);
  put_parameter(g, bias, NULL, 1, outputs, false);
  if (g->style.is_unfolded) transpose(g, full_name(g, weight, full), 2, (const int64_t[]){1, 0}, matrix);
  if (g->style.deviation == WEIGHT_COMPUTED && g->n_weights == 1) node(g, "Neg", matrix, matrix);
  node2(g, g->style.deviation == QUANTISED ? "MatMulInteger" : "MatMul", input, matrix, product);
  if (g->style.deviation == BIAS_OF_ANOTHER && strstr(module, "0.attention.self.query"))
    node2(g, "Add", full_name(g, "embeddings.LayerNorm.bias", full), product, out);
  else
    node2(g, "Add", full_name(g, bias, full), product, out);
}

/* ---- LayerNorm ------------------------------------------------------------------------------------------------- */

static inline void mean(graph *g, const char *input, char out[64]) {
  char word[192];
  snprintf(word, sizeof word, "%s", input);
  name_value(g, out);
  begin_node(&g->b, "ReduceMean", word, out);
  put_attribute_integers(&g->b, "axes", 1, (const int64_t[]){-1});
  end(&g->b);
}

static inline void norm(graph *g, const char *module, const char *input, char out[64]) {
  char gamma[192], beta[192], full_gamma[192], full_beta[192], a[64], b[64], two[64], epsilon[64];
  const bool is_other = g->style.deviation == OTHER_EPSILON && strstr(module, "1.output");
  const float epsilon_value = is_other ? 1e-5f : 1e-12f;
  put_parameter(g, format(gamma, "%s.%s", module, "weight"), NULL, 1, HIDDEN, false);
  put_parameter(g, format(beta, "%s.%s", module, "bias"), NULL, 1, HIDDEN, false);
  full_name(g, gamma, full_gamma);
  full_name(g, beta, full_beta);
  if (g->style.is_new) {
    char inputs[512];
    snprintf(inputs, sizeof inputs, "%s %s %s", input, full_gamma, full_beta);
    name_value(g, out);
    begin_node(&g->b, "LayerNormalization", inputs, out);
    begin(&g->b, 5);
    put_text(&g->b, 1, "epsilon");
    put_float(&g->b, 2, epsilon_value);
    put_integer(&g->b, 20, 1);
    end(&g->b);
    put_attribute_integer(&g->b, "axis", -1);
    end(&g->b);
    return;
  }
  mean(g, input, a);
  node2(g, "Sub", input, a, a);
  constant(g, 2, two);
  node2(g, "Pow", a, two, b);
  mean(g, b, b);
  constant(g, epsilon_value, epsilon);
  node2(g, "Add", b, epsilon, b);
  node(g, "Sqrt", b, b);
  node2(g, "Div", a, b, a);
  node2(g, "Mul", a, full_gamma, a);
  node2(g, "Add", a, full_beta, out);
}

/* ---- GELU ------------------------------------------------------------------------------------------------------ */

static inline void activate(graph *g, const char *input, char out[64]) {
  char root[64], one[64], half[64], x[64];
  if (g->style.deviation == RELU) {
    node(g, "Relu", input, out);
    return;
  }
  constant(g, g->style.is_new ? 0.70710678f : 1.41421356f, root);
  node2(g, g->style.is_new ? "Mul" : "Div", input, root, x);
  node(g, g->style.deviation == TANH_GELU ? "Tanh" : "Erf", x, x);
  constant(g, 1, one);
  node2(g, "Add", x, one, x);
  constant(g, 0.5f, half);
  if (g->style.is_new) {
    node2(g, "Mul", half, input, half);
    node2(g, "Mul", half, x, out);
  } else {
    node2(g, "Mul", input, x, x);
    node2(g, "Mul", x, half, out);
  }
}

/* ---- Attention ------------------------------------------------------------------------------------------------- */

/* Splits into heads: the first two sizes are taken from the input's shape as exporters do. */
static inline void split(graph *g, const char *input, size_t heads, size_t n, const int64_t *perm, char out[64]) {
  char shape[64], whole[64], zero[64], length[64], parts[2][64], inputs[512];
  const int64_t counts[2] = {g->style.is_new ? -1 : (int64_t)heads, HIDDEN / (int64_t)heads};
  node(g, "Shape", input, shape);
  constant_integers(g, 1, (const int64_t[]){0}, zero);
  node2(g, "Gather", shape, zero, whole);
  node2(g, "Gather", shape, zero, length);
  constant_integers(g, 1, &counts[0], parts[0]);
  constant_integers(g, 1, &counts[1], parts[1]);
  snprintf(inputs, sizeof inputs, "%s %s %s %s", whole, length, parts[0], parts[1]);
  name_value(g, shape);
  begin_node(&g->b, "Concat", inputs, shape);
  put_attribute_integer(&g->b, "axis", 0);
  end(&g->b);
  node2(g, "Reshape", input, shape, out);
  transpose(g, out, n, perm, out);
}

static inline void scale(graph *g, const char *op, const char *input, float by, char out[64]) {
  char number[64];
  constant(g, by, number);
  node2(g, op, input, number, out);
}

/* input · √(1 / √size), the size from the query's shape. */
static inline void scale_by_shape(graph *g, const char *input, const char *query, char out[64]) {
  char x[64], last[64], end_[64], one[64], inputs[512];
  node(g, "Shape", query, x);
  constant_integers(g, 1, (const int64_t[]){-1}, last);
  constant_integers(g, 1, (const int64_t[]){INT64_MAX}, end_);
  snprintf(inputs, sizeof inputs, "%s %s %s", x, last, end_);
  node(g, "Slice", inputs, x);
  node(g, "Cast", x, x);
  node(g, "Sqrt", x, x);
  constant(g, 1, one);
  node2(g, "Div", one, x, x);
  node(g, "Cast", x, x);
  node(g, "Sqrt", x, x);
  node2(g, "Mul", input, x, out);
}

static inline void attend(graph *g, size_t layer, const char *query, const char *key, const char *value,
                          const char *mask, char out[64]) {
  char q[64], k[64], v[64], scores[64], shape[64];
  const deviation other = g->style.deviation;
  const size_t heads = other == FOUR_HEADS_ONCE && layer == 0 ? 4 : HEADS;
  split(g, query, heads, 4, (const int64_t[]){0, 2, 1, 3}, q);
  split(g, value, heads, 4, (const int64_t[]){0, 2, 1, 3}, v);
  split(g, key, heads, 4, (const int64_t[]){0, 2, g->style.is_new ? 1 : 3, g->style.is_new ? 3 : 1}, k);
  if (g->style.is_new) transpose(g, k, 4, (const int64_t[]){0, 1, 3, 2}, k);
  if (g->style.has_split_scale) {
    char original[64];
    memcpy(original, q, sizeof original);
    scale_by_shape(g, q, original, q);
    scale_by_shape(g, k, original, k);
  }
  node2(g, "MatMul", q, k, scores);
  const float size = other == SCALE_OF_ANOTHER_SIZE ? 16 : HIDDEN / (float)HEADS;
  if (!g->style.has_split_scale)
    scale(g, g->style.is_new ? "Mul" : "Div", scores, g->style.is_new ? 1 / sqrtf(size) : sqrtf(size), scores);
  if (other != NO_MASK) node2(g, "Add", scores, mask, scores);
  char probabilities[64];
  name_value(g, probabilities);
  begin_node(&g->b, "Softmax", scores, probabilities);
  put_attribute_integer(&g->b, "axis", other == SOFTMAX_OVER_QUERIES ? 2 : g->style.is_new ? -1 : 3);
  end(&g->b);
  node2(g, "MatMul", probabilities, v, out);
  transpose(g, out, 4, (const int64_t[]){0, 2, 1, 3}, out);
  constant_integers(g, 3, (const int64_t[]){0, 0, g->style.is_new ? -1 : HIDDEN}, shape);
  node2(g, "Reshape", out, shape, out);
}

/* (1 - attention_mask) · -3e38, or where it is not, -3e38. */
static inline void make_mask(graph *g, char out[64]) {
  char one[64], low[64], axes[64];
  constant_integers(g, 2, (const int64_t[]){1, 2}, axes);
  node2(g, "Unsqueeze", "attention_mask", axes, out);
  node(g, "Cast", out, out);
  constant(g, g->style.is_new ? 0 : 1, one);
  constant(g, -3e38f, low);
  if (g->style.is_new) {
    char inputs[512];
    snprintf(inputs, sizeof inputs, "%s %s %s", out, one, low);
    node(g, "Where", inputs, out);
  } else {
    node2(g, "Sub", one, out, out);
    node2(g, "Mul", out, low, out);
  }
  if (g->style.deviation == CAUSAL_MASK) node(g, "Trilu", out, out);
  if (g->style.deviation == LEARNT_MASK) {
    put_floats(&g->b, "bias_table", 2, (const int64_t[]){2, 2}, (const float[]){1, 2, 3, 4});
    node2(g, "Add", out, "bias_table", out);
  }
}

/* ---- The whole ------------------------------------------------------------------------------------------------- */

static inline void embed(graph *g, char out[64]) {
  int64_t positions[POSITIONS];
  char word[192], position[192], type[192], index[64], starts[64], a[64], b[64], c[64], inputs[512];
  put_parameter(g, "embeddings.word_embeddings.weight", NULL, VOCABULARY, HIDDEN, false);
  put_parameter(g, "embeddings.position_embeddings.weight", NULL, POSITIONS, HIDDEN, false);
  put_parameter(g, "embeddings.token_type_embeddings.weight", NULL, TYPES, HIDDEN, false);
  for (int64_t i = 0; i < POSITIONS; i++) positions[i] = i + (g->style.deviation == POSITIONS_FROM_TWO ? 2 : 0);
  const int64_t dims[2] = {1, POSITIONS};
  constant_tensor(g, ONNX_INT64, 2, dims, positions, sizeof positions, index);
  constant_integers(g, 1, (const int64_t[]){0}, starts);
  snprintf(inputs, sizeof inputs, "%s %s length", index, starts);
  node(g, "Slice", inputs, index);
  node2(g, "Gather", full_name(g, "embeddings.word_embeddings.weight", word),
        g->style.deviation == WORDS_OF_POSITIONS ? index : "input_ids", a);
  if (g->style.has_types_of_zeros) {
    char shape[64];
    node(g, "Shape", "input_ids", shape);
    node(g, "ConstantOfShape", shape, b);
    node2(g, "Gather", full_name(g, "embeddings.token_type_embeddings.weight", type), b, b);
  } else {
    node2(g, "Gather", full_name(g, "embeddings.token_type_embeddings.weight", type), "token_type_ids", b);
  }
  node2(g, "Gather", full_name(g, "embeddings.position_embeddings.weight", position), index, c);
  node2(g, "Add", a, b, a);
  node2(g, "Add", a, c, a);
  norm(g, "embeddings.LayerNorm", a, out);
}

static inline void layer(graph *g, size_t index, const char *first, const char *mask, char x[64]) {
  char module[5][192], q[64], k[64], v[64], attended[64], sum[64], middle[64];
  static const char *const parts[5] = {"attention.self.query", "attention.self.key", "attention.self.value",
                                       "attention.output", "output"};
  for (size_t i = 0; i < 5; i++) snprintf(module[i], sizeof module[i], "encoder.layer.%zu.%s", index, parts[i]);
  const deviation other = g->style.deviation;
  char inner[192];
  linear(g, module[0], x, HIDDEN, HIDDEN, q);
  linear(g, module[1], x, HIDDEN, HIDDEN, k);
  linear(g, module[2], x, HIDDEN, HIDDEN, v);
  attend(g, index, q, other == KEY_IS_QUERY ? q : k, v, mask, attended);
  linear(g, format(inner, "%s.%s", module[3], "dense"), attended, HIDDEN, HIDDEN, attended);
  const char *residual = other == RESIDUAL_OF_ANOTHER_LAYER && index == 1 ? first : x;
  if (other == NO_RESIDUAL)
    memcpy(sum, attended, sizeof sum);
  else
    node2(g, "Add", attended, residual, sum);
  norm(g, format(inner, "%s.%s", module[3], "LayerNorm"), sum, middle);
  snprintf(inner, sizeof inner, "encoder.layer.%zu.intermediate.dense", index);
  linear(g, inner, other == PRE_NORM ? sum : middle, WIDE, HIDDEN, attended);
  activate(g, attended, attended);
  linear(g, format(inner, "%s.%s", module[4], "dense"), attended, HIDDEN, WIDE, attended);
  node2(g, "Add", attended, middle, sum);
  norm(g, format(inner, "%s.%s", module[4], "LayerNorm"), sum, x);
}

/* Bytes to be discarded. */
static inline builder build_bert(const graph_style *style) {
  graph g = {.style = *style};
  char x[64], first[64] = "", mask[64];
  begin_model(&g.b, style->is_new ? 17 : 14, 0);
  for (int i = 0; i < 3; i++)
    put_value(&g.b, 11, (const char *[]){"input_ids", "attention_mask", "token_type_ids"}[i], ONNX_INT64, 2,
              (const int64_t[]){-1, -1});
  embed(&g, x);
  make_mask(&g, mask);
  char embedded[64];
  memcpy(embedded, x, sizeof embedded);
  for (size_t i = 0; i < LAYERS; i++) {
    layer(&g, i, embedded, mask, x);
    if (i == 0) memcpy(first, x, sizeof first);
  }
  put_node(&g.b, "Identity", style->deviation == OUTPUT_OF_FIRST_LAYER ? first : x, "last_hidden_state");
  put_output(&g.b, "last_hidden_state");
  finish(&g.b);
  return g.b;
}

#endif
