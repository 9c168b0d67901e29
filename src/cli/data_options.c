/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that read labelled data share: their options, and how data, embeddings and models are loaded. */
#include "cli/data_options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "corpus/output.h"

const char cli_data_help[] =
    "  --input-format csv|tsv|jsonl\n"
    "                        what the data is, whatever its ending. csv and tsv (no quotes) have a header where a\n"
    "                        column of the first row is called labels, or as an option below says; without one the\n"
    "                        columns are text, labels and id. Labels are names or numbers from 0; in jsonl a list of "
    "them\n"
    "  --data-labels FILE    a label a line: what numbers in the data stand for. Default: labels.txt beside the data\n"
    "  --label-separator C   between labels of csv and tsv, one character. Default: a comma\n"
    "  --text-column NAME, --label-column NAME, --id-column NAME\n"
    "                        csv, tsv: a name of the header, or a number from 0. Default: text, labels, id\n"
    "  --text-field NAME, --label-field NAME, --id-field NAME\n"
    "                        jsonl: the same. Default: text, labels, id\n";

const char cli_seed_help[] = "  --seed N              of all random choices, a whole number. Default: 0\n";

const char cli_data_run_help[] =
    "  --threads N           1 to 1024; results are the same for any number. Default: all CPUs of this process\n"
    "  -q, --quiet           no progress, no summary on stderr\n"
    "  --help                show this\n"
    "\n"
    "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory, disk or device missing, 5 interrupted.\n";

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static uint64_t bit_of(int opt) { return UINT64_C(1) << (opt == CLI_OUTPUT ? 0 : opt - CLI_OWN + 1); }

_Static_assert(CLI_DATA_OWN - CLI_OWN < 64, "an option a bit");

static const char *name_of(int opt) {
  static const struct option options[] = {CLI_DATA_OPTIONS};
  static char name[32];
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (options[i].val == opt) snprintf(name, sizeof name, "--%s", options[i].name);
  return name;
}

bool cli_data_has(const cli_data *data, int opt) { return (data->seen & bit_of(opt)) != 0; }

static int set_format(cli_data *data, const char *command, const char *value) {
  static const char *const names[] = {"csv", "tsv", "jsonl"};
  static const mien_input_format formats[] = {MIEN_INPUT_CSV, MIEN_INPUT_TSV, MIEN_INPUT_JSONL};
  int choice = 0;
  const int code = cli_choose(command, "--input-format", value, names, 3, &choice);
  data->format = formats[choice];
  return code;
}

static int set_number(cli_data *data, const char *command, int opt, const char *value) {
  uint64_t number = 0;
  if (opt == CLI_SEED) return cli_number(command, "--seed", value, 0, UINT64_MAX, &data->seed);
  const int code = cli_number(command, "--threads", value, 1, CLI_MAX_THREADS, &number);
  data->threads = (unsigned)number;
  return code;
}

static int set_separator(cli_data *data, const char *command, const char *value) {
  if (strlen(value) != 1)
    return cli_usage(command, "option '--label-separator': expected one character, found '%s'", value);
  data->separator = value[0];
  return MIEN_OK;
}

static void set_text(cli_data *data, int opt, const char *value) {
  switch (opt) {
  case CLI_DATA: data->path = value; break;
  case CLI_DATA_LABELS: data->labels_path = value; break;
  case CLI_EMBEDDINGS: data->embeddings = value; break;
  case CLI_TEXT_FIELD: data->text_field = value; break;
  case CLI_LABEL_FIELD: data->label_field = value; break;
  case CLI_ID_FIELD: data->id_field = value; break;
  case CLI_TEXT_COLUMN: data->text_column = value; break;
  case CLI_LABEL_COLUMN: data->label_column = value; break;
  case CLI_ID_COLUMN: data->id_column = value; break;
  default: /* CLI_OUTPUT: stdout is written where it stands */
    data->output = strcmp(value, "-") == 0 || strcmp(value, "/dev/stdout") == 0 ? NULL : value;
  }
}

int cli_data_option(cli_data *data, const char *command, int opt, const char *value) {
  if (opt == CLI_QUIET || opt == CLI_HELP) {
    *(opt == CLI_QUIET ? &data->quiet : &data->help) = true;
    return MIEN_OK;
  }
  if (opt < CLI_OWN && opt != CLI_OUTPUT) return cli_model_option(&data->model, command, opt, value);
  if (opt >= CLI_DATA_OWN) return cli_usage(command, "unknown option");
  if (cli_data_has(data, opt)) return cli_usage(command, "option '%s' is given twice", name_of(opt));
  data->seen |= bit_of(opt);
  switch (opt) {
  case CLI_INPUT_FORMAT: return set_format(data, command, value);
  case CLI_SEED:
  case CLI_THREADS: return set_number(data, command, opt, value);
  case CLI_LABEL_SEPARATOR: return set_separator(data, command, value);
  default: break;
  }
  if (value[0] == '\0') return cli_usage(command, "option '%s': expected a value, found nothing", name_of(opt));
  set_text(data, opt, value);
  return MIEN_OK;
}

