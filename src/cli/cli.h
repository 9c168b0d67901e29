/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: errors, numbers, the model's options, signals. */
#ifndef MIEN_CLI_CLI_H
#define MIEN_CLI_CLI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mien/mien.h"

/* ---- Commands: argv[0] is the command's name; each returns the exit code ------------------------------------- */

int cli_label(int argc, char **argv);
int cli_embed(int argc, char **argv);
int cli_tokenize(int argc, char **argv);
int cli_merge(int argc, char **argv);
int cli_report_results(int argc, char **argv); /* `mien report`; cli_report is of errors */
int cli_inspect(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_pull(int argc, char **argv);
int cli_pack(int argc, char **argv);
int cli_calibrate(int argc, char **argv);
int cli_clean(int argc, char **argv);
int cli_evaluate(int argc, char **argv);
int cli_thresholds(int argc, char **argv);
int cli_train(int argc, char **argv);

/* ---- Errors -------------------------------------------------------------------------------------------------- */

/* "mien: COMMAND: …" and where help is, on stderr, fit for a terminal as mien_fail's are; returns MIEN_ARGUMENT. */
__attribute__((format(printf, 2, 3))) int cli_usage(const char *command, const char *format, ...);

/* "mien: MESSAGE" on stderr, with the hint of cli_usage where the call was wrong; returns the error's code. */
int cli_report(const char *command, const mien_error *error);

/* What getopt_long did not take: says which option, returns MIEN_ARGUMENT. `opt` is its result, '?' or ':'. */
int cli_bad_option(const char *command, int opt, char **argv);

/* Flushes what was printed; a failure is reported. Returns the exit code. */
int cli_flush_stdout(void);

/* ---- Files ---------------------------------------------------------------------------------------------------- */

enum { CLI_PATH_CHARS = 4096 };

bool cli_exists(const char *path);

/* The model that runs when none is named, the names of all that are shipped, as --help lists them, and what is said
 * when none is there. */
#ifdef __EMSCRIPTEN__ /* the npm package */
#define CLI_DEFAULT_MODEL "goemotions-tiny"
#define CLI_SHIPPED_MODELS CLI_DEFAULT_MODEL ".\n                        "
#define CLI_NO_MODEL "the model's package is not installed: npm install mien-" CLI_DEFAULT_MODEL ", or use --model"
#else
#define CLI_DEFAULT_MODEL "goemotions-small"
#define CLI_SHIPPED_MODELS CLI_DEFAULT_MODEL ",\n                        goemotions-tiny. "
#define CLI_NO_MODEL "no model was shipped with this command: use --model"
#endif

/* The path of `name` in the folder models, which lies beside an installed command or above one in its build folder;
 * false, with `path` empty, when it is not there. */
bool cli_shipped(const char *name, char *path, size_t capacity);

/* ---- Limits -------------------------------------------------------------------------------------------------- */

enum { CLI_MAX_THREADS = 1024 }; /* of mien_session_options too */

/* Seconds of a clock that only goes forward. */
double cli_now(void);

/* ---- Numbers of the command line: the whole text, in range, else false ---------------------------------------- */

bool cli_parse_uint(const char *text, uint64_t least, uint64_t most, uint64_t *number);
bool cli_parse_probability(const char *text, double *number);

/* ---- The model's options, the same in every command that takes a model ---------------------------------------- */

enum {
  CLI_HEAD = 256, /* getopt_long values; the commands' own begin at CLI_OWN */
  CLI_MODEL,
  CLI_ENCODER,
  CLI_THRESHOLDS,
  CLI_THRESHOLD,
  CLI_LABELS,
  CLI_DTYPE,
  CLI_OWN,
};

/* clang-format off */
#define CLI_MODEL_OPTIONS                                    \
  {"head", required_argument, NULL, CLI_HEAD},               \
  {"model", required_argument, NULL, CLI_MODEL},             \
  {"encoder", required_argument, NULL, CLI_ENCODER},         \
  {"thresholds", required_argument, NULL, CLI_THRESHOLDS},   \
  {"threshold", required_argument, NULL, CLI_THRESHOLD},     \
  {"labels", required_argument, NULL, CLI_LABELS},           \
  {"dtype", required_argument, NULL, CLI_DTYPE}
/* clang-format on */

/* The lines of --help on these, on all but --dtype, and on --encoder alone. */
extern const char cli_model_help[], cli_source_help[], cli_encoder_help[];

#define CLI_DTYPE_HELP                                                                                                 \
  "  --dtype DTYPE         what the encoder runs in, the same on every processor: f32 (fp32), bf16x3, bf16, f16\n"     \
  "                        (fp16), int8 (i8, q8). Default: the pack's own, f32 for other files\n"

typedef struct cli_model {
  const char *head, *model, *encoder, *thresholds_path, *labels_path;
  uint32_t max_tokens; /* 0: the encoder's own limit */
  mien_dtype dtype;    /* what the encoder runs in, when has_dtype */
  bool has_dtype;
  bool has_threshold;
  double threshold;
  mien_threshold *overrides; /* labels are copies */
  size_t n_overrides;
  const char *path; /* of the head or the pack, once it was asked for */
  char found_path[CLI_PATH_CHARS];
  char *encoder_path; /* where the encoder was found, or NULL */
} cli_model;

/* What a command does with a model. */
typedef enum cli_model_use {
  CLI_USE_HEAD,    /* embeddings to labels */
  CLI_USE_BOTH,    /* texts to labels */
  CLI_USE_ENCODER, /* texts to embeddings or tokens */
} cli_model_use;

/* Takes an option's value; the exit code of a usage error, or MIEN_OK. */
int cli_model_option(cli_model *arguments, const char *command, int opt, const char *value);

/* Whether the options name anything: --model, --head or --encoder. */
bool cli_model_is_named(const cli_model *arguments);

/* Whether they name an encoder, or nothing, which stands for the shipped model. */
bool cli_model_has_encoder(cli_model *arguments);

/* Reports what --head or --model names but is not there, or cannot be what it is named as. Returns the exit code. */
int cli_model_check(cli_model *arguments, const char *command);

/* Opens what the options name, the shipped model for none, and warns of missing thresholds. Returns the exit code. */
int cli_model_open(cli_model *arguments, const char *command, cli_model_use use, mien_model **model);

/* Whether cli_model_path is a pack, which has an encoder in it. */
bool cli_model_is_pack(cli_model *arguments);

/* The path of the head or the pack that was opened, or would be; NULL when none was shipped. */
const char *cli_model_path(cli_model *arguments);

/* The encoder's; NULL when none was opened, or the one in a pack with a head. */
const char *cli_model_encoder_path(const cli_model *arguments);

void cli_model_free(cli_model *arguments);

/* ---- Devices ------------------------------------------------------------------------------------------------- */

/* Takes the value of --device; `may_be_all`: of all devices. The exit code of a usage error, or MIEN_OK. */
int cli_device_parse(const char *command, const char *value, bool may_be_all, mien_device *device, int32_t *ordinal);

/* Tells the library where an active virtual or conda environment has CUDA's libraries; before CUDA is asked for.
 * Returns the exit code. */
int cli_device_find_libraries(const char *command);

/* ---- Signals ------------------------------------------------------------------------------------------------- */

/* Set by SIGINT, SIGTERM and SIGHUP once cli_catch_signals was called; a second signal, half a second later or
 * more, ends the process at once. */
extern atomic_bool cli_cancelled;
void cli_catch_signals(void);

#endif
