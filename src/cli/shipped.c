/* SPDX-License-Identifier: Apache-2.0 */
/* Where the files are that mien ships: models, and the script that fetches encoders. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

bool cli_shipped(const char *name, char *path, size_t capacity) {
  static const char *const places[] = {"/../share/mien/models", "/../models", "/../../models"};
  char command[CLI_PATH_CHARS / 2], place[CLI_PATH_CHARS];
  path[0] = '\0';
  ssize_t length = readlink("/proc/self/exe", command, sizeof command - 1);
  if (length <= 0) return false;
  command[length] = '\0';
  *strrchr(command, '/') = '\0';
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    if ((size_t)snprintf(place, sizeof place, "%s%s/%s", command, places[i], name) >= sizeof place) continue;
    char *plain = realpath(place, NULL);
    const bool found = plain && strlen(plain) < capacity;
    if (found) strcpy(path, plain);
    free(plain);
    if (found) return true;
  }
  return false;
}
