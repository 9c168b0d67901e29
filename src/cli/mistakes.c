/* SPDX-License-Identifier: Apache-2.0 */
/* Where a scheme is most confidently wrong, and which labels are given in place of which. */
#include "cli/mistakes.h"

#include <stdlib.h>

#include "base/memory.h"

/* ---- Single mistakes ----------------------------------------------------------------------------------------------
 */

static int compare_places(const cli_mistake *a, const cli_mistake *b) {
  if (a->row != b->row) return a->row < b->row ? -1 : 1;
  return (a->label > b->label) - (a->label < b->label);
}

static int compare_given(const void *left, const void *right) {
  const cli_mistake *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return compare_places(a, b);
}

static int compare_missed(const void *left, const void *right) {
  const cli_mistake *a = left, *b = right;
  if (a->score != b->score) return a->score < b->score ? -1 : 1;
  return compare_places(a, b);
}

/* Of every label the list of one outcome: 1 of what was given, 2 of what was missed. */
static mien_status collect(const cli_evaluation *evaluation, const mien_outcomes *outcomes, size_t outcome, size_t most,
                           cli_mistake **mistakes, size_t *n_mistakes, mien_error *error) {
  const size_t n_labels = outcomes->n_labels;
  size_t n = 0;
  for (size_t l = 0; l < n_labels; l++) n += outcomes->starts[3 * l + outcome + 1] - outcomes->starts[3 * l + outcome];
  cli_mistake *all = *mistakes = mien_alloc(n, sizeof *all);
  if (!all) return mien_fail_memory(error, "mistakes", n * sizeof *all);
  n = 0;
  for (size_t l = 0; l < n_labels; l++) {
    for (size_t i = outcomes->starts[3 * l + outcome]; i < outcomes->starts[3 * l + outcome + 1]; i++) {
      const uint32_t row = outcomes->rows[i];
      all[n++] = (cli_mistake){row, (uint32_t)l, evaluation->scored.scores[row * n_labels + l]};
    }
  }
  qsort(all, n, sizeof *all, outcome == 1 ? compare_given : compare_missed);
  *n_mistakes = n < most ? n : most;
  return MIEN_OK;
}

/* ---- Confusions ---------------------------------------------------------------------------------------------------
 */

static int compare_confusions(const void *left, const void *right) {
  const cli_confusion *a = left, *b = right;
  if (a->n_rows != b->n_rows) return a->n_rows > b->n_rows ? -1 : 1;
  if (a->missed != b->missed) return a->missed < b->missed ? -1 : 1;
  return (a->given > b->given) - (a->given < b->given);
}

/* counts [L × L] missed, given; `labels` [2 L] is for the row's own. */
static void count_confusions(const cli_evaluation *evaluation, const float *thresholds, uint32_t *labels,
                             uint32_t *counts) {
  const mien_scored *scored = &evaluation->scored;
  const size_t n = scored->n_labels;
  uint32_t *missed = labels, *given = labels + n;
  for (size_t row = 0; row < scored->n_rows; row++) {
    size_t n_missed = 0, n_given = 0;
    for (size_t l = 0; l < n; l++) {
      const bool is_given = scored->scores[row * n + l] > thresholds[l], is_true = mien_scored_is_true(scored, row, l);
      if (is_true && !is_given) missed[n_missed++] = (uint32_t)l;
      if (is_given && !is_true) given[n_given++] = (uint32_t)l;
    }
    for (size_t i = 0; i < n_missed; i++)
      for (size_t j = 0; j < n_given; j++) counts[missed[i] * n + given[j]]++;
  }
}

static mien_status list_confusions(const uint32_t *counts, size_t n, size_t most, cli_mistakes *mistakes,
                                   mien_error *error) {
  size_t found = 0;
  for (size_t i = 0; i < n * n; i++) found += counts[i] > 0;
  mistakes->confusions = mien_alloc(found, sizeof *mistakes->confusions);
  if (!mistakes->confusions) return mien_fail_memory(error, "mistakes", found * sizeof *mistakes->confusions);
  found = 0;
  for (size_t i = 0; i < n * n; i++)
    if (counts[i]) mistakes->confusions[found++] = (cli_confusion){(uint32_t)(i / n), (uint32_t)(i % n), counts[i]};
  qsort(mistakes->confusions, found, sizeof *mistakes->confusions, compare_confusions);
  mistakes->n_confusions = found < most ? found : most;
  return MIEN_OK;
}

static mien_status find_confusions(const cli_evaluation *evaluation, size_t most, cli_mistakes *mistakes,
                                   mien_error *error) {
  const size_t n = evaluation->scored.n_labels;
  if (n > CLI_MOST_CONFUSED_LABELS) return MIEN_OK;
  uint32_t *labels = mien_alloc(2 * n, sizeof *labels), *counts = mien_alloc(n * n, sizeof *counts);
  mien_status status = labels && counts ? MIEN_OK : mien_fail_memory(error, "mistakes", n * n * sizeof *counts);
  if (status == MIEN_OK) {
    count_confusions(evaluation, mistakes->scheme->thresholds, labels, counts);
    status = list_confusions(counts, n, most, mistakes, error);
  }
  mien_free(labels);
  mien_free(counts);
  return status;
}

/* ---- All of it ----------------------------------------------------------------------------------------------------
 */

mien_status cli_mistakes_find(const cli_evaluation *evaluation, const cli_scheme *scheme, size_t most,
                              cli_mistakes *mistakes, mien_error *error) {
  enum { FALSE_POSITIVES = 1, FALSE_NEGATIVES = 2 };
  *mistakes = (cli_mistakes){.scheme = scheme};
  mien_status status =
      collect(evaluation, &scheme->outcomes, FALSE_POSITIVES, most, &mistakes->given, &mistakes->n_given, error);
  if (status == MIEN_OK)
    status =
        collect(evaluation, &scheme->outcomes, FALSE_NEGATIVES, most, &mistakes->missed, &mistakes->n_missed, error);
  return status == MIEN_OK ? find_confusions(evaluation, most, mistakes, error) : status;
}

void cli_mistakes_free(cli_mistakes *mistakes) {
  mien_free(mistakes->given);
  mien_free(mistakes->missed);
  mien_free(mistakes->confusions);
  *mistakes = (cli_mistakes){0};
}
