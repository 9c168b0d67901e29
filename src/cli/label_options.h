/* SPDX-License-Identifier: Apache-2.0 */
/* The options of mien label, checked as far as they can be without a model. */
#ifndef MIEN_CLI_LABEL_OPTIONS_H
#define MIEN_CLI_LABEL_OPTIONS_H

#include "cli/run.h"

typedef struct cli_label_options {
  cli_run run;
  mien_text *texts; /* [n_texts] of --text */
  size_t n_texts;
  bool is_prompt; /* no inputs on a terminal: ask for texts */
} cli_label_options;

/* Returns the exit code; *options is freed by the caller, after a failure too. */
int cli_label_parse(cli_label_options *options, int argc, char **argv);
void cli_label_free(cli_label_options *options);

int cli_label_help(void);

#endif
