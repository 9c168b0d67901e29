/* SPDX-License-Identifier: Apache-2.0 */
/* A run whose output is a folder of parts and a manifest: what it begins with, goes on with and ends with. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/durable.h"
#include "cli/parts_header.h"
#include "corpus/cancel.h"
#include "corpus/sidecar.h"
#include "corpus/stream.h"

/* A run of parts, from its checks to its last line. */
typedef struct parts_run {
  cli_run *run;
  mien_model *model;
  const mien_inputs *inputs;
  const char *folder;
  char ending[16]; /* of parts: ".jsonl.zst" */
  cli_shard shard;
  bool has_streams;
  cli_survey survey;
  mien_row_range range; /* all rows of the shard; what is left of them once the manifest was read */
  uint64_t first_row;   /* of the shard */
  cli_manifest manifest;
  char staging[CLI_PATH_CHARS]; /* where a part is till it has its name */
  char path[CLI_PATH_CHARS];    /* of the part there */
} parts_run;

static bool is_array(const parts_run *p) { return mien_output_is_array(p->run->rows.format); }

static const char *ending_of(mien_output_format format) {
  static const char *const endings[] = {
      [MIEN_OUTPUT_TEXT] = ".jsonl", [MIEN_OUTPUT_JSONL] = ".jsonl", [MIEN_OUTPUT_CSV] = ".csv",
      [MIEN_OUTPUT_NPY] = ".npy",    [MIEN_OUTPUT_BITS] = ".bits",   [MIEN_OUTPUT_F32] = ".f32"};
  return endings[format];
}

/* The path of `name` in `folder`. */
static mien_status join(char out[CLI_PATH_CHARS], const char *folder, const char *name, mien_error *error) {
  if (snprintf(out, CLI_PATH_CHARS, "%s/%s", folder, name) < CLI_PATH_CHARS) return MIEN_OK;
  return mien_fail(error, MIEN_ARGUMENT, "%s: the path is too long", folder);
}

static mien_status path_of(const parts_run *p, const char *name, char out[CLI_PATH_CHARS], mien_error *error) {
  char file[CLI_PART_CHARS];
  cli_shard_name(p->shard, name, file);
  return join(out, p->folder, file, error);
}

/* ---- The folder -------------------------------------------------------------------------------------------------- */

static mien_status make_folder(const parts_run *p, mien_error *error) {
  struct stat info;
  if (mkdir(p->folder, 0777) == 0) return cli_sync_name(p->folder, error);
  const int code = errno;
  if (code == EEXIST && stat(p->folder, &info) == 0 && S_ISDIR(info.st_mode)) return MIEN_OK;
  if (code == EEXIST)
    return mien_fail(error, MIEN_ARGUMENT, "%s: expected a folder for the parts, or nothing yet, found a file",
                     p->folder);
  return mien_fail(error, MIEN_RESOURCE, "%s: cannot be made: %s", p->folder, strerror(code));
}

/* A folder of parts has the output of one run: what it has must not be taken for inputs, nor its shards be mixed. */
static mien_status check_entry(const parts_run *p, const char *name, mien_error *error) {
  const char *ending = CLI_MANIFEST_NAME;
  const size_t length = strlen(name), n = strlen(ending);
  char expected[CLI_PART_CHARS];
  unsigned index, count;
  if (length < n || strcmp(name + length - n, ending) != 0) return MIEN_OK;
  if (length == n && p->shard.count > 0)
    return mien_fail(error, MIEN_ARGUMENT, "%s: holds a whole run already (%s): expected a folder for shards of %u",
                     p->folder, name, p->shard.count);
  if (sscanf(name, "shard-%u-of-%u.", &index, &count) != 2) return MIEN_OK;
  cli_shard_name((cli_shard){index, count}, ending, expected);
  if (strcmp(name, expected) != 0 || count == p->shard.count) return MIEN_OK;
  if (p->shard.count == 0)
    return mien_fail(error, MIEN_ARGUMENT, "%s: holds shards of %u (%s): expected a folder for a whole run", p->folder,
                     count, name);
  return mien_fail(error, MIEN_ARGUMENT, "%s: shards: expected shards of %u, as are there (%s), found %u", p->folder,
                   count, name, p->shard.count);
}

