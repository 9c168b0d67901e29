/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise operators of the fold, with broadcasting, and matrix products. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "head/fold.h"

/* ---- Broadcasting --------------------------------------------------------------------------------------------- */

/* Two operands walked together over their broadcast shape; an axis of size 1 has stride 0. */
typedef struct pair {
  mien_onnx_shape shape;
  size_t strides[2][MIEN_ONNX_MAX_RANK];
  size_t index[MIEN_ONNX_MAX_RANK];
  size_t at[2];
} pair;

static size_t dim_from_end(const mien_onnx_shape *shape, size_t i) {
  return i < shape->rank ? shape->dims[shape->rank - 1 - i] : 1;
}

static mien_status pair_begin(const mien_call *call, const mien_onnx_shape *a, const mien_onnx_shape *b, pair *p) {
  *p = (pair){.shape.rank = a->rank > b->rank ? a->rank : b->rank};
  size_t steps[2] = {1, 1};
  for (size_t i = 0; i < p->shape.rank; i++) {
    size_t da = dim_from_end(a, i), db = dim_from_end(b, i), axis = p->shape.rank - 1 - i;
    if (da != db && da != 1 && db != 1)
      return mien_call_refuse(call, "operands of %zu and %zu elements on an axis can't be combined", da, db);
    p->shape.dims[axis] = da == 1 ? db : da;
    p->strides[0][axis] = da == 1 ? 0 : steps[0];
    p->strides[1][axis] = db == 1 ? 0 : steps[1];
    steps[0] *= da;
    steps[1] *= db;
  }
  if (!mien_shape_count(&p->shape)) return mien_call_refuse(call, "the operands combine to too many elements");
  return mien_fold_work(call->fold, p->shape.count, 1);
}

static void pair_next(pair *p) {
  for (size_t axis = p->shape.rank; axis-- > 0;) {
    for (int side = 0; side < 2; side++) p->at[side] += p->strides[side][axis];
    if (++p->index[axis] < p->shape.dims[axis]) return;
    for (int side = 0; side < 2; side++) p->at[side] -= p->strides[side][axis] * p->shape.dims[axis];
    p->index[axis] = 0;
  }
}

/* ---- Add, Sub, Mul, Div --------------------------------------------------------------------------------------- */

typedef enum operation { ADD, SUB, MUL, DIV } operation;

static double combine(operation op, double a, double b) {
  switch (op) {
  case ADD: return a + b;
  case SUB: return a - b;
  case MUL: return a * b;
  default: return a / b;
  }
}

static mien_status constants(const mien_call *call, operation op, const mien_value *a, const mien_value *b,
                             const mien_value **result) {
  pair p;
  double *out;
  mien_status status = pair_begin(call, &a->shape, &b->shape, &p);
  if (status == MIEN_OK) status = mien_value_make(call->fold, MIEN_VALUE_FLOATS, &p.shape, result, &out);
  if (status != MIEN_OK) return status;
  for (size_t i = 0; i < p.shape.count; i++, pair_next(&p))
    out[i] = combine(op, a->floats[p.at[0]], b->floats[p.at[1]]);
  return MIEN_OK;
}

static mien_status batches(const mien_call *call, operation op, const mien_value *a, const mien_value *b,
                           const mien_value **result) {
  if ((op != ADD && op != SUB) || !mien_shape_equal(&a->shape, &b->shape))
    return mien_call_refuse(call, "not part of a linear classifier: two values of the embedding combined");
  mien_column *out;
  mien_status status = mien_call_need_affine(call, a);
  if (status == MIEN_OK) status = mien_call_need_affine(call, b);
  if (status == MIEN_OK) status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &a->shape, result, &out);
  for (size_t i = 0; i < a->shape.count && status == MIEN_OK; i++)
    status = mien_columns_add(call, &a->columns[i], &b->columns[i], op == SUB ? -1 : 1, &out[i]);
  return status;
}

