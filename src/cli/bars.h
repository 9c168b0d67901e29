/* SPDX-License-Identifier: Apache-2.0 */
/* A text's labels on a terminal, with scores as bars. */
#ifndef MIEN_CLI_BARS_H
#define MIEN_CLI_BARS_H

#include "cli/run.h"

/* Labels and shows each of `texts`. Returns the exit code. */
int cli_show_texts(cli_run *run, mien_model *model, const mien_text *texts, size_t n_texts);

/* Asks for texts, a line each, and shows their labels until the input ends. Returns the exit code. */
int cli_prompt(cli_run *run, mien_model *model);

#endif
