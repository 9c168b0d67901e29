/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside, read strictly by jansson: duplicate keys, NaN and trailing bytes are errors with a position. */
#include "base/json.h"

static const char *kind(const json_t *value) {
  switch (json_typeof(value)) {
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

mien_status mien_json_parse_object(const char *bytes, size_t size, const char *where, json_t **object,
                                   mien_error *error) {
  json_error_t found;
  /* A byte order mark is what Windows editors leave; everything else about the text stays strict. */
  if (size >= 3 && bytes[0] == '\xEF' && bytes[1] == '\xBB' && bytes[2] == '\xBF') {
    bytes += 3;
    size -= 3;
  }
  json_t *value = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &found);
  if (!value) {
    if (json_error_code(&found) == json_error_out_of_memory) return mien_fail_memory(error, where, size);
    return mien_fail(error, MIEN_INPUT, "%s:%d:%d: %s", where, found.line, found.column, found.text);
  }
  if (!json_is_object(value)) {
    mien_status status = mien_fail(error, MIEN_INPUT, "%s: expected a JSON object, found %s", where, kind(value));
    json_decref(value);
    return status;
  }
  *object = value;
  return MIEN_OK;
}
