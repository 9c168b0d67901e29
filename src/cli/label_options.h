/* SPDX-License-Identifier: Apache-2.0 */
/* The options of mien label, checked as far as they can be without a model. */
#ifndef MIEN_CLI_LABEL_OPTIONS_H
#define MIEN_CLI_LABEL_OPTIONS_H

#include "cli/cli.h"
#include "corpus/pipeline.h"

typedef struct cli_label_options {
  cli_model model;
  mien_input_format input_format;
  const char *output; /* NULL: stdout */
  mien_row_options rows;
  mien_run_options run;
  char *const *inputs;
  size_t n_inputs;
  bool has_output, has_output_format, has_scores, has_on_bad_row, has_max_bad, has_threads, has_input_format;
  bool has_top_k, has_min_labels;
  bool quiet, help;
} cli_label_options;

/* Returns the exit code; the model's part is freed by the caller, after a failure too. */
int cli_label_parse(cli_label_options *options, int argc, char **argv);

int cli_label_help(void);

#endif
