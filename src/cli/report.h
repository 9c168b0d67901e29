/* SPDX-License-Identifier: Apache-2.0 */
/* What mien report tells of results: once counted, the same for the page and for JSON. */
#ifndef MIEN_CLI_REPORT_H
#define MIEN_CLI_REPORT_H

#include "cli/measured.h"
#include "cli/report_tally.h"
#include "corpus/buffer.h"

#define CLI_REPORT_CONFIDENCE 0.95

enum {
  CLI_REPORT_PAIRS = 20,  /* of labels: those with the most rows */
  CLI_REPORT_GROUPS = 20, /* values of a field; the others are one */
  CLI_REPORT_ASSUMED = 3,
};

/* Whether a label's count was corrected, or why not. */
typedef enum cli_correction {
  CLI_CORRECTED,
  CLI_NO_FIGURES,       /* nothing is known of how the model did on it */
  CLI_OTHER_THRESHOLD,  /* it was measured at another threshold than the results have */
  CLI_TOO_FEW_MEASURED, /* no labelled row has it, or all have */
  CLI_NOT_IDENTIFIED,   /* it may be given as often to rows without it as to rows with it */
  CLI_INCONSISTENT,     /* fewer than its false positives alone come to, or more than if all rows had it */
} cli_correction;

typedef struct cli_report_label {
  size_t label; /* in the order of the results */
  const char *name;
  uint64_t rows; /* that were given it */
  cli_correction correction;
  mien_prevalence prevalence; /* of all rows that are not bad; NaNs unless corrected */
} cli_report_label;

typedef struct cli_report_pair {
  size_t a, b; /* places in labels */
  uint64_t rows;
  double lift; /* rows, to those that there would be if one label told nothing of the other */
} cli_report_pair;

typedef struct cli_findings {
  const char *const *paths; /* [n_paths] of results */
  size_t n_paths;
  const char *by, *text_field; /* by: NULL for none */
  const cli_results *results;
  cli_tally *tally;
  const cli_measured *measured; /* path: NULL where nothing is corrected, for this reason: */
  const char *uncorrected;
  bool is_by_thresholds;                   /* that labels were given by thresholds alone is shown by the results */
  const char *assumed[CLI_REPORT_ASSUMED]; /* [n_assumed] what corrections rest on and results do not tell */
  size_t n_assumed;
  cli_report_label *labels; /* [n_labels] those with the most rows first */
  size_t n_labels;
  cli_report_pair pairs[CLI_REPORT_PAIRS]; /* [n_pairs] those with the most rows first */
  size_t n_pairs;
  bool is_time; /* what `by` is */
  cli_time_unit unit;
} cli_findings;

/* A short word for JSON: "corrected", "no_figures", … */
const char *cli_correction_name(cli_correction correction);

/* Texts that were cut; false where not all results say which. */
bool cli_report_truncated(const cli_findings *report, uint64_t *n);

/* The whole page, of HTML: no byte of a file is in it that is not escaped. */
MIEN_MUST_USE mien_status cli_report_page(const cli_findings *report, mien_buffer *page, mien_error *error);

/* One object, with a line end. */
MIEN_MUST_USE mien_status cli_report_json(const cli_findings *report, mien_buffer *text, mien_error *error);

#endif