/* Whether a file is one of this run's parts, or something beside one. */
static bool is_part(const parts_run *p, const char *name) {
  char start[CLI_PART_CHARS];
  cli_shard_name(p->shard, "part-", start);
  return strncmp(name, start, strlen(start)) == 0;
}

/* `begins`: there is no manifest of this run yet, and so must be no parts, which would be replaced. */
static mien_status check_names(const parts_run *p, bool begins, mien_error *error) {
  DIR *list = opendir(p->folder);
  mien_status status = list ? MIEN_OK : mien_fail_system(error, p->folder, errno);
  for (const struct dirent *entry; status == MIEN_OK && (entry = readdir(list)) != NULL;) {
    status = check_entry(p, entry->d_name, error);
    if (status == MIEN_OK && begins && is_part(p, entry->d_name))
      status = mien_fail(error, MIEN_ARGUMENT, "%s: expected no parts without a manifest, found %s", p->folder,
                         entry->d_name);
  }
  if (list) closedir(list);
  return status;
}

/* Before anything is read or made in the folder: is it this run's? */
static mien_status check_folder(const parts_run *p, mien_error *error) {
  cli_manifest manifest = {.fd = -1};
  char path[CLI_PATH_CHARS];
  mien_status status = check_names(p, false, error);
  if (status == MIEN_OK) status = path_of(p, CLI_MANIFEST_NAME, path, error);
  if (status != MIEN_OK || p->run->parts.resumes || !cli_exists(path)) return status;
  mien_error ignored; /* what is wrong with it is met again */
  if (cli_manifest_read(&manifest, path, &ignored) != MIEN_OK) errno = 0;
  if (manifest.header)
    status = mien_fail(error, MIEN_ARGUMENT, "%s: there is a run already, with %zu parts done%s: --resume goes on",
                       path, manifest.n_parts, manifest.is_done ? ", which are all" : "");
  cli_manifest_close(&manifest);
  return status;
}

static mien_status check_inputs(parts_run *p, mien_error *error) {
  struct stat folder, above;
  const bool is_there = stat(p->folder, &folder) == 0;
  for (size_t i = 0; i < p->inputs->count; i++) {
    const char *path = p->inputs->items[i].path;
    char copy[CLI_PATH_CHARS];
    if (strcmp(path, "-") == 0 || !mien_stream_is_file(path)) {
      p->has_streams = true;
      continue;
    }
    if (is_there && snprintf(copy, sizeof copy, "%s", path) < (int)sizeof copy && stat(dirname(copy), &above) == 0 &&
        above.st_dev == folder.st_dev && above.st_ino == folder.st_ino)
      return mien_fail(error, MIEN_ARGUMENT, "%s: the folder of the output has input %s in it", p->folder, path);
  }
  if (!p->has_streams || (p->shard.count == 0 && !p->run->parts.resumes)) return MIEN_OK;
  return mien_fail(error, MIEN_ARGUMENT,
                   "option '%s': expected files, which can be read again, found a stream among the inputs",
                   p->shard.count ? "--shard" : "--resume");
}

/* ---- The shard's range ------------------------------------------------------------------------------------------- */

/* floor(total * index / count), without overflow: total / count and the rest are taken apart. */
static uint64_t share(uint64_t total, unsigned index, unsigned count) {
  return total / count * index + total % count * index / count;
}

/* Row at which share `index` of `count` begins: of whole files, that of the first one whose middle byte is in it. */
static uint64_t begin_of(const parts_run *p, unsigned index) {
  const cli_survey *survey = &p->survey;
  const unsigned count = p->shard.count;
  if (!p->run->parts.by_files) return share(survey->total_rows, index, count);
  const uint64_t limit = share(survey->total_bytes, index, count);
  uint64_t bytes = 0, row = 0;
  if (index == count) return survey->total_rows;
  for (size_t i = 0; index > 0 && i < p->inputs->count; i++) {
    if (bytes + survey->files[i].stamp.bytes / 2 >= limit) break;
    bytes += survey->files[i].stamp.bytes;
    row += survey->n_rows[i];
  }
  return row;
}

