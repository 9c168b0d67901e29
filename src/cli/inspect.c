/* SPDX-License-Identifier: Apache-2.0 */
/* mien inspect: what a model is, or which instruction sets this CPU has. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/json.h"
#include "base/number.h"
#include "cli/cli.h"
#include "encoder/panel.h"
#include "kernels/head_kernels.h"

static const char command[] = "inspect";

static int help(void) {
  printf(
      "Usage: mien inspect [OPTION]... [PATH] [--encoder E]\n"
      "       mien inspect --cpu [--json]\n"
      "\n"
      "Shows what the model at PATH is (an ONNX file, a folder with a model.onnx in it, a pack, a folder with one, or "
      "the\n"
      "name of a model or head that mien ships; default: " CLI_DEFAULT_MODEL "): labels in the order of every output,\n"
      "thresholds, dimension, who exported it, and the operators between its input and its scores; and what an "
      "encoder\n"
      "is: layers, hidden, heads, vocabulary, pooling, the most tokens of a text.\n"
      "\n"
      "  --json                one JSON object on stdout: labels, dim, thresholds (in label order),\n"
      "                        thresholds_from, link, dtype, format, ir_version, producer, producer_version,\n"
      "                        opsets, input, operators; with an encoder \"encoder\": {format, layers, hidden, heads,\n"
      "                        intermediate, vocabulary, positions, max_tokens, pooling, normalize}; an encoder alone\n"
      "                        has dim, dtype and encoder only; a pack has pack_version, license, created_by\n"
      "  --cpu                 this CPU's instruction sets: which are available, or why not, and which of them run\n"
      "                        the head and encoders of each dtype; as JSON: cpus, isas [{isa, available, chosen,\n"
      "                        reason}], runs {head, f32, bf16x3, bf16, int8}\n"
      "%s"
      "  --thresholds FILE     a JSON object {label: number in [0, 1]} with exactly the head's labels\n"
      "  --threshold X         one threshold in [0, 1] for all labels; LABEL=X: one label's\n"
      "  --labels FILE         a label a line, for a head whose one output has no class labels\n"
      "  --help                show this\n"
      "\n"
      "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory, disk or device missing.\n",
      cli_encoder_help);
  return cli_flush_stdout();
}

/* What runs where it may use up to `isa`: the head, and encoders by dtype. */
typedef struct running {
  const char *what;
  mien_isa isa;
} running;

enum { RUNNING = 1 + MIEN_PRODUCTS_COUNT };

static mien_isa list_running(mien_isa isa, running all[RUNNING]) {
  static const mien_dtype dtypes[] = {MIEN_F32, MIEN_BF16X3, MIEN_BF16, MIEN_INT8};
  _Static_assert(sizeof dtypes / sizeof *dtypes == MIEN_PRODUCTS_COUNT, "a dtype of each kind of products");
  mien_isa highest = mien_head_kernels_for(isa)->isa;
  all[0] = (running){"head", highest};
  for (size_t i = 0; i < MIEN_PRODUCTS_COUNT; i++) {
    const mien_isa runs = mien_encoder_kernels_for(mien_products_of(dtypes[i]), isa)->isa;
    all[1 + i] = (running){mien_dtype_name(dtypes[i]), runs};
    highest = runs > highest ? runs : highest;
  }
  return highest;
}

static void print_cpu_json(const running *all, mien_isa highest) {
  printf("{\"cpus\":%u,\"isas\":[", mien_cpu_count());
  for (int i = 0; i < MIEN_ISA_COUNT; i++) {
    char text[MIEN_ISA_MISSING_CHARS];
    const char *missing = mien_isa_missing((mien_isa)i, text);
    printf("%s{\"isa\":\"%s\",\"available\":%s,\"chosen\":%s", i ? "," : "", mien_isa_name((mien_isa)i),
           missing ? "false" : "true", i == (int)highest ? "true" : "false");
    if (missing) printf(",\"reason\":\"%s\"", missing);
    printf("}");
  }
  printf("],\"runs\":{");
  for (int i = 0; i < RUNNING; i++) printf("%s\"%s\":\"%s\"", i ? "," : "", all[i].what, mien_isa_name(all[i].isa));
  printf("}}\n");
}

