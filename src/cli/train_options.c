/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `mien train`. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/train.h"
#include "encoder/source.h"

const char *const train_measure_names[TRAIN_MEASURES] = {"average-precision", "f1"};

enum {
  DEV = CLI_TUNE_OWN,
  TEST,
  DEV_EMBEDDINGS,
  TEST_EMBEDDINGS,
  SOFT,
  LABELS_OF,
  SOFT_WEIGHT,
  COST,
  CLASS_WEIGHT,
  CV,
  SELECT,
  SAME_FOR_ALL,
  FORCE,
  NO_CACHE,
};

/* clang-format off */
static const struct option long_options[] = {
  {"encoder", required_argument, NULL, CLI_ENCODER},
  {"dtype", required_argument, NULL, CLI_DTYPE},
  {"max-tokens", required_argument, NULL, CLI_MAX_TOKENS},
  CLI_DATA_OPTIONS,
  CLI_TUNE_OPTIONS,
  {"dev", required_argument, NULL, DEV},
  {"test", required_argument, NULL, TEST},
  {"dev-embeddings", required_argument, NULL, DEV_EMBEDDINGS},
  {"test-embeddings", required_argument, NULL, TEST_EMBEDDINGS},
  {"soft", required_argument, NULL, SOFT},
  {"labels-of", required_argument, NULL, LABELS_OF},
  {"soft-weight", required_argument, NULL, SOFT_WEIGHT},
  {"C", required_argument, NULL, COST},
  {"class-weight", required_argument, NULL, CLASS_WEIGHT},
  {"cv", required_argument, NULL, CV},
  {"select", required_argument, NULL, SELECT},
  {"same-for-all", no_argument, NULL, SAME_FOR_ALL},
  {"force", no_argument, NULL, FORCE},
  {"no-cache", no_argument, NULL, NO_CACHE},
  {NULL, 0, NULL, 0},
};
/* clang-format on */

/* Where none are asked for: steps of about 3, around what suits sentence embeddings. */
static const double default_costs[] = {0.1, 0.3, 1, 3, 10, 30};

