/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of the fold that pick, repeat, join and reorder elements: the same code for constants and for columns. */
#include <string.h>

#include "head/fold.h"

/* The batch's own axis comes before those of its shape; a constant has none. */
static size_t batch_axes(const mien_value *value) { return mien_value_is_batch(value) ? 1 : 0; }

/* `axis` of the node as an index into the value's shape. The batch axis itself is refused. */
static mien_status shape_axis(const mien_call *call, const mien_value *value, int64_t axis, size_t *index) {
  mien_status status = mien_call_axis(call, axis, value->shape.rank + batch_axes(value), index);
  if (status != MIEN_OK) return status;
  if (*index < batch_axes(value)) return mien_call_refuse(call, "works along the batch");
  *index -= batch_axes(value);
  return MIEN_OK;
}

/* Products of the dimensions before and behind `axis`. */
static size_t outer_of(const mien_onnx_shape *shape, size_t axis) {
  size_t product = 1;
  for (size_t i = 0; i < axis; i++) product *= shape->dims[i];
  return product;
}

static size_t inner_of(const mien_onnx_shape *shape, size_t axis) {
  size_t product = 1;
  for (size_t i = axis + 1; i < shape->rank; i++) product *= shape->dims[i];
  return product;
}

/* ---- Views: elements at an offset and in strides -------------------------------------------------------------- */

typedef struct view {
  mien_onnx_shape shape;
  ptrdiff_t strides[MIEN_ONNX_MAX_RANK]; /* elements of the source */
  size_t offset;
} view;

static view view_of(const mien_value *value) {
  view v = {.shape = value->shape};
  ptrdiff_t stride = 1;
  for (size_t i = v.shape.rank; i-- > 0;) {
    v.strides[i] = stride;
    stride *= (ptrdiff_t)v.shape.dims[i];
  }
  return v;
}

static mien_status view_copy(const mien_call *call, const mien_value *source, view *v, const mien_value **result) {
  unsigned char *out;
  if (!mien_shape_count(&v->shape)) return mien_call_refuse(call, "too many elements");
  mien_status status = mien_fold_work(call->fold, v->shape.count, 1);
  if (status == MIEN_OK) status = mien_value_make(call->fold, source->kind, &v->shape, result, &out);
  if (status != MIEN_OK) return status;
  const size_t bytes = mien_value_element_bytes(source->kind);
  const unsigned char *elements = source->elements;
  size_t index[MIEN_ONNX_MAX_RANK] = {0};
  ptrdiff_t at = (ptrdiff_t)v->offset;
  for (size_t i = 0; i < v->shape.count; i++) {
    memcpy(out + i * bytes, elements + (size_t)at * bytes, bytes);
    for (size_t axis = v->shape.rank; axis-- > 0;) {
      at += v->strides[axis];
      if (++index[axis] < v->shape.dims[axis]) break;
      at -= v->strides[axis] * (ptrdiff_t)v->shape.dims[axis];
      index[axis] = 0;
    }
  }
  return MIEN_OK;
}

/* ---- Transpose ------------------------------------------------------------------------------------------------ */

mien_status mien_op_transpose(const mien_call *call) {
  const mien_value *x = call->operands[0];
  const size_t first = batch_axes(x), rank = x->shape.rank + first;
  const int64_t *order = NULL;
  size_t n_order = 0;
  mien_status status = mien_attribute_integers(call, "perm", &order, &n_order);
  if (status != MIEN_OK) return status;
  if (order && n_order != rank) return mien_call_refuse(call, "perm: expected %zu axes, found %zu", rank, n_order);
  view source = view_of(x), v = source;
  unsigned seen = 0;
  for (size_t i = 0; i < rank; i++) {
    int64_t axis = order ? order[i] : (int64_t)(rank - 1 - i);
    if (axis < 0 || axis >= (int64_t)rank || (seen >> axis & 1))
      return mien_call_refuse(call, "perm: expected each axis once");
    seen |= 1u << axis;
    if (first && (i == 0) != (axis == 0)) return mien_call_refuse(call, "moves the batch");
    if (first && i == 0) continue;
    v.shape.dims[i - first] = source.shape.dims[(size_t)axis - first];
    v.strides[i - first] = source.strides[(size_t)axis - first];
  }
  return view_copy(call, x, &v, &call->results[0]);
}

