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
#include "corpus/compression.h"

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

static bool ends_with(const char *path, size_t length, const char *ending) {
  const size_t n = strlen(ending);
  return length > n && strncasecmp(path + length - n, ending, n) == 0;
}

bool mien_path_ends_with(const char *path, const char *ending) { return ends_with(path, strlen(path), ending); }

mien_input_format mien_input_format_of(const char *path) {
  static const struct {
    const char *ending;
    mien_input_format format;
  } endings[] = {{".npy", MIEN_INPUT_NPY},   {".f32", MIEN_INPUT_F32},     {".txt", MIEN_INPUT_TEXT},
                 {".text", MIEN_INPUT_TEXT}, {".jsonl", MIEN_INPUT_JSONL}, {".ndjson", MIEN_INPUT_JSONL},
                 {".csv", MIEN_INPUT_CSV},   {".tsv", MIEN_INPUT_TSV}};
  size_t length;
  mien_compression_of_name(path, &length);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (ends_with(path, length, endings[i].ending)) return endings[i].format;
  return MIEN_INPUT_BY_ENDING;
}

unsigned mien_input_kind(mien_input_format format) {
  return format == MIEN_INPUT_NPY || format == MIEN_INPUT_F32 ? MIEN_INPUT_EMBEDDINGS : MIEN_INPUT_TEXTS;
}

const char *mien_input_format_name(mien_input_format format) {
  static const char *const names[] = {
      [MIEN_INPUT_NPY] = "npy",     [MIEN_INPUT_F32] = "f32", [MIEN_INPUT_TEXT] = "text",
      [MIEN_INPUT_JSONL] = "jsonl", [MIEN_INPUT_CSV] = "csv", [MIEN_INPUT_TSV] = "tsv"};
  return names[format];
}

/* The endings of what a run can read, for messages. */
static const char *endings_of(unsigned kinds) {
  if (kinds == MIEN_INPUT_EMBEDDINGS) return ".npy or .f32";
  return kinds == MIEN_INPUT_TEXTS ? ".txt, .jsonl, .csv or .tsv" : ".txt, .jsonl, .csv, .tsv, .npy or .f32";
}

static const char *formats_of(unsigned kinds) {
  if (kinds == MIEN_INPUT_EMBEDDINGS) return "npy or f32";
  return kinds == MIEN_INPUT_TEXTS ? "text, jsonl, csv or tsv" : "text, jsonl, csv, tsv, npy or f32";
}

/* A known format of the other kind; `given`: by the user, not by the name. */
static mien_status refuse_kind(const char *path, bool given, unsigned kinds, mien_error *error) {
  const char *why = given                    ? ""
                    : strcmp(path, "-") == 0 ? " unless --input-format says otherwise"
                                             : " by its ending (--input-format overrides it)";
  if (kinds == MIEN_INPUT_EMBEDDINGS)
    return mien_fail(error, MIEN_ARGUMENT,
                     "%s: text%s, which needs an encoder: say --encoder, or give embeddings, .npy or raw f32",
                     mien_input_name(path), why);
  return mien_fail(error, MIEN_INPUT, "%s: expected texts (%s), found embeddings%s", mien_input_name(path),
                   formats_of(kinds), why);
}

static mien_status add_file(mien_inputs *inputs, const char *path, mien_input_format format, unsigned kinds,
                            mien_error *error) {
  const bool given = format != MIEN_INPUT_BY_ENDING;
  if (!given) format = strcmp(path, "-") == 0 ? MIEN_INPUT_TEXT : mien_input_format_of(path);
  if (format == MIEN_INPUT_BY_ENDING)
    return mien_fail(error, MIEN_INPUT,
                     "%s: format: expected a name that ends in %s, found another: say --input-format %s", path,
                     endings_of(kinds), formats_of(kinds));
  if (!(mien_input_kind(format) & kinds)) return refuse_kind(path, given, kinds, error);
  return add(inputs, path, format, error);
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const mien_input *)a)->path, ((const mien_input *)b)->path);
}

