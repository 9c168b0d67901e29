/* SPDX-License-Identifier: Apache-2.0 */
/* Results as arrays: .npy of scores, and of bits, with the sidecar beside them. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cli/results.h"
#include "corpus/sidecar.h"
#include "corpus/stream.h"
#include "formats/npy.h"

enum { PIECE_BYTES = 1 << 20, MOST_SIDECAR_BYTES = 1 << 30 };

typedef struct array {
  cli_results *results;
  const char *path;
  bool is_bits;
  json_t *sidecar; /* NULL: there is none */
  uint64_t first_row;
  size_t next_bad; /* in the sidecar's list */
  mien_npy npy;
  mien_stream stream;
  uint32_t *given;     /* [L] */
  float *given_scores; /* [L] */
  mien_error *error;
} array;

/* ---- The sidecar ------------------------------------------------------------------------------------------------- */

static mien_status know_labels(array *a, const char *path) {
  const json_t *list = json_object_get(a->sidecar, "labels");
  const size_t n = json_array_size(list);
  const char **labels = mien_alloc(n, sizeof *labels);
  if (!labels) return mien_fail_memory(a->error, path, n * sizeof *labels);
  mien_status status = n ? MIEN_OK : mien_fail(a->error, MIEN_INPUT, "%s: expected a list of labels", path);
  for (size_t i = 0; status == MIEN_OK && i < n; i++) {
    labels[i] = json_string_value(json_array_get(list, i));
    if (!labels[i] || !mien_utf8_is_name(labels[i], strlen(labels[i])))
      status = mien_fail(a->error, MIEN_INPUT, "%s: labels: expected names", path);
  }
  if (status == MIEN_OK) status = cli_results_know(a->results, path, labels, n, NULL, a->error);
  mien_free(labels);
  return status;
}

static mien_status read_sidecar(array *a) {
  char *path = mien_sidecar_path(a->path, MIEN_ROWS_LABELS);
  unsigned char *bytes = NULL;
  size_t size = 0;
  if (!path) return mien_fail_memory(a->error, a->path, strlen(a->path));
  mien_status status = MIEN_OK;
  if (cli_exists(path)) {
    status = mien_file_read(path, MOST_SIDECAR_BYTES, NULL, &bytes, &size, a->error);
    if (status == MIEN_OK) status = mien_json_parse_object((const char *)bytes, size, path, &a->sidecar, a->error);
    if (status == MIEN_OK) status = know_labels(a, path);
    a->first_row = (uint64_t)json_integer_value(json_object_get(a->sidecar, "first_row"));
  } else if (!a->results->has_labels || a->results->is_assumed) {
    /* Nothing in numbers could tell that they are of other labels than those of a guess. */
    status = mien_fail(a->error, MIEN_INPUT,
                       "%s: expected its labels in %s, which is not there: say --model, or --head and --labels",
                       a->path, path);
  }
  mien_free(bytes);
  mien_free(path);
  return status;
}

/* Whether a row is in the list of bad ones, which is in order. */
static bool is_listed(array *a, uint64_t row) {
  const json_t *bad = json_array_get(json_object_get(a->sidecar, "bad_rows"), a->next_bad);
  if (!json_is_integer(bad) || (uint64_t)json_integer_value(bad) != a->first_row + row) return false;
  a->next_bad++;
  return true;
}

/* ---- The header -------------------------------------------------------------------------------------------------- */

/* Headers of floats are what is read elsewhere: of bits the type is another, in one letter. */
static void show_as_floats(unsigned char *header, size_t size) {
  static const char type[] = "<u4";
  for (size_t i = 0; i + sizeof type - 1 <= size; i++)
    if (memcmp(header + i, type, sizeof type - 1) == 0) {
      header[i + 1] = 'f';
      return;
    }
}

