/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder of a pack: its configuration, checked, its weights where they lie, its tokenizer from the vocabulary. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "encoder/pack.h"
#include "encoder/panel.h"
#include "encoder/settings.h"
#include "tokenizer/parts.h"

/* ---- Fields: all of them must be there ------------------------------------------------------------------------- */

static mien_status require_field(const mien_small_file *file, const char *key, mien_error *error) {
  const json_t *value = json_object_get(file->value, key);
  if (value && !json_is_null(value)) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected a value, found %s", file->path, key, value ? "null" : "none");
}

static mien_status read_size(const mien_small_file *file, const char *key, size_t least, size_t most, size_t *size,
                             mien_error *error) {
  mien_status status = require_field(file, key, error);
  return status == MIEN_OK ? mien_small_size(file, file->value, key, least, most, size, error) : status;
}

static mien_status read_id(const mien_small_file *file, const char *key, size_t vocabulary, int32_t *id,
                           mien_error *error) {
  size_t number = 0;
  mien_status status = read_size(file, key, 0, vocabulary - 1, &number, error);
  *id = (int32_t)number; /* below MIEN_ENCODER_MAX_VOCABULARY */
  return status;
}

static mien_status read_flag(const mien_small_file *file, const char *key, bool *flag, mien_error *error) {
  mien_status status = require_field(file, key, error);
  return status == MIEN_OK ? mien_small_flag(file, file->value, key, flag, error) : status;
}

/* ---- The configuration ----------------------------------------------------------------------------------------- */

static mien_status read_sizes(const mien_small_file *file, mien_encoder_config *config, mien_error *error) {
  const struct {
    const char *key;
    size_t least, most, *size;
  } sizes[] = {
      {"layers", 1, MIEN_ENCODER_MAX_LAYERS, &config->layers},
      {"hidden", MIEN_PANEL, MIEN_ENCODER_MAX_HIDDEN, &config->hidden},
      {"heads", 1, MIEN_ENCODER_MAX_HIDDEN, &config->heads},
      {"intermediate", 1, MIEN_ENCODER_MAX_INTERMEDIATE, &config->intermediate},
      {"vocabulary", 1, MIEN_ENCODER_MAX_VOCABULARY, &config->vocabulary},
      {"max_tokens", MIEN_ENCODER_MIN_TOKENS, MIEN_ENCODER_MAX_POSITIONS, &config->max_tokens},
  };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    mien_status status = read_size(file, sizes[i].key, sizes[i].least, sizes[i].most, sizes[i].size, error);
    if (status != MIEN_OK) return status;
  }
  config->positions = config->max_tokens;
  config->token_types = 1; /* added to the positions */
  if (config->hidden % MIEN_PANEL == 0 && config->hidden % config->heads == 0) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: hidden: expected a multiple of %d and of %zu heads, found %zu", file->path,
                   MIEN_PANEL, config->heads, config->hidden);
}

static mien_status read_pooling(const mien_small_file *file, mien_encoder_config *config, mien_error *error) {
  const char *name = "";
  mien_status status = mien_small_text(file, file->value, "pooling", &name, error);
  if (status != MIEN_OK) return status;
  for (int i = MIEN_POOLING_MEAN; i <= MIEN_POOLING_MAX; i++) {
    if (strcmp(name, mien_pack_poolings[i]) != 0) continue;
    config->pooling = (mien_pooling)i;
    return MIEN_OK;
  }
  return mien_fail(error, MIEN_INPUT, "%s: pooling: expected mean, cls or max, found '%s'", file->path, name);
}

