/* SPDX-License-Identifier: Apache-2.0 */
/* The options that name a model and its thresholds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/status.h"
#include "cli/cli.h"
#include "cli/encoder_path.h"
#include "encoder/pack.h"

/* clang-format off */
#define MODEL_HELP                                                                                                     \
  "Model:\n"                                                                                                           \
  "  --model M             a whole model: a pack, a folder with one, a folder with a head, and an encoder where it\n"  \
  "                        has a config.json, or the name of one that mien ships: " CLI_SHIPPED_MODELS                       \
  "Default for texts: " CLI_DEFAULT_MODEL "\n"                                                                         \
  "  --encoder E           what makes embeddings of texts: a sentence-transformers folder of a BERT, a BERT ONNX "     \
  "file\n"                                                                                                             \
  "                        with its tokenizer.json beside it, what --model takes as a pack, or a Hugging Face id;\n"   \
  "                        without --head, the head of that name is used, if mien ships one\n"                         \
  "  --head H              an ONNX file, a folder with a model.onnx in it, the name of a head that mien ships, or\n"   \
  "                        what --model takes as a pack, for its head\n"                                               \
  "  --thresholds FILE     a JSON object {label: number in [0, 1]} with exactly the head's labels\n"                   \
  "  --threshold X         one threshold in [0, 1] for all labels\n"                                                   \
  "  --threshold LABEL=X   one label's threshold, over all others; may be repeated\n"                                  \
  "                        default: the pack's own, or thresholds.json beside the head, else 0.5 with a warning\n"     \
  "  --labels FILE         a label a line, for a head whose one output has no class labels\n"
/* clang-format on */
const char cli_source_help[] = MODEL_HELP;
const char cli_model_help[] = MODEL_HELP CLI_DTYPE_HELP;

const char cli_encoder_help[] =
    "  --encoder E           a sentence-transformers folder of a BERT, a BERT ONNX file with its tokenizer.json "
    "beside\n"
    "                        it, a pack, a folder with one, the name of a model that mien ships, or a Hugging Face "
    "id.\n"
    "                        Default: that of " CLI_DEFAULT_MODEL "\n";

static int set_once(const char *command, const char **field, const char *option, const char *value) {
  if (*field) return cli_usage(command, "option '%s' is given twice", option);
  if (value[0] == '\0') return cli_usage(command, "option '%s': expected a path, found nothing", option);
  *field = value;
  return MIEN_OK;
}

static int add_override(cli_model *arguments, const char *command, const char *value, const char *equals) {
  size_t length = (size_t)(equals - value);
  double number;
  if (length == 0 || !cli_parse_probability(equals + 1, &number))
    return cli_usage(command, "option '--threshold': expected LABEL=X with X in [0, 1], found '%s'", value);
  for (size_t i = 0; i < arguments->n_overrides; i++) {
    const char *label = arguments->overrides[i].label;
    if (strlen(label) == length && memcmp(label, value, length) == 0)
      return cli_usage(command, "option '--threshold': label '%s' is given twice", label);
  }
  size_t n = arguments->n_overrides + 1;
  mien_threshold *overrides = realloc(arguments->overrides, n * sizeof *overrides);
  if (overrides) arguments->overrides = overrides;
  char *label = overrides ? mien_copy_text(value, length) : NULL;
  if (!label) {
    fprintf(stderr, "mien: %s: out of memory\n", command);
    return MIEN_RESOURCE;
  }
  overrides[n - 1] = (mien_threshold){label, number};
  arguments->n_overrides = n;
  return MIEN_OK;
}

static int set_threshold(cli_model *arguments, const char *command, const char *value) {
  const char *equals = strrchr(value, '=');
  if (equals) return add_override(arguments, command, value, equals);
  if (arguments->has_threshold) return cli_usage(command, "option '--threshold' is given twice for all labels");
  if (!cli_parse_probability(value, &arguments->threshold))
    return cli_usage(command, "option '--threshold': expected a number in [0, 1] or LABEL=X, found '%s'", value);
  arguments->has_threshold = true;
  return MIEN_OK;
}

static int set_dtype(cli_model *arguments, const char *command, const char *value) {
  static const struct {
    const char *name;
    mien_dtype dtype;
  } names[] = {{"f32", MIEN_F32},  {"bf16x3", MIEN_BF16X3}, {"bf16", MIEN_BF16}, {"f16", MIEN_F16}, {"int8", MIEN_INT8},
               {"fp32", MIEN_F32}, {"fp16", MIEN_F16},      {"i8", MIEN_INT8},   {"q8", MIEN_INT8}};
  if (arguments->has_dtype) return cli_usage(command, "option '--dtype' is given twice");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(value, names[i].name) != 0) continue;
    arguments->dtype = names[i].dtype;
    arguments->has_dtype = true;
    return MIEN_OK;
  }
  return cli_usage(command, "option '--dtype': expected f32, bf16x3, bf16, f16 or int8, found '%s'", value);
}

