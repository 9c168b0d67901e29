/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder as it runs, written into a pack. */
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "base/number.h"
#include "encoder/pack.h"
#include "encoder/panel.h"
#include "tokenizer/parts.h"

/* Rows of the word table that are converted at a time. */
enum { ROWS = 64 };

typedef struct packing {
  const mien_encoder_plan *plan;
  const mien_pack_content *content;
  mien_tokenizer_parts tokenizer;
  float *numbers; /* scratch: ROWS rows of the word table, or a panel */
  void *packed;   /* scratch: the same, in the pack's type */
  float *scales;  /* INT8: [vocabulary] of the word table's rows */
} packing;

/* ---- The configuration ----------------------------------------------------------------------------------------- */

/* A float32 as its shortest decimals; by jansson, since strtod has locales. */
static json_t *json_of_float(float value) {
  char text[MIEN_NUMBER_CHARS];
  return json_loadb(text, mien_format_float(text, value), JSON_DECODE_ANY, NULL);
}

static json_t *json_of_added(const mien_tokenizer_parts *parts) {
  json_t *tokens = json_array();
  for (size_t i = 0; tokens && i < parts->n_added; i++) {
    const mien_added_token *token = &parts->added[i];
    json_t *entry = json_pack("{s:I, s:s%}", "id", (json_int_t)token->id, "content", token->content, token->bytes);
    if (json_array_append_new(tokens, entry) == 0) continue;
    json_decref(tokens);
    tokens = NULL;
  }
  return tokens;
}

static json_t *json_of_tokenizer(const mien_tokenizer_parts *parts) {
  return json_pack("{s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:o}", "clean_text", parts->clean_text,
                   "handle_chinese_chars", parts->handle_chinese_chars, "strip_accents", parts->strip_accents,
                   "lowercase", parts->lowercase, "max_input_chars_per_word", (json_int_t)parts->max_word_characters,
                   "unk_token_id", (json_int_t)parts->unknown, "cls_token_id", (json_int_t)parts->first, "sep_token_id",
                   (json_int_t)parts->last, "added_tokens", json_of_added(parts));
}

/* As text; NULL without memory. Freed by mien_free. */
static char *make_config(const packing *from) {
  const mien_encoder_config *config = &from->plan->config;
  json_t *all = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s, s:b, s:o}", "layers", (json_int_t)config->layers,
                          "hidden", (json_int_t)config->hidden, "heads", (json_int_t)config->heads, "intermediate",
                          (json_int_t)config->intermediate, "vocabulary", (json_int_t)config->vocabulary, "max_tokens",
                          (json_int_t)config->max_tokens, "layer_norm_eps", json_of_float(config->layer_norm_eps),
                          "pooling", mien_pack_poolings[config->pooling], "normalize", config->normalize, "tokenizer",
                          json_of_tokenizer(&from->tokenizer));
  const bool failed = !all || (from->content->head && json_object_set(all, "head", from->content->head) != 0);
  /* Nine digits tell every float32 apart. */
  const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(9), bytes = failed ? 0 : json_dumpb(all, NULL, 0, flags);
  char *text = bytes ? mien_alloc(bytes + 1, 1) : NULL;
  if (text) json_dumpb(all, text, bytes, flags);
  json_decref(all);
  return text;
}

/* NULL without memory. */
static json_t *make_metadata(const packing *from) {
  const mien_dtype dtype = from->plan->dtype;
  char version[16], created_by[64], *config = make_config(from);
  snprintf(version, sizeof version, "%d", MIEN_PACK_VERSION);
  snprintf(created_by, sizeof created_by, "mien %s", mien_version());
  json_t *metadata =
      config ? json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format", "mien", "mien_pack_version", version, "dtype",
                         mien_dtype_name(dtype), "activation_bits", mien_pack_activation_bits(dtype), "attention",
                         MIEN_PACK_ATTENTION, "created_by", created_by, "config", config)
             : NULL;
  mien_free(config);
  const char *license = from->content->license;
  if (metadata && license && json_object_set_new(metadata, "license", json_string(license)) != 0) {
    json_decref(metadata);
    metadata = NULL;
  }
  return metadata;
}

/* ---- Tensors ---------------------------------------------------------------------------------------------------- */

static void put_floats(mien_tensor_writer *writer, const char *name, size_t rank, const size_t *dims,
                       const float *numbers) {
  if (mien_tensor_begin(writer, name, "F32", rank, dims))
    mien_tensor_write(writer, numbers, dims[0] * (rank > 1 ? dims[1] : 1), sizeof *numbers);
}

