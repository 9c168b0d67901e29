/* SPDX-License-Identifier: Apache-2.0 */
/* mien evaluate: labelled rows in, figures of a model or of any scores out. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/evaluation_print.h"
#include "cli/scored.h"
#include "corpus/output.h"

static const char command[] = "evaluate";

enum { DEFAULT_ERRORS = 10, MOST_ERRORS = 100000, MOST_RESAMPLES = 1000000 };

enum {
  CLI_SCORES = CLI_DATA_OWN,
  CLI_LABELS_OF,
  CLI_COMPARE,
  CLI_OTHER_THRESHOLDS,
  CLI_TUNED_ON_DATA,
  CLI_FORMAT,
  CLI_JSON,
  CLI_ERRORS,
  CLI_RESAMPLES,
};

/* clang-format off */
static const struct option long_options[] = {
  CLI_MODEL_OPTIONS,
  CLI_DATA_OPTIONS,
  {"scores", required_argument, NULL, CLI_SCORES},
  {"labels-of", required_argument, NULL, CLI_LABELS_OF},
  {"compare", required_argument, NULL, CLI_COMPARE},
  {"other-thresholds", required_argument, NULL, CLI_OTHER_THRESHOLDS},
  {"tuned-on-data", no_argument, NULL, CLI_TUNED_ON_DATA},
  {"format", required_argument, NULL, CLI_FORMAT},
  {"json", no_argument, NULL, CLI_JSON},
  {"errors", optional_argument, NULL, CLI_ERRORS},
  {"resamples", required_argument, NULL, CLI_RESAMPLES},
  {NULL, 0, NULL, 0},
};
/* clang-format on */

typedef struct evaluate_options {
  cli_data data;
  cli_score_files files;        /* of a comparison the first's */
  const char *other;            /* the second's scores */
  const char *other_thresholds; /* NULL: those of the first */
  bool is_tuned_on_data;
  cli_evaluation_format format;
  uint64_t errors; /* 0: not asked for */
  uint64_t resamples;
  uint32_t seen; /* own options that were given, one bit each */
} evaluate_options;

static int help(void) {
  printf(
      "Usage: mien evaluate [OPTION]... --data FILE\n"
      "\n"
      "Compares the labels that a model gives with those that people gave: precision, recall and F1 at its "
      "thresholds and\n"
      "at 0.5, averages and every label's, figures of the scores themselves, and how far all of these depend on "
      "which\n"
      "rows there happened to be. Nothing to divide by counts as 0; a mean leaves out labels without the figure and "
      "says\n"
      "so. Thresholds are said to be tuned on the very data, which flatters, wherever tuning on it gives the same.\n"
      "\n%s"
      "\n"
      "Data:\n"
      "  --data FILE           labelled rows; a label that the model has not is an error, one that no row has has a\n"
      "                        support of 0, with a note\n"
      "  --embeddings FILE     an .npy of (rows, D): the rows' embeddings, in place of their texts\n%s%s"
      "\n",
      cli_model_help, cli_data_help, cli_scores_help);
  printf("Figures:\n"
         "  --compare A B         two files as --scores takes; the difference of every figure, on the same resamples. "
         "Of\n"
         "                        thresholds both have --thresholds, and B --other-thresholds FILE if it is given\n"
         "  --tuned-on-data       adds thresholds that are tuned on this very data (F1 on a grid of 0.05), as they "
         "were\n"
         "                        for published figures: to compare with these only\n"
         "  --errors [N]          the N mistakes with the highest and the lowest scores, with their texts, and the N "
         "most\n"
         "                        frequent pairs of labels not given and given instead (of up to %d labels).\n"
         "                        Default: %d. At --thresholds, the model's own, or 0.5\n"
         "  --resamples N         for 95%% intervals, percentiles of bootstrap resamples of the rows; 0 for none.\n"
         "                        Default: %d. Noise raises a calibration error: its interval lies high\n"
         "%s"
         "\n"
         "Output:\n"
         "  --format text|markdown|json|csv\n"
         "                        default: text, aligned tables; --json is json\n"
         "    json                {\"data\", \"rows\", \"labels\", \"bootstrap\", \"schemes\": {NAME: "
         "{\"tuned_on_this_data\",\n"
         "                        \"report\", \"subset_accuracy\", \"intervals\"}}, \"scores\": {FIGURE: {\"mean\", "
         "\"of_labels\",\n"
         "                        \"interval\", \"labels\"}}, \"errors\"}; NAME is thresholds, fixed_0.5 or "
         "tuned_on_this_data;\n"
         "                        a report has the keys of scikit-learn's classification_report, and threshold; of\n"
         "                        --compare \"a\" and \"b\" have schemes and scores, and \"differences\" theirs, B "
         "less A\n"
         "  -o, --output FILE     appears when it is whole, or not at all. Default: stdout\n"
         "\n"
         "Run:\n%s",
         CLI_MOST_CONFUSED_LABELS, DEFAULT_ERRORS, MIEN_BOOTSTRAP_RESAMPLES, cli_seed_help, cli_data_run_help);
  return cli_flush_stdout();
}

