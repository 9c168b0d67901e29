/* SPDX-License-Identifier: Apache-2.0 */
/* Suspect labels, and scores out of fold. */
#include "train/confident.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/linear.h"
#include "train/logistic.h"
#include "train/random.h"

/* ---- Suspects ---------------------------------------------------------------------------------------------------- */

/* The mean scores of a label's rows and of the others; false where they tell nothing: one class has no rows, or the
 * label's rows do not score higher. */
static bool class_means(const mien_examples *examples, const mien_floats *scores, size_t label, double means[2]) {
  size_t counts[2] = {0};
  means[0] = means[1] = 0;
  for (size_t row = 0; row < examples->n_rows; row++) {
    const bool is_given = mien_examples_has(examples, row, label);
    means[is_given] += (double)scores->data[row * scores->n_columns + label];
    counts[is_given]++;
  }
  if (counts[0] == 0 || counts[1] == 0) return false;
  means[0] /= (double)counts[0];
  means[1] /= (double)counts[1];
  return means[1] > means[0];
}

static int compare_suspects(const void *a, const void *b) {
  const mien_suspect *left = a, *right = b;
  if (left->margin != right->margin) return left->margin > right->margin ? -1 : 1;
  if (left->row != right->row) return left->row < right->row ? -1 : 1;
  return (left->label > right->label) - (left->label < right->label);
}

static bool add_suspect(mien_suspects *suspects, size_t *capacity, mien_suspect suspect) {
  if (suspects->n == *capacity) {
    size_t bytes;
    const size_t more = *capacity ? 2 * *capacity : 256;
    mien_suspect *items = mien_size_mul(more, sizeof *items, &bytes) ? realloc(suspects->items, bytes) : NULL;
    if (!items) return false;
    suspects->items = items;
    *capacity = more;
  }
  suspects->items[suspects->n++] = suspect;
  return true;
}

mien_status mien_suspects_find(const mien_examples *examples, const mien_floats *scores, mien_suspects *suspects,
                               mien_error *error) {
  size_t capacity = 0;
  bool done = true;
  *suspects = (mien_suspects){0};
  for (size_t label = 0; label < scores->n_columns; label++) {
    double means[2];
    if (!class_means(examples, scores, label, means)) continue;
    for (size_t row = 0; done && row < examples->n_rows; row++) {
      const float score = scores->data[row * scores->n_columns + label];
      const bool is_given = mien_examples_has(examples, row, label);
      const double margin = (is_given ? -1 : 1) * (2 * (double)score - 1);
      const bool is_beyond = is_given ? (double)score <= means[0] : (double)score >= means[1];
      if (is_beyond && margin > 0)
        done = add_suspect(suspects, &capacity, (mien_suspect){row, label, is_given, score, margin});
    }
  }
  if (!done) return mien_fail_memory(error, "label errors", capacity * sizeof *suspects->items);
  if (suspects->n) qsort(suspects->items, suspects->n, sizeof *suspects->items, compare_suspects);
  return MIEN_OK;
}

void mien_suspects_free(mien_suspects *suspects) {
  free(suspects->items);
  *suspects = (mien_suspects){0};
}

/* ---- Out of fold ------------------------------------------------------------------------------------------------- */

typedef struct folds {
  const mien_examples *examples;
  const mien_floats *embeddings;
  const mien_floats_options *options;
  unsigned n;
  unsigned *of;                  /* [n_rows] */
  mien_floats targets;           /* [n_rows × L] */
  float *in_part;                /* [n_rows] */
  float *weights, *biases;       /* [L × D], [L] */
  mien_logistic_column *columns; /* [L] */
  mien_logistic_fitted *fitted;  /* [L] */
  mien_floats *scores;
  mien_error *error;
} folds;

