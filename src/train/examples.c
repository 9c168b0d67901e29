/* SPDX-License-Identifier: Apache-2.0 */
/* Reading labelled data: rows by corpus' readers, their labels by name or number. */
#include "train/examples.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "corpus/records.h"

#define NO_COLUMN SIZE_MAX

enum {
  SHOWN_BYTES = 96, /* of a label or field in a message */
};

/* What a row gave, as places in the bytes: they move as they grow. */
typedef struct row_place {
  size_t text, text_bytes;
  size_t id, id_bytes; /* id: SIZE_MAX where there is none */
  size_t first_label;  /* in loader.given */
  uint64_t line;
} row_place;

typedef struct loader {
  const mien_example_options *options;
  const char *name; /* of the file, for messages */
  mien_input_format format;
  mien_error *error;

  bool has_columns; /* the next three are known */
  size_t text_column, label_column, id_column;

  mien_buffer bytes;
  row_place *rows;
  size_t n_rows, rows_capacity;
  uint32_t *given; /* [n_given] labels of all rows, as numbers in names */
  size_t n_given, given_capacity;
  bool all_have_texts;

  json_t *numbers; /* name: number, of the known labels or of those that were met */
  char **names;    /* [n_names] the same the other way */
  size_t n_names, names_capacity;
  bool is_open; /* labels may be added */
} loader;

/* ---- Labels ------------------------------------------------------------------------------------------------------ */

static mien_status fail_memory(loader *load, size_t bytes) { return mien_fail_memory(load->error, load->name, bytes); }

/* Room for one more element. */
static bool grow(void **items, size_t n, size_t *capacity, size_t size) {
  if (n < *capacity) return true;
  size_t bytes, more = *capacity ? 2 * *capacity : 256;
  void *grown = mien_size_mul(more, size, &bytes) ? realloc(*items, bytes) : NULL;
  if (!grown) return false;
  *items = grown;
  *capacity = more;
  return true;
}

static mien_status add_name(loader *load, const char *name, size_t bytes) {
  char *copy = mien_copy_text(name, bytes);
  if (!copy || !grow((void **)&load->names, load->n_names, &load->names_capacity, sizeof *load->names) ||
      json_object_set_new(load->numbers, copy, json_integer((json_int_t)load->n_names)) != 0) {
    mien_free(copy);
    return fail_memory(load, bytes);
  }
  load->names[load->n_names++] = copy;
  return MIEN_OK;
}

static mien_status start_labels(loader *load) {
  const mien_label_set *known = load->options->known ? load->options->known : load->options->numbered;
  load->numbers = json_object();
  if (!load->numbers) return fail_memory(load, 0);
  load->is_open = !known;
  mien_status status = MIEN_OK;
  for (size_t i = 0; known && i < known->n && status == MIEN_OK; i++)
    status = add_name(load, known->names[i], strlen(known->names[i]));
  return status;
}

static bool is_whole_number(const char *text, size_t bytes, uint64_t *number) {
  enum { MOST_DIGITS = 18 };
  *number = 0;
  for (size_t i = 0; i < bytes; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    *number = i < MOST_DIGITS ? *number * 10 + (uint64_t)(text[i] - '0') : UINT64_MAX;
  }
  return bytes > 0;
}

static mien_status fail_label(loader *load, uint64_t line, const char *text, size_t bytes, const char *expected) {
  char shown[SHOWN_BYTES];
  return mien_fail(load->error, MIEN_INPUT, "%s:%" PRIu64 ": label '%s': expected %s", load->name, line,
                   mien_utf8_clean(text, bytes, shown, sizeof shown), expected);
}

/* The number of a name that is there. */
static bool find_name(const loader *load, const char *name, size_t bytes, size_t *number) {
  const json_t *found = json_object_getn(load->numbers, name, bytes);
  if (found) *number = (size_t)json_integer_value(found);
  return found != NULL;
}