/* ---- Options ------------------------------------------------------------------------------------------------------
 */

static const char *name_of(int opt) {
  static char name[32];
  for (size_t i = 0; i < sizeof long_options / sizeof *long_options; i++)
    if (long_options[i].val == opt) snprintf(name, sizeof name, "--%s", long_options[i].name);
  return name;
}

static bool has(const evaluate_options *options, int opt) { return options->seen >> (opt - CLI_DATA_OWN) & 1; }

/* The argument behind an option's own, if it is none itself. */
static const char *take_next(int argc, char **argv) {
  return optind < argc && argv[optind][0] != '-' ? argv[optind++] : NULL;
}

static int set_errors(evaluate_options *options, const char *value, int argc, char **argv) {
  options->errors = DEFAULT_ERRORS;
  if (!value && optind < argc && strspn(argv[optind], "0123456789") == strlen(argv[optind]) && argv[optind][0])
    value = take_next(argc, argv);
  return value ? cli_number(command, "--errors", value, 1, MOST_ERRORS, &options->errors) : MIEN_OK;
}

static int set_compare(evaluate_options *options, const char *value, int argc, char **argv) {
  options->files.scores = value;
  options->other = take_next(argc, argv);
  return options->other ? MIEN_OK : cli_usage(command, "option '--compare' needs two files of scores");
}

static int set_format(evaluate_options *options, const char *value) {
  static const char *const names[] = {"text", "markdown", "json", "csv"};
  int choice = 0;
  const int code = cli_choose(command, "--format", value, names, 4, &choice);
  options->format = (cli_evaluation_format)choice;
  return code;
}

static int set_own(evaluate_options *options, int opt, const char *value, int argc, char **argv) {
  if (has(options, opt)) return cli_usage(command, "option '%s' is given twice", name_of(opt));
  if (value && !value[0]) return cli_usage(command, "option '%s': expected a value, found nothing", name_of(opt));
  options->seen |= 1u << (opt - CLI_DATA_OWN);
  switch (opt) {
  case CLI_SCORES: options->files.scores = value; break;
  case CLI_LABELS_OF: options->files.labels_of = value; break;
  case CLI_COMPARE: return set_compare(options, value, argc, argv);
  case CLI_OTHER_THRESHOLDS: options->other_thresholds = value; break;
  case CLI_TUNED_ON_DATA: options->is_tuned_on_data = true; break;
  case CLI_FORMAT: return set_format(options, value);
  case CLI_JSON: options->format = CLI_EVALUATION_JSON; break;
  case CLI_ERRORS: return set_errors(options, value, argc, argv);
  default: return cli_number(command, "--resamples", value, 0, MOST_RESAMPLES, &options->resamples);
  }
  return MIEN_OK;
}

static int check(const evaluate_options *options) {
  if (has(options, CLI_SCORES) && has(options, CLI_COMPARE))
    return cli_usage(command, "options '--scores' and '--compare' exclude each other");
  if (has(options, CLI_FORMAT) && has(options, CLI_JSON) && options->format != CLI_EVALUATION_JSON)
    return cli_usage(command, "options '--format' and '--json' exclude each other");
  if (options->other_thresholds && !options->other)
    return cli_usage(command, "option '--other-thresholds' is for --compare");
  if (options->errors && options->other)
    return cli_usage(command, "options '--errors' and '--compare' exclude each other");
  if (options->errors && options->format == CLI_EVALUATION_CSV)
    return cli_usage(command, "option '--errors': csv has no place for them");
  return MIEN_OK;
}

