/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices of float32: from files, encoders and heads, to files. */
#include "train/floats.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "base/new_file.h"
#include "corpus/stream.h"
#include "formats/npy.h"

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* A number behind a word in one of the kernel's files; false where there is none. */
static bool read_figure(const char *path, const char *word, uint64_t *figure) {
  char line[256];
  bool found = false;
  FILE *file = fopen(path, "re");
  if (!file) return false;
  while (!found && fgets(line, sizeof line, file))
    found = strncmp(line, word, strlen(word)) == 0 && sscanf(line + strlen(word), "%" SCNu64, figure) == 1;
  fclose(file);
  return found;
}

/* Bytes that can still be had without swapping: the system's, or what is left of the container's; else all there are.
 */
static uint64_t available_bytes(void) {
  enum { KIB = 1024 };
  uint64_t available = UINT64_MAX, limit, used;
  if (read_figure("/proc/meminfo", "MemAvailable:", &available)) available *= KIB;
  if (read_figure("/sys/fs/cgroup/memory.max", "", &limit) && read_figure("/sys/fs/cgroup/memory.current", "", &used)) {
    /* What files take of it can be taken from them. */
    uint64_t files = 0;
    if (!read_figure("/sys/fs/cgroup/memory.stat", "file ", &files) || files > used) files = 0;
    const uint64_t left = limit > used - files ? limit - (used - files) : 0;
    if (left < available) available = left;
  }
  return available;
}

mien_status mien_floats_create(size_t n_rows, size_t n_columns, const char *what, mien_floats *floats,
                               mien_error *error) {
  size_t numbers, bytes;
  *floats = (mien_floats){0};
  if (!mien_size_mul(n_rows, n_columns, &numbers) || !mien_size_mul(numbers, sizeof(float), &bytes))
    return mien_fail(error, MIEN_RESOURCE, "%s: %zu rows of %zu numbers are more than memory can hold", what, n_rows,
                     n_columns);
  const uint64_t available = available_bytes();
  if (bytes > available)
    return mien_fail(error, MIEN_RESOURCE,
                     "%s: %zu rows of %zu numbers take %zu bytes of memory: expected at most %" PRIu64
                     ", which are available",
                     what, n_rows, n_columns, bytes, available);
  floats->data = mien_alloc(numbers, sizeof(float));
  if (!floats->data) return mien_fail_memory(error, what, bytes);
  floats->n_rows = n_rows;
  floats->n_columns = n_columns;
  return MIEN_OK;
}

