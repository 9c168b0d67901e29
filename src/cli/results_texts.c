/* SPDX-License-Identifier: Apache-2.0 */
/* Results in jsonl and csv, by the readers of the corpus. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/results.h"
#include "corpus/chunk.h"
#include "corpus/jsonl.h"
#include "corpus/records.h"

#define NO_COLUMN SIZE_MAX

/* csv: which columns are what. */
typedef struct columns {
  bool are_known;
  size_t labels, error, text, by;
  size_t scores, n_scores; /* the first, and how many: labels that are met later have none */
  size_t n;
} columns;

typedef struct texts {
  cli_results *results;
  const char *name; /* for messages */
  bool is_csv;
  columns columns;
  uint32_t *given;                 /* [CLI_MOST_RESULT_LABELS] */
  float *given_scores, *scores;    /* the same */
  uint32_t *seen;                  /* [CLI_RESULT_WORDS] labels of the row */
  mien_chunk chunk;                /* what a line of JSON is read into */
  json_t *by;                      /* a string that a value is */
  char where[CLI_PATH_CHARS + 32]; /* of the row */
  mien_error *error;
} texts;

static mien_status fail(texts *t, const char *what) {
  return mien_fail(t->error, MIEN_INPUT, "%s: %s", t->where, what);
}

static mien_status give(texts *t, cli_result *result, mien_span name) {
  uint32_t label = 0;
  mien_status status = cli_results_label(t->results, t->where, name, &label, t->error);
  if (status != MIEN_OK) return status;
  if (t->seen[label / 32] >> label % 32 & 1) return fail(t, "expected every label once, found one twice");
  t->seen[label / 32] |= 1u << label % 32;
  t->given[result->n_given++] = label;
  return MIEN_OK;
}

/* ---- jsonl ------------------------------------------------------------------------------------------------------- */

/* What a report reads of a line, by these names. */
enum { LABELS, SCORES, ALL_SCORES, ERROR, TRUNCATED, SPANS, BY, N_FIELDS };

