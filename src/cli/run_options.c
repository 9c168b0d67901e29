/* SPDX-License-Identifier: Apache-2.0 */
/* The options of commands that take inputs through a model, checked as far as they can be without one. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "cli/run.h"

const char cli_formats_help[] =
    "  --input-format FORMAT what the inputs are, whatever their endings, and all files of folders; stdin is text\n"
    "                        unless this says otherwise"
#ifndef __EMSCRIPTEN__
    ". What is gzip or Zstandard by its first bytes is read as\n"
    "                        what is in it, whatever its name; .jsonl.gz, .csv.zst and so on are endings too"
#endif
    "\n"
    "    text                .txt .text: a line a row, empty lines too\n"
    "    jsonl               .jsonl .ndjson: an object a line; empty lines are no rows\n"
    "    csv                 .csv: RFC 4180 with a header; empty lines are no rows\n"
    "    tsv                 .tsv: tab-separated with a header and no quotes: every tab and line end is one\n";

const char cli_fields_help[] =
    "  --text-field NAME     jsonl: the text, a string. Default: text\n"
    "  --text-column NAME    csv, tsv: a name of the header, or a number from 0. Default: text; without header: 0\n"
    "  --no-header           csv, tsv: the first row is a row as the others\n"
    "                        a row of more than 16 MiB, or of JSON with more than 262144 values, is a bad one\n";

const char cli_kept_help[] =
    "  --id-field NAME       jsonl: this field is the output's id, a JSON value of any type\n"
    "  --id-column NAME      csv, tsv: this column is; a name of the header, or a number from 0\n"
    "  --keep FIELD,...|all  copies these fields (jsonl) or columns (csv, tsv) to the output, JSON values byte for "
    "byte;\n"
    "                        all: those of each row but text and id, in jsonl output. One that is called as something\n"
    "                        of the output's own (row, file, id, labels, scores, ...) gets input_ before its name\n";

#ifdef __EMSCRIPTEN__
const char cli_compression_help[] = "";
const char cli_parts_help[] = "";
#else
const char cli_compression_help[] =
    "                        FORMAT.gz and FORMAT.zst, and a FILE that ends so, are compressed\n";
const char cli_parts_help[] =
    "  --part-rows N         writes a folder instead of a file, with parts of N rows and a manifest that lists those\n"
    "                        that are done. Default with the options below: 100000. 'mien merge' makes one file of it\n"
    "  --resume              goes on with a folder's run that was interrupted, or begins it\n"
    "  --shard I/N           does the I-th of N shares of the rows, from 1; all may share a folder\n"
    "  --shard-by rows|files shares are ranges of rows, or of whole files with about as many bytes. Default: rows\n";
#endif

const char cli_cache_help[] =
    "  --no-cache            run equal texts as often as they come, and not once; the output is the same\n";

const char cli_run_help[] =
    "  --on-bad-row mark|fail\n"
    "                        rows without a text, or not finite: mark them and go on, or stop at the first with exit\n"
    "                        code 3 and no output file. Default: mark\n"
    "  --max-bad-rows N      stop with exit code 3 and no output file at more than N bad rows. Default: no limit\n"
    "  --threads N           1 to 1024. Default: all CPUs that this process may use\n"
    "  --stats FILE          writes counts, label counts, histograms of scores, times by stage and what the run "
    "waited\n"
    "                        for as JSON, of what this run wrote; also when it is interrupted or fails\n"
    "  --log-format text|json\n"
    "                        json: progress and summary are a JSON object a line on stderr. Default: text\n"
    "  --log-every N         seconds between lines of progress where stderr is no terminal. Default: 30\n"
    "  -q, --quiet           no progress, no summary on stderr\n"
    "  --help                show this\n"
    "\n"
    "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory, disk or device missing, 5 interrupted.\n";

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static uint64_t bit_of(int opt) { return UINT64_C(1) << (opt == CLI_OUTPUT ? 0 : opt - CLI_INPUT_FORMAT + 1); }

int cli_run_once(cli_run *run, int opt, const char *name) {
  if (cli_run_has(run, opt)) return cli_usage(run->command, "option '%s' is given twice", name);
  run->seen |= bit_of(opt);
  return MIEN_OK;
}

bool cli_run_has(const cli_run *run, int opt) { return (run->seen & bit_of(opt)) != 0; }

int cli_choose(const char *command, const char *option, const char *value, const char *const *names, int n,
               int *choice) {
  for (int i = 0; i < n; i++) {
    if (strcmp(value, names[i]) != 0) continue;
    *choice = i;
    return MIEN_OK;
  }
  char list[128] = "";
  for (int i = 0; i < n; i++) {
    if (i) strcat(list, "|");
    strcat(list, names[i]);
  }
  return cli_usage(command, "option '%s': expected %s, found '%s'", option, list, value);
}

int cli_number(const char *command, const char *option, const char *value, uint64_t least, uint64_t most,
               uint64_t *out) {
  if (cli_parse_uint(value, least, most, out)) return MIEN_OK;
  if (most == UINT64_MAX)
    return cli_usage(command, "option '%s': expected a whole number, at least %" PRIu64 ", found '%s'", option, least,
                     value);
  return cli_usage(command, "option '%s': expected a whole number from %" PRIu64 " to %" PRIu64 ", found '%s'", option,
                   least, most, value);
}

bool cli_format_of(const char *path, mien_output_format *format) {
  static const struct {
    const char *ending;
    mien_output_format format;
  } endings[] = {{".jsonl", MIEN_OUTPUT_JSONL}, {".ndjson", MIEN_OUTPUT_JSONL},  {".csv", MIEN_OUTPUT_CSV},
                 {".bits", MIEN_OUTPUT_BITS},   {".bits.npy", MIEN_OUTPUT_BITS}, {".npy", MIEN_OUTPUT_NPY},
                 {".f32", MIEN_OUTPUT_F32}};
  size_t length;
  char name[CLI_PATH_CHARS];
  mien_compression_of_name(path, &length);
  if (length >= sizeof name) return false;
  memcpy(name, path, length);
  name[length] = '\0';
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    if (!mien_path_ends_with(name, endings[i].ending)) continue;
    *format = endings[i].format;
    return true;
  }
  return false;
}

/* ---- Single options ---------------------------------------------------------------------------------------------- */

