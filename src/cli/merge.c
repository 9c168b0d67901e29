/* SPDX-License-Identifier: Apache-2.0 */
/* mien merge: a folder of parts in, the one output of a run without parts out. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/parts_folder.h"
#include "corpus/csv.h"
#include "corpus/sidecar.h"
#include "corpus/stream.h"
#include "formats/npy.h"

static const char command[] = "merge";

enum { PIECE_BYTES = 1 << 20 };

typedef struct merge {
  cli_parts_folder folder;
  const char *path; /* NULL: stdout */
  bool quiet;
  mien_output *output;
  mien_sidecar sidecar;
  char *piece;         /* [PIECE_BYTES] */
  mien_buffer record;  /* csv: the record that a piece ends in */
  mien_buffer columns; /* csv: the first part's header */
  bool has_begun;
} merge;

static int help(void) {
  printf(
      "Usage: mien merge [OPTION]... FOLDER [-o FILE]\n"
      "\n"
      "Writes the one output that a run without parts would have written, from a FOLDER of a run with --part-rows,\n"
      "--resume or --shard. All parts of all shards must be there, done, of one run, and as they were written: files\n"
      "are checked by their bytes, and rows are counted.\n"
      "\n"
      "  -o, --output FILE     appears when it is whole, or not at all; compressed where it ends in .gz or .zst.\n"
      "                        Default: stdout, not compressed\n"
      "  -q, --quiet           no summary on stderr\n"
      "  --help                show this\n"
      "\n"
      "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory or disk missing, 5 interrupted.\n");
  return cli_flush_stdout();
}

static bool is_array(const merge *m) { return mien_output_is_array(m->folder.format); }

/* ---- Checking ---------------------------------------------------------------------------------------------------- */

static mien_status check_part(void *user, const char *path, const cli_part *part, mien_error *error) {
  const merge *m = user;
  if (m->path && mien_output_is_same_file(m->path, path))
    return mien_fail(error, MIEN_ARGUMENT, "%s: the output is a part", m->path);
  bool differs;
  return cli_part_check(part, path, m->folder.content, is_array(m), &differs, error);
}

