/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of a test's own, and small files in it. */
#ifndef MIEN_TESTS_TEMPORARY_H
#define MIEN_TESTS_TEMPORARY_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

static char temporary_folder[64];

static inline void make_temporary(void) {
  strcpy(temporary_folder, "/tmp/mien-test-XXXXXX");
  require(mkdtemp(temporary_folder), "no temporary folder");
}

static inline const char *in_temporary(const char *name) {
  static char paths[4][512]; /* as many as an expression may use */
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", temporary_folder, name);
  return path;
}

static inline void write_temporary(const char *name, const void *bytes, size_t size) {
  FILE *file = fopen(in_temporary(name), "wb");
  /* No bytes may come as a null pointer, which fwrite does not take. */
  require(file && (size == 0 || fwrite(bytes, 1, size, file) == size) && fclose(file) == 0, "%s was not written", name);
}

static inline size_t read_temporary(const char *name, char *bytes, size_t capacity) {
  FILE *file = fopen(in_temporary(name), "rb");
  require(file, "%s is not there", name);
  size_t size = fread(bytes, 1, capacity, file);
  fclose(file);
  return size;
}

static inline int count_temporary(void) {
  DIR *folder = opendir(temporary_folder);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(folder));)
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  closedir(folder);
  return count;
}

/* Files and empty folders; fuller ones are the test's to empty. */
static inline void remove_temporary(void) {
  DIR *folder = opendir(temporary_folder);
  for (struct dirent *entry; (entry = readdir(folder));)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) remove(in_temporary(entry->d_name));
  closedir(folder);
  rmdir(temporary_folder);
}

#endif