/* One entry of a folder: hidden files (a run's unfinished output among them), folders and other endings are passed. */
static mien_status add_entry(mien_inputs *inputs, const char *folder, const char *name, mien_input_format format,
                             unsigned kinds, mien_error *error) {
  if (name[0] == '.') return MIEN_OK;
  if (format == MIEN_INPUT_BY_ENDING) format = mien_input_format_of(name);
  if (format == MIEN_INPUT_BY_ENDING || !(mien_input_kind(format) & kinds)) return MIEN_OK;
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

static mien_status add_folder(mien_inputs *inputs, const char *folder, mien_input_format format, unsigned kinds,
                              mien_error *error) {
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
    status = add_entry(inputs, folder, entry->d_name, format, kinds, error);
  }
  closedir(entries);
  if (status != MIEN_OK) return status;
  if (inputs->count == before)
    return mien_fail(error, MIEN_INPUT, "%s: expected a folder with files that end in %s, found none in it", folder,
                     endings_of(kinds));
  qsort(inputs->items + before, inputs->count - before, sizeof *inputs->items, by_path);
  return MIEN_OK;
}

static mien_status add_path(mien_inputs *inputs, const char *path, mien_input_format format, unsigned kinds,
                            mien_error *error) {
  struct stat info;
  if (stat(path, &info) != 0) return mien_fail_system(error, path, errno);
  return S_ISDIR(info.st_mode) ? add_folder(inputs, path, format, kinds, error)
                               : add_file(inputs, path, format, kinds, error);
}

static mien_status add_pattern(mien_inputs *inputs, const char *pattern, mien_input_format format, unsigned kinds,
                               mien_error *error) {
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
    status = add_path(inputs, found.gl_pathv[i], format, kinds, error);
  globfree(&found);
  return status;
}

static mien_status add_argument(mien_inputs *inputs, const char *argument, mien_input_format format, unsigned kinds,
                                mien_error *error) {
  if (strcmp(argument, "-") == 0) {
    for (size_t i = 0; i < inputs->count; i++) {
      if (strcmp(inputs->items[i].path, "-") == 0) return mien_fail(error, MIEN_ARGUMENT, "stdin is given twice");
    }
    return add_file(inputs, "-", format, kinds, error);
  }
  if (argument[0] == '\0') return mien_fail(error, MIEN_ARGUMENT, "expected an input, found an empty name");
  struct stat info;
  if (stat(argument, &info) != 0 && errno == ENOENT && strpbrk(argument, "*?["))
    return add_pattern(inputs, argument, format, kinds, error);
  return add_path(inputs, argument, format, kinds, error);
}

/* Rows of one run go one way. */
static mien_status check_kinds(const mien_inputs *inputs, mien_error *error) {
  for (size_t i = 1; i < inputs->count; i++) {
    const mien_input *first = &inputs->items[0], *other = &inputs->items[i];
    if (mien_input_kind(first->format) == mien_input_kind(other->format)) continue;
    const bool texts_first = mien_input_kind(first->format) == MIEN_INPUT_TEXTS;
    return mien_fail(error, MIEN_ARGUMENT, "inputs: expected all texts or all embeddings, found %s (%s) and %s (%s)",
                     mien_input_name(first->path), texts_first ? "texts" : "embeddings", mien_input_name(other->path),
                     texts_first ? "embeddings" : "texts");
  }
  return MIEN_OK;
}

mien_status mien_inputs_add(mien_inputs *inputs, char *const *arguments, size_t n_arguments, mien_input_format format,
                            unsigned kinds, mien_error *error) {
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < n_arguments; i++)
    status = add_argument(inputs, arguments[i], format, kinds, error);
  return status == MIEN_OK ? check_kinds(inputs, error) : status;
}