/* By name, else by number, else a new one. */
static mien_status find_label(loader *load, uint64_t line, const char *text, size_t bytes, size_t *label) {
  const mien_label_set *numbered = load->options->numbered;
  char expected[SHOWN_BYTES + 64];
  uint64_t number;
  if (find_name(load, text, bytes, label)) return MIEN_OK;
  if (is_whole_number(text, bytes, &number)) {
    if (numbered && number >= numbered->n) {
      snprintf(expected, sizeof expected, "a name or a number below %zu", numbered->n);
      return fail_label(load, line, text, bytes, expected);
    }
    if (numbered) {
      const char *name = numbered->names[number];
      if (find_name(load, name, strlen(name), label)) return MIEN_OK;
      return fail_label(load, line, name, strlen(name), "one of the model's");
    }
    if (!load->is_open)
      return fail_label(load, line, text, bytes,
                        "a name: what numbers stand for is not known, a file of labels says it");
  }
  if (!load->is_open) {
    snprintf(expected, sizeof expected, "one of the %zu labels that are known", load->n_names);
    return fail_label(load, line, text, bytes, expected);
  }
  if (!mien_utf8_is_name(text, bytes))
    return fail_label(load, line, text, bytes, "UTF-8 text without control characters");
  *label = load->n_names;
  return add_name(load, text, bytes);
}