static mien_status read_config(const mien_small_file *file, mien_encoder_config *config, mien_error *error) {
  double epsilon = NAN;
  mien_status status = read_sizes(file, config, error);
  if (status == MIEN_OK) status = mien_small_number(file, file->value, "layer_norm_eps", &epsilon, error);
  if (status == MIEN_OK && !(epsilon >= 0 && epsilon < 1)) {
    char shown[MIEN_JSON_NUMBER_CHARS];
    status = mien_fail(error, MIEN_INPUT, "%s: layer_norm_eps: expected a number in [0, 1), found %s", file->path,
                       mien_json_show_number(epsilon, shown));
  }
  config->layer_norm_eps = (float)epsilon;
  if (status == MIEN_OK) status = read_pooling(file, config, error);
  if (status == MIEN_OK) status = read_flag(file, "normalize", &config->normalize, error);
  return status;
}

/* ---- The tokenizer --------------------------------------------------------------------------------------------- */

static mien_status read_added_tokens(const mien_small_file *file, size_t vocabulary, mien_tokenizer_parts *parts,
                                     mien_error *error) {
  const json_t *tokens = json_object_get(file->value, "added_tokens");
  const size_t n = json_array_size(tokens);
  mien_status status = MIEN_OK;
  if (!json_is_array(tokens))
    return mien_fail(error, MIEN_INPUT, "%s: added_tokens: expected an array, found %s", file->path,
                     tokens ? mien_json_kind(tokens) : "none");
  parts->added = mien_alloc(n, sizeof *parts->added);
  if (!parts->added) return mien_fail_memory(error, file->path, n * sizeof *parts->added);
  for (; parts->n_added < n && status == MIEN_OK; parts->n_added++) {
    mien_added_token *token = &parts->added[parts->n_added];
    const mien_small_file entry = {file->path, json_array_get(tokens, parts->n_added)};
    token->content = NULL;
    status = read_id(&entry, "id", vocabulary, &token->id, error);
    if (status == MIEN_OK) status = require_field(&entry, "content", error);
    if (status == MIEN_OK) status = mien_small_text(&entry, entry.value, "content", &token->content, error);
    token->bytes = token->content ? strlen(token->content) : 0;
  }
  return status;
}

static mien_status read_tokenizer_config(const mien_small_file *file, size_t vocabulary, mien_tokenizer_parts *parts,
                                         mien_error *error) {
  const struct {
    const char *key;
    bool *flag;
  } flags[] = {{"clean_text", &parts->clean_text},
               {"handle_chinese_chars", &parts->handle_chinese_chars},
               {"strip_accents", &parts->strip_accents},
               {"lowercase", &parts->lowercase}};
  const struct {
    const char *key;
    int32_t *id;
  } ids[] = {{"unk_token_id", &parts->unknown}, {"cls_token_id", &parts->first}, {"sep_token_id", &parts->last}};
  mien_status status = MIEN_OK;
  for (size_t i = 0; i < sizeof flags / sizeof *flags && status == MIEN_OK; i++)
    status = read_flag(file, flags[i].key, flags[i].flag, error);
  for (size_t i = 0; i < sizeof ids / sizeof *ids && status == MIEN_OK; i++)
    status = read_id(file, ids[i].key, vocabulary, ids[i].id, error);
  if (status == MIEN_OK)
    status =
        read_size(file, "max_input_chars_per_word", 1, MIEN_MAX_WORD_CHARACTERS, &parts->max_word_characters, error);
  return status == MIEN_OK ? read_added_tokens(file, vocabulary, parts, error) : status;
}

static mien_status read_vocabulary(mien_pack_file *pack, mien_tokenizer_parts *parts, mien_error *error) {
  static const char name[] = "tokenizer.vocabulary";
  const mien_safetensor *tensor = mien_safetensors_find(pack->tensors, name);
  const size_t bytes = tensor ? tensor->bytes : 0;
  void *data = NULL;
  mien_status status = mien_pack_tensor(pack, name, "U8", 1, &bytes, 1, &data, error);
  parts->vocabulary = data;
  parts->vocabulary_bytes = bytes;
  return status;
}

