/* SPDX-License-Identifier: Apache-2.0 */
/* The options of mien label, checked as far as they can be without a model. */
#include "cli/label_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char command[] = "label";

enum {
  SCORES = CLI_RUN_OWN,
  TOP_K,
  MIN_LABELS,
  TEXT,
};

/* clang-format off */
static const struct option long_options[] = {
  CLI_MODEL_OPTIONS,
  CLI_RUN_OPTIONS,
  CLI_DEVICE_OPTIONS,
  CLI_LONG_OPTIONS,
  {"scores", required_argument, NULL, SCORES},
  {"top-k", required_argument, NULL, TOP_K},
  {"min-labels", required_argument, NULL, MIN_LABELS},
  {"text", required_argument, NULL, TEXT},
  {NULL, 0, NULL, 0},
};
/* clang-format on */

int cli_label_help(void) {
  printf(
      "Usage: mien label [OPTION]... INPUT...\n"
      "       mien label [OPTION]... --text TEXT...\n"
      "       mien label [OPTION]...\n"
      "\n"
      "Labels every row of the INPUTs: texts, or sentence embeddings. An INPUT is a file, a folder (its files with\n"
      "the endings below, by name), a quoted glob pattern, or - for stdin; all are texts or all are embeddings. Rows\n"
      "are counted from 0 over all. A label is given to a row when its score is greater than its threshold, both\n"
      "float32.\n"
      "Without an INPUT, on a terminal, texts are asked for and their labels shown with scores as bars.\n"
      "\n%s\n",
      cli_model_help);
  printf(
      "Input:\n"
      "  --text TEXT           a text to label; may be repeated. On a terminal scores are shown as bars\n"
      "%s"
      "    npy                 .npy: embeddings (N,D) of float32, float16 or float64, little-endian, C order\n"
      "    f32                 .f32: embeddings as raw little-endian float32\n"
      "%s"
      "  --max-tokens N        cuts texts to N tokens, special ones included: 3 to the encoder's limit, the default\n"
      "  --long truncate|split what to do with longer texts. split: labels each sentence, of one that is too long\n"
      "                        each run of words that fits, and gives the text what --pool makes of their scores;\n"
      "                        jsonl lists them behind the scores of the text: \"spans\":[{\"start\":0,\"end\":41,\n"
      "                        \"labels\":[\"joy\"],\"scores\":[0.93]}]. Default: truncate\n"
      "  --pool max|mean       label by label the highest score of all spans, or their mean. Default: max\n"
      "  --offsets bytes|chars what spans' start and end count in the text, as UTF-8. Default: bytes\n"
      "\n",
      cli_formats_help, cli_fields_help);
  printf(
      "Output:\n"
      "  -o, --output FILE     where to; a file appears when it is whole, or not at all. Default: stdout\n"
      "  --output-format jsonl|csv|npy|bits\n"
      "                        default: by FILE's ending (.jsonl, .csv, .npy, .bits); jsonl on stdout, and on a\n"
      "                        terminal text for people\n"
      "%s"
      "    jsonl               {\"row\":0,\"id\":7,\"labels\":[\"joy\"],\"scores\":[0.93]}, highest first; a bad row:\n"
      "                        {\"row\":7,\"error\":\"line 8: field 'text' is missing\"}. \"file\" stands behind the "
      "row\n"
      "                        where there are several inputs, kept fields behind the id, and \"truncated\":true at\n"
      "                        the end of a text that was cut\n"
      "    csv                 row,id,labels,error[,file][,kept fields] with labels joined by |\n"
      "    npy                 float32 scores (N,L), bad rows NaN; FILE.labels.json lists columns and bad rows\n"
      "    bits                .npy of uint32 (N,ceil(L/32)): label i is bit i mod 32 of word i div 32;\n"
      "                        FILE.labels.json as for npy\n"
      "%s"
      "  --scores labels|all   all: jsonl adds \"all_scores\", csv a column a label, in label order. Default: "
      "labels\n"
      "  --top-k K             list the K highest labels (1 to L) whatever their thresholds\n"
      "  --min-labels 0|1      1: a row without a label gets the one nearest above its threshold in logits.\n"
      "                        Default: 0\n"
      "\n"
      "Run:\n"
      "%s%s%s%s",
      cli_compression_help, cli_kept_help, cli_parts_help, cli_device_help, cli_cache_help, cli_run_help);
  return cli_flush_stdout();
}

/* ---- Single options ---------------------------------------------------------------------------------------------- */

static int add_text(cli_label_options *options, const char *value) {
  mien_text *texts = realloc(options->texts, (options->n_texts + 1) * sizeof *texts);
  if (!texts) {
    fprintf(stderr, "mien: %s: out of memory\n", command);
    return MIEN_RESOURCE;
  }
  options->texts = texts;
  texts[options->n_texts++] = (mien_text){value, strlen(value)};
  return MIEN_OK;
}