static void find_range(parts_run *p) {
  mien_row_range *range = &p->range;
  *range = (mien_row_range){.end = MIEN_ROWS_UNKNOWN, .part_rows = p->run->parts.rows, .stop = &cli_cancelled};
  if (p->has_streams) return;
  range->input_rows = p->survey.n_rows;
  range->end = p->survey.total_rows;
  if (p->shard.count == 0) return;
  range->first = begin_of(p, p->shard.index - 1);
  range->end = begin_of(p, p->shard.index);
}

/* ---- What is there already --------------------------------------------------------------------------------------- */

static mien_status check_part(parts_run *p, size_t index, bool *differs, mien_error *error) {
  const cli_part *part = &p->manifest.parts[index];
  char name[CLI_PART_CHARS], path[CLI_PATH_CHARS];
  cli_part_name(p->shard, index, p->ending, name);
  *differs = false;
  mien_status status = join(path, p->folder, name, error);
  if (status != MIEN_OK) return status;
  return cli_part_check(part, path, p->run->rows.content, part->sidecar.hash[0] != '\0', differs, error);
}

/* Parts are checked; from the first one on that is not as it was written they are made again. One that cannot be read
 * now may well be. */
static mien_status check_parts(parts_run *p, mien_error *error) {
  for (size_t i = 0; i < p->manifest.n_parts; i++) {
    bool differs;
    mien_status status = check_part(p, i, &differs, error);
    if (status == MIEN_OK) continue;
    if (!differs) return status;
    fprintf(stderr, "mien: %s: the parts from there on are made again\n", error->message);
    return cli_manifest_cut(&p->manifest, i, error);
  }
  return MIEN_OK;
}

/* The header in a manifest's first line; NULL where there is none yet. */
static json_t *read_header(const char *path) {
  FILE *file = fopen(path, "re");
  char *line = NULL;
  size_t capacity = 0;
  mien_error ignored;
  json_t *header = NULL;
  const ssize_t length = file ? getline(&line, &capacity, file) : -1;
  if (length > 0 && line[length - 1] == '\n' &&
      mien_json_parse_object(line, (size_t)length, path, &header, &ignored) != MIEN_OK)
    header = NULL;
  free(line);
  if (file) fclose(file);
  return header;
}

/* Shards that share a folder are of one run: a wrong one should not find out when all are merged. */
static mien_status check_other_shard(const parts_run *p, const char *own, mien_error *error) {
  mien_status status = MIEN_OK;
  bool is_compared = false;
  for (unsigned i = 1; status == MIEN_OK && !is_compared && i <= p->shard.count; i++) {
    char name[CLI_PART_CHARS], path[CLI_PATH_CHARS];
    if (i == p->shard.index) continue;
    cli_shard_name((cli_shard){i, p->shard.count}, CLI_MANIFEST_NAME, name);
    status = join(path, p->folder, name, error);
    json_t *other = status == MIEN_OK ? read_header(path) : NULL, *header = NULL;
    is_compared = other != NULL;
    if (other) status = mien_json_parse_object(own, strlen(own), path, &header, error);
    if (other && status == MIEN_OK) status = cli_parts_same_run(path, other, header, error);
    json_decref(other);
    json_decref(header);
  }
  return status;
}

static mien_status begin_or_resume(parts_run *p, mien_error *error) {
  char *header = NULL;
  mien_status status = cli_parts_header(p->run, p->model, p->inputs, p->has_streams ? NULL : &p->survey, &p->range,
                                        p->ending, &header, error);
  char path[CLI_PATH_CHARS];
  if (status == MIEN_OK) status = path_of(p, CLI_MANIFEST_NAME, path, error);
  if (status == MIEN_OK && !cli_exists(path)) status = check_other_shard(p, header, error);
  if (status == MIEN_OK) status = cli_manifest_open(&p->manifest, path, cli_counted(p->run->rows.content), error);
  if (status == MIEN_OK && !p->manifest.header) {
    status = check_names(p, true, error);
    if (status == MIEN_OK) status = cli_manifest_begin(&p->manifest, header, error);
    if (status == MIEN_OK) status = cli_sync(p->folder, error);
  } else if (status == MIEN_OK && strcmp(p->manifest.header, header) != 0) {
    cli_parts_show_differences(path, p->manifest.header, header);
    status = mien_fail(error, MIEN_INPUT, "%s: --resume: expected the run that is there, found another", path);
  } else if (status == MIEN_OK) {
    status = check_parts(p, error);
  }
  free(header);
  return status;
}

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