static mien_status fail_rows(const char *path, uint64_t expected, uint64_t found, mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s: expected %" PRIu64 " rows, found %" PRIu64, path, expected, found);
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

static mien_status copy_lines(merge *m, mien_stream *stream, const char *path, const cli_part *part,
                              mien_error *error) {
  uint64_t n_rows = 0;
  size_t found = 0;
  mien_status status;
  while ((status = mien_stream_read_some(stream, m->piece, PIECE_BYTES, &found, error)) == MIEN_OK && found > 0) {
    for (const char *at = m->piece, *end = at + found; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
      n_rows++;
    status = mien_output_write(m->output, m->piece, found, error);
    if (status != MIEN_OK) return status;
  }
  if (status == MIEN_OK && n_rows != part->rows.n_rows) return fail_rows(path, part->rows.n_rows, n_rows, error);
  return status;
}

/* The first record of every part is the header, which is written once. */
static mien_status take_record(merge *m, const char *path, uint64_t index, const char *bytes, size_t size,
                               mien_error *error) {
  if (index > 0) return mien_output_write(m->output, bytes, size, error);
  if (m->has_begun && (size != m->columns.size || memcmp(bytes, m->columns.bytes, size) != 0))
    return mien_fail(error, MIEN_INPUT, "%s: expected the header of the first part, found another", path);
  if (m->has_begun) return MIEN_OK;
  m->has_begun = true;
  if (!mien_buffer_append(&m->columns, bytes, size)) return mien_fail_memory(error, path, size);
  return mien_output_write(m->output, bytes, size, error);
}

static mien_status copy_records(merge *m, mien_stream *stream, const char *path, const cli_part *part,
                                mien_error *error) {
  mien_csv_scan scan = {0};
  uint64_t n_records = 0;
  size_t found = 0;
  m->record.size = 0;
  mien_status status;
  while ((status = mien_stream_read_some(stream, m->piece, PIECE_BYTES, &found, error)) == MIEN_OK && found > 0) {
    if (!mien_buffer_append(&m->record, m->piece, found)) return mien_fail_memory(error, path, found);
    size_t start = 0;
    while (mien_csv_scan_run(&scan, m->record.bytes + start, m->record.size - start)) {
      status = take_record(m, path, n_records++, m->record.bytes + start, scan.at, error);
      if (status != MIEN_OK) return status;
      start += scan.at;
      scan = (mien_csv_scan){0};
    }
    m->record.size -= start;
    memmove(m->record.bytes, m->record.bytes + start, m->record.size);
  }
  if (status == MIEN_OK && (n_records != part->rows.n_rows + 1 || m->record.size > 0))
    return fail_rows(path, part->rows.n_rows, n_records ? n_records - 1 : 0, error);
  return status;
}

/* ---- Arrays ------------------------------------------------------------------------------------------------------ */

static bool has_header(const merge *m) { return mien_output_has_header(m->folder.format); }

static void make_header(const merge *m, uint64_t n_rows, char header[MIEN_NPY_HEADER]) {
  mien_output_make_header(m->folder.format, n_rows, m->folder.n_columns, header);
}

static mien_status copy_numbers(merge *m, mien_stream *stream, const char *path, const cli_part *part,
                                mien_error *error) {
  char expected[MIEN_NPY_HEADER], header[MIEN_NPY_HEADER];
  size_t found = 0;
  uint64_t bytes = 0;
  mien_status status = MIEN_OK;
  if (has_header(m)) {
    make_header(m, part->rows.n_rows, expected);
    status = mien_stream_read(stream, header, sizeof header, &found, error);
    if (status == MIEN_OK && (found < sizeof header || memcmp(header, expected, sizeof header) != 0))
      return mien_fail(error, MIEN_INPUT, "%s: expected a header of (%" PRIu64 ", %zu), found another", path,
                       part->rows.n_rows, m->folder.n_columns);
  }
  while (status == MIEN_OK &&
         (status = mien_stream_read_some(stream, m->piece, PIECE_BYTES, &found, error)) == MIEN_OK && found > 0) {
    bytes += found;
    status = mien_output_write(m->output, m->piece, found, error);
  }
  const uint64_t row_bytes = m->folder.n_columns * sizeof(float);
  if (status == MIEN_OK && bytes != part->rows.n_rows * row_bytes)
    return fail_rows(path, part->rows.n_rows, row_bytes ? bytes / row_bytes : 0, error);
  return status;
}

/* The labels of a part's sidecar, as the output's is begun with. */
static mien_status begin_sidecar(merge *m, const char *path, const json_t *part, mien_error *error) {
  const json_t *list = json_object_get(part, "labels");
  const size_t n = json_array_size(list);
  const char **labels = mien_alloc(n, sizeof *labels);
  if (!labels) return mien_fail_memory(error, path, n * sizeof *labels);
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < n; i++) {
    labels[i] = json_string_value(json_array_get(list, i));
    if (!labels[i]) status = mien_fail(error, MIEN_INPUT, "%s: labels: expected strings", path);
  }
  if (status == MIEN_OK)
    status =
        mien_sidecar_open(&m->sidecar, m->path, m->folder.content, labels, n, MIEN_ROWS_UNKNOWN, &cli_cancelled, error);
  mien_free(labels);
  return status;
}

static mien_status copy_bad_rows(merge *m, const char *path, const json_t *sidecar, const cli_part *part,
                                 mien_error *error) {
  const json_t *list = json_object_get(sidecar, "bad_rows");
  const mien_part *rows = &part->rows;
  uint64_t next = rows->first_row;
  if (json_array_size(list) != rows->n_bad)
    return mien_fail(error, MIEN_INPUT, "%s: expected %" PRIu64 " bad rows, found %zu", path, rows->n_bad,
                     json_array_size(list));
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < json_array_size(list); i++) {
    const json_t *row = json_array_get(list, i);
    if (!json_is_integer(row) || (uint64_t)json_integer_value(row) < next ||
        (uint64_t)json_integer_value(row) >= rows->first_row + rows->n_rows)
      return mien_fail(error, MIEN_INPUT, "%s: bad_rows: expected rows of the part, in order", path);
    next = (uint64_t)json_integer_value(row) + 1;
    status = mien_sidecar_add(&m->sidecar, next - 1, error);
  }
  return status;
}

/* An output that is no file has no sidecar. */
static mien_status copy_sidecar(merge *m, const char *part_path, const cli_part *part, mien_error *error) {
  if (!m->path || !mien_output_is_file(m->output)) return MIEN_OK;
  char *path = mien_sidecar_path(part_path, m->folder.content);
  unsigned char *bytes = NULL;
  size_t size = 0;
  json_t *sidecar = NULL;
  if (!path) return mien_fail_memory(error, part_path, strlen(part_path));
  mien_status status = mien_file_read(path, (size_t)part->sidecar.bytes, NULL, &bytes, &size, error);
  if (status == MIEN_OK) status = mien_json_parse_object((const char *)bytes, size, path, &sidecar, error);
  if (status == MIEN_OK && !m->sidecar.output) status = begin_sidecar(m, path, sidecar, error);
  if (status == MIEN_OK) status = copy_bad_rows(m, path, sidecar, part, error);
  json_decref(sidecar);
  mien_free(bytes);
  mien_free(path);
  return status;
}

/* ---- The output -------------------------------------------------------------------------------------------------- */

