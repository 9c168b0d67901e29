/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokenizer as a program, for scripts that compare it with the reference:
 *
 *   driver FILE [MAX_IDS]   texts on stdin (uint32 bytes, then those) become ids on stdout (uint32 count, int32 ids)
 *
 *   driver FILE time        the same texts; then, for each line that follows on stdin, seconds of one pass over all
 *
 * FILE is a tokenizer.json or, by its ending .txt, a vocab.txt. Numbers are in the machine's byte order.
 * A text of UINT32_MAX bytes ends the texts before the end of stdin.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "tokenizer/tokenizer.h"

typedef struct texts {
  char **data;
  uint32_t *bytes;
  size_t n, longest, total;
} texts;

static void *checked(void *memory) {
  if (memory) return memory;
  perror("driver");
  exit(1);
}

static bool read_text(texts *all) {
  uint32_t bytes;
  if (fread(&bytes, sizeof bytes, 1, stdin) != 1 || bytes == UINT32_MAX) return false;
  if ((all->n & (all->n - 1)) == 0) {
    all->data = checked(realloc(all->data, (2 * all->n + 1) * sizeof *all->data));
    all->bytes = checked(realloc(all->bytes, (2 * all->n + 1) * sizeof *all->bytes));
  }
  char *data = checked(malloc((size_t)bytes + 1));
  all->data[all->n] = data;
  all->bytes[all->n++] = bytes;
  all->total += bytes;
  if (bytes > all->longest) all->longest = bytes;
  return fread(data, 1, bytes, stdin) == bytes;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void time_passes(const mien_tokenizer *tokenizer, const texts *all, int32_t *ids) {
  char line[16];
  while (fgets(line, sizeof line, stdin)) {
    const double start = seconds();
    size_t n_ids = 0;
    for (size_t i = 0; i < all->n; i++)
      n_ids += mien_tokenizer_run(tokenizer, all->data[i], all->bytes[i], all->longest + 2, ids, NULL);
    printf("%.9f %zu\n", seconds() - start, n_ids);
    fflush(stdout);
  }
}

static void write_ids(const mien_tokenizer *tokenizer, const texts *all, size_t max_ids, int32_t *ids) {
  for (size_t i = 0; i < all->n; i++) {
    const uint32_t n = (uint32_t)mien_tokenizer_run(tokenizer, all->data[i], all->bytes[i], max_ids, ids, NULL);
    fwrite(&n, sizeof n, 1, stdout);
    fwrite(ids, sizeof *ids, n, stdout);
  }
}

static mien_tokenizer *load(const char *path) {
  mien_error error;
  mien_tokenizer *tokenizer = NULL;
  const mien_vocabulary_options options = {0};
  unsigned char *bytes;
  size_t size;
  mien_status status = mien_file_read(path, SIZE_MAX, NULL, &bytes, &size, &error);
  const double start = seconds();
  if (status == MIEN_OK)
    status = strcmp(path + strlen(path) - 4, ".txt") == 0
                 ? mien_tokenizer_from_vocabulary((const char *)bytes, size, path, &options, &tokenizer, &error)
                 : mien_tokenizer_from_json((const char *)bytes, size, path, &tokenizer, &error);
  fprintf(stderr, "loaded in %.2f ms\n", (seconds() - start) * 1e3);
  if (status == MIEN_OK) return tokenizer;
  fprintf(stderr, "%s\n", error.message);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  const bool is_timed = argc > 2 && strcmp(argv[2], "time") == 0;
  mien_tokenizer *tokenizer = load(argv[1]);
  texts all = {0};
  while (read_text(&all)) continue;
  int32_t *ids = checked(malloc((all.longest + 2) * sizeof *ids));
  if (is_timed)
    time_passes(tokenizer, &all, ids);
  else
    write_ids(tokenizer, &all, argc > 2 ? strtoull(argv[2], NULL, 10) : all.longest + 2, ids);
  return fflush(stdout) == 0 ? 0 : 1;
}
