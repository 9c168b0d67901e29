/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a head as scikit-learn's one-vs-rest logistic regressions come out of skl2onnx. */
#ifndef MIEN_HEAD_ONNX_WRITE_H
#define MIEN_HEAD_ONNX_WRITE_H

#include "base/status.h"

/* What is written; the caller's. */
typedef struct mien_onnx_head {
  size_t n_labels, dim;
  const char *const *labels; /* [L] distinct UTF-8 */
  const float *weights;      /* [L × D] finite */
  const float *bias;         /* [L] finite */
  const char *name;          /* of the graph */
} mien_onnx_head;

/*
 * Writes an ONNX file with the graph of the published heads: one input `logits` (N,D), and for every label in order a
 * LinearClassifier of two classes and a Normalizer, whose output has the label's name: (N,2), the probability of the
 * label in its second column. Opsets ai.onnx 15 and ai.onnx.ml 1. The file appears whole or not at all; the same head
 * has the same bytes. A head that is too large for the format is MIEN_ARGUMENT.
 */
MIEN_MUST_USE mien_status mien_head_write_onnx(const mien_onnx_head *head, const char *path, mien_error *error);

#endif
