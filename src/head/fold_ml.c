/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of the fold from the domain ai.onnx.ml, as ONNX Runtime computes them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "head/fold.h"

/* ---- Class labels --------------------------------------------------------------------------------------------- */

static mien_status add_class(mien_fold *fold, const char *text, size_t bytes) {
  if (fold->n_classes == fold->classes_capacity) {
    size_t capacity = fold->classes_capacity ? fold->classes_capacity * 2 : 16;
    const char **grown;
    mien_status status = mien_fold_alloc(fold, capacity, sizeof *grown, &grown);
    if (status != MIEN_OK) return status;
    if (fold->n_classes) memcpy(grown, fold->classes, fold->n_classes * sizeof *grown);
    fold->classes = grown;
    fold->classes_capacity = capacity;
  }
  char *copy;
  mien_status status = mien_fold_alloc(fold, bytes + 1, 1, &copy);
  if (status != MIEN_OK) return status;
  memcpy(copy, text, bytes);
  fold->classes[fold->n_classes++] = copy;
  return MIEN_OK;
}

/*
 * Class labels of a node, as integers or strings; *first is the index of the first one in the fold's classes. A label
 * with a NUL in it ends there, which leaves it a control character short of valid: it is refused here.
 */
static mien_status read_classes(const mien_call *call, const char *integers_name, const char *strings_name,
                                size_t *first, size_t *n) {
  const int64_t *integers;
  const ProtobufCBinaryData *strings;
  size_t n_integers = 0, n_strings = 0;
  mien_status status = mien_attribute_integers(call, integers_name, &integers, &n_integers);
  if (status == MIEN_OK) status = mien_attribute_strings(call, strings_name, &strings, &n_strings);
  if (status != MIEN_OK) return status;
  if (n_integers && n_strings) return mien_call_refuse(call, "class labels both as integers and as strings");
  *n = n_integers + n_strings;
  *first = call->fold->n_classes;
  if (*n > MIEN_FOLD_MAX_COLUMNS) return mien_call_refuse(call, "%zu class labels are too many", *n);
  for (size_t i = 0; i < n_integers && status == MIEN_OK; i++) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, integers[i]);
    status = add_class(call->fold, digits, (size_t)length);
  }
  for (size_t i = 0; i < n_strings && status == MIEN_OK; i++) {
    if (strings[i].len && memchr(strings[i].data, '\0', strings[i].len))
      return mien_call_refuse(call, "class label %zu: a NUL byte in it", i);
    status = add_class(call->fold, (const char *)strings[i].data, strings[i].len);
  }
  return status;
}

static void name_columns(mien_column *columns, size_t n, size_t first) {
  for (size_t i = 0; i < n; i++) columns[i].class_index = (int32_t)(first + i + 1);
}

/* ---- LinearClassifier, LinearRegressor ------------------------------------------------------------------------ */

typedef enum transform { TRANSFORM_NONE, TRANSFORM_LOGISTIC, TRANSFORM_SOFTMAX, N_TRANSFORMS } transform;
static const char *const transforms[] = {"NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"};

typedef struct linear {
  size_t n_rows;
  double *coefficients; /* [n_rows × features] */
  double *intercepts;   /* [n_rows] */
  size_t transform;
} linear;

static mien_status to_doubles(const mien_call *call, const float *floats, size_t n, size_t at_least, double **doubles) {
  mien_fold_credit(call->fold, n);
  mien_status status = mien_fold_alloc(call->fold, n > at_least ? n : at_least, sizeof **doubles, doubles);
  for (size_t i = 0; i < n && status == MIEN_OK; i++) (*doubles)[i] = floats[i];
  return status;
}

/* Without intercepts there are `rows_without_intercepts` rows (0: refuse). */
static mien_status read_linear(const mien_call *call, size_t rows_without_intercepts, linear *l) {
  const mien_value *x = call->operands[0];
  const float *coefficients = NULL, *intercepts = NULL;
  size_t n_coefficients = 0, n_intercepts = 0, expected;
  *l = (linear){0};
  if (!mien_value_is_batch(x) || x->shape.rank != 1) return mien_call_refuse(call, "expected a batch (N, features)");
  mien_status status = mien_attribute_floats(call, "coefficients", &coefficients, &n_coefficients);
  if (status == MIEN_OK) status = mien_attribute_floats(call, "intercepts", &intercepts, &n_intercepts);
  if (status == MIEN_OK) status = mien_attribute_choice(call, "post_transform", transforms, 5, &l->transform);
  if (status != MIEN_OK) return status;
  if (l->transform >= N_TRANSFORMS)
    return mien_call_refuse(call, "not part of a linear classifier: post_transform %s", transforms[l->transform]);
  l->n_rows = n_intercepts ? n_intercepts : rows_without_intercepts;
  if (l->n_rows == 0) return mien_call_refuse(call, "no intercepts");
  if (__builtin_mul_overflow(l->n_rows, x->shape.count, &expected) || n_coefficients != expected)
    return mien_call_refuse(call, "coefficients: expected %zu rows of %zu, found %zu in all", l->n_rows, x->shape.count,
                            n_coefficients);
  status = to_doubles(call, coefficients, n_coefficients, 0, &l->coefficients);
  if (status == MIEN_OK) status = to_doubles(call, intercepts, n_intercepts, l->n_rows, &l->intercepts);
  return status;
}