/* 1 / (c0 + c1·exp(t)) = σ(-(t + ln(c1/c0))) / c0, for c0 and c1 above 0. */
static mien_status reciprocal(const mien_call *call, mien_column c, mien_column *out) {
  if (c.link == MIEN_LINK_IDENTITY && c.scale == 0 && c.bias != 0) {
    c.bias = 1 / c.bias;
    *out = c;
    return MIEN_OK;
  }
  if (c.link != MIEN_LINK_EXP || !(c.c0 > 0) || !(c.c1 > 0))
    return mien_call_refuse(call, "not part of a linear classifier: the reciprocal is not a sigmoid's");
  double c0 = c.c0;
  c.bias = -(c.bias + log(c.c1 / c0));
  c.scale = -c.scale;
  c.class_index = -c.class_index;
  c.link = MIEN_LINK_SIGMOID;
  c.c0 = 0;
  c.c1 = 1;
  *out = mien_column_affine(c, 1 / c0, 0);
  return MIEN_OK;
}

/* column op constant, or constant op column. */
static mien_status combine_column(const mien_call *call, operation op, bool column_first, const mien_column *column,
                                  double constant, mien_column *out) {
  switch (op) {
  case ADD: *out = mien_column_affine(*column, 1, constant); return MIEN_OK;
  case SUB:
    *out = mien_column_affine(*column, column_first ? 1 : -1, column_first ? -constant : constant);
    return MIEN_OK;
  case MUL: *out = mien_column_affine(*column, constant, 0); return MIEN_OK;
  default: break;
  }
  if (column_first) {
    if (constant == 0) return mien_call_refuse(call, "division by zero");
    *out = mien_column_affine(*column, 1 / constant, 0);
    return MIEN_OK;
  }
  mien_column inverse;
  mien_status status = reciprocal(call, *column, &inverse);
  if (status == MIEN_OK) *out = mien_column_affine(inverse, constant, 0);
  return status;
}

static mien_status batch_and_constant(const mien_call *call, operation op, const mien_value *batch,
                                      const mien_value *constant, bool batch_first, const mien_value **result) {
  mien_onnx_shape shape = constant->shape;
  if (shape.rank > batch->shape.rank + 1) return mien_call_refuse(call, "a constant has more axes than the batch");
  if (shape.rank == batch->shape.rank + 1) {
    if (shape.dims[0] != 1) return mien_call_refuse(call, "a constant varies along the batch");
    memmove(shape.dims, shape.dims + 1, --shape.rank * sizeof *shape.dims);
  }
  pair p;
  mien_column *out;
  mien_status status = pair_begin(call, &batch->shape, &shape, &p);
  if (status == MIEN_OK) status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &p.shape, result, &out);
  for (size_t i = 0; i < p.shape.count && status == MIEN_OK; i++, pair_next(&p))
    status = combine_column(call, op, batch_first, &batch->columns[p.at[0]], constant->floats[p.at[1]], &out[i]);
  return status;
}

/* A batch whose columns are all constants, as the constant (1, ...) that it is; any other value as it is. */
static mien_status settle(const mien_call *call, const mien_value **value) {
  const mien_value *batch = *value;
  if (!mien_value_is_batch(batch) || batch->shape.rank == MIEN_ONNX_MAX_RANK) return MIEN_OK;
  for (size_t i = 0; i < batch->shape.count; i++)
    if (batch->columns[i].link != MIEN_LINK_IDENTITY || batch->columns[i].scale != 0) return MIEN_OK;
  mien_onnx_shape shape = {.rank = batch->shape.rank + 1, .dims = {1}, .count = batch->shape.count};
  memcpy(shape.dims + 1, batch->shape.dims, batch->shape.rank * sizeof *shape.dims);
  double *floats;
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_FLOATS, &shape, value, &floats);
  for (size_t i = 0; i < shape.count && status == MIEN_OK; i++) floats[i] = batch->columns[i].bias;
  return status;
}

static mien_status binary(const mien_call *call, operation op, const mien_value *a, const mien_value *b,
                          const mien_value **result) {
  if (a->kind == MIEN_VALUE_INTEGERS || b->kind == MIEN_VALUE_INTEGERS)
    return mien_call_refuse(call, "expected floating-point operands, found integers");
  mien_status status = MIEN_OK;
  if (mien_value_is_batch(a)) status = settle(call, &b);
  if (status == MIEN_OK && mien_value_is_batch(b)) status = settle(call, &a);
  if (status != MIEN_OK) return status;
  if (!mien_value_is_batch(a) && !mien_value_is_batch(b)) return constants(call, op, a, b, result);
  if (mien_value_is_batch(a) && mien_value_is_batch(b)) return batches(call, op, a, b, result);
  return mien_value_is_batch(a) ? batch_and_constant(call, op, a, b, true, result)
                                : batch_and_constant(call, op, b, a, false, result);
}

