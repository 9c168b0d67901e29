/* SPDX-License-Identifier: Apache-2.0 */
/* What a run says on stderr of how far it is, and at its end: for people, or as a JSON object a line. */
#ifndef MIEN_CLI_PROGRESS_H
#define MIEN_CLI_PROGRESS_H

#include "cli/run.h"

/* How far a run was. */
typedef struct cli_progress_sample {
  double seconds; /* since its start */
  double rows, tokens, bytes;
} cli_progress_sample;

enum { CLI_PROGRESS_SAMPLES = 30 };

typedef struct cli_progress {
  const cli_run *run;
  const mien_reader *reader;
  double start, told; /* cli_now */
  bool is_on_line;    /* of a terminal: what is told next replaces it */
  size_t n_samples;
  cli_progress_sample samples[CLI_PROGRESS_SAMPLES]; /* a second apart or more; the last ones, in a ring */
} cli_progress;

/* The rates of the last half minute. `left` is in seconds; negative where the end is not known. */
typedef struct cli_rates {
  double rows_per_s, tokens_per_s, bytes_per_s;
  double share, left;
} cli_rates;

void cli_progress_begin(cli_progress *progress, const cli_run *run, const mien_reader *reader);

/* Of `user`, a cli_progress: mien_run_options.progress. */
void cli_progress_tell(void *user, const mien_run_summary *summary);

/* Clears what stands on the terminal's line. */
void cli_progress_end(const cli_progress *progress);

/* The line at the end of a run that is done. */
void cli_progress_sum_up(const cli_progress *progress, const mien_run_summary *summary);

/* The tokens that a run counts: those that are its output, or those that its encoder was given. */
uint64_t cli_progress_tokens(const cli_run *run, const mien_run_summary *summary);

#endif