static int help(void) {
  printf(
      "Usage: mien train --data FILE [--dev FILE] [--cv K] --encoder E [OPTION]... -o DIR\n"
      "\n"
      "Fits a logistic regression to each label of labelled texts, chooses its settings, tunes its threshold, and\n"
      "writes DIR: model.onnx and thresholds.json, for `mien label --head DIR`; README.md, a card with its figures;\n"
      "train.json, every setting. The same input has the same bytes, for any number of threads.\n"
      "\n"
      "Data:\n"
      "  --data FILE           rows to learn from\n"
      "  --dev FILE            rows to choose settings and thresholds on\n"
      "  --test FILE           rows for the card alone\n"
      "  --encoder E           makes embeddings of texts: a folder, a pack, or org/name that was "
      "pulled\n" CLI_DTYPE_HELP "  --max-tokens N        cuts texts to N tokens\n"
      "  --embeddings FILE, --dev-embeddings FILE, --test-embeddings FILE\n"
      "                        an .npy of (rows, D): the rows' embeddings, in place of their texts\n"
      "  --no-cache            embeds anew; else embeddings are kept in mien/embeddings of the user's cache\n%s"
      "\n",
      cli_data_help);
  printf(
      "Targets:\n"
      "  --soft FILE           an .npy of (rows, labels) in [0, 1], another model's scores of the rows to learn from\n"
      "  --labels-of FILE      the names of its columns, as for `mien evaluate`. Default: FILE.labels.json\n"
      "  --soft-weight A       targets are A times these and 1 - A times the labels. Default: 0.5\n"
      "\n"
      "Regression:\n"
      "  --C X,...             costs to try, scikit-learn's C. Default: 0.1,0.3,1,3,10,30\n"
      "  --class-weight W,...  none (default), balanced, or powers of the balanced weights, 0 to 1, to try\n"
      "  --cv K                chooses by K folds of the rows to learn from, and not on dev; without --dev it tunes\n"
      "                        thresholds on them too\n"
      "  --select WHAT         settings with the highest average-precision (default), or f1 at tuned thresholds\n"
      "  --same-for-all        the same settings for all labels: those with the highest mean\n"
      "\n"
      "Thresholds:\n%s",
      cli_tune_help);
  printf("\n"
         "Output:\n"
         "  -o, --output DIR      appears when it is whole, or not at all\n"
         "  --force               replaces a DIR that training made before\n"
         "\n"
         "Run:\n%s%s",
         cli_seed_help, cli_data_run_help);
  return cli_flush_stdout();
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* A decimal number, the whole of `text`. */
static bool parse_decimal(const char *text, size_t bytes, double *number) {
  char copy[64], *end;
  if (bytes == 0 || bytes >= sizeof copy || strspn(text, "0123456789.eE+-") < bytes) return false;
  memcpy(copy, text, bytes);
  copy[bytes] = '\0';
  *number = strtod(copy, &end);
  return !*end && isfinite(*number);
}

static bool parse_cost(const char *text, size_t bytes, double *cost) {
  const double least = 1e-6, most = 1e6;
  return parse_decimal(text, bytes, cost) && *cost >= least && *cost <= most;
}

static bool parse_power(const char *text, size_t bytes, double *power) {
  if (bytes == 4 && memcmp(text, "none", 4) == 0) {
    *power = 0;
    return true;
  }
  if (bytes == 8 && memcmp(text, "balanced", 8) == 0) {
    *power = 1;
    return true;
  }
  return parse_decimal(text, bytes, power) && *power >= 0 && *power <= 1;
}

/* Numbers joined by commas, none of them twice, in the order of their size. */
static int set_list(const char *option, const char *value, const char *expected,
                    bool (*parse)(const char *, size_t, double *), double *list, size_t *n) {
  for (const char *at = value; *n < TRAIN_MOST_CHOICES; at++) {
    const size_t bytes = strcspn(at, ",");
    double number;
    if (!parse(at, bytes, &number))
      return cli_usage(TRAIN_COMMAND, "option '%s': expected %s, joined by commas, found '%s'", option, expected,
                       value);
    size_t place = *n;
    for (; place > 0 && list[place - 1] >= number; place--) list[place] = list[place - 1];
    if (place < *n && list[place + 1] == number)
      return cli_usage(TRAIN_COMMAND, "option '%s': %.9g is given twice", option, number);
    list[place] = number;
    ++*n;
    at += bytes;
    if (!*at) return MIEN_OK;
  }
  return cli_usage(TRAIN_COMMAND, "option '%s': expected at most %d numbers", option, TRAIN_MOST_CHOICES);
}

static int set_folds(train_options *options, const char *value) {
  uint64_t folds = 0;
  const int code = cli_number(TRAIN_COMMAND, "--cv", value, 2, TRAIN_MOST_FOLDS, &folds);
  options->folds = (unsigned)folds;
  return code;
}

static int set_max_tokens(train_options *options, const char *value) {
  uint64_t tokens = 0;
  const int code = cli_number(TRAIN_COMMAND, "--max-tokens", value, MIEN_ENCODER_MIN_TOKENS, UINT32_MAX, &tokens);
  options->data.model.max_tokens = (uint32_t)tokens;
  return code;
}

static const char *own_name(int opt) {
  static char name[32];
  for (size_t i = 0; long_options[i].name; i++)
    if (long_options[i].val == opt) snprintf(name, sizeof name, "--%s", long_options[i].name);
  return name;
}

static int set_path(train_options *options, int opt, const char *value) {
  if (!value[0]) return cli_usage(TRAIN_COMMAND, "option '%s': expected a value, found nothing", own_name(opt));
  switch (opt) {
  case DEV: options->paths[DEV_ROWS] = value; break;
  case TEST: options->paths[TEST_ROWS] = value; break;
  case DEV_EMBEDDINGS: options->embeddings[DEV_ROWS] = value; break;
  case TEST_EMBEDDINGS: options->embeddings[TEST_ROWS] = value; break;
  case SOFT: options->soft.scores = value; break;
  default: options->soft.labels_of = value;
  }
  return MIEN_OK;
}

static int set_own(train_options *options, int opt, const char *value) {
  const uint64_t bit = UINT64_C(1) << (opt == CLI_MAX_TOKENS ? 63 : opt - CLI_TUNE_OWN);
  if (options->seen & bit) return cli_usage(TRAIN_COMMAND, "option '%s' is given twice", own_name(opt));
  options->seen |= bit;
  switch (opt) {
  case CLI_MAX_TOKENS: return set_max_tokens(options, value);
  case SOFT_WEIGHT:
    if (cli_parse_probability(value, &options->soft_weight)) return MIEN_OK;
    return cli_usage(TRAIN_COMMAND, "option '--soft-weight': expected a number in [0, 1], found '%s'", value);
  case COST: return set_list("--C", value, "numbers from 1e-6 to 1e6", parse_cost, options->costs, &options->n_costs);
  case CLASS_WEIGHT:
    return set_list("--class-weight", value, "none, balanced or numbers in [0, 1]", parse_power, options->powers,
                    &options->n_powers);
  case CV: return set_folds(options, value);
  case SELECT:
    return cli_choose(TRAIN_COMMAND, "--select", value, train_measure_names, TRAIN_MEASURES, &options->measure);
  case SAME_FOR_ALL: options->same_for_all = true; return MIEN_OK;
  case FORCE: options->force = true; return MIEN_OK;
  case NO_CACHE: options->no_cache = true; return MIEN_OK;
  default: return set_path(options, opt, value);
  }
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static bool has(const train_options *options, int opt) {
  return options->seen >> (opt == CLI_MAX_TOKENS ? 63 : opt - CLI_TUNE_OWN) & 1;
}

static int check_files(const train_options *options) {
  static const char *const names[] = {"--data", "--dev", "--test"};
  static const char *const embeddings[] = {"--embeddings", "--dev-embeddings", "--test-embeddings"};
  if (!options->paths[TRAIN_ROWS]) return cli_usage(TRAIN_COMMAND, "expected --data, the rows to learn from");
  if (!options->data.output) return cli_usage(TRAIN_COMMAND, "expected -o DIR, the folder to write");
  if (!options->paths[DEV_ROWS] && !options->folds)
    return cli_usage(TRAIN_COMMAND, "expected --dev or --cv: settings and thresholds are chosen by rows that were not "
                                    "learned from");
  for (int i = 0; i < TRAIN_SPLITS; i++) {
    if (options->embeddings[i] && !options->paths[i])
      return cli_usage(TRAIN_COMMAND, "option '%s' is for %s, which is missing", embeddings[i], names[i]);
    if (options->paths[i] && !options->embeddings[i] && !options->data.model.encoder)
      return cli_usage(TRAIN_COMMAND, "expected --encoder for the texts of %s, or %s", names[i], embeddings[i]);
    for (int k = 0; k < i; k++)
      if (options->paths[i] && options->paths[k] && cli_is_same_target(options->paths[i], options->paths[k]))
        return cli_usage(TRAIN_COMMAND,
                         "options '%s' and '%s' are the same file: figures of rows that were learned "
                         "from say nothing",
                         names[k], names[i]);
  }
  return MIEN_OK;
}

static int check(train_options *options) {
  const cli_model *model = &options->data.model;
  int code = check_files(options);
  if (code != MIEN_OK) return code;
  if (!model->encoder && (model->has_dtype || model->max_tokens))
    return cli_usage(TRAIN_COMMAND, "option '%s' is for --encoder, which is missing",
                     model->has_dtype ? "--dtype" : "--max-tokens");
  if (!options->soft.scores && (options->soft.labels_of || has(options, SOFT_WEIGHT)))
    return cli_usage(TRAIN_COMMAND, "option '%s' is for --soft, which is missing",
                     options->soft.labels_of ? "--labels-of" : "--soft-weight");
  if (!has(options, SOFT_WEIGHT)) options->soft_weight = 0.5;
  if (options->n_costs == 0) {
    options->n_costs = sizeof default_costs / sizeof *default_costs;
    memcpy(options->costs, default_costs, sizeof default_costs);
  }
  if (options->n_powers == 0) options->n_powers = 1; /* of 0: none */
  return cli_tune_finish(&options->tune, TRAIN_COMMAND);
}

int train_parse(train_options *options, int argc, char **argv) {
  int opt, code = MIEN_OK;
  options->argc = argc;
  options->argv = argv;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, CLI_DATA_SHORT, long_options, NULL)) != -1) {
    if (opt == '?' || opt == ':')
      code = cli_bad_option(TRAIN_COMMAND, opt, argv);
    else if (opt >= CLI_TUNE_OWN || opt == CLI_MAX_TOKENS)
      code = set_own(options, opt, optarg);
    else if (opt >= CLI_DATA_OWN)
      code = cli_tune_option(&options->tune, TRAIN_COMMAND, opt, optarg);
    else
      code = cli_data_option(&options->data, TRAIN_COMMAND, opt, optarg);
  }
  if (code == MIEN_OK && options->data.help) return help();
  if (code == MIEN_OK) code = cli_data_finish(&options->data, TRAIN_COMMAND, argc, argv);
  options->paths[TRAIN_ROWS] = options->data.path;
  options->embeddings[TRAIN_ROWS] = options->data.embeddings;
  return code == MIEN_OK ? check(options) : code;
}

