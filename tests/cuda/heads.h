/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of random numbers for the tests of the CUDA device, and what their scores are in double. */
#ifndef MIEN_TESTS_CUDA_HEADS_H
#define MIEN_TESTS_CUDA_HEADS_H

#include <math.h>

#include <vector>

#include "base/half.h"
#include "kernels/sigmoid.h"
#include "model/cuda_module.h"
#include "suite.h"

struct test_head {
  size_t n_labels, dim, n_words;
  std::vector<float> weights, bias, thresholds, sure_no, sure_yes;
  mien_cuda_head head;

  /* Weights of a magnitude; the cuts leave a little on both sides of the thresholds, as the library's do. */
  test_head(size_t labels, size_t columns, double magnitude, uint64_t seed)
      : n_labels(labels), dim(columns), n_words((labels + 31) / 32) {
    for (size_t i = 0; i < labels * columns; i++) weights.push_back((float)(magnitude * random_unit(&seed)));
    for (size_t i = 0; i < labels; i++) {
      bias.push_back((float)(2 * random_unit(&seed)));
      thresholds.push_back((float)(0.5 + 0.4 * random_unit(&seed)));
      const double cut = mien_logit(thresholds[i]);
      sure_no.push_back((float)(cut - 1e-3));
      sure_yes.push_back((float)(cut + 1e-3));
    }
    head = {n_labels, dim, weights.data(), bias.data(), thresholds.data(), sure_no.data(), sure_yes.data()};
  }
  test_head(const test_head &) = delete;
};

/* Rows of a type, `stride` numbers apart, with NaN between them; and what the numbers are. */
struct test_rows {
  mien_dtype dtype;
  size_t n, dim, stride;
  std::vector<unsigned char> bytes;
  std::vector<double> numbers; /* [n × dim] */
  mien_rows rows;

  test_rows(mien_dtype type, size_t count, size_t columns, size_t apart, uint64_t seed)
      : dtype(type), n(count), dim(columns), stride(apart), numbers(count * columns) {
    const size_t size = type == MIEN_F64 ? 8 : type == MIEN_F32 ? 4 : 2;
    bytes.assign(count * apart * size + 1, 0xFF);
    for (size_t row = 0; row < count; row++)
      for (size_t i = 0; i < columns; i++) set(row, i, random_unit(&seed) * 1.7 / sqrt((double)columns));
    rows = {sizeof rows, bytes.data(), dtype, stride};
  }
  test_rows(const test_rows &) = delete;

  void set(size_t row, size_t column, double value) {
    const size_t at = row * stride + column;
    if (dtype == MIEN_F64) {
      memcpy(bytes.data() + at * 8, &value, 8);
      value = (float)value;
    } else if (dtype == MIEN_F32) {
      const float number = (float)value;
      memcpy(bytes.data() + at * 4, &number, 4);
      value = number;
    } else {
      const uint16_t bits = dtype == MIEN_F16 ? mien_float_to_half((float)value) : mien_float_to_bf16((float)value);
      memcpy(bytes.data() + at * 2, &bits, 2);
      value = dtype == MIEN_F16 ? mien_half_to_float(bits) : mien_bf16_to_float(bits);
    }
    numbers[row * dim + column] = value;
  }
};

static inline double reference_logit(const test_head &head, const double *row, size_t label) {
  double sum = head.bias[label];
  for (size_t i = 0; i < head.dim; i++) sum += (double)head.weights[label * head.dim + i] * row[i];
  return sum;
}

static inline double reference_score(const test_head &head, const double *row, size_t label) {
  return 1 / (1 + exp(-reference_logit(head, row, label)));
}

#endif