int cli_data_finish(cli_data *data, const char *command, int argc, char **argv) {
  if (optind < argc) return cli_usage(command, "expected options only, found '%s'", argv[optind]);
  if (data->threads == 0) data->threads = mien_cpu_count();
  if (data->threads > CLI_MAX_THREADS) data->threads = CLI_MAX_THREADS;
  return MIEN_OK;
}

void cli_data_free(cli_data *data) { cli_model_free(&data->model); }

/* ---- Labelled data ----------------------------------------------------------------------------------------------- */

static int out_of_memory(const char *command) {
  fprintf(stderr, "mien: %s: out of memory\n", command);
  return MIEN_RESOURCE;
}

/* "labels.txt" in the folder of `path`; false when it is not there. */
static bool find_labels_beside(const char *path, char found[CLI_PATH_CHARS]) {
  const char *slash = strrchr(path, '/');
  const int folder_bytes = slash ? (int)(slash - path) + 1 : 0;
  return strcmp(path, "-") != 0 &&
         snprintf(found, CLI_PATH_CHARS, "%.*slabels.txt", folder_bytes, path) < CLI_PATH_CHARS && cli_exists(found);
}

int cli_data_numbered(const cli_data *data, const char *command, const char *path, mien_label_set *labels) {
  char beside[CLI_PATH_CHARS];
  mien_error error;
  *labels = (mien_label_set){0};
  const char *from = data->labels_path ? data->labels_path : find_labels_beside(path, beside) ? beside : NULL;
  if (!from) return MIEN_OK;
  return mien_label_set_read(from, labels, &error) == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

int cli_data_share_labels(cli_data *data, const char *command, const char *first, char found[CLI_PATH_CHARS]) {
  mien_label_set own = {0};
  if (data->labels_path) return MIEN_OK;
  const int code = cli_data_numbered(data, command, data->path, &own);
  if (code == MIEN_OK && own.n == 0 && find_labels_beside(first, found)) data->labels_path = found;
  mien_label_set_free(&own);
  return code;
}

static bool is_jsonl(const cli_data *data, const char *path) {
  if (data->format != MIEN_INPUT_BY_ENDING) return data->format == MIEN_INPUT_JSONL;
  return mien_input_format_of(path) == MIEN_INPUT_JSONL;
}

/* An option for the other format may not be passed over in silence; together with this one's it is for other data. */
static int check_places(const cli_data *data, const char *command, const char *path, bool is_fields) {
  static const int fields[] = {CLI_TEXT_FIELD, CLI_LABEL_FIELD, CLI_ID_FIELD};
  static const int columns[] = {CLI_TEXT_COLUMN, CLI_LABEL_COLUMN, CLI_ID_COLUMN};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    const int own = is_fields ? fields[i] : columns[i], other = is_fields ? columns[i] : fields[i];
    if (cli_data_has(data, other) && !cli_data_has(data, own))
      return cli_usage(command, "option '%s' is for data of %s; %s is none", name_of(other),
                       is_fields ? "csv and tsv" : "jsonl", mien_input_name(path));
  }
  return MIEN_OK;
}

int cli_data_read(const cli_data *data, const char *command, const char *path, const mien_label_set *known,
                  mien_examples *examples) {
  mien_label_set numbered;
  mien_error error;
  const bool is_fields = is_jsonl(data, path);
  int code = check_places(data, command, path, is_fields);
  if (code != MIEN_OK) return code;
  code = cli_data_numbered(data, command, path, &numbered);
  const mien_example_options options = {
      .format = data->format,
      .text = is_fields ? data->text_field : data->text_column,
      .labels = is_fields ? data->label_field : data->label_column,
      .id = is_fields ? data->id_field : data->id_column,
      .without_texts = data->without_texts || data->embeddings,
      .separator = data->separator,
      .known = known,
      .numbered = numbered.n ? &numbered : NULL,
      .cancel = &cli_cancelled,
  };
  if (code == MIEN_OK && mien_examples_read(path, &options, examples, &error) != MIEN_OK)
    code = cli_report(command, &error);
  mien_label_set_free(&numbered);
  return code;
}

/* ---- Embeddings and scores --------------------------------------------------------------------------------------- */

typedef struct progress {
  double start, shown;
} progress;

static void show_progress(void *user, size_t rows_done, size_t n_rows) {
  static const double every_seconds = 0.2;
  progress *p = user;
  const double now = cli_now();
  if (now - p->shown < every_seconds) return;
  p->shown = now;
  fprintf(stderr, "\r\x1b[K%zu rows of %zu (%.0f%%), %.0f rows/s", rows_done, n_rows,
          100 * (double)rows_done / (double)n_rows, (double)rows_done / (now - p->start));
}

typedef enum work { EMBED_TEXTS, SCORE_TEXTS, SCORE_EMBEDDINGS } work;

