/* SPDX-License-Identifier: Apache-2.0 */
/* Labelled data with scores beside it: by a model, or from a file that anything may have made. */
#ifndef MIEN_CLI_SCORED_H
#define MIEN_CLI_SCORED_H

#include "cli/data_options.h"
#include "train/metrics.h"

typedef struct cli_scored {
  mien_label_set labels;  /* in the order of the scores' columns */
  mien_examples examples; /* with truth in that order */
  mien_floats scores;     /* [n_rows × L] in [0, 1] */
  float *thresholds;      /* [L] */
  bool has_thresholds;    /* they were given, or are the model's; else they are 0.5 */
} cli_scored;

/* What --scores comes with. */
typedef struct cli_score_files {
  const char *scores;    /* --scores, NULL: by the model */
  const char *labels_of; /* --labels-of: the names of its columns; NULL: SCORES.labels.json, or the data's order */
} cli_score_files;

/* Reads --data, and its scores as the options say. *scored starts as zeros and is freed by the caller. Returns the exit
 * code, having reported. */
int cli_scored_read(cli_data *data, const char *command, const cli_score_files *files, cli_scored *scored);
void cli_scored_free(cli_scored *scored);

/* Refuses an output that is a file that is read; `is_thresholds`: it may replace those that the model finds. */
int cli_scored_check_output(cli_data *data, const char *command, const cli_score_files *files, bool is_thresholds);

mien_scored cli_scored_view(const cli_scored *scored);

/* Reads scores [rows of the data × labels], their columns brought from the file's order into that of `labels`. */
int cli_scored_read_scores(const cli_data *data, const char *command, const cli_score_files *files, size_t n_rows,
                           const mien_label_set *labels, mien_floats *scores);

/* Reads {label: number} for exactly these labels. `thresholds` [L]. */
int cli_scored_read_thresholds(const char *command, const char *path, const mien_label_set *labels, float *thresholds);

/* Says on stderr which of the labels no row has, unless quiet. */
void cli_scored_note_labels(const cli_data *data, const cli_scored *scored);

/* The lines of --help on --scores and --labels-of. */
extern const char cli_scores_help[];

#endif
