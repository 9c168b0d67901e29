/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer.json of Hugging Face tokenizers: accepted where it describes BERT's tokenizer, refused elsewhere. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "tokenizer/internal.h"

/* What the file is while it is read: its place in messages, and the vocabulary that its tokens are looked up in. */
typedef struct reader {
  const char *where;
  json_t *vocabulary;
  mien_error *error;
} reader;

/* Objects and arrays cost many times their bytes once parsed: a file has two dozen and one an added token. */
enum { MAX_CONTAINERS = 1 << 16 };

static mien_status check_size(const char *bytes, size_t size, const char *where, mien_error *error) {
  if (size > MIEN_MAX_TOKENIZER_BYTES)
    return mien_fail(error, MIEN_INPUT, "%s: too large: expected at most %d bytes, found %zu", where,
                     MIEN_MAX_TOKENIZER_BYTES, size);
  size_t n = 0;
  bool in_string = false;
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == '"')
      in_string = !in_string;
    else if (bytes[i] == '\\' && in_string)
      i++;
    else if (!in_string)
      n += bytes[i] == '{' || bytes[i] == '[';
  }
  if (n <= MAX_CONTAINERS) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: expected at most %d objects and arrays, found %zu", where, MAX_CONTAINERS,
                   n);
}

/* A value in a message: a string as it is, anything else by its kind, and what is missing. */
static const char *show(const json_t *value, char out[64]) {
  if (!value) return "none";
  if (!json_is_string(value)) return mien_json_kind(value);
  return mien_utf8_clean(json_string_value(value), json_string_length(value), out, 64);
}

static mien_status refuse(const reader *from, const char *what, const char *expected, const json_t *found) {
  char shown[64];
  return mien_fail(from->error, MIEN_INPUT, "%s: %s: expected %s, found %s", from->where, what, expected,
                   show(found, shown));
}

static bool is_text(const json_t *value, const char *text) {
  return json_is_string(value) && json_string_length(value) == strlen(text) &&
         memcmp(json_string_value(value), text, strlen(text)) == 0;
}

static bool is_id(const json_t *value) {
  return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) < MIEN_MAX_TOKEN_IDS;
}

static mien_status read_id(const reader *from, const json_t *value, const char *what, int32_t *id) {
  if (!is_id(value)) {
    if (json_is_integer(value))
      return mien_fail(from->error, MIEN_INPUT, "%s: %s: expected an id from 0 to %d, found %" JSON_INTEGER_FORMAT,
                       from->where, what, MIEN_MAX_TOKEN_IDS - 1, json_integer_value(value));
    return refuse(from, what, "an id", value);
  }
  *id = (int32_t)json_integer_value(value);
  return MIEN_OK;
}

/* A flag that must be there, as the reference wants it. */
static mien_status read_flag(const reader *from, json_t *object, const char *key, bool *flag) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_boolean(value)) return refuse(from, key, "true or false", value);
  *flag = json_is_true(value);
  return MIEN_OK;
}

static mien_status read_normalizer(const reader *from, json_t *normalizer, mien_character_options *options) {
  const json_t *type = json_object_get(normalizer, "type");
  if (!is_text(type, "BertNormalizer")) return refuse(from, "normalizer", "BertNormalizer", type ? type : normalizer);
  mien_status status = read_flag(from, normalizer, "clean_text", &options->clean);
  if (status == MIEN_OK) status = read_flag(from, normalizer, "handle_chinese_chars", &options->chinese);
  if (status == MIEN_OK) status = read_flag(from, normalizer, "lowercase", &options->lowercase);
  const json_t *strip = json_object_get(normalizer, "strip_accents");
  options->strip_accents = json_is_boolean(strip) ? json_is_true(strip) : options->lowercase;
  if (status != MIEN_OK || !strip || json_is_null(strip) || json_is_boolean(strip)) return status;
  return refuse(from, "strip_accents", "true, false or null", strip);
}

