/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluation as tables for people, in Markdown for a model's card, as JSON, and as CSV. */
#ifndef MIEN_CLI_EVALUATION_PRINT_H
#define MIEN_CLI_EVALUATION_PRINT_H

#include <stdio.h>

#include "cli/evaluation.h"
#include "cli/mistakes.h"

typedef enum cli_evaluation_format {
  CLI_EVALUATION_TEXT,
  CLI_EVALUATION_MARKDOWN,
  CLI_EVALUATION_JSON,
  CLI_EVALUATION_CSV,
} cli_evaluation_format;

typedef struct cli_evaluation_print {
  cli_evaluation_format format;
  const char *data;                 /* its name */
  const cli_evaluation *evaluation; /* the first, of a comparison */
  const mien_bootstrap_options *bootstrap;
  const cli_mistakes *mistakes; /* NULL: not asked for; `examples` has the texts */
  const mien_examples *examples;

  const cli_evaluation *other; /* NULL: no comparison */
  const cli_comparison *comparison;
  const char *names[2]; /* of what is compared */
} cli_evaluation_print;

/* Each prints in the format of its name, the first both for people and in Markdown. MIEN_RESOURCE without memory;
 * whether writing failed is the file's own. */
MIEN_MUST_USE mien_status cli_evaluation_print_tables(const cli_evaluation_print *print, FILE *out, mien_error *error);
MIEN_MUST_USE mien_status cli_evaluation_print_json(const cli_evaluation_print *print, FILE *out, mien_error *error);
MIEN_MUST_USE mien_status cli_evaluation_print_csv(const cli_evaluation_print *print, FILE *out, mien_error *error);

/* What is said wherever figures stand at thresholds that were tuned on the very rows. */
#define CLI_TUNED_HERE "as tuned on this very data: flattering"

/* What figures are called for people, and as keys: of a scheme, "macro" "precision", and of scores. */
extern const char *const cli_average_names[4], *const cli_average_keys[4], *const cli_prf_names[3];
extern const char *const cli_prf_keys[3], *const cli_score_names[CLI_SCORE_FIGURES];
extern const char *const cli_score_keys[CLI_SCORE_FIGURES];

#endif
