/* SPDX-License-Identifier: Apache-2.0 */
/* mien thresholds: labelled rows in, a threshold for each label out. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/number.h"
#include "cli/scored.h"
#include "corpus/output.h"
#include "train/tune.h"

static const char command[] = "thresholds";

enum { CLI_SCORES = CLI_DATA_OWN, CLI_LABELS_OF, CLI_OBJECTIVE, CLI_BETA, CLI_AT, CLI_GRID };

/* clang-format off */
static const struct option long_options[] = {
  CLI_MODEL_OPTIONS,
  CLI_DATA_OPTIONS,
  {"scores", required_argument, NULL, CLI_SCORES},
  {"labels-of", required_argument, NULL, CLI_LABELS_OF},
  {"objective", required_argument, NULL, CLI_OBJECTIVE},
  {"beta", required_argument, NULL, CLI_BETA},
  {"at", required_argument, NULL, CLI_AT},
  {"grid", required_argument, NULL, CLI_GRID},
  {NULL, 0, NULL, 0},
};
/* clang-format on */

typedef enum objective { F1, FBETA, PRECISION_AT, RECALL_AT } objective;

typedef struct thresholds_options {
  cli_data data;
  cli_score_files files;
  objective objective;
  mien_tune_options tune;
  bool has_objective, has_beta, has_target, has_grid;
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
  printf("Thresholds:\n"
         "  --objective WHAT      default: f1\n"
         "    f1                  the highest F1\n"
         "    fbeta               the highest F-beta: recall counts as --beta times precision\n"
         "    precision-at        the highest recall of those with a precision of at least --at; if none has, the\n"
         "                        highest precision, with a note\n"
         "    recall-at           the highest precision of those with a recall of at least --at; if none has, the\n"
         "                        highest recall, with a note\n"
         "  --beta X              above 0, for fbeta\n"
         "  --at X                above 0 to 1, for precision-at and recall-at\n"
         "  --grid STEP|exact     STEP, 2 STEP, ... below 1 are tried, or exact: the middle of every two neighbours of "
         "the\n"
         "                        scores. Default: 0.05, with f1 the way in which the heads' thresholds were tuned\n"
         "                        of equally good ones the lowest; a label that no row has gets 0.5, with a note\n"
         "\n"
         "Output:\n"
         "  -o, --output FILE     appears when it is whole, or not at all. Default: stdout\n"
         "\n"
         "Run:\n%s",
         cli_data_run_help);
  return cli_flush_stdout();
}

/* ---- Options ------------------------------------------------------------------------------------------------------
 */

/* A decimal number above 0 and up to `most`. */
static int parse_number(const char *option, const char *value, double most, double *number) {
  char *end;
  const bool is_decimal = value[0] && strspn(value, "0123456789.eE+-") == strlen(value);
  *number = is_decimal ? strtod(value, &end) : 0;
  if (is_decimal && !*end && *number > 0 && *number <= most) return MIEN_OK;
  char shown[MIEN_JSON_NUMBER_CHARS];
  return cli_usage(command, "option '%s': expected a number above 0 and up to %s, found '%s'", option,
                   mien_json_show_number(most, shown), value);
}

static int set_grid(thresholds_options *options, const char *value) {
  options->has_grid = true;
  options->tune.grid = 0;
  if (strcmp(value, "exact") == 0) return MIEN_OK;
  const double least = 1e-6;
  if (cli_parse_probability(value, &options->tune.grid) && options->tune.grid >= least && options->tune.grid < 1)
    return MIEN_OK;
  return cli_usage(command, "option '--grid': expected exact or a number from 1e-6 to below 1, found '%s'", value);
}

static int set_objective(thresholds_options *options, const char *value) {
  static const char *const names[] = {"f1", "fbeta", "precision-at", "recall-at"};
  int choice = 0;
  const int code = cli_choose(command, "--objective", value, names, 4, &choice);
  options->objective = (objective)choice;
  return code;
}

static int set_own(thresholds_options *options, int opt, const char *value) {
  const double most_beta = 1e6;
  bool *seen[] = {&options->has_objective, &options->has_beta, &options->has_target, &options->has_grid};
  const char **path = opt == CLI_SCORES ? &options->files.scores : &options->files.labels_of;
  if (opt == CLI_SCORES || opt == CLI_LABELS_OF) {
    const char *name = opt == CLI_SCORES ? "--scores" : "--labels-of";
    if (*path) return cli_usage(command, "option '%s' is given twice", name);
    if (!value[0]) return cli_usage(command, "option '%s': expected a value, found nothing", name);
    *path = value;
    return MIEN_OK;
  }
  bool *is_seen = seen[opt - CLI_OBJECTIVE];
  if (*is_seen) {
    static const char *const names[] = {"--objective", "--beta", "--at", "--grid"};
    return cli_usage(command, "option '%s' is given twice", names[opt - CLI_OBJECTIVE]);
  }
  *is_seen = true;
  switch (opt) {
  case CLI_OBJECTIVE: return set_objective(options, value);
  case CLI_BETA: return parse_number("--beta", value, most_beta, &options->tune.beta);
  case CLI_AT: return parse_number("--at", value, 1, &options->tune.target);
  default: return set_grid(options, value);
  }
}

