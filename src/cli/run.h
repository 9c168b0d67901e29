/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that take inputs through a model share: their options, the run itself, what it says. */
#ifndef MIEN_CLI_RUN_H
#define MIEN_CLI_RUN_H

#include "cli/cli.h"
#include "corpus/pipeline.h"

enum { CLI_MAX_SHARDS = 100000 };

/* Which of how many, from 1; none of 0 is the whole run. */
typedef struct cli_shard {
  unsigned index, count;
} cli_shard;

/* An output in parts. */
typedef struct cli_parts {
  int option; /* that asks for it; 0: none does */
  uint64_t rows;
  cli_shard shard;
  bool by_files, resumes;
  char folder[CLI_PATH_CHARS]; /* without slashes at its end */
} cli_parts;

typedef struct cli_run {
  const char *command;
  cli_model model;
  mien_input_format input_format;
  mien_text_options texts;
  mien_row_options rows;
  mien_run_options run;
  cli_parts parts;
  const char *output; /* NULL: stdout */
  const char *stats;  /* a file for what the run was and how it went; NULL: none */
  double log_every;   /* seconds between lines of progress, where stderr is no terminal */
  bool log_json;      /* progress and summary are JSON, a line each */
  char *const *inputs;
  size_t n_inputs;
  char **keep;     /* [rows.n_keep] the names that --keep lists */
  int text_option; /* an option that is for texts only, when one was given; else 0 */
  uint64_t seen;   /* options that were given, one bit each */
  bool quiet, help, has_format;
} cli_run;

/* ---- Options: getopt_long values of what the commands share; their own begin at CLI_RUN_OWN ------------------- */

enum {
  CLI_OUTPUT = 'o',
  CLI_QUIET = 'q',
  CLI_INPUT_FORMAT = CLI_OWN,
  CLI_OUTPUT_FORMAT,
  CLI_TEXT_FIELD,
  CLI_ID_FIELD,
  CLI_TEXT_COLUMN,
  CLI_ID_COLUMN,
  CLI_NO_HEADER,
  CLI_KEEP,
  CLI_MAX_TOKENS,
  CLI_ON_BAD_ROW,
  CLI_MAX_BAD_ROWS,
  CLI_PART_ROWS,
  CLI_SHARD,
  CLI_SHARD_BY,
  CLI_RESUME,
  CLI_STATS,
  CLI_LOG_FORMAT,
  CLI_LOG_EVERY,
  CLI_THREADS,
  CLI_NO_CACHE,
  CLI_LONG,
  CLI_POOL,
  CLI_OFFSETS,
  CLI_DEVICE,
  CLI_HELP,
  CLI_RUN_OWN,
};

/* clang-format off */
#define CLI_RUN_OPTIONS                                            \
  {"output", required_argument, NULL, CLI_OUTPUT},                 \
  {"quiet", no_argument, NULL, CLI_QUIET},                         \
  {"input-format", required_argument, NULL, CLI_INPUT_FORMAT},     \
  {"output-format", required_argument, NULL, CLI_OUTPUT_FORMAT},   \
  {"text-field", required_argument, NULL, CLI_TEXT_FIELD},         \
  {"id-field", required_argument, NULL, CLI_ID_FIELD},             \
  {"text-column", required_argument, NULL, CLI_TEXT_COLUMN},       \
  {"id-column", required_argument, NULL, CLI_ID_COLUMN},           \
  {"no-header", no_argument, NULL, CLI_NO_HEADER},                 \
  {"keep", required_argument, NULL, CLI_KEEP},                     \
  {"max-tokens", required_argument, NULL, CLI_MAX_TOKENS},         \
  {"on-bad-row", required_argument, NULL, CLI_ON_BAD_ROW},         \
  {"max-bad-rows", required_argument, NULL, CLI_MAX_BAD_ROWS},     \
  {"part-rows", required_argument, NULL, CLI_PART_ROWS},           \
  {"shard", required_argument, NULL, CLI_SHARD},                   \
  {"shard-by", required_argument, NULL, CLI_SHARD_BY},             \
  {"resume", no_argument, NULL, CLI_RESUME},                       \
  {"stats", required_argument, NULL, CLI_STATS},                   \
  {"log-format", required_argument, NULL, CLI_LOG_FORMAT},         \
  {"log-every", required_argument, NULL, CLI_LOG_EVERY},           \
  {"threads", required_argument, NULL, CLI_THREADS},               \
  {"help", no_argument, NULL, CLI_HELP}
