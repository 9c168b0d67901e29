/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that `mien train` writes: made beside its place, and given its name when it is whole. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/train.h"
#include "corpus/output.h"
#include "head/onnx_write.h"

/* What a folder of ours holds. */
static const char *const names[] = {"model.onnx", "thresholds.json", "README.md", "train.json"};

enum { N_NAMES = sizeof names / sizeof *names, PATH_CHARS = CLI_PATH_CHARS + 64 };

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
  char path[PATH_CHARS + 32];
  for (size_t i = 0; i < N_NAMES; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    (void)unlink(path);
  }
  (void)rmdir(folder);
}

/* A new folder beside `path`. */
static mien_status make_folder(const char *path, const char *suffix, char made[PATH_CHARS], mien_error *error) {
  enum { MOST_TRIES = 100 };
  for (int i = 0; i < MOST_TRIES; i++) {
    snprintf(made, PATH_CHARS, "%s.%s-%ld-%d", path, suffix, (long)getpid(), i);
    if (mkdir(made, 0777) == 0) return MIEN_OK;
    if (errno != EEXIST) break;
  }
  return mien_fail(error, MIEN_RESOURCE, "%s: %s", made, strerror(errno));
}

/* Gives the new folder its name; one that was there is put aside first, and back where that fails. */
static mien_status publish(const char *made, const char *path, bool force, mien_error *error) {
  char aside[PATH_CHARS];
  struct stat info;
  const bool replaces = force && lstat(path, &info) == 0;
  if (replaces) {
    if (!is_replaceable(path))
      return mien_fail(error, MIEN_RESOURCE, "%s: there are files now that training did not make", path);
    const mien_status status = make_folder(path, "old", aside, error);
    if (status != MIEN_OK) return status;
    if (rename(path, aside) != 0) { /* over the empty folder */
      (void)rmdir(aside);
      return mien_fail(error, MIEN_RESOURCE, "%s: %s", path, strerror(errno));
    }
  }
  /* An empty folder that appeared meanwhile would be replaced: nothing is lost with it. */
  if (rename(made, path) != 0) {
    (void)mien_fail(error, MIEN_RESOURCE, "%s: %s", path, strerror(errno));
    if (replaces) (void)rename(aside, path);
    return MIEN_RESOURCE;
  }
  if (replaces) remove_folder(aside);
  return MIEN_OK;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* "FOLDER/NAME"; until the next call. */
static const char *inside(const char *folder, const char *name) {
  static char path[PATH_CHARS + 32];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static int write_head(const train *t, const char *folder) {
  const mien_onnx_head head = {.n_labels = t->labels.n,
                               .dim = t->dim,
                               .labels = (const char *const *)t->labels.names,
                               .weights = t->weights.data,
                               .bias = t->biases,
                               .name = "mien"};
  mien_error error;
  return train_report(mien_head_write_onnx(&head, inside(folder, "model.onnx"), &error), &error);
}

static int write_text(const char *folder, const char *name, char *text) {
  mien_output *output = NULL;
  mien_error error;
  if (!text) return MIEN_RESOURCE; /* reported */
  mien_status status = mien_output_open(inside(folder, name), &cli_cancelled, &output, &error);
  if (status == MIEN_OK) status = mien_output_write(output, text, strlen(text), &error);
  if (status == MIEN_OK) status = mien_output_close(output, &error);
  if (status == MIEN_OK) status = mien_output_publish(output, &error);
  mien_output_destroy(output);
  free(text);
  return train_report(status, &error);
}

static int write_files(const train *t, const char *folder) {
  mien_error error;
  int code = write_head(t, folder);
  if (code == MIEN_OK)
    code = train_report(cli_tune_write(inside(folder, "thresholds.json"), &t->labels, t->tuned, &error), &error);
  if (code == MIEN_OK) code = write_text(folder, "README.md", train_card(t));
  if (code == MIEN_OK) code = write_text(folder, "train.json", train_json(t));
  if (code == MIEN_OK && atomic_load(&cli_cancelled)) {
    (void)mien_fail(&error, MIEN_CANCELLED, "interrupted: nothing was written");
    code = cli_report(TRAIN_COMMAND, &error);
  }
  return code;
}

int train_write(train *t) {
  char path[CLI_PATH_CHARS], made[PATH_CHARS];
  mien_error error;
  (void)folder_path(t->options, path); /* it was checked */
  int code = train_report(make_folder(path, "tmp", made, &error), &error);
  if (code != MIEN_OK) return code;
  code = write_files(t, made);
  if (code == MIEN_OK) code = train_report(publish(made, path, t->options->force, &error), &error);
  if (code != MIEN_OK) {
    remove_folder(made);
    return code;
  }
  if (!t->options->data.quiet) {
    (void)mien_fail(&error, MIEN_OK, "%s: %zu labels of %zu numbers, learned from %zu rows", path, t->labels.n, t->dim,
                    t->parts[TRAIN_ROWS].examples.n_rows);
    fprintf(stderr, "mien: %s\n", error.message);
  }
  return MIEN_OK;
}
