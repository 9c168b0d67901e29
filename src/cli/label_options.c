/* SPDX-License-Identifier: Apache-2.0 */
/* The options of mien label, checked as far as they can be without a model. */
#include "cli/label_options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"

static const char command[] = "label";

enum {
  OUTPUT = 'o',
  QUIET = 'q',
  INPUT_FORMAT = CLI_OWN,
  OUTPUT_FORMAT,
  SCORES,
  TOP_K,
  MIN_LABELS,
  ON_BAD_ROW,
  MAX_BAD_ROWS,
  THREADS,
  TEXT_ONLY,
  HELP,
};

/* clang-format off */
static const struct option long_options[] = {
  CLI_MODEL_OPTIONS,
  {"output", required_argument, NULL, OUTPUT},
  {"quiet", no_argument, NULL, QUIET},
  {"input-format", required_argument, NULL, INPUT_FORMAT},
  {"output-format", required_argument, NULL, OUTPUT_FORMAT},
  {"scores", required_argument, NULL, SCORES},
  {"top-k", required_argument, NULL, TOP_K},
  {"min-labels", required_argument, NULL, MIN_LABELS},
  {"on-bad-row", required_argument, NULL, ON_BAD_ROW},
  {"max-bad-rows", required_argument, NULL, MAX_BAD_ROWS},
  {"threads", required_argument, NULL, THREADS},
  {"text-field", required_argument, NULL, TEXT_ONLY},
  {"id-field", required_argument, NULL, TEXT_ONLY},
  {"text-column", required_argument, NULL, TEXT_ONLY},
  {"id-column", required_argument, NULL, TEXT_ONLY},
  {"keep", required_argument, NULL, TEXT_ONLY},
  {"no-header", no_argument, NULL, TEXT_ONLY},
  {"help", no_argument, NULL, HELP},
  {NULL, 0, NULL, 0},
};
/* clang-format on */

int cli_label_help(void) {
  printf("Usage: mien label [OPTION]... INPUT...\n"
         "\n"
         "Labels every row of the INPUTs: sentence embeddings, as .npy files of shape (N,D) (float32, float16 or\n"
         "float64, little-endian, C order) or as raw little-endian float32 (.f32). An INPUT is a file, a folder (its\n"
         ".npy and .f32 files by name), a quoted glob pattern, or - for stdin. Rows are counted from 0 over all.\n"
         "A label is given to a row when its score is greater than its threshold, both float32.\n"
         "\n%s\n",
         cli_model_help);
  printf("Input:\n"
         "  --input-format npy|f32\n"
         "                        what the inputs are, whatever their endings, and all files of folders; needed for -\n"
         "\n"
         "Output:\n"
         "  -o, --output FILE     where to; a file appears when it is whole, or not at all. Default: stdout\n"
         "  --output-format jsonl|csv|npy|bits\n"
         "                        default: by FILE's ending (.jsonl, .csv, .npy, .bits); jsonl on stdout, and on a\n"
         "                        terminal text for people\n"
         "    jsonl               {\"row\":0,\"labels\":[\"joy\"],\"scores\":[0.93]}, highest first; a bad row:\n"
         "                        {\"row\":7,\"error\":\"column 3 is NaN\"}\n"
         "    csv                 row,id,labels,error with labels joined by |; id is empty for embeddings\n"
         "    npy                 float32 scores (N,L), bad rows NaN; FILE.labels.json lists columns and bad rows\n"
         "    bits                .npy of uint32 (N,ceil(L/32)): label i is bit i mod 32 of word i div 32;\n"
         "                        FILE.labels.json as for npy\n"
         "  --scores labels|all   all: jsonl adds \"all_scores\", csv a column a label, in label order. Default: "
         "labels\n"
         "  --top-k K             list the K highest labels (1 to L) whatever their thresholds\n"
         "  --min-labels 0|1      1: a row without a label gets the one nearest above its threshold in logits.\n"
         "                        Default: 0\n"
         "\n"
         "Run:\n"
         "  --on-bad-row mark|fail\n"
         "                        rows with NaN or infinity: mark them and go on, or stop at the first with exit code\n"
         "                        3 and no output file. Default: mark\n"
         "  --max-bad-rows N      stop with exit code 3 and no output file at more than N bad rows. Default: no limit\n"
         "  --threads N           1 to %d. Default: all CPUs that this process may use\n"
         "  -q, --quiet           no progress, no summary on stderr\n"
         "  --help                show this\n"
         "\n"
         "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory, disk or device missing, 5 interrupted.\n",
         CLI_MAX_THREADS);
  return cli_flush_stdout();
}

