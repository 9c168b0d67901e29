/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of building JSON values. */
#include "cli/json_build.h"

#include <string.h>

#include "base/number.h"
#include "corpus/buffer.h"

void cli_json_set(cli_json *to, json_t *object, const char *key, json_t *value) {
  to->failed |= json_object_set_new(object, key, value) != 0;
}

void cli_json_append(cli_json *to, json_t *array, json_t *value) {
  to->failed |= json_array_append_new(array, value) != 0;
}

json_t *cli_json_count(uint64_t count) { return json_integer((json_int_t)count); }

json_t *cli_json_text(const char *bytes, size_t size) {
  mien_buffer quoted = {0};
  json_t *value = json_stringn(bytes ? bytes : "", size);
  if (value) return value;
  if (mien_buffer_append_json(&quoted, bytes, size))
    value = json_loadb(quoted.bytes, quoted.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  mien_buffer_free(&quoted);
  return value;
}

json_t *cli_json_text_or_null(const char *text) { return text ? cli_json_text(text, strlen(text)) : json_null(); }

json_t *cli_json_float(float value) {
  char text[MIEN_NUMBER_CHARS];
  return json_loadb(text, mien_format_float(text, value), JSON_DECODE_ANY, NULL);
}