static mien_status apply_linear(const mien_call *call, const linear *l, size_t n_columns, const mien_value **scores,
                                mien_column **columns) {
  const mien_value *x = call->operands[0];
  mien_onnx_shape shape = {.rank = 1, .dims = {n_columns}, .count = n_columns};
  mien_matrix matrix = {l->coefficients, x->shape.count, l->n_rows, 1, x->shape.count};
  mien_status status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &shape, scores, columns);
  /* The rows are the last of the columns: two columns of one row are made from it. */
  if (status == MIEN_OK)
    status = mien_columns_multiply(call, x, &matrix, l->intercepts, *columns + (n_columns - l->n_rows));
  return status;
}

static mien_status apply_transform(const mien_call *call, size_t which, const mien_value *scores,
                                   const mien_value **result) {
  switch (which) {
  case TRANSFORM_LOGISTIC:
    if (scores->shape.count == 1) return mien_call_refuse(call, "LOGISTIC over one class does nothing in ONNX Runtime");
    return mien_fold_link(call, scores, MIEN_LINK_SIGMOID, result);
  case TRANSFORM_SOFTMAX: return mien_fold_softmax(call, scores, result);
  default: *result = scores; return MIEN_OK;
  }
}

mien_status mien_op_linear_classifier(const mien_call *call) {
  linear l;
  size_t first, n_classes;
  const mien_value *scores, *result;
  mien_column *columns;
  mien_status status = read_linear(call, 0, &l);
  if (status == MIEN_OK) status = read_classes(call, "classlabels_ints", "classlabels_strings", &first, &n_classes);
  if (status != MIEN_OK) return status;
  const bool one_row_binary = l.n_rows == 1 && n_classes == 2;
  if (n_classes != l.n_rows && !one_row_binary)
    return mien_call_refuse(call, "expected a class label for each of %zu rows, found %zu", l.n_rows, n_classes);
  if (one_row_binary && l.transform != TRANSFORM_LOGISTIC)
    return mien_call_refuse(call, "one row for two classes with %s: runtimes disagree on it", transforms[l.transform]);
  status = apply_linear(call, &l, n_classes, &scores, &columns);
  if (status != MIEN_OK) return status;
  if (one_row_binary) columns[0] = mien_column_affine(columns[1], -1, 0); /* 1 - σ(z) = σ(-z) */
  name_columns(columns, n_classes, first);
  status = apply_transform(call, l.transform, scores, &result);
  if (status != MIEN_OK) return status;
  status = mien_op_sink(call); /* the chosen class; the second output has the scores */
  if (call->n_results > 1) call->results[1] = result;
  return status;
}

mien_status mien_op_linear_regressor(const mien_call *call) {
  linear l;
  const mien_value *scores;
  mien_column *columns;
  int64_t targets = 1;
  mien_status status = mien_attribute_integer(call, "targets", &targets);
  if (status != MIEN_OK) return status;
  if (targets < 1 || targets > MIEN_MAX_LABELS) return mien_call_refuse(call, "%lld targets", (long long)targets);
  status = read_linear(call, (size_t)targets, &l);
  if (status == MIEN_OK) status = apply_linear(call, &l, l.n_rows, &scores, &columns);
  if (status == MIEN_OK) status = apply_transform(call, l.transform, scores, &call->results[0]);
  return status;
}

/* ---- Others --------------------------------------------------------------------------------------------------- */

/* (x - offset) · scale */
mien_status mien_op_scaler(const mien_call *call) {
  const mien_value *x = call->operands[0];
  const float *offset = NULL, *scale = NULL;
  size_t n_offset = 0, n_scale = 0;
  mien_column *columns;
  if (!mien_value_is_batch(x) || x->shape.rank != 1) return mien_call_refuse(call, "expected a batch (N, features)");
  mien_status status = mien_attribute_floats(call, "offset", &offset, &n_offset);
  if (status == MIEN_OK) status = mien_attribute_floats(call, "scale", &scale, &n_scale);
  if (status == MIEN_OK) status = mien_call_need_affine(call, x);
  if (status != MIEN_OK) return status;
  const size_t n = x->shape.count;
  if (n_offset != n_scale || (n_scale != 1 && n_scale != n))
    return mien_call_refuse(call, "expected 1 or %zu offsets and scales, found %zu and %zu", n, n_offset, n_scale);
  status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &x->shape, &call->results[0], &columns);
  for (size_t i = 0; i < n && status == MIEN_OK; i++) {
    const double o = offset[n_scale == 1 ? 0 : i], s = scale[n_scale == 1 ? 0 : i];
    columns[i] = mien_column_affine(x->columns[i], s, -o * s);
  }
  return status;
}

/* A sequence of maps {class: score}: the scores with names. */
mien_status mien_op_zipmap(const mien_call *call) {
  const mien_value *x = call->operands[0];
  size_t first, n_classes;
  mien_column *columns;
  if (!mien_value_is_batch(x) || x->shape.rank != 1) return mien_call_refuse(call, "expected a batch (N, classes)");
  mien_status status = read_classes(call, "classlabels_int64s", "classlabels_strings", &first, &n_classes);
  if (status != MIEN_OK) return status;
  if (n_classes != x->shape.count)
    return mien_call_refuse(call, "expected %zu class labels, found %zu", x->shape.count, n_classes);
  status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &x->shape, &call->results[0], &columns);
  if (status != MIEN_OK) return status;
  memcpy(columns, x->columns, n_classes * sizeof *columns);
  name_columns(columns, n_classes, first);
  return MIEN_OK;
}
