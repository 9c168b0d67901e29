/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX files for tests, written field by field in protobuf's wire format: what exporters write, and what they never
 * would. Field numbers are onnx.proto's.
 */
#ifndef MIEN_TESTS_ONNX_BUILDER_H
#define MIEN_TESTS_ONNX_BUILDER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TensorProto.DataType */
enum {
  ONNX_FLOAT = 1,
  ONNX_INT32 = 6,
  ONNX_INT64 = 7,
  ONNX_STRING = 8,
  ONNX_HALF = 10,
  ONNX_DOUBLE = 11,
  ONNX_BF16 = 16
};

typedef struct builder {
  unsigned char *bytes;
  size_t size, capacity;
  size_t open[128]; /* where the lengths of the messages around are */
  int depth;
} builder;

static inline void put_bytes(builder *b, const void *bytes, size_t n) {
  if (b->size + n > b->capacity) {
    b->capacity = (b->size + n) * 2;
    b->bytes = realloc(b->bytes, b->capacity);
    if (!b->bytes) abort();
  }
  if (n) memcpy(b->bytes + b->size, bytes, n);
  b->size += n;
}

static inline void put_varint(builder *b, uint64_t value) {
  for (; value >= 0x80; value >>= 7) put_bytes(b, &(unsigned char){(unsigned char)(value | 0x80)}, 1);
  put_bytes(b, &(unsigned char){(unsigned char)value}, 1);
}

static inline void put_tag(builder *b, unsigned field, unsigned wire) { put_varint(b, field << 3 | wire); }

static inline void put_integer(builder *b, unsigned field, int64_t value) {
  put_tag(b, field, 0);
  put_varint(b, (uint64_t)value);
}

static inline void put_blob(builder *b, unsigned field, const void *bytes, size_t n) {
  put_tag(b, field, 2);
  put_varint(b, n);
  put_bytes(b, bytes, n);
}

static inline void put_text(builder *b, unsigned field, const char *text) { put_blob(b, field, text, strlen(text)); }

static inline void put_float(builder *b, unsigned field, float value) {
  put_tag(b, field, 5);
  put_bytes(b, &value, 4);
}

/* A message, or the packed form of a list; its length is written in five bytes when it ends. */
static inline void begin(builder *b, unsigned field) {
  put_tag(b, field, 2);
  b->open[b->depth++] = b->size;
  put_bytes(b, "\x80\x80\x80\x80", 5);
}

static inline void end(builder *b) {
  size_t at = b->open[--b->depth], length = b->size - at - 5;
  for (int i = 0; i < 5; i++)
    b->bytes[at + (size_t)i] = (unsigned char)((length >> (7 * i) & 0x7F) | (i < 4 ? 0x80 : 0));
}

/* Calls `put` for each word of `words`. */
static inline void put_words(builder *b, unsigned field, const char *words) {
  for (; *words; words += strspn(words, " ")) {
    size_t length = strcspn(words, " ");
    put_blob(b, field, words, length == 1 && *words == '-' ? 0 : length);
    words += length;
  }
}

/* ---- Parts of a model ----------------------------------------------------------------------------------------- */

/* Up to and into the graph; opset 0 leaves a domain out. */
static inline void begin_model(builder *b, int64_t opset, int64_t opset_ml) {
  put_integer(b, 1, 8);
  put_text(b, 2, "test");
  const char *const domains[2] = {"", "ai.onnx.ml"};
  const int64_t versions[2] = {opset, opset_ml};
  for (int i = 0; i < 2; i++) {
    if (!versions[i]) continue;
    begin(b, 8);
    put_text(b, 1, domains[i]);
    put_integer(b, 2, versions[i]);
    end(b);
  }
  begin(b, 7);
}

/* A ValueInfoProto: field 11 an input, 12 an output; `dims` with -1 for a symbol. */
static inline void put_value(builder *b, unsigned field, const char *name, int type, size_t rank, const int64_t *dims) {
  begin(b, field);
  put_text(b, 1, name);
  begin(b, 2);
  begin(b, 1);
  put_integer(b, 1, type);
  begin(b, 2);
  for (size_t i = 0; i < rank; i++) {
    begin(b, 1);
    if (dims[i] < 0)
      put_text(b, 2, "N");
    else
      put_integer(b, 1, dims[i]);
    end(b);
  }
  end(b);
  end(b);
  end(b);
  end(b);
}

static inline void put_input(builder *b, const char *name, int64_t dim) {
  put_value(b, 11, name, ONNX_FLOAT, 2, (int64_t[]){-1, dim});
}

