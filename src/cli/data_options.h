/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that read labelled data share: their options, and how data, embeddings and models are loaded. */
#ifndef MIEN_CLI_DATA_OPTIONS_H
#define MIEN_CLI_DATA_OPTIONS_H

#include "cli/run.h"
#include "train/examples.h"
#include "train/floats.h"

/* Zeros are the defaults; cli_data_finish fills in the rest. */
typedef struct cli_data {
  cli_model model;
  const char *path;        /* --data */
  const char *labels_path; /* --data-labels */
  const char *embeddings;  /* --embeddings */
  const char *output;      /* --output; NULL for stdout, which "-" is too */
  mien_input_format format;
  const char *text_field, *label_field, *id_field;
  const char *text_column, *label_column, *id_column;
  char separator;
  unsigned threads; /* at least 1 after cli_data_finish */
  uint64_t seed;
  uint64_t seen; /* options that were given, one bit each */
  bool quiet, help;
  bool without_texts; /* set by a command that needs none; --embeddings does too */
} cli_data;

/* ---- Options: getopt_long values; the commands' own begin at CLI_DATA_OWN -------------------------------------- */

enum {
  CLI_DATA = CLI_RUN_OWN,
  CLI_DATA_LABELS,
  CLI_EMBEDDINGS,
  CLI_LABEL_FIELD,
  CLI_LABEL_COLUMN,
  CLI_LABEL_SEPARATOR,
  CLI_SEED,
  CLI_DATA_OWN,
};

/* The model's are not among these: CLI_MODEL_OPTIONS, or single ones. Short ones are CLI_DATA_SHORT. */
/* clang-format off */
#define CLI_DATA_SHORT ":o:q"
#define CLI_DATA_OPTIONS                                              \
  {"data", required_argument, NULL, CLI_DATA},                        \
  {"data-labels", required_argument, NULL, CLI_DATA_LABELS},          \
  {"embeddings", required_argument, NULL, CLI_EMBEDDINGS},            \
  {"input-format", required_argument, NULL, CLI_INPUT_FORMAT},        \
  {"text-field", required_argument, NULL, CLI_TEXT_FIELD},            \
  {"label-field", required_argument, NULL, CLI_LABEL_FIELD},          \
  {"id-field", required_argument, NULL, CLI_ID_FIELD},                \
  {"text-column", required_argument, NULL, CLI_TEXT_COLUMN},          \
  {"label-column", required_argument, NULL, CLI_LABEL_COLUMN},        \
  {"id-column", required_argument, NULL, CLI_ID_COLUMN},              \
  {"label-separator", required_argument, NULL, CLI_LABEL_SEPARATOR},  \
  {"output", required_argument, NULL, CLI_OUTPUT},                    \
  {"threads", required_argument, NULL, CLI_THREADS},                  \
  {"seed", required_argument, NULL, CLI_SEED},                        \
  {"quiet", no_argument, NULL, CLI_QUIET},                            \
  {"help", no_argument, NULL, CLI_HELP}
/* clang-format on */

/* The lines of --help on what data is, on --seed, and on --threads, --quiet, --help and the exit codes. */
extern const char cli_data_help[], cli_seed_help[], cli_data_run_help[];

/* Takes an option of CLI_DATA_OPTIONS or of the model. Returns the exit code of a usage error, or MIEN_OK. */
int cli_data_option(cli_data *data, const char *command, int opt, const char *value);

/* Whether an option of CLI_DATA_OPTIONS that takes a value was given. */
bool cli_data_has(const cli_data *data, int opt);

/* Defaults, after all options: threads; a usage error for arguments from optind on, of which there are to be none. */
int cli_data_finish(cli_data *data, const char *command, int argc, char **argv);

void cli_data_free(cli_data *data);

/* ---- Loading: each returns the exit code, having reported ------------------------------------------------------ */

/*
 * Reads labelled data. `known`: the labels that there are (a model's); NULL: those of --data-labels or of labels.txt
 * beside the data, which say what numbers stand for too, or else all that are met. *examples starts as zeros and is
 * freed by the caller.
 */
int cli_data_read(const cli_data *data, const char *command, const char *path, const mien_label_set *known,
                  mien_examples *examples);

/* What numbers in the data stand for: --data-labels, or labels.txt beside `path`; none: an empty set. */
int cli_data_numbered(const cli_data *data, const char *command, const char *path, mien_label_set *labels);

/* Makes labels.txt beside `first`, other data, count for `data` too, where it has none of its own. `found` is its path
 * then, which is to outlive the data. */
int cli_data_share_labels(cli_data *data, const char *command, const char *first, char found[CLI_PATH_CHARS]);

/*
 * The rows' embeddings: those of the file `embeddings` where it is not NULL, which must have as many rows, else the
 * texts' by the model's encoder, with progress on a terminal.
 */
int cli_data_embed(const cli_data *data, const char *command, mien_model *model, const char *embeddings,
                   const mien_examples *examples, mien_floats *rows);

/* The rows' scores by the model: of --embeddings where they are given, else of the texts. */
int cli_data_score(const cli_data *data, const char *command, mien_model *model, const mien_examples *examples,
                   mien_floats *scores);

/* Opens the model to score the data with: without its encoder where there are --embeddings. */
int cli_data_open_model(cli_data *data, const char *command, mien_model **model);

/* A copy of the names of a model's labels, in its order. */
int cli_data_labels_of(const mien_model *model, const char *command, mien_label_set *labels);

/* Whether two outputs (NULL: stdout) are one file, or will be. */
bool cli_is_same_target(const char *a, const char *b);

/* Refuses an output (NULL: stdout) that is the data, what is read beside it, or one of `n` files that the command reads
 * too; NULLs among them are none. */
int cli_data_check_output(const cli_data *data, const char *command, const char *output, const char *const *files,
                          size_t n);

#endif
