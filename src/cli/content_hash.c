/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of contents, by xxHash. */
#include "cli/content_hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "corpus/cancel.h"
#include "encoder/pack.h"

enum {
  PIECE = 1 << 20,
  MOST_DEPTH = 4, /* folders in folders: no encoder has more */
};

struct cli_hash {
  XXH3_state_t *state;
  const atomic_bool *cancel;
};

cli_hash *cli_hash_create(void) {
  cli_hash *hash = mien_alloc(1, sizeof *hash);
  if (!hash) return NULL;
  hash->cancel = &cli_cancelled;
  hash->state = XXH3_createState();
  if (hash->state && XXH3_128bits_reset(hash->state) == XXH_OK) return hash;
  cli_hash_destroy(hash);
  return NULL;
}

void cli_hash_destroy(cli_hash *hash) {
  if (!hash) return;
  XXH3_freeState(hash->state);
  mien_free(hash);
}

static void add_length(cli_hash *hash, uint64_t length) {
  unsigned char bytes[8];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(length >> (8 * i));
  XXH3_128bits_update(hash->state, bytes, sizeof bytes);
}

void cli_hash_add(cli_hash *hash, const void *bytes, size_t size) {
  add_length(hash, size);
  if (size) XXH3_128bits_update(hash->state, bytes, size);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static mien_status add_open_file(cli_hash *hash, int fd, const char *path, unsigned char *piece, mien_error *error) {
  for (ssize_t n; (n = read(fd, piece, PIECE)) != 0;) {
    if (n > 0) XXH3_128bits_update(hash->state, piece, (size_t)n);
    if (n < 0 && errno != EINTR) return mien_fail_system(error, path, errno);
    if (mien_is_cancelled(hash->cancel)) return mien_fail(error, MIEN_CANCELLED, "%s: interrupted", path);
  }
  return MIEN_OK;
}

static mien_status add_file(cli_hash *hash, const char *path, mien_error *error) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return mien_fail_system(error, path, errno);
  unsigned char *piece = mien_alloc_raw(PIECE);
  const mien_status status = piece ? add_open_file(hash, fd, path, piece, error) : mien_fail_memory(error, path, PIECE);
  mien_free(piece);
  close(fd);
  return status;
}

static int not_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int by_bytes(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static mien_status add(cli_hash *hash, const char *path, int depth, mien_error *error);

static mien_status add_folder(cli_hash *hash, const char *path, int depth, mien_error *error) {
  struct dirent **entries;
  const int n = scandir(path, &entries, not_hidden, by_bytes);
  if (n < 0) return mien_fail_system(error, path, errno);
  mien_status status = MIEN_OK;
  for (int i = 0; i < n; i++) {
    char inner[CLI_PATH_CHARS];
    const char *name = entries[i]->d_name;
    if (status == MIEN_OK && snprintf(inner, sizeof inner, "%s/%s", path, name) < (int)sizeof inner) {
      cli_hash_add(hash, name, strlen(name));
      status = add(hash, inner, depth + 1, error);
    }
    free(entries[i]);
  }
  free(entries);
  return status;
}

static mien_status add(cli_hash *hash, const char *path, int depth, mien_error *error) {
  struct stat info;
  if (stat(path, &info) != 0) return depth ? MIEN_OK : mien_fail_system(error, path, errno); /* a link to nothing */
  if (S_ISDIR(info.st_mode)) return depth < MOST_DEPTH ? add_folder(hash, path, depth, error) : MIEN_OK;
  if (!S_ISREG(info.st_mode)) return MIEN_OK;
  add_length(hash, (uint64_t)info.st_size);
  return add_file(hash, path, error);
}

mien_status cli_hash_add_path(cli_hash *hash, const char *path, mien_error *error) { return add(hash, path, 0, error); }

mien_status cli_hash_add_encoder(cli_hash *hash, const char *path, mien_error *error) {
  struct stat info;
  char folder[CLI_PATH_CHARS];
  if (mien_pack_is_one(path) || (stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
    return cli_hash_add_path(hash, path, error);
  const char *slash = strrchr(path, '/');
  if (snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".") >=
      (int)sizeof folder)
    return mien_fail(error, MIEN_INPUT, "%s: the path is too long", path);
  cli_hash_add(hash, slash ? slash + 1 : path, strlen(slash ? slash + 1 : path));
  const size_t length = strlen(folder);
  if (length > 5 && strcmp(folder + length - 5, "/onnx") == 0) folder[length - 5] = '\0';
  return cli_hash_add_path(hash, folder[0] ? folder : "/", error);
}

/* ---- Ends -------------------------------------------------------------------------------------------------------- */

void cli_hash_show(cli_hash *hash, char text[CLI_HASH_CHARS]) {
  const XXH128_hash_t sum = XXH3_128bits_digest(hash->state);
  snprintf(text, CLI_HASH_CHARS, "%016llx%016llx", (unsigned long long)sum.high64, (unsigned long long)sum.low64);
}

mien_status cli_hash_file(const char *path, const atomic_bool *cancel, char text[CLI_HASH_CHARS], mien_error *error) {
  cli_hash *hash = cli_hash_create();
  if (!hash) return mien_fail_memory(error, path, sizeof *hash);
  hash->cancel = cancel;
  const mien_status status = add_file(hash, path, error);
  if (status == MIEN_OK) cli_hash_show(hash, text);
  cli_hash_destroy(hash);
  return status;
}
