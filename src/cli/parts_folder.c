/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of parts: whether it is whole, and its parts in order. */
#include "cli/parts_folder.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/parts_header.h"

/* ---- Which shards are there -------------------------------------------------------------------------------------- */

/* Of how many shards the folder has one, 0 for a whole run; false when there is no manifest. `has_other`: those of
 * another number are there too. */
static bool count_shards(const char *path, unsigned *count, bool *has_other) {
  DIR *list = opendir(path);
  bool is_found = false;
  *has_other = false;
  if (!list) return false;
  for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
    char expected[CLI_PART_CHARS];
    cli_shard shard = {0};
    if (sscanf(entry->d_name, "shard-%u-of-%u.", &shard.index, &shard.count) != 2) shard = (cli_shard){0};
    cli_shard_name(shard, CLI_MANIFEST_NAME, expected);
    if (strcmp(entry->d_name, expected) != 0) continue;
    *has_other |= is_found && shard.count != *count;
    *count = shard.count;
    is_found = true;
  }
  closedir(list);
  return is_found;
}

bool cli_is_parts_folder(const char *path) {
  unsigned count;
  bool has_other;
  return count_shards(path, &count, &has_other);
}

/* ---- The header -------------------------------------------------------------------------------------------------- */

static mien_status read_header(cli_parts_folder *folder, mien_error *error) {
  const char *path = folder->manifests[0].path, *format, *command;
  json_int_t n_columns = 0;
  mien_status status = mien_json_parse_object(folder->manifests[0].header, strlen(folder->manifests[0].header), path,
                                              &folder->header, error);
  if (status != MIEN_OK) return status;
  const json_t *columns = json_object_get(json_object_get(folder->header, "settings"), "columns");
  if (json_unpack(folder->header, "{s:s, s:{s:s}}", "command", &command, "settings", "output_format", &format) != 0 ||
      snprintf(folder->ending, sizeof folder->ending, ".%s", format) >= (int)sizeof folder->ending)
    return mien_fail(error, MIEN_INPUT, "%s:1: expected a manifest's header as this version of mien writes it", path);
  char name[sizeof folder->ending + 1];
  snprintf(name, sizeof name, "x%s", folder->ending);
  n_columns = json_integer_value(columns);
  if (!cli_format_of(name, &folder->format) || n_columns < 0 ||
      mien_output_is_array(folder->format) != json_is_integer(columns))
    return mien_fail(error, MIEN_INPUT, "%s:1: expected an output format as this version of mien writes it, found %s",
                     path, format);
  folder->n_columns = (size_t)n_columns;
  folder->content = cli_content_of(command);
  return MIEN_OK;
}

/* ---- Are they whole ---------------------------------------------------------------------------------------------- */

static mien_status fail_missing(const cli_parts_folder *folder, mien_error *error) {
  const unsigned count = folder->count;
  char list[256] = "", file[CLI_PART_CHARS], path[CLI_PATH_CHARS];
  size_t n_missing = 0;
  for (unsigned i = 1; i <= count; i++) {
    cli_shard_name((cli_shard){i, count}, CLI_MANIFEST_NAME, file);
    snprintf(path, sizeof path, "%s/%s", folder->path, file);
    if (cli_exists(path)) continue;
    const size_t length = strlen(list);
    if (length + 16 < sizeof list)
      snprintf(list + length, sizeof list - length, "%s%u", n_missing ? ", " : "", i);
    else if (list[length - 1] != '.')
      strcat(list, ", ...");
    n_missing++;
  }
  return mien_fail(error, MIEN_INPUT, "%s: expected all %u shards, found %zu: missing are %s", folder->path, count,
                   count - n_missing, list);
}

static mien_status read_manifests(cli_parts_folder *folder, mien_error *error) {
  const unsigned count = folder->count;
  folder->n_shards = count ? count : 1;
  folder->manifests = mien_alloc(folder->n_shards, sizeof *folder->manifests);
  if (!folder->manifests) return mien_fail_memory(error, folder->path, folder->n_shards * sizeof *folder->manifests);
  for (size_t i = 0; i < folder->n_shards; i++) folder->manifests[i].fd = -1;
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < folder->n_shards; i++) {
    char name[CLI_PART_CHARS], path[CLI_PATH_CHARS];
    cli_shard_name((cli_shard){(unsigned)i + 1, count}, CLI_MANIFEST_NAME, name);
    if (snprintf(path, sizeof path, "%s/%s", folder->path, name) >= (int)sizeof path)
      return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", folder->path);
    if (!cli_exists(path)) return fail_missing(folder, error);
    status = cli_manifest_read(&folder->manifests[i], path, error);
  }
  return status;
}

