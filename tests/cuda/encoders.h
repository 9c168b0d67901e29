/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders of random numbers for the tests of the CUDA device, and their embeddings in double. */
#ifndef MIEN_TESTS_CUDA_ENCODERS_H
#define MIEN_TESTS_CUDA_ENCODERS_H

#include "heads.h"

struct test_shape {
  size_t layers, hidden, heads, columns, intermediate, vocabulary, max_tokens;
};

struct test_encoder {
  test_shape shape;
  mien_dtype dtype;
  std::vector<float> words, positions, gamma, beta;
  struct matrix {
    size_t inputs, outputs;
    std::vector<float> weights, bias, scales, multipliers;
    /* What weights stand for. */
    double weight(size_t output, size_t input) const {
      double value = weights[output * inputs + input];
      if (!scales.empty()) value *= scales[output];
      return multipliers.empty() ? value : value * multipliers[input];
    }
  };
  struct layer {
    matrix matrices[MIEN_CUDA_LAYER_MATRICES];
    std::vector<float> norms[4];
  };
  std::vector<layer> layers;
  std::vector<mien_cuda_layer> described;
  mien_cuda_encoder encoder;

  static float rounded(mien_dtype dtype, float x) {
    if (dtype == MIEN_BF16) return mien_bf16_to_float(mien_float_to_bf16(x));
    return dtype == MIEN_F16 ? mien_half_to_float(mien_float_to_half(x)) : x;
  }

  std::vector<float> random_numbers(size_t n, double magnitude, double middle, uint64_t *seed) const {
    std::vector<float> numbers;
    for (size_t i = 0; i < n; i++) numbers.push_back((float)(middle + magnitude * random_unit(seed)));
    return numbers;
  }

  /* Numbers of a matrix as the dtype has them; of heads, columns behind `of_head` are padding. */
  matrix make_matrix(size_t inputs, size_t outputs, bool multiplied, uint64_t *seed) const {
    matrix m = {inputs, outputs, {}, random_numbers(outputs, 0.1, 0, seed), {}, {}};
    const bool is_int8 = dtype == MIEN_INT8;
    for (size_t i = 0; i < inputs * outputs; i++) {
      const double x = random_unit(seed);
      m.weights.push_back(is_int8 ? (float)(int)(x * 127.99) : rounded(dtype, (float)(1.5 * x / sqrt((double)inputs))));
    }
    if (is_int8) m.scales = random_numbers(outputs, 0.002, 0.01, seed);
    for (float &scale : m.scales) scale *= 1.2f / sqrtf((float)inputs);
    if (is_int8 && multiplied) m.multipliers = random_numbers(inputs, 0.3, 1, seed);
    return m;
  }

  test_encoder(const test_shape &of, mien_dtype type, uint64_t seed, mien_cuda_pooling pooling = MIEN_CUDA_POOL_MEAN,
               bool normalize = true)
      : shape(of), dtype(type) {
    const size_t hidden = of.hidden, heads = of.heads * of.columns;
    words = random_numbers(of.vocabulary * hidden, 1, 0, &seed);
    for (float &word : words) word = rounded(type, word);
    positions = random_numbers(of.max_tokens * hidden, 0.5, 0, &seed);
    gamma = random_numbers(hidden, 0.3, 1, &seed);
    beta = random_numbers(hidden, 0.2, 0, &seed);
    for (size_t i = 0; i < of.layers; i++) {
      layer l;
      l.matrices[0] = make_matrix(hidden, 3 * heads, true, &seed);
      l.matrices[1] = make_matrix(heads, hidden, false, &seed);
      l.matrices[2] = make_matrix(hidden, of.intermediate, true, &seed);
      l.matrices[3] = make_matrix(of.intermediate, hidden, false, &seed);
      for (int norm = 0; norm < 4; norm++)
        l.norms[norm] = random_numbers(hidden, norm % 2 ? 0.2 : 0.3, norm % 2 ? 0 : 1, &seed);
      layers.push_back(l);
    }
    for (const layer &l : layers) {
      mien_cuda_layer to;
      for (int m = 0; m < MIEN_CUDA_LAYER_MATRICES; m++)
        to.matrices[m] = {l.matrices[m].inputs, l.matrices[m].outputs, l.matrices[m].bias.data(),
                          l.matrices[m].scales.empty() ? NULL : l.matrices[m].scales.data(),
                          l.matrices[m].multipliers.empty() ? NULL : l.matrices[m].multipliers.data()};
      to.attention_gamma = l.norms[0].data();
      to.attention_beta = l.norms[1].data();
      to.output_gamma = l.norms[2].data();
      to.output_beta = l.norms[3].data();
      described.push_back(to);
    }
    encoder = {};
    encoder.dtype = type;
    encoder.layers = of.layers;
    encoder.hidden = hidden;
    encoder.heads = of.heads;
    encoder.head_columns = of.columns;
    encoder.vocabulary = of.vocabulary;
    encoder.max_tokens = of.max_tokens;
    encoder.layer_norm_eps = 1e-12f;
    encoder.pooling = pooling;
    encoder.normalize = normalize;
    encoder.positions = positions.data();
    encoder.gamma = gamma.data();
    encoder.beta = beta.data();
    encoder.layer = described.data();
    encoder.weights = [](void *user, size_t index, size_t m, float *out) {
      const matrix &from = static_cast<test_encoder *>(user)->layers[index].matrices[m];
      memcpy(out, from.weights.data(), from.weights.size() * sizeof *out);
    };
    encoder.word = [](void *user, size_t id, float *out) {
      const test_encoder *self = static_cast<test_encoder *>(user);
      memcpy(out, self->words.data() + id * self->shape.hidden, self->shape.hidden * sizeof *out);
    };
    encoder.user = this;
  }
  test_encoder(const test_encoder &) = delete;
};