static int parse(evaluate_options *options, int argc, char **argv) {
  int opt, code = MIEN_OK;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, CLI_DATA_SHORT, long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv)
           : opt >= CLI_DATA_OWN    ? set_own(options, opt, optarg, argc, argv)
                                    : cli_data_option(&options->data, command, opt, optarg);
  if (code != MIEN_OK || options->data.help) return code;
  code = cli_data_finish(&options->data, command, argc, argv);
  return code == MIEN_OK ? check(options) : code;
}

static int check_output(evaluate_options *options) {
  const cli_score_files other = {.scores = options->other, .labels_of = options->files.labels_of};
  const char *files[] = {options->other_thresholds};
  int code = cli_scored_check_output(&options->data, command, &options->files, false);
  if (code == MIEN_OK && options->other) code = cli_scored_check_output(&options->data, command, &other, false);
  return code == MIEN_OK ? cli_data_check_output(&options->data, command, options->data.output, files, 1) : code;
}

/* ---- Output -------------------------------------------------------------------------------------------------------
 */

static mien_status print(const cli_evaluation_print *what, FILE *out, mien_error *error) {
  switch (what->format) {
  case CLI_EVALUATION_JSON: return cli_evaluation_print_json(what, out, error);
  case CLI_EVALUATION_CSV: return cli_evaluation_print_csv(what, out, error);
  default: return cli_evaluation_print_tables(what, out, error);
  }
}

static mien_status write_text(const char *path, const char *text, size_t bytes, mien_error *error) {
  mien_output *output = NULL;
  mien_status status = mien_output_open(path, &cli_cancelled, &output, error);
  if (status == MIEN_OK) status = mien_output_write(output, text, bytes, error);
  if (status == MIEN_OK) status = mien_output_close(output, error);
  if (status == MIEN_OK) status = mien_output_publish(output, error);
  mien_output_destroy(output);
  return status;
}