static mien_status read_tokenizer(mien_pack_file *pack, mien_encoder_source *source, mien_error *error) {
  char path[1024], vocabulary[1024];
  mien_tokenizer_parts parts = {0};
  const size_t most = source->config.vocabulary;
  snprintf(path, sizeof path, "%s: tokenizer", pack->config.path);
  snprintf(vocabulary, sizeof vocabulary, "%s: tokenizer.vocabulary", pack->where);
  const mien_small_file file = {path, json_object_get(pack->config.value, "tokenizer")};
  mien_status status = read_tokenizer_config(&file, most, &parts, error);
  if (status == MIEN_OK) status = read_vocabulary(pack, &parts, error);
  if (status == MIEN_OK) status = mien_tokenizer_from_parts(&parts, vocabulary, &source->tokenizer, error);
  if (status == MIEN_OK && mien_tokenizer_vocabulary(source->tokenizer) > most)
    status = mien_fail(error, MIEN_INPUT, "%s: expected at most %zu tokens, as the encoder's vocabulary has, found %zu",
                       vocabulary, most, mien_tokenizer_vocabulary(source->tokenizer));
  mien_free(parts.added);
  return status;
}

/* ---- Weights --------------------------------------------------------------------------------------------------- */

/* What is taken from the file, until something fails. */
typedef struct taker {
  mien_pack_file *pack;
  mien_status status;
  mien_error *error;
} taker;

static void *take(taker *from, const char *name, const char *type, size_t rank, const size_t *dims) {
  void *data = NULL;
  if (from->status == MIEN_OK)
    from->status = mien_pack_tensor(from->pack, name, type, rank, dims, MIEN_LINE, &data, from->error);
  return data;
}

/* What numbers are multiplied by: scales may be 0, as in a row of zeros, multipliers may not. Read one by one, they may
 * lie at any multiple of their size. */
static float *take_factors(taker *from, const char *name, size_t n, bool may_be_zero) {
  void *data = NULL;
  if (from->status == MIEN_OK)
    from->status = mien_pack_tensor(from->pack, name, "F32", 1, &n, sizeof(float), &data, from->error);
  const float *factors = data, least = may_be_zero ? 0 : FLT_MIN;
  for (size_t i = 0; i < n && from->status == MIEN_OK; i++)
    if (!(factors[i] >= least && factors[i] <= FLT_MAX))
      from->status = mien_fail(from->error, MIEN_INPUT, "%s: '%s': expected finite numbers of at least %g, found %g",
                               from->pack->where, name, (double)least, (double)factors[i]);
  return data;
}

static mien_norm take_norm(taker *from, const char *before, const char *name, size_t hidden) {
  char full[MIEN_PACK_NAME_CHARS];
  mien_norm norm = {.gamma = take(from, mien_pack_name(full, before, name, "gamma"), "F32", 1, &hidden)};
  norm.beta = take(from, mien_pack_name(full, before, name, "beta"), "F32", 1, &hidden);
  return norm;
}

static mien_matrix take_matrix(taker *from, const char *before, size_t index, size_t inputs, size_t outputs) {
  char full[MIEN_PACK_NAME_CHARS];
  size_t dims[MIEN_PACK_MAX_RANK];
  const mien_dtype dtype = from->pack->dtype;
  const char *name = mien_pack_matrix_names[index];
  mien_matrix matrix = {.inputs = inputs, .outputs = outputs};
  const size_t rank = mien_pack_panel_shape(dtype, inputs, outputs, dims);
  matrix.panels = take(from, mien_pack_name(full, before, name, "panels"), mien_pack_type(dtype), rank, dims);
  if (from->status == MIEN_OK && !mien_panels_have_zeros_behind(dtype, matrix.panels, inputs, outputs))
    from->status = mien_fail(from->error, MIEN_INPUT, "%s: '%s': expected zeros behind %zu inputs, found other numbers",
                             from->pack->where, full, inputs);
  matrix.bias = take(from, mien_pack_name(full, before, name, "bias"), "F32", 1, &outputs);
  if (dtype == MIEN_INT8)
    matrix.scales = take_factors(from, mien_pack_name(full, before, name, "scales"), outputs, true);
  if (mien_pack_has_multipliers(dtype, index))
    matrix.multipliers = take_factors(from, mien_pack_name(full, before, name, "multipliers"), inputs, false);
  return matrix;
}

