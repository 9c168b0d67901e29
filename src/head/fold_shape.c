/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of the fold that change a value's axes and leave its elements in their order. */
#include "head/fold.h"

/* All axes of a value; a batch's first one is known by its place only. */
static size_t full_rank(const mien_value *value) { return value->shape.rank + (mien_value_is_batch(value) ? 1 : 0); }

/* Dimension `axis` (≥ 1 for a batch) of all axes. */
static size_t full_dim(const mien_value *value, size_t axis) {
  return value->shape.dims[mien_value_is_batch(value) ? axis - 1 : axis];
}

static mien_status append(const mien_call *call, mien_onnx_shape *shape, size_t dim) {
  if (shape->rank == MIEN_ONNX_MAX_RANK) return mien_call_refuse(call, "too many axes");
  shape->dims[shape->rank++] = dim;
  return MIEN_OK;
}

/* ---- Reshape -------------------------------------------------------------------------------------------------- */

/* Target dimensions target[from ...], of which one may be -1 where `may_infer`. */
static mien_status read_target(const mien_call *call, const mien_integers *target, size_t from, bool may_infer,
                               mien_onnx_shape *shape) {
  const mien_value *x = call->operands[0];
  int64_t allow_zero = 0;
  mien_status status = mien_attribute_integer(call, "allowzero", &allow_zero);
  size_t known = 1, inferred = SIZE_MAX;
  for (size_t i = from; i < target->n && status == MIEN_OK; i++) {
    int64_t dim = target->values[i];
    if (dim == 0 && !allow_zero) {
      if (i >= full_rank(x)) return mien_call_refuse(call, "copies axis %zu, which is not there", i);
      dim = (int64_t)full_dim(x, i);
    }
    if (dim < -1 || (dim == -1 && (!may_infer || inferred != SIZE_MAX)))
      return mien_call_refuse(call, "target axis %zu is %lld", i, (long long)dim);
    if (dim == -1)
      inferred = shape->rank;
    else if (__builtin_mul_overflow(known, (size_t)dim, &known))
      return mien_call_refuse(call, "too many elements");
    status = append(call, shape, dim == -1 ? 1 : (size_t)dim);
  }
  if (status == MIEN_OK && inferred != SIZE_MAX) {
    if (known == 0 || x->shape.count % known)
      return mien_call_refuse(call, "%zu elements do not fit the target", x->shape.count);
    shape->dims[inferred] = x->shape.count / known;
  }
  return status;
}

mien_status mien_op_reshape(const mien_call *call) {
  const mien_value *x = call->operands[0];
  const bool is_batch = mien_value_is_batch(x);
  mien_integers target;
  mien_onnx_shape shape = {0};
  mien_status status = mien_call_integers(call, "shape", 1, &target);
  if (status != MIEN_OK) return status;
  if (!target.is_given || (is_batch && target.n == 0)) return mien_call_refuse(call, "no target shape");
  int64_t rows = is_batch ? target.values[0] : -1;
  /* -1: what is left for the batch must be exactly its rows; then no other axis is inferred. */
  if (is_batch && rows != -1 && rows != 0 && !(rows > 0 && rows == call->fold->batch))
    return mien_call_refuse(call, "fixes the number of rows to %lld", (long long)rows);
  status = read_target(call, &target, is_batch ? 1 : 0, !is_batch || rows != -1, &shape);
  if (status != MIEN_OK) return status;
  if (!mien_shape_count(&shape) || shape.count != x->shape.count)
    return mien_call_refuse(
        call, is_batch ? "mixes rows and columns: expected %zu columns, found %zu" : "expected %zu elements, found %zu",
        x->shape.count, shape.count);
  return mien_value_reshape(call->fold, x, &shape, &call->results[0]);
}

mien_status mien_op_flatten(const mien_call *call) {
  const mien_value *x = call->operands[0];
  int64_t axis = 1;
  mien_status status = mien_attribute_integer(call, "axis", &axis);
  if (status != MIEN_OK) return status;
  const int64_t rank = (int64_t)full_rank(x);
  if (!mien_value_is_batch(x)) return mien_call_refuse(call, "of a constant");
  if (axis != 1 && axis + rank != 1) return mien_call_refuse(call, "mixes rows and columns");
  mien_onnx_shape shape = {.rank = 1, .dims = {x->shape.count}, .count = x->shape.count};
  return mien_value_reshape(call->fold, x, &shape, &call->results[0]);
}

/* ---- Squeeze, Unsqueeze --------------------------------------------------------------------------------------- */

/* Marks `axes` of `rank` axes; each once, and not the batch's. */
static mien_status mark_axes(const mien_call *call, const mien_integers *axes, size_t rank, unsigned *marks) {
  *marks = 0;
  for (size_t i = 0; i < axes->n; i++) {
    size_t axis;
    mien_status status = mien_call_axis(call, axes->values[i], rank, &axis);
    if (status != MIEN_OK) return status;
    if (axis == 0 && mien_value_is_batch(call->operands[0])) return mien_call_refuse(call, "works along the batch");
    if (*marks >> axis & 1) return mien_call_refuse(call, "axis %zu is given twice", axis);
    *marks |= 1u << axis;
  }
  return MIEN_OK;
}

mien_status mien_op_squeeze(const mien_call *call) {
  const mien_value *x = call->operands[0];
  mien_integers axes;
  unsigned marks = 0;
  mien_status status = mien_call_integers(call, "axes", 1, &axes);
  if (status == MIEN_OK) status = mark_axes(call, &axes, full_rank(x), &marks);
  mien_onnx_shape shape = {.count = x->shape.count};
  for (size_t axis = mien_value_is_batch(x) ? 1 : 0; axis < full_rank(x) && status == MIEN_OK; axis++) {
    size_t dim = full_dim(x, axis);
    bool goes = axes.is_given ? marks >> axis & 1 : dim == 1;
    if (goes && dim != 1) return mien_call_refuse(call, "axis %zu: expected 1, found %zu", axis, dim);
    if (!goes) status = append(call, &shape, dim);
  }
  return status == MIEN_OK ? mien_value_reshape(call->fold, x, &shape, &call->results[0]) : status;
}

mien_status mien_op_unsqueeze(const mien_call *call) {
  const mien_value *x = call->operands[0];
  mien_integers axes;
  unsigned marks;
  mien_status status = mien_call_integers(call, "axes", 1, &axes);
  if (status != MIEN_OK) return status;
  if (axes.n > MIEN_ONNX_MAX_RANK) return mien_call_refuse(call, "too many axes");
  const size_t rank = full_rank(x) + axes.n, first = mien_value_is_batch(x) ? 1 : 0;
  status = mark_axes(call, &axes, rank, &marks);
  mien_onnx_shape shape = {.count = x->shape.count};
  for (size_t axis = first, from = first; axis < rank && status == MIEN_OK; axis++)
    status = append(call, &shape, marks >> axis & 1 ? 1 : full_dim(x, from++));
  return status == MIEN_OK ? mien_value_reshape(call->fold, x, &shape, &call->results[0]) : status;
}
