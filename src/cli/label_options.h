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

/* The format that the ending of an output's name says; false when it says none. */
bool cli_label_format_of(const char *path, mien_output_format *format);

/* Whether the run may write its output and the sidecar; a usage error where they would replace what the run reads. */
int cli_label_check_output(cli_label_options *options, const mien_inputs *inputs);

#endif
