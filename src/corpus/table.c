/* SPDX-License-Identifier: Apache-2.0 */
/* Which columns of a csv or tsv input are what, and its rows as records. */
#include "corpus/table.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/number.h"
#include "corpus/chunk.h"
#include "corpus/csv.h"

#define NO_COLUMN SIZE_MAX

/* A column that the output keeps. */
typedef struct kept_column {
  size_t column;
  mien_span name;
} kept_column;

struct mien_table {
  const mien_text_options *options;
  const char *input; /* for messages */
  bool is_csv;
  size_t n_columns;
  char *header;      /* a copy of the first row, which names point into */
  mien_span *names;  /* [n_columns]; numbers where there is no header */
  size_t text, id;   /* columns; NO_COLUMN for no id */
  kept_column *kept; /* [n_kept] */
  size_t n_kept;
};

/* NULL, or why the row has no fields. */
static mien_csv_problem split(bool is_csv, char *row, size_t size, mien_span *fields, size_t capacity, size_t *n) {
  if (is_csv) return mien_csv_split(row, size, fields, capacity, n);
  mien_tsv_split(row, size, fields, capacity, n);
  return NULL;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------- */

/* Splits the first row, of which the table keeps a copy, and the names in it no larger than they are. */
static mien_status split_header(mien_table *table, const char *first_row, size_t size, mien_error *error) {
  mien_span *names = mien_alloc(MIEN_MAX_COLUMNS, sizeof *names);
  table->header = mien_alloc(size, 1);
  mien_status status = MIEN_OK;
  if (!names || !table->header) {
    status = mien_fail_memory(error, table->input, size);
  } else {
    if (size) memcpy(table->header, first_row, size);
    mien_csv_problem problem = split(table->is_csv, table->header, size, names, MIEN_MAX_COLUMNS, &table->n_columns);
    if (problem)
      status = mien_fail(error, MIEN_INPUT, "%s: the first row: %s", table->input, problem);
    else if (table->n_columns > MIEN_MAX_COLUMNS)
      status = mien_fail(error, MIEN_INPUT, "%s: expected at most %d columns, found %zu", table->input,
                         MIEN_MAX_COLUMNS, table->n_columns);
  }
  if (status == MIEN_OK) {
    table->names = mien_alloc(table->n_columns, sizeof *names);
    if (table->names)
      memcpy(table->names, names, table->n_columns * sizeof *names);
    else
      status = mien_fail_memory(error, table->input, table->n_columns * sizeof *names);
  }
  mien_free(names);
  return status;
}

/* Columns without a header are called by their numbers. */
static mien_status number_columns(mien_table *table, mien_error *error) {
  enum { DIGITS = 5 };
  _Static_assert(MIEN_MAX_COLUMNS <= 100000, "numbers have so many digits at most");
  mien_free(table->header);
  table->header = mien_alloc(table->n_columns, DIGITS);
  if (!table->header) return mien_fail_memory(error, table->input, table->n_columns * DIGITS);
  char *at = table->header;
  for (size_t i = 0; i < table->n_columns; i++) {
    char number[MIEN_NUMBER_CHARS];
    table->names[i] = (mien_span){at, mien_format_uint(number, i)};
    memcpy(at, number, table->names[i].size);
    at += table->names[i].size;
  }
  return MIEN_OK;
}

static bool is_number(const char *text, size_t most, size_t *number) {
  *number = 0;
  for (const char *at = text; *at; at++) {
    if (*at < '0' || *at > '9') return false;
    *number = *number * 10 + (size_t)(*at - '0');
    if (*number > most) *number = most;
  }
  return text[0] != '\0';
}

/* The names of the first few columns, for messages. */
static mien_status fail_no_column(const mien_table *table, const char *wanted, const char *option, mien_error *error) {
  enum { FEW = 8, MOST_NAME = 32 };
  char list[FEW * (MOST_NAME + 4) + 8] = "";
  size_t used = 0, n = table->n_columns < FEW ? table->n_columns : FEW;
  for (size_t i = 0; i < n; i++) {
    const mien_span name = table->names[i];
    used += (size_t)snprintf(list + used, sizeof list - used, "%s'%.*s'", i ? ", " : "",
                             (int)(name.size < MOST_NAME ? name.size : MOST_NAME), name.bytes);
  }
  return mien_fail(error, MIEN_INPUT, "%s: expected a column '%s' (%s says another), found %s%s", table->input, wanted,
                   option, list, n < table->n_columns ? ", …" : "");
}

/* A name of the header, else a number from 0. */
static mien_status find_column(const mien_table *table, const char *wanted, const char *option, size_t *column,
                               mien_error *error) {
  size_t found = 0, length = strlen(wanted);
  for (size_t i = 0; !table->options->no_header && i < table->n_columns; i++) {
    if (table->names[i].size != length || memcmp(table->names[i].bytes, wanted, length) != 0) continue;
    if (found++ == 0) *column = i;
  }
  if (found == 1) return MIEN_OK;
  if (found > 1)
    return mien_fail(error, MIEN_INPUT, "%s: column '%s' is there %zu times: say its number with %s", table->input,
                     wanted, found, option);
  if (is_number(wanted, MIEN_MAX_COLUMNS, column) && *column < table->n_columns) return MIEN_OK;
  if (table->options->no_header)
    return mien_fail(error, MIEN_INPUT, "%s: %s: expected a column's number from 0 to %zu, found '%s'", table->input,
                     option, table->n_columns - 1, wanted);
  return fail_no_column(table, wanted, option, error);
}

static int compare_names(const void *a, const void *b) {
  const mien_span *left = *(const mien_span *const *)a, *right = *(const mien_span *const *)b;
  size_t least = left->size < right->size ? left->size : right->size;
  int order = least ? memcmp(left->bytes, right->bytes, least) : 0;
  return order ? order : (left->size > right->size) - (left->size < right->size);
}

/* All columns are kept under their names, of which there must not be two. */
static mien_status check_names(const mien_table *table, mien_error *error) {
  const mien_span **sorted = mien_alloc(table->n_columns, sizeof *sorted);
  if (!sorted) return mien_fail_memory(error, table->input, table->n_columns * sizeof *sorted);
  for (size_t i = 0; i < table->n_columns; i++) sorted[i] = &table->names[i];
  qsort(sorted, table->n_columns, sizeof *sorted, compare_names);
  mien_status status = MIEN_OK;
  for (size_t i = 1; status == MIEN_OK && i < table->n_columns; i++)
    if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
      status = mien_fail(error, MIEN_INPUT, "%s: column '%.*s' is there twice: say by number which to --keep",
                         table->input, (int)(sorted[i]->size < 64 ? sorted[i]->size : 64), sorted[i]->bytes);
  mien_free(sorted);
  return status;
}

static mien_status find_kept(mien_table *table, mien_error *error) {
  const mien_text_options *options = table->options;
  size_t most = options->keep_all ? table->n_columns : options->n_keep;
  table->kept = mien_alloc(most, sizeof *table->kept);
  if (!table->kept) return mien_fail_memory(error, table->input, most * sizeof *table->kept);
  mien_status status = options->keep_all ? check_names(table, error) : MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < most; i++) {
    size_t column = i;
    if (options->keep_all && (i == table->text || i == table->id)) continue;
    mien_span name = table->names[i];
    if (!options->keep_all) {
      status = find_column(table, options->keep[i], "--keep", &column, error);
      name = (mien_span){options->keep[i], strlen(options->keep[i])};
    }
    table->kept[table->n_kept++] = (kept_column){column, name};
  }
  return status;
}

