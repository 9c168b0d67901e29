/* SPDX-License-Identifier: Apache-2.0 */
/* What a run's inputs are: hashes and rows, remembered in inputs.json. */
#include "cli/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/new_file.h"
#include "base/threads.h"
#include "cli/cli.h"
#include "cli/durable.h"
#include "cli/json_build.h"
#include "corpus/cancel.h"

enum {
  VERSION = 1,         /* of inputs.json; goes up with what it holds */
  COUNTED_ROWS = 4096, /* of a chunk, when rows are counted */
  COUNTED_BYTES = 1 << 20,
};

#define MOST_JSON_BYTES ((size_t)1 << 30)

/* What the survey's parts share. */
typedef struct surveyor {
  cli_survey *survey;
  const mien_inputs *inputs;
  const mien_text_options *texts;
  size_t dim;
  bool *is_known; /* [inputs] as inputs.json has it */
  atomic_size_t next;
  atomic_bool has_failed;
  mien_error *errors; /* [inputs]; code 0 where none */
} surveyor;

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static mien_status stamp(const char *path, cli_stamp *found, mien_error *error) {
  struct stat info;
  if (stat(path, &info) != 0) return mien_fail_system(error, path, errno);
  *found = (cli_stamp){.bytes = (uint64_t)info.st_size,
                       .inode = (uint64_t)info.st_ino,
                       .modified_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec,
                       .changed_ns = (int64_t)info.st_ctim.tv_sec * 1000000000 + info.st_ctim.tv_nsec};
  return MIEN_OK;
}

static bool is_same(const cli_stamp *a, const cli_stamp *b) {
  return a->bytes == b->bytes && a->inode == b->inode && a->modified_ns == b->modified_ns &&
         a->changed_ns == b->changed_ns;
}

static mien_status fail_changed(const char *path, const char *expected, const char *found, mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s: has changed: expected bytes of xxh3 %s, found %s", path, expected, found);
}

/* By the reader's own search for rows, without looking into them. */
static mien_status count_rows(const surveyor *s, mien_input *input, uint64_t *n_rows, mien_error *error) {
  const mien_inputs one = {input, 1, 1};
  mien_text_options options = *s->texts;
  options.chunk_rows = COUNTED_ROWS;
  options.chunk_bytes = COUNTED_BYTES;
  options.cancel = &cli_cancelled;
  options.workers = 1;
  options.range = NULL;
  mien_reader *reader = NULL;
  mien_chunk chunk = {0};
  mien_status status =
      mien_input_kind(input->format) == MIEN_INPUT_TEXTS
          ? mien_text_reader_create(&one, &options, &reader, error)
          : mien_embedding_reader_create(&one, s->dim, 1, COUNTED_BYTES, NULL, &cli_cancelled, &reader, error);
  if (status != MIEN_OK) return status;
  *n_rows = reader->n_rows;
  if (*n_rows == MIEN_ROWS_UNKNOWN) {
    *n_rows = 0;
    chunk.data = reader->has_texts ? NULL : mien_alloc_raw(reader->chunk_bytes);
    if (!reader->has_texts && !chunk.data) status = mien_fail_memory(error, input->path, reader->chunk_bytes);
    while (status == MIEN_OK && (status = reader->claim(reader, &chunk, error)) == MIEN_OK && chunk.n_rows > 0) {
      *n_rows += chunk.n_rows;
      if (mien_is_cancelled(&cli_cancelled)) status = mien_fail(error, MIEN_CANCELLED, "%s: interrupted", input->path);
    }
  }
  mien_free(chunk.data);
  mien_chunk_free(&chunk);
  reader->destroy(reader);
  return status;
}

/* Hashes and counts a file, which must not change meanwhile. */
static mien_status read_input(const surveyor *s, size_t index, mien_error *error) {
  mien_input *input = &s->inputs->items[index];
  cli_surveyed *file = &s->survey->files[index];
  cli_stamp after = {0};
  mien_status status = stamp(input->path, &file->stamp, error);
  if (status == MIEN_OK) status = cli_hash_file(input->path, &cli_cancelled, file->hash, error);
  if (status == MIEN_OK) status = count_rows(s, input, &s->survey->n_rows[index], error);
  if (status == MIEN_OK) status = stamp(input->path, &after, error);
  if (status == MIEN_OK && !is_same(&file->stamp, &after))
    return mien_fail(error, MIEN_INPUT, "%s: changes while it is read", input->path);
  return status;
}