/* A shard's rows must begin where those before it end, and be all of its range. */
static mien_status check_rows(const cli_manifest *manifest, const json_t *header, uint64_t first_row,
                              mien_error *error) {
  const json_t *first = json_object_get(header, "first_row"), *end = json_object_get(header, "end_row");
  const mien_part sum = cli_manifest_sum(manifest);
  const uint64_t found = first_row + sum.n_rows;
  if (!json_is_integer(first) || (uint64_t)json_integer_value(first) != first_row)
    return mien_fail(error, MIEN_INPUT, "%s:1: first_row: expected %" PRIu64 ", found %lld", manifest->path, first_row,
                     (long long)json_integer_value(first));
  if (!manifest->is_done)
    return mien_fail(error, MIEN_INPUT, "%s: not done: %zu parts are, with %" PRIu64 " rows: --resume goes on with it",
                     manifest->path, manifest->n_parts, sum.n_rows);
  if (manifest->n_parts == 0 || manifest->parts[0].rows.first_row != first_row)
    return mien_fail(error, MIEN_INPUT, "%s:2: expected a part that begins with row %" PRIu64, manifest->path,
                     first_row);
  if (json_is_integer(end) && (uint64_t)json_integer_value(end) != found)
    return mien_fail(error, MIEN_INPUT, "%s: expected rows to %lld, found rows to %" PRIu64, manifest->path,
                     (long long)json_integer_value(end), found);
  return MIEN_OK;
}

static mien_status check_shard(cli_parts_folder *folder, const cli_manifest *manifest, mien_error *error) {
  json_t *header = NULL;
  mien_status status =
      mien_json_parse_object(manifest->header, strlen(manifest->header), manifest->path, &header, error);
  if (status == MIEN_OK) status = cli_parts_same_run(manifest->path, folder->header, header, error);
  if (status == MIEN_OK) status = check_rows(manifest, header, folder->sum.n_rows, error);
  json_decref(header);
  const mien_part sum = cli_manifest_sum(manifest);
  mien_part *all = &folder->sum;
  all->n_rows += sum.n_rows;
  all->n_bad += sum.n_bad;
  all->n_labels += sum.n_labels;
  all->n_tokens += sum.n_tokens;
  all->n_truncated += sum.n_truncated;
  folder->n_parts += manifest->n_parts;
  return status;
}

mien_status cli_parts_folder_open(cli_parts_folder *folder, const char *path, mien_error *error) {
  bool has_other = false;
  *folder = (cli_parts_folder){.path = path};
  if (!count_shards(path, &folder->count, &has_other))
    return mien_fail(error, MIEN_INPUT, "%s: expected a folder of parts with a manifest, found none", path);
  if (has_other) return mien_fail(error, MIEN_INPUT, "%s: expected one run, found the manifests of several", path);
  mien_status status = read_manifests(folder, error);
  if (status == MIEN_OK) status = read_header(folder, error);
  for (size_t i = 0; status == MIEN_OK && i < folder->n_shards; i++)
    status = check_shard(folder, &folder->manifests[i], error);
  const json_t *rows = json_object_get(folder->header, "rows");
  if (status == MIEN_OK && json_is_integer(rows) && (uint64_t)json_integer_value(rows) != folder->sum.n_rows)
    return mien_fail(error, MIEN_INPUT, "%s: expected %lld rows, found %" PRIu64, path,
                     (long long)json_integer_value(rows), folder->sum.n_rows);
  return status;
}

void cli_parts_folder_close(cli_parts_folder *folder) {
  for (size_t i = 0; folder->manifests && i < folder->n_shards; i++) cli_manifest_close(&folder->manifests[i]);
  mien_free(folder->manifests);
  json_decref(folder->header);
  *folder = (cli_parts_folder){0};
}

mien_status cli_parts_folder_each(const cli_parts_folder *folder, cli_take_part take, void *user, mien_error *error) {
  mien_status status = MIEN_OK;
  for (size_t i = 0; i < folder->n_shards; i++) {
    const cli_manifest *manifest = &folder->manifests[i];
    const cli_shard shard = {(unsigned)i + 1, folder->count};
    for (size_t k = 0; status == MIEN_OK && k < manifest->n_parts; k++) {
      char name[CLI_PART_CHARS], path[CLI_PATH_CHARS];
      cli_part_name(shard, k, folder->ending, name);
      if (snprintf(path, sizeof path, "%s/%s", folder->path, name) >= (int)sizeof path)
        return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", folder->path);
      status = take(user, path, &manifest->parts[k], error);
    }
  }
  return status;
}