const char *train_power_name(double power, char text[32]) {
  if (power == 0 || power == 1) return power == 0 ? "none" : "balanced";
  _Static_assert(MIEN_JSON_NUMBER_CHARS <= 32, "room for a number");
  return mien_json_show_number(power, text);
}

/* ---- As a command ------------------------------------------------------------------------------------------------ */

/* The option that "--name" or "--name=value" stands for, which may be shortened; NULL: none. */
static const struct option *find_option(const char *argument) {
  const size_t length = strcspn(argument + 2, "=");
  const struct option *found = NULL;
  for (const struct option *option = long_options; option->name; option++) {
    if (strncmp(option->name, argument + 2, length) != 0) continue;
    if (!found || strlen(option->name) == length) found = option;
  }
  return found;
}

/* Whether it changes nothing of what is written; `n` becomes the arguments that it takes up. */
static bool is_left_out(char *const *argument, int *n) {
  static const int left_out[] = {CLI_OUTPUT, CLI_THREADS, CLI_QUIET, FORCE, NO_CACHE};
  *n = 1;
  if (strncmp(*argument, "--", 2) != 0) { /* "-o DIR", "-oDIR", "-q", "-qoDIR" */
    const char *output = strchr(*argument, 'o');
    if (output && !output[1]) *n = 2;
    return true;
  }
  const struct option *option = find_option(*argument);
  if (!option) return false;
  if (option->has_arg == required_argument && !strchr(*argument, '=')) *n = 2;
  for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
    if (option->val == left_out[i]) return true;
  return false;
}

/* With quotes where a shell wants them. */
static void print_word(FILE *out, const char *word) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,:=@%+-";
  if (word[0] && strspn(word, plain) == strlen(word)) {
    fprintf(out, " %s", word);
    return;
  }
  fputs(" '", out);
  for (; *word; word++)
    if (*word == '\'')
      fputs("'\\''", out);
    else
      fputc(*word, out);
  fputc('\'', out);
}

char *train_command(const train_options *options) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out) return NULL;
  fputs("mien train", out);
  for (int i = 1, n = 1; i < options->argc; i += n) {
    if (is_left_out(options->argv + i, &n)) continue;
    for (int k = 0; k < n && i + k < options->argc; k++) print_word(out, options->argv[i + k]);
  }
  fputs(" -o DIR", out);
  const bool failed = ferror(out) != 0;
  if (fclose(out) == 0 && !failed) return text;
  free(text);
  return NULL;
}