/* ---- The same in double ------------------------------------------------------------------------------------------ */

typedef std::vector<double> numbers;

static inline numbers reference_product(const test_encoder::matrix &m, const numbers &x, size_t n) {
  numbers y(n * m.outputs);
  for (size_t row = 0; row < n; row++)
    for (size_t o = 0; o < m.outputs; o++) {
      double sum = m.bias[o];
      for (size_t k = 0; k < m.inputs; k++) sum += m.weight(o, k) * x[row * m.inputs + k];
      y[row * m.outputs + o] = sum;
    }
  return y;
}

static inline void reference_norm(numbers *x, size_t columns, const std::vector<float> &gamma,
                                  const std::vector<float> &beta) {
  for (size_t row = 0; row < x->size() / columns; row++) {
    double *at = x->data() + row * columns, mean = 0, square = 0;
    for (size_t i = 0; i < columns; i++) mean += at[i] / (double)columns;
    for (size_t i = 0; i < columns; i++) square += (at[i] - mean) * (at[i] - mean) / (double)columns;
    for (size_t i = 0; i < columns; i++) at[i] = (at[i] - mean) / sqrt(square + 1e-12) * gamma[i] + beta[i];
  }
}

static inline numbers reference_attention(const test_shape &shape, const numbers &heads, size_t n) {
  const size_t columns = shape.heads * shape.columns;
  numbers out(n * columns);
  for (size_t head = 0; head < shape.heads; head++)
    for (size_t query = 0; query < n; query++) {
      const double *q = &heads[query * 3 * columns + head * shape.columns];
      numbers weights(n);
      double most = -INFINITY, sum = 0;
      for (size_t key = 0; key < n; key++) {
        const double *k = &heads[key * 3 * columns + columns + head * shape.columns];
        for (size_t i = 0; i < shape.columns; i++) weights[key] += q[i] * k[i];
        most = fmax(most, weights[key]);
      }
      for (double &weight : weights) sum += weight = exp(weight - most);
      for (size_t key = 0; key < n; key++)
        for (size_t i = 0; i < shape.columns; i++)
          out[query * columns + head * shape.columns + i] +=
              weights[key] / sum * heads[key * 3 * columns + 2 * columns + head * shape.columns + i];
    }
  return out;
}

static inline numbers reference_embedding(const test_encoder &encoder, const int32_t *ids, size_t n) {
  const size_t hidden = encoder.shape.hidden;
  numbers x(n * hidden);
  for (size_t i = 0; i < n * hidden; i++)
    x[i] = (double)encoder.words[(size_t)ids[i / hidden] * hidden + i % hidden] + (double)encoder.positions[i];
  reference_norm(&x, hidden, encoder.gamma, encoder.beta);
  for (const test_encoder::layer &layer : encoder.layers) {
    const numbers context = reference_attention(encoder.shape, reference_product(layer.matrices[0], x, n), n);
    numbers y = reference_product(layer.matrices[1], context, n);
    for (size_t i = 0; i < x.size(); i++) x[i] += y[i];
    reference_norm(&x, hidden, layer.norms[0], layer.norms[1]);
    y = reference_product(layer.matrices[2], x, n);
    for (double &value : y) value = 0.5 * value * (1 + erf(value / sqrt(2)));
    y = reference_product(layer.matrices[3], y, n);
    for (size_t i = 0; i < x.size(); i++) x[i] += y[i];
    reference_norm(&x, hidden, layer.norms[2], layer.norms[3]);
  }
  numbers out(x.begin(), x.begin() + (ptrdiff_t)hidden);
  for (size_t i = hidden; i < x.size() && encoder.encoder.pooling != MIEN_CUDA_POOL_CLS; i++)
    out[i % hidden] =
        encoder.encoder.pooling == MIEN_CUDA_POOL_MAX ? fmax(out[i % hidden], x[i]) : out[i % hidden] + x[i];
  double square = 0;
  for (double &value : out) {
    if (encoder.encoder.pooling == MIEN_CUDA_POOL_MEAN) value /= (double)n;
    square += value * value;
  }
  for (double &value : out)
    if (encoder.encoder.normalize) value /= sqrt(square);
  return out;
}

/* Texts of random lengths from 1 to `longest`. */
struct test_texts {
  std::vector<int32_t> ids;
  std::vector<size_t> lengths, starts;
  test_texts(const test_encoder &encoder, size_t n, size_t longest, uint64_t seed) {
    for (size_t i = 0; i < n; i++) {
      const size_t length = i == 0 ? longest : 1 + random_bits(&seed) % longest;
      starts.push_back(ids.size());
      lengths.push_back(length);
      for (size_t k = 0; k < length; k++) ids.push_back((int32_t)(random_bits(&seed) % encoder.shape.vocabulary));
    }
  }
};

#endif
