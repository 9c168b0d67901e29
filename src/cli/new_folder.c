/* SPDX-License-Identifier: Apache-2.0 */
/* A folder under a temporary name until it is whole. */
#include "cli/new_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

static mien_status too_long(const char *path, mien_error *error) {
  return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", path);
}

mien_status cli_new_folder_open(const char *path, cli_new_folder *folder, mien_error *error) {
  *folder = (cli_new_folder){0};
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  if (snprintf(folder->path, sizeof folder->path, "%.*s", (int)length, path) >= (int)sizeof folder->path)
    return too_long(path, error);
  if (snprintf(folder->temporary, sizeof folder->temporary, "%.*s.mien-XXXXXX", (int)length, path) >=
      (int)sizeof folder->temporary) {
    folder->temporary[0] = '\0'; /* the beginning of a path may be another folder's */
    return too_long(path, error);
  }
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

mien_status cli_new_folder_file(const cli_new_folder *folder, const char *name, char file[CLI_PATH_CHARS],
                                mien_error *error) {
  if (snprintf(file, CLI_PATH_CHARS, "%s/%s", folder->temporary, name) >= CLI_PATH_CHARS)
    return too_long(folder->path, error);
  return MIEN_OK;
}

mien_status cli_new_folder_publish(cli_new_folder *folder, mien_error *error) {
  /* An empty folder that came to be there since would be replaced, which loses nothing. */
  if (rename(folder->temporary, folder->path) != 0)
    return mien_fail(error, MIEN_RESOURCE, "%s: cannot be renamed to: %s", folder->path, strerror(errno));
  folder->temporary[0] = '\0';
  return MIEN_OK;
}

void cli_new_folder_discard(cli_new_folder *folder) {
  DIR *list = folder->temporary[0] ? opendir(folder->temporary) : NULL;
  if (!list) return;
  for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) unlinkat(dirfd(list), entry->d_name, 0);
  closedir(list);
  rmdir(folder->temporary);
  folder->temporary[0] = '\0';
}
