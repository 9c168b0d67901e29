/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of an output in parts: reading, checking and appending its lines. */
#include "cli/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/new_file.h"
#include "cli/durable.h"
#include "cli/json_build.h"
#include "corpus/sidecar.h"

#define MOST_BYTES ((size_t)1 << 30)

/* ---- Names ------------------------------------------------------------------------------------------------------- */

void cli_shard_name(cli_shard shard, const char *name, char out[CLI_PART_CHARS]) {
  const int digits = snprintf(NULL, 0, "%u", shard.count);
  if (shard.count == 0)
    snprintf(out, CLI_PART_CHARS, "%s", name);
  else
    snprintf(out, CLI_PART_CHARS, "shard-%0*u-of-%u.%s", digits, shard.index, shard.count, name);
}

void cli_part_name(cli_shard shard, uint64_t part, const char *ending, char out[CLI_PART_CHARS]) {
  char name[64];
  snprintf(name, sizeof name, "part-%05" PRIu64 "%s", part, ending);
  cli_shard_name(shard, name, out);
}

mien_row_content cli_content_of(const char *command) {
  if (strcmp(command, "label") == 0) return MIEN_ROWS_LABELS;
  return strcmp(command, "tokenize") == 0 ? MIEN_ROWS_TOKENS : MIEN_ROWS_EMBEDDINGS;
}

const char *cli_counted(mien_row_content content) {
  return content == MIEN_ROWS_LABELS ? "labels" : content == MIEN_ROWS_TOKENS ? "tokens" : NULL;
}

/* ---- Files of parts ---------------------------------------------------------------------------------------------- */

static mien_status measure(cli_part_file *file, const char *path, const atomic_bool *cancel, mien_error *error) {
  struct stat info;
  if (stat(path, &info) != 0) return mien_fail_system(error, path, errno);
  file->bytes = (uint64_t)info.st_size;
  return cli_hash_file(path, cancel, file->hash, error);
}

mien_status cli_part_measure(cli_part_file *file, const char *path, mien_error *error) {
  mien_status status = measure(file, path, NULL, error);
  if (status != MIEN_INPUT) return status;
  error->code = MIEN_RESOURCE; /* it is an output */
  return MIEN_RESOURCE;
}

static mien_status compare(const cli_part_file *file, const char *path, bool *differs, mien_error *error) {
  struct stat info;
  cli_part_file found;
  *differs = false;
  if (stat(path, &info) != 0) {
    const int code = errno;
    *differs = code == ENOENT;
    return mien_fail_system(error, path, code);
  }
  *differs = (uint64_t)info.st_size != file->bytes;
  if (*differs)
    return mien_fail(error, MIEN_INPUT, "%s: expected %" PRIu64 " bytes, found %" PRIu64, path, file->bytes,
                     (uint64_t)info.st_size);
  mien_status status = measure(&found, path, &cli_cancelled, error);
  if (status != MIEN_OK) return status;
  *differs = strcmp(found.hash, file->hash) != 0;
  if (!*differs) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: expected bytes of xxh3 %s, found %s", path, file->hash, found.hash);
}