static mien_status begin_part(void *user, uint64_t first_row, const char **path, mien_error *error) {
  (void)first_row;
  parts_run *p = user;
  char name[CLI_PART_CHARS];
  cli_part_name(p->shard, p->manifest.n_parts, p->ending, name);
  *path = p->path;
  return join(p->path, p->staging, name, error);
}

/* Gives a file in the staging folder its place, with its bytes on the disk. */
static mien_status place_file(const parts_run *p, const char *path, cli_part_file *file, mien_error *error) {
  char target[CLI_PATH_CHARS];
  mien_status status = cli_sync(path, error);
  if (status == MIEN_OK) status = cli_part_measure(file, path, error);
  if (status == MIEN_OK) status = join(target, p->folder, strrchr(path, '/') + 1, error);
  return status == MIEN_OK ? cli_rename(path, target, error) : status;
}

/* A part must have all of its rows: an input that was cut has fewer than it had when it was looked at. */
static mien_status check_rows(parts_run *p, const mien_part *rows, mien_error *error) {
  if (p->has_streams) return MIEN_OK;
  const uint64_t end = rows->first_row + rows->n_rows, left = p->range.end - rows->first_row;
  mien_status status = cli_survey_check(&p->survey, p->inputs, rows->first_row, end, error);
  if (status == MIEN_OK && rows->n_rows != (left < p->range.part_rows ? left : p->range.part_rows))
    return mien_fail(error, MIEN_INPUT, "inputs: expected %" PRIu64 " rows, found %" PRIu64, p->range.end, end);
  return status;
}

static mien_status end_part(void *user, const mien_part *rows, mien_error *error) {
  parts_run *p = user;
  cli_part part = {.rows = *rows};
  mien_status status = check_rows(p, rows, error);
  if (status == MIEN_OK && is_array(p)) {
    char *sidecar = mien_sidecar_path(p->path, p->run->rows.content);
    status = sidecar ? place_file(p, sidecar, &part.sidecar, error) : mien_fail_memory(error, p->path, CLI_PATH_CHARS);
    mien_free(sidecar);
  }
  if (status == MIEN_OK) status = place_file(p, p->path, &part.file, error);
  if (status == MIEN_OK) status = cli_sync(p->folder, error);
  return status == MIEN_OK ? cli_manifest_add(&p->manifest, p->shard, p->ending, &part, error) : status;
}