/* ---- Slice ---------------------------------------------------------------------------------------------------- */

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

/* The rule of ONNX's Slice, which is NumPy's: negative positions count from the end, then all are clamped. */
static void slice_axis(view *v, size_t axis, int64_t start, int64_t end, int64_t step) {
  const int64_t dim = (int64_t)v->shape.dims[axis];
  if (start < 0) start = clamp(start, -dim, -1) + dim;
  if (end < 0) end = clamp(end, -dim - 1, -1) + dim;
  int64_t count;
  if (step > 0) {
    start = clamp(start, 0, dim);
    end = clamp(end, 0, dim);
    count = end > start ? (end - start - 1) / step + 1 : 0;
  } else {
    start = clamp(start, 0, dim - 1);
    end = clamp(end, -1, dim - 1);
    count = start > end ? (start - end - 1) / -step + 1 : 0;
  }
  v->shape.dims[axis] = (size_t)count;
  if (count == 0) return;
  v->offset += (size_t)start * (size_t)v->strides[axis];
  /* With one element left the step is not taken: it may be too large to multiply. */
  v->strides[axis] = count > 1 ? v->strides[axis] * (ptrdiff_t)step : 0;
}

typedef struct slice {
  mien_integers starts, ends, axes, steps;
} slice;

static mien_status read_slice(const mien_call *call, slice *s) {
  mien_status status = mien_call_integers(call, "starts", 1, &s->starts);
  if (status == MIEN_OK) status = mien_call_integers(call, "ends", 2, &s->ends);
  if (status == MIEN_OK) status = mien_call_integers(call, "axes", 3, &s->axes);
  if (status == MIEN_OK) status = mien_call_integers(call, "steps", 4, &s->steps);
  if (status != MIEN_OK) return status;
  const size_t n = s->starts.n;
  if (s->ends.n != n || (s->axes.is_given && s->axes.n != n) || (s->steps.is_given && s->steps.n != n))
    return mien_call_refuse(call, "starts, ends, axes and steps differ in number");
  return MIEN_OK;
}

mien_status mien_op_slice(const mien_call *call) {
  const mien_value *x = call->operands[0];
  slice s;
  mien_status status = read_slice(call, &s);
  view v = view_of(x);
  unsigned seen = 0;
  for (size_t i = 0; i < s.starts.n && status == MIEN_OK; i++) {
    size_t axis;
    int64_t start = s.starts.values[i], end = s.ends.values[i], step = s.steps.is_given ? s.steps.values[i] : 1;
    status =
        mien_call_axis(call, s.axes.is_given ? s.axes.values[i] : (int64_t)i, x->shape.rank + batch_axes(x), &axis);
    if (status != MIEN_OK) break;
    if (step == 0 || step == INT64_MIN) return mien_call_refuse(call, "a step of %lld", (long long)step);
    if (seen >> axis & 1) return mien_call_refuse(call, "axis %zu is given twice", axis);
    seen |= 1u << axis;
    if (axis < batch_axes(x)) {
      if (start != 0 || end < INT32_MAX || step != 1) return mien_call_refuse(call, "works along the batch");
      continue; /* all rows */
    }
    slice_axis(&v, axis - batch_axes(x), start, end, step);
  }
  return status == MIEN_OK ? view_copy(call, x, &v, &call->results[0]) : status;
}

/* ---- Split ---------------------------------------------------------------------------------------------------- */

/* Elements of part i of n, when sizes are not given: equal, and the last may be smaller. */
static size_t equal_part(size_t dim, size_t n, size_t i) {
  size_t part = (dim + n - 1) / n, start;
  if (__builtin_mul_overflow(part, i, &start) || start >= dim) return 0;
  return part < dim - start ? part : dim - start;
}