static int check(thresholds_options *options) {
  static const mien_objective objectives[] = {MIEN_OBJECTIVE_FBETA, MIEN_OBJECTIVE_FBETA, MIEN_OBJECTIVE_PRECISION_AT,
                                              MIEN_OBJECTIVE_RECALL_AT};
  const bool wants_target = options->objective == PRECISION_AT || options->objective == RECALL_AT;
  options->tune.objective = objectives[options->objective];
  if (options->has_beta != (options->objective == FBETA))
    return cli_usage(command,
                     options->has_beta ? "option '--beta' is for --objective fbeta" : "--objective fbeta needs --beta");
  if (options->has_target != wants_target)
    return cli_usage(command, options->has_target ? "option '--at' is for --objective precision-at and recall-at"
                                                  : "--objective precision-at and recall-at need --at");
  if (!options->has_beta) options->tune.beta = 1;
  if (!options->has_grid) options->tune.grid = MIEN_TUNE_PUBLISHED_GRID;
  const cli_model *model = &options->data.model;
  if (model->thresholds_path || model->has_threshold || model->n_overrides)
    return cli_usage(command, "thresholds are what is made here: option '--threshold%s' has no use",
                     model->thresholds_path ? "s" : "");
  return MIEN_OK;
}

static int parse(thresholds_options *options, int argc, char **argv) {
  int opt, code = MIEN_OK;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, CLI_DATA_SHORT, long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv)
           : opt >= CLI_DATA_OWN    ? set_own(options, opt, optarg)
                                    : cli_data_option(&options->data, command, opt, optarg);
  if (code != MIEN_OK || options->data.help) return code;
  code = cli_data_finish(&options->data, command, argc, argv);
  if (code == MIEN_OK && cli_data_has(&options->data, CLI_SEED))
    code = cli_usage(command, "option '--seed': nothing is random here");
  return code == MIEN_OK ? check(options) : code;
}

/* ---- Output -------------------------------------------------------------------------------------------------------
 */

/* {"label": 0.25, ...} in one line, as the published ones are. */
static mien_status write_thresholds(mien_output *output, const mien_label_set *labels, const mien_tuned *tuned,
                                    mien_error *error) {
  mien_status status = mien_output_write(output, "{", 1, error);
  for (size_t l = 0; l < labels->n && status == MIEN_OK; l++) {
    char number[MIEN_NUMBER_CHARS];
    const size_t length = mien_format_float(number, tuned[l].threshold);
    json_t *name = json_string(labels->names[l]);
    char *text = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
    if (l) status = mien_output_write(output, ", ", 2, error);
    if (status == MIEN_OK && !text) status = mien_fail_memory(error, "thresholds", strlen(labels->names[l]));
    if (status == MIEN_OK) status = mien_output_write(output, text, strlen(text), error);
    if (status == MIEN_OK) status = mien_output_write(output, ": ", 2, error);
    if (status == MIEN_OK) status = mien_output_write(output, number, length, error);
    free(text);
    json_decref(name);
  }
  return status == MIEN_OK ? mien_output_write(output, "}\n", 2, error) : status;
}

static int write_output(const thresholds_options *options, const mien_label_set *labels, const mien_tuned *tuned) {
  mien_output *output = NULL;
  mien_error error;
  mien_status status = mien_output_open(options->data.output, &cli_cancelled, &output, &error);
  if (status == MIEN_OK) status = write_thresholds(output, labels, tuned, &error);
  if (status == MIEN_OK) status = mien_output_close(output, &error);
  if (status == MIEN_OK) status = mien_output_publish(output, &error);
  mien_output_destroy(output);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

/* What is not what was asked for, a line a label. */
static void note(const thresholds_options *options, const mien_label_set *labels, const mien_tuned *tuned) {
  mien_error error;
  for (size_t l = 0; l < labels->n; l++) {
    const mien_prf prf = mien_prf_of(tuned[l].counts);
    if (tuned[l].has_rows && tuned[l].reaches) continue;
    if (!tuned[l].has_rows)
      (void)mien_fail(&error, MIEN_OK, "label '%s': no row has it: %.3g", labels->names[l],
                      (double)MIEN_TUNE_WITHOUT_ROWS);
    else
      (void)mien_fail(&error, MIEN_OK, "label '%s': no threshold reaches %.9g: %s %.3f at %.9g", labels->names[l],
                      options->tune.target, options->objective == PRECISION_AT ? "precision" : "recall",
                      options->objective == PRECISION_AT ? prf.precision : prf.recall, (double)tuned[l].threshold);
    fprintf(stderr, "mien: note: %s\n", error.message);
  }
}

static void summarize(const thresholds_options *options, const cli_scored *scored, const mien_tuned *tuned) {
  const size_t n = scored->labels.n;
  mien_prf mean = {0};
  if (options->data.quiet) return;
  note(options, &scored->labels, tuned);
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
  if (status == MIEN_OK) mien_tune(&ranking, &options->tune, tuned);
  int code = status == MIEN_OK ? write_output(options, &scored->labels, tuned) : cli_report(command, &error);
  if (code == MIEN_OK) summarize(options, scored, tuned);
  mien_free(tuned);
  mien_ranking_free(&ranking);
  return code;
}

/* The thresholds may replace those of the model: they are read no more. */
static int check_output(thresholds_options *options) {
  const char *files[] = {options->data.path,       options->data.embeddings,  options->files.scores,
                         options->files.labels_of, options->data.labels_path, options->data.model.labels_path};
  return cli_data_check_output(&options->data, command, files, sizeof files / sizeof *files);
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