static void take_layer(taker *from, const mien_encoder_config *config, size_t index, mien_layer *layer) {
  char before[MIEN_PACK_NAME_CHARS];
  const size_t hidden = config->hidden, intermediate = mien_whole_panels(config->intermediate);
  const size_t heads = config->heads * mien_whole_panels(hidden / config->heads);
  const size_t shapes[MIEN_LAYER_MATRICES][2] = {
      {hidden, 3 * heads}, {heads, hidden}, {hidden, intermediate}, {intermediate, hidden}};
  snprintf(before, sizeof before, "layers.%zu.", index);
  for (size_t i = 0; i < MIEN_LAYER_MATRICES; i++)
    *mien_layer_matrix(layer, i) = take_matrix(from, before, i, shapes[i][0], shapes[i][1]);
  for (size_t i = 0; i < MIEN_PACK_NORMS; i++)
    *mien_pack_norm(layer, i) = take_norm(from, before, mien_pack_norm_names[i], hidden);
}

static mien_status take_weights(mien_pack_file *pack, mien_encoder_source *source, mien_error *error) {
  const mien_encoder_config *config = &source->config;
  const size_t words[] = {config->vocabulary, config->hidden}, positions[] = {config->max_tokens, config->hidden};
  taker from = {.pack = pack, .error = error};
  mien_encoder_packed *packed = &source->packed;
  packed->layers = mien_alloc(config->layers, sizeof *packed->layers);
  if (!packed->layers) return mien_fail_memory(error, pack->where, config->layers * sizeof *packed->layers);
  for (size_t i = 0; i < config->layers && from.status == MIEN_OK; i++)
    take_layer(&from, config, i, &packed->layers[i]);
  packed->positions = take(&from, "embeddings.position", "F32", 2, positions);
  packed->norm = take_norm(&from, "embeddings.", "norm", config->hidden);
  mien_weight *word = &source->weights.word;
  *word = (mien_weight){.outputs = config->vocabulary, .inputs = config->hidden, .dtype = pack->dtype};
  word->data = take(&from, "embeddings.word", mien_pack_type(pack->dtype), 2, words);
  if (pack->dtype == MIEN_INT8)
    word->scales = (const unsigned char *)take_factors(&from, "embeddings.word.scales", config->vocabulary, true);
  return from.status;
}

/* ---- The encoder ----------------------------------------------------------------------------------------------- */

static mien_status copy_text(const char *text, char **copy, mien_error *error) {
  *copy = text ? mien_copy_text(text, strlen(text)) : NULL;
  return text && !*copy ? mien_fail_memory(error, "pack", strlen(text)) : MIEN_OK;
}

mien_status mien_pack_encoder(mien_pack_file *pack, mien_encoder_source **out, mien_error *error) {
  mien_encoder_source *source = mien_alloc(1, sizeof *source);
  if (!source) return mien_fail_memory(error, pack->where, sizeof *source);
  source->format = "pack";
  source->dtype = pack->dtype;
  mien_status status = read_config(&pack->config, &source->config, error);
  if (status == MIEN_OK) status = take_weights(pack, source, error);
  if (status == MIEN_OK) status = read_tokenizer(pack, source, error);
  if (status == MIEN_OK) status = copy_text(pack->license, &source->license, error);
  if (status == MIEN_OK) status = copy_text(pack->created_by, &source->created_by, error);
  if (status == MIEN_OK && pack->is_mapped) status = copy_text(pack->where, &source->path, error);
  if (status != MIEN_OK) {
    mien_encoder_source_destroy(source);
    return status;
  }
  if (pack->is_mapped) {
    source->mapping = pack->bytes;
    source->mapping_bytes = pack->size;
  } else {
    source->memory = pack->bytes;
  }
  pack->is_kept = true;
  *out = source;
  return MIEN_OK;
}