static json_t *parse(mien_span value) {
  return json_loadb(value.bytes, value.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static bool is_word(mien_span value, const char *word) {
  return value.size == strlen(word) && memcmp(value.bytes, word, value.size) == 0;
}

/* A value as text: a string's own characters, NULL bytes for null, and all else as it was written, however long. */
static mien_span show_value(texts *t, mien_span value) {
  if (is_word(value, "null")) return (mien_span){0};
  if (value.bytes[0] != '"') return value;
  t->by = parse(value);
  return (mien_span){json_string_value(t->by), json_string_length(t->by)};
}

static bool take_scores(const json_t *list, size_t n, float *scores) {
  if (json_array_size(list) != n) return false;
  for (size_t i = 0; i < n; i++) {
    const json_t *score = json_array_get(list, i);
    scores[i] = (float)json_number_value(score);
    if (!json_is_number(score) || !(scores[i] >= 0 && scores[i] <= 1)) return false;
  }
  return true;
}

static mien_status give_all(texts *t, const json_t *labels, cli_result *result) {
  if (!json_is_array(labels)) return fail(t, "expected labels or an error, as mien label writes them, found neither");
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < json_array_size(labels); i++) {
    const json_t *name = json_array_get(labels, i);
    if (!json_is_string(name)) return fail(t, "labels: expected strings");
    status = give(t, result, (mien_span){json_string_value(name), json_string_length(name)});
  }
  return status;
}

static mien_status read_scores_of_labels(texts *t, const json_t *scores, cli_result *result) {
  if (json_is_null(scores)) return MIEN_OK;
  if (!take_scores(scores, result->n_given, t->given_scores))
    return fail(t, "scores: expected a number from 0 to 1 for each label");
  result->given_scores = t->given_scores;
  return MIEN_OK;
}

/* All scores have no names of their own. */
static mien_status read_all_scores(texts *t, const json_t *all, cli_result *result) {
  if (json_is_null(all) || !t->results->has_labels) return MIEN_OK;
  if (t->results->is_assumed && json_array_size(all) != t->results->labels.n) {
    cli_results_give_up(t->results);
    return MIEN_OK;
  }
  if (!take_scores(all, t->results->labels.n, t->scores))
    return fail(t, "all_scores: expected a number from 0 to 1 for each label that is known");
  result->scores = t->scores;
  result->n_scores = t->results->labels.n;
  return MIEN_OK;
}

static mien_status read_labels(texts *t, const mien_field *fields, cli_result *result) {
  json_t *labels = parse(fields[LABELS].value.span), *scores = parse(fields[SCORES].value.span);
  json_t *all = parse(fields[ALL_SCORES].value.span);
  mien_status status = give_all(t, labels, result);
  if (status == MIEN_OK) status = read_scores_of_labels(t, scores, result);
  if (status == MIEN_OK) status = read_all_scores(t, all, result);
  json_decref(labels);
  json_decref(scores);
  json_decref(all);
  return status;
}

static mien_status take_line(texts *t, mien_span text, const mien_field *fields) {
  cli_result result = {.given = t->given, .text = text};
  result.is_bad = fields[ERROR].value.span.bytes[0] == '"';
  result.is_truncated = is_word(fields[TRUNCATED].value.span, "true");
  t->results->has_split |= !is_word(fields[SPANS].value.span, "null");
  if (t->results->by) result.by = show_value(t, fields[BY].value.span);
  mien_status status = result.is_bad ? MIEN_OK : read_labels(t, fields, &result);
  if (status == MIEN_OK) status = cli_results_take(t->results, &result, t->error);
  json_decref(t->by);
  t->by = NULL;
  return status;
}

/* By the reader of inputs: what was kept of them may hold numbers that no double is. */
static mien_status read_line(texts *t, mien_span line) {
  const cli_results *results = t->results;
  const char *const names[] = {"labels", "scores", "all_scores", "error", "truncated", "spans", results->by};
  const mien_text_options options = {
      .text_field = results->text_field, .keep = names, .n_keep = results->by ? N_FIELDS : BY};
  mien_chunk *chunk = &t->chunk;
  mien_record record = {.text = line};
  chunk->unescaped.size = chunk->n_fields = 0;
  if (!mien_buffer_reserve(&chunk->unescaped, line.size + MIEN_PROBLEM_BYTES))
    return mien_fail_memory(t->error, t->where, line.size);
  mien_status status = mien_jsonl_read(&options, chunk, &record, t->error);
  if (status != MIEN_OK) return status;
  /* Without a text it is a row as well; what is no object has no fields. */
  return chunk->n_fields ? take_line(t, record.text, chunk->fields) : fail(t, record.problem);
}

/* ---- csv --------------------------------------------------------------------------------------------------------- */

/* The reader was told that column 0 is the text and to keep the others. */
static mien_span column_of(const mien_record *record, size_t column) {
  return column == 0 ? record->text : record->fields[column - 1].value.span;
}

static size_t find_column(const mien_record *record, const char *name) {
  for (size_t i = 0; name && i <= record->n_fields; i++) {
    const mien_span field = column_of(record, i);
    if (field.size == strlen(name) && memcmp(field.bytes, name, field.size) == 0) return i;
  }
  return NO_COLUMN;
}

/* All scores are the last columns, which have the labels' names. */
static size_t find_scores(const cli_results *results, const mien_record *header) {
  const size_t n = results->labels.n, n_columns = header->n_fields + 1;
  if (!results->has_labels || n_columns < n + 4) return NO_COLUMN;
  for (size_t i = 0; i < n; i++) {
    const mien_span name = column_of(header, n_columns - n + i);
    const char *label = results->labels.names[i];
    if (name.size != strlen(label) || memcmp(name.bytes, label, name.size) != 0) return NO_COLUMN;
  }
  return n_columns - n;
}

static mien_status read_header(texts *t, const mien_record *record) {
  const cli_results *results = t->results;
  t->columns = (columns){.are_known = true,
                         .labels = find_column(record, "labels"),
                         .error = find_column(record, "error"),
                         .text = find_column(record, results->text_field),
                         .by = find_column(record, results->by),
                         .scores = find_scores(results, record),
                         .n_scores = results->labels.n,
                         .n = record->n_fields + 1};
  if (find_column(record, "row") == 0 && t->columns.labels == 2 && t->columns.error == 3) return MIEN_OK;
  return fail(t, "expected a header that begins with row,id,labels,error, as mien label writes it");
}

static mien_status split_labels(texts *t, cli_result *result, mien_span joined) {
  mien_status status = MIEN_OK;
  for (bool more = joined.size > 0; more && status == MIEN_OK;) {
    const char *bar = memchr(joined.bytes, '|', joined.size);
    const size_t size = bar ? (size_t)(bar - joined.bytes) : joined.size;
    status = give(t, result, (mien_span){joined.bytes, size});
    more = bar != NULL;
    if (more) joined = (mien_span){bar + 1, joined.size - size - 1};
  }
  return status;
}

static mien_status read_scores(texts *t, const mien_record *record, cli_result *result) {
  for (size_t i = 0; i < t->columns.n_scores; i++) {
    const mien_span field = column_of(record, t->columns.scores + i);
    char number[32], *end = number;
    snprintf(number, sizeof number, "%.*s", (int)(field.size < 31 ? field.size : 31), field.bytes);
    t->scores[i] = strtof(number, &end);
    if (end == number || *end || !(t->scores[i] >= 0 && t->scores[i] <= 1))
      return fail(t, "expected a number from 0 to 1 for each label");
  }
  result->scores = t->scores;
  result->n_scores = t->columns.n_scores;
  return MIEN_OK;
}

static mien_status read_record(texts *t, const mien_record *record) {
  if (!t->columns.are_known) return read_header(t, record);
  const columns *c = &t->columns;
  if (record->n_fields + 1 != c->n) return fail(t, "expected as many columns as the header has, found others");
  cli_result result = {.given = t->given};
  result.is_bad = column_of(record, c->error).size > 0;
  if (c->text != NO_COLUMN) result.text = column_of(record, c->text);
  if (c->by != NO_COLUMN && column_of(record, c->by).size > 0) result.by = column_of(record, c->by);
  mien_status status = result.is_bad ? MIEN_OK : split_labels(t, &result, column_of(record, c->labels));
  /* A label that was not assumed leaves the columns without a meaning. */
  const bool has_scores = c->scores != NO_COLUMN && t->results->has_labels;
  if (status == MIEN_OK && !result.is_bad && has_scores) status = read_scores(t, record, &result);
  return status == MIEN_OK ? cli_results_take(t->results, &result, t->error) : status;
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

static mien_status read_row(void *user, const mien_record *record) {
  texts *t = user;
  snprintf(t->where, sizeof t->where, "%s:%" PRIu64, t->name, record->line);
  memset(t->seen, 0, CLI_RESULT_WORDS * sizeof *t->seen);
  if (record->problem) return fail(t, record->problem);
  if (t->is_csv) return read_record(t, record);
  return mien_jsonl_is_blank(record->text) ? MIEN_OK : read_line(t, record->text);
}

mien_status cli_results_read_texts(cli_results *results, const char *path, bool is_csv, mien_error *error) {
  texts t = {.results = results, .name = mien_input_name(path), .is_csv = is_csv, .error = error};
  t.given = mien_alloc(CLI_MOST_RESULT_LABELS, sizeof *t.given);
  t.given_scores = mien_alloc(CLI_MOST_RESULT_LABELS, sizeof *t.given_scores);
  t.scores = mien_alloc(CLI_MOST_RESULT_LABELS, sizeof *t.scores);
  t.seen = mien_alloc(CLI_RESULT_WORDS, sizeof *t.seen);
  mien_status status = MIEN_OK;
  if (!t.given || !t.given_scores || !t.scores || !t.seen)
    status = mien_fail_memory(error, t.name, CLI_MOST_RESULT_LABELS * sizeof *t.given);
  if (status == MIEN_OK)
    status = mien_read_records(path, is_csv ? MIEN_INPUT_CSV : MIEN_INPUT_JSONL, read_row, &t, &cli_cancelled, error);
  if (status == MIEN_OK && is_csv && !t.columns.are_known)
    status = mien_fail(error, MIEN_INPUT, "%s: expected a header, found nothing", t.name);
  results->tells_truncated &= !is_csv;
  mien_chunk_free(&t.chunk);
  mien_free(t.given);
  mien_free(t.given_scores);
  mien_free(t.scores);
  mien_free(t.seen);
  return status;
}