static mien_status copy_part(void *user, const char *path, const cli_part *part, mien_error *error) {
  merge *m = user;
  mien_stream stream;
  mien_status status = mien_stream_open(&stream, path, &cli_cancelled, error);
  if (status != MIEN_OK) return status;
  if (is_array(m)) {
    status = copy_sidecar(m, path, part, error);
    if (status == MIEN_OK) status = copy_numbers(m, &stream, path, part, error);
  } else if (m->folder.format == MIEN_OUTPUT_CSV) {
    status = copy_records(m, &stream, path, part, error);
  } else {
    status = copy_lines(m, &stream, path, part, error);
  }
  mien_stream_close(&stream);
  return status;
}

/* As a run's writer ends its files: all that can fail comes before any has its name. */
static mien_status end_output(merge *m, mien_error *error) {
  mien_output *sidecar = m->sidecar.output;
  /* The parts may be deleted next. */
  mien_output_keep(m->output);
  if (sidecar) mien_output_keep(sidecar);
  mien_status status = mien_output_close(m->output, error);
  if (status == MIEN_OK && sidecar) status = mien_sidecar_close(&m->sidecar, error);
  if (status == MIEN_OK && sidecar) status = mien_output_publish(sidecar, error);
  return status == MIEN_OK ? mien_output_publish(m->output, error) : status;
}

static mien_status write_output(merge *m, mien_error *error) {
  m->piece = mien_alloc_raw(PIECE_BYTES);
  if (!m->piece) return mien_fail_memory(error, m->folder.path, PIECE_BYTES);
  size_t length;
  mien_status status = mien_output_open(m->path, &cli_cancelled, &m->output, error);
  if (status == MIEN_OK && m->path)
    status = mien_output_compress(m->output, mien_compression_of_name(m->path, &length), error);
  if (status == MIEN_OK && is_array(m) && has_header(m)) {
    char header[MIEN_NPY_HEADER];
    make_header(m, m->folder.sum.n_rows, header);
    status = mien_output_write_header(m->output, header, sizeof header, error);
  }
  if (status == MIEN_OK) status = cli_parts_folder_each(&m->folder, copy_part, m, error);
  return status == MIEN_OK ? end_output(m, error) : status;
}

/* What is called like another format would be taken for it. */
static mien_status check_format(const merge *m, mien_error *error) {
  mien_output_format format;
  if (!m->path || !cli_format_of(m->path, &format) || format == m->folder.format) return MIEN_OK;
  return mien_fail(error, MIEN_ARGUMENT, "%s: format: expected a name that ends in %s, as the parts do", m->path,
                   m->folder.ending);
}

static mien_status check_target(const merge *m, mien_error *error) {
  for (size_t i = 0; m->path && i < m->folder.n_shards; i++)
    if (mien_output_is_same_file(m->path, m->folder.manifests[i].path))
      return mien_fail(error, MIEN_ARGUMENT, "%s: the output is a manifest of the parts", m->path);
  return MIEN_OK;
}

static mien_status run(merge *m, const char *path, mien_error *error) {
  mien_status status = cli_parts_folder_open(&m->folder, path, error);
  if (status == MIEN_OK) status = check_format(m, error);
  if (status == MIEN_OK) status = check_target(m, error);
  if (status == MIEN_OK) status = cli_parts_folder_each(&m->folder, check_part, m, error);
  if (status == MIEN_OK) status = write_output(m, error);
  if (status == MIEN_OK && !m->quiet)
    fprintf(stderr, "mien: %" PRIu64 " rows, %" PRIu64 " bad rows, of %zu part%s\n", m->folder.sum.n_rows,
            m->folder.sum.n_bad, m->folder.n_parts, m->folder.n_parts == 1 ? "" : "s");
  return status;
}

static void destroy(merge *m) {
  mien_sidecar_destroy(&m->sidecar);
  mien_output_destroy(m->output);
  mien_buffer_free(&m->record);
  mien_buffer_free(&m->columns);
  mien_free(m->piece);
  cli_parts_folder_close(&m->folder);
}

int cli_merge(int argc, char **argv) {
  enum { OUTPUT = 'o', QUIET = 'q', HELP = 'h' };
  static const struct option options[] = {{"output", required_argument, NULL, OUTPUT},
                                          {"quiet", no_argument, NULL, QUIET},
                                          {"help", no_argument, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
  merge m = {0};
  for (int opt; (opt = getopt_long(argc, argv, ":o:q", options, NULL)) != -1;) {
    if (opt == HELP) return help();
    if (opt == '?' || opt == ':') return cli_bad_option(command, opt, argv);
    if (opt == QUIET) m.quiet = true;
    if (opt != OUTPUT) continue;
    if (m.path) return cli_usage(command, "option '--output' is given twice");
    m.path = optarg;
  }
  if (optind + 1 != argc) return cli_usage(command, "expected one FOLDER, found %d", argc - optind);
  if (m.path && strcmp(m.path, "-") == 0) m.path = NULL;
  cli_catch_signals();
  mien_error error;
  const mien_status status = run(&m, argv[optind], &error);
  destroy(&m);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &error);
}
