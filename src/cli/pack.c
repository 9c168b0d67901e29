/* SPDX-License-Identifier: Apache-2.0 */
/* mien pack: a whole model into one file. */
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cli/run.h"
#include "encoder/pack.h"
#include "encoder/panel.h"
#include "model/model.h"

static const char command[] = "pack";

typedef struct request {
  cli_model model;
  const char *output, *license;
  char found_license[256]; /* what the encoder's folder says */
  bool no_head, quiet, help;
} request;

static int help(void) {
  printf(
      "Usage: mien pack [OPTION]... --dtype DTYPE -o FILE\n"
      "\n"
      "Writes a whole model into FILE, a pack, which '--model FILE' opens anywhere: the encoder's weights in DTYPE,\n"
      "its vocabulary and limits, the head and its thresholds. A pack is a safetensors file: Python's safetensors\n"
      "lists it.\n"
      "\n"
      "%s"
      "  --no-head             the encoder alone\n"
      "  --max-tokens N        the pack cuts texts to N tokens, special ones included: 3 to the encoder's limit, the\n"
      "                        default\n"
      "\n",
      cli_source_help);
  printf(
      "Pack:\n"
      "  -o, --output FILE     where to, best NAME.safetensors; it appears when it is whole, or not at all\n"
      "  --dtype DTYPE         of the weights, and what runs unless --dtype says otherwise then: f32, f16 (half the\n"
      "                        size, runs in float32), bf16, int8 (a quarter). Default: that of the model, where it\n"
      "                        is a pack\n"
      "  --license TEXT        under which the model may be used, as 'apache-2.0'. Default: what the encoder's pack\n"
      "                        says, or the first lines of the README.md in its folder; else none, with a warning\n"
      "  -q, --quiet           no summary\n"
      "  --help                show this\n"
      "\n"
      "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory or disk missing, 5 interrupted.\n");
  return cli_flush_stdout();
}

/* ---- The licence ----------------------------------------------------------------------------------------------- */

/* A line's value, without spaces and quotes around it, as a text to print. */
static void copy_value(const char *value, size_t length, char *out, size_t capacity) {
  while (length > 0 && strchr(" \t\r\"'", value[length - 1])) length--;
  while (length > 0 && strchr(" \t\"'", value[0])) value++, length--;
  if (mien_utf8_is_name(value, length)) mien_utf8_clean(value, length, out, capacity);
}

/* "license: mit" among the lines between "---" and "---" that a model's card begins with. */
static void read_card(const char *text, size_t size, char *out, size_t capacity) {
  static const char fence[] = "---", key[] = "license:";
  const char *end = text + size;
  for (size_t line = 0; text < end; line++) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    const size_t length = (size_t)((stop ? stop : end) - text);
    const bool is_fence = length >= sizeof fence - 1 && memcmp(text, fence, sizeof fence - 1) == 0;
    if (is_fence != (line == 0) && (line == 0 || is_fence)) return;
    if (length >= sizeof key && memcmp(text, key, sizeof key - 1) == 0)
      copy_value(text + sizeof key - 1, length - (sizeof key - 1), out, capacity);
    text += length + 1;
  }
}

/* The card of the encoder's folder, or of the one above, where exports have their other files. */
static void find_license(const char *encoder, char *out, size_t capacity) {
  enum { MAX_CARD_BYTES = 1 << 20 };
  char copy[PATH_MAX], path[PATH_MAX];
  struct stat info;
  if (snprintf(copy, sizeof copy, "%s", encoder) >= (int)sizeof copy) return;
  const char *folder = stat(encoder, &info) == 0 && S_ISDIR(info.st_mode) ? copy : dirname(copy);
  for (int up = 0; up < 2 && !out[0]; up++) {
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (snprintf(path, sizeof path, "%s%s/README.md", folder, up ? "/.." : "") >= (int)sizeof path) return;
    if (mien_file_read(path, MAX_CARD_BYTES, NULL, &bytes, &size, NULL) == MIEN_OK)
      read_card((const char *)bytes, size, out, capacity);
    mien_free(bytes);
    const char *name = strrchr(folder, '/');
    if (strcmp(name ? name + 1 : folder, "onnx") != 0) return;
  }
}

/* What the pack will say; NULL for nothing, of which the user is warned. */
static const char *choose_license(request *asked, const mien_model *model) {
  const mien_encoder_source *source = model->encoder->source;
  if (asked->license) return asked->license;
  if (source->license) return source->license;
  if (source->path) find_license(source->path, asked->found_license, sizeof asked->found_license);
  if (asked->found_license[0]) return asked->found_license;
  fprintf(stderr, "mien: warning: the encoder's licence is not known, and the pack will say none: use --license\n");
  return NULL;
}

/* ---- The options ----------------------------------------------------------------------------------------------- */

