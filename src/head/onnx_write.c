/* SPDX-License-Identifier: Apache-2.0 */
/* A head as an ONNX graph of a LinearClassifier and a Normalizer a label. */
#include "head/onnx_write.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/new_file.h"
#include "onnx.pb-c.h"

/* What skl2onnx wrote for the published heads. */
enum { IR_VERSION = 8, OPSET = 15, OPSET_ML = 1 };
static char domain_ml[] = "ai.onnx.ml", empty[] = "";

/* A message of the format holds less than 2 GiB; some room is for names. */
#define MOST_WEIGHTS (((size_t)1 << 31) / 11)

enum { CLASSIFIER_ATTRIBUTES = 5 };

/* One label's part of the graph. */
typedef struct label_graph {
  char *raw_label, *raw_score;             /* the classifier's outputs */
  char *classifier_name, *normalizer_name; /* the nodes' */
  char *label;                             /* the graph's output */
  float intercepts[2];
  MienOnnx__AttributeProto attributes[CLASSIFIER_ATTRIBUTES], norm;
  MienOnnx__AttributeProto *attribute_list[CLASSIFIER_ATTRIBUTES], *norm_list[1];
  char *classifier_outputs[2];
  MienOnnx__NodeProto classifier, normalizer;
  MienOnnx__ValueInfoProto output;
} label_graph;

/* The type of a value (N, columns) of float32. */
typedef struct value_type {
  MienOnnx__TensorShapeProto__Dimension dims[2], *dim_list[2];
  MienOnnx__TensorShapeProto shape;
  MienOnnx__TypeProto__Tensor tensor;
  MienOnnx__TypeProto type;
} value_type;

typedef struct graph_writer {
  const mien_onnx_head *head;
  const char **sorted; /* [L] the labels by their bytes */
  char *input;         /* the graph's input */
  float *coefficients; /* [L × 2 × D] */
  label_graph *labels; /* [L] */
  value_type input_type, output_type;
  MienOnnx__ValueInfoProto input_info, *input_list[1], **output_list;
  MienOnnx__NodeProto **nodes; /* [2 L] */
  MienOnnx__GraphProto graph;
  MienOnnx__ModelProto model;
} graph_writer;

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_label(const graph_writer *w, const char *name) {
  return bsearch(&name, w->sorted, w->head->n_labels, sizeof *w->sorted, compare_names) != NULL;
}

/* "PREFIXsuffix", with underscores behind it until no label has that name, for a graph's names are distinct. NULL
 * without memory. */
