/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of JSON as a record. jansson says whether it is JSON and what the text is; a scan of the line that is known to
 * be valid then finds the bytes of the other values, so that they can be copied as they are.
 */
#include "corpus/jsonl.h"

#include "base/json.h"
#include "corpus/chunk.h"

/* A line of more values is refused: each costs the parser some tens of bytes. */
enum { MAX_VALUES = 1 << 18 };

/* Digits of a number that fits 64 bits whatever they are. */
enum { SAFE_DIGITS = 18 };

bool mien_jsonl_is_blank(mien_span line) {
  for (size_t i = 0; i < line.size; i++)
    if (!memchr(" \t\r", line.bytes[i], 3)) return false;
  return true;
}

/* ---- Pieces of a line; none reads past `end`, valid or not ---------------------------------------------------- */

/* Behind the string that begins at `at`. */
static const char *skip_string(const char *at, const char *end) {
  for (at++; at < end; at++) {
    if (*at == '"') return at + 1;
    if (*at == '\\') at++;
  }
  return end;
}

static const char *skip_space(const char *at, const char *end) {
  while (at < end && memchr(" \t\r\n", *at, 4)) at++;
  return at;
}

static const char *skip_number(const char *at, const char *end) {
  while (at < end && ((*at >= '0' && *at <= '9') || memchr("+-.eE", *at, 5))) at++;
  return at;
}

static const char *skip_digits(const char *at, const char *end) {
  while (at < end && *at >= '0' && *at <= '9') at++;
  return at;
}

/* RFC 8259, section 6. */
static bool is_number(const char *at, const char *end) {
  if (at < end && *at == '-') at++;
  const char *whole = at;
  at = skip_digits(at, end);
  if (at == whole || (*whole == '0' && at - whole > 1)) return false;
  if (at < end && *at == '.') {
    const char *fraction = at + 1;
    at = skip_digits(fraction, end);
    if (at == fraction) return false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    const char *exponent = at;
    at = skip_digits(exponent, end);
    if (at == exponent) return false;
  }
  return at == end;
}

/* ---- Before jansson -------------------------------------------------------------------------------------------- */

/* Whether a number may be beyond what jansson reads: it must fit 64 bits or a double. */
static bool is_wide(const char *at, const char *end) {
  return end - at > SAFE_DIGITS || memchr(at, 'e', (size_t)(end - at)) || memchr(at, 'E', (size_t)(end - at));
}

/*
 * Counts what becomes a value and, where `mask` is not NULL, puts 0 and spaces in place of wide numbers of the same
 * bytes at `mask`: it is as valid JSON as before, with errors in the same columns. True when there are any such
 * numbers.
 */
static bool survey(mien_span line, char *mask, size_t *n_values) {
  const char *at = line.bytes, *end = at + line.size;
  bool has_wide = false;
  *n_values = 0;
  while (at < end) {
    switch (*at) {
    case '"': at = skip_string(at, end); break;
    case ',':
    case ':':
    case '[':
    case '{':
      ++*n_values;
      at++;
      break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': {
      const char *number = at;
      at = skip_number(at, end);
      if (!is_wide(number, at) || !is_number(number, at)) break;
      has_wide = true;
      if (!mask) break;
      memset(mask + (number - line.bytes), ' ', (size_t)(at - number));
      mask[number - line.bytes] = '0';
      break;
    }
    default: at++;
    }
  }
  return has_wide;
}

/* NULL with the record's problem set, or with *status where memory is missing. */
static json_t *parse(mien_chunk *chunk, mien_record *record, mien_status *status, mien_error *error) {
  mien_span line = record->text;
  size_t n_values;
  /* Nowhere in JSON, but jansson 2.14 passes over one behind a number. */
  const char *nul = line.size ? memchr(line.bytes, '\0', line.size) : NULL;
  if (nul) {
    mien_chunk_set_problem(chunk, record, "column %zu: a NUL byte", (size_t)(nul - line.bytes) + 1);
    return NULL;
  }
  bool has_wide = survey(line, NULL, &n_values);
  if (n_values > MAX_VALUES) {
    mien_chunk_set_problem(chunk, record, "expected at most %d values, found %zu", MAX_VALUES, n_values);
    return NULL;
  }
  size_t used = chunk->unescaped.size;
  if (has_wide) {
    mien_span copy = mien_chunk_keep(chunk, line.bytes, line.size);
    survey(line, chunk->unescaped.bytes + used, &n_values);
    line = copy;
  }
  json_error_t found;
  json_t *value = json_loadb(line.bytes, line.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &found);
  chunk->unescaped.size = used;
  if (!value) {
    if (json_error_code(&found) == json_error_out_of_memory)
      *status = mien_fail_memory(error, "a line of JSON", line.size);
    else
      mien_chunk_set_problem(chunk, record, "column %d: %s", found.column, found.text);
  } else if (!json_is_object(value)) {
    mien_chunk_set_problem(chunk, record, "expected a JSON object, found %s", mien_json_kind(value));
    json_decref(value);
    value = NULL;
  }
  return value;
}