static mien_status make_folds(folds *f, const size_t *groups, uint64_t seed, double c) {
  const size_t n = f->examples->n_rows, n_labels = f->examples->labels.n, dim = f->embeddings->n_columns;
  f->of = mien_alloc(n, sizeof *f->of);
  f->in_part = mien_alloc(n, sizeof *f->in_part);
  f->weights = mien_alloc(n_labels, dim * sizeof *f->weights);
  f->biases = mien_alloc(n_labels, sizeof *f->biases);
  f->columns = mien_alloc(n_labels, sizeof *f->columns);
  f->fitted = mien_alloc(n_labels, sizeof *f->fitted);
  if (!f->of || !f->in_part || !f->weights || !f->biases || !f->columns || !f->fitted)
    return mien_fail_memory(f->error, "cross-validation", n * sizeof *f->of + n_labels * dim * sizeof *f->weights);
  const mien_status status = mien_floats_create(n, n_labels, "targets", &f->targets, f->error);
  if (status != MIEN_OK) return status;
  for (size_t row = 0; row < n; row++) {
    mien_random random = mien_random_start(seed, groups[row]); /* a group's own numbers */
    f->of[row] = mien_random_below(&random, f->n);
    for (size_t l = 0; l < n_labels; l++) f->targets.data[row * n_labels + l] = mien_examples_has(f->examples, row, l);
  }
  for (size_t l = 0; l < n_labels; l++) f->columns[l] = (mien_logistic_column){l, c, 1, 1};
  return mien_floats_create(n, n_labels, "scores", f->scores, f->error);
}

/* All rows are scored, which takes little beside the fit, and the fold's kept. */
static mien_status score_fold(const folds *f, unsigned fold) {
  const size_t n_labels = f->examples->labels.n;
  const mien_linear linear = {n_labels, f->embeddings->n_columns, f->weights, f->biases};
  mien_floats scores;
  const mien_status status =
      mien_linear_score(&linear, f->embeddings, f->options->threads, f->options->cancel, &scores, f->error);
  for (size_t row = 0; status == MIEN_OK && row < f->examples->n_rows; row++)
    if (f->of[row] == fold)
      memcpy(f->scores->data + row * n_labels, scores.data + row * n_labels, n_labels * sizeof *scores.data);
  mien_floats_free(&scores);
  return status;
}

static mien_status run_fold(const folds *f, unsigned fold) {
  const mien_logistic_rows rows = {.x = f->embeddings->data,
                                   .n = f->examples->n_rows,
                                   .dim = f->embeddings->n_columns,
                                   .targets = f->targets.data,
                                   .n_labels = f->examples->labels.n,
                                   .weights = f->in_part};
  const mien_logistic_options options = {.threads = f->options->threads, .cancel = f->options->cancel};
  for (size_t row = 0; row < rows.n; row++) f->in_part[row] = f->of[row] != fold;
  mien_status status =
      mien_logistic_fit(&rows, f->columns, rows.n_labels, &options, f->weights, f->biases, f->fitted, f->error);
  if (status == MIEN_OK) status = score_fold(f, fold);
  if (status == MIEN_OK && f->options->progress) f->options->progress(f->options->progress_user, fold + 1, f->n);
  return status;
}

mien_status mien_scores_out_of_fold(const mien_examples *examples, const mien_floats *embeddings, const size_t *groups,
                                    unsigned n_folds, uint64_t seed, double c, const mien_floats_options *options,
                                    mien_floats *scores, mien_error *error) {
  folds f = {.examples = examples,
             .embeddings = embeddings,
             .options = options,
             .n = n_folds,
             .scores = scores,
             .error = error};
  *scores = (mien_floats){0};
  mien_status status = make_folds(&f, groups, seed, c);
  for (unsigned fold = 0; status == MIEN_OK && fold < n_folds; fold++) status = run_fold(&f, fold);
  void *const all[] = {f.of, f.in_part, f.weights, f.biases, f.columns, f.fitted};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) mien_free(all[i]);
  mien_floats_free(&f.targets);
  if (status != MIEN_OK) mien_floats_free(scores);
  return status;
}