mien_status mien_op_split(const mien_call *call) {
  const mien_value *x = call->operands[0];
  int64_t axis = 0;
  size_t index;
  mien_integers sizes;
  mien_status status = mien_attribute_integer(call, "axis", &axis);
  if (status == MIEN_OK) status = shape_axis(call, x, axis, &index);
  if (status == MIEN_OK) status = mien_call_integers(call, "split", 1, &sizes);
  if (status != MIEN_OK) return status;
  const size_t n = call->n_results, dim = x->shape.dims[index];
  if (sizes.is_given && sizes.n != n) return mien_call_refuse(call, "expected %zu sizes, found %zu", n, sizes.n);
  size_t start = 0;
  for (size_t i = 0; i < n && status == MIEN_OK; i++) {
    int64_t part = sizes.is_given ? sizes.values[i] : (int64_t)equal_part(dim, n, i);
    if (part < 0 || (uint64_t)part > dim - start || (part == 0 && !sizes.is_given))
      return mien_call_refuse(call, "%zu parts do not fit an axis of %zu", n, dim);
    view v = view_of(x);
    v.shape.dims[index] = (size_t)part;
    v.offset = start * (size_t)v.strides[index];
    status = view_copy(call, x, &v, &call->results[i]);
    start += (size_t)part;
  }
  if (status == MIEN_OK && start != dim)
    return mien_call_refuse(call, "expected parts of %zu in sum, found %zu", dim, start);
  return status;
}

/* ---- Expand --------------------------------------------------------------------------------------------------- */

mien_status mien_op_expand(const mien_call *call) {
  const mien_value *x = call->operands[0];
  mien_integers target;
  mien_status status = mien_call_integers(call, "shape", 1, &target);
  if (status != MIEN_OK) return status;
  const size_t first = batch_axes(x), full = x->shape.rank + first;
  if (target.n > MIEN_ONNX_MAX_RANK || (first && target.n > full)) return mien_call_refuse(call, "too many axes");
  if (first && target.n == full && target.values[0] != 1) return mien_call_refuse(call, "expands the batch");
  view source = view_of(x), v = {.shape.rank = x->shape.rank > target.n ? x->shape.rank : target.n};
  if (first) v.shape.rank = x->shape.rank;
  for (size_t i = 0; i < v.shape.rank; i++) { /* from the last axis on */
    size_t axis = v.shape.rank - 1 - i;
    bool has = i < x->shape.rank, wants = i < target.n;
    size_t dim = has ? x->shape.dims[x->shape.rank - 1 - i] : 1;
    int64_t wanted = wants ? target.values[target.n - 1 - i] : 1;
    if (wanted < 1 || (wanted != 1 && dim != 1 && (uint64_t)wanted != dim))
      return mien_call_refuse(call, "an axis of %zu can't become one of %lld", dim, (long long)wanted);
    v.shape.dims[axis] = dim == 1 ? (size_t)wanted : dim;
    v.strides[axis] = dim == 1 ? 0 : source.strides[x->shape.rank - 1 - i];
  }
  return view_copy(call, x, &v, &call->results[0]);
}

/* ---- Concat --------------------------------------------------------------------------------------------------- */

/* All operands of one kind, and alike but for `axis`. */
static mien_status concat_shape(const mien_call *call, size_t axis, mien_onnx_shape *shape) {
  const mien_value *first = call->operands[0];
  *shape = first->shape;
  for (size_t i = 1; i < call->n_operands; i++) {
    const mien_value *x = call->operands[i];
    if (!x || x->kind != first->kind || x->shape.rank != shape->rank)
      return mien_call_refuse(call, "input %zu is not like the first", i);
    for (size_t d = 0; d < shape->rank; d++)
      if (d != axis && x->shape.dims[d] != shape->dims[d])
        return mien_call_refuse(call, "input %zu: expected %zu elements on axis %zu, found %zu", i, shape->dims[d], d,
                                x->shape.dims[d]);
    if (__builtin_add_overflow(shape->dims[axis], x->shape.dims[axis], &shape->dims[axis]))
      return mien_call_refuse(call, "too many elements");
  }
  return mien_shape_count(shape) ? MIEN_OK : mien_call_refuse(call, "too many elements");
}

