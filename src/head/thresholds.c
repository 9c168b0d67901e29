/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds: one number in [0, 1] for each label of a head. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "head/head.h"

mien_status mien_threshold_check(double value, const char *label, float *threshold, mien_error *error) {
  /* Negated: NaN is in no range. */
  if (!(value >= 0 && value <= 1)) {
    char shown[MIEN_JSON_NUMBER_CHARS];
    return mien_fail(error, MIEN_ARGUMENT, "threshold of '%s': expected a number in [0, 1], found %s", label,
                     mien_json_show_number(value, shown));
  }
  *threshold = (float)(value + 0.0); /* -0 becomes 0 */
  return MIEN_OK;
}

/* The last key of the JSON text that begins and ends before byte `end`; *length is 0 when there is none. */
static const char *last_key(const char *json, size_t size, size_t end, size_t *length) {
  const char *key = json;
  *length = 0;
  for (size_t at = 0; at < end; at++) {
    if (json[at] != '"') continue;
    size_t start = ++at;
    while (at < end && json[at] != '"') at += json[at] == '\\' ? 2 : 1;
    size_t behind = at + 1;
    while (behind < size && memchr(" \t\r\n", json[behind], 4)) behind++;
    if (behind >= size || json[behind] != ':') continue;
    key = json + start;
    *length = at - start;
  }
  return key;
}

/* The parser knows lines and columns: says as well which label it was at (NaN and 1e999 are not JSON). */
static mien_status name_label(const char *json, size_t size, mien_status status, mien_error *error) {
  json_error_t found;
  char shown[96], message[sizeof error->message];
  size_t length;
  if (status != MIEN_INPUT || !error) return status;
  const size_t mark = mien_utf8_mark(json, size);
  json += mark;
  size -= mark;
  json_t *value = json_loadb(json, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &found);
  json_decref(value);
  if (value) return status;                                                       /* JSON, but no object */
  if (json_error_code(&found) == json_error_end_of_input_expected) return status; /* behind the object */
  size_t end = found.position > 0 && (size_t)found.position < size ? (size_t)found.position : size;
  const char *key = last_key(json, size, end, &length);
  if (length == 0) return status;
  memcpy(message, error->message, sizeof message);
  return mien_fail(error, status, "%s (label '%s')", message, mien_utf8_clean(key, length, shown, sizeof shown));
}

/* Takes the label out of the object, so that unknown ones are left. */
static mien_status take(json_t *object, const char *label, const char *where, float *threshold, mien_error *error) {
  json_t *value = json_object_get(object, label);
  if (!value)
    return mien_fail(error, MIEN_INPUT, "%s: label '%s' is missing: expected a number in [0, 1]", where, label);
  if (!json_is_number(value))
    return mien_fail(error, MIEN_INPUT, "%s: label '%s': expected a number in [0, 1], found %s", where, label,
                     mien_json_kind(value));
  double number = json_number_value(value);
  if (mien_threshold_check(number, label, threshold, NULL) != MIEN_OK) {
    char shown[MIEN_JSON_NUMBER_CHARS];
    return mien_fail(error, MIEN_INPUT, "%s: label '%s': expected a number in [0, 1], found %s", where, label,
                     mien_json_show_number(number, shown));
  }
  json_object_del(object, label);
  return MIEN_OK;
}

size_t mien_thresholds_max_bytes(const mien_head *head) {
  /* A byte of a label takes up to six where it is escaped; its quotes, indentation and number get 64. */
  size_t bytes = (size_t)64 << 10;
  for (size_t i = 0; i < head->n_labels; i++) bytes += 6 * strlen(head->labels[i]) + 64;
  return bytes;
}

mien_status mien_thresholds_parse(const mien_head *head, const char *json, size_t size, const char *where,
                                  float *thresholds, mien_error *error) {
  json_t *object;
  /* Parsed, text such as [{},{},…] takes a hundred times its bytes. */
  const size_t max_bytes = mien_thresholds_max_bytes(head);
  if (size > max_bytes)
    return mien_fail(error, MIEN_INPUT, "%s: too large: expected at most %zu bytes, found %zu", where, max_bytes, size);
  mien_status status = mien_json_parse_object(json, size, where, &object, error);
  if (status != MIEN_OK) return name_label(json, size, status, error);
  for (size_t i = 0; i < head->n_labels && status == MIEN_OK; i++)
    status = take(object, head->labels[i], where, &thresholds[i], error);
  const char *left = json_object_iter_key(json_object_iter(object));
  if (status == MIEN_OK && left)
    status = mien_fail(error, MIEN_INPUT, "%s: label '%s' is not one of the head's %zu", where, left, head->n_labels);
  json_decref(object);
  return status;
}
