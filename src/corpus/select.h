/* SPDX-License-Identifier: Apache-2.0 */
/* Which labels a row is given, and in which order they are listed. */
#ifndef MIEN_CORPUS_SELECT_H
#define MIEN_CORPUS_SELECT_H

#include <stdbool.h>

#include "base/status.h"

typedef struct mien_selection {
  size_t n_labels;
  size_t top_k;             /* above 0: the K highest, whatever their thresholds */
  bool min_one_label;       /* a row that would have none is given the label nearest above its threshold */
  float *thresholds;        /* [L] */
  double *threshold_logits; /* [L] */
} mien_selection;

MIEN_MUST_USE mien_status mien_selection_init(mien_selection *selection, const mien_model *model, size_t top_k,
                                              bool min_one_label, mien_error *error);
void mien_selection_free(mien_selection *selection);

/* Whether it is what the words of mien_results say already. */
bool mien_selection_is_plain(const mien_selection *selection);

/*
 * Puts the labels of a good row into order[0 .. returned), highest score first, equal scores in label order; the label
 * is the lower 32 bits of each. `order` has room for L; words [⌈L/32⌉] and scores [L] are the row's.
 *
 * Nearest above its threshold is the greatest logit(score) - logit(threshold), in double from both as float32; equal
 * ones go to the first label. Logits of 0 and 1 are infinite: a score equal to its threshold is at distance 0, else a
 * score of 0 or a threshold of 1 is infinitely far.
 */
size_t mien_select_labels(const mien_selection *selection, const uint32_t *words, const float *scores, uint64_t *order);

#endif