mien_status cli_part_check(const cli_part *part, const char *path, mien_row_content content, bool has_sidecar,
                           bool *differs, mien_error *error) {
  mien_status status = compare(&part->file, path, differs, error);
  if (status != MIEN_OK || !has_sidecar) return status;
  char *sidecar = mien_sidecar_path(path, content);
  if (!sidecar) return mien_fail_memory(error, path, strlen(path));
  status = compare(&part->sidecar, sidecar, differs, error);
  mien_free(sidecar);
  return status;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static char *show(json_t *line, bool failed) {
  char *text = line && !failed ? json_dumps(line, JSON_COMPACT) : NULL;
  json_decref(line);
  return text;
}

static void set_count(cli_json *to, json_t *line, const char *key, uint64_t count) {
  cli_json_set(to, line, key, json_integer((json_int_t)count));
}

static void set_counts(cli_json *to, json_t *line, const cli_manifest *manifest, const mien_part *rows) {
  set_count(to, line, "rows", rows->n_rows);
  set_count(to, line, "bad_rows", rows->n_bad);
  if (manifest->counted)
    set_count(to, line, manifest->counted, manifest->counted[0] == 'l' ? rows->n_labels : rows->n_tokens);
  set_count(to, line, "truncated", rows->n_truncated);
}

static char *show_part(const cli_manifest *manifest, cli_shard shard, const char *ending, const cli_part *part) {
  cli_json to = {0};
  json_t *line = json_object();
  char name[CLI_PART_CHARS];
  cli_part_name(shard, manifest->n_parts, ending, name);
  set_count(&to, line, "part", manifest->n_parts);
  cli_json_set(&to, line, "file", json_string(name));
  set_count(&to, line, "first_row", part->rows.first_row);
  set_counts(&to, line, manifest, &part->rows);
  set_count(&to, line, "bytes", part->file.bytes);
  cli_json_set(&to, line, "xxh3", json_string(part->file.hash));
  if (part->sidecar.hash[0]) {
    set_count(&to, line, "sidecar_bytes", part->sidecar.bytes);
    cli_json_set(&to, line, "sidecar_xxh3", json_string(part->sidecar.hash));
  }
  return show(line, to.failed);
}

static char *show_end(const cli_manifest *manifest) {
  cli_json to = {0};
  json_t *line = json_object();
  const mien_part sum = cli_manifest_sum(manifest);
  cli_json_set(&to, line, "done", json_true());
  set_count(&to, line, "parts", manifest->n_parts);
  set_counts(&to, line, manifest, &sum);
  return show(line, to.failed);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static mien_status fail_line(const cli_manifest *manifest, size_t line, const char *what, mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s:%zu: expected %s", manifest->path, line, what);
}

static bool take_count(const json_t *line, const char *key, uint64_t *count) {
  const json_t *value = json_object_get(line, key);
  *count = (uint64_t)json_integer_value(value);
  return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool take_hash(const json_t *line, const char *key, char hash[CLI_HASH_CHARS]) {
  const char *value = json_string_value(json_object_get(line, key));
  if (!value || strlen(value) != CLI_HASH_CHARS - 1) return false;
  strcpy(hash, value);
  return true;
}

static bool reserve(cli_manifest *manifest) {
  if (manifest->n_parts < manifest->capacity) return true;
  const size_t capacity = manifest->capacity ? 2 * manifest->capacity : 16;
  cli_part *parts = realloc(manifest->parts, capacity * sizeof *parts);
  if (parts) manifest->parts = parts;
  uint64_t *starts = realloc(manifest->starts, (capacity + 1) * sizeof *starts);
  if (starts) manifest->starts = starts;
  if (parts && starts) manifest->capacity = capacity;
  return parts && starts;
}

/* Parts follow each other from the first row of the header's range on. */
static bool take_part(cli_manifest *manifest, const json_t *line, cli_part *part) {
  uint64_t index, counted = 0;
  *part = (cli_part){0};
  bool good = take_count(line, "part", &index) && index == manifest->n_parts &&
              take_count(line, "first_row", &part->rows.first_row) && take_count(line, "rows", &part->rows.n_rows) &&
              take_count(line, "bad_rows", &part->rows.n_bad) &&
              take_count(line, "truncated", &part->rows.n_truncated) && take_count(line, "bytes", &part->file.bytes) &&
              take_hash(line, "xxh3", part->file.hash);
  if (manifest->counted) good = good && take_count(line, manifest->counted, &counted);
  *(manifest->counted && manifest->counted[0] == 'l' ? &part->rows.n_labels : &part->rows.n_tokens) = counted;
  if (json_object_get(line, "sidecar_xxh3"))
    good = good && take_count(line, "sidecar_bytes", &part->sidecar.bytes) &&
           take_hash(line, "sidecar_xxh3", part->sidecar.hash);
  if (manifest->n_parts == 0) return good;
  const mien_part *before = &manifest->parts[manifest->n_parts - 1].rows;
  return good && part->rows.first_row == before->first_row + before->n_rows;
}

static bool take_end(const cli_manifest *manifest, const json_t *line) {
  uint64_t n_parts, n_rows, n_bad;
  const mien_part sum = cli_manifest_sum(manifest);
  return take_count(line, "parts", &n_parts) && n_parts == manifest->n_parts && take_count(line, "rows", &n_rows) &&
         n_rows == sum.n_rows && take_count(line, "bad_rows", &n_bad) && n_bad == sum.n_bad;
}

/* What the command that the header names counts. */
static bool take_header(cli_manifest *manifest, const json_t *line, bool reads_counted) {
  const char *command = json_string_value(json_object_get(line, "command"));
  if (json_integer_value(json_object_get(line, "manifest")) != CLI_MANIFEST_VERSION || !command) return false;
  if (!reads_counted) return true;
  manifest->counted = cli_counted(cli_content_of(command));
  return true;
}

static mien_status take_line(cli_manifest *manifest, const char *text, size_t size, uint64_t start, size_t number,
                             mien_error *error) {
  char where[CLI_PATH_CHARS + 32];
  json_t *line = NULL;
  snprintf(where, sizeof where, "%s:%zu", manifest->path, number);
  mien_status status = mien_json_parse_object(text, size, where, &line, error);
  if (status != MIEN_OK) return status;
  if (manifest->is_done) {
    status = fail_line(manifest, number, "nothing behind the last line", error);
  } else if (!manifest->header) {
    manifest->header = mien_copy_text(text, size);
    if (!manifest->header || !reserve(manifest)) status = mien_fail_memory(error, manifest->path, size);
    if (status == MIEN_OK && !take_header(manifest, line, manifest->fd < 0))
      status = fail_line(manifest, number, "a manifest's header as this version of mien writes it", error);
  } else if (json_is_true(json_object_get(line, "done"))) {
    if (!take_end(manifest, line)) status = fail_line(manifest, number, "the sums of the parts before", error);
    manifest->is_done = true;
    manifest->starts[manifest->n_parts] = start;
  } else {
    cli_part part;
    if (!reserve(manifest)) {
      status = mien_fail_memory(error, manifest->path, manifest->capacity * sizeof part);
    } else if (!take_part(manifest, line, &part)) {
      status = fail_line(manifest, number, "the line of the next part", error);
    } else {
      manifest->starts[manifest->n_parts] = start;
      manifest->parts[manifest->n_parts++] = part;
    }
  }
  json_decref(line);
  return status;
}

/* *end is behind the last line that is whole: a line is written by one call, and may be torn where the machine
 * stopped. */
static mien_status read_lines(cli_manifest *manifest, uint64_t *end, mien_error *error) {
  unsigned char *bytes = NULL;
  size_t size = 0, at = 0;
  mien_status status = mien_file_read(manifest->path, MOST_BYTES, NULL, &bytes, &size, error);
  for (size_t number = 1; status == MIEN_OK && at < size; number++) {
    const unsigned char *newline = memchr(bytes + at, '\n', size - at);
    if (!newline) break;
    const size_t length = (size_t)(newline - bytes) - at;
    status = take_line(manifest, (const char *)bytes + at, length, at, number, error);
    at += length + 1;
    if (status == MIEN_OK && !manifest->is_done) manifest->starts[manifest->n_parts] = at;
  }
  mien_free(bytes);
  *end = at;
  return status;
}

mien_status cli_manifest_read(cli_manifest *manifest, const char *path, mien_error *error) {
  uint64_t end;
  *manifest = (cli_manifest){.fd = -1};
  if (snprintf(manifest->path, sizeof manifest->path, "%s", path) >= (int)sizeof manifest->path)
    return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", path);
  mien_status status = read_lines(manifest, &end, error);
  if (status == MIEN_OK && !manifest->header) status = fail_line(manifest, 1, "a manifest's header", error);
  return status;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static mien_status fail_write(const cli_manifest *manifest, mien_error *error) {
  return mien_fail(error, MIEN_RESOURCE, "%s: cannot be written: %s", manifest->path, strerror(errno));
}

/* Makes the file `size` bytes long, for what is appended next. */
static mien_status cut_file(const cli_manifest *manifest, uint64_t size, mien_error *error) {
  if (ftruncate(manifest->fd, (off_t)size) == 0 && lseek(manifest->fd, (off_t)size, SEEK_SET) >= 0) return MIEN_OK;
  return fail_write(manifest, error);
}

mien_status cli_manifest_open(cli_manifest *manifest, const char *path, const char *counted, mien_error *error) {
  *manifest = (cli_manifest){.fd = -1, .counted = counted};
  bool taken = false;
  uint64_t end;
  if (snprintf(manifest->path, sizeof manifest->path, "%s", path) >= (int)sizeof manifest->path)
    return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", path);
  manifest->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (manifest->fd < 0) return mien_fail(error, MIEN_RESOURCE, "%s: cannot be opened: %s", path, strerror(errno));
  mien_status status = cli_try_lock(manifest->fd, path, &taken, error);
  if (status == MIEN_OK && !taken)
    status = mien_fail(error, MIEN_RESOURCE, "%s: another process is writing these parts", path);
  if (status == MIEN_OK) status = read_lines(manifest, &end, error);
  return status == MIEN_OK ? cut_file(manifest, end, error) : status;
}

/* Takes `line`. A line that could not be written whole is taken back, as far as that works. */
static mien_status append(cli_manifest *manifest, char *line, mien_error *error) {
  if (!line) return mien_fail_memory(error, manifest->path, sizeof(cli_part));
  const off_t before = lseek(manifest->fd, 0, SEEK_CUR);
  const size_t length = strlen(line);
  line[length] = '\n'; /* in place of the NUL: one call writes all */
  const mien_new_file file = {.fd = manifest->fd};
  mien_status status =
      before >= 0 ? mien_new_file_write(&file, line, length + 1, manifest->path, error) : fail_write(manifest, error);
  if (status == MIEN_OK) status = mien_new_file_sync(&file, manifest->path, error);
  if (status != MIEN_OK && before >= 0 && ftruncate(manifest->fd, before) != 0) errno = 0; /* a torn line is dropped */
  free(line);
  return status;
}

mien_status cli_manifest_begin(cli_manifest *manifest, const char *header, mien_error *error) {
  char *line = strdup(header);
  manifest->header = mien_copy_text(header, strlen(header));
  if (!line || !manifest->header || !reserve(manifest)) {
    free(line);
    return mien_fail_memory(error, manifest->path, strlen(header));
  }
  manifest->starts[0] = strlen(header) + 1;
  return append(manifest, line, error);
}

mien_status cli_manifest_add(cli_manifest *manifest, cli_shard shard, const char *ending, const cli_part *part,
                             mien_error *error) {
  if (!reserve(manifest)) return mien_fail_memory(error, manifest->path, manifest->capacity * sizeof *part);
  char *line = show_part(manifest, shard, ending, part);
  const size_t bytes = line ? strlen(line) + 1 : 0;
  mien_status status = append(manifest, line, error);
  if (status != MIEN_OK) return status;
  manifest->parts[manifest->n_parts] = *part;
  manifest->starts[manifest->n_parts + 1] = manifest->starts[manifest->n_parts] + bytes;
  manifest->n_parts++;
  return MIEN_OK;
}

mien_status cli_manifest_end(cli_manifest *manifest, mien_error *error) {
  mien_status status = append(manifest, show_end(manifest), error);
  manifest->is_done = status == MIEN_OK;
  return status;
}

mien_status cli_manifest_cut(cli_manifest *manifest, size_t n_parts, mien_error *error) {
  mien_status status = cut_file(manifest, manifest->starts[n_parts], error);
  manifest->n_parts = n_parts;
  manifest->is_done = false;
  return status;
}

mien_part cli_manifest_sum(const cli_manifest *manifest) {
  mien_part sum = {0};
  for (size_t i = 0; i < manifest->n_parts; i++) {
    const mien_part *rows = &manifest->parts[i].rows;
    sum.n_rows += rows->n_rows;
    sum.n_bad += rows->n_bad;
    sum.n_labels += rows->n_labels;
    sum.n_tokens += rows->n_tokens;
    sum.n_truncated += rows->n_truncated;
  }
  return sum;
}

void cli_manifest_close(cli_manifest *manifest) {
  if (manifest->fd >= 0) close(manifest->fd);
  mien_free(manifest->header);
  free(manifest->parts);
  free(manifest->starts);
  *manifest = (cli_manifest){.fd = -1};
}