/* A file that inputs.json knows with another stamp may still have the same bytes, of which it says how many rows. */
static mien_status look_at_input(const surveyor *s, size_t index, mien_error *error) {
  const char *path = s->inputs->items[index].path;
  cli_surveyed *file = &s->survey->files[index];
  if (!s->is_known[index]) return read_input(s, index, error);
  cli_stamp now = {0};
  char hash[CLI_HASH_CHARS];
  mien_status status = stamp(path, &now, error);
  if (status != MIEN_OK || is_same(&file->stamp, &now)) return status;
  status = cli_hash_file(path, &cli_cancelled, hash, error);
  if (status == MIEN_OK && strcmp(hash, file->hash) != 0) return fail_changed(path, file->hash, hash, error);
  file->stamp = now;
  s->is_known[index] = false; /* its new stamp is not written yet */
  return status;
}

static void work(void *user, unsigned worker) {
  (void)worker;
  surveyor *s = user;
  for (size_t i; !atomic_load(&s->has_failed) && (i = atomic_fetch_add(&s->next, 1)) < s->inputs->count;)
    if (look_at_input(s, i, &s->errors[i]) != MIEN_OK) atomic_store(&s->has_failed, true);
}

static mien_status look_at_all(surveyor *s, unsigned threads, mien_error *error) {
  mien_pool *pool = NULL;
  if (threads > s->inputs->count) threads = (unsigned)s->inputs->count;
  mien_status status = mien_pool_create(threads, &pool, error);
  if (status != MIEN_OK) return status;
  mien_pool_run(pool, work, s);
  mien_pool_destroy(pool);
  for (size_t i = 0; atomic_load(&s->has_failed) && i < s->inputs->count; i++) {
    if (s->errors[i].code == MIEN_OK) continue;
    *error = s->errors[i];
    return error->code;
  }
  return MIEN_OK;
}

/* ---- inputs.json ------------------------------------------------------------------------------------------------- */

static json_t *show(const surveyor *s) {
  cli_json to = {0};
  json_t *all = json_object(), *files = json_array();
  cli_json_set(&to, all, "survey", json_integer(VERSION));
  cli_json_set(&to, all, "header", json_boolean(!s->texts->no_header));
  cli_json_set(&to, all, "dim", json_integer((json_int_t)s->dim));
  for (size_t i = 0; i < s->inputs->count; i++) {
    const cli_surveyed *file = &s->survey->files[i];
    const mien_input *input = &s->inputs->items[i];
    json_t *one = json_object();
    cli_json_set(&to, one, "path", cli_json_text(input->path, strlen(input->path)));
    cli_json_set(&to, one, "format", json_string(mien_input_format_name(input->format)));
    cli_json_set(&to, one, "bytes", json_integer((json_int_t)file->stamp.bytes));
    cli_json_set(&to, one, "rows", json_integer((json_int_t)s->survey->n_rows[i]));
    cli_json_set(&to, one, "xxh3", json_string(file->hash));
    cli_json_set(&to, one, "modified_ns", json_integer((json_int_t)file->stamp.modified_ns));
    cli_json_set(&to, one, "changed_ns", json_integer((json_int_t)file->stamp.changed_ns));
    cli_json_set(&to, one, "inode", json_integer((json_int_t)file->stamp.inode));
    cli_json_append(&to, files, one);
  }
  cli_json_set(&to, all, "inputs", files);
  if (!to.failed) return all;
  json_decref(all);
  return NULL;
}

/*
 * Under a name of its own first, the same in each run: what a killed run leaves is the next one's to write over, and
 * processes that no lock keeps apart write the same bytes.
 */