/* Before opset 7 broadcasting was asked for, along an axis that could be any. */
static mien_status binary_call(const mien_call *call, operation op) {
  int64_t broadcast = 0;
  mien_status status = MIEN_OK;
  if (call->fold->opset < 7) status = mien_attribute_integer(call, "broadcast", &broadcast);
  if (status != MIEN_OK) return status;
  if (broadcast) return mien_call_refuse(call, "broadcasting of opset %lld", (long long)call->fold->opset);
  return binary(call, op, call->operands[0], call->operands[1], &call->results[0]);
}

mien_status mien_op_add(const mien_call *call) { return binary_call(call, ADD); }
mien_status mien_op_sub(const mien_call *call) { return binary_call(call, SUB); }
mien_status mien_op_mul(const mien_call *call) { return binary_call(call, MUL); }
mien_status mien_op_div(const mien_call *call) { return binary_call(call, DIV); }

mien_status mien_op_sum(const mien_call *call) {
  const mien_value *sum = call->operands[0];
  mien_status status = MIEN_OK;
  for (size_t i = 1; i < call->n_operands && status == MIEN_OK; i++) {
    if (!call->operands[i]) return mien_call_refuse(call, "input %zu is left out", i);
    status = binary(call, ADD, sum, call->operands[i], &sum);
  }
  call->results[0] = sum;
  return status;
}

/* ---- One operand ---------------------------------------------------------------------------------------------- */

typedef double function(double x);

static mien_status map(const mien_call *call, function *f) {
  const mien_value *x = call->operands[0];
  if (x->kind != MIEN_VALUE_FLOATS) return mien_call_refuse(call, "not part of a linear classifier");
  double *out;
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_FLOATS, &x->shape, &call->results[0], &out);
  for (size_t i = 0; i < x->shape.count && status == MIEN_OK; i++) out[i] = f(x->floats[i]);
  return status;
}

static double negative(double x) { return -x; }
static double inverse(double x) { return 1 / x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

mien_status mien_op_sqrt(const mien_call *call) { return map(call, sqrt); }
mien_status mien_op_log(const mien_call *call) { return map(call, log); }

mien_status mien_op_exp(const mien_call *call) {
  if (!mien_value_is_batch(call->operands[0])) return map(call, exp);
  return mien_fold_link(call, call->operands[0], MIEN_LINK_EXP, &call->results[0]);
}

mien_status mien_op_sigmoid(const mien_call *call) {
  if (!mien_value_is_batch(call->operands[0])) return map(call, sigmoid);
  return mien_fold_link(call, call->operands[0], MIEN_LINK_SIGMOID, &call->results[0]);
}

mien_status mien_op_neg(const mien_call *call) {
  const mien_value *x = call->operands[0];
  if (!mien_value_is_batch(x)) return map(call, negative);
  mien_column *out;
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &x->shape, &call->results[0], &out);
  for (size_t i = 0; i < x->shape.count && status == MIEN_OK; i++) out[i] = mien_column_affine(x->columns[i], -1, 0);
  return status;
}

mien_status mien_op_reciprocal(const mien_call *call) {
  const mien_value *x = call->operands[0];
  if (!mien_value_is_batch(x)) return map(call, inverse);
  mien_column *out;
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &x->shape, &call->results[0], &out);
  for (size_t i = 0; i < x->shape.count && status == MIEN_OK; i++) status = reciprocal(call, x->columns[i], &out[i]);
  return status;
}

/* Sigmoids are positive already. */
mien_status mien_op_abs(const mien_call *call) {
  const mien_value *x = call->operands[0];
  if (!mien_value_is_batch(x)) return map(call, fabs);
  for (size_t i = 0; i < x->shape.count; i++)
    if (x->columns[i].link != MIEN_LINK_SIGMOID || x->columns[i].c0 != 0 || !(x->columns[i].c1 > 0))
      return mien_call_refuse(call, "not part of a linear classifier: its input may be negative");
  call->results[0] = x;
  return MIEN_OK;
}

