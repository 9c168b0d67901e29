/* SPDX-License-Identifier: Apache-2.0 */
/* Which labels a row is given, and in which order they are listed. */
#include "corpus/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/sigmoid.h"

mien_status mien_selection_init(mien_selection *selection, const mien_model *model, size_t top_k, bool min_one_label,
                                mien_error *error) {
  size_t n = mien_model_label_count(model);
  selection->n_labels = n;
  selection->top_k = top_k;
  selection->min_one_label = min_one_label;
  selection->thresholds = mien_alloc(n, sizeof(float));
  selection->threshold_logits = mien_alloc(n, sizeof(double));
  if (!selection->thresholds || !selection->threshold_logits)
    return mien_fail_memory(error, "thresholds", n * sizeof(double));
  for (size_t i = 0; i < n; i++) {
    selection->thresholds[i] = mien_model_threshold(model, i);
    selection->threshold_logits[i] = mien_logit(selection->thresholds[i]);
  }
  return MIEN_OK;
}

void mien_selection_free(mien_selection *selection) {
  mien_free(selection->thresholds);
  mien_free(selection->threshold_logits);
}

bool mien_selection_is_plain(const mien_selection *selection) {
  return selection->top_k == 0 && !selection->min_one_label;
}

/* Ascending keys are descending scores: the bits of floats in [0, 1] are ordered as they are. */
static uint64_t key_of(float score, size_t label) {
  uint32_t bits;
  score += 0.0f; /* -0 is 0 */
  memcpy(&bits, &score, sizeof bits);
  return (uint64_t)~bits << 32 | (uint32_t)label;
}

static int compare_keys(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

static void sort_keys(uint64_t *keys, size_t n) {
  enum { FEW = 32 };
  if (n > FEW) {
    qsort(keys, n, sizeof *keys, compare_keys);
    return;
  }
  for (size_t i = 1; i < n; i++) {
    uint64_t key = keys[i];
    size_t at = i;
    for (; at > 0 && keys[at - 1] > key; at--) keys[at] = keys[at - 1];
    keys[at] = key;
  }
}

static size_t nearest_label(const mien_selection *selection, const float *scores) {
  size_t nearest = 0;
  double greatest = -INFINITY;
  for (size_t i = 0; i < selection->n_labels; i++) {
    double distance =
        scores[i] == selection->thresholds[i] ? 0 : mien_logit(scores[i]) - selection->threshold_logits[i];
    if (distance > greatest) {
      greatest = distance;
      nearest = i;
    }
  }
  return nearest;
}

size_t mien_select_labels(const mien_selection *selection, const uint32_t *words, const float *scores,
                          uint64_t *order) {
  size_t n = 0;
  if (selection->top_k > 0) {
    for (size_t i = 0; i < selection->n_labels; i++) order[i] = key_of(scores[i], i);
    sort_keys(order, selection->n_labels);
    return selection->top_k < selection->n_labels ? selection->top_k : selection->n_labels;
  }
  for (size_t w = 0; w < (selection->n_labels + 31) / 32; w++) {
    for (uint32_t left = words[w]; left; left &= left - 1) {
      size_t label = 32 * w + (size_t)__builtin_ctz(left);
      order[n++] = key_of(scores[label], label);
    }
  }
  if (n == 0 && selection->min_one_label) order[n++] = nearest_label(selection, scores);
  sort_keys(order, n);
  return n;
}
