/* SPDX-License-Identifier: Apache-2.0 */
/* Which inputs a user means by files, folders, patterns and "-", and what format each is in. */
#include "corpus/inputs.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"

const char *mien_input_name(const char *path) { return strcmp(path, "-") == 0 ? "stdin" : path; }

void mien_inputs_free(mien_inputs *inputs) {
  for (size_t i = 0; i < inputs->count; i++) mien_free(inputs->items[i].path);
  free(inputs->items);
  *inputs = (mien_inputs){0};
}

static mien_status add(mien_inputs *inputs, const char *path, mien_input_format format, mien_error *error) {
  if (inputs->count == inputs->capacity) {
    size_t capacity = inputs->capacity ? 2 * inputs->capacity : 16;
    mien_input *items = realloc(inputs->items, capacity * sizeof *items);
    if (!items) return mien_fail_memory(error, "list of inputs", capacity * sizeof *items);
    inputs->items = items;
    inputs->capacity = capacity;
  }
  char *copy = mien_copy_text(path, strlen(path));
  if (!copy) return mien_fail_memory(error, "list of inputs", strlen(path) + 1);
  inputs->items[inputs->count++] = (mien_input){copy, format};
  return MIEN_OK;
}

bool mien_path_ends_with(const char *path, const char *ending) {
  size_t length = strlen(path), n = strlen(ending);
  return length > n && strcasecmp(path + length - n, ending) == 0;
}

static mien_input_format format_of_ending(const char *path) {
  if (mien_path_ends_with(path, ".npy")) return MIEN_INPUT_NPY;
  return mien_path_ends_with(path, ".f32") ? MIEN_INPUT_F32 : MIEN_INPUT_BY_ENDING;
}

/* Files of text are for a model with an encoder; say so rather than "unknown". */
static mien_status refuse_ending(const char *path, mien_error *error) {
  static const char *const text_endings[] = {".txt", ".text", ".md", ".jsonl", ".ndjson", ".json", ".csv", ".tsv"};
  bool text = strcmp(path, "-") == 0;
  for (size_t i = 0; i < sizeof text_endings / sizeof *text_endings; i++)
    text |= mien_path_ends_with(path, text_endings[i]);
  if (text)
    return mien_fail(error, MIEN_INPUT,
                     "%s: %s: text needs an encoder, which this model does not have; the input must be embeddings, "
                     ".npy or raw f32%s",
                     mien_input_name(path),
                     strcmp(path, "-") == 0 ? "text unless --input-format says otherwise" : "text by its ending",
                     strcmp(path, "-") == 0 ? "" : " (--input-format overrides the ending)");
  return mien_fail(
      error, MIEN_INPUT,
      "%s: format: expected a name that ends in .npy or .f32, found another: say --input-format npy or f32", path);
}

static mien_status add_file(mien_inputs *inputs, const char *path, mien_input_format format, mien_error *error) {
  if (format == MIEN_INPUT_BY_ENDING) format = format_of_ending(path);
  if (format == MIEN_INPUT_BY_ENDING) return refuse_ending(path, error);
  return add(inputs, path, format, error);
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const mien_input *)a)->path, ((const mien_input *)b)->path);
}

/* One entry of a folder: hidden files (a run's unfinished output among them), folders and other endings are passed. */
static mien_status add_entry(mien_inputs *inputs, const char *folder, const char *name, mien_input_format format,
                             mien_error *error) {
  if (name[0] == '.') return MIEN_OK;
  if (format == MIEN_INPUT_BY_ENDING) format = format_of_ending(name);
  if (format == MIEN_INPUT_BY_ENDING) return MIEN_OK;
  size_t bytes = strlen(folder) + strlen(name) + 2;
  char *path = mien_alloc(bytes, 1);
  if (!path) return mien_fail_memory(error, folder, bytes);
  snprintf(path, bytes, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);
  struct stat info;
  mien_status status = MIEN_OK;
  if (stat(path, &info) != 0) {
    status = mien_fail_system(error, path, errno);
  } else if (S_ISREG(info.st_mode)) {
    status = add(inputs, path, format, error);
  }
  mien_free(path);
  return status;
}

static mien_status add_folder(mien_inputs *inputs, const char *folder, mien_input_format format, mien_error *error) {
  DIR *entries = opendir(folder);
  if (!entries) return mien_fail_system(error, folder, errno);
  size_t before = inputs->count;
  mien_status status = MIEN_OK;
  while (status == MIEN_OK) {
    errno = 0;
    struct dirent *entry = readdir(entries);
    if (!entry) {
      if (errno) status = mien_fail_system(error, folder, errno);
      break;
    }
    status = add_entry(inputs, folder, entry->d_name, format, error);
  }
  closedir(entries);
  if (status != MIEN_OK) return status;
  if (inputs->count == before)
    return mien_fail(error, MIEN_INPUT, "%s: expected a folder with .npy or .f32 files, found none in it", folder);
  qsort(inputs->items + before, inputs->count - before, sizeof *inputs->items, by_path);
  return MIEN_OK;
}

static mien_status add_path(mien_inputs *inputs, const char *path, mien_input_format format, mien_error *error) {
  struct stat info;
  if (stat(path, &info) != 0) return mien_fail_system(error, path, errno);
  return S_ISDIR(info.st_mode) ? add_folder(inputs, path, format, error) : add_file(inputs, path, format, error);
}

static mien_status add_pattern(mien_inputs *inputs, const char *pattern, mien_input_format format, mien_error *error) {
  glob_t found = {0};
  int code = glob(pattern, 0, NULL, &found);
  mien_status status = MIEN_OK;
  if (code == GLOB_NOMATCH) {
    status = mien_fail(error, MIEN_INPUT, "%s: the pattern matches no file", pattern);
  } else if (code != 0) {
    status = mien_fail(error, code == GLOB_NOSPACE ? MIEN_RESOURCE : MIEN_INPUT,
                       "%s: the pattern could not be searched", pattern);
  }
  for (size_t i = 0; status == MIEN_OK && i < found.gl_pathc; i++)
    status = add_path(inputs, found.gl_pathv[i], format, error);
  globfree(&found);
  return status;
}

static mien_status add_argument(mien_inputs *inputs, const char *argument, mien_input_format format,
                                mien_error *error) {
  if (strcmp(argument, "-") == 0) {
    for (size_t i = 0; i < inputs->count; i++) {
      if (strcmp(inputs->items[i].path, "-") == 0) return mien_fail(error, MIEN_ARGUMENT, "stdin is given twice");
    }
    return add_file(inputs, "-", format, error);
  }
  if (argument[0] == '\0') return mien_fail(error, MIEN_ARGUMENT, "expected an input, found an empty name");
  struct stat info;
  if (stat(argument, &info) != 0 && errno == ENOENT && strpbrk(argument, "*?["))
    return add_pattern(inputs, argument, format, error);
  return add_path(inputs, argument, format, error);
}

mien_status mien_inputs_add(mien_inputs *inputs, char *const *arguments, size_t n_arguments, mien_input_format format,
                            mien_error *error) {
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < n_arguments; i++)
    status = add_argument(inputs, arguments[i], format, error);
  return status;
}
