/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that tune thresholds share: their options, what is noted of labels, the file. */
#ifndef MIEN_CLI_TUNE_OPTIONS_H
#define MIEN_CLI_TUNE_OPTIONS_H

#include "cli/data_options.h"
#include "train/tune.h"

/* getopt_long values; the commands' own begin at CLI_TUNE_OWN. */
enum { CLI_OBJECTIVE = CLI_DATA_OWN, CLI_BETA, CLI_AT, CLI_GRID, CLI_TUNE_OWN };

/* clang-format off */
#define CLI_TUNE_OPTIONS                                \
  {"objective", required_argument, NULL, CLI_OBJECTIVE}, \
  {"beta", required_argument, NULL, CLI_BETA},           \
  {"at", required_argument, NULL, CLI_AT},               \
  {"grid", required_argument, NULL, CLI_GRID}
/* clang-format on */

extern const char cli_tune_help[];

/* Zeros are the defaults; cli_tune_finish fills in the rest. */
typedef struct cli_tune {
  mien_tune_options options;
  int objective; /* in the order of --objective's names */
  bool has_objective, has_beta, has_target, has_grid;
} cli_tune;

/* Takes an option of CLI_TUNE_OPTIONS. Returns the exit code of a usage error, or MIEN_OK. */
int cli_tune_option(cli_tune *tune, const char *command, int opt, const char *value);

/* Defaults, and the checks of options together. */
int cli_tune_finish(cli_tune *tune, const char *command);

/* The name of the objective, as --objective has it. */
const char *cli_tune_objective(const cli_tune *tune);

/* A line on stderr for every label whose threshold is not what was asked for: that no row has, that misses --at. */
void cli_tune_note(const cli_tune *tune, const mien_label_set *labels, const mien_tuned *tuned);

/* Writes {"label": 0.25, …} in one line, as the published ones are, to a file that appears whole, or to stdout (NULL).
 */
MIEN_MUST_USE mien_status cli_tune_write(const char *path, const mien_label_set *labels, const float *thresholds,
                                         mien_error *error);

#endif
