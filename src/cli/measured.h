/* SPDX-License-Identifier: Apache-2.0 */
/* How a model did on labelled rows, from a file of figures: what counts of its labels are corrected by. */
#ifndef MIEN_CLI_MEASURED_H
#define MIEN_CLI_MEASURED_H

#include "train/examples.h"
#include "train/prevalence.h"

typedef struct cli_measured_label {
  bool is_there;
  mien_confusion confusion;
  bool has_threshold;
  float threshold; /* that it was measured at */
} cli_measured_label;

typedef struct cli_measured {
  const char *path; /* NULL: nothing is known */
  uint64_t n_rows;
  char split[64];             /* "test", "dev"; empty: not said */
  bool is_tuned_on_it;        /* the thresholds were tuned on these very rows, which flatters */
  cli_measured_label *labels; /* [n] in the order of the labels that were asked for */
} cli_measured;

/*
 * Reads `path`, which outlives *measured: a model's metrics.json, or what mien evaluate --json writes. Labels that are
 * not in it are not there. *measured is freed by the caller, after a failure too.
 */
MIEN_MUST_USE mien_status cli_measured_read(const char *path, const mien_label_set *labels, cli_measured *measured,
                                            mien_error *error);
void cli_measured_free(cli_measured *measured);

#endif