/* ---- Types ---------------------------------------------------------------------------------------------------- */

mien_status mien_op_identity(const mien_call *call) {
  call->results[0] = call->operands[0];
  return MIEN_OK;
}

static mien_status cast_batch(const mien_call *call, int64_t to) {
  const mien_value *x = call->operands[0];
  if (to == MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 || to == MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16)
    return mien_call_refuse(call, "rounds values of the embedding to 16 bits");
  if (to != MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && to != MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE)
    return mien_op_sink(call);
  mien_column *columns;
  if (!x->is_half) return mien_op_identity(call);
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &x->shape, &call->results[0], &columns);
  if (status == MIEN_OK) memcpy(columns, x->columns, x->shape.count * sizeof *columns);
  return status;
}

static double round_to_float(double x) { return fabs(x) <= FLT_MAX ? (double)(float)x : x * INFINITY; }

static mien_status cast_to_integers(const mien_call *call, const mien_value *x) {
  if (x->kind == MIEN_VALUE_INTEGERS) return mien_op_identity(call);
  int64_t *out;
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_INTEGERS, &x->shape, &call->results[0], &out);
  for (size_t i = 0; i < x->shape.count && status == MIEN_OK; i++) {
    if (!(fabs(x->floats[i]) < 0x1p31)) {
      char shown[MIEN_JSON_NUMBER_CHARS];
      return mien_call_refuse(call, "%s does not fit an integer", mien_json_show_number(x->floats[i], shown));
    }
    out[i] = (int64_t)x->floats[i];
  }
  return status;
}

static mien_status cast_to_floats(const mien_call *call, const mien_value *x, bool is_float) {
  double *out;
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_FLOATS, &x->shape, &call->results[0], &out);
  for (size_t i = 0; i < x->shape.count && status == MIEN_OK; i++) {
    double value = x->kind == MIEN_VALUE_INTEGERS ? (double)x->integers[i] : x->floats[i];
    out[i] = is_float ? round_to_float(value) : value;
  }
  return status;
}

mien_status mien_op_cast(const mien_call *call) {
  const mien_value *x = call->operands[0];
  int64_t to = -1;
  mien_status status = mien_attribute_integer(call, "to", &to);
  if (status != MIEN_OK) return status;
  if (mien_value_is_batch(x)) return cast_batch(call, to);
  switch (to) {
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: return cast_to_floats(call, x, true);
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: return cast_to_floats(call, x, false);
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__INT64: return cast_to_integers(call, x);
  default: return mien_call_refuse(call, "a constant cast to element type %lld", (long long)to);
  }
}

/* ---- Matrix products ------------------------------------------------------------------------------------------ */

static mien_status need_matrix(const mien_call *call, const mien_value *a, const mien_value *b) {
  if (!mien_value_is_batch(a) || b->kind != MIEN_VALUE_FLOATS)
    return mien_call_refuse(call, "not part of a linear classifier: expected the embedding times a constant matrix");
  if (a->shape.rank != 1) return mien_call_refuse(call, "expected a batch (N, features)");
  return MIEN_OK;
}

static mien_status check_inner(const mien_call *call, size_t expected, size_t found) {
  if (expected == found) return MIEN_OK;
  return mien_call_refuse(call, "expected a matrix of %zu rows, as many as features, found %zu", expected, found);
}

static mien_status multiply_constants(const mien_call *call, const mien_value *a, const mien_value *b) {
  if (a->kind != MIEN_VALUE_FLOATS || b->kind != MIEN_VALUE_FLOATS || a->shape.rank != 2 || b->shape.rank != 2)
    return mien_call_refuse(call, "expected two floating-point matrices");
  size_t n = a->shape.dims[0], k = a->shape.dims[1], m = b->shape.dims[1];
  double *out;
  mien_onnx_shape shape = {.rank = 2, .dims = {n, m}};
  mien_status status = check_inner(call, k, b->shape.dims[0]);
  if (status == MIEN_OK && !mien_shape_count(&shape)) status = mien_call_refuse(call, "the product is too large");
  if (status == MIEN_OK) status = mien_fold_work(call->fold, shape.count, k);
  if (status == MIEN_OK) status = mien_value_make(call->fold, MIEN_VALUE_FLOATS, &shape, &call->results[0], &out);
  if (status != MIEN_OK) return status;
  for (size_t i = 0; i < n; i++)
    for (size_t l = 0; l < k; l++)
      for (size_t j = 0; j < m; j++) out[i * m + j] += a->floats[i * k + l] * b->floats[l * m + j];
  return MIEN_OK;
}

