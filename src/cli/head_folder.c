/* SPDX-License-Identifier: Apache-2.0 */
/* A head's folder, under a temporary name until it is whole. */
#include "cli/head_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/number.h"
#include "corpus/buffer.h"

static mien_status too_long(const char *path, mien_error *error) {
  return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", path);
}

mien_status cli_head_folder_open(const char *path, cli_head_folder *folder, mien_error *error) {
  struct stat info;
  *folder = (cli_head_folder){0};
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  if (snprintf(folder->path, sizeof folder->path, "%.*s", (int)length, path) >= (int)sizeof folder->path)
    return too_long(path, error);
  if (lstat(folder->path, &info) == 0)
    return mien_fail(error, MIEN_ARGUMENT, "%s: is there already: expected a name that is free", folder->path);
  if (errno != ENOENT) return mien_fail(error, MIEN_RESOURCE, "%s: %s", folder->path, strerror(errno));
  if (snprintf(folder->temporary, sizeof folder->temporary, "%.*s.mien-XXXXXX", (int)length, path) >=
      (int)sizeof folder->temporary)
    return too_long(path, error);
  if (!mkdtemp(folder->temporary)) {
    const int code = errno;
    folder->temporary[0] = '\0';
    return mien_fail(error, MIEN_RESOURCE, "%s: %s", folder->path, strerror(code));
  }
  const mode_t mask = umask(0); /* mkdtemp's are the owner's alone */
  umask(mask);
  if (chmod(folder->temporary, 0777 & ~mask) == 0) return MIEN_OK;
  return mien_fail(error, MIEN_RESOURCE, "%s: %s", folder->path, strerror(errno));
}

mien_status cli_head_folder_file(const cli_head_folder *folder, const char *name, char file[CLI_PATH_CHARS],
                                 mien_error *error) {
  if (snprintf(file, CLI_PATH_CHARS, "%s/%s", folder->temporary, name) >= CLI_PATH_CHARS)
    return too_long(folder->path, error);
  return MIEN_OK;
}

mien_status cli_head_folder_write(const cli_head_folder *folder, const mien_onnx_head *head, mien_error *error) {
  char file[CLI_PATH_CHARS];
  const mien_status status = cli_head_folder_file(folder, "model.onnx", file, error);
  return status == MIEN_OK ? mien_head_write_onnx(head, file, error) : status;
}

bool cli_thresholds_text(const char *const *labels, const float *thresholds, size_t n, mien_buffer *out) {
  bool done = mien_buffer_append(out, "{", 1);
  for (size_t l = 0; done && l < n; l++) {
    char number[MIEN_NUMBER_CHARS];
    const size_t length = mien_format_float(number, thresholds[l]);
    done = (l == 0 || mien_buffer_append(out, ", ", 2)) && mien_buffer_append_json(out, labels[l], strlen(labels[l])) &&
           mien_buffer_append(out, ": ", 2) && mien_buffer_append(out, number, length);
  }
  return done && mien_buffer_append(out, "}\n", 2);
}

mien_status cli_head_folder_write_thresholds(const cli_head_folder *folder, const char *const *labels,
                                             const float *thresholds, size_t n, mien_error *error) {
  char path[CLI_PATH_CHARS];
  mien_buffer text = {0};
  mien_new_file file = {.fd = -1};
  mien_status status = cli_head_folder_file(folder, "thresholds.json", path, error);
  if (status == MIEN_OK && !cli_thresholds_text(labels, thresholds, n, &text))
    status = mien_fail_memory(error, "thresholds", text.size);
  if (status == MIEN_OK) status = mien_new_file_open(path, &file, error);
  if (status == MIEN_OK) status = mien_new_file_write(&file, text.bytes, text.size, path, error);
  if (status == MIEN_OK) status = mien_new_file_sync(&file, path, error);
  if (status == MIEN_OK) status = mien_new_file_publish(&file, path, error);
  mien_new_file_discard(&file);
  mien_buffer_free(&text);
  return status;
}

mien_status cli_head_folder_publish(cli_head_folder *folder, mien_error *error) {
  /* An empty folder that came to be there since would be replaced, which loses nothing. */
  if (rename(folder->temporary, folder->path) != 0)
    return mien_fail(error, MIEN_RESOURCE, "%s: cannot be renamed to: %s", folder->path, strerror(errno));
  folder->temporary[0] = '\0';
  return MIEN_OK;
}

void cli_head_folder_discard(cli_head_folder *folder) {
  DIR *list = folder->temporary[0] ? opendir(folder->temporary) : NULL;
  if (!list) return;
  for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) unlinkat(dirfd(list), entry->d_name, 0);
  closedir(list);
  rmdir(folder->temporary);
  folder->temporary[0] = '\0';
}
