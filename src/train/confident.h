/* SPDX-License-Identifier: Apache-2.0 */
/* Labels that are likely wrong, by confident learning (Northcutt, Jiang, Chuang: Confident Learning, 2021), a label
 * against the rest, on scores of models that have not seen the rows. */
#ifndef MIEN_TRAIN_CONFIDENT_H
#define MIEN_TRAIN_CONFIDENT_H

#include "train/examples.h"
#include "train/floats.h"

typedef struct mien_suspect {
  size_t row, label;
  bool is_given; /* the label is there, and should not be; else the other way */
  float score;   /* the label's, out of fold */
  double margin; /* how much more likely the other class is, in (0, 1]: its probability less the given one's */
} mien_suspect;

typedef struct mien_suspects {
  mien_suspect *items; /* [n] the largest margins first, then by row and label */
  size_t n;
} mien_suspects;

/*
 * A label is suspect where its score is beyond the other class' mean: a given one's below the mean of the rows without
 * it, one that is not given above the mean of those with it; and on the other side of 0.5. Labels of one class have
 * none, nor those whose rows score no higher than the others in the mean: such scores tell nothing. *suspects is freed
 * by the caller.
 */
MIEN_MUST_USE mien_status mien_suspects_find(const mien_examples *examples, const mien_floats *scores,
                                             mien_suspects *suspects, mien_error *error);
void mien_suspects_free(mien_suspects *suspects);

/*
 * Scores of rows by logistic regressions of strength c (train/logistic.h) that were fitted without them, in `n_folds`
 * parts. Rows of one group (groups [n_rows], any numbers) are in one part, which `seed` chooses. Of a part without
 * which a label has one class alone, its scores are that class' share.
 */
MIEN_MUST_USE mien_status mien_scores_out_of_fold(const mien_examples *examples, const mien_floats *embeddings,
                                                  const size_t *groups, unsigned n_folds, uint64_t seed, double c,
                                                  const mien_floats_options *options, mien_floats *scores,
                                                  mien_error *error);

#endif