static mien_status replace_file(const char *folder, const char *path, const char *text, mien_error *error) {
  char name[CLI_PATH_CHARS];
  if (snprintf(name, sizeof name, "%s/.inputs.new", folder) >= (int)sizeof name)
    return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", folder);
  const mien_new_file file = {.fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666)};
  if (file.fd < 0) return mien_fail(error, MIEN_RESOURCE, "%s: cannot be created: %s", name, strerror(errno));
  const size_t size = strlen(text);
  mien_status status = mien_new_file_write(&file, text, size, path, error);
  if (status == MIEN_OK && ftruncate(file.fd, (off_t)size) != 0)
    status = mien_fail(error, MIEN_RESOURCE, "%s: cannot be written: %s", name, strerror(errno));
  if (status == MIEN_OK) status = mien_new_file_sync(&file, path, error);
  close(file.fd);
  if (status == MIEN_OK) status = cli_rename(name, path, error);
  if (status != MIEN_OK) unlink(name);
  return status == MIEN_OK ? cli_sync(folder, error) : status;
}

static mien_status write_json(const surveyor *s, const char *path, const char *folder, mien_error *error) {
  json_t *all = show(s);
  char *text = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
  json_decref(all);
  if (!text) return mien_fail_memory(error, path, s->inputs->count * sizeof *s->survey->files);
  mien_status status = replace_file(folder, path, text, error);
  free(text);
  return status;
}

/* Takes what inputs.json says of an input, which must be the one that is given now. */
static mien_status take_known(const surveyor *s, size_t index, json_t *one, const char *path, mien_error *error) {
  const mien_input *input = &s->inputs->items[index];
  cli_surveyed *file = &s->survey->files[index];
  const char *known, *format, *hash;
  json_int_t bytes, rows, modified, changed, inode;
  if (json_unpack(one, "{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I}", "path", &known, "format", &format, "bytes", &bytes,
                  "rows", &rows, "xxh3", &hash, "modified_ns", &modified, "changed_ns", &changed, "inode",
                  &inode) != 0 ||
      bytes < 0 || rows < 0 || strlen(hash) != CLI_HASH_CHARS - 1)
    return mien_fail(error, MIEN_INPUT, "%s: input %zu: not what mien writes there", path, index);
  json_t *now = cli_json_text(input->path, strlen(input->path));
  const bool is_it = now && strcmp(json_string_value(now), known) == 0;
  json_decref(now);
  if (!is_it || strcmp(format, mien_input_format_name(input->format)) != 0)
    return mien_fail(error, MIEN_INPUT, "%s: the folder is of other inputs: input %zu: expected %s (%s), found %s (%s)",
                     path, index, known, format, input->path, mien_input_format_name(input->format));
  file->stamp = (cli_stamp){(uint64_t)bytes, (uint64_t)inode, modified, changed};
  strcpy(file->hash, hash);
  s->survey->n_rows[index] = (uint64_t)rows;
  s->is_known[index] = true;
  return MIEN_OK;
}

static mien_status read_json(const surveyor *s, const char *path, mien_error *error) {
  unsigned char *bytes = NULL;
  size_t size = 0;
  json_t *all = NULL, *files;
  int version, header;
  json_int_t dim;
  mien_status status = mien_file_read(path, MOST_JSON_BYTES, NULL, &bytes, &size, error);
  if (status == MIEN_OK) status = mien_json_parse_object((const char *)bytes, size, path, &all, error);
  mien_free(bytes);
  if (status != MIEN_OK) return status;
  if (json_unpack(all, "{s:i, s:b, s:I, s:o}", "survey", &version, "header", &header, "dim", &dim, "inputs", &files) !=
          0 ||
      version != VERSION || !json_is_array(files))
    status = mien_fail(
        error, MIEN_INPUT,
        "%s: expected the inputs as this version of mien writes them; without the file they are looked at anew", path);
  else if (header == s->texts->no_header || (uint64_t)dim != s->dim)
    status = mien_fail(error, MIEN_INPUT,
                       "%s: the folder is of another run: expected %s header and dimension %" PRIu64
                       ", found %s header and dimension %zu",
                       path, header ? "a" : "no", (uint64_t)dim, s->texts->no_header ? "no" : "a", s->dim);
  else if (json_array_size(files) != s->inputs->count)
    status = mien_fail(error, MIEN_INPUT, "%s: the folder is of other inputs: expected %zu, found %zu", path,
                       json_array_size(files), s->inputs->count);
  for (size_t i = 0; status == MIEN_OK && i < s->inputs->count; i++)
    status = take_known(s, i, json_array_get(files, i), path, error);
  json_decref(all);
  return status;
}

/* ---- The survey -------------------------------------------------------------------------------------------------- */