static int check(const request *asked, int argc, char **argv) {
  const cli_model *model = &asked->model;
  if (optind < argc) return cli_usage(command, "expected no arguments, found '%s'", argv[optind]);
  if (!asked->output) return cli_usage(command, "expected -o FILE");
  if (strcmp(asked->output, "-") == 0)
    return cli_usage(command, "a pack is written to a file, not to stdout; found '-o -'");
  if (model->has_dtype && !mien_pack_type(model->dtype))
    return cli_usage(command,
                     "option '--dtype': expected f32, f16, bf16 or int8, found '%s': pack f32, and run it in %s",
                     mien_dtype_name(model->dtype), mien_dtype_name(model->dtype));
  if (asked->no_head &&
      (model->head || model->thresholds_path || model->has_threshold || model->n_overrides || model->labels_path))
    return cli_usage(command, "option '--no-head' leaves out heads, their labels and thresholds");
  if (asked->license && !mien_utf8_is_name(asked->license, strlen(asked->license)))
    return cli_usage(command, "option '--license': expected a text without control characters");
  return MIEN_OK;
}

static int set_text(const char **field, const char *option) {
  if (*field) return cli_usage(command, "option '%s' is given twice", option);
  *field = optarg;
  return MIEN_OK;
}

static int parse(request *asked, int argc, char **argv) {
  enum { LICENSE = CLI_OWN, NO_HEAD, MAX_TOKENS, HELP };
  static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"license", required_argument, NULL, LICENSE},
                                          {"no-head", no_argument, NULL, NO_HEAD},
                                          {"max-tokens", required_argument, NULL, MAX_TOKENS},
                                          {"help", no_argument, NULL, HELP},
                                          CLI_MODEL_OPTIONS,
                                          {NULL, 0, NULL, 0}};
  int code = MIEN_OK, opt;
  uint64_t number;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, ":o:q", options, NULL)) != -1) {
    switch (opt) {
    case '?':
    case ':': code = cli_bad_option(command, opt, argv); break;
    case 'o': code = set_text(&asked->output, "--output"); break;
    case 'q': asked->quiet = true; break;
    case LICENSE: code = set_text(&asked->license, "--license"); break;
    case NO_HEAD: asked->no_head = true; break;
    case HELP: asked->help = true; return MIEN_OK;
    case MAX_TOKENS:
      code = cli_number(command, "--max-tokens", optarg, MIEN_ENCODER_MIN_TOKENS, UINT32_MAX, &number);
      if (code == MIEN_OK) asked->model.max_tokens = (uint32_t)number;
      break;
    default: code = cli_model_option(&asked->model, command, opt, optarg);
    }
  }
  return code == MIEN_OK ? check(asked, argc, argv) : code;
}

/* ---- The pack -------------------------------------------------------------------------------------------------- */

static void print_summary(const request *asked, const mien_model *model, const char *license) {
  struct stat info;
  const double bytes = stat(asked->output, &info) == 0 ? (double)info.st_size : 0;
  const size_t labels = mien_model_label_count(model);
  char counted[32] = "";
  mien_error line; /* fit for a terminal */
  if (labels) snprintf(counted, sizeof counted, "%zu labels, ", labels);
  (void)mien_fail(&line, MIEN_OK, "%s: %.1f MB, dtype %s, %zu layers, %slicence %s", asked->output, bytes / 1e6,
                  mien_model_dtype(model), model->encoder->config.layers, counted, license ? license : "not known");
  fprintf(stderr, "mien: %s\n", line.message);
}

static int write_pack(request *asked) {
  mien_model *model = NULL;
  mien_error error;
  const cli_model_use use = asked->no_head ? CLI_USE_ENCODER : CLI_USE_BOTH;
  cli_catch_signals(); /* so that none ends a file half-way: writing one takes less than a second */
  int code = cli_model_open(&asked->model, command, use, &model);
  const char *encoder = cli_model_encoder_path(&asked->model); /* NULL: in the model, a pack */
  if (code == MIEN_OK && !asked->model.has_dtype && encoder && !mien_pack_is_one(encoder))
    code = cli_usage(command, "expected --dtype f32, f16, bf16 or int8");
  if (code == MIEN_OK)
    code = cli_check_model_output(&asked->model, command, !asked->no_head, asked->output, asked->output);
  if (code == MIEN_OK && atomic_load(&cli_cancelled)) {
    fprintf(stderr, "mien: pack: interrupted: nothing was written\n");
    code = MIEN_CANCELLED;
  }
  if (code == MIEN_OK) {
    const mien_pack_options options = {.size = sizeof options, .license = choose_license(asked, model)};
    if (mien_pack(model, asked->output, &options, &error) != MIEN_OK)
      code = cli_report(command, &error);
    else if (!asked->quiet)
      print_summary(asked, model, options.license);
  }
  mien_model_release(model);
  return code;
}

int cli_pack(int argc, char **argv) {
  request asked = {0};
  int code = parse(&asked, argc, argv);
  if (code == MIEN_OK) code = asked.help ? help() : write_pack(&asked);
  cli_model_free(&asked.model);
  return code;
}