static void print_cpu(const running *all, mien_isa highest) {
  for (int i = 0; i < MIEN_ISA_COUNT; i++) {
    char text[MIEN_ISA_MISSING_CHARS];
    const char *missing = mien_isa_missing((mien_isa)i, text);
    printf("%-12s", mien_isa_name((mien_isa)i));
    if (missing)
      printf("-, %s\n", missing);
    else
      printf("available%s\n", i == (int)highest ? ", chosen" : "");
  }
  printf("\n%-12s%s\n", "what", "runs on");
  for (int i = 0; i < RUNNING; i++) printf("%-12s%s\n", all[i].what, mien_isa_name(all[i].isa));
  printf("\n%u CPU%s for this process\n", mien_cpu_count(), mien_cpu_count() == 1 ? "" : "s");
}

static int inspect_cpu(bool json) {
  mien_isa allowed;
  mien_error error;
  running all[RUNNING];
  if (mien_isa_choose(&allowed, &error) != MIEN_OK) return cli_report(command, &error);
  const mien_isa highest = list_running(allowed, all);
  if (json)
    print_cpu_json(all, highest);
  else
    print_cpu(all, highest);
  return cli_flush_stdout();
}

/* Text out of a model's file, which must not steer a terminal. */
static void print_plain(const char *text) {
  for (; *text; text++) putchar((unsigned char)*text < 0x20 || *text == 0x7F ? '?' : *text);
}

static void print_path(const char *title, const char *path) {
  printf("%-14s", title);
  print_plain(path);
  putchar('\n');
}

static void print_number(double value) {
  char text[MIEN_NUMBER_CHARS];
  size_t length = mien_format_float(text, (float)value);
  printf("%.*s", (int)length, text);
}

static void print_field(const json_t *description, const char *key, const char *title) {
  const json_t *value = json_object_get(description, key);
  if (!value || (json_is_string(value) && json_string_length(value) == 0)) return;
  printf("%-14s", title);
  if (json_is_string(value)) print_plain(json_string_value(value));
  if (json_is_integer(value)) printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
  if (json_is_boolean(value)) printf("%s", json_is_true(value) ? "yes" : "no");
  if (json_is_object(value)) {
    const char *name;
    json_t *number;
    bool first = true;
    json_object_foreach((json_t *)value, name, number) {
      printf("%s", first ? "" : ", ");
      print_plain(name[0] ? name : "ai.onnx");
      printf(" %" JSON_INTEGER_FORMAT, json_integer_value(number));
      first = false;
    }
  }
  putchar('\n');
}

