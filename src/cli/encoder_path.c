/* SPDX-License-Identifier: Apache-2.0 */
/* What --encoder names: a path, or an encoder that was fetched. */
#include "cli/encoder_path.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"

/* What Hugging Face calls its repositories: two words of letters, digits, '.', '_' and '-'. */
static bool is_id(const char *value) {
  const char *slash = strchr(value, '/');
  if (!slash || slash == value || !slash[1] || strstr(value, "..") || value[0] == '.' || slash[1] == '.') return false;
  for (const char *c = value; *c; c++)
    if (c != slash && !isalnum((unsigned char)*c) && !strchr("._-", *c)) return false;
  return true;
}

/* Whether "folder/modules.json" is there: the folder is an encoder's, and not one that is being made. */
static bool is_encoder(const char *folder) {
  char path[CLI_PATH_CHARS + 32];
  snprintf(path, sizeof path, "%s/modules.json", folder);
  return cli_exists(path);
}

bool cli_cache_folder(char out[CLI_PATH_CHARS]) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (cache && cache[0]) return snprintf(out, CLI_PATH_CHARS, "%s", cache) < CLI_PATH_CHARS;
  return home && home[0] && snprintf(out, CLI_PATH_CHARS, "%s/.cache", home) < CLI_PATH_CHARS;
}

/* Where huggingface_hub keeps what it fetched. */
static bool hub_folder(char out[CLI_PATH_CHARS]) {
  const char *hub = getenv("HF_HUB_CACHE"), *home = getenv("HF_HOME");
  char cache[CLI_PATH_CHARS];
  if (hub && hub[0]) return snprintf(out, CLI_PATH_CHARS, "%s", hub) < CLI_PATH_CHARS;
  if (home && home[0]) return snprintf(out, CLI_PATH_CHARS, "%s/hub", home) < CLI_PATH_CHARS;
  return cli_cache_folder(cache) && snprintf(out, CLI_PATH_CHARS, "%s/huggingface/hub", cache) < CLI_PATH_CHARS;
}

static bool find_pulled(const char *id, char out[CLI_PATH_CHARS]) {
  char cache[CLI_PATH_CHARS];
  return cli_cache_folder(cache) && snprintf(out, CLI_PATH_CHARS, "%s/mien/encoders/%s", cache, id) < CLI_PATH_CHARS &&
         is_encoder(out);
}

/* The revision that a repository's refs/main names: a hash, or false. */
static bool read_revision(const char *repository, char out[128]) {
  char path[CLI_PATH_CHARS + 32];
  snprintf(path, sizeof path, "%s/refs/main", repository);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  const size_t length = fread(out, 1, 127, file);
  fclose(file);
  out[length] = '\0';
  out[strspn(out, "0123456789abcdef")] = '\0';
  return out[0] != '\0';
}

/* HUB/models--org--name/snapshots/REVISION */
static bool find_snapshot(const char *id, char out[CLI_PATH_CHARS]) {
  char hub[CLI_PATH_CHARS], repository[CLI_PATH_CHARS], revision[128];
  const char *slash = strchr(id, '/');
  return hub_folder(hub) &&
         snprintf(repository, sizeof repository, "%s/models--%.*s--%s", hub, (int)(slash - id), id, slash + 1) <
             CLI_PATH_CHARS &&
         read_revision(repository, revision) &&
         snprintf(out, CLI_PATH_CHARS, "%s/snapshots/%s", repository, revision) < CLI_PATH_CHARS && is_encoder(out);
}

mien_status cli_encoder_path(const char *value, char **path, mien_error *error) {
  char found[CLI_PATH_CHARS];
  const char *result = found;
  if (cli_exists(value))
    result = value;
  else if (!is_id(value))
    return errno == ENOENT && !strchr(value, '/')
               ? mien_fail(error, MIEN_INPUT, "%s: no such file or folder, nor an id as org/name", value)
               : mien_fail_system(error, value, errno);
  else if (!find_pulled(value, found) && !find_snapshot(value, found))
    return mien_fail(error, MIEN_INPUT, "encoder '%s': not found: 'mien pull %s' fetches it", value, value);
  *path = mien_copy_text(result, strlen(result));
  return *path ? MIEN_OK : mien_fail_memory(error, value, strlen(result));
}