static mien_status add_label(loader *load, uint64_t line, const char *text, size_t bytes) {
  size_t label = 0;
  mien_status status = find_label(load, line, text, bytes, &label);
  if (status != MIEN_OK) return status;
  if (label >= UINT32_MAX || !grow((void **)&load->given, load->n_given, &load->given_capacity, sizeof *load->given))
    return fail_memory(load, load->n_given * sizeof *load->given);
  load->given[load->n_given++] = (uint32_t)label;
  return MIEN_OK;
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

static mien_status keep(loader *load, const char *bytes, size_t size, size_t *at) {
  *at = load->bytes.size;
  return mien_buffer_append(&load->bytes, bytes, size) ? MIEN_OK : fail_memory(load, load->bytes.size + size);
}

/* Begins a row; `text` and `id` have NULL bytes where there are none. Its labels follow. */
static mien_status add_row(loader *load, uint64_t line, mien_span text, mien_span id) {
  if (!grow((void **)&load->rows, load->n_rows, &load->rows_capacity, sizeof *load->rows))
    return fail_memory(load, load->n_rows * sizeof *load->rows);
  row_place *row = &load->rows[load->n_rows++];
  *row = (row_place){
      .text_bytes = text.size, .id = SIZE_MAX, .id_bytes = id.size, .first_label = load->n_given, .line = line};
  load->all_have_texts = load->all_have_texts && text.bytes;
  mien_status status = text.bytes ? keep(load, text.bytes, text.size, &row->text) : MIEN_OK;
  if (status == MIEN_OK && id.bytes) status = keep(load, id.bytes, id.size, &row->id);
  return status;
}

static mien_status fail_row(loader *load, uint64_t line, const char *problem) {
  return mien_fail(load->error, MIEN_INPUT, "%s:%" PRIu64 ": %s", load->name, line, problem);
}

/* ---- Rows of tables ---------------------------------------------------------------------------------------------- */

/* The reader was told that column 0 is the text and to keep the others. */
static mien_span column_of(const mien_record *record, size_t column) {
  return column == 0 ? record->text : record->fields[column - 1].value.span;
}

static bool is_called(mien_span field, const char *name) {
  return field.size == strlen(name) && memcmp(field.bytes, name, field.size) == 0;
}

static size_t find_called(const mien_record *record, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (is_called(column_of(record, i), name)) return i;
  return NO_COLUMN;
}

/* A column that an option names, else the usual one; `place` is where the usual one is without a header. */
static mien_status find_column(loader *load, const mien_record *record, bool has_header, const char *wanted,
                               const char *usual, size_t place, bool is_needed, size_t *column) {
  const size_t n = record->n_fields + 1;
  uint64_t number;
  *column = has_header ? find_called(record, n, wanted ? wanted : usual) : wanted ? NO_COLUMN : place;
  if (*column == NO_COLUMN && wanted && is_whole_number(wanted, strlen(wanted), &number) && number < n)
    *column = (size_t)number;
  if (*column != NO_COLUMN && *column < n) return MIEN_OK;
  *column = NO_COLUMN;
  if (!wanted && !is_needed) return MIEN_OK;
  if (!has_header)
    return mien_fail(load->error, MIEN_INPUT,
                     "%s:%" PRIu64 ": expected the column of '%s' at %s (from 0), found %zu columns and no header",
                     load->name, record->line, usual,
                     wanted       ? wanted
                     : place == 0 ? "0"
                                  : "1",
                     n);
  return mien_fail(load->error, MIEN_INPUT, "%s:%" PRIu64 ": expected a column '%s' in the header", load->name,
                   record->line, wanted ? wanted : usual);
}

/* A number is a column's place, so that it names none. */
static bool is_column_name(const char *column) {
  uint64_t number;
  return column && !is_whole_number(column, strlen(column), &number);
}

/* Finds out whether there is a header, and which columns are what. */
static mien_status find_columns(loader *load, const mien_record *first, bool *has_header) {
  const mien_example_options *options = load->options;
  const char *const names[] = {is_column_name(options->labels) ? options->labels : "labels",
                               is_column_name(options->text) ? options->text : NULL,
                               is_column_name(options->id) ? options->id : NULL};
  *has_header = false;
  for (size_t i = 0; i < sizeof names / sizeof *names && !*has_header; i++)
    *has_header = names[i] && find_called(first, first->n_fields + 1, names[i]) != NO_COLUMN;
  mien_status status = find_column(load, first, *has_header, options->labels, "labels", 1, true, &load->label_column);
  if (status == MIEN_OK)
    status =
        find_column(load, first, *has_header, options->text, "text", 0, !options->without_texts, &load->text_column);
  if (status == MIEN_OK) status = find_column(load, first, *has_header, options->id, "id", 2, false, &load->id_column);
  load->has_columns = status == MIEN_OK;
  return status;
}

static mien_span trim(mien_span span) {
  while (span.size && (span.bytes[0] == ' ' || span.bytes[0] == '\t')) span.bytes++, span.size--;
  while (span.size && (span.bytes[span.size - 1] == ' ' || span.bytes[span.size - 1] == '\t')) span.size--;
  return span;
}

static mien_status add_joined_labels(loader *load, uint64_t line, mien_span joined) {
  const char separator = load->options->separator ? load->options->separator : ',';
  mien_status status = MIEN_OK;
  if (trim(joined).size == 0) return MIEN_OK; /* a row without labels */
  for (bool more = true; more && status == MIEN_OK;) {
    const char *end = memchr(joined.bytes, separator, joined.size);
    mien_span label = trim((mien_span){joined.bytes, end ? (size_t)(end - joined.bytes) : joined.size});
    more = end != NULL;
    if (more) joined = (mien_span){end + 1, joined.size - (size_t)(end + 1 - joined.bytes)};
    status = label.size ? add_label(load, line, label.bytes, label.size)
                        : fail_row(load, line, "expected a label between separators, found none");
  }
  return status;
}

static mien_status read_table_row(loader *load, const mien_record *record) {
  if (record->problem) return fail_row(load, record->line, record->problem);
  mien_status status;
  if (!load->has_columns) {
    bool has_header;
    status = find_columns(load, record, &has_header);
    if (status != MIEN_OK || has_header) return status;
  }
  const mien_span none = {0};
  const mien_span text = load->text_column == NO_COLUMN ? none : column_of(record, load->text_column);
  const mien_span id = load->id_column == NO_COLUMN ? none : column_of(record, load->id_column);
  status = add_row(load, record->line, text, id);
  return status == MIEN_OK ? add_joined_labels(load, record->line, column_of(record, load->label_column)) : status;
}

/* ---- Rows of jsonl ----------------------------------------------------------------------------------------------- */

static mien_status add_listed_labels(loader *load, uint64_t line, const json_t *list) {
  mien_status status = MIEN_OK;
  for (size_t i = 0; i < json_array_size(list) && status == MIEN_OK; i++) {
    const json_t *item = json_array_get(list, i);
    char number[24];
    if (json_is_string(item)) {
      status = add_label(load, line, json_string_value(item), json_string_length(item));
    } else if (json_is_integer(item)) {
      const int length = snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
      status = add_label(load, line, number, (size_t)length);
    } else {
      status = mien_fail(load->error, MIEN_INPUT,
                         "%s:%" PRIu64 ": label %zu of the row: expected a string or a whole number, found %s",
                         load->name, line, i, mien_json_kind(item));
    }
  }
  return status;
}

static mien_status fail_field(loader *load, uint64_t line, const char *field, const char *expected,
                              const json_t *value) {
  return mien_fail(load->error, MIEN_INPUT, "%s:%" PRIu64 ": field '%s': expected %s, found %s", load->name, line,
                   field, expected, value ? mien_json_kind(value) : "none");
}

static mien_status read_object(loader *load, uint64_t line, const json_t *object) {
  const mien_example_options *options = load->options;
  const char *text_field = options->text ? options->text : "text";
  const char *label_field = options->labels ? options->labels : "labels";
  const json_t *text = json_object_get(object, text_field), *labels = json_object_get(object, label_field);
  const json_t *id = json_object_get(object, options->id ? options->id : "id");
  mien_span text_bytes = {0}, id_bytes = {0};
  char number[24];
  if (json_is_string(text))
    text_bytes = (mien_span){json_string_value(text), json_string_length(text)};
  else if (!options->without_texts)
    return fail_field(load, line, text_field, "a string", text);
  if (!json_is_array(labels)) return fail_field(load, line, label_field, "a list of labels", labels);
  if (json_is_string(id)) {
    id_bytes = (mien_span){json_string_value(id), json_string_length(id)};
  } else if (json_is_integer(id)) {
    const int length = snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(id));
    id_bytes = (mien_span){number, (size_t)length};
  }
  mien_status status = add_row(load, line, text_bytes, id_bytes);
  return status == MIEN_OK ? add_listed_labels(load, line, labels) : status;
}