static int set_output(cli_run *run, const char *value) {
  if (value[0] == '\0') return cli_usage(run->command, "option '--output': expected a path, found nothing");
  /* Not opened by its name: where stdout is a file, it is written where it stands. */
  run->output = strcmp(value, "-") == 0 || strcmp(value, "/dev/stdout") == 0 ? NULL : value;
  return MIEN_OK;
}

static int set_input_format(cli_run *run, const char *value) {
  static const mien_input_format formats[] = {MIEN_INPUT_TEXT, MIEN_INPUT_JSONL, MIEN_INPUT_CSV,
                                              MIEN_INPUT_TSV,  MIEN_INPUT_NPY,   MIEN_INPUT_F32};
  const char *names[sizeof formats / sizeof *formats];
  int choice = 0;
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) names[i] = mien_input_format_name(formats[i]);
  /* A command that makes embeddings or tokens reads texts. */
  int code =
      cli_choose(run->command, "--input-format", value, names, run->rows.content == MIEN_ROWS_LABELS ? 6 : 4, &choice);
  run->input_format = formats[choice];
  return code;
}

static int set_output_format(cli_run *run, const char *value, const cli_format *formats, int n) {
  const char *names[8];
  int choice = 0;
  size_t length;
  run->rows.compression = mien_compression_of_name(value, &length);
  for (int i = 0; i < n; i++) names[i] = formats[i].name;
  for (int i = 0; i < n; i++) {
    if (strncmp(value, names[i], length) != 0 || names[i][length] != '\0') continue;
    value = names[i];
    break;
  }
  int code = cli_choose(run->command, "--output-format", value, names, n, &choice);
  run->rows.format = formats[choice].format;
  run->has_format = true;
  return code;
}

