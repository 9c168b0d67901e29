/* SPDX-License-Identifier: Apache-2.0 */
/* What a run must not write over: its inputs and the files of its model. */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/new_file.h"
#include "cli/manifest.h"
#include "corpus/sidecar.h"
#include "encoder/pack.h"

/* ---- The model's folder -------------------------------------------------------------------------------------- */

static bool has_text(const char *bytes, size_t size, const char *text) {
  size_t length = strlen(text);
  const char *end = bytes + size;
  while (bytes && (size_t)(end - bytes) >= length) {
    if (memcmp(bytes, text, length) == 0) return true;
    bytes = memchr(bytes + 1, text[0], (size_t)(end - bytes) - 1);
  }
  return false;
}

/* Whether the bytes of `text` stand anywhere in the file; true too when that can't be found out. */
static bool mentions(const char *path, const char *text) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  bool found = true;
  if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0) {
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes != MAP_FAILED) {
      found = has_text(bytes, (size_t)info.st_size, text);
      munmap(bytes, (size_t)info.st_size);
    }
  }
  if (fd >= 0) close(fd);
  return found;
}

/* The folder of `file`, all links resolved, in `folder`; false when there is none. */
static bool folder_of(const char *file, char folder[PATH_MAX]) {
  char copy[PATH_MAX];
  return snprintf(copy, sizeof copy, "%s", file) < (int)sizeof copy && realpath(dirname(copy), folder);
}

static bool is_below(const char *path, const char *folder) {
  size_t length = strlen(folder);
  return length == 1 || (strncmp(path, folder, length) == 0 && path[length] == '/');
}

/*
 * A head keeps weights in files beside it, of any name. Below its folder (as named, and as links lead to it) only what
 * is called like an output, and is not named in the head, is taken for an earlier output; `is_named`: all that is not
 * named in the head is.
 */
static bool may_hold_weights(const char *target, const char *head, bool is_named) {
  char resolved[PATH_MAX], head_resolved[PATH_MAX], folder[PATH_MAX];
  struct stat info;
  if (mien_pack_is_like(head)) return false; /* everything is in it */
  if (stat(target, &info) != 0 || !S_ISREG(info.st_mode) || !realpath(target, resolved)) return false;
  bool below = folder_of(head, folder) && is_below(resolved, folder);
  if (!below && realpath(head, head_resolved)) below = folder_of(head_resolved, folder) && is_below(resolved, folder);
  if (!below) return false;
  mien_output_format format;
  bool like_output = cli_format_of(resolved, &format) || mien_path_ends_with(resolved, ".labels.json") ||
                     mien_path_ends_with(resolved, ".rows.json") || mien_pack_is_one(resolved);
  return (!is_named && !like_output) || mentions(head, strrchr(resolved, '/') + 1);
}

/* ---- All that a run reads ------------------------------------------------------------------------------------ */

/* The model's ONNX file: itself, or the one in the folder. False when its name is too long to be one. */
static bool head_file(const char *model_path, char head[PATH_MAX]) {
  struct stat info;
  bool is_folder = stat(model_path, &info) == 0 && S_ISDIR(info.st_mode);
  return snprintf(head, PATH_MAX, "%s%s", model_path, is_folder ? "/model.onnx" : "") < PATH_MAX;
}

/* Thresholds are looked for beside the head as it is named. */
static bool is_found_thresholds(const char *target, const char *head) {
  char path[PATH_MAX];
  const char *slash = strrchr(head, '/');
  int folder_bytes = slash ? (int)(slash - head) + 1 : 0;
  return snprintf(path, sizeof path, "%.*sthresholds.json", folder_bytes, head) < (int)sizeof path &&
         mien_output_is_same_file(target, path);
}

static bool is_read_by_model(cli_model *model, const char *target, const char *head) {
  const char *others[] = {model->thresholds_path, model->labels_path};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (others[i] && mien_output_is_same_file(target, others[i])) return true;
  return mien_output_is_same_file(target, head) || is_found_thresholds(target, head);
}

/* Whether `target` is one of the files that an encoder's folder has. */
static bool is_in_encoder(const char *folder, const char *target) {
  static const char *const files[] = {"config.json",
                                      "model.safetensors",
                                      "model.onnx",
                                      "onnx/model.onnx",
                                      "tokenizer.json",
                                      "vocab.txt",
                                      "modules.json",
                                      "1_Pooling/config.json",
                                      "2_Normalize/config.json",
                                      "tokenizer_config.json",
                                      "config_sentence_transformers.json",
                                      "sentence_bert_config.json",
                                      "special_tokens_map.json"};
  bool found = false;
  for (size_t i = 0; !found && i < sizeof files / sizeof *files; i++) {
    char path[PATH_MAX];
    found = snprintf(path, sizeof path, "%s/%s", folder, files[i]) < (int)sizeof path &&
            mien_output_is_same_file(target, path);
  }
  return found;
}

/* The same of an encoder as it is named: a file's folder counts, and the one above, where exports have their other
 * files. `main_file` is what stands for all of them: one that is surely there. */
static bool is_read_by_encoder(const char *encoder, const char *target, char main_file[PATH_MAX]) {
  struct stat info;
  char folder[PATH_MAX], above[PATH_MAX];
  const bool is_folder = stat(encoder, &info) == 0 && S_ISDIR(info.st_mode);
  snprintf(main_file, PATH_MAX, "%s%s", encoder, is_folder ? "/config.json" : "");
  if (is_folder) return is_in_encoder(encoder, target);
  if (mien_output_is_same_file(target, encoder)) return true;
  if (!folder_of(encoder, folder)) return false;
  return is_in_encoder(folder, target) || (folder_of(folder, above) && is_in_encoder(above, target));
}