static mien_status read_json_row(loader *load, const mien_record *record) {
  json_error_t found;
  json_t *object;
  if (record->problem) return fail_row(load, record->line, record->problem);
  size_t blank = 0;
  while (blank < record->text.size && strchr(" \t\r", record->text.bytes[blank]) && record->text.bytes[blank]) blank++;
  if (blank == record->text.size) return MIEN_OK;
  object = json_loadb(record->text.bytes, record->text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL,
                      &found);
  if (!object)
    return mien_fail(load->error, MIEN_INPUT, "%s:%" PRIu64 ":%d: %s", load->name, record->line, found.column,
                     found.text);
  mien_status status = json_is_object(object)
                           ? read_object(load, record->line, object)
                           : mien_fail(load->error, MIEN_INPUT, "%s:%" PRIu64 ": expected a JSON object, found %s",
                                       load->name, record->line, mien_json_kind(object));
  json_decref(object);
  return status;
}

/* ---- All rows ---------------------------------------------------------------------------------------------------- */

static mien_status read_row(void *user, const mien_record *record) {
  loader *load = user;
  return load->format == MIEN_INPUT_JSONL ? read_json_row(load, record) : read_table_row(load, record);
}

static mien_status choose_format(loader *load, const char *path) {
  load->format = load->options->format;
  if (load->format == MIEN_INPUT_BY_ENDING) load->format = mien_input_format_of(path);
  if (load->format == MIEN_INPUT_CSV || load->format == MIEN_INPUT_TSV || load->format == MIEN_INPUT_JSONL)
    return MIEN_OK;
  return mien_fail(load->error, MIEN_ARGUMENT, "%s: format: expected labelled data in csv, tsv or jsonl, found another",
                   load->name);
}

