/* SPDX-License-Identifier: Apache-2.0 */
/* The options that name a model and its thresholds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "cli/cli.h"

const char cli_model_help[] =
    "Model:\n"
    "  --head PATH           an ONNX file, or a folder with a model.onnx in it\n"
    "  --model PATH          a folder with a whole model; of this version's models, a head\n"
    "                        default of both: the model that mien ships\n"
    "  --thresholds FILE     a JSON object {label: number in [0, 1]} with exactly the head's labels\n"
    "  --threshold X         one threshold in [0, 1] for all labels\n"
    "  --threshold LABEL=X   one label's threshold, over all others; may be repeated\n"
    "                        default: thresholds.json beside the head, else 0.5 with a warning\n"
    "  --labels FILE         a label a line, for a head whose one output has no class labels\n"
    "  --dtype f32           what the head runs in; f32 (fp32) is what this version has. Default: f32\n";

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

static int check_dtype(const char *command, const char *value) {
  static const char *const known[] = {"bf16x3", "bf16", "f16", "fp16", "int8", "i8", "q8"};
  if (strcmp(value, "f32") == 0 || strcmp(value, "fp32") == 0) return MIEN_OK;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(value, known[i]) == 0)
      return cli_usage(command, "option '--dtype': '%s' is not available in this version; available: f32", value);
  }
  return cli_usage(command, "option '--dtype': expected f32, found '%s'", value);
}

int cli_model_option(cli_model *arguments, const char *command, int opt, const char *value) {
  switch (opt) {
  case CLI_HEAD: return set_once(command, &arguments->head, "--head", value);
  case CLI_MODEL: return set_once(command, &arguments->model, "--model", value);
  case CLI_THRESHOLDS: return set_once(command, &arguments->thresholds_path, "--thresholds", value);
  case CLI_LABELS: return set_once(command, &arguments->labels_path, "--labels", value);
  case CLI_THRESHOLD: return set_threshold(arguments, command, value);
  case CLI_DTYPE: return check_dtype(command, value);
  case CLI_ENCODER:
    return cli_usage(command, "option '--encoder': encoders are not supported by this version; inputs are embeddings");
  default: return cli_usage(command, "unknown option");
  }
}

/* The shipped model, beside an installed command or above one in its build folder. */
static const char *default_path(cli_model *arguments) {
  static const char *const places[] = {"/../share/mien/models", "/../models", "/../../models"};
  static const char name[] = "/heads/all-MiniLM-L6-v2";
  if (arguments->default_path[0]) return arguments->default_path;
  char command[2048];
  ssize_t length = readlink("/proc/self/exe", command, sizeof command - 1);
  if (length <= 0) return NULL;
  command[length] = '\0';
  *strrchr(command, '/') = '\0';
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    char *path = arguments->default_path;
    snprintf(path, sizeof arguments->default_path, "%s%s%s", command, places[i], name);
    char *plain = realpath(path, NULL);
    bool found = plain && strlen(plain) < sizeof arguments->default_path;
    strcpy(path, found ? plain : "");
    free(plain);
    if (found) return path;
  }
  return NULL;
}

const char *cli_model_path(cli_model *arguments) {
  if (arguments->head) return arguments->head;
  return arguments->model ? arguments->model : default_path(arguments);
}

int cli_model_open(cli_model *arguments, const char *command, mien_model **model) {
  if (arguments->head && arguments->model)
    return cli_usage(command, "options '--head' and '--model' exclude each other");
  if (arguments->thresholds_path && arguments->has_threshold)
    return cli_usage(command, "options '--thresholds' and '--threshold X' exclude each other");
  const char *path = cli_model_path(arguments);
  if (!path) return cli_usage(command, "no model was shipped with this command: use --head");
  mien_model_options options = {
      .size = sizeof options,
      .thresholds_path = arguments->thresholds_path,
      .threshold = arguments->has_threshold ? &arguments->threshold : NULL,
      .overrides = arguments->overrides,
      .n_overrides = arguments->n_overrides,
      .labels_path = arguments->labels_path,
  };
  mien_error error;
  if (mien_model_open(path, &options, model, &error) != MIEN_OK) return cli_report(command, &error);
  if (mien_model_thresholds_from(*model) == MIEN_THRESHOLDS_DEFAULT) {
    (void)mien_fail(&error, MIEN_OK, "%s: no thresholds given, no thresholds.json beside it: 0.5 for every label",
                    path);
    fprintf(stderr, "mien: warning: %s\n", error.message);
  }
  return MIEN_OK;
}

void cli_model_free(cli_model *arguments) {
  for (size_t i = 0; i < arguments->n_overrides; i++) mien_free((char *)arguments->overrides[i].label);
  free(arguments->overrides);
}