/* Files that a run left which was ended in the middle of a part. */
static void empty_staging(const parts_run *p) {
  DIR *list = opendir(p->staging);
  if (!list) return;
  for (const struct dirent *entry; (entry = readdir(list)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) unlinkat(dirfd(list), entry->d_name, 0);
  closedir(list);
  rmdir(p->staging);
}

/* Knows the folder's name, and that nothing is left there. */
static mien_status clear_staging(parts_run *p, mien_error *error) {
  char name[CLI_PART_CHARS], hidden[CLI_PART_CHARS + 1];
  cli_shard_name(p->shard, "unfinished", name);
  snprintf(hidden, sizeof hidden, ".%s", name);
  mien_status status = join(p->staging, p->folder, hidden, error);
  if (status == MIEN_OK) empty_staging(p);
  return status;
}

static mien_status make_staging(parts_run *p, mien_error *error) {
  mien_status status = clear_staging(p, error);
  if (status != MIEN_OK) return status;
  if (mkdir(p->staging, 0777) == 0) return MIEN_OK;
  return mien_fail(error, MIEN_RESOURCE, "%s: cannot be made: %s", p->staging, strerror(errno));
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

/* The rows that are left, and whether there are any. */
static bool skip_done(parts_run *p) {
  const cli_manifest *manifest = &p->manifest;
  p->first_row = p->range.first;
  if (manifest->n_parts == 0) return true;
  const mien_part *last = &manifest->parts[manifest->n_parts - 1].rows;
  p->range.first = last->first_row + last->n_rows;
  return p->range.first < p->range.end;
}

static mien_status run_rows(parts_run *p, mien_error *error) {
  cli_run *run = p->run;
  mien_reader *reader = NULL;
  mien_writer *writer = NULL;
  mien_run_summary summary = {0};
  const mien_parts parts = {.range = &p->range, .begin = begin_part, .end = end_part, .user = p};
  /* What can be gone on with is ended well; a stream can't be. */
  run->run.cancel = p->has_streams ? &cli_cancelled : NULL;
  run->run.finish = p->has_streams ? NULL : &cli_cancelled;
  run->run.bad_before = cli_manifest_sum(&p->manifest).n_bad;
  mien_status status = make_staging(p, error);
  if (status == MIEN_OK) status = cli_run_open_reader(run, p->model, p->inputs, &p->range, &reader, error);
  if (status == MIEN_OK)
    status = mien_writer_create_in_parts(p->model, &run->rows, &parts, run->run.cancel, &writer, error);
  if (status == MIEN_OK) status = cli_run_reader(run, p->model, reader, writer, &summary, error);
  mien_writer_destroy(writer);
  if (reader) reader->destroy(reader);
  empty_staging(p);
  if (status == MIEN_OK && summary.is_finished_early && p->range.first + summary.n_rows < p->range.end)
    return mien_fail(error, MIEN_CANCELLED, "%s: interrupted", p->folder);
  return status;
}

/* How far it is, where it can go on. */
static void tell_state(const parts_run *p) {
  if (p->run->quiet || p->has_streams || !p->manifest.header) return;
  char shard[64] = "";
  if (p->shard.count) snprintf(shard, sizeof shard, "shard %u/%u: ", p->shard.index, p->shard.count);
  fprintf(stderr, "mien: %s: %s%zu parts are done, %" PRIu64 " of %" PRIu64 " rows: --resume goes on\n", p->folder,
          shard, p->manifest.n_parts, cli_manifest_sum(&p->manifest).n_rows, p->range.end - p->first_row);
}

static mien_status run_parts(parts_run *p, mien_error *error) {
  const cli_run *run = p->run;
  const size_t dim = mien_model_dim(p->model);
  mien_status status = check_inputs(p, error);
  if (status == MIEN_OK) status = make_folder(p, error);
  if (status == MIEN_OK) status = check_folder(p, error);
  if (status == MIEN_OK && !p->has_streams)
    status = cli_survey_make(p->folder, p->inputs, &run->texts, dim, run->run.threads, run->quiet, &p->survey, error);
  if (status != MIEN_OK) return status;
  find_range(p);
  status = begin_or_resume(p, error);
  if (status != MIEN_OK) return status;
  const bool has_rows = skip_done(p);
  if (p->manifest.is_done || !has_rows) {
    /* A run that was killed behind its last part has left it. */
    status = clear_staging(p, error);
    if (!run->quiet) fprintf(stderr, "mien: %s: all %zu parts are done already\n", p->folder, p->manifest.n_parts);
  } else {
    status = run_rows(p, error);
  }
  if (status == MIEN_OK && !p->manifest.is_done) status = cli_manifest_end(&p->manifest, error);
  return status;
}

int cli_run_in_parts(cli_run *run, mien_model *model, const mien_inputs *inputs) {
  parts_run p = {.run = run,
                 .model = model,
                 .inputs = inputs,
                 .folder = run->parts.folder,
                 .shard = run->parts.shard,
                 .manifest.fd = -1};
  snprintf(p.ending, sizeof p.ending, "%s%s", ending_of(run->rows.format),
           mien_compression_ending(run->rows.compression));
  mien_error error;
  const mien_status status = run_parts(&p, &error);
  const int code = status == MIEN_OK ? MIEN_OK : cli_report(run->command, &error);
  if (status != MIEN_OK && status != MIEN_ARGUMENT && p.staging[0]) tell_state(&p);
  cli_manifest_close(&p.manifest);
  cli_survey_free(&p.survey);
  return code;
}
