/* SPDX-License-Identifier: Apache-2.0 */
/* mien thresholds: labelled rows in, a threshold for each label out. */
#include <getopt.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/scored.h"
#include "cli/tune_options.h"

static const char command[] = "thresholds";

enum { CLI_SCORES = CLI_TUNE_OWN, CLI_LABELS_OF };

/* clang-format off */
static const struct option long_options[] = {
  CLI_MODEL_OPTIONS,
  CLI_DATA_OPTIONS,
  {"scores", required_argument, NULL, CLI_SCORES},
  {"labels-of", required_argument, NULL, CLI_LABELS_OF},
  CLI_TUNE_OPTIONS,
  {NULL, 0, NULL, 0},
};
/* clang-format on */

typedef struct thresholds_options {
  cli_data data;
  cli_score_files files;
  cli_tune tune;
} thresholds_options;

static int help(void) {
  printf("Usage: mien thresholds [OPTION]... --data FILE [-o FILE]\n"
         "\n"
         "Finds the threshold of each label at which it is given best to labelled rows, and writes {label: number}. "
         "Figures\n"
         "of the very rows that thresholds were tuned on flatter: tune on a split, and evaluate on another. Of the "
         "model's\n"
         "options --thresholds and --threshold have no use here.\n"
         "\n%s"
         "\n"
         "Data:\n"
         "  --data FILE           labelled rows\n"
         "  --embeddings FILE     an .npy of (rows, D): the rows' embeddings, in place of their texts\n%s%s"
         "\n",
         cli_model_help, cli_data_help, cli_scores_help);
  printf("Thresholds:\n%s"
         "\n"
         "Output:\n"
         "  -o, --output FILE     appears when it is whole, or not at all. Default: stdout\n"
         "\n"
         "Run:\n%s",
         cli_tune_help, cli_data_run_help);
  return cli_flush_stdout();
}

/* ---- Options ------------------------------------------------------------------------------------------------------
 */

static int set_own(thresholds_options *options, int opt, const char *value) {
  const char **path = opt == CLI_SCORES ? &options->files.scores : &options->files.labels_of;
  const char *name = opt == CLI_SCORES ? "--scores" : "--labels-of";
  if (*path) return cli_usage(command, "option '%s' is given twice", name);
  if (!value[0]) return cli_usage(command, "option '%s': expected a value, found nothing", name);
  *path = value;
  return MIEN_OK;
}

static int check(thresholds_options *options) {
  const cli_model *model = &options->data.model;
  const int code = cli_tune_finish(&options->tune, command);
  if (code != MIEN_OK) return code;
  if (model->thresholds_path || model->has_threshold || model->n_overrides)
    return cli_usage(command, "thresholds are what is made here: option '--threshold%s' has no use",
                     model->thresholds_path ? "s" : "");
  return MIEN_OK;
}

static int parse(thresholds_options *options, int argc, char **argv) {
  int opt, code = MIEN_OK;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, CLI_DATA_SHORT, long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv)
           : opt >= CLI_TUNE_OWN    ? set_own(options, opt, optarg)
           : opt >= CLI_DATA_OWN    ? cli_tune_option(&options->tune, command, opt, optarg)
                                    : cli_data_option(&options->data, command, opt, optarg);
  if (code != MIEN_OK || options->data.help) return code;
  code = cli_data_finish(&options->data, command, argc, argv);
  if (code == MIEN_OK && cli_data_has(&options->data, CLI_SEED))
    code = cli_usage(command, "option '--seed': nothing is random here");
  return code == MIEN_OK ? check(options) : code;
}

/* ---- Output -------------------------------------------------------------------------------------------------------
 */

/* Tuned ones take the places of those that were read. */
static int write_output(const thresholds_options *options, const cli_scored *scored, const mien_tuned *tuned) {
  mien_error error;
  for (size_t l = 0; l < scored->labels.n; l++) scored->thresholds[l] = tuned[l].threshold;
  const mien_status status = cli_tune_write(options->data.output, &scored->labels, scored->thresholds, &error);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

static void summarize(const thresholds_options *options, const cli_scored *scored, const mien_tuned *tuned) {
  const size_t n = scored->labels.n;
  mien_prf mean = {0};
  if (options->data.quiet) return;
  cli_tune_note(&options->tune, &scored->labels, tuned);
  for (size_t l = 0; l < n; l++) {
    const mien_prf prf = mien_prf_of(tuned[l].counts);
    mean.precision += prf.precision / (double)n;
    mean.recall += prf.recall / (double)n;
    mean.f1 += prf.f1 / (double)n;
  }
  fprintf(stderr,
          "mien: %zu thresholds tuned on %zu rows; on these very rows, which flatters: macro precision %.3f, recall "
          "%.3f, F1 %.3f\n",
          n, scored->examples.n_rows, mean.precision, mean.recall, mean.f1);
}

/* ---- The run ------------------------------------------------------------------------------------------------------
 */

static int tune(thresholds_options *options, const cli_scored *scored) {
  const mien_scored view = cli_scored_view(scored);
  mien_ranking ranking = {0};
  mien_error error;
  mien_tuned *tuned = mien_alloc(scored->labels.n, sizeof *tuned);
  mien_status status = tuned ? mien_ranking_create(&view, &ranking, &error)
                             : mien_fail_memory(&error, command, scored->labels.n * sizeof *tuned);
  if (status == MIEN_OK) mien_tune(&ranking, &options->tune.options, tuned);
  int code = status == MIEN_OK ? write_output(options, scored, tuned) : cli_report(command, &error);
  if (code == MIEN_OK) summarize(options, scored, tuned);
  mien_free(tuned);
  mien_ranking_free(&ranking);
  return code;
}

/* The thresholds may replace those of the model: they are read no more. */
static int check_output(thresholds_options *options) {
  return cli_scored_check_output(&options->data, command, &options->files, true);
}

static int run(thresholds_options *options) {
  cli_scored scored = {0};
  cli_catch_signals();
  int code = check_output(options);
  /* That the model has no thresholds yet is nothing to warn of. */
  options->data.model.has_threshold = options->files.scores == NULL;
  options->data.model.threshold = 0.5;
  if (code == MIEN_OK) code = cli_scored_read(&options->data, command, &options->files, &scored);
  if (code == MIEN_OK) code = tune(options, &scored);
  cli_scored_free(&scored);
  return code;
}

int cli_thresholds(int argc, char **argv) {
  thresholds_options options = {0};
  int code = parse(&options, argc, argv);
  if (code == MIEN_OK) code = options.data.help ? help() : run(&options);
  cli_data_free(&options.data);
  return code;
}