static mien_status read_header(array *a) {
  unsigned char *header = mien_alloc(MIEN_NPY_MAX_HEADER, 1);
  size_t found = 0, rest = 0, size = 0;
  if (!header) return mien_fail_memory(a->error, a->path, MIEN_NPY_MAX_HEADER);
  mien_status status = mien_stream_read(&a->stream, header, MIEN_NPY_PREFIX, &found, a->error);
  if (status == MIEN_OK) status = mien_npy_header_size(header, found, a->path, &size, a->error);
  if (status == MIEN_OK) status = mien_stream_read(&a->stream, header + found, size - found, &rest, a->error);
  if (status == MIEN_OK && a->is_bits) show_as_floats(header, found + rest);
  if (status == MIEN_OK) status = mien_npy_parse(header, found + rest, a->path, &a->npy, a->error);
  mien_free(header);
  const size_t n = a->results->labels.n, expected = a->is_bits ? (n + 31) / 32 : n;
  if (status == MIEN_OK && (a->npy.dtype != MIEN_F32 || a->npy.n_columns != expected))
    status = mien_fail(a->error, MIEN_INPUT, "%s: expected %zu columns of %s for %zu labels, found %" PRIu64 "%s",
                       a->path, expected, a->is_bits ? "uint32" : "float32", n, a->npy.n_columns,
                       a->npy.dtype == MIEN_F32 ? "" : " of another type");
  return status;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

static mien_status take_bits(array *a, uint64_t row, const uint32_t *words) {
  const size_t n = a->results->labels.n;
  cli_result result = {.given = a->given, .is_bad = is_listed(a, row)};
  for (size_t l = 0; l < a->npy.n_columns * 32; l++) {
    if (!(words[l / 32] >> l % 32 & 1)) continue;
    if (l >= n || result.is_bad)
      return mien_fail(a->error, MIEN_INPUT, "%s: row %" PRIu64 ": expected bits of %zu labels, found bit %zu", a->path,
                       row, result.is_bad ? 0 : n, l);
    a->given[result.n_given++] = (uint32_t)l;
  }
  return cli_results_take(a->results, &result, a->error);
}

static mien_status take_scores(array *a, uint64_t row, const float *scores) {
  const size_t n = a->results->labels.n;
  cli_result result = {.given = a->given, .given_scores = a->given_scores, .scores = scores, .n_scores = n};
  (void)is_listed(a, row); /* bad rows are no numbers as well */
  for (size_t l = 0; l < n; l++) result.is_bad |= isnan(scores[l]);
  for (size_t l = 0; l < n && !result.is_bad; l++) {
    if (!(scores[l] >= 0 && scores[l] <= 1))
      return mien_fail(a->error, MIEN_INPUT, "%s: row %" PRIu64 ": expected scores from 0 to 1, found %g", a->path, row,
                       (double)scores[l]);
    if (!(scores[l] > a->results->thresholds[l])) continue;
    a->given_scores[result.n_given] = scores[l];
    a->given[result.n_given++] = (uint32_t)l;
  }
  if (result.is_bad) result.scores = result.given_scores = NULL;
  return cli_results_take(a->results, &result, a->error);
}

static mien_status read_rows(array *a) {
  const size_t row_bytes = a->npy.n_columns * 4, most = PIECE_BYTES / row_bytes;
  char *piece = mien_alloc(most, row_bytes), more;
  size_t found = 0;
  if (!piece) return mien_fail_memory(a->error, a->path, PIECE_BYTES);
  mien_status status = MIEN_OK;
  for (uint64_t row = 0; status == MIEN_OK && row < a->npy.n_rows;) {
    const uint64_t left = a->npy.n_rows - row;
    const size_t n = left < most ? (size_t)left : most;
    status = mien_stream_read(&a->stream, piece, n * row_bytes, &found, a->error);
    if (status == MIEN_OK && found < n * row_bytes)
      status = mien_fail(a->error, MIEN_INPUT, "%s: truncated: expected %" PRIu64 " rows, found %" PRIu64, a->path,
                         a->npy.n_rows, row + found / row_bytes);
    for (size_t i = 0; status == MIEN_OK && i < n; i++, row++)
      status = a->is_bits ? take_bits(a, row, (const uint32_t *)(const void *)(piece + i * row_bytes))
                          : take_scores(a, row, (const float *)(const void *)(piece + i * row_bytes));
  }
  if (status == MIEN_OK) status = mien_stream_read(&a->stream, &more, 1, &found, a->error);
  if (status == MIEN_OK && found > 0)
    status = mien_fail(a->error, MIEN_INPUT, "%s: expected %" PRIu64 " rows, found more bytes behind them", a->path,
                       a->npy.n_rows);
  mien_free(piece);
  return status;
}

static mien_status read_array(array *a) {
  const size_t n = a->results->labels.n;
  if (!a->is_bits && !a->results->thresholds)
    return mien_fail(a->error, MIEN_ARGUMENT,
                     "%s: scores without thresholds: say --model or --head; a folder of parts has them", a->path);
  a->given = mien_alloc(n, sizeof *a->given);
  a->given_scores = mien_alloc(n, sizeof *a->given_scores);
  if (!a->given || !a->given_scores) return mien_fail_memory(a->error, a->path, n * sizeof *a->given);
  mien_status status = read_header(a);
  if (status == MIEN_OK) status = read_rows(a);
  if (status == MIEN_OK && a->next_bad < json_array_size(json_object_get(a->sidecar, "bad_rows")))
    status =
        mien_fail(a->error, MIEN_INPUT, "%s: expected bad rows of its own, in order, in its .labels.json", a->path);
  return status;
}

mien_status cli_results_read_array(cli_results *results, const char *path, bool is_bits, mien_error *error) {
  array a = {.results = results, .path = path, .is_bits = is_bits, .error = error};
  mien_status status = mien_stream_open(&a.stream, path, &cli_cancelled, error);
  if (status == MIEN_OK) status = read_sidecar(&a);
  if (status == MIEN_OK) status = read_array(&a);
  mien_stream_close(&a.stream);
  results->tells_truncated = false;
  json_decref(a.sidecar);
  mien_free(a.given);
  mien_free(a.given_scores);
  return status;
}
