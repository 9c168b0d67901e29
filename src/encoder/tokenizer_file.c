/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer from the files of a folder: tokenizer.json, else vocab.txt and what tokenizer_config.json says of it.
 */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "encoder/settings.h"
#include "encoder/small_file.h"

static mien_status read_file(const char *folder, const char *name, char **path, unsigned char **bytes, size_t *size,
                             mien_error *error) {
  *path = mien_path_join(folder, name);
  if (!*path) return mien_fail_memory(error, folder, strlen(name));
  return mien_file_read(*path, MIEN_MAX_TOKENIZER_BYTES, NULL, bytes, size, error);
}

/* tokenizer_config.json's fields; BERT's defaults, and *is_there false, without it. */
static mien_status read_options(const char *folder, mien_vocabulary_options *options, bool *is_there,
                                mien_error *error) {
  mien_small_file file;
  bool lower_case = true, chinese = true, strip = false, strip_given = false;
  mien_status status = mien_small_file_read(folder, "tokenizer_config.json", JSON_OBJECT, false, &file, error);
  *is_there = file.value != NULL;
  if (status == MIEN_OK && file.value) {
    status = mien_small_flag(&file, file.value, "do_lower_case", &lower_case, error);
    if (status == MIEN_OK) status = mien_small_flag(&file, file.value, "tokenize_chinese_chars", &chinese, error);
    if (status == MIEN_OK) status = mien_small_flag(&file, file.value, "strip_accents", &strip, error);
    strip_given = json_is_boolean(json_object_get(file.value, "strip_accents"));
  }
  *options = (mien_vocabulary_options){
      .cased = !lower_case,
      .keep_accents = strip_given ? !strip : !lower_case,
      .no_chinese_characters = !chinese,
  };
  mien_small_file_free(&file);
  return status;
}

static mien_status from_vocabulary(const char *folder, char **path, mien_tokenizer **tokenizer, mien_error *error) {
  unsigned char *bytes = NULL;
  size_t size = 0;
  mien_vocabulary_options options;
  bool is_there;
  mien_status status = read_options(folder, &options, &is_there, error);
  if (status == MIEN_OK) status = read_file(folder, "vocab.txt", path, &bytes, &size, error);
  if (status == MIEN_OK)
    status = mien_tokenizer_from_vocabulary((const char *)bytes, size, *path, &options, tokenizer, error);
  mien_free(bytes);
  return status;
}

static mien_status from_json(const char *folder, char **path, mien_tokenizer **tokenizer, mien_error *error) {
  unsigned char *bytes = NULL;
  size_t size = 0;
  mien_status status = read_file(folder, "tokenizer.json", path, &bytes, &size, error);
  if (status == MIEN_OK) status = mien_tokenizer_from_json((const char *)bytes, size, *path, tokenizer, error);
  mien_free(bytes);
  return status;
}

/* ---- How a tokenizer behaves ----------------------------------------------------------------------------------- */

/* Tokens of a text that a tokenizer is asked about. */
enum { MAX_PROBE_TOKENS = 64 };

/* Whether two texts become the same tokens. */
static bool is_same(const mien_tokenizer *tokenizer, const char *a, const char *b) {
  int32_t left[MAX_PROBE_TOKENS], right[MAX_PROBE_TOKENS];
  const size_t n = mien_tokenizer_run(tokenizer, a, strlen(a), MAX_PROBE_TOKENS, left, NULL);
  return n == mien_tokenizer_run(tokenizer, b, strlen(b), MAX_PROBE_TOKENS, right, NULL) &&
         memcmp(left, right, n * sizeof *left) == 0;
}

static bool is_cased(const mien_tokenizer *tokenizer) {
  return !is_same(tokenizer, "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z",
                  "a b c d e f g h i j k l m n o p q r s t u v w x y z");
}

static bool keeps_accents(const mien_tokenizer *tokenizer) {
  return !is_same(tokenizer, "\u00e1 \u00e9 \u00ed \u00f3 \u00fa", "a e i o u");
}

/* U+4E00 is a word of its own, or the beginning of one. */
static bool joins_chinese(const mien_tokenizer *tokenizer) { return !is_same(tokenizer, "\u4e00a", "\u4e00 a"); }

/*
 * transformers sets tokenizer.json's normalizer to what tokenizer_config.json says, or to BERT's defaults where that
 * says nothing. Where the two agree there is nothing to set; where they do not, a folder is refused that would not mean
 * here what it means there.
 */
static mien_status check_options(const char *folder, const mien_tokenizer *tokenizer, mien_error *error) {
  mien_vocabulary_options options;
  bool is_there;
  mien_status status = read_options(folder, &options, &is_there, error);
  if (status != MIEN_OK || !is_there) return status;
  const struct {
    const char *key;
    bool expected, found;
  } checks[] = {{"do_lower_case", !is_cased(tokenizer), !options.cased},
                {"strip_accents", !keeps_accents(tokenizer), !options.keep_accents},
                {"tokenize_chinese_chars", !joins_chinese(tokenizer), !options.no_chinese_characters}};
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if (checks[i].expected != checks[i].found)
      return mien_fail(error, MIEN_INPUT,
                       "%s/tokenizer_config.json: %s: expected %s, as tokenizer.json has it, found %s", folder,
                       checks[i].key, checks[i].expected ? "true" : "false", checks[i].found ? "true" : "false");
  return MIEN_OK;
}

mien_status mien_encoder_require_uncased(const char *folder, const mien_tokenizer *tokenizer, mien_error *error) {
  if (!is_cased(tokenizer)) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT,
                   "%s/sentence_bert_config.json: do_lower_case: expected false with a tokenizer that keeps capitals, "
                   "found true",
                   folder);
}

/* ---- The tokenizer --------------------------------------------------------------------------------------------- */

mien_status mien_encoder_read_tokenizer(const char *folder, size_t vocabulary, mien_tokenizer **tokenizer,
                                        mien_error *error) {
  const bool has_json = mien_path_exists(folder, "tokenizer.json");
  if (!has_json && !mien_path_exists(folder, "vocab.txt"))
    return mien_fail(error, MIEN_INPUT, "%s: expected a tokenizer.json or a vocab.txt, found neither", folder);
  char *path = NULL;
  mien_tokenizer *made = NULL;
  mien_status status = has_json ? from_json(folder, &path, &made, error) : from_vocabulary(folder, &path, &made, error);
  /* A vocabulary may be smaller: tables are padded to sizes that hardware likes. */
  if (status == MIEN_OK && mien_tokenizer_vocabulary(made) > vocabulary)
    status = mien_fail(error, MIEN_INPUT, "%s: expected at most %zu tokens, as the encoder's vocabulary has, found %zu",
                       path, vocabulary, mien_tokenizer_vocabulary(made));
  if (status == MIEN_OK && has_json) status = check_options(folder, made, error);
  if (status == MIEN_OK) {
    *tokenizer = made;
    made = NULL;
  }
  mien_tokenizer_destroy(made);
  mien_free(path);
  return status;
}
