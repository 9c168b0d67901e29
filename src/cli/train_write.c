/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that `mien train` writes: made beside its place, and given its name when it is whole. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/new_folder.h"
#include "cli/train.h"
#include "corpus/output.h"
#include "head/onnx_write.h"

/* What a folder of ours holds. */
enum { MODEL, THRESHOLDS, CARD, SETTINGS, N_NAMES };
static const char *const names[N_NAMES] = {"model.onnx", "thresholds.json", "README.md", "train.json"};

/* The folder's path without slashes at its end. */
static bool folder_path(const train_options *options, char path[CLI_PATH_CHARS]) {
  size_t length = strlen(options->data.output);
  while (length > 1 && options->data.output[length - 1] == '/') length--;
  return snprintf(path, CLI_PATH_CHARS, "%.*s", (int)length, options->data.output) < CLI_PATH_CHARS;
}

static bool is_ours(const char *name) {
  bool found = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
  for (size_t i = 0; i < N_NAMES; i++) found |= strcmp(name, names[i]) == 0;
  return found;
}

/* A folder with nothing in it but what training writes. */
static bool is_replaceable(const char *path) {
  DIR *folder = opendir(path);
  bool all = folder != NULL;
  for (struct dirent *entry; all && (entry = readdir(folder));) all = is_ours(entry->d_name);
  if (folder) closedir(folder);
  return all;
}

int train_check_folder(const train_options *options) {
  char path[CLI_PATH_CHARS], parent[CLI_PATH_CHARS];
  struct stat info;
  mien_error error;
  if (!folder_path(options, path)) return cli_usage(TRAIN_COMMAND, "option '--output': the path is too long");
  if (lstat(path, &info) == 0) {
    if (!options->force)
      return cli_usage(TRAIN_COMMAND, "%s: it is there already: --force replaces what training made", path);
    if (!S_ISDIR(info.st_mode) || !is_replaceable(path))
      return cli_usage(TRAIN_COMMAND, "%s: option '--force' replaces a folder of training's files only", path);
  }
  const char *slash = strrchr(path, '/');
  snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
  if (access(parent, W_OK | X_OK) == 0) return MIEN_OK;
  (void)mien_fail(&error, MIEN_RESOURCE, "%s: the folder can't be written to: %s", parent, strerror(errno));
  return cli_report(TRAIN_COMMAND, &error);
}

/* ---- Folders ----------------------------------------------------------------------------------------------------- */

static void remove_folder(const char *folder) {
  char path[CLI_PATH_CHARS + 32];
  for (size_t i = 0; i < N_NAMES; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    (void)unlink(path);
  }
  (void)rmdir(folder);
}

/* Gives the new folder its name; one that was there is put aside first, and back where that fails. */
static mien_status publish(cli_new_folder *made, bool force, mien_error *error) {
  cli_new_folder aside = {0};
  struct stat info;
  if (!force || lstat(made->path, &info) != 0) return cli_new_folder_publish(made, error);
  if (!is_replaceable(made->path))
    return mien_fail(error, MIEN_RESOURCE, "%s: there are files now that training did not make", made->path);
  mien_status status = cli_new_folder_open(made->path, &aside, error);
  if (status != MIEN_OK) return status;
  if (rename(made->path, aside.temporary) != 0) { /* over the empty folder */
    status = mien_fail(error, MIEN_RESOURCE, "%s: %s", made->path, strerror(errno));
    cli_new_folder_discard(&aside);
    return status;
  }
  status = cli_new_folder_publish(made, error);
  if (status != MIEN_OK)
    (void)rename(aside.temporary, made->path);
  else
    remove_folder(aside.temporary);
  return status;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static mien_status write_head(const train *t, const char *path, mien_error *error) {
  const mien_onnx_head head = {.n_labels = t->labels.n,
                               .dim = t->dim,
                               .labels = (const char *const *)t->labels.names,
                               .weights = t->weights.data,
                               .bias = t->biases,
                               .name = "mien"};
  return mien_head_write_onnx(&head, path, error);
}

static mien_status write_text(const char *path, const char *text, mien_error *error) {
  mien_output *output = NULL;
  mien_status status = mien_output_open(path, &cli_cancelled, &output, error);
  if (status == MIEN_OK) status = mien_output_write(output, text, strlen(text), error);
  if (status == MIEN_OK) status = mien_output_close(output, error);
  if (status == MIEN_OK) status = mien_output_publish(output, error);
  mien_output_destroy(output);
  return status;
}

/* The file of one of the names. */
static int write_file(const train *t, const cli_new_folder *folder, size_t name) {
  char path[CLI_PATH_CHARS], *text = NULL;
  mien_error error;
  mien_status status = cli_new_folder_file(folder, names[name], path, &error);
  if (status != MIEN_OK) return train_report(status, &error);
  switch (name) {
  case MODEL: return train_report(write_head(t, path, &error), &error);
  case THRESHOLDS: return train_report(cli_tune_write(path, &t->labels, t->thresholds, &error), &error);
  default: text = name == CARD ? train_card(t) : train_json(t); break;
  }
  if (!text) return MIEN_RESOURCE; /* reported */
  status = write_text(path, text, &error);
  free(text);
  return train_report(status, &error);
}

static int write_files(const train *t, const cli_new_folder *folder) {
  int code = MIEN_OK;
  for (size_t name = 0; code == MIEN_OK && name < N_NAMES; name++) code = write_file(t, folder, name);
  if (code == MIEN_OK && atomic_load(&cli_cancelled)) {
    mien_error error;
    (void)mien_fail(&error, MIEN_CANCELLED, "interrupted: nothing was written");
    code = cli_report(TRAIN_COMMAND, &error);
  }
  return code;
}

int train_write(train *t) {
  cli_new_folder folder;
  mien_error error;
  int code = train_report(cli_new_folder_open(t->options->data.output, &folder, &error), &error);
  if (code == MIEN_OK) code = write_files(t, &folder);
  if (code == MIEN_OK) code = train_report(publish(&folder, t->options->force, &error), &error);
  cli_new_folder_discard(&folder);
  if (code == MIEN_OK && !t->options->data.quiet) {
    (void)mien_fail(&error, MIEN_OK, "%s: %zu labels of %zu numbers, learned from %zu rows", folder.path, t->labels.n,
                    t->dim, t->parts[TRAIN_ROWS].examples.n_rows);
    fprintf(stderr, "mien: %s\n", error.message);
  }
  return code;
}