mien_status mien_op_matmul(const mien_call *call) {
  const mien_value *a = call->operands[0], *b = call->operands[1];
  if (mien_value_is_constant(a) && mien_value_is_constant(b)) return multiply_constants(call, a, b);
  mien_status status = need_matrix(call, a, b);
  if (status != MIEN_OK) return status;
  if (b->shape.rank != 1 && b->shape.rank != 2) return mien_call_refuse(call, "expected a matrix or a vector");
  bool is_vector = b->shape.rank == 1;
  size_t n_out = is_vector ? 1 : b->shape.dims[1];
  mien_matrix matrix = {b->floats, b->shape.dims[0], n_out, n_out, 1};
  mien_onnx_shape shape = {.rank = is_vector ? 0 : 1, .dims = {n_out}, .count = n_out};
  mien_column *columns;
  status = check_inner(call, a->shape.count, matrix.n_in);
  if (status == MIEN_OK) status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &shape, &call->results[0], &columns);
  if (status == MIEN_OK) status = mien_columns_multiply(call, a, &matrix, NULL, columns);
  return status;
}

/* columns·alpha + C·beta, where C is broadcast over the batch. */
static mien_status add_c(const mien_call *call, const mien_onnx_shape *shape, double alpha, double beta,
                         mien_column *columns) {
  const mien_value *c = call->n_operands > 2 ? call->operands[2] : NULL;
  size_t n_c = 0;
  if (c) {
    if (c->kind != MIEN_VALUE_FLOATS || c->shape.rank > 2 || (c->shape.rank == 2 && c->shape.dims[0] != 1))
      return mien_call_refuse(call, "C: expected a floating-point vector");
    n_c = c->shape.count;
    if (n_c != 1 && n_c != shape->count)
      return mien_call_refuse(call, "C: expected %zu elements, found %zu", shape->count, n_c);
  }
  for (size_t i = 0; i < shape->count; i++)
    columns[i] = mien_column_affine(columns[i], alpha, c ? c->floats[n_c == 1 ? 0 : i] * beta : 0);
  return MIEN_OK;
}

mien_status mien_op_gemm(const mien_call *call) {
  const mien_value *a = call->operands[0], *b = call->operands[1];
  int64_t transpose_a = 0, transpose_b = 0;
  double alpha = 1, beta = 1;
  mien_status status = need_matrix(call, a, b);
  if (status == MIEN_OK) status = mien_attribute_integer(call, "transA", &transpose_a);
  if (status == MIEN_OK) status = mien_attribute_integer(call, "transB", &transpose_b);
  if (status == MIEN_OK) status = mien_attribute_float(call, "alpha", &alpha);
  if (status == MIEN_OK) status = mien_attribute_float(call, "beta", &beta);
  if (status != MIEN_OK) return status;
  if (transpose_a) return mien_call_refuse(call, "transA would move the batch");
  if (b->shape.rank != 2) return mien_call_refuse(call, "expected a matrix");
  size_t rows = b->shape.dims[0], row = b->shape.dims[1];
  mien_matrix matrix =
      transpose_b ? (mien_matrix){b->floats, row, rows, 1, row} : (mien_matrix){b->floats, rows, row, row, 1};
  mien_onnx_shape shape = {.rank = 1, .dims = {matrix.n_out}, .count = matrix.n_out};
  mien_column *columns;
  status = check_inner(call, a->shape.count, matrix.n_in);
  if (status == MIEN_OK) status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &shape, &call->results[0], &columns);
  if (status == MIEN_OK) status = mien_columns_multiply(call, a, &matrix, NULL, columns);
  if (status == MIEN_OK) status = add_c(call, &shape, alpha, beta, columns);
  return status;
}