int cli_model_option(cli_model *arguments, const char *command, int opt, const char *value) {
  switch (opt) {
  case CLI_HEAD: return set_once(command, &arguments->head, "--head", value);
  case CLI_MODEL: return set_once(command, &arguments->model, "--model", value);
  case CLI_THRESHOLDS: return set_once(command, &arguments->thresholds_path, "--thresholds", value);
  case CLI_LABELS: return set_once(command, &arguments->labels_path, "--labels", value);
  case CLI_THRESHOLD: return set_threshold(arguments, command, value);
  case CLI_DTYPE: return set_dtype(arguments, command, value);
  case CLI_ENCODER: return set_once(command, &arguments->encoder, "--encoder", value);
  default: return cli_usage(command, "unknown option");
  }
}

/* ---- What the options name --------------------------------------------------------------------------------------- */

/* Whether "folder/name" is there. */
static bool has_file(const char *folder, const char *name) {
  char path[CLI_PATH_CHARS];
  return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path && cli_exists(path);
}

/* The path of what mien ships by the name that stands in `format`; false for what is no plain name. */
static bool find_shipped(const char *format, const char *name, size_t length, char path[CLI_PATH_CHARS]) {
  char file[256];
  const bool is_plain = length > 0 && name[0] != '.' && !memchr(name, '/', length);
  const int written = is_plain ? snprintf(file, sizeof file, format, (int)length, name) : -1;
  return written > 0 && written < (int)sizeof file && cli_shipped(file, path, CLI_PATH_CHARS);
}

#define SHIPPED_MODEL "%.*s/model.safetensors"
#define SHIPPED_HEAD "heads/%.*s"
#define SHIPPED_LINEAR "%.*s"

/* Of the encoder's last name. */
static bool find_head_of(const char *encoder, char path[CLI_PATH_CHARS]) {
  const char *end = encoder + strlen(encoder);
  while (end > encoder && end[-1] == '/') end--;
  const char *last = end;
  while (last > encoder && last[-1] != '/') last--;
  return find_shipped(SHIPPED_HEAD, last, (size_t)(end - last), path);
}

/* The pack in the folder `value`, if there is one, or what can be nothing else, however damaged. */
static bool find_pack_in(const char *value, char path[CLI_PATH_CHARS]) {
  return snprintf(path, CLI_PATH_CHARS, "%s/model.safetensors", value) < CLI_PATH_CHARS && cli_exists(path) &&
         (mien_pack_is_one(path) || (!has_file(value, "config.json") && !has_file(value, "model.onnx")));
}

/* A path as it is given; the pack, of a folder with one; what is shipped by that name, where nothing else has it. */
static const char *find(const char *value, bool is_head, char path[CLI_PATH_CHARS]) {
  const size_t length = strlen(value);
  struct stat info;
  if (lstat(value, &info) == 0) return find_pack_in(value, path) ? path : value;
  if (is_head && find_shipped(SHIPPED_HEAD, value, length, path)) return path;
  if (is_head && find_shipped(SHIPPED_LINEAR "/model.onnx", value, length, path))
    return find_shipped(SHIPPED_LINEAR, value, length, path) ? path : value;
  return find_shipped(SHIPPED_MODEL, value, length, path) ? path : value;
}

const char *cli_model_path(cli_model *arguments) {
  char *path = arguments->found_path;
  if (arguments->path) return arguments->path;
  if (arguments->head)
    arguments->path = find(arguments->head, true, path);
  else if (arguments->model)
    arguments->path = find(arguments->model, false, path);
  else if (arguments->encoder ? find_head_of(arguments->encoder, path)
                              : find_shipped(SHIPPED_MODEL, CLI_DEFAULT_MODEL, strlen(CLI_DEFAULT_MODEL), path))
    arguments->path = path;
  return arguments->path;
}

bool cli_model_is_named(const cli_model *arguments) {
  return arguments->head || arguments->model || arguments->encoder;
}

/* ---- The encoder ------------------------------------------------------------------------------------------------- */

bool cli_model_is_pack(cli_model *arguments) {
  const char *path = cli_model_path(arguments);
  return path && mien_pack_is_like(path);
}

bool cli_model_has_encoder(cli_model *arguments) {
  if (arguments->encoder || !cli_model_is_named(arguments) || cli_model_is_pack(arguments)) return true;
  return arguments->model && has_file(arguments->model, "config.json");
}

const char *cli_model_encoder_path(const cli_model *arguments) { return arguments->encoder_path; }

static int no_model(const char *command) { return cli_usage(command, CLI_NO_MODEL); }