/* Another process may be at the same corpus for the same folder: one of them reads it. */
static mien_status wait_for_lock(int fd, const char *path, bool quiet, mien_error *error) {
  bool taken = false, is_told = quiet;
  for (;;) {
    mien_status status = cli_try_lock(fd, path, &taken, error);
    if (status != MIEN_OK || taken) return status;
    if (!is_told) fprintf(stderr, "mien: waiting for another process that looks at the inputs\n");
    is_told = true;
    if (mien_is_cancelled(&cli_cancelled)) return mien_fail(error, MIEN_CANCELLED, "%s: interrupted", path);
    poll(NULL, 0, MIEN_POLL_MILLISECONDS);
  }
}

static mien_status make(surveyor *s, const char *folder, unsigned threads, mien_error *error) {
  char path[CLI_PATH_CHARS];
  if (snprintf(path, sizeof path, "%s/inputs.json", folder) >= (int)sizeof path)
    return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", folder);
  mien_status status = cli_exists(path) ? read_json(s, path, error) : MIEN_OK;
  if (status == MIEN_OK) status = look_at_all(s, threads, error);
  bool is_known = true;
  for (size_t i = 0; i < s->inputs->count; i++) is_known = is_known && s->is_known[i];
  if (status == MIEN_OK && !is_known) status = write_json(s, path, folder, error);
  for (size_t i = 0; i < s->inputs->count; i++) {
    s->survey->total_rows += s->survey->n_rows[i];
    s->survey->total_bytes += s->survey->files[i].stamp.bytes;
  }
  return status;
}

mien_status cli_survey_make(const char *folder, const mien_inputs *inputs, const mien_text_options *texts, size_t dim,
                            unsigned threads, bool quiet, cli_survey *survey, mien_error *error) {
  const size_t n = inputs->count;
  char path[CLI_PATH_CHARS];
  if (snprintf(path, sizeof path, "%s/.inputs.lock", folder) >= (int)sizeof path)
    return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", folder);
  survey->files = mien_alloc(n, sizeof *survey->files);
  survey->n_rows = mien_alloc(n, sizeof *survey->n_rows);
  surveyor s = {.survey = survey, .inputs = inputs, .texts = texts, .dim = dim};
  s.is_known = mien_alloc(n, sizeof *s.is_known);
  s.errors = mien_alloc(n, sizeof *s.errors);
  mien_status status = MIEN_OK;
  if (!survey->files || !survey->n_rows || !s.is_known || !s.errors)
    status = mien_fail_memory(error, "inputs", n * sizeof *s.errors);
  const int fd = status == MIEN_OK ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
  if (status == MIEN_OK && fd < 0)
    status = mien_fail(error, MIEN_RESOURCE, "%s: cannot be created: %s", path, strerror(errno));
  if (status == MIEN_OK) status = wait_for_lock(fd, path, quiet, error);
  if (status == MIEN_OK) status = make(&s, folder, threads, error);
  if (fd >= 0) close(fd);
  mien_free(s.is_known);
  mien_free(s.errors);
  return status;
}

void cli_survey_free(cli_survey *survey) {
  mien_free(survey->files);
  mien_free(survey->n_rows);
  *survey = (cli_survey){0};
}

/* A file that only looks changed (by a link more, say) is hashed once. */
static mien_status check_file(cli_surveyed *file, const char *path, mien_error *error) {
  cli_stamp now = {0};
  char hash[CLI_HASH_CHARS];
  mien_status status = stamp(path, &now, error);
  if (status != MIEN_OK || is_same(&file->stamp, &now)) return status;
  status = cli_hash_file(path, NULL, hash, error);
  if (status == MIEN_OK && strcmp(hash, file->hash) != 0) return fail_changed(path, file->hash, hash, error);
  file->stamp = now;
  return status;
}

mien_status cli_survey_check(cli_survey *survey, const mien_inputs *inputs, uint64_t first, uint64_t end,
                             mien_error *error) {
  mien_status status = MIEN_OK;
  uint64_t row = 0;
  for (size_t i = 0; status == MIEN_OK && i < inputs->count && row < end; i++) {
    row += survey->n_rows[i];
    if (row > first) status = check_file(&survey->files[i], inputs->items[i].path, error);
  }
  return status;
}
