/* SPDX-License-Identifier: Apache-2.0 */
/* The head: a linear multi-label classifier, score = sigmoid(W·x + b), as read from a file; and its thresholds. */
#ifndef MIEN_HEAD_HEAD_H
#define MIEN_HEAD_HEAD_H

#include <jansson.h>

#include "base/status.h"

/* Bounds of a head that is accepted; larger ones are refused. */
enum { MIEN_MAX_LABELS = 65536, MIEN_MAX_DIM = 65536 };
#define MIEN_MAX_WEIGHTS ((size_t)1 << 26)

typedef struct mien_head {
  size_t n_labels; /* L, 1 .. MIEN_MAX_LABELS */
  size_t dim;      /* D, 1 .. MIEN_MAX_DIM */
  char **labels;   /* [L] UTF-8, distinct, not empty */
  double *weights; /* [L×D], finite, and finite as float32 */
  double *bias;    /* [L], likewise */
  json_t *origin;  /* what mien_model_describe says of the file, from "format" to "operators"; of a pack the producer */
} mien_head;

/*
 * Folds an ONNX file of `size` bytes into a head. `path` names it in messages, and its folder is where external data
 * may lie; NULL for bytes without a place: then external data is refused. `labels_path` (may be NULL) names the columns
 * of a fused output that has no class labels in the graph.
 */
MIEN_MUST_USE mien_status mien_head_from_onnx(const unsigned char *bytes, size_t size, const char *path,
                                              const char *labels_path, mien_head **head, mien_error *error);

/*
 * A head from its numbers, finite, and its labels, an array of strings, checked here; `where` names the array in
 * messages. It has no origin yet.
 */
MIEN_MUST_USE mien_status mien_head_from_floats(const json_t *labels, size_t dim, const float *weights,
                                                const float *bias, const char *where, mien_head **head,
                                                mien_error *error);

/* NULL is ignored. */
void mien_head_destroy(mien_head *head);

/* The most bytes of JSON that thresholds for the head's labels can reasonably take; longer texts are refused. */
size_t mien_thresholds_max_bytes(const mien_head *head);

/*
 * Reads thresholds from `size` bytes of JSON ({label: number in [0, 1]}, exactly the head's labels) into
 * `thresholds` [L]. `where` names the file in messages.
 */
MIEN_MUST_USE mien_status mien_thresholds_parse(const mien_head *head, const char *json, size_t size, const char *where,
                                                float *thresholds, mien_error *error);

/* One number as a threshold: rounded to float32; MIEN_ARGUMENT unless it is in [0, 1]. `label` is for the message. */
MIEN_MUST_USE mien_status mien_threshold_check(double value, const char *label, float *threshold, mien_error *error);

#endif