static int run_model(const cli_data *data, const char *command, mien_model *model, work what,
                     const mien_examples *examples, const mien_floats *embeddings, mien_floats *out) {
  progress shown = {.start = cli_now()};
  shown.shown = shown.start;
  const bool shows = !data->quiet && isatty(STDERR_FILENO);
  const mien_floats_options options = {.threads = data->threads,
                                       .cancel = &cli_cancelled,
                                       .progress = shows ? show_progress : NULL,
                                       .progress_user = &shown};
  mien_error error;
  mien_status status;
  switch (what) {
  case EMBED_TEXTS: status = mien_floats_embed(model, examples->texts, examples->n_rows, &options, out, &error); break;
  case SCORE_TEXTS:
    status = mien_floats_score_texts(model, examples->texts, examples->n_rows, &options, out, &error);
    break;
  default: status = mien_floats_score(model, embeddings, &options, out, &error); break;
  }
  if (shown.shown > shown.start) fprintf(stderr, "\r\x1b[K");
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

static int read_embeddings(const char *command, const char *path, const mien_model *model,
                           const mien_examples *examples, mien_floats *rows) {
  mien_error error;
  const mien_status status =
      mien_floats_read(path, examples->n_rows, model ? mien_model_dim(model) : 0, &cli_cancelled, rows, &error);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

int cli_data_embed(const cli_data *data, const char *command, mien_model *model, const char *embeddings,
                   const mien_examples *examples, mien_floats *rows) {
  if (embeddings) return read_embeddings(command, embeddings, model, examples, rows);
  return run_model(data, command, model, EMBED_TEXTS, examples, NULL, rows);
}

int cli_data_score(const cli_data *data, const char *command, mien_model *model, const mien_examples *examples,
                   mien_floats *scores) {
  if (!data->embeddings) return run_model(data, command, model, SCORE_TEXTS, examples, NULL, scores);
  mien_floats rows = {0};
  int code = read_embeddings(command, data->embeddings, model, examples, &rows);
  if (code == MIEN_OK) code = run_model(data, command, model, SCORE_EMBEDDINGS, examples, &rows, scores);
  mien_floats_free(&rows);
  return code;
}

/* ---- Models and outputs ------------------------------------------------------------------------------------------ */

int cli_data_open_model(cli_data *data, const char *command, mien_model **model) {
  return cli_model_open(&data->model, command, data->embeddings ? CLI_USE_HEAD : CLI_USE_BOTH, model);
}

int cli_data_labels_of(const mien_model *model, const char *command, mien_label_set *labels) {
  const size_t n = mien_model_label_count(model);
  *labels = (mien_label_set){.names = mien_alloc(n, sizeof *labels->names), .n = n};
  if (!labels->names) return out_of_memory(command);
  for (size_t i = 0; i < n; i++) {
    const char *name = mien_model_label_name(model, i);
    labels->names[i] = mien_copy_text(name, strlen(name));
    if (!labels->names[i]) return out_of_memory(command);
  }
  return MIEN_OK;
}

/* Device, inode and name that a file of this path has, or would have; false where its folder isn't there. */
static bool place_of(const char *path, struct stat *folder, const char **name) {
  char parent[CLI_PATH_CHARS];
  const char *slash = strrchr(path, '/');
  *name = slash ? slash + 1 : path;
  const int bytes = slash ? (int)(slash - path) + 1 : 0;
  return snprintf(parent, sizeof parent, "%.*s", bytes ? bytes : 1, bytes ? path : ".") < (int)sizeof parent &&
         stat(parent, folder) == 0;
}

bool cli_is_same_target(const char *a, const char *b) {
  struct stat folder_a, folder_b;
  const char *name_a, *name_b;
  if (!a || !b) return a == b;
  if (strcmp(a, b) == 0 || mien_output_is_same_file(a, b)) return true;
  return place_of(a, &folder_a, &name_a) && place_of(b, &folder_b, &name_b) && strcmp(name_a, name_b) == 0 &&
         folder_a.st_dev == folder_b.st_dev && folder_a.st_ino == folder_b.st_ino;
}

static int check_input(const char *command, const char *output, const char *input) {
  if (!input || !mien_output_is_same_file(output, input)) return MIEN_OK;
  return cli_usage(command, "%s: the output is the same file as the input %s", output ? output : "stdout",
                   mien_input_name(input));
}

int cli_data_check_output(const cli_data *data, const char *command, const char *output, const char *const *files,
                          size_t n) {
  char beside[CLI_PATH_CHARS];
  const bool has_beside = data->path && !data->labels_path && find_labels_beside(data->path, beside);
  const char *own[] = {data->path, data->embeddings, data->labels_path, has_beside ? beside : NULL};
  int code = MIEN_OK;
  for (size_t i = 0; i < sizeof own / sizeof *own && code == MIEN_OK; i++) code = check_input(command, output, own[i]);
  for (size_t i = 0; i < n && code == MIEN_OK; i++) code = check_input(command, output, files[i]);
  return code;
}