/* Into memory first: what is written is whole. */
static int write_output(const cli_evaluation_print *what, const char *path) {
  char *text = NULL;
  size_t bytes = 0;
  mien_error error;
  FILE *out = open_memstream(&text, &bytes);
  mien_status status = out ? print(what, out, &error) : mien_fail_system(&error, "figures", errno);
  if (out && fclose(out) != 0 && status == MIEN_OK) status = mien_fail_system(&error, "figures", errno);
  if (status == MIEN_OK) status = write_text(path, text, bytes, &error);
  free(text);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

/* ---- One model ----------------------------------------------------------------------------------------------------
 */

static mien_bootstrap_options bootstrap_of(const evaluate_options *options) {
  return (mien_bootstrap_options){.seed = options->data.seed,
                                  .resamples = (size_t)options->resamples,
                                  .threads = options->data.threads,
                                  .cancel = &cli_cancelled};
}

static mien_status measure(const evaluate_options *options, const cli_scored *scored, const float *scores,
                           const float *thresholds, cli_evaluation *evaluation, mien_error *error) {
  const cli_schemes schemes = {.thresholds = thresholds, .is_tuned_on_data = options->is_tuned_on_data};
  mien_scored view = cli_scored_view(scored);
  view.scores = scores;
  return cli_evaluation_measure(&scored->labels, &view, &schemes, evaluation, error);
}

static int evaluate(const evaluate_options *options, const cli_scored *scored) {
  const mien_bootstrap_options bootstrap = bootstrap_of(options);
  cli_evaluation evaluation = {0};
  cli_mistakes mistakes = {0};
  mien_error error;
  mien_status status = measure(options, scored, scored->scores.data, scored->has_thresholds ? scored->thresholds : NULL,
                               &evaluation, &error);
  if (status == MIEN_OK) status = cli_evaluation_bootstrap(&evaluation, NULL, &bootstrap, NULL, &error);
  if (status == MIEN_OK && options->errors)
    status = cli_mistakes_find(&evaluation, &evaluation.schemes[0], (size_t)options->errors, &mistakes, &error);
  const cli_evaluation_print what = {.format = options->format,
                                     .data = options->data.path,
                                     .evaluation = &evaluation,
                                     .bootstrap = &bootstrap,
                                     .mistakes = options->errors ? &mistakes : NULL,
                                     .examples = &scored->examples};
  const int code = status == MIEN_OK ? write_output(&what, options->data.output) : cli_report(command, &error);
  cli_mistakes_free(&mistakes);
  cli_evaluation_free(&evaluation);
  return code;
}

/* ---- Two ----------------------------------------------------------------------------------------------------------
 */

static int print_comparison(const evaluate_options *options, const cli_scored *scored, const float *other_scores,
                            const float *other_thresholds) {
  const mien_bootstrap_options bootstrap = bootstrap_of(options);
  const float *thresholds = scored->has_thresholds ? scored->thresholds : NULL;
  cli_evaluation first = {0}, second = {0};
  cli_comparison comparison = {0};
  mien_error error;
  mien_status status = measure(options, scored, scored->scores.data, thresholds, &first, &error);
  if (status == MIEN_OK) status = measure(options, scored, other_scores, other_thresholds, &second, &error);
  if (status == MIEN_OK) status = cli_evaluation_bootstrap(&first, &second, &bootstrap, &comparison, &error);
  const cli_evaluation_print what = {.format = options->format,
                                     .data = options->data.path,
                                     .evaluation = &first,
                                     .bootstrap = &bootstrap,
                                     .examples = &scored->examples,
                                     .other = &second,
                                     .comparison = &comparison,
                                     .names = {options->files.scores, options->other}};
  const int code = status == MIEN_OK ? write_output(&what, options->data.output) : cli_report(command, &error);
  cli_comparison_free(&comparison);
  cli_evaluation_free(&first);
  cli_evaluation_free(&second);
  return code;
}

static int compare(const evaluate_options *options, cli_scored *scored) {
  const cli_score_files files = {.scores = options->other, .labels_of = options->files.labels_of};
  const size_t n_labels = scored->labels.n;
  mien_floats scores = {0}, thresholds = {0};
  mien_error error;
  if (options->other_thresholds && !scored->has_thresholds)
    return cli_usage(command, "option '--other-thresholds' is for B beside --thresholds for A");
  int code = cli_scored_read_scores(&options->data, command, &files, scored->examples.n_rows, &scored->labels, &scores);
  if (code == MIEN_OK && mien_floats_create(1, n_labels, "thresholds", &thresholds, &error) != MIEN_OK)
    code = cli_report(command, &error);
  if (code == MIEN_OK) memcpy(thresholds.data, scored->thresholds, n_labels * sizeof(float));
  if (code == MIEN_OK && options->other_thresholds)
    code = cli_scored_read_thresholds(command, options->other_thresholds, &scored->labels, thresholds.data);
  if (code == MIEN_OK)
    code = print_comparison(options, scored, scores.data, scored->has_thresholds ? thresholds.data : NULL);
  mien_floats_free(&scores);
  mien_floats_free(&thresholds);
  return code;
}

/* ---- The run ------------------------------------------------------------------------------------------------------
 */

static void summarize(const evaluate_options *options, const cli_scored *scored) {
  if (options->data.quiet) return;
  fprintf(stderr, "mien: %zu rows, %zu labels, %" PRIu64 " resamples, %u thread%s\n", scored->examples.n_rows,
          scored->labels.n, options->resamples, options->data.threads, options->data.threads == 1 ? "" : "s");
}

static int run(evaluate_options *options) {
  cli_scored scored = {0};
  cli_catch_signals();
  int code = check_output(options);
  if (code == MIEN_OK) code = cli_scored_read(&options->data, command, &options->files, &scored);
  if (code == MIEN_OK) {
    cli_scored_note_labels(&options->data, &scored);
    code = options->other ? compare(options, &scored) : evaluate(options, &scored);
  }
  if (code == MIEN_OK) summarize(options, &scored);
  cli_scored_free(&scored);
  return code;
}

int cli_evaluate(int argc, char **argv) {
  evaluate_options options = {.resamples = MIEN_BOOTSTRAP_RESAMPLES};
  int code = parse(&options, argc, argv);
  if (code == MIEN_OK) code = options.data.help ? help() : run(&options);
  cli_data_free(&options.data);
  return code;
}