static int add_kept(cli_run *run, const char *name, size_t length) {
  size_t n = run->rows.n_keep;
  if (length == 0) return cli_usage(run->command, "option '--keep': expected FIELD,... or all, found an empty name");
  for (size_t i = 0; i < n; i++)
    if (strlen(run->keep[i]) == length && memcmp(run->keep[i], name, length) == 0)
      return cli_usage(run->command, "option '--keep': '%s' is given twice", run->keep[i]);
  char **keep = realloc(run->keep, (n + 1) * sizeof *keep);
  if (keep) run->keep = keep;
  char *copy = keep ? mien_copy_text(name, length) : NULL;
  if (!copy) {
    fprintf(stderr, "mien: %s: out of memory\n", run->command);
    return MIEN_RESOURCE;
  }
  keep[n] = copy;
  run->rows.n_keep = n + 1;
  return MIEN_OK;
}

static int set_keep(cli_run *run, const char *value) {
  int code = MIEN_OK;
  if (strcmp(value, "all") == 0) {
    run->texts.keep_all = true;
    return code;
  }
  for (const char *at = value;; at++) {
    size_t length = strcspn(at, ",");
    code = add_kept(run, at, length);
    at += length;
    if (code != MIEN_OK || *at == '\0') return code;
  }
}

bool cli_run_is_for_inputs(int opt) { return opt != CLI_MAX_TOKENS && opt != CLI_NO_CACHE; }

static int set_long_option(cli_run *run, int opt, const char *value) {
  static const char *const longs[] = {"truncate", "split"}, *const pools[] = {"max", "mean"},
                           *const offsets[] = {"bytes", "chars"};
  int choice = 0;
  const int code = cli_choose(run->command, cli_run_name(opt), value,
                              opt == CLI_LONG   ? longs
                              : opt == CLI_POOL ? pools
                                                : offsets,
                              2, &choice);
  if (opt == CLI_LONG) run->rows.splits = choice == 1;
  if (opt == CLI_POOL) run->rows.pooling = choice == 1 ? MIEN_SPANS_MEAN : MIEN_SPANS_MAX;
  if (opt == CLI_OFFSETS) run->rows.counts_characters = choice == 1;
  return code;
}

static int set_text_option(cli_run *run, int opt, const char *value) {
  uint64_t tokens = 0;
  int code;
  if (!run->text_option || cli_run_is_for_inputs(opt)) run->text_option = opt;
  if (value && value[0] == '\0')
    return cli_usage(run->command, "option '%s': expected a value, found nothing", cli_run_name(opt));
  switch (opt) {
  case CLI_TEXT_FIELD: run->texts.text_field = value; break;
  case CLI_ID_FIELD: run->texts.id_field = value; break;
  case CLI_TEXT_COLUMN: run->texts.text_column = value; break;
  case CLI_ID_COLUMN: run->texts.id_column = value; break;
  case CLI_NO_HEADER: run->texts.no_header = true; break;
  case CLI_NO_CACHE: run->run.no_cache = true; break;
  case CLI_KEEP: return set_keep(run, value);
  case CLI_LONG:
  case CLI_POOL:
  case CLI_OFFSETS: return set_long_option(run, opt, value);
  default:
    code = cli_number(run->command, "--max-tokens", value, 3, UINT32_MAX, &tokens);
    run->rows.max_tokens = (size_t)tokens;
    run->model.max_tokens = (uint32_t)tokens;
    return code;
  }
  return MIEN_OK;
}

static int set_shard(cli_run *run, const char *value) {
  uint64_t index = 0, count = 0;
  char text[16];
  const char *slash = strchr(value, '/');
  const size_t length = slash ? (size_t)(slash - value) : sizeof text;
  if (length < sizeof text && snprintf(text, sizeof text, "%.*s", (int)length, value) > 0 &&
      cli_parse_uint(slash + 1, 1, CLI_MAX_SHARDS, &count) && cli_parse_uint(text, 1, count, &index)) {
    run->parts.shard = (cli_shard){(unsigned)index, (unsigned)count};
    return MIEN_OK;
  }
  return cli_usage(run->command, "option '--shard': expected I/N with I from 1 to N and N to %d, found '%s'",
                   CLI_MAX_SHARDS, value);
}