/* Of those that run a model, and not its tokenizer alone. */
#define CLI_DEVICE_OPTIONS                                         \
  {"device", required_argument, NULL, CLI_DEVICE},                 \
  {"no-cache", no_argument, NULL, CLI_NO_CACHE}
/* Of those that give labels. */
#define CLI_LONG_OPTIONS                                           \
  {"long", required_argument, NULL, CLI_LONG},                     \
  {"pool", required_argument, NULL, CLI_POOL},                     \
  {"offsets", required_argument, NULL, CLI_OFFSETS}
/* clang-format on */

/* The lines of --help on inputs of text, on fields that are kept, on parts, on compressed outputs, on the device, on
 * equal texts, and on the run. */
extern const char cli_formats_help[], cli_fields_help[], cli_kept_help[], cli_parts_help[], cli_compression_help[],
    cli_device_help[], cli_cache_help[], cli_run_help[];

/* A name of an output format. */
typedef struct cli_format {
  const char *name; /* of --output-format */
  mien_output_format format;
} cli_format;

/*
 * Takes a shared option's value, a model's too; `formats` [n_formats] are those that the command writes. Returns the
 * exit code.
 */
int cli_run_option(cli_run *run, int opt, const char *value, const cli_format *formats, int n_formats);

/* Defaults, and the checks of options together; `argv` from optind on are the inputs. Returns the exit code. */
void cli_run_init(cli_run *run, const char *command);
int cli_run_finish_options(cli_run *run, int argc, char **argv);
void cli_run_free(cli_run *run);

/* Notes an option as given: a usage error the second time. Bits are those of the enumeration above from
 * CLI_INPUT_FORMAT on, CLI_OUTPUT's being 0. */
int cli_run_once(cli_run *run, int opt, const char *name);
bool cli_run_has(const cli_run *run, int opt);

/* Whether an option that is for texts is for those of INPUTs only, and not for one that the command line has too. */
bool cli_run_is_for_inputs(int opt);

/* "--keep" for CLI_KEEP; until the next call. */
const char *cli_run_name(int opt);

/* A usage error where an option is for a format that none of the inputs has. */
int cli_run_check_formats(const cli_run *run, const mien_inputs *inputs);

/* The place of `value` in a list of at most 8 names, or a usage error that shows the list. */
int cli_choose(const char *command, const char *option, const char *value, const char *const *names, int n,
               int *choice);

/* A whole number in a range, or a usage error. */
int cli_number(const char *command, const char *option, const char *value, uint64_t least, uint64_t most,
               uint64_t *out);

/* The format that the ending of an output's name says, that of a compressed one by what is before it; false when it
 * says none. */
bool cli_format_of(const char *path, mien_output_format *format);

/* ---- The run -------------------------------------------------------------------------------------------------- */

/* Columns of the terminal that is behind a descriptor; 80 where none is. */
size_t cli_terminal_columns(int fd);

/* Whether the run may write its output and the sidecar; a usage error where they would replace what the run reads. */
int cli_run_check_output(cli_run *run, const mien_inputs *inputs);

/* The same of the files of the model, `has_head` where one was opened: may `target` (NULL: stdout) be written? `name`
 * is for messages. */
int cli_check_model_output(cli_model *model, const char *command, bool has_head, const char *target, const char *name);

/* The same of figures of a model, which may lie in its folder, and of thresholds, which may replace those that it finds
 * there: only what it reads may not be written. */
int cli_check_figures_output(cli_model *model, const char *command, bool is_thresholds, const char *target);

/* The whole of a command that needs an encoder alone: inputs, model, output. Returns the exit code. */
int cli_run_encoder(cli_run *run);

/* Takes `inputs`, or the rows of `reader` where it is not NULL, through the model to the output, with progress and
 * summary. The reader is destroyed. Returns the exit code. */
int cli_run_all(cli_run *run, mien_model *model, const mien_inputs *inputs, mien_reader *reader);

/* Makes the reader of `inputs`, of all rows or of a range. */
MIEN_MUST_USE mien_status cli_run_open_reader(cli_run *run, const mien_model *model, const mien_inputs *inputs,
                                              const mien_row_range *range, mien_reader **reader, mien_error *error);

/* Takes the reader's rows through the model into `writer` with progress, on success summary, and statistics of what was
 * written, which are there after a failure too. */
MIEN_MUST_USE mien_status cli_run_reader(cli_run *run, mien_model *model, mien_reader *reader, mien_writer *writer,
                                         mien_run_summary *summary, mien_error *error);

/* The run of an output in parts: a folder with a manifest. Returns the exit code. */
int cli_run_in_parts(cli_run *run, mien_model *model, const mien_inputs *inputs);

#endif