static char *make_name(const graph_writer *w, const char *prefix, const char *suffix) {
  const size_t prefix_bytes = strlen(prefix), bytes = prefix_bytes + strlen(suffix);
  for (size_t more = 0;; more++) {
    char *name = mien_alloc(bytes + more + 1, 1);
    if (!name) return NULL;
    memcpy(name, prefix, prefix_bytes);
    memcpy(name + prefix_bytes, suffix, bytes - prefix_bytes);
    memset(name + bytes, '_', more);
    if (!is_label(w, name)) return name;
    mien_free(name);
  }
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static void set_type(value_type *type, size_t columns) {
  static char rows[] = "N";
  for (int i = 0; i < 2; i++) {
    mien_onnx__tensor_shape_proto__dimension__init(&type->dims[i]);
    type->dim_list[i] = &type->dims[i];
  }
  type->dims[0].value_case = MIEN_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
  type->dims[0].dim_param = rows;
  type->dims[1].value_case = MIEN_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
  type->dims[1].dim_value = (int64_t)columns;
  mien_onnx__tensor_shape_proto__init(&type->shape);
  type->shape.n_dim = 2;
  type->shape.dim = type->dim_list;
  mien_onnx__type_proto__tensor__init(&type->tensor);
  type->tensor.has_elem_type = true;
  type->tensor.elem_type = MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  type->tensor.shape = &type->shape;
  mien_onnx__type_proto__init(&type->type);
  type->type.value_case = MIEN_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  type->type.tensor_type = &type->tensor;
}

static void set_attribute(MienOnnx__AttributeProto *attribute, char *name,
                          MienOnnx__AttributeProto__AttributeType type) {
  mien_onnx__attribute_proto__init(attribute);
  attribute->name = name;
  attribute->has_type = true;
  attribute->type = type;
}

static void set_string(MienOnnx__AttributeProto *attribute, char *name, char *value) {
  set_attribute(attribute, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
  attribute->has_s = true;
  attribute->s = (ProtobufCBinaryData){.len = strlen(value), .data = (uint8_t *)value};
}

static void set_floats(MienOnnx__AttributeProto *attribute, char *name, float *values, size_t n) {
  set_attribute(attribute, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
  attribute->n_floats = n;
  attribute->floats = values;
}

/* Two classes, the other one's logit the negative of the label's. */
static void set_attributes(graph_writer *w, label_graph *label, size_t number) {
  static int64_t classes[] = {0, 1};
  static char names[][20] = {"classlabels_ints", "coefficients", "intercepts", "multi_class", "post_transform", "norm"};
  static char logistic[] = "LOGISTIC", l1[] = "L1";
  const size_t dim = w->head->dim;
  float *coefficients = w->coefficients + 2 * dim * number;
  for (size_t i = 0; i < dim; i++) {
    coefficients[dim + i] = w->head->weights[number * dim + i];
    coefficients[i] = -coefficients[dim + i];
  }
  label->intercepts[1] = w->head->bias[number];
  label->intercepts[0] = -label->intercepts[1];
  set_attribute(&label->attributes[0], names[0], MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
  label->attributes[0].n_ints = 2;
  label->attributes[0].ints = classes;
  set_floats(&label->attributes[1], names[1], coefficients, 2 * dim);
  set_floats(&label->attributes[2], names[2], label->intercepts, 2);
  set_attribute(&label->attributes[3], names[3], MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
  label->attributes[3].has_i = true;
  label->attributes[3].i = 1;
  set_string(&label->attributes[4], names[4], logistic);
  set_string(&label->norm, names[5], l1);
  for (size_t i = 0; i < CLASSIFIER_ATTRIBUTES; i++) label->attribute_list[i] = &label->attributes[i];
  label->norm_list[0] = &label->norm;
}

static void set_node(MienOnnx__NodeProto *node, char *op, char *name, char **inputs, char **outputs, size_t n_outputs) {
  mien_onnx__node_proto__init(node);
  node->op_type = op;
  node->name = name;
  node->domain = domain_ml;
  node->n_input = 1;
  node->input = inputs;
  node->n_output = n_outputs;
  node->output = outputs;
}

static bool set_label(graph_writer *w, size_t number) {
  static char classifier[] = "LinearClassifier", normalizer[] = "Normalizer";
  label_graph *label = &w->labels[number];
  const char *name = w->head->labels[number];
  label->label = mien_copy_text(name, strlen(name));
  label->classifier_name = make_name(w, name, "_LinearClassifier");
  label->normalizer_name = make_name(w, name, "_Normalizer");
  label->raw_label = make_name(w, name, "_label");
  label->raw_score = make_name(w, name, "_probability_tensor");
  if (!label->label || !label->classifier_name || !label->normalizer_name || !label->raw_label || !label->raw_score)
    return false;
  set_attributes(w, label, number);
  label->classifier_outputs[0] = label->raw_label;
  label->classifier_outputs[1] = label->raw_score;
  set_node(&label->classifier, classifier, label->classifier_name, &w->input, label->classifier_outputs, 2);
  label->classifier.n_attribute = CLASSIFIER_ATTRIBUTES;
  label->classifier.attribute = label->attribute_list;
  set_node(&label->normalizer, normalizer, label->normalizer_name, &label->raw_score, &label->label, 1);
  label->normalizer.n_attribute = 1;
  label->normalizer.attribute = label->norm_list;
  mien_onnx__value_info_proto__init(&label->output);
  label->output.name = label->label;
  label->output.type = &w->output_type.type;
  w->nodes[2 * number] = &label->classifier;
  w->nodes[2 * number + 1] = &label->normalizer;
  w->output_list[number] = &label->output;
  return true;
}

/* ---- The graph --------------------------------------------------------------------------------------------------- */

static void free_writer(graph_writer *w) {
  for (size_t i = 0; w->labels && i < w->head->n_labels; i++) {
    mien_free(w->labels[i].label);
    mien_free(w->labels[i].classifier_name);
    mien_free(w->labels[i].normalizer_name);
    mien_free(w->labels[i].raw_label);
    mien_free(w->labels[i].raw_score);
  }
  mien_free(w->labels);
  mien_free(w->sorted);
  mien_free(w->input);
  mien_free(w->coefficients);
  mien_free(w->nodes);
  mien_free(w->output_list);
}

/* The graph in protobuf-c's structures; false without memory. */
static bool make_graph(graph_writer *w, const mien_onnx_head *head) {
  const size_t n = head->n_labels;
  w->head = head;
  w->sorted = mien_alloc(n, sizeof *w->sorted);
  w->labels = mien_alloc(n, sizeof *w->labels);
  w->nodes = mien_alloc(n, 2 * sizeof *w->nodes);
  w->output_list = mien_alloc(n, sizeof *w->output_list);
  w->coefficients = mien_alloc(n * head->dim, 2 * sizeof *w->coefficients);
  if (!w->sorted || !w->labels || !w->nodes || !w->output_list || !w->coefficients) return false;
  memcpy(w->sorted, head->labels, n * sizeof *w->sorted);
  qsort(w->sorted, n, sizeof *w->sorted, compare_names);
  w->input = make_name(w, "logits", "");
  if (!w->input) return false;
  set_type(&w->input_type, head->dim);
  set_type(&w->output_type, 2);
  for (size_t i = 0; i < n; i++)
    if (!set_label(w, i)) return false;
  mien_onnx__value_info_proto__init(&w->input_info);
  w->input_info.name = w->input;
  w->input_info.type = &w->input_type.type;
  w->input_list[0] = &w->input_info;
  mien_onnx__graph_proto__init(&w->graph);
  w->graph.name = (char *)head->name;
  w->graph.n_node = 2 * n;
  w->graph.node = w->nodes;
  w->graph.n_input = 1;
  w->graph.input = w->input_list;
  w->graph.n_output = n;
  w->graph.output = w->output_list;
  return true;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

/* protobuf-c's buffer, as a file: small pieces are gathered. */
typedef struct file_buffer {
  ProtobufCBuffer base;
  mien_new_file file;
  const char *path;
  mien_status status; /* the first failure */
  mien_error *error;
  size_t used;
  unsigned char bytes[1 << 16];
} file_buffer;

static void flush(file_buffer *buffer) {
  if (buffer->status == MIEN_OK && buffer->used)
    buffer->status = mien_new_file_write(&buffer->file, buffer->bytes, buffer->used, buffer->path, buffer->error);
  buffer->used = 0;
}

static void append(ProtobufCBuffer *base, size_t size, const uint8_t *bytes) {
  file_buffer *buffer = (file_buffer *)base;
  if (size > sizeof buffer->bytes - buffer->used) flush(buffer);
  if (size > sizeof buffer->bytes) {
    if (buffer->status == MIEN_OK)
      buffer->status = mien_new_file_write(&buffer->file, bytes, size, buffer->path, buffer->error);
    return;
  }
  memcpy(buffer->bytes + buffer->used, bytes, size);
  buffer->used += size;
}

static mien_status write_model(const MienOnnx__ModelProto *model, const char *path, mien_error *error) {
  file_buffer *buffer = mien_alloc(1, sizeof *buffer);
  if (!buffer) return mien_fail_memory(error, path, sizeof *buffer);
  buffer->base.append = append;
  buffer->path = path;
  buffer->error = error;
  buffer->status = mien_new_file_open(path, &buffer->file, error);
  if (buffer->status == MIEN_OK && buffer->file.fd < 0)
    buffer->status = mien_fail(error, MIEN_ARGUMENT, "%s: expected a regular file to write", path);
  if (buffer->status == MIEN_OK) mien_onnx__model_proto__pack_to_buffer(model, &buffer->base);
  flush(buffer);
  mien_status status = buffer->status;
  if (status == MIEN_OK) status = mien_new_file_sync(&buffer->file, path, error);
  if (status == MIEN_OK) status = mien_new_file_publish(&buffer->file, path, error);
  mien_new_file_discard(&buffer->file);
  mien_free(buffer);
  return status;
}

mien_status mien_head_write_onnx(const mien_onnx_head *head, const char *path, mien_error *error) {
  static char producer[] = "mien";
  char version[48];
  graph_writer w = {0};
  MienOnnx__OperatorSetIdProto opsets[2], *opset_list[] = {&opsets[0], &opsets[1]};
  size_t weights;
  if (!mien_size_mul(head->n_labels, head->dim, &weights) || weights > MOST_WEIGHTS)
    return mien_fail(error, MIEN_ARGUMENT, "%s: %zu labels of %zu weights: expected at most %zu weights in all", path,
                     head->n_labels, head->dim, MOST_WEIGHTS);
  snprintf(version, sizeof version, "%s", mien_version());
  for (int i = 0; i < 2; i++) {
    mien_onnx__operator_set_id_proto__init(&opsets[i]);
    opsets[i].domain = i ? domain_ml : empty;
    opsets[i].has_version = true;
    opsets[i].version = i ? OPSET_ML : OPSET;
  }
  mien_onnx__model_proto__init(&w.model);
  w.model.has_ir_version = true;
  w.model.ir_version = IR_VERSION;
  w.model.producer_name = producer;
  w.model.producer_version = version;
  w.model.n_opset_import = 2;
  w.model.opset_import = opset_list;
  w.model.graph = &w.graph;
  const mien_status status = make_graph(&w, head) ? write_model(&w.model, path, error)
                                                  : mien_fail_memory(error, path, weights * 2 * sizeof(float));
  free_writer(&w);
  return status;
}