static int set_part_option(cli_run *run, int opt, const char *value) {
  static const char *const by[] = {"rows", "files"};
  int choice = 0, code = MIEN_OK;
  if (!run->parts.option || opt != CLI_SHARD_BY) run->parts.option = opt;
  switch (opt) {
  case CLI_PART_ROWS: return cli_number(run->command, "--part-rows", value, 1, UINT32_MAX, &run->parts.rows);
  case CLI_SHARD: return set_shard(run, value);
  case CLI_SHARD_BY:
    code = cli_choose(run->command, "--shard-by", value, by, 2, &choice);
    run->parts.by_files = choice == 1;
    return code;
  default: run->parts.resumes = true; return code;
  }
}

static int set_log_option(cli_run *run, int opt, const char *value) {
  enum { DAY = 86400 };
  static const char *const formats[] = {"text", "json"};
  uint64_t seconds = 0;
  int choice = 0, code = MIEN_OK;
  switch (opt) {
  case CLI_STATS:
    run->stats = value;
    return value[0] ? code : cli_usage(run->command, "option '--stats': expected a path, found nothing");
  case CLI_LOG_FORMAT:
    code = cli_choose(run->command, "--log-format", value, formats, 2, &choice);
    run->log_json = choice == 1;
    return code;
  default:
    code = cli_number(run->command, "--log-every", value, 1, DAY, &seconds);
    run->log_every = (double)seconds;
    return code;
  }
}

static int set_run_option(cli_run *run, int opt, const char *value) {
  static const char *const on_bad_row[] = {"mark", "fail"};
  uint64_t found = 0;
  int choice = 0, code;
  switch (opt) {
  case CLI_ON_BAD_ROW:
    code = cli_choose(run->command, "--on-bad-row", value, on_bad_row, 2, &choice);
    run->run.fail_on_bad = choice == 1;
    return code;
  case CLI_MAX_BAD_ROWS: return cli_number(run->command, "--max-bad-rows", value, 0, UINT64_MAX, &run->run.max_bad);
  default:
    code = cli_number(run->command, "--threads", value, 1, CLI_MAX_THREADS, &found);
    run->run.threads = (unsigned)found;
    return code;
  }
}

const char *cli_run_name(int opt) {
  static const struct option options[] = {CLI_RUN_OPTIONS, CLI_DEVICE_OPTIONS, CLI_LONG_OPTIONS};
  static char name[32];
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (options[i].val == opt) snprintf(name, sizeof name, "--%s", options[i].name);
  return name;
}

int cli_run_option(cli_run *run, int opt, const char *value, const cli_format *formats, int n_formats) {
  if (opt < CLI_OWN && opt != CLI_OUTPUT && opt != CLI_QUIET)
    return cli_model_option(&run->model, run->command, opt, value);
  if (opt == CLI_QUIET || opt == CLI_HELP) {
    *(opt == CLI_QUIET ? &run->quiet : &run->help) = true;
    return MIEN_OK;
  }
  int code = cli_run_once(run, opt, cli_run_name(opt));
  if (code != MIEN_OK) return code;
  switch (opt) {
  case CLI_OUTPUT: return set_output(run, value);
  case CLI_INPUT_FORMAT: return set_input_format(run, value);
  case CLI_DEVICE: return cli_device_parse(run->command, value, true, &run->run.device, &run->run.ordinal);
  case CLI_OUTPUT_FORMAT: return set_output_format(run, value, formats, n_formats);
  case CLI_ON_BAD_ROW:
  case CLI_MAX_BAD_ROWS:
  case CLI_THREADS: return set_run_option(run, opt, value);
  case CLI_STATS:
  case CLI_LOG_FORMAT:
  case CLI_LOG_EVERY: return set_log_option(run, opt, value);
  case CLI_PART_ROWS:
  case CLI_SHARD:
  case CLI_SHARD_BY:
  case CLI_RESUME: return set_part_option(run, opt, value);
  default: break;
  }
  return set_text_option(run, opt, value);
}