/* Characters, not bytes: what a name takes on a terminal. */
static int width(const char *text) {
  int count = 0;
  for (; *text; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
  return count;
}

static void print_labels(const mien_model *model) {
  size_t n = mien_model_label_count(model);
  int widest = width("label");
  for (size_t i = 0; i < n; i++) {
    int w = width(mien_model_label_name(model, i));
    if (w > widest) widest = w;
  }
  printf("\n%5s  %-*s  %s\n", "index", widest, "label", "threshold");
  for (size_t i = 0; i < n; i++) {
    const char *name = mien_model_label_name(model, i);
    printf("%5zu  ", i);
    print_plain(name);
    printf("%*s  ", widest - width(name), "");
    print_number((double)mien_model_threshold(model, i));
    putchar('\n');
  }
}

typedef struct field {
  const char *key, *title;
} field;

static void print_fields(const json_t *object, const field *fields, size_t n) {
  for (size_t i = 0; i < n; i++) print_field(object, fields[i].key, fields[i].title);
}

static void print_head(const mien_model *model, const json_t *description) {
  static const field fields[] = {
      {"format", "format"},
      {"pack_version", "pack version"},
      {"license", "licence"},
      {"created_by", "created by"},
      {"dim", "dimension"},
      {"link", "link"},
      {"dtype", "dtype"},
      {"producer", "producer"},
      {"producer_version", "version"},
      {"ir_version", "IR version"},
      {"opsets", "opsets"},
      {"input", "input"},
      {"operators", "operators"},
      {"thresholds_from", "thresholds"},
  };
  print_fields(description, fields, sizeof fields / sizeof *fields);
  if (mien_model_label_count(model) > 0) printf("%-14s%zu\n", "labels", mien_model_label_count(model));
}

/* The encoder in a file of its own; what a pack says of itself, before that. */
static void print_encoder(const json_t *description, const char *path) {
  static const field file_fields[] = {
      {"format", "format"},
      {"pack_version", "pack version"},
      {"license", "licence"},
      {"created_by", "created by"},
  };
  static const field fields[] = {
      {"layers", "layers"},         {"hidden", "hidden"},
      {"heads", "heads"},           {"intermediate", "intermediate"},
      {"vocabulary", "vocabulary"}, {"positions", "positions"},
      {"max_tokens", "max tokens"}, {"pooling", "pooling"},
      {"normalize", "normalized"},
  };
  const json_t *encoder = json_object_get(description, "encoder");
  if (path) print_path("encoder", path);
  if (path) print_fields(encoder, file_fields, sizeof file_fields / sizeof *file_fields);
  print_fields(encoder, fields, sizeof fields / sizeof *fields);
}

static int print_model(const mien_model *model, const char *path, const char *encoder_path) {
  const char *text = mien_model_describe(model);
  json_t *description;
  mien_error error;
  if (mien_json_parse_object(text, strlen(text), path ? path : encoder_path, &description, &error) != MIEN_OK)
    return cli_report(command, &error);
  if (path) {
    print_path("model", path);
    print_head(model, description);
  }
  if (json_object_get(description, "encoder")) {
    if (path) putchar('\n');
    print_encoder(description, encoder_path);
  }
  json_decref(description);
  if (mien_model_label_count(model) > 0) print_labels(model);
  return cli_flush_stdout();
}

static int inspect_model(cli_model *arguments, bool json) {
  const bool has_head = arguments->head || arguments->model;
  const cli_model_use use = !arguments->encoder ? CLI_USE_HEAD : has_head ? CLI_USE_BOTH : CLI_USE_ENCODER;
  mien_model *model = NULL;
  int code = cli_model_open(arguments, command, use, &model);
  if (code != MIEN_OK) return code;
  if (json) {
    printf("%s\n", mien_model_describe(model));
    code = cli_flush_stdout();
  } else {
    code = print_model(model, use == CLI_USE_ENCODER ? NULL : cli_model_path(arguments),
                       cli_model_encoder_path(arguments));
  }
  mien_model_release(model);
  return code;
}

int cli_inspect(int argc, char **argv) {
  enum { JSON = CLI_OWN, CPU, HELP };
  static const struct option options[] = {{"json", no_argument, NULL, JSON},
                                          {"cpu", no_argument, NULL, CPU},
                                          {"help", no_argument, NULL, HELP},
                                          CLI_MODEL_OPTIONS,
                                          {NULL, 0, NULL, 0}};
  cli_model arguments = {0};
  bool json = false, cpu = false;
  int code = MIEN_OK, opt;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
    if (opt == HELP) {
      cli_model_free(&arguments);
      return help();
    }
    if (opt == '?' || opt == ':') {
      code = cli_bad_option(command, opt, argv);
    } else if (opt == JSON || opt == CPU) {
      json |= opt == JSON;
      cpu |= opt == CPU;
    } else {
      code = cli_model_option(&arguments, command, opt, optarg);
    }
  }
  int paths = argc - optind;
  if (code == MIEN_OK && cpu && paths > 0) code = cli_usage(command, "--cpu takes no PATH, found '%s'", argv[optind]);
  if (code == MIEN_OK && !cpu && paths > 1) code = cli_usage(command, "expected one PATH, found %d", paths);
  if (code == MIEN_OK && !cpu && paths == 1) code = cli_model_option(&arguments, command, CLI_HEAD, argv[optind]);
  if (code == MIEN_OK) code = cpu ? inspect_cpu(json) : inspect_model(&arguments, json);
  cli_model_free(&arguments);
  return code;
}