void mien_floats_free(mien_floats *floats) {
  mien_free(floats->data);
  *floats = (mien_floats){0};
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static mien_status read_header(mien_stream *stream, mien_npy *npy, mien_error *error) {
  const char *path = stream->name;
  if (!stream->has_size) return mien_fail(error, MIEN_INPUT, "%s: expected a regular file of .npy", path);
  unsigned char prefix[MIEN_NPY_PREFIX];
  size_t found, rest = 0, header_bytes;
  mien_status status = mien_stream_read(stream, prefix, sizeof prefix, &found, error);
  if (status == MIEN_OK) status = mien_npy_header_size(prefix, found, path, &header_bytes, error);
  if (status != MIEN_OK) return status;
  unsigned char *header = mien_alloc(header_bytes, 1);
  if (!header) return mien_fail_memory(error, path, header_bytes);
  memcpy(header, prefix, found);
  status = mien_stream_read(stream, header + found, header_bytes - found, &rest, error);
  if (status == MIEN_OK) status = mien_npy_parse(header, found + rest, path, npy, error);
  if (status == MIEN_OK && stream->is_file) status = mien_npy_check_size(npy, stream->file_bytes, path, error);
  mien_free(header);
  return status;
}

static mien_status check_shape(const mien_npy *npy, const char *path, size_t n_rows, size_t n_columns,
                               mien_error *error) {
  if (n_rows && npy->n_rows != n_rows)
    return mien_fail(error, MIEN_INPUT, "%s: expected %zu rows, found %" PRIu64, path, n_rows, npy->n_rows);
  if (n_columns && npy->n_columns != n_columns)
    return mien_fail(error, MIEN_INPUT, "%s: expected rows of %zu numbers, found %" PRIu64, path, n_columns,
                     npy->n_columns);
  if (npy->n_columns == 0) return mien_fail(error, MIEN_INPUT, "%s: expected rows of at least one number", path);
  if (npy->n_rows > SIZE_MAX || npy->n_columns > SIZE_MAX)
    return mien_fail(error, MIEN_RESOURCE, "%s: more rows than memory can hold", path);
  return MIEN_OK;
}

static void convert(const void *from, mien_dtype dtype, size_t n, float *to) {
  if (dtype == MIEN_F32) memcpy(to, from, n * sizeof *to);
  for (size_t i = 0; dtype == MIEN_F16 && i < n; i++) to[i] = mien_half_to_float(((const uint16_t *)from)[i]);
  for (size_t i = 0; dtype == MIEN_F64 && i < n; i++) to[i] = (float)((const double *)from)[i];
}

static mien_status check_finite(const mien_floats *floats, const char *what, mien_error *error) {
  for (size_t i = 0; i < floats->n_rows * floats->n_columns; i++)
    if (!isfinite(floats->data[i]))
      return mien_fail(error, MIEN_INPUT, "%s: row %zu, column %zu: expected a finite float32, found %s", what,
                       i / floats->n_columns, i % floats->n_columns, isnan(floats->data[i]) ? "NaN" : "an infinity");
  return MIEN_OK;
}

/* What is compressed has no size that its header could be checked against before. */
static mien_status check_end(mien_stream *stream, const mien_npy *npy, uint64_t bytes, mien_error *error) {
  char byte;
  size_t more = 0;
  if (bytes < npy->data_bytes) return mien_npy_check_size(npy, npy->data_offset + bytes, stream->name, error);
  mien_status status = mien_stream_read(stream, &byte, 1, &more, error);
  if (status != MIEN_OK || more == 0) return status;
  return mien_fail(error, MIEN_INPUT, "%s: bytes after the data: expected %" PRIu64 " bytes, found more", stream->name,
                   npy->data_offset + bytes);
}

/* The data, in pieces. */
static mien_status read_data(mien_stream *stream, const mien_npy *npy, mien_floats *floats, mien_error *error) {
  enum { PIECE = 1 << 18 };
  const size_t n = floats->n_rows * floats->n_columns, element = mien_dtype_bytes(npy->dtype);
  void *piece = mien_alloc(PIECE, element);
  mien_status status = piece ? MIEN_OK : mien_fail_memory(error, stream->name, PIECE * element);
  uint64_t bytes = 0;
  size_t found = element;
  for (size_t at = 0; at < n && status == MIEN_OK && found > 0; at += PIECE) {
    const size_t count = n - at < PIECE ? n - at : PIECE;
    status = mien_stream_read(stream, piece, count * element, &found, error);
    bytes += found;
    if (status == MIEN_OK) convert(piece, npy->dtype, found / element, floats->data + at);
  }
  if (status == MIEN_OK) status = check_end(stream, npy, bytes, error);
  mien_free(piece);
  return status == MIEN_OK ? check_finite(floats, stream->name, error) : status;
}

mien_status mien_floats_read(const char *path, size_t n_rows, size_t n_columns, const atomic_bool *cancel,
                             mien_floats *floats, mien_error *error) {
  mien_npy npy;
  mien_stream stream;
  *floats = (mien_floats){0};
  mien_status status = mien_stream_open(&stream, path, cancel, error);
  if (status != MIEN_OK) return status;
  status = read_header(&stream, &npy, error);
  if (status == MIEN_OK) status = check_shape(&npy, path, n_rows, n_columns, error);
  if (status == MIEN_OK) status = mien_floats_create((size_t)npy.n_rows, (size_t)npy.n_columns, path, floats, error);
  if (status == MIEN_OK) status = read_data(&stream, &npy, floats, error);
  if (status != MIEN_OK) mien_floats_free(floats);
  mien_stream_close(&stream);
  return status;
}

mien_status mien_floats_write(const mien_floats *floats, const char *path, mien_error *error) {
  char header[MIEN_NPY_HEADER];
  mien_new_file file;
  mien_npy_write_header(header, "<f4", floats->n_rows, floats->n_columns);
  mien_status status = mien_new_file_open(path, &file, error);
  if (status == MIEN_OK && file.fd < 0)
    status = mien_fail(error, MIEN_ARGUMENT, "%s: expected a regular file to write", path);
  if (status == MIEN_OK) status = mien_new_file_write(&file, header, sizeof header, path, error);
  if (status == MIEN_OK)
    status = mien_new_file_write(&file, floats->data, floats->n_rows * floats->n_columns * sizeof(float), path, error);
  if (status == MIEN_OK) status = mien_new_file_sync(&file, path, error);
  if (status == MIEN_OK) status = mien_new_file_publish(&file, path, error);
  mien_new_file_discard(&file);
  return status;
}

/* ---- Models ------------------------------------------------------------------------------------------------------ */

static int report(void *user, size_t rows_done, size_t n_rows) {
  const mien_floats_options *options = user;
  if (options->progress) options->progress(options->progress_user, rows_done, n_rows);
  return options->cancel && atomic_load(options->cancel);
}

static mien_status open_session(mien_model *model, const mien_floats_options *options, mien_session **session,
                                mien_error *error) {
  const mien_session_options wanted = {
      .size = sizeof wanted, .threads = options->threads, .progress = report, .progress_user = (void *)options};
  return mien_session_create(model, &wanted, session, error);
}

/* Embeddings or scores [n × n_columns] of texts or embeddings, of which one is NULL. */
static mien_status run(mien_model *model, const mien_text *texts, const mien_floats *rows, size_t n, bool is_score,
                       const mien_floats_options *options, mien_floats *out, mien_error *error) {
  mien_session *session = NULL;
  const char *what = is_score ? "scores" : "embeddings";
  const size_t n_columns = is_score ? mien_model_label_count(model) : mien_model_dim(model);
  if (rows && rows->n_columns != mien_model_dim(model))
    return mien_fail(error, MIEN_INPUT, "embeddings: expected rows of %zu numbers, found %zu", mien_model_dim(model),
                     rows->n_columns);
  mien_status status = mien_floats_create(n, n_columns, what, out, error);
  if (status == MIEN_OK) status = open_session(model, options, &session, error);
  mien_results results = {.size = sizeof results};
  if (is_score)
    results.scores = out->data;
  else
    results.embeddings = out->data;
  const mien_rows given = {.size = sizeof given, .data = rows ? rows->data : NULL, .dtype = MIEN_F32};
  if (status == MIEN_OK)
    status = rows       ? mien_label_embeddings(session, &given, n, &results, error)
             : is_score ? mien_label_texts(session, texts, n, &results, error)
                        : mien_embed_texts(session, texts, n, &results, error);
  if (status == MIEN_OK) status = check_finite(out, what, error);
  mien_session_destroy(session);
  if (status != MIEN_OK) mien_floats_free(out);
  return status;
}

mien_status mien_floats_embed(mien_model *model, const mien_text *texts, size_t n, const mien_floats_options *options,
                              mien_floats *embeddings, mien_error *error) {
  return run(model, texts, NULL, n, false, options, embeddings, error);
}

mien_status mien_floats_score(mien_model *model, const mien_floats *embeddings, const mien_floats_options *options,
                              mien_floats *scores, mien_error *error) {
  return run(model, NULL, embeddings, embeddings->n_rows, true, options, scores, error);
}

mien_status mien_floats_score_texts(mien_model *model, const mien_text *texts, size_t n,
                                    const mien_floats_options *options, mien_floats *scores, mien_error *error) {
  return run(model, texts, NULL, n, true, options, scores, error);
}
