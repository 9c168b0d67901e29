/* SPDX-License-Identifier: Apache-2.0 */
/* config.json and the files that say where texts are cut: what the network is, as transformers reads it. */
#include "encoder/settings.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "encoder/small_file.h"

/* A field that must have one value, which it also has when absent. */
static mien_status expect_text(const mien_small_file *file, const char *key, const char *expected, const char *found,
                               mien_error *error) {
  mien_status status = mien_small_text(file, file->value, key, &found, error);
  if (status != MIEN_OK) return status;
  if (!found) return mien_fail(error, MIEN_INPUT, "%s: %s: expected \"%s\", found nothing", file->path, key, expected);
  if (strcmp(found, expected) == 0) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected \"%s\", found \"%s\"", file->path, key, expected, found);
}

static mien_status expect_false(const mien_small_file *file, const char *key, mien_error *error) {
  bool found = false;
  mien_status status = mien_small_flag(file, file->value, key, &found, error);
  if (status != MIEN_OK || !found) return status;
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected false, found true", file->path, key);
}

static mien_status check_architecture(const mien_small_file *file, mien_error *error) {
  mien_status status = expect_text(file, "model_type", "bert", NULL, error);
  if (status == MIEN_OK) status = expect_text(file, "hidden_act", "gelu", "gelu", error);
  if (status == MIEN_OK) status = expect_text(file, "position_embedding_type", "absolute", "absolute", error);
  if (status == MIEN_OK) status = expect_false(file, "is_decoder", error);
  if (status == MIEN_OK) status = expect_false(file, "add_cross_attention", error);
  return status;
}

/* Sizes that BertConfig has defaults for are written out by it nevertheless: a file without them is not its. */
static mien_status read_sizes(const mien_small_file *file, mien_encoder_config *config, mien_error *error) {
  const struct {
    const char *key;
    size_t most, *size;
  } sizes[] = {
      {"num_hidden_layers", MIEN_ENCODER_MAX_LAYERS, &config->layers},
      {"hidden_size", MIEN_ENCODER_MAX_HIDDEN, &config->hidden},
      {"num_attention_heads", MIEN_ENCODER_MAX_HIDDEN, &config->heads},
      {"intermediate_size", MIEN_ENCODER_MAX_INTERMEDIATE, &config->intermediate},
      {"vocab_size", MIEN_ENCODER_MAX_VOCABULARY, &config->vocabulary},
      {"max_position_embeddings", MIEN_ENCODER_MAX_POSITIONS, &config->positions},
      {"type_vocab_size", MIEN_ENCODER_MAX_TOKEN_TYPES, &config->token_types},
  };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    *sizes[i].size = 0;
    mien_status status = mien_small_size(file, file->value, sizes[i].key, 1, sizes[i].most, sizes[i].size, error);
    if (status != MIEN_OK) return status;
    if (*sizes[i].size == 0)
      return mien_fail(error, MIEN_INPUT, "%s: %s: expected a size, found nothing", file->path, sizes[i].key);
  }
  if (config->hidden % config->heads == 0) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: hidden_size: expected a multiple of num_attention_heads %zu, found %zu",
                   file->path, config->heads, config->hidden);
}

static mien_status read_epsilon(const mien_small_file *file, mien_encoder_config *config, mien_error *error) {
  double epsilon = 1e-12; /* BertConfig's */
  mien_status status = mien_small_number(file, file->value, "layer_norm_eps", &epsilon, error);
  if (status != MIEN_OK) return status;
  if (!(epsilon >= 0 && epsilon < 1)) {
    char shown[MIEN_JSON_NUMBER_CHARS];
    return mien_fail(error, MIEN_INPUT, "%s: layer_norm_eps: expected a number in [0, 1), found %s", file->path,
                     mien_json_show_number(epsilon, shown));
  }
  config->layer_norm_eps = (float)epsilon;
  return MIEN_OK;
}

mien_status mien_encoder_read_config(const char *folder, bool is_required, mien_encoder_config *config, bool *is_there,
                                     mien_error *error) {
  mien_small_file file;
  mien_status status = mien_small_file_read(folder, "config.json", JSON_OBJECT, is_required, &file, error);
  *is_there = file.value != NULL;
  if (status == MIEN_OK && file.value) {
    status = check_architecture(&file, error);
    if (status == MIEN_OK) status = read_sizes(&file, config, error);
    if (status == MIEN_OK) status = read_epsilon(&file, config, error);
  }
  mien_small_file_free(&file);
  return status;
}

/* ---- Where texts are cut --------------------------------------------------------------------------------------- */

/* 0 tokens: the file has no max_seq_length. */
static mien_status read_sentence_config(const char *folder, size_t *max_tokens, bool *lower_case, mien_error *error) {
  mien_small_file file;
  mien_status status = mien_small_file_read(folder, "sentence_bert_config.json", JSON_OBJECT, false, &file, error);
  if (status == MIEN_OK && file.value)
    status = mien_small_size(&file, file.value, "max_seq_length", MIEN_ENCODER_MIN_TOKENS, MIEN_ENCODER_MAX_POSITIONS,
                             max_tokens, error);
  if (status == MIEN_OK && file.value) status = mien_small_flag(&file, file.value, "do_lower_case", lower_case, error);
  mien_small_file_free(&file);
  return status;
}

/* 1e30 where nobody set it: any number of at least MIEN_ENCODER_MIN_TOKENS will do. */
static mien_status read_model_max_length(const char *folder, size_t positions, size_t *max_tokens, mien_error *error) {
  mien_small_file file;
  double length = INFINITY;
  mien_status status = mien_small_file_read(folder, "tokenizer_config.json", JSON_OBJECT, false, &file, error);
  if (status == MIEN_OK && file.value)
    status = mien_small_number(&file, file.value, "model_max_length", &length, error);
  if (status == MIEN_OK && !(length >= MIEN_ENCODER_MIN_TOKENS)) {
    char shown[MIEN_JSON_NUMBER_CHARS];
    status = mien_fail(error, MIEN_INPUT, "%s: model_max_length: expected at least %d, found %s", file.path,
                       MIEN_ENCODER_MIN_TOKENS, mien_json_show_number(length, shown));
  }
  *max_tokens = length < (double)positions ? (size_t)length : positions;
  mien_small_file_free(&file);
  return status;
}

mien_status mien_encoder_read_max_tokens(const char *folder, bool is_listed, mien_encoder_config *config,
                                         bool *lower_case, mien_error *error) {
  *lower_case = false;
  if (config->positions < MIEN_ENCODER_MIN_TOKENS)
    return mien_fail(error, MIEN_INPUT, "%s: max_position_embeddings: expected at least %d, found %zu", folder,
                     MIEN_ENCODER_MIN_TOKENS, config->positions);
  size_t tokens = 0;
  /* Without modules.json sentence-transformers does not look for its own file either. */
  mien_status status = is_listed ? read_sentence_config(folder, &tokens, lower_case, error) : MIEN_OK;
  if (status == MIEN_OK && tokens == 0) status = read_model_max_length(folder, config->positions, &tokens, error);
  /* Where a text has more tokens than there are positions, the reference fails. */
  config->max_tokens = tokens < config->positions ? tokens : config->positions;
  return status;
}
