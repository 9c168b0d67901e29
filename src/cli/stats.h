/* SPDX-License-Identifier: Apache-2.0 */
/* What a run was and how it went, as a file of JSON: --stats. */
#ifndef MIEN_CLI_STATS_H
#define MIEN_CLI_STATS_H

#include "cli/run.h"

/* Writes run->stats, whole or not at all. `outcome` is how the run ended; `tally` NULL where there are no labels. */
MIEN_MUST_USE mien_status cli_stats_write(cli_run *run, const mien_model *model, const mien_run_summary *summary,
                                          const mien_tally *tally, mien_status outcome, const mien_error *failure,
                                          mien_error *error);

#endif