/* Finds what --encoder names, or the encoder of the whole model. */
static int resolve_encoder(cli_model *arguments, const char *command) {
  char pack[CLI_PATH_CHARS];
  const char *given = arguments->encoder ? find(arguments->encoder, false, pack) : cli_model_path(arguments);
  mien_error error;
  if (!given) return no_model(command);
  mien_free(arguments->encoder_path);
  arguments->encoder_path = NULL;
  return cli_encoder_path(given, &arguments->encoder_path, &error) == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

int cli_model_check(cli_model *arguments, const char *command) {
  mien_error error;
  const char *given = arguments->head ? arguments->head : arguments->model, *path = cli_model_path(arguments);
  if (!path) return MIEN_OK;
  if (!cli_exists(path)) {
    if (errno == ENOENT && !strchr(path, '/'))
      (void)mien_fail(&error, MIEN_INPUT, "%s: no such file or folder, and no %s of this name is shipped", path,
                      arguments->head ? "head or model" : "model");
    else
      (void)mien_fail_system(&error, path, errno);
    return cli_report(command, &error);
  }
  struct stat info;
  const bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  if (is_folder && given && !has_file(path, "model.onnx"))
    (void)mien_fail(&error, MIEN_INPUT, "%s: expected a pack (model.safetensors) or a head (model.onnx), found neither",
                    path);
  else if (path == arguments->found_path && !is_folder && !mien_pack_is_like(path))
    (void)mien_fail(&error, MIEN_INPUT, "%s: expected a pack, found a file that is none", path);
  else
    return MIEN_OK;
  return cli_report(command, &error);
}

static int check_options(cli_model *arguments, const char *command, cli_model_use use) {
  if (arguments->head && arguments->model)
    return cli_usage(command, "options '--head' and '--model' exclude each other");
  if (arguments->encoder && cli_model_is_pack(arguments))
    return cli_usage(command, "option '--encoder': the model is a pack, which has its own");
  if (use == CLI_USE_ENCODER && arguments->encoder && arguments->model)
    return cli_usage(command, "options '--encoder' and '--model' exclude each other");
  if (arguments->thresholds_path && arguments->has_threshold)
    return cli_usage(command, "options '--thresholds' and '--threshold X' exclude each other");
  if (use == CLI_USE_HEAD && arguments->encoder)
    return cli_usage(command, "option '--encoder' is for inputs of text; these are embeddings");
  const bool is_encoder_alone = use == CLI_USE_ENCODER && arguments->model && has_file(arguments->model, "config.json");
  const int code = is_encoder_alone || (use == CLI_USE_ENCODER && arguments->encoder)
                       ? MIEN_OK
                       : cli_model_check(arguments, command);
  if (code != MIEN_OK) return code;
  if (use == CLI_USE_BOTH && !cli_model_has_encoder(arguments))
    return cli_usage(command, "texts need an encoder, which a head alone is without: say --encoder");
  return MIEN_OK;
}

static void warn_of_thresholds(const mien_model *model, const char *path) {
  mien_error error;
  if (mien_model_label_count(model) == 0 || mien_model_thresholds_from(model) != MIEN_THRESHOLDS_DEFAULT) return;
  (void)mien_fail(&error, MIEN_OK, "%s: no thresholds given, no thresholds.json beside it: 0.5 for every label", path);
  fprintf(stderr, "mien: warning: %s\n", error.message);
}

int cli_model_open(cli_model *arguments, const char *command, cli_model_use use, mien_model **model) {
  int code = check_options(arguments, command, use);
  const bool has_own = use == CLI_USE_HEAD || (use == CLI_USE_BOTH && cli_model_is_pack(arguments));
  if (code == MIEN_OK && !has_own) code = resolve_encoder(arguments, command);
  if (code != MIEN_OK) return code;
  const char *path = use == CLI_USE_ENCODER ? NULL : cli_model_path(arguments);
  if (use != CLI_USE_ENCODER && !path && arguments->encoder)
    return cli_usage(command, "no head is shipped for encoder '%s': use --head%s", arguments->encoder,
                     mien_pack_is_one(arguments->encoder_path) ? ", or --model for that of the pack" : "");
  if (use != CLI_USE_ENCODER && !path) return no_model(command);
  /* Embeddings don't ask what an encoder runs in. */
  const bool has_dtype = arguments->has_dtype && (use != CLI_USE_HEAD || cli_model_is_pack(arguments));
  const mien_model_options options = {
      .size = sizeof options,
      .thresholds_path = arguments->thresholds_path,
      .threshold = arguments->has_threshold ? &arguments->threshold : NULL,
      .overrides = arguments->overrides,
      .n_overrides = arguments->n_overrides,
      .labels_path = arguments->labels_path,
      .encoder_path = cli_model_encoder_path(arguments),
      .max_tokens = arguments->max_tokens,
      .dtype = has_dtype ? &arguments->dtype : NULL,
  };
  mien_error error;
  if (mien_model_open(path, &options, model, &error) != MIEN_OK) return cli_report(command, &error);
  warn_of_thresholds(*model, path);
  return MIEN_OK;
}

void cli_model_free(cli_model *arguments) {
  for (size_t i = 0; i < arguments->n_overrides; i++) mien_free((char *)arguments->overrides[i].label);
  free(arguments->overrides);
  mien_free(arguments->encoder_path);
}
