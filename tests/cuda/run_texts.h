/* SPDX-License-Identifier: Apache-2.0 */
/* Texts through an engine of the CUDA device, and how far their embeddings may be from those in double. */
#ifndef MIEN_TESTS_CUDA_RUN_TEXTS_H
#define MIEN_TESTS_CUDA_RUN_TEXTS_H

#include "encoders.h"

static inline mien_cuda_engine *open_encoder(const test_encoder &encoder, const test_head *head, mien_cuda_way products,
                                             mien_cuda_way head_way = MIEN_CUDA_AUTO) {
  const mien_cuda_module *module = mien_cuda_module_get();
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_error error = {};
  options.products = products;
  options.head = head_way;
  ck_assert_msg(module->open(&options, head ? &head->head : NULL, &encoder.encoder, &engine, &error) == MIEN_OK, "%s",
                error.message);
  return engine;
}

struct outcome {
  std::vector<float> embeddings, scores;
  std::vector<uint32_t> words;
  std::vector<mien_row_status> status;
};

static inline outcome run(mien_cuda_engine *engine, const test_encoder &encoder, const test_head *head,
                          const int32_t *ids, const std::vector<size_t> &lengths, size_t at_a_time) {
  const mien_cuda_module *module = mien_cuda_module_get();
  const size_t n = lengths.size(), hidden = encoder.shape.hidden;
  outcome out = {std::vector<float>(n * hidden, 17), std::vector<float>(head ? n * head->n_labels : 0, 17),
                 std::vector<uint32_t>(head ? n * head->n_words : 0, 0xAAAAAAAA), std::vector<mien_row_status>(n, 99)};
  mien_cuda_lane *lane;
  mien_error error = {};
  ck_assert_msg(module->acquire(engine, &lane, &error) == MIEN_OK, "%s", error.message);
  for (size_t first = 0; first < n; first += at_a_time) {
    const size_t some = n - first < at_a_time ? n - first : at_a_time;
    mien_results results = {};
    results.size = sizeof results;
    results.embeddings = out.embeddings.data() + first * hidden;
    results.status = out.status.data() + first;
    if (head) results.scores = out.scores.data() + first * head->n_labels;
    if (head) results.words = out.words.data() + first * head->n_words;
    size_t tokens = 0;
    for (size_t i = 0; i < some; i++) tokens += lengths[first + i];
    const std::vector<int32_t> copy(ids, ids + tokens); /* gone after the call, as it may be */
    ck_assert_msg(module->submit(lane, copy.data(), lengths.data() + first, some, &results, &error) == MIEN_OK, "%s",
                  error.message);
    ids += tokens;
  }
  ck_assert_msg(module->drain(lane, &error) == MIEN_OK, "%s", error.message);
  module->release(lane);
  return out;
}

static inline double distance(const numbers &expected, const float *found) {
  double most = 0;
  for (size_t i = 0; i < expected.size(); i++) most = fmax(most, fabs(expected[i] - found[i]));
  return most;
}

static inline double largest(const numbers &x) {
  double most = 0;
  for (double value : x) most = fmax(most, fabs(value));
  return most;
}

/* The most that an embedding's numbers may be off, of its largest. */
static inline double band_of(mien_dtype dtype) {
  switch (dtype) {
  case MIEN_BF16: return 0.012;
  case MIEN_F16:
  case MIEN_INT8: return 0.0015;
  case MIEN_BF16X3: return 3e-5;
  default: return 2e-6;
  }
}

#endif
