/* SPDX-License-Identifier: Apache-2.0 */
/* What mien label must not write over: its inputs and the files of its model. */
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
#include "cli/label_options.h"
#include "corpus/output.h"

static const char command[] = "label";

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
 * is called like an output, and is not named in the head, is taken for an earlier output.
 */
static bool may_hold_weights(const char *target, const char *head) {
  char resolved[PATH_MAX], head_resolved[PATH_MAX], folder[PATH_MAX];
  struct stat info;
  if (stat(target, &info) != 0 || !S_ISREG(info.st_mode) || !realpath(target, resolved)) return false;
  bool below = folder_of(head, folder) && is_below(resolved, folder);
  if (!below && realpath(head, head_resolved)) below = folder_of(head_resolved, folder) && is_below(resolved, folder);
  if (!below) return false;
  mien_output_format format;
  bool like_output = cli_label_format_of(resolved, &format) || mien_path_ends_with(resolved, ".labels.json");
  return !like_output || mentions(head, strrchr(resolved, '/') + 1);
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

/* `target` is NULL for stdout. */
static int check_target(cli_label_options *options, const mien_inputs *inputs, const char *target) {
  const char *name = target ? target : "stdout";
  for (size_t i = 0; i < inputs->count; i++) {
    if (mien_output_is_same_file(target, inputs->items[i].path))
      return cli_usage(command, "%s: the output is the same file as input %s", name,
                       mien_input_name(inputs->items[i].path));
  }
  char head[PATH_MAX] = "";
  if (!head_file(cli_model_path(&options->model), head))
    return cli_usage(command, "%s: too long a path", cli_model_path(&options->model));
  if (is_read_by_model(&options->model, target, head))
    return cli_usage(command, "%s: the output is a file of the model", name);
  if (target && may_hold_weights(target, head))
    return cli_usage(command, "%s: the output is there already, in the model's folder, and may be a file of the model",
                     name);
  return MIEN_OK;
}

int cli_label_check_output(cli_label_options *options, const mien_inputs *inputs) {
  int code = check_target(options, inputs, options->output);
  bool is_array = options->rows.format == MIEN_OUTPUT_NPY || options->rows.format == MIEN_OUTPUT_BITS;
  if (code != MIEN_OK || !options->output || !is_array) return code;
  char *sidecar = mien_writer_sidecar(options->output);
  if (!sidecar) {
    fprintf(stderr, "mien: %s: out of memory\n", command);
    return MIEN_RESOURCE;
  }
  code = check_target(options, inputs, sidecar);
  if (code == MIEN_OK && mien_output_is_same_file(sidecar, options->output))
    code = cli_usage(command, "%s: the same file as the output whose labels it lists", sidecar);
  mien_free(sidecar);
  return code;
}