/* ---- All options together ---------------------------------------------------------------------------------------- */

void cli_run_init(cli_run *run, const char *command) {
  enum { USUAL_SECONDS = 30 };
  *run = (cli_run){.command = command, .run.max_bad = UINT64_MAX, .log_every = USUAL_SECONDS};
}

/* As --output-format says, else as the output's name ends. */
static int choose_compression(cli_run *run) {
  size_t length;
  if (run->rows.compression == MIEN_PLAIN && run->output)
    run->rows.compression = mien_compression_of_name(run->output, &length);
  if (run->rows.compression == MIEN_PLAIN) return MIEN_OK;
#ifdef __EMSCRIPTEN__
  return cli_usage(run->command, "compressed output is not in mien-wasm: the native mien has it");
#endif
  if (run->output || !isatty(STDOUT_FILENO)) return MIEN_OK;
  return cli_usage(run->command, "a terminal can't show compressed output: use -o FILE");
}

static int check_parts(cli_run *run) {
  enum { USUAL_ROWS = 100000 };
  cli_parts *parts = &run->parts;
  if (!parts->option) return MIEN_OK;
  const char *name = cli_run_name(parts->option);
#ifdef __EMSCRIPTEN__
  return cli_usage(run->command, "option '%s' is not in mien-wasm: the native mien has it", name);
#endif
  if (run->n_inputs == 0) return cli_usage(run->command, "option '%s' is for INPUTs", name);
  if (!run->output) return cli_usage(run->command, "option '%s' needs a folder to write: use -o FOLDER", name);
  if (cli_run_has(run, CLI_SHARD_BY) && !cli_run_has(run, CLI_SHARD))
    return cli_usage(run->command, "option '--shard-by' is for '--shard'");
  if (!parts->rows) parts->rows = USUAL_ROWS;
  size_t length = strlen(run->output);
  while (length > 1 && run->output[length - 1] == '/') length--;
  if (snprintf(parts->folder, sizeof parts->folder, "%.*s", (int)length, run->output) >= (int)sizeof parts->folder)
    return cli_usage(run->command, "%s: the path is too long", run->output);
  run->output = parts->folder;
  return MIEN_OK;
}

int cli_run_finish_options(cli_run *run, int argc, char **argv) {
  run->inputs = argv + optind;
  run->n_inputs = (size_t)(argc - optind);
  if (!cli_run_has(run, CLI_THREADS)) run->run.threads = mien_cpu_count();
  if (run->run.threads > CLI_MAX_THREADS) run->run.threads = CLI_MAX_THREADS;
  const char *no_color = getenv("NO_COLOR");
  run->rows.colour = isatty(STDOUT_FILENO) && !(no_color && no_color[0]);
  run->rows.columns = cli_terminal_columns(STDOUT_FILENO);
  run->texts.keep = run->rows.keep = (const char *const *)run->keep;
  run->texts.n_keep = run->rows.n_keep;
  run->rows.has_id = run->texts.id_field || run->texts.id_column;
  if (run->run.fail_on_bad && cli_run_has(run, CLI_MAX_BAD_ROWS))
    return cli_usage(run->command, "options '--on-bad-row fail' and '--max-bad-rows' exclude each other");
  int code = check_parts(run);
  if (code == MIEN_OK) code = choose_compression(run);
  if (code != MIEN_OK) return code;
  return run->run.device == MIEN_DEVICE_CUDA ? cli_device_find_libraries(run->command) : MIEN_OK;
}

void cli_run_free(cli_run *run) {
  for (size_t i = 0; i < run->rows.n_keep; i++) mien_free(run->keep[i]);
  free(run->keep);
  cli_model_free(&run->model);
}