static void put_norm(mien_tensor_writer *writer, const char *before, const char *name, const mien_norm *norm,
                     size_t hidden) {
  char full[MIEN_PACK_NAME_CHARS];
  put_floats(writer, mien_pack_name(full, before, name, "gamma"), 1, &hidden, norm->gamma);
  put_floats(writer, mien_pack_name(full, before, name, "beta"), 1, &hidden, norm->beta);
}

/* F16 runs in float32, which its panels are in while they run. */
static void write_halves(mien_tensor_writer *writer, const packing *from, const mien_matrix *matrix) {
  const float *panel = matrix->panels;
  for (size_t column = 0; column < matrix->outputs; column += MIEN_PANEL, panel += matrix->inputs * MIEN_PANEL) {
    mien_panel_pack(MIEN_F16, panel, matrix->inputs, from->packed, NULL);
    mien_tensor_write(writer, from->packed, matrix->inputs * MIEN_PANEL, sizeof(uint16_t));
  }
}

static void put_matrix(mien_tensor_writer *writer, const packing *from, const char *before, size_t index,
                       const mien_matrix *matrix) {
  char full[MIEN_PACK_NAME_CHARS];
  size_t dims[MIEN_PACK_MAX_RANK];
  const mien_dtype dtype = from->plan->dtype;
  const char *name = mien_pack_matrix_names[index];
  const size_t rank = mien_pack_panel_shape(dtype, matrix->inputs, matrix->outputs, dims);
  if (mien_tensor_begin(writer, mien_pack_name(full, before, name, "panels"), mien_pack_type(dtype), rank, dims)) {
    if (dtype == MIEN_F16)
      write_halves(writer, from, matrix);
    else
      mien_tensor_write(writer, matrix->panels, matrix->outputs * mien_panel_depth(dtype, matrix->inputs),
                        mien_panel_element(dtype));
  }
  put_floats(writer, mien_pack_name(full, before, name, "bias"), 1, &matrix->outputs, matrix->bias);
  if (dtype == MIEN_INT8)
    put_floats(writer, mien_pack_name(full, before, name, "scales"), 1, &matrix->outputs, matrix->scales);
  if (mien_pack_has_multipliers(dtype, index))
    put_floats(writer, mien_pack_name(full, before, name, "multipliers"), 1, &matrix->inputs, matrix->multipliers);
}

/* A row of the word table as the dtype has it, to `out`. */
static void pack_word(const packing *from, size_t id, float *numbers, void *out) {
  const mien_encoder_plan *plan = from->plan;
  const size_t hidden = plan->config.hidden;
  uint16_t *halves = out;
  if (plan->dtype == MIEN_INT8) {
    mien_weight_row(&plan->source->weights.word, id, numbers);
    from->scales[id] = mien_int8_row(numbers, hidden, out);
    return;
  }
  mien_encoder_plan_word(plan, id, numbers);
  if (plan->dtype == MIEN_F32) memcpy(out, numbers, hidden * sizeof *numbers);
  for (size_t i = 0; plan->dtype == MIEN_F16 && i < hidden; i++) halves[i] = mien_float_to_half(numbers[i]);
  for (size_t i = 0; plan->dtype == MIEN_BF16 && i < hidden; i++) halves[i] = mien_float_to_bf16(numbers[i]);
}

static void write_words(mien_tensor_writer *writer, const packing *from) {
  const mien_encoder_plan *plan = from->plan;
  const mien_weight *words = &plan->source->weights.word;
  const size_t hidden = words->inputs, row_bytes = hidden * mien_panel_element(plan->dtype);
  /* Integers are not made of integers again: their scales would move. */
  if (plan->dtype == MIEN_INT8 && words->dtype == MIEN_INT8) {
    mien_tensor_write(writer, words->data, words->outputs, hidden);
    memcpy(from->scales, words->scales, words->outputs * sizeof *from->scales);
    return;
  }
  for (size_t first = 0; first < words->outputs; first += ROWS) {
    const size_t n = words->outputs - first < ROWS ? words->outputs - first : ROWS;
    for (size_t i = 0; i < n; i++)
      pack_word(from, first + i, from->numbers, (unsigned char *)from->packed + i * row_bytes);
    mien_tensor_write(writer, from->packed, n, row_bytes);
  }
}

/*
 * Tensors that are read where they lie, by whole lines, take multiples of MIEN_LINE bytes, so that the next one lies at
 * such a multiple too. The word table begins at one; behind it are those that may lie anywhere.
 */