mien_status mien_table_create(const mien_text_options *options, bool is_csv, const char *name, char *first_row,
                              size_t size, mien_table **out, mien_error *error) {
  mien_table *table = mien_alloc(1, sizeof *table);
  if (!table) return mien_fail_memory(error, name, sizeof *table);
  *table = (mien_table){.options = options, .input = name, .is_csv = is_csv, .id = NO_COLUMN};
  mien_status status = split_header(table, first_row, size, error);
  if (status == MIEN_OK && options->no_header) status = number_columns(table, error);
  if (status == MIEN_OK && (options->text_column || !options->no_header))
    status =
        find_column(table, options->text_column ? options->text_column : "text", "--text-column", &table->text, error);
  if (status == MIEN_OK && options->id_column)
    status = find_column(table, options->id_column, "--id-column", &table->id, error);
  if (status == MIEN_OK) status = find_kept(table, error);
  if (status == MIEN_OK)
    *out = table;
  else
    mien_table_destroy(table);
  return status;
}

void mien_table_destroy(mien_table *table) {
  if (!table) return;
  mien_free(table->header);
  mien_free(table->names);
  mien_free(table->kept);
  mien_free(table);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static mien_value value_of(mien_span field) { return (mien_value){field, false}; }

/* `fields` has room for all columns. */
static bool read_row(const mien_table *table, mien_chunk *chunk, mien_record *record, mien_span *fields) {
  size_t n;
  /* The bytes are those of chunk->raw, which this chunk alone holds. */
  char *row = chunk->raw.bytes + (record->text.bytes - chunk->raw.bytes);
  mien_csv_problem problem = split(table->is_csv, row, record->text.size, fields, table->n_columns, &n);
  if (problem) {
    mien_chunk_set_problem(chunk, record, "%s", problem);
    return true;
  }
  if (n != table->n_columns) {
    mien_chunk_set_problem(chunk, record, "expected %zu fields, found %zu", table->n_columns, n);
    return true;
  }
  record->text = fields[table->text];
  if (table->id != NO_COLUMN) record->id = value_of(fields[table->id]);
  bool done = true;
  for (size_t i = 0; done && i < table->n_kept; i++)
    done = mien_chunk_add_field(chunk, record, table->kept[i].name, value_of(fields[table->kept[i].column]));
  return done;
}

mien_status mien_table_read(const mien_table *table, mien_chunk *chunk, mien_error *error) {
  mien_span *fields = mien_alloc(table->n_columns, sizeof *fields);
  bool done = fields != NULL;
  for (size_t i = 0; done && i < chunk->n_rows; i++)
    if (!chunk->records[i].problem) done = read_row(table, chunk, &chunk->records[i], fields);
  mien_free(fields);
  return done ? MIEN_OK : mien_fail_memory(error, "kept fields", chunk->raw.size);
}