/* ---- After it: the line is a valid object ---------------------------------------------------------------------- */

/* Behind the value that begins at `at`. */
static const char *skip_value(const char *at, const char *end) {
  size_t depth = 0;
  do {
    switch (*at) {
    case '"': at = skip_string(at, end); break;
    case '{':
    case '[':
      depth++;
      at++;
      break;
    case '}':
    case ']':
      depth--;
      at++;
      break;
    case ',':
    case ':':
    case ' ':
    case '\t':
    case '\n':
    case '\r': at++; break;
    default: /* a number or a word */
      while (at < end && !memchr(",:]} \t\r\n", *at, 8)) at++;
    }
  } while (depth > 0 && at < end);
  return at;
}

/* A member's name as text. */
static mien_span read_name(mien_chunk *chunk, const char *quoted, size_t size) {
  if (!memchr(quoted, '\\', size)) return (mien_span){quoted + 1, size - 2};
  json_t *name = json_loadb(quoted, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  mien_span span = {NULL, 0};
  if (name) span = mien_chunk_keep(chunk, json_string_value(name), json_string_length(name));
  json_decref(name);
  return span;
}

static bool is_named(mien_span name, const char *wanted) {
  return wanted && strlen(wanted) == name.size && memcmp(name.bytes, wanted, name.size) == 0;
}

static bool keep_member(const mien_text_options *options, mien_chunk *chunk, mien_record *record, size_t first_field,
                        mien_span name, mien_value value) {
  bool is_id = is_named(name, options->id_field);
  if (is_id) record->id = value;
  if (options->keep_all)
    return is_id || is_named(name, options->text_field) || mien_chunk_add_field(chunk, record, name, value);
  for (size_t i = 0; i < options->n_keep; i++)
    if (is_named(name, options->keep[i])) chunk->fields[first_field + i].value = value;
  return true;
}

/* Fields that are asked for by name stand in that order in every record, null where the line has none. */
static bool add_named_fields(const mien_text_options *options, mien_chunk *chunk, mien_record *record) {
  static const mien_value null = {{"null", 4}, true};
  if (options->id_field) record->id = null;
  bool done = true;
  for (size_t i = 0; done && !options->keep_all && i < options->n_keep; i++)
    done = mien_chunk_add_field(chunk, record, (mien_span){options->keep[i], strlen(options->keep[i])}, null);
  return done;
}

static bool read_members(const mien_text_options *options, mien_chunk *chunk, mien_record *record, mien_span line) {
  const char *end = line.bytes + line.size, *at = skip_space(line.bytes, end) + 1;
  const size_t first_field = chunk->n_fields;
  if (!add_named_fields(options, chunk, record)) return false;
  for (at = skip_space(at, end); at < end && *at == '"'; at = skip_space(at, end)) {
    const char *quoted = at;
    at = skip_string(at, end);
    mien_span name = read_name(chunk, quoted, (size_t)(at - quoted));
    at = skip_space(skip_space(at, end) + 1, end); /* the colon between */
    const char *value = at;
    at = skip_value(at, end);
    if (!name.bytes ||
        !keep_member(options, chunk, record, first_field, name, (mien_value){{value, (size_t)(at - value)}, true}))
      return false;
    at = skip_space(at, end);
    if (at < end && *at == ',') at++;
  }
  return true;
}

mien_status mien_jsonl_read(const mien_text_options *options, mien_chunk *chunk, mien_record *record,
                            mien_error *error) {
  const mien_span line = record->text;
  mien_status status = MIEN_OK;
  json_t *object = parse(chunk, record, &status, error);
  if (!object) return status;
  const json_t *text = json_object_get(object, options->text_field);
  if (json_is_string(text))
    record->text = mien_chunk_keep(chunk, json_string_value(text), json_string_length(text));
  else if (text)
    mien_chunk_set_problem(chunk, record, "field '%s': expected a string, found %s", options->text_field,
                           mien_json_kind(text));
  else
    mien_chunk_set_problem(chunk, record, "field '%s' is missing", options->text_field);
  json_decref(object);
  if (!options->id_field && !options->keep_all && options->n_keep == 0) return MIEN_OK;
  return read_members(options, chunk, record, line) ? MIEN_OK : mien_fail_memory(error, "kept fields", line.size);
}
