/* SPDX-License-Identifier: Apache-2.0 */
/* The fold's memory and budgets, its messages, and its values. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "head/fold.h"

/* ---- Memory --------------------------------------------------------------------------------------------------- */

/* Aligned like the block itself, for what follows it. */
typedef struct block {
  _Alignas(MIEN_ALIGNMENT) struct block *next;
} block;

mien_status mien_fold_alloc(mien_fold *fold, size_t count, size_t size, void *memory) {
  size_t bytes;
  if (!mien_size_mul(count, size, &bytes) || !mien_size_add(bytes, sizeof(block), &bytes) || bytes > fold->bytes_left)
    return mien_fail(fold->error, MIEN_INPUT, "%s: folding takes more memory than a linear head of this size can need",
                     fold->where);
  block *fresh = mien_alloc(1, bytes);
  if (!fresh) return mien_fail_memory(fold->error, fold->where, bytes);
  fold->bytes_left -= bytes;
  fresh->next = fold->blocks;
  fold->blocks = fresh;
  void *start = fresh + 1;
  memcpy(memory, &start, sizeof start);
  return MIEN_OK;
}

void mien_fold_release(mien_fold *fold) {
  for (block *next, *each = fold->blocks; each; each = next) {
    next = each->next;
    mien_free(each);
  }
  fold->blocks = NULL;
}

void mien_fold_credit(mien_fold *fold, uint64_t n_elements) {
  /* No head has more. */
  uint64_t bytes = (n_elements < MIEN_MAX_WEIGHTS ? n_elements : MIEN_MAX_WEIGHTS) * MIEN_FOLD_BYTES_PER_ELEMENT;
  const size_t room = SIZE_MAX - fold->bytes_left;
  fold->bytes_left += bytes < room ? (size_t)bytes : room;
}

mien_status mien_fold_work(mien_fold *fold, uint64_t a, uint64_t b) {
  uint64_t work;
  if (__builtin_mul_overflow(a, b, &work) || work > fold->work_left)
    return mien_fail(fold->error, MIEN_INPUT, "%s: folding takes more work than a linear head can need", fold->where);
  fold->work_left -= work;
  return MIEN_OK;
}

/* ---- Messages ------------------------------------------------------------------------------------------------- */

char *mien_node_show(const MienOnnx__NodeProto *node, char *out) {
  char name[MIEN_SHOWN_BYTES], op[MIEN_SHOWN_BYTES];
  /* Many exporters leave nodes without a name: then the first output tells which it is. */
  const bool is_named = node->name && *node->name;
  const char *known = is_named ? node->name : node->n_output ? node->output[0] : "";
  const char *type = node->op_type ? node->op_type : "";
  mien_utf8_clean(known, strlen(known), name, sizeof name);
  mien_utf8_clean(type, strlen(type), op, sizeof op);
  snprintf(out, MIEN_NODE_SHOWN_BYTES, is_named ? "node '%s' (%s)" : "node of '%s' (%s)", name, op);
  return out;
}

mien_status mien_call_refuse(const mien_call *call, const char *format, ...) {
  char what[512], node[MIEN_NODE_SHOWN_BYTES];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  return mien_fail(call->fold->error, MIEN_INPUT, "%s: %s: %s", call->fold->where, mien_node_show(call->node, node),
                   what);
}

/* ---- Values --------------------------------------------------------------------------------------------------- */

size_t mien_value_element_bytes(mien_kind kind) {
  return kind == MIEN_VALUE_BATCH ? sizeof(mien_column) : kind == MIEN_VALUE_SINK ? 0 : sizeof(double);
}

bool mien_value_is_batch(const mien_value *value) { return value && value->kind == MIEN_VALUE_BATCH; }

bool mien_value_is_constant(const mien_value *value) {
  return value && (value->kind == MIEN_VALUE_FLOATS || value->kind == MIEN_VALUE_INTEGERS);
}

bool mien_shape_equal(const mien_onnx_shape *a, const mien_onnx_shape *b) {
  return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

bool mien_shape_count(mien_onnx_shape *shape) {
  shape->count = 1;
  for (size_t i = 0; i < shape->rank; i++)
    if (!mien_size_mul(shape->count, shape->dims[i], &shape->count)) return false;
  return true;
}

mien_status mien_value_make(mien_fold *fold, mien_kind kind, const mien_onnx_shape *shape, const mien_value **value,
                            void *elements) {
  if (kind == MIEN_VALUE_BATCH && (shape->count == 0 || shape->count > MIEN_FOLD_MAX_COLUMNS))
    return mien_fail(fold->error, MIEN_INPUT, "%s: a value of the graph has %zu columns: expected 1 to %zu",
                     fold->where, shape->count, MIEN_FOLD_MAX_COLUMNS);
  mien_value *made = NULL;
  size_t bytes;
  if (!mien_size_mul(shape->count, mien_value_element_bytes(kind), &bytes) ||
      !mien_size_add(bytes, sizeof *made, &bytes))
    bytes = SIZE_MAX;
  mien_status status = mien_fold_alloc(fold, 1, bytes, &made);
  if (status != MIEN_OK) return status;
  made->kind = kind;
  made->shape = *shape;
  made->elements = made + 1;
  if (elements) memcpy(elements, &made->elements, sizeof made->elements);
  *value = made;
  return MIEN_OK;
}

mien_status mien_value_reshape(mien_fold *fold, const mien_value *source, const mien_onnx_shape *shape,
                               const mien_value **value) {
  mien_value *made = NULL;
  mien_status status = mien_fold_alloc(fold, 1, sizeof *made, &made);
  if (status != MIEN_OK) return status;
  *made = *source;
  made->shape = *shape;
  *value = made;
  return MIEN_OK;
}

/*
 * The budget grows with the numbers that files hold. External files count once, the largest of them: many tensors may
 * claim the same bytes.
 */
static void credit(mien_fold *fold, const mien_onnx_tensor *tensor) {
  enum { LEAST_ELEMENT_BYTES = 2 };
  if (!tensor->is_external) {
    mien_fold_credit(fold, tensor->shape.count);
    return;
  }
  uint64_t n_elements = tensor->external.file_bytes / LEAST_ELEMENT_BYTES;
  if (n_elements <= fold->external_elements) return;
  mien_fold_credit(fold, n_elements - fold->external_elements);
  fold->external_elements = n_elements;
}

mien_status mien_value_from_tensor(mien_fold *fold, const MienOnnx__TensorProto *proto, const char *where,
                                   const mien_value **value) {
  mien_onnx_tensor tensor;
  mien_status status = mien_onnx_tensor_open(proto, fold->path, where, &tensor, fold->error);
  if (status != MIEN_OK) return mien_fail_prefix(fold->error, status, fold->where);
  credit(fold, &tensor);
  void *elements;
  status = mien_fold_work(fold, tensor.shape.count, 1);
  if (status == MIEN_OK)
    status = mien_value_make(fold, tensor.is_integer ? MIEN_VALUE_INTEGERS : MIEN_VALUE_FLOATS, &tensor.shape, value,
                             &elements);
  if (status == MIEN_OK) {
    status = mien_onnx_tensor_read(&tensor, where, tensor.is_integer ? NULL : elements,
                                   tensor.is_integer ? elements : NULL, fold->error);
    if (status != MIEN_OK) status = mien_fail_prefix(fold->error, status, fold->where);
  }
  mien_onnx_tensor_close(&tensor);
  return status;
}
