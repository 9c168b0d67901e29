/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside, read strictly by jansson: duplicate keys, NaN and trailing bytes are errors with a position. */
#include "base/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/utf8.h"

static const char *kind_of(json_type type) {
  switch (type) {
  case JSON_OBJECT: return "an object";
  case JSON_ARRAY: return "an array";
  case JSON_STRING: return "a string";
  case JSON_INTEGER:
  case JSON_REAL: return "a number";
  case JSON_TRUE:
  case JSON_FALSE: return "a boolean";
  default: return "null";
  }
}

const char *mien_json_kind(const json_t *value) { return kind_of(json_typeof(value)); }

/* Digits of a double that tell it apart (IEEE 754): 15 sometimes, 17 always. */
enum { LEAST_DIGITS = 15, MOST_DIGITS = 17 };

char *mien_json_show_number(double value, char out[MIEN_JSON_NUMBER_CHARS]) {
  const bool is_whole = fabs(value) < 1e15 && value == trunc(value);
  json_t *number = is_whole ? NULL : json_real(value); /* NULL as well for NaN and infinities */
  size_t length = 0;
  bool is_same = false;
  for (size_t digits = LEAST_DIGITS; number && digits <= MOST_DIGITS && !is_same; digits++) {
    length = json_dumpb(number, out, MIEN_JSON_NUMBER_CHARS - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
    out[length] = '\0';
    json_t *again = json_loadb(out, length, JSON_DECODE_ANY, NULL);
    is_same = json_is_real(again) && json_real_value(again) == value;
    json_decref(again);
  }
  json_decref(number);
  /* Neither words nor whole numbers have a point that a locale could change. */
  if (length == 0) snprintf(out, MIEN_JSON_NUMBER_CHARS, "%.0f", value);
  return out;
}

mien_status mien_json_parse(const char *bytes, size_t size, const char *where, size_t flags, json_type expected,
                            json_t **value, mien_error *error) {
  json_error_t found;
  /* Everything else about the text stays strict. */
  const size_t mark = mien_utf8_mark(bytes, size);
  bytes += mark;
  size -= mark;
  json_t *parsed = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | flags, &found);
  if (!parsed) {
    if (json_error_code(&found) == json_error_out_of_memory) return mien_fail_memory(error, where, size);
    return mien_fail(error, MIEN_INPUT, "%s:%d:%d: %s", where, found.line, found.column, found.text);
  }
  if (json_typeof(parsed) != expected) {
    mien_status status = expected == JSON_OBJECT ? mien_fail(error, MIEN_INPUT, "%s: expected a JSON object, found %s",
                                                             where, mien_json_kind(parsed))
                                                 : mien_fail(error, MIEN_INPUT, "%s: expected %s, found %s", where,
                                                             kind_of(expected), mien_json_kind(parsed));
    json_decref(parsed);
    return status;
  }
  *value = parsed;
  return MIEN_OK;
}

mien_status mien_json_parse_object(const char *bytes, size_t size, const char *where, json_t **object,
                                   mien_error *error) {
  return mien_json_parse(bytes, size, where, JSON_ALLOW_NUL, JSON_OBJECT, object, error);
}
