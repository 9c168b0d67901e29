/* SPDX-License-Identifier: Apache-2.0 */
/* Columns c0 + c1·f(w·x + bias) of the fold: their normal form, sums and products. */
#include <math.h>

#include "head/fold.h"

mien_column mien_column_affine(mien_column c, double multiplier, double addend) {
  c.c0 = c.c0 * multiplier + addend;
  c.c1 *= multiplier;
  if (multiplier < 0) c.class_index = -c.class_index;
  if (multiplier == 0) c.class_index = 0;
  if (c.link == MIEN_LINK_IDENTITY) {
    c.scale *= c.c1;
    c.bias = c.bias * c.c1 + c.c0;
    c.c0 = 0;
    c.c1 = 1;
  } else if (c.link == MIEN_LINK_SIGMOID && c.c0 == 1 && c.c1 == -1) {
    c.scale = -c.scale;
    c.bias = -c.bias;
    c.c0 = 0;
    c.c1 = 1;
  }
  return c;
}

bool mien_value_is_affine(const mien_value *batch) {
  for (size_t i = 0; i < batch->shape.count; i++)
    if (batch->columns[i].link != MIEN_LINK_IDENTITY) return false;
  return true;
}

/* Coefficient k of w. */
static double weight(const mien_column *c, size_t k) {
  return c->row ? c->scale * c->row[k] : k == c->unit ? c->scale : 0;
}

static bool is_plain_sigmoid(const mien_column *c) { return c->link == MIEN_LINK_SIGMOID && c->c0 == 0 && c->c1 == 1; }

/* Whether two columns are σ(t) and σ(-t). */
static bool are_complements(const mien_fold *fold, const mien_column *a, const mien_column *b) {
  if (!is_plain_sigmoid(a) || !is_plain_sigmoid(b) || a->bias != -b->bias) return false;
  if (a->row == b->row && (a->row || a->unit == b->unit)) return a->scale == -b->scale;
  for (size_t k = 0; k < fold->dim; k++)
    if (weight(a, k) != -weight(b, k)) return false;
  return true;
}

bool mien_value_sums_to_one(const mien_fold *fold, const mien_value *batch) {
  return mien_value_is_batch(batch) && batch->shape.rank == 1 && batch->shape.count == 2 &&
         are_complements(fold, &batch->columns[0], &batch->columns[1]);
}

mien_status mien_call_need_affine(const mien_call *call, const mien_value *batch) {
  if (mien_value_is_affine(batch)) return MIEN_OK;
  return mien_call_refuse(call, "not part of a linear classifier: its input is not affine in the embedding");
}

/* ---- Sums and products ---------------------------------------------------------------------------------------- */

/* row [D] += factor · w */
static void accumulate(double *row, double factor, const mien_column *c, size_t dim) {
  const double f = factor * c->scale;
  if (!c->row) {
    row[c->unit] += f;
    return;
  }
  for (size_t k = 0; k < dim; k++) row[k] += f * c->row[k];
}

/* Unit columns cost one multiply-add an output column, the others D. */
static mien_status charge(mien_fold *fold, const mien_value *batch, size_t n_out) {
  size_t n_dense = 0;
  for (size_t i = 0; i < batch->shape.count; i++) n_dense += batch->columns[i].row != NULL;
  return mien_fold_work(fold, batch->shape.count + (uint64_t)n_dense * fold->dim, n_out);
}

mien_status mien_columns_multiply(const mien_call *call, const mien_value *batch, const mien_matrix *matrix,
                                  const double *bias, mien_column *out) {
  mien_fold *fold = call->fold;
  double *rows;
  mien_status status = mien_call_need_affine(call, batch);
  if (status == MIEN_OK) status = charge(fold, batch, matrix->n_out);
  if (status == MIEN_OK) status = mien_fold_alloc(fold, matrix->n_out, fold->dim * sizeof *rows, &rows);
  if (status != MIEN_OK) return status;
  for (size_t j = 0; j < matrix->n_out; j++) {
    double *row = rows + j * fold->dim;
    double sum = 0;
    for (size_t i = 0; i < matrix->n_in; i++) {
      double m = matrix->data[i * matrix->in_stride + j * matrix->out_stride];
      accumulate(row, m, &batch->columns[i], fold->dim);
      sum += m * batch->columns[i].bias;
    }
    out[j] = (mien_column){.row = row, .scale = 1, .bias = bias ? sum + bias[j] : sum, .c1 = 1};
  }
  return MIEN_OK;
}

mien_status mien_columns_add(const mien_call *call, const mien_column *a, const mien_column *b, double sign,
                             mien_column *out) {
  mien_fold *fold = call->fold;
  mien_column sum = {.scale = 1, .bias = a->bias + sign * b->bias, .c1 = 1};
  if (a->row == b->row && (a->row || a->unit == b->unit)) {
    sum.row = a->row;
    sum.unit = a->unit;
    sum.scale = a->scale + sign * b->scale;
  } else {
    double *row;
    mien_status status = mien_fold_work(fold, 2, fold->dim);
    if (status == MIEN_OK) status = mien_fold_alloc(fold, fold->dim, sizeof *row, &row);
    if (status != MIEN_OK) return status;
    accumulate(row, 1, a, fold->dim);
    accumulate(row, sign, b, fold->dim);
    sum.row = row;
  }
  *out = sum;
  return MIEN_OK;
}

/* ---- Links ---------------------------------------------------------------------------------------------------- */

mien_status mien_fold_link(const mien_call *call, const mien_value *batch, mien_link link, const mien_value **result) {
  mien_column *columns;
  mien_status status = mien_call_need_affine(call, batch);
  if (status == MIEN_OK) status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &batch->shape, result, &columns);
  if (status != MIEN_OK) return status;
  for (size_t i = 0; i < batch->shape.count; i++) {
    columns[i] = batch->columns[i];
    columns[i].link = (uint8_t)link;
  }
  return MIEN_OK;
}

/* softmax(z0, z1) = σ(z0 - z1), σ(z1 - z0) */
mien_status mien_fold_softmax(const mien_call *call, const mien_value *batch, const mien_value **result) {
  if (batch->shape.rank != 1 || batch->shape.count != 2)
    return mien_call_refuse(call, "softmax over %zu columns: only over 2 is it a sigmoid", batch->shape.count);
  const mien_value *made;
  mien_column *columns;
  mien_status status = mien_call_need_affine(call, batch);
  if (status == MIEN_OK) status = mien_value_make(call->fold, MIEN_VALUE_BATCH, &batch->shape, &made, &columns);
  if (status == MIEN_OK) status = mien_columns_add(call, &batch->columns[0], &batch->columns[1], -1, &columns[0]);
  if (status != MIEN_OK) return status;
  columns[0].link = MIEN_LINK_SIGMOID;
  columns[1] = mien_column_affine(columns[0], -1, 1);
  for (size_t i = 0; i < 2; i++) columns[i].class_index = batch->columns[i].class_index;
  *result = made;
  return MIEN_OK;
}
