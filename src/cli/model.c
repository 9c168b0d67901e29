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

/* What runs when nothing is named: this encoder and the head that mien ships for it. */
static const char default_encoder[] = "BAAI/bge-small-en-v1.5";

/* clang-format off */
#define MODEL_HELP                                                                                                     \
  "Model:\n"                                                                                                           \
  "  --encoder E           what makes embeddings of texts: a sentence-transformers folder of a BERT, a BERT ONNX "     \
  "file\n"                                                                                                             \
  "                        with its tokenizer.json beside it, or a Hugging Face id\n"                                  \
  "  --head PATH           an ONNX file, or a folder with a model.onnx in it\n"                                        \
  "  --model PATH          a whole model: a pack, or a folder with a head, and an encoder where it has a config.json\n"\
  "                        default of all: BAAI/bge-small-en-v1.5 and the head that mien ships for it; with\n"         \
  "                        --encoder alone, the head of that name if one is shipped\n"                                 \
  "  --thresholds FILE     a JSON object {label: number in [0, 1]} with exactly the head's labels\n"                   \
  "  --threshold X         one threshold in [0, 1] for all labels\n"                                                   \
  "  --threshold LABEL=X   one label's threshold, over all others; may be repeated\n"                                  \
  "                        default: the pack's own, or thresholds.json beside the head, else 0.5 with a warning\n"     \
  "  --labels FILE         a label a line, for a head whose one output has no class labels\n"
/* clang-format on */
const char cli_source_help[] = MODEL_HELP;
const char cli_model_help[] = MODEL_HELP CLI_DTYPE_HELP;

const char cli_encoder_help[] = "  --encoder E           a sentence-transformers folder of a BERT, a BERT ONNX file "
                                "with its tokenizer.json beside\n"
                                "                        it, a pack, or a Hugging Face id. Default: "
                                "BAAI/bge-small-en-v1.5\n";

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

/* The shipped head: of the encoder that is named, by its last name, or of the default one. */
static const char *default_path(cli_model *arguments) {
  char *path = arguments->default_path, name[256];
  if (path[0]) return path;
  const char *encoder = arguments->encoder ? arguments->encoder : default_encoder, *end = encoder + strlen(encoder);
  while (end > encoder && end[-1] == '/') end--;
  const char *last = end;
  while (last > encoder && last[-1] != '/') last--;
  const int length = snprintf(name, sizeof name, "heads/%.*s", (int)(end - last), last);
  const bool is_plain = end > last && length < (int)sizeof name && last[0] != '.';
  return is_plain && cli_shipped(name, path, sizeof arguments->default_path) ? path : NULL;
}

const char *cli_model_path(cli_model *arguments) {
  if (arguments->head) return arguments->head;
  return arguments->model ? arguments->model : default_path(arguments);
}

/* ---- The encoder ------------------------------------------------------------------------------------------------- */

bool cli_model_is_pack(const cli_model *arguments) {
  const char *path = arguments->head ? arguments->head : arguments->model;
  return path && mien_pack_is_like(path);
}

bool cli_model_has_encoder(const cli_model *arguments) {
  struct stat info;
  char config[4096];
  if (arguments->encoder || (!arguments->head && !arguments->model) || cli_model_is_pack(arguments)) return true;
  return arguments->model && snprintf(config, sizeof config, "%s/config.json", arguments->model) < (int)sizeof config &&
         stat(config, &info) == 0;
}

const char *cli_model_encoder_path(const cli_model *arguments) { return arguments->encoder_path; }

/* Finds what --encoder names. */
static int resolve_encoder(cli_model *arguments, const char *command) {
  const char *given = arguments->encoder ? arguments->encoder : arguments->model ? arguments->model : default_encoder;
  mien_error error;
  mien_free(arguments->encoder_path);
  arguments->encoder_path = NULL;
  return cli_encoder_path(given, &arguments->encoder_path, &error) == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static int check_options(const cli_model *arguments, const char *command, cli_model_use use) {
  struct stat info;
  mien_error error;
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
  if (arguments->model && stat(arguments->model, &info) != 0) {
    (void)mien_fail_system(&error, arguments->model, errno);
    return cli_report(command, &error);
  }
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
                     mien_pack_is_one(arguments->encoder) ? ", or --model for that of the pack" : "");
  if (use != CLI_USE_ENCODER && !path) return cli_usage(command, "no model was shipped with this command: use --head");
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