/* What is not a choice in BERT's tokenizer. */
static mien_status check_kinds(const reader *from, json_t *file, json_t *model) {
  const json_t *version = json_object_get(file, "version");
  const json_t *pre_tokenizer = json_object_get(file, "pre_tokenizer");
  const json_t *kind = json_object_get(pre_tokenizer, "type");
  const json_t *type = json_object_get(model, "type");
  const json_t *prefix = json_object_get(model, "continuing_subword_prefix");
  if (version && !is_text(version, "1.0")) return refuse(from, "version", "1.0", version);
  if (!is_text(kind, "BertPreTokenizer"))
    return refuse(from, "pre_tokenizer", "BertPreTokenizer", kind ? kind : pre_tokenizer);
  /* Old files don't say: then the fields below tell. */
  if (!json_is_object(model) || (type && !is_text(type, "WordPiece")))
    return refuse(from, "model", "WordPiece", type ? type : model);
  if (!is_text(prefix, MIEN_CONTINUATION_PREFIX))
    return refuse(from, "continuing_subword_prefix", MIEN_CONTINUATION_PREFIX, prefix);
  if (!json_is_object(json_object_get(model, "vocab")))
    return refuse(from, "vocab", "an object", json_object_get(model, "vocab"));
  return MIEN_OK;
}

static mien_status read_max_characters(const reader *from, json_t *model, size_t *characters) {
  const json_t *value = json_object_get(model, "max_input_chars_per_word");
  const json_int_t number = json_integer_value(value);
  if (!json_is_integer(value)) return refuse(from, "max_input_chars_per_word", "a number", value);
  if (number < 1 || number > MIEN_MAX_WORD_CHARACTERS)
    return mien_fail(from->error, MIEN_INPUT,
                     "%s: max_input_chars_per_word: expected 1 to %d, found %" JSON_INTEGER_FORMAT, from->where,
                     MIEN_MAX_WORD_CHARACTERS, number);
  *characters = (size_t)number;
  return MIEN_OK;
}

static mien_status add_tokens(const reader *from, mien_tokenizer *tokenizer) {
  const char *token;
  json_t *value;
  mien_status status = MIEN_OK;
  json_object_foreach(from->vocabulary, token, value) {
    int32_t id;
    status = read_id(from, value, token, &id);
    if (status == MIEN_OK) status = mien_tokenizer_add(tokenizer, token, strlen(token), id, from->where, from->error);
    if (status != MIEN_OK) break;
  }
  return status;
}

/* [CLS] and [SEP]: the only id of a special token that the template names. */
static mien_status read_template_id(const reader *from, json_t *processor, json_t *piece, int32_t *id) {
  json_t *special = json_object_get(piece, "SpecialToken");
  const json_t *name = json_object_get(special, "id");
  const json_t *type = json_object_get(special, "type_id");
  if (!json_is_string(name)) return refuse(from, "post_processor", "a special token at either end", piece);
  if (json_integer_value(type) != 0) return refuse(from, "post_processor", "type_id 0 for one text", type);
  json_t *ids =
      json_object_get(json_object_get(json_object_get(processor, "special_tokens"), json_string_value(name)), "ids");
  if (json_array_size(ids) != 1) return refuse(from, "post_processor", "one id for each special token", ids);
  return read_id(from, json_array_get(ids, 0), "post_processor", id);
}

static mien_status read_template(const reader *from, json_t *processor, int32_t *first, int32_t *last) {
  json_t *single = json_object_get(processor, "single");
  json_t *sequence = json_object_get(json_array_get(single, 1), "Sequence");
  if (json_array_size(single) != 3 || !is_text(json_object_get(sequence, "id"), "A") ||
      json_integer_value(json_object_get(sequence, "type_id")) != 0)
    return refuse(from, "post_processor", "a special token, the text as sequence A of type 0, a special token", single);
  mien_status status = read_template_id(from, processor, json_array_get(single, 0), first);
  if (status == MIEN_OK) status = read_template_id(from, processor, json_array_get(single, 2), last);
  return status;
}

static mien_status read_processor(const reader *from, json_t *processor, int32_t *first, int32_t *last) {
  const json_t *type = json_object_get(processor, "type");
  if (is_text(type, "TemplateProcessing")) return read_template(from, processor, first, last);
  if (!is_text(type, "BertProcessing"))
    return refuse(from, "post_processor", "TemplateProcessing or BertProcessing", type ? type : processor);
  mien_status status = read_id(from, json_array_get(json_object_get(processor, "cls"), 1), "post_processor", first);
  if (status == MIEN_OK)
    status = read_id(from, json_array_get(json_object_get(processor, "sep"), 1), "post_processor", last);
  return status;
}