static mien_status read_rows(loader *load, const char *path) {
  mien_status status = choose_format(load, path);
  if (status != MIEN_OK) return status;
  /* A line of jsonl is parsed here whole: rows may have no text. */
  return mien_read_records(path, load->format, read_row, load, load->options->cancel, load->error);
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

/* Numbers by size, then names by their bytes: the order does not depend on the rows'. */
static int compare_names(const void *a, const void *b) {
  const char *left = *(const char *const *)a, *right = *(const char *const *)b;
  uint64_t left_number, right_number;
  const bool left_is = is_whole_number(left, strlen(left), &left_number);
  const bool right_is = is_whole_number(right, strlen(right), &right_number);
  if (left_is != right_is) return left_is ? -1 : 1;
  if (left_is && left_number != right_number) return left_number < right_number ? -1 : 1;
  return strcmp(left, right);
}

/* Moves the names to the examples; order[number while loading] is the label's number there. */
static mien_status take_labels(loader *load, mien_examples *examples, size_t *order) {
  if (load->n_names == 0)
    return mien_fail(load->error, MIEN_INPUT, "%s: expected rows with labels, found none", load->name);
  if (load->is_open) qsort(load->names, load->n_names, sizeof *load->names, compare_names);
  for (size_t i = 0; i < load->n_names; i++)
    order[json_integer_value(json_object_get(load->numbers, load->names[i]))] = i;
  examples->labels.names = mien_alloc(load->n_names, sizeof(char *));
  if (!examples->labels.names) return fail_memory(load, load->n_names * sizeof(char *));
  memcpy(examples->labels.names, load->names, load->n_names * sizeof(char *));
  examples->labels.n = load->n_names;
  load->n_names = 0;
  return MIEN_OK;
}

static mien_status take_rows(loader *load, mien_examples *examples, const size_t *order) {
  const size_t n = load->n_rows;
  examples->n_words = (examples->labels.n + 31) / 32;
  examples->texts = mien_alloc(n, sizeof *examples->texts);
  examples->ids = mien_alloc(n, sizeof *examples->ids);
  examples->lines = mien_alloc(n, sizeof *examples->lines);
  examples->truth = mien_alloc(n, examples->n_words * sizeof *examples->truth);
  if (!examples->texts || !examples->ids || !examples->lines || !examples->truth)
    return fail_memory(load, n * (sizeof *examples->texts + examples->n_words * sizeof *examples->truth));
  examples->n_rows = n;
  examples->has_texts = load->all_have_texts;
  examples->bytes = load->bytes.bytes;
  load->bytes = (mien_buffer){0};
  for (size_t i = 0; i < n; i++) {
    const row_place *row = &load->rows[i];
    examples->texts[i] = (mien_text){examples->bytes + row->text, row->text_bytes};
    if (row->id != SIZE_MAX) examples->ids[i] = (mien_span){examples->bytes + row->id, row->id_bytes};
    examples->lines[i] = row->line;
    const size_t end = i + 1 < n ? load->rows[i + 1].first_label : load->n_given;
    for (size_t at = row->first_label; at < end; at++) {
      const size_t label = order[load->given[at]];
      examples->truth[i * examples->n_words + label / 32] |= (uint32_t)1 << label % 32;
    }
  }
  return MIEN_OK;
}

mien_status mien_examples_read(const char *path, const mien_example_options *options, mien_examples *examples,
                               mien_error *error) {
  loader load = {.options = options, .name = mien_input_name(path), .error = error, .all_have_texts = true};
  /* Never NULL: an empty text has a place as well. */
  mien_status status = mien_buffer_reserve(&load.bytes, 1) ? start_labels(&load) : fail_memory(&load, 1);
  if (status == MIEN_OK) status = read_rows(&load, path);
  if (status == MIEN_OK && load.n_rows == 0)
    status = mien_fail(error, MIEN_INPUT, "%s: expected rows with labels, found none", load.name);
  size_t *order = status == MIEN_OK ? mien_alloc(load.n_names, sizeof *order) : NULL;
  if (status == MIEN_OK && !order) status = fail_memory(&load, load.n_names * sizeof *order);
  if (status == MIEN_OK) status = take_labels(&load, examples, order);
  if (status == MIEN_OK) status = take_rows(&load, examples, order);
  for (size_t i = 0; i < load.n_names; i++) mien_free(load.names[i]);
  mien_free(order);
  free(load.names);
  free(load.rows);
  free(load.given);
  mien_buffer_free(&load.bytes);
  json_decref(load.numbers);
  return status;
}

void mien_examples_free(mien_examples *examples) {
  mien_buffer bytes = {.bytes = examples->bytes};
  mien_label_set_free(&examples->labels);
  mien_free(examples->truth);
  mien_free(examples->texts);
  mien_free(examples->ids);
  mien_free(examples->lines);
  mien_buffer_free(&bytes);
  *examples = (mien_examples){0};
}