/* ---- Single options ------------------------------------------------------------------------------------------ */

static int take_once(bool *seen, const char *name) {
  if (*seen) return cli_usage(command, "option '%s' is given twice", name);
  *seen = true;
  return MIEN_OK;
}

/* The place of `value` in a list, or a usage error that shows the list. */
static int choose(const char *option, const char *value, const char *const *names, int n, int *choice) {
  for (int i = 0; i < n; i++) {
    if (strcmp(value, names[i]) != 0) continue;
    *choice = i;
    return MIEN_OK;
  }
  char list[64] = "";
  for (int i = 0; i < n; i++) {
    if (i) strcat(list, "|");
    strcat(list, names[i]);
  }
  return cli_usage(command, "option '%s': expected %s, found '%s'", option, list, value);
}

static int number(const char *option, const char *value, uint64_t least, uint64_t most, uint64_t *out) {
  if (cli_parse_uint(value, least, most, out)) return MIEN_OK;
  if (most == UINT64_MAX)
    return cli_usage(command, "option '%s': expected a whole number, at least %" PRIu64 ", found '%s'", option, least,
                     value);
  return cli_usage(command, "option '%s': expected a whole number from %" PRIu64 " to %" PRIu64 ", found '%s'", option,
                   least, most, value);
}

static int set_input_format(cli_label_options *options, const char *value) {
  static const char *const text[] = {"text", "jsonl", "csv", "tsv"}, *const names[] = {"npy", "f32"};
  int choice = 0;
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    if (strcmp(value, text[i]) == 0)
      return cli_usage(command,
                       "option '--input-format': '%s' needs an encoder, which this version does not "
                       "have: expected npy or f32",
                       value);
  }
  int code = choose("--input-format", value, names, 2, &choice);
  options->input_format = choice == 0 ? MIEN_INPUT_NPY : MIEN_INPUT_F32;
  return code;
}

static int set_output_format(cli_label_options *options, const char *value) {
  static const char *const names[] = {"jsonl", "csv", "npy", "bits"};
  static const mien_output_format formats[] = {MIEN_OUTPUT_JSONL, MIEN_OUTPUT_CSV, MIEN_OUTPUT_NPY, MIEN_OUTPUT_BITS};
  int choice = 0;
  int code = choose("--output-format", value, names, 4, &choice);
  options->rows.format = formats[choice];
  return code;
}

static int set_output(cli_label_options *options, const char *value) {
  int code = take_once(&options->has_output, "--output");
  if (code == MIEN_OK && value[0] == '\0')
    code = cli_usage(command, "option '--output': expected a path, found nothing");
  /* Not opened by its name: where stdout is a file, it is written where it stands. */
  options->output = strcmp(value, "-") == 0 || strcmp(value, "/dev/stdout") == 0 ? NULL : value;
  return code;
}

static int set_choice_option(cli_label_options *options, int opt, const char *value) {
  static const char *const scores[] = {"labels", "all"}, *const on_bad_row[] = {"mark", "fail"};
  int choice = 0, code;
  if (opt == SCORES) {
    code = take_once(&options->has_scores, "--scores");
    if (code == MIEN_OK) code = choose("--scores", value, scores, 2, &choice);
    options->rows.all_scores = choice == 1;
    return code;
  }
  code = take_once(&options->has_on_bad_row, "--on-bad-row");
  if (code == MIEN_OK) code = choose("--on-bad-row", value, on_bad_row, 2, &choice);
  options->run.fail_on_bad = choice == 1;
  return code;
}

static int set_number_option(cli_label_options *options, int opt, const char *value) {
  uint64_t found = 0;
  int code;
  switch (opt) {
  case TOP_K:
    code = take_once(&options->has_top_k, "--top-k");
    if (code == MIEN_OK) code = number("--top-k", value, 1, UINT32_MAX, &found);
    options->rows.top_k = (size_t)found;
    return code;
  case MIN_LABELS:
    code = take_once(&options->has_min_labels, "--min-labels");
    if (code == MIEN_OK) code = number("--min-labels", value, 0, 1, &found);
    options->rows.min_one_label = found == 1;
    return code;
  case MAX_BAD_ROWS:
    code = take_once(&options->has_max_bad, "--max-bad-rows");
    return code == MIEN_OK ? number("--max-bad-rows", value, 0, UINT64_MAX, &options->run.max_bad) : code;
  default:
    code = take_once(&options->has_threads, "--threads");
    if (code == MIEN_OK) code = number("--threads", value, 1, CLI_MAX_THREADS, &found);
    options->run.threads = (unsigned)found;
    return code;
  }
}

