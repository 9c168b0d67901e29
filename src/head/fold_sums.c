/* SPDX-License-Identifier: Apache-2.0 */
/* Operators over the classes of a row: softmax, and normalisers that cancel because a row sums to 1 already. */
#include "head/fold.h"

/* The batch of the call, when its classes are its second axis of two and `axis` is that one. */
static mien_status need_class_axis(const mien_call *call, int64_t axis, const mien_value **batch) {
  const mien_value *x = call->operands[0];
  size_t index = 0;
  if (!mien_value_is_batch(x)) return mien_call_refuse(call, "of a constant");
  mien_status status = mien_call_axis(call, axis, x->shape.rank + 1, &index);
  if (status != MIEN_OK) return status;
  if (x->shape.rank != 1 || index != 1)
    return mien_call_refuse(call, "expected a batch (N, classes) and its last axis");
  *batch = x;
  return MIEN_OK;
}

mien_status mien_op_softmax(const mien_call *call) {
  const mien_value *x = NULL;
  /* Until opset 12 the axes from `axis` on were taken as one: the same for (N, classes). */
  int64_t axis = call->fold->opset < 13 ? 1 : -1;
  mien_status status = mien_attribute_integer(call, "axis", &axis);
  if (status == MIEN_OK) status = need_class_axis(call, axis, &x);
  if (status == MIEN_OK) status = mien_fold_softmax(call, x, &call->results[0]);
  return status;
}

static mien_status pass_if_cancelled(const mien_call *call, const mien_value *x) {
  if (!mien_value_sums_to_one(call->fold, x))
    return mien_call_refuse(call, "not part of a linear classifier: the normalisation does not cancel");
  call->results[0] = x;
  return MIEN_OK;
}

mien_status mien_op_lp_normalization(const mien_call *call) {
  const mien_value *x = NULL;
  int64_t axis = -1, p = 2;
  mien_status status = mien_attribute_integer(call, "axis", &axis);
  if (status == MIEN_OK) status = mien_attribute_integer(call, "p", &p);
  if (status == MIEN_OK) status = need_class_axis(call, axis, &x);
  if (status != MIEN_OK) return status;
  if (p != 1)
    return mien_call_refuse(call, "not part of a linear classifier: a normalisation of p = %lld", (long long)p);
  return pass_if_cancelled(call, x);
}

mien_status mien_op_normalizer(const mien_call *call) {
  static const char *const norms[] = {"MAX", "L1", "L2"};
  size_t norm = 0;
  mien_status status = mien_attribute_choice(call, "norm", norms, 3, &norm);
  if (status != MIEN_OK) return status;
  if (norm != 1) return mien_call_refuse(call, "not part of a linear classifier: a normalisation by %s", norms[norm]);
  return pass_if_cancelled(call, call->operands[0]);
}

/* Only of σ(-t), σ(t): the sum is 1. */
mien_status mien_op_reduce_sum(const mien_call *call) {
  const mien_value *x = NULL;
  mien_integers axes;
  int64_t keep = 1;
  mien_column *column;
  mien_status status = mien_call_integers(call, "axes", 1, &axes);
  if (status == MIEN_OK) status = mien_attribute_integer(call, "keepdims", &keep);
  if (status != MIEN_OK) return status;
  if (axes.n != 1) return mien_call_refuse(call, "not part of a linear classifier: a sum over %zu axes", axes.n);
  status = need_class_axis(call, axes.values[0], &x);
  if (status != MIEN_OK) return status;
  if (!mien_value_sums_to_one(call->fold, x))
    return mien_call_refuse(call, "not part of a linear classifier: the sum is not 1");
  mien_onnx_shape shape = {.rank = keep ? 1 : 0, .dims = {1}, .count = 1};
  status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &shape, &call->results[0], &column);
  if (status == MIEN_OK) *column = (mien_column){.bias = 1, .c1 = 1};
  return status;
}
