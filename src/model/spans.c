/* SPDX-License-Identifier: Apache-2.0 */
/* Long texts: their spans, and scores of these as the text's. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/model.h"
#include "tokenizer/split.h"

mien_status mien_split_text(const mien_model *model, mien_text text, mien_text_span *spans, size_t capacity,
                            size_t *n_spans, mien_error *error) {
  if (!model || !n_spans || (!spans && capacity))
    return mien_fail(error, MIEN_ARGUMENT, "mien_split_text: model, spans and n_spans must not be NULL");
  if (!text.bytes && text.size)
    return mien_fail(error, MIEN_ARGUMENT, "mien_split_text: text: expected %zu bytes, found NULL", text.size);
  if (!model->encoder)
    return mien_fail(error, MIEN_ARGUMENT, "mien_split_text: expected a model with an encoder, found a head alone");
  const size_t max_tokens = model->encoder->config.max_tokens;
  int32_t *ids = mien_alloc_raw(max_tokens * sizeof *ids);
  if (!ids) return mien_fail_memory(error, "mien_split_text", max_tokens * sizeof *ids);
  *n_spans = mien_tokenizer_split(model->encoder->source->tokenizer, text.bytes ? text.bytes : "", text.size,
                                  max_tokens, ids, spans, capacity);
  mien_free(ids);
  return MIEN_OK;
}

static float pool(const float *scores, size_t n, size_t stride, mien_span_pooling pooling) {
  float highest = scores[0];
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    const float score = scores[i * stride];
    sum += (double)score;
    if (!(score <= highest)) highest = score; /* NaN too, */
    if (isnan(highest)) break;                /* which stays */
  }
  if (isnan(highest) || pooling == MIEN_SPANS_MAX) return highest;
  return (float)(sum / (double)n);
}

mien_status mien_pool_scores(const mien_model *model, const float *scores, size_t n, mien_span_pooling pooling,
                             float *pooled, uint32_t *words, mien_error *error) {
  if (!model || !scores || n == 0)
    return mien_fail(error, MIEN_ARGUMENT, "mien_pool_scores: expected a model and scores of at least one span");
  if (!model->head)
    return mien_fail(error, MIEN_ARGUMENT, "mien_pool_scores: expected a model with a head, found an encoder alone");
  if (pooling != MIEN_SPANS_MAX && pooling != MIEN_SPANS_MEAN)
    return mien_fail(error, MIEN_ARGUMENT, "mien_pool_scores: pooling: expected 0 or 1, found %d", (int)pooling);
  const size_t n_labels = mien_model_label_count(model);
  if (words) memset(words, 0, mien_model_words(model) * sizeof *words);
  for (size_t l = 0; l < n_labels; l++) {
    const float score = pool(scores + l, n, n_labels, pooling);
    if (words && score > model->thresholds[l]) words[l / 32] |= 1u << (l % 32);
    if (pooled) pooled[l] = score;
  }
  return MIEN_OK;
}