int cli_check_model_output(cli_model *options, const char *command, bool has_head, const char *target,
                           const char *name) {
  const char *model = cli_model_path(options), *encoder = cli_model_encoder_path(options);
  char head[PATH_MAX] = "", encoder_file[PATH_MAX] = "";
  if (has_head) {
    if (!head_file(model, head)) return cli_usage(command, "%s: too long a path", model);
    if (is_read_by_model(options, target, head))
      return cli_usage(command, "%s: the output is a file of the model", name);
  }
  if (encoder && is_read_by_encoder(encoder, target, encoder_file))
    return cli_usage(command, "%s: the output is a file of the encoder", name);
  if (target && ((head[0] && may_hold_weights(target, head, false)) ||
                 (encoder_file[0] && may_hold_weights(target, encoder_file, false))))
    return cli_usage(command, "%s: the output is there already, in the model's folder, and may be a file of the model",
                     name);
  return MIEN_OK;
}

int cli_check_figures_output(cli_model *options, const char *command, bool is_thresholds, const char *target) {
  const char *model = cli_model_path(options), *encoder = cli_model_encoder_path(options);
  const char *name = target ? target : "stdout";
  char head[PATH_MAX], encoder_file[PATH_MAX];
  if (model && !head_file(model, head)) return cli_usage(command, "%s: too long a path", model);
  if (model && !(is_thresholds && is_found_thresholds(target, head)) && is_read_by_model(options, target, head))
    return cli_usage(command, "%s: the output is a file of the model", name);
  if (encoder && is_read_by_encoder(encoder, target, encoder_file))
    return cli_usage(command, "%s: the output is a file of the encoder", name);
  if (target &&
      ((model && may_hold_weights(target, head, true)) || (encoder && may_hold_weights(target, encoder_file, true))))
    return cli_usage(command, "%s: the output is there already, and named in a file of the model", name);
  return MIEN_OK;
}

/* `target` is NULL for stdout. */
static int check_target(cli_run *run, const mien_inputs *inputs, const char *target) {
  const char *name = target ? target : "stdout";
  for (size_t i = 0; i < inputs->count; i++) {
    if (mien_output_is_same_file(target, inputs->items[i].path))
      return cli_usage(run->command, "%s: the output is the same file as input %s", name,
                       mien_input_name(inputs->items[i].path));
  }
  return cli_check_model_output(&run->model, run->command, run->rows.content == MIEN_ROWS_LABELS, target, name);
}

static const char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Whether two names, of files that may not be there yet, are of one file. */
static bool is_same_place(const char *a, const char *b) {
  char folder_of_a[PATH_MAX], folder_of_b[PATH_MAX];
  if (mien_output_is_same_file(a, b)) return true;
  return strcmp(name_of(a), name_of(b)) == 0 && folder_of(a, folder_of_a) && folder_of(b, folder_of_b) &&
         strcmp(folder_of_a, folder_of_b) == 0;
}

/* Whether a file in the folder of parts is called as what a run keeps there. */
static bool is_of_parts(const char *folder, const char *path) {
  char place[PATH_MAX], resolved[PATH_MAX];
  const char *name = name_of(path);
  if (!folder_of(path, place) || !realpath(folder, resolved) || strcmp(place, resolved) != 0) return false;
  return strncmp(name, "part-", 5) == 0 || strncmp(name, "shard-", 6) == 0 || strcmp(name, CLI_MANIFEST_NAME) == 0 ||
         strcmp(name, "inputs.json") == 0;
}

static int check_stats(cli_run *run, const mien_inputs *inputs) {
  if (!run->stats) return MIEN_OK;
  if (strcmp(run->stats, "-") == 0) return cli_usage(run->command, "option '--stats': expected a file, found '-'");
  if (run->output && is_same_place(run->stats, run->output))
    return cli_usage(run->command, "%s: the statistics are the same file as the output", run->stats);
  if (run->output && is_of_parts(run->output, run->stats))
    return cli_usage(run->command, "%s: the statistics are called as a file of the parts", run->stats);
  int code = check_target(run, inputs, run->stats);
  if (code != MIEN_OK) return code;
  /* Whether it can be written is found out before the run, and not behind it. */
  mien_new_file file;
  mien_error error;
  code = mien_new_file_open(run->stats, &file, &error);
  const bool is_file = code == MIEN_OK && file.temporary != NULL;
  mien_new_file_discard(&file);
  if (code != MIEN_OK) return cli_report(run->command, &error);
  return is_file ? MIEN_OK : cli_usage(run->command, "%s: statistics need a file", run->stats);
}

int cli_run_check_output(cli_run *run, const mien_inputs *inputs) {
  int code = check_target(run, inputs, run->output);
  if (code == MIEN_OK) code = check_stats(run, inputs);
  const mien_output_format format = run->rows.format;
  bool is_array = mien_output_is_array(format);
  if (code != MIEN_OK || !run->output || !is_array) return code;
  char *sidecar = mien_sidecar_path(run->output, run->rows.content);
  if (!sidecar) {
    fprintf(stderr, "mien: %s: out of memory\n", run->command);
    return MIEN_RESOURCE;
  }
  code = check_target(run, inputs, sidecar);
  if (code == MIEN_OK && mien_output_is_same_file(sidecar, run->output))
    code = cli_usage(run->command, "%s: the same file as the output whose %s it lists", sidecar,
                     run->rows.content == MIEN_ROWS_LABELS ? "labels" : "bad rows");
  if (code == MIEN_OK && run->stats && is_same_place(run->stats, sidecar))
    code = cli_usage(run->command, "%s: the statistics are the same file as what is beside the output", run->stats);
  mien_free(sidecar);
  return code;
}