static int set_option(cli_label_options *options, int opt, int index, const char *value) {
  int code;
  switch (opt) {
  case OUTPUT: return set_output(options, value);
  case QUIET: options->quiet = true; return MIEN_OK;
  case HELP: options->help = true; return MIEN_OK;
  case INPUT_FORMAT:
    code = take_once(&options->has_input_format, "--input-format");
    return code == MIEN_OK ? set_input_format(options, value) : code;
  case OUTPUT_FORMAT:
    code = take_once(&options->has_output_format, "--output-format");
    return code == MIEN_OK ? set_output_format(options, value) : code;
  case SCORES:
  case ON_BAD_ROW: return set_choice_option(options, opt, value);
  case TOP_K:
  case MIN_LABELS:
  case MAX_BAD_ROWS:
  case THREADS: return set_number_option(options, opt, value);
  case TEXT_ONLY:
    return cli_usage(command,
                     "option '--%s' is for inputs of text, which this version does not have; embeddings "
                     "have no fields",
                     long_options[index].name);
  default: return cli_model_option(&options->model, command, opt, value);
  }
}

/* ---- All options together ------------------------------------------------------------------------------------ */

bool cli_label_format_of(const char *path, mien_output_format *format) {
  static const struct {
    const char *ending;
    mien_output_format format;
  } endings[] = {{".jsonl", MIEN_OUTPUT_JSONL}, {".ndjson", MIEN_OUTPUT_JSONL},  {".csv", MIEN_OUTPUT_CSV},
                 {".bits", MIEN_OUTPUT_BITS},   {".bits.npy", MIEN_OUTPUT_BITS}, {".npy", MIEN_OUTPUT_NPY}};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    if (!mien_path_ends_with(path, endings[i].ending)) continue;
    *format = endings[i].format;
    return true;
  }
  return false;
}

static int choose_output_format(cli_label_options *options) {
  if (options->has_output_format) return MIEN_OK;
  if (!options->output) {
    options->rows.format = isatty(STDOUT_FILENO) ? MIEN_OUTPUT_TEXT : MIEN_OUTPUT_JSONL;
    return MIEN_OK;
  }
  if (cli_label_format_of(options->output, &options->rows.format)) return MIEN_OK;
  struct stat info;
  options->rows.format = MIEN_OUTPUT_JSONL;
  if (stat(options->output, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return MIEN_OK;
  return cli_usage(command,
                   "%s: format: expected a name that ends in .jsonl, .csv, .npy or .bits, found another: say "
                   "--output-format",
                   options->output);
}

static int check_combinations(const cli_label_options *options) {
  bool npy = options->rows.format == MIEN_OUTPUT_NPY, bits = options->rows.format == MIEN_OUTPUT_BITS;
  if ((npy || bits) && !options->output)
    return cli_usage(command, "%s output needs a file that can be written over: use -o FILE", npy ? "npy" : "bits");
  if (options->has_top_k && options->has_min_labels)
    return cli_usage(command, "options '--top-k' and '--min-labels' exclude each other");
  if (npy && (options->has_top_k || options->has_min_labels))
    return cli_usage(command, "options '--top-k' and '--min-labels' choose labels; npy output holds scores only");
  if (npy && options->has_scores && !options->rows.all_scores)
    return cli_usage(command, "option '--scores labels': npy output holds all scores");
  if (bits && options->has_scores) return cli_usage(command, "option '--scores': bits output holds no scores");
  if (options->run.fail_on_bad && options->has_max_bad)
    return cli_usage(command, "options '--on-bad-row fail' and '--max-bad-rows' exclude each other");
  return MIEN_OK;
}

int cli_label_parse(cli_label_options *options, int argc, char **argv) {
  options->run.max_bad = UINT64_MAX;
  int opt, index = 0, code = MIEN_OK;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, ":o:q", long_options, &index)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv) : set_option(options, opt, index, optarg);
  if (code != MIEN_OK || options->help) return code;
  options->inputs = argv + optind;
  options->n_inputs = (size_t)(argc - optind);
  if (options->n_inputs == 0) return cli_usage(command, "expected an INPUT, found none");
  if (!options->has_threads) options->run.threads = mien_cpu_count();
  if (options->run.threads > CLI_MAX_THREADS) options->run.threads = CLI_MAX_THREADS;
  options->rows.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
  code = choose_output_format(options);
  return code == MIEN_OK ? check_combinations(options) : code;
}