static void list(mien_tensor_writer *writer, void *context) {
  const packing *from = context;
  const mien_encoder_plan *plan = from->plan;
  const mien_encoder_config *config = &plan->config;
  const size_t hidden = config->hidden, words[] = {config->vocabulary, hidden},
               positions[] = {config->max_tokens, hidden};
  for (size_t i = 0; i < config->layers; i++) {
    char before[MIEN_PACK_NAME_CHARS];
    snprintf(before, sizeof before, "layers.%zu.", i);
    for (size_t m = 0; m < MIEN_LAYER_MATRICES; m++)
      put_matrix(writer, from, before, m, mien_layer_matrix(&plan->layers[i], m));
    for (size_t n = 0; n < MIEN_PACK_NORMS; n++)
      put_norm(writer, before, mien_pack_norm_names[n], mien_pack_norm(&plan->layers[i], n), hidden);
  }
  put_floats(writer, "embeddings.position", 2, positions, plan->positions);
  put_norm(writer, "embeddings.", "norm", &plan->norm, hidden);
  if (mien_tensor_begin(writer, "embeddings.word", mien_pack_type(plan->dtype), 2, words)) write_words(writer, from);
  if (plan->dtype == MIEN_INT8) put_floats(writer, "embeddings.word.scales", 1, words, from->scales);
  if (from->content->list) from->content->list(writer, from->content->list_context);
  if (mien_tensor_begin(writer, "tokenizer.vocabulary", "U8", 1, &from->tokenizer.vocabulary_bytes))
    mien_tensor_write(writer, from->tokenizer.vocabulary, from->tokenizer.vocabulary_bytes, 1);
}

/* As integers they would become a scale that no reader takes. */
static mien_status check_words(const packing *from, const char *where, mien_error *error) {
  const mien_weight *words = &from->plan->source->weights.word;
  for (size_t id = 0; from->plan->dtype == MIEN_INT8 && id < words->outputs; id++) {
    float sum = 0;
    mien_weight_row(words, id, from->numbers);
    for (size_t i = 0; i < words->inputs; i++) sum += from->numbers[i] * 0;
    if (sum != 0)
      return mien_fail(error, MIEN_INPUT, "%s: embedding of token %zu: expected finite numbers, found one that is not",
                       where, id);
  }
  return MIEN_OK;
}

/* ---- The pack -------------------------------------------------------------------------------------------------- */

static mien_status make_scratch(packing *from, const char *where, mien_error *error) {
  const mien_encoder_config *config = &from->plan->config;
  const size_t heads = config->heads * from->plan->head_columns, between = mien_whole_panels(config->intermediate);
  const size_t inputs = heads > between ? heads : between; /* hidden is at most heads */
  const size_t panel = inputs * MIEN_PANEL, rows = ROWS * config->hidden, most = panel > rows ? panel : rows;
  from->numbers = mien_alloc(most, sizeof *from->numbers);
  from->packed = mien_alloc(most, sizeof *from->numbers);
  from->scales = mien_alloc(config->vocabulary, sizeof *from->scales);
  return from->numbers && from->packed && from->scales ? MIEN_OK
                                                       : mien_fail_memory(error, where, most * sizeof *from->numbers);
}

mien_status mien_pack_write(const char *path, const mien_encoder_plan *plan, const mien_pack_content *content,
                            uint64_t *file_bytes, mien_error *error) {
  if (!mien_pack_type(plan->dtype))
    return mien_fail(error, MIEN_ARGUMENT,
                     "%s: dtype: expected f32, f16, bf16 or int8, found %s: a pack of f32 runs in it too", path,
                     mien_dtype_name(plan->dtype));
  packing from = {.plan = plan, .content = content};
  const char *name = plan->source->path ? plan->source->path : "encoder";
  mien_status status = mien_tokenizer_take_parts(plan->source->tokenizer, name, &from.tokenizer, error);
  if (status == MIEN_OK) status = make_scratch(&from, path, error);
  if (status == MIEN_OK) status = check_words(&from, name, error);
  json_t *metadata = status == MIEN_OK ? make_metadata(&from) : NULL;
  if (status == MIEN_OK && !metadata) status = mien_fail_memory(error, path, 0);
  if (status == MIEN_OK) status = mien_safetensors_write(path, metadata, list, &from, file_bytes, error);
  json_decref(metadata);
  mien_free(from.numbers);
  mien_free(from.packed);
  mien_free(from.scales);
  mien_tokenizer_parts_free(&from.tokenizer);
  return status;
}