static mien_status check_added_flags(const reader *from, json_t *token, const json_t *content) {
  static const char *const absent[] = {"normalized", "single_word"};
  char shown[64];
  const char *text = show(content, shown);
  for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
    if (json_is_false(json_object_get(token, absent[i]))) continue;
    return mien_fail(from->error, MIEN_INPUT, "%s: added token '%s': expected %s false, found %s", from->where, text,
                     absent[i], json_is_true(json_object_get(token, absent[i])) ? "true" : "none");
  }
  return MIEN_OK;
}

/* The id that the reference gives the token, which is the file's in every file that it wrote: the vocabulary's, or the
 * next one behind the vocabulary and the tokens added before. */
static mien_status add_added_token(const reader *from, json_t *token, json_int_t *next, mien_tokenizer *tokenizer) {
  const json_t *content = json_object_get(token, "content");
  if (!json_is_string(content)) return refuse(from, "added_tokens", "content with each", content);
  mien_status status = check_added_flags(from, token, content);
  int32_t id = 0;
  if (status == MIEN_OK) status = read_id(from, json_object_get(token, "id"), "added_tokens", &id);
  if (status != MIEN_OK) return status;
  const json_t *known = json_object_get(from->vocabulary, json_string_value(content));
  const json_int_t expected = known ? json_integer_value(known) : *next;
  if (id != expected) {
    char shown[64];
    return mien_fail(from->error, MIEN_INPUT, "%s: added token '%s': expected id %" JSON_INTEGER_FORMAT ", found %d",
                     from->where, show(content, shown), expected, (int)id);
  }
  if (id >= *next) *next = (json_int_t)id + 1;
  return mien_tokenizer_add_raw(tokenizer, json_string_value(content), json_string_length(content), id, from->where,
                                from->error);
}

static mien_status add_added_tokens(const reader *from, json_t *tokens, mien_tokenizer *tokenizer) {
  json_int_t next = (json_int_t)json_object_size(from->vocabulary);
  mien_status status = MIEN_OK;
  if (tokens && !json_is_array(tokens)) return refuse(from, "added_tokens", "an array", tokens);
  for (size_t i = 0; i < json_array_size(tokens) && status == MIEN_OK; i++)
    status = add_added_token(from, json_array_get(tokens, i), &next, tokenizer);
  return status;
}

static mien_status read_file(reader *from, json_t *file, mien_tokenizer **tokenizer) {
  mien_character_options options = {0};
  json_t *model = json_object_get(file, "model");
  int32_t unknown = 0, first = 0, last = 0;
  size_t characters = 0;
  mien_status status = check_kinds(from, file, model);
  if (status != MIEN_OK) return status;
  from->vocabulary = json_object_get(model, "vocab");
  const json_t *name = json_object_get(model, "unk_token");
  if (!json_is_string(name)) return refuse(from, "unk_token", "a token", name);
  status = read_normalizer(from, json_object_get(file, "normalizer"), &options);
  if (status == MIEN_OK) status = read_max_characters(from, model, &characters);
  if (status == MIEN_OK)
    status = read_id(from, json_object_get(from->vocabulary, json_string_value(name)), "unk_token in vocab", &unknown);
  if (status == MIEN_OK) status = read_processor(from, json_object_get(file, "post_processor"), &first, &last);
  if (status == MIEN_OK)
    status = mien_tokenizer_make(&options, json_object_size(from->vocabulary), from->where, tokenizer, from->error);
  if (status != MIEN_OK) return status;
  (*tokenizer)->max_word_characters = characters;
  status = add_tokens(from, *tokenizer);
  if (status == MIEN_OK) status = add_added_tokens(from, json_object_get(file, "added_tokens"), *tokenizer);
  if (status == MIEN_OK)
    mien_tokenizer_finish(*tokenizer, unknown, first, last);
  else
    mien_tokenizer_destroy(*tokenizer);
  return status;
}

mien_status mien_tokenizer_from_json(const char *bytes, size_t size, const char *where, mien_tokenizer **tokenizer,
                                     mien_error *error) {
  json_t *file;
  mien_tokenizer *made = NULL;
  mien_status status = check_size(bytes, size, where, error);
  if (status == MIEN_OK) status = mien_json_parse_object(bytes, size, where, &file, error);
  if (status != MIEN_OK) return status;
  reader from = {where, NULL, error};
  status = read_file(&from, file, &made);
  if (status == MIEN_OK) *tokenizer = made;
  json_decref(file);
  return status;
}
