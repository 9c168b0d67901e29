/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target once on every file of the folders and files given: its seeds and past findings, without clang. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  struct stat info;
  if (!file || fstat(fileno(file), &info) != 0) {
    perror(path);
    return 1;
  }
  /* Exactly as long as the file, so that a read past its end is seen by the sanitizer. */
  uint8_t *bytes = malloc((size_t)info.st_size + !info.st_size);
  size_t size = bytes ? fread(bytes, 1, (size_t)info.st_size, file) : 0;
  fclose(file);
  int failed = !bytes || size != (size_t)info.st_size;
  if (!failed) LLVMFuzzerTestOneInput(bytes, size);
  free(bytes);
  return failed;
}

static int run_path(const char *path, int *count) {
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
    ++*count;
    return run_file(path);
  }
  DIR *folder = opendir(path);
  if (!folder) return 1;
  int failed = 0;
  for (struct dirent *entry; (entry = readdir(folder));) {
    char name[4096];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    failed |= run_path(name, count);
  }
  closedir(folder);
  return failed;
}

int main(int argc, char **argv) {
  int failed = 0, count = 0;
  for (int i = 1; i < argc; i++) failed |= run_path(argv[i], &count);
  printf("%d files\n", count);
  return failed || count == 0;
}
