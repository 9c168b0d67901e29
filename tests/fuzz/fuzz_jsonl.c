/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a line of JSON. A row has a text or a problem, and what is kept of it is what jansson finds
 * in the line, under the same names and in its own bytes.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "corpus/chunk.h"
#include "corpus/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

static void check_field(const json_t *object, const mien_chunk *chunk, const mien_field *field) {
  const mien_span value = field->value.span;
  require(field->value.is_json && value.bytes >= chunk->raw.bytes && value.size > 0 &&
          value.bytes + value.size <= chunk->raw.bytes + chunk->raw.size);
  json_t *expected = json_object_getn(object, field->name.bytes, field->name.size);
  json_t *found = json_loadb(value.bytes, value.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  require(expected && found && json_equal(expected, found));
  json_decref(found);
}

/* Where jansson reads the line by itself, which it does not for numbers beyond a double. */
static void check_record(const json_t *object, const mien_chunk *chunk, const mien_record *record) {
  const json_t *text = json_object_get(object, "text");
  require((record->problem == NULL) == json_is_string(text));
  if (!record->problem)
    require(record->text.size == json_string_length(text) &&
            memcmp(record->text.bytes, json_string_value(text), record->text.size) == 0);
  require(record->n_fields == json_object_size(object) - (text != NULL) - (json_object_get(object, "id") != NULL));
  for (size_t i = 0; i < record->n_fields; i++) check_field(object, chunk, &record->fields[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const mien_text_options options = {.text_field = "text", .id_field = "id", .keep_all = true};
  mien_chunk chunk = {.n_rows = 1};
  mien_record record = {0};
  mien_error error;
  require(mien_buffer_append(&chunk.raw, data, size) && mien_chunk_reserve_unescaped(&chunk));
  const size_t reserved = chunk.unescaped.capacity;
  record.text = (mien_span){chunk.raw.bytes ? chunk.raw.bytes : "", size};
  chunk.records = &record;
  (void)mien_jsonl_is_blank(record.text);
  require(mien_jsonl_read(&options, &chunk, &record, &error) == MIEN_OK);
  mien_chunk_set_fields(&chunk);
  require(chunk.unescaped.size <= reserved && chunk.unescaped.capacity == reserved);
  require(!record.problem || strlen(record.problem) < MIEN_PROBLEM_BYTES);
  json_t *object =
      json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  if (size && memchr(data, '\0', size))
    require(record.problem != NULL);
  else if (json_is_object(object))
    check_record(object, &chunk, &record);
  json_decref(object);
  chunk.records = NULL;
  mien_chunk_free(&chunk);
  return 0;
}