mien_status mien_op_concat(const mien_call *call) {
  const mien_value *first = call->operands[0];
  int64_t axis = call->fold->opset < 4 ? 1 : INT64_MAX; /* required since opset 4 */
  size_t index;
  mien_onnx_shape shape;
  unsigned char *out;
  mien_status status = mien_attribute_integer(call, "axis", &axis);
  if (status == MIEN_OK) status = shape_axis(call, first, axis, &index);
  if (status == MIEN_OK) status = concat_shape(call, index, &shape);
  if (status == MIEN_OK) status = mien_fold_work(call->fold, shape.count, 1);
  if (status == MIEN_OK) status = mien_fold_work(call->fold, outer_of(&shape, index), call->n_operands);
  if (status == MIEN_OK) status = mien_value_make(call->fold, first->kind, &shape, &call->results[0], &out);
  if (status != MIEN_OK) return status;
  const size_t outer = outer_of(&shape, index), inner = inner_of(&shape, index) * mien_value_element_bytes(first->kind);
  for (size_t o = 0; o < outer; o++)
    for (size_t i = 0; i < call->n_operands; i++) {
      const size_t bytes = call->operands[i]->shape.dims[index] * inner;
      memcpy(out, (const unsigned char *)call->operands[i]->elements + o * bytes, bytes);
      out += bytes;
    }
  return MIEN_OK;
}

/* ---- Gather --------------------------------------------------------------------------------------------------- */

/* Elements of `x` at `indices` of `axis`; `shape` is the result's. */
static mien_status pick(const mien_call *call, const mien_value *x, size_t axis, const mien_value *indices,
                        bool may_be_negative, mien_onnx_shape *shape) {
  if (indices->kind != MIEN_VALUE_INTEGERS) return mien_call_refuse(call, "expected constant integers as indices");
  const size_t dim = x->shape.dims[axis];
  for (size_t i = 0; i < indices->shape.count; i++) {
    int64_t k = indices->integers[i];
    if (k >= (int64_t)dim || k < (may_be_negative ? -(int64_t)dim : 0))
      return mien_call_refuse(call, "index %lld is not one of %zu", (long long)k, dim);
  }
  unsigned char *out;
  if (!mien_shape_count(shape)) return mien_call_refuse(call, "too many elements");
  mien_status status = mien_fold_work(call->fold, shape->count, 1);
  if (status == MIEN_OK) status = mien_fold_work(call->fold, outer_of(&x->shape, axis), indices->shape.count);
  if (status == MIEN_OK) status = mien_value_make(call->fold, x->kind, shape, &call->results[0], &out);
  if (status != MIEN_OK) return status;
  const size_t outer = outer_of(&x->shape, axis);
  const size_t bytes = inner_of(&x->shape, axis) * mien_value_element_bytes(x->kind);
  for (size_t o = 0; o < outer; o++)
    for (size_t i = 0; i < indices->shape.count; i++) {
      int64_t k = indices->integers[i];
      size_t at = o * dim + (size_t)(k < 0 ? k + (int64_t)dim : k);
      memcpy(out, (const unsigned char *)x->elements + at * bytes, bytes);
      out += bytes;
    }
  return MIEN_OK;
}

/* The axis is replaced by the indices' shape. */
mien_status mien_op_gather(const mien_call *call) {
  const mien_value *x = call->operands[0], *indices = call->operands[1];
  int64_t axis = 0;
  size_t index;
  mien_status status = mien_attribute_integer(call, "axis", &axis);
  if (status == MIEN_OK) status = shape_axis(call, x, axis, &index);
  if (status != MIEN_OK) return status;
  const size_t rank = x->shape.rank - 1 + indices->shape.rank, behind = x->shape.rank - index - 1;
  if (rank > MIEN_ONNX_MAX_RANK) return mien_call_refuse(call, "too many axes");
  mien_onnx_shape shape = {.rank = rank};
  memcpy(shape.dims, x->shape.dims, index * sizeof *shape.dims);
  memcpy(shape.dims + index, indices->shape.dims, indices->shape.rank * sizeof *shape.dims);
  memcpy(shape.dims + index + indices->shape.rank, x->shape.dims + index + 1, behind * sizeof *shape.dims);
  return pick(call, x, index, indices, true, &shape);
}

/* The last axis, by a flat list of indices. */
mien_status mien_op_array_feature_extractor(const mien_call *call) {
  const mien_value *x = call->operands[0], *indices = call->operands[1];
  size_t index;
  mien_status status = shape_axis(call, x, -1, &index);
  if (status != MIEN_OK) return status;
  mien_onnx_shape shape = x->shape;
  shape.dims[index] = indices->shape.count;
  return pick(call, x, index, indices, false, &shape);
}
