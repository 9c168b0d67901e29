/* SPDX-License-Identifier: Apache-2.0 */
/* Where a scheme is most confidently wrong, and which labels are given in place of which. */
#ifndef MIEN_CLI_MISTAKES_H
#define MIEN_CLI_MISTAKES_H

#include "cli/evaluation.h"

typedef struct cli_mistake {
  uint32_t row, label;
  float score;
} cli_mistake;

/* Rows that have `missed` and did not get it, and got `given` and do not have it. */
typedef struct cli_confusion {
  uint32_t missed, given, n_rows;
} cli_confusion;

typedef struct cli_mistakes {
  const cli_scheme *scheme;
  cli_mistake *given, *missed; /* [n_given], the highest scores first; [n_missed], the lowest first; ties by row */
  size_t n_given, n_missed;
  cli_confusion *confusions; /* [n_confusions] the most frequent first, ties by the labels' order */
  size_t n_confusions;
} cli_mistakes;

/* Labels of which confusions are counted: of more there are none. */
enum { CLI_MOST_CONFUSED_LABELS = 4096 };

/* At most `most` of each kind. *mistakes is freed by the caller, after a failure too. */
MIEN_MUST_USE mien_status cli_mistakes_find(const cli_evaluation *evaluation, const cli_scheme *scheme, size_t most,
                                            cli_mistakes *mistakes, mien_error *error);
void cli_mistakes_free(cli_mistakes *mistakes);

#endif
