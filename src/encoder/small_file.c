/* SPDX-License-Identifier: Apache-2.0 */
/* The small JSON files beside an encoder's weights, and their fields. */
#include "encoder/small_file.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"

/* A few hundred bytes each; with lists of labels or prompts, some thousands. */
enum { MAX_BYTES = 1 << 20 };

char *mien_path_join(const char *folder, const char *name) {
  const size_t folder_bytes = strlen(folder), name_bytes = strlen(name);
  char *path = mien_alloc(folder_bytes + name_bytes + 2, 1);
  if (!path) return NULL;
  memcpy(path, folder, folder_bytes);
  if (name_bytes == 0) return path;
  size_t at = folder_bytes;
  if (at > 0 && path[at - 1] != '/') path[at++] = '/';
  memcpy(path + at, name, name_bytes);
  return path;
}

bool mien_path_exists(const char *folder, const char *name) {
  char *path = mien_path_join(folder, name);
  struct stat info;
  /* What cannot be looked at is there for those who open it, and say why. */
  const bool exists = !path || lstat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
  mien_free(path);
  return exists;
}

mien_status mien_small_file_read(const char *folder, const char *name, json_type type, bool is_required,
                                 mien_small_file *file, mien_error *error) {
  *file = (mien_small_file){.path = mien_path_join(folder, name)};
  if (!file->path) return mien_fail_memory(error, folder, strlen(folder) + strlen(name));
  if (!is_required && !mien_path_exists(folder, name)) return MIEN_OK;
  unsigned char *bytes = NULL;
  size_t size = 0;
  mien_status status = mien_file_read(file->path, MAX_BYTES, NULL, &bytes, &size, error);
  if (status == MIEN_OK)
    status = mien_json_parse((const char *)bytes, size, file->path, JSON_DECODE_INT_AS_REAL, type, &file->value, error);
  mien_free(bytes);
  return status;
}

void mien_small_file_free(mien_small_file *file) {
  json_decref(file->value);
  mien_free(file->path);
  *file = (mien_small_file){0};
}

/* The field, NULL where the default holds. */
static const json_t *field(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_null(value) ? NULL : value;
}

static mien_status wrong_kind(const mien_small_file *file, const char *key, const char *expected, const json_t *found,
                              mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected %s, found %s", file->path, key, expected,
                   mien_json_kind(found));
}

mien_status mien_small_number(const mien_small_file *file, const json_t *object, const char *key, double *number,
                              mien_error *error) {
  const json_t *value = field(object, key);
  if (!value) return MIEN_OK;
  if (!json_is_number(value)) return wrong_kind(file, key, "a number", value, error);
  *number = json_number_value(value);
  return MIEN_OK;
}

mien_status mien_small_size(const mien_small_file *file, const json_t *object, const char *key, size_t least,
                            size_t most, size_t *size, mien_error *error) {
  double number = -1;
  if (!field(object, key)) return MIEN_OK;
  mien_status status = mien_small_number(file, object, key, &number, error);
  if (status != MIEN_OK) return status;
  if (number >= (double)least && number <= (double)most && number == trunc(number)) {
    *size = (size_t)number;
    return MIEN_OK;
  }
  char shown[MIEN_JSON_NUMBER_CHARS];
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected a whole number from %zu to %zu, found %s", file->path, key,
                   least, most, mien_json_show_number(number, shown));
}

mien_status mien_small_flag(const mien_small_file *file, const json_t *object, const char *key, bool *flag,
                            mien_error *error) {
  const json_t *value = field(object, key);
  if (!value) return MIEN_OK;
  if (!json_is_boolean(value)) return wrong_kind(file, key, "true or false", value, error);
  *flag = json_is_true(value);
  return MIEN_OK;
}

mien_status mien_small_text(const mien_small_file *file, const json_t *object, const char *key, const char **text,
                            mien_error *error) {
  const json_t *value = field(object, key);
  if (!value) return MIEN_OK;
  if (!json_is_string(value)) return wrong_kind(file, key, "a string", value, error);
  *text = json_string_value(value);
  return MIEN_OK;
}