static inline void put_output(builder *b, const char *name) {
  put_value(b, 12, name, ONNX_FLOAT, 2, (int64_t[]){-1, -1});
}

/* Inputs and outputs are words with spaces between, "-" for one that is left out. */
static inline void begin_node(builder *b, const char *op, const char *inputs, const char *outputs) {
  begin(b, 1);
  put_words(b, 1, inputs);
  put_words(b, 2, outputs);
  put_text(b, 3, op);
  put_text(b, 4, op);
}

static inline void put_node(builder *b, const char *op, const char *inputs, const char *outputs) {
  begin_node(b, op, inputs, outputs);
  end(b);
}

static inline void put_attribute_integer(builder *b, const char *name, int64_t value) {
  begin(b, 5);
  put_text(b, 1, name);
  put_integer(b, 3, value);
  put_integer(b, 20, 2);
  end(b);
}

static inline void put_attribute_text(builder *b, const char *name, const char *value) {
  begin(b, 5);
  put_text(b, 1, name);
  put_text(b, 4, value);
  put_integer(b, 20, 3);
  end(b);
}

static inline void put_attribute_integers(builder *b, const char *name, size_t n, const int64_t *values) {
  begin(b, 5);
  put_text(b, 1, name);
  for (size_t i = 0; i < n; i++) put_integer(b, 8, values[i]);
  put_integer(b, 20, 7);
  end(b);
}

static inline void put_attribute_floats(builder *b, const char *name, size_t n, const float *values, int is_packed) {
  begin(b, 5);
  put_text(b, 1, name);
  if (is_packed) put_blob(b, 7, values, n * sizeof *values);
  for (size_t i = 0; i < n && !is_packed; i++) put_float(b, 7, values[i]);
  put_integer(b, 20, 6);
  end(b);
}

static inline void put_attribute_texts(builder *b, const char *name, size_t n, const char *const *values) {
  begin(b, 5);
  put_text(b, 1, name);
  for (size_t i = 0; i < n; i++) put_text(b, 9, values[i]);
  put_integer(b, 20, 8);
  end(b);
}

/* An initializer without data, to be ended with end. */
static inline void begin_tensor(builder *b, const char *name, int type, size_t rank, const int64_t *dims) {
  begin(b, 5);
  for (size_t i = 0; i < rank; i++) put_integer(b, 1, dims[i]);
  put_integer(b, 2, type);
  put_text(b, 8, name);
}

static inline void put_floats(builder *b, const char *name, size_t rank, const int64_t *dims, const float *values) {
  size_t n = 1;
  for (size_t i = 0; i < rank; i++) n *= (size_t)dims[i];
  begin_tensor(b, name, ONNX_FLOAT, rank, dims);
  put_blob(b, 9, values, n * sizeof *values);
  end(b);
}

/* A list of int64. */
static inline void put_integers(builder *b, const char *name, size_t n, const int64_t *values) {
  begin_tensor(b, name, ONNX_INT64, 1, (int64_t[]){(int64_t)n});
  begin(b, 7);
  for (size_t i = 0; i < n; i++) put_varint(b, (uint64_t)values[i]);
  end(b);
  end(b);
}

/* Where external data is; NULL for what is left out. */
static inline void put_external(builder *b, const char *location, const char *offset, const char *length) {
  const char *const keys[3] = {"location", "offset", "length"}, *const values[3] = {location, offset, length};
  for (int i = 0; i < 3; i++) {
    if (!values[i]) continue;
    begin(b, 13);
    put_text(b, 1, keys[i]);
    put_text(b, 2, values[i]);
    end(b);
  }
  put_integer(b, 14, 1);
}

/* Closes everything that is open. */
static inline void finish(builder *b) {
  while (b->depth) end(b);
}

static inline void discard(builder *b) {
  free(b->bytes);
  *b = (builder){0};
}

/* A whole linear head, sigmoid(x·W + b): W [dim × labels], a column a label, and b [labels]. To be discarded. */
static inline builder make_linear_head(size_t dim, size_t labels, const float *weights, const float *bias) {
  builder b = {0};
  begin_model(&b, 17, 0);
  put_input(&b, "x", (int64_t)dim);
  put_floats(&b, "w", 2, (int64_t[]){(int64_t)dim, (int64_t)labels}, weights);
  put_floats(&b, "b", 1, (int64_t[]){(int64_t)labels}, bias);
  put_node(&b, "Gemm", "x w b", "z");
  put_node(&b, "Sigmoid", "z", "scores");
  put_output(&b, "scores");
  finish(&b);
  return b;
}

#endif