static int set_option(cli_label_options *options, int opt, const char *value) {
  static const cli_format formats[] = {
      {"jsonl", MIEN_OUTPUT_JSONL}, {"csv", MIEN_OUTPUT_CSV}, {"npy", MIEN_OUTPUT_NPY}, {"bits", MIEN_OUTPUT_BITS}};
  static const char *const scores[] = {"labels", "all"};
  uint64_t found = 0;
  int choice = 0, code;
  mien_row_options *rows = &options->run.rows;
  switch (opt) {
  case TEXT: return add_text(options, value);
  case SCORES:
    code = cli_run_once(&options->run, opt, "--scores");
    if (code == MIEN_OK) code = cli_choose(command, "--scores", value, scores, 2, &choice);
    rows->all_scores = choice == 1;
    return code;
  case TOP_K:
    code = cli_run_once(&options->run, opt, "--top-k");
    if (code == MIEN_OK) code = cli_number(command, "--top-k", value, 1, UINT32_MAX, &found);
    rows->top_k = (size_t)found;
    return code;
  case MIN_LABELS:
    code = cli_run_once(&options->run, opt, "--min-labels");
    if (code == MIEN_OK) code = cli_number(command, "--min-labels", value, 0, 1, &found);
    rows->min_one_label = found == 1;
    return code;
  default: return cli_run_option(&options->run, opt, value, formats, sizeof formats / sizeof *formats);
  }
}

/* ---- All options together ---------------------------------------------------------------------------------------- */

static int choose_output_format(cli_run *run) {
  if (run->has_format) return MIEN_OK;
  if (!run->output) {
    run->rows.format = isatty(STDOUT_FILENO) ? MIEN_OUTPUT_TEXT : MIEN_OUTPUT_JSONL;
    return MIEN_OK;
  }
  if (cli_format_of(run->output, &run->rows.format) && run->rows.format != MIEN_OUTPUT_F32) return MIEN_OK;
  struct stat info;
  run->rows.format = MIEN_OUTPUT_JSONL;
  if (stat(run->output, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return MIEN_OK;
  return cli_usage(command,
                   "%s: format: expected a name that ends in .jsonl, .csv, .npy or .bits, found another: say "
                   "--output-format",
                   run->output);
}

static int check_combinations(const cli_run *run) {
  bool npy = run->rows.format == MIEN_OUTPUT_NPY, bits = run->rows.format == MIEN_OUTPUT_BITS;
  bool top_k = cli_run_has(run, TOP_K), min_labels = cli_run_has(run, MIN_LABELS), scores = cli_run_has(run, SCORES);
  if ((npy || bits) && !run->output)
    return cli_usage(command, "%s output needs a file that can be written over: use -o FILE", npy ? "npy" : "bits");
  if (top_k && min_labels) return cli_usage(command, "options '--top-k' and '--min-labels' exclude each other");
  if (npy && (top_k || min_labels))
    return cli_usage(command, "options '--top-k' and '--min-labels' choose labels; npy output holds scores only");
  if (npy && scores && !run->rows.all_scores)
    return cli_usage(command, "option '--scores labels': npy output holds all scores");
  if (bits && scores) return cli_usage(command, "option '--scores': bits output holds no scores");
  if ((npy || bits) && cli_run_has(run, CLI_KEEP))
    return cli_usage(command, "option '--keep': %s output holds no fields", npy ? "npy" : "bits");
  if (!run->rows.splits && (cli_run_has(run, CLI_POOL) || cli_run_has(run, CLI_OFFSETS)))
    return cli_usage(command, "option '%s' is for '--long split'",
                     cli_run_name(cli_run_has(run, CLI_POOL) ? CLI_POOL : CLI_OFFSETS));
  if (cli_run_has(run, CLI_OFFSETS) && run->rows.format != MIEN_OUTPUT_JSONL)
    return cli_usage(command, "option '--offsets': only jsonl output holds spans");
  if (run->texts.keep_all && run->rows.format == MIEN_OUTPUT_CSV)
    return cli_usage(command, "option '--keep all': csv output has the same columns in every row: name them");
  return MIEN_OK;
}

/* Where the rows come from: inputs, --text, or a terminal. */
static int check_inputs(cli_label_options *options) {
  const cli_run *run = &options->run;
  const bool from_inputs = run->n_inputs > 0, from_texts = options->n_texts > 0;
  if (from_inputs && from_texts) return cli_usage(command, "option '--text' and INPUTs exclude each other");
  if (from_inputs) return MIEN_OK;
  options->is_prompt = !from_texts && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !run->output;
  if (!from_texts && !options->is_prompt) return cli_usage(command, "expected an INPUT, found none");
  if (run->text_option && cli_run_is_for_inputs(run->text_option))
    return cli_usage(command, "option '%s' is for INPUTs", cli_run_name(run->text_option));
  return cli_run_has(run, CLI_INPUT_FORMAT) ? cli_usage(command, "option '--input-format' is for INPUTs") : MIEN_OK;
}

int cli_label_parse(cli_label_options *options, int argc, char **argv) {
  cli_run_init(&options->run, command);
  int opt, code = MIEN_OK;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, ":o:q", long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv) : set_option(options, opt, optarg);
  if (code != MIEN_OK || options->run.help) return code;
  code = cli_run_finish_options(&options->run, argc, argv);
  if (code == MIEN_OK) code = check_inputs(options);
  if (code == MIEN_OK) code = choose_output_format(&options->run);
  return code == MIEN_OK ? check_combinations(&options->run) : code;
}

void cli_label_free(cli_label_options *options) {
  free(options->texts);
  cli_run_free(&options->run);
}
