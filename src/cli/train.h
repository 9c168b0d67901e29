/* SPDX-License-Identifier: Apache-2.0 */
/* Inside `mien train`, for src/cli/train*.c only: what was asked for, what was read, and what is made of it. */
#ifndef MIEN_CLI_TRAIN_H
#define MIEN_CLI_TRAIN_H

#include "cli/content_hash.h"
#include "cli/scored.h"
#include "cli/tune_options.h"
#include "train/linear.h"
#include "train/logistic.h"

#define TRAIN_COMMAND "train"

/* Most numbers of --C and of --class-weight, and folds of --cv. */
enum { TRAIN_MOST_CHOICES = 32, TRAIN_MOST_FOLDS = 100 };

typedef enum train_split { TRAIN_ROWS, DEV_ROWS, TEST_ROWS, TRAIN_SPLITS } train_split;

/* A file of labelled rows. */
typedef struct train_part {
  const char *path, *embeddings; /* NULL: not given */
  mien_examples examples;
  mien_floats rows;          /* their embeddings */
  char hash[CLI_HASH_CHARS]; /* of the file; empty of stdin */
  char embeddings_hash[CLI_HASH_CHARS];
} train_part;

/* How a label's regression is set up. */
typedef struct train_setting {
  double cost;
  double power; /* of the classes' weights: (n / 2n₁)^power and (n / 2n₀)^power; 1 is scikit-learn's "balanced" */
} train_setting;

/* By what settings are chosen. */
typedef enum train_measure { TRAIN_AVERAGE_PRECISION, TRAIN_F1, TRAIN_MEASURES } train_measure;
extern const char *const train_measure_names[TRAIN_MEASURES];

typedef struct train_options {
  cli_data data; /* of the training rows; --output is the folder */
  const char *paths[TRAIN_SPLITS], *embeddings[TRAIN_SPLITS];
  cli_score_files soft; /* --soft and --labels-of */
  double soft_weight;
  double costs[TRAIN_MOST_CHOICES], powers[TRAIN_MOST_CHOICES];
  size_t n_costs, n_powers;
  unsigned folds; /* of --cv; 0: settings are chosen on dev */
  int measure;
  bool same_for_all, force, no_cache;
  cli_tune tune;
  uint64_t seen; /* own options that were given, one bit each */
  int argc;
  char **argv;
} train_options;

typedef struct train {
  train_options *options;
  train_part parts[TRAIN_SPLITS];
  mien_model *encoder; /* NULL: embeddings come from files */
  mien_label_set labels;
  size_t dim;
  mien_floats targets; /* [rows × L] of training */
  double *masses;      /* [L] their sums */
  uint8_t *folds;      /* [rows] */

  train_setting *settings; /* [n_settings] */
  size_t n_settings;
  double *figures;              /* [n_settings × L] what each setting gives, NaN where that is not known */
  double *means;                /* [n_settings] of those that are known */
  size_t best;                  /* setting, of all labels together */
  size_t *chosen;               /* [L] setting */
  mien_floats weights;          /* [L × D] */
  float *biases;                /* [L] */
  mien_logistic_fitted *fitted; /* [L] */
  mien_tuned *tuned;            /* [L] */
  float *thresholds;            /* [L] */
  unsigned n_fits, fit;         /* that there are to be, and the one that runs; for progress */
} train;

/* Each returns the exit code, having reported. */
int train_parse(train_options *options, int argc, char **argv);
int train_load(train *t);
int train_choose(train *t); /* and fits the chosen settings, and tunes thresholds */
int train_check_folder(const train_options *options);
int train_write(train *t);

/* The card and train.json, as texts of malloc; NULL, having reported. */
char *train_card(const train *t);
char *train_json(const train *t);

/* What was asked for as a line of a shell, without what does not change the result; NULL without memory. */
char *train_command(const train_options *options);

int train_report(mien_status status, const mien_error *error);
int train_out_of_memory(void);

/* The word for a power: "none", "balanced", or the number. */
const char *train_power_name(double power, char text[32]);

/* The label has no row, or every row: what is fitted is a constant. */
static inline bool train_is_constant(const train *t, size_t label) { return t->fitted[label].is_constant; }

#endif
