/* SPDX-License-Identifier: Apache-2.0 */
/* Packs: what was packed gives the same bits, is used where it lies, and nothing that is changed in one is accepted. */
#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "encoder/encoder_files.h"
#include "encoder/pack.h"
#include "encoder/panel.h"
#include "formats/onnx_builder.h"
#include "model/model.h"

enum { LABELS = 3, TEXTS = 6 };

static mien_error error;
static folder encoder;
static char head_path[512], labels_path[512], pack_path[512];

static const mien_text texts[TEXTS] = {{"a b c", 5}, {"", 0}, {"cab [SEP] a", 11}, {"\xFF", 1}, {"abc abc abc abc", 15},
                                       {"C", 1}};

/* sigmoid(x·W + b) with a column a label, whose names are in a file of their own. */
static void write_head(void) {
  float weights[HIDDEN * LABELS];
  uint64_t state = 3;
  for (size_t i = 0; i < HIDDEN * LABELS; i++) weights[i] = (float)random_unit(&state);
  builder b = make_linear_head(HIDDEN, LABELS, weights, (const float[LABELS]){0.1f, -0.2f, 0.05f});
  put_file(&encoder, "head.onnx", b.bytes, b.size);
  discard(&b);
  put_string(&encoder, "labels.txt", "calm\njoy\nrage\n");
  snprintf(head_path, sizeof head_path, "%s/head.onnx", encoder.path);
  snprintf(labels_path, sizeof labels_path, "%s/labels.txt", encoder.path);
  snprintf(pack_path, sizeof pack_path, "%s/model.pack", encoder.path);
}

static void make_files(void) {
  encoder = make_encoder();
  write_head();
}
static void drop_files(void) { remove_folder(&encoder); }

/* ---- Models ---------------------------------------------------------------------------------------------------- */

static mien_model_options folder_options(void) {
  static const double threshold = 0.47;
  static const mien_threshold overrides[] = {{"joy", 0.51}};
  return (mien_model_options){.size = sizeof(mien_model_options),
                              .labels_path = labels_path,
                              .threshold = &threshold,
                              .overrides = overrides,
                              .n_overrides = 1,
                              .encoder_path = encoder.path};
}

static mien_model *open_model(const char *path, const mien_model_options *options) {
  mien_model *model = NULL;
  ck_assert_msg(mien_model_open(path, options, &model, &error) == MIEN_OK, "%s", error.message);
  return model;
}

static mien_model *open_folder(mien_dtype dtype) {
  mien_model_options options = folder_options();
  options.dtype = &dtype;
  return open_model(head_path, &options);
}

static mien_model *open_pack(void) { return open_model(pack_path, NULL); }

static void write_pack(const mien_model *model) {
  const mien_pack_options options = {.size = sizeof options, .license = "mit"};
  ck_assert_msg(mien_pack(model, pack_path, &options, &error) == MIEN_OK, "%s", error.message);
}

/* A pack of the folder's model. */
static void pack_folder(mien_dtype dtype) {
  mien_model *model = open_folder(dtype);
  write_pack(model);
  mien_model_release(model);
}

typedef struct results {
  float embeddings[TEXTS * HIDDEN], scores[TEXTS * LABELS];
  uint32_t words[TEXTS];
  mien_row_status status[TEXTS];
} results;

static void run(mien_model *model, results *out) {
  mien_session *session = NULL;
  memset(out, 0, sizeof *out);
  mien_results into = {.size = sizeof into,
                       .embeddings = out->embeddings,
                       .scores = out->scores,
                       .words = out->words,
                       .status = out->status};
  ck_assert_msg(mien_session_create(model, NULL, &session, &error) == MIEN_OK, "%s", error.message);
  const mien_status status = mien_model_label_count(model) ? mien_label_texts(session, texts, TEXTS, &into, &error)
                                                           : mien_embed_texts(session, texts, TEXTS, &into, &error);
  ck_assert_msg(status == MIEN_OK, "%s", error.message);
  mien_session_destroy(session);
}

static void expect_same(mien_model *a, mien_model *b) {
  results left, right;
  run(a, &left);
  run(b, &right);
  for (size_t i = 0; i < TEXTS * HIDDEN; i++)
    require(memcmp(&left.embeddings[i], &right.embeddings[i], sizeof(float)) == 0, "number %zu: expected %a, found %a",
            i, (double)left.embeddings[i], (double)right.embeddings[i]);
  for (size_t i = 0; i < TEXTS * LABELS; i++)
    require(memcmp(&left.scores[i], &right.scores[i], sizeof(float)) == 0, "score %zu: expected %a, found %a", i,
            (double)left.scores[i], (double)right.scores[i]);
  ck_assert_mem_eq(left.words, right.words, sizeof left.words);
  ck_assert_mem_eq(left.status, right.status, sizeof left.status);
}

/* ---- The same bits --------------------------------------------------------------------------------------------- */

static const mien_dtype dtypes[] = {MIEN_F32, MIEN_F16, MIEN_BF16, MIEN_INT8};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

START_TEST(a_pack_gives_the_bits_of_what_was_packed) {
  for (size_t i = 0; i < DTYPES; i++) {
    mien_model *folder_model = open_folder(dtypes[i]);
    write_pack(folder_model);
    mien_model *pack = open_pack();
    for (size_t label = 0; label < LABELS; label++) {
      ck_assert_str_eq(mien_model_label_name(pack, label), mien_model_label_name(folder_model, label));
      ck_assert(mien_model_threshold(pack, label) == mien_model_threshold(folder_model, label));
    }
    ck_assert_int_eq(mien_model_thresholds_from(pack), MIEN_THRESHOLDS_FOUND);
    ck_assert_uint_eq(mien_model_max_tokens(pack), mien_model_max_tokens(folder_model));
    ck_assert_msg(pack->encoder->config.layer_norm_eps == folder_model->encoder->config.layer_norm_eps, "found %a",
                  (double)pack->encoder->config.layer_norm_eps);
    expect_same(folder_model, pack);
    mien_model_release(folder_model);
    mien_model_release(pack);
  }
}
END_TEST

START_TEST(a_pack_runs_in_other_dtypes_too) {
  pack_folder(MIEN_F32);
  for (size_t i = 0; i < DTYPES; i++) {
    mien_model_options options = {.size = sizeof options, .dtype = &dtypes[i]};
    mien_model *folder_model = open_folder(dtypes[i]), *pack = open_model(pack_path, &options);
    ck_assert_str_eq(mien_dtype_name(pack->encoder->dtype), mien_dtype_name(dtypes[i]));
    expect_same(folder_model, pack);
    mien_model_release(folder_model);
    mien_model_release(pack);
  }
}
END_TEST

static unsigned char *read_pack(size_t *size) {
  unsigned char *bytes = NULL;
  ck_assert_msg(mien_file_read(pack_path, 1 << 20, NULL, &bytes, size, &error) == MIEN_OK, "%s", error.message);
  return bytes;
}

START_TEST(a_pack_of_a_pack_is_the_same_file) {
  for (size_t i = 0; i < DTYPES; i++) {
    size_t size, size_again;
    pack_folder(dtypes[i]);
    unsigned char *first = read_pack(&size);
    mien_model *pack = open_pack();
    ck_assert_msg(mien_pack(pack, pack_path, NULL, &error) == MIEN_OK, "%s", error.message);
    mien_model_release(pack);
    unsigned char *second = read_pack(&size_again);
    ck_assert_uint_eq(size, size_again);
    ck_assert_mem_eq(first, second, size);
    mien_free(first);
    mien_free(second);
  }
}
END_TEST

START_TEST(a_pack_in_memory_is_copied) {
  size_t size;
  pack_folder(MIEN_F16);
  unsigned char *bytes = read_pack(&size), *aside = malloc(size + 1);
  memcpy(aside + 1, bytes, size); /* aligned to nothing */
  mien_model *mapped = open_pack(), *memory = NULL;
  ck_assert_msg(mien_model_open_memory(aside + 1, size, NULL, &memory, &error) == MIEN_OK, "%s", error.message);
  memset(aside, 0xFF, size + 1);
  free(aside);
  mien_free(bytes);
  expect_same(mapped, memory);
  mien_model_release(mapped);
  mien_model_release(memory);
}
END_TEST

/* ---- In place -------------------------------------------------------------------------------------------------- */

static void expect_within(const mien_encoder_source *source, const void *data, const char *what) {
  const unsigned char *start = source->mapping, *at = data;
  ck_assert_msg(at >= start && at < start + source->mapping_bytes, "%s: expected it in the mapping", what);
  ck_assert_msg((uintptr_t)at % MIEN_LINE == 0, "%s: expected a multiple of 64, found %p", what, data);
}

START_TEST(weights_are_used_where_they_lie) {
  static const mien_dtype in_place[] = {MIEN_F32, MIEN_BF16, MIEN_INT8};
  for (size_t i = 0; i < sizeof in_place / sizeof *in_place; i++) {
    pack_folder(in_place[i]);
    mien_model *model = open_pack();
    const mien_encoder_plan *plan = model->encoder;
    for (size_t layer = 0; layer < plan->config.layers; layer++) {
      for (size_t m = 0; m < MIEN_LAYER_MATRICES; m++) {
        const mien_matrix *matrix = mien_layer_matrix(&plan->layers[layer], m);
        expect_within(plan->source, matrix->panels, mien_pack_matrix_names[m]);
        expect_within(plan->source, matrix->bias, mien_pack_matrix_names[m]);
        if (in_place[i] == MIEN_INT8) expect_within(plan->source, matrix->scales, mien_pack_matrix_names[m]);
        if (mien_pack_has_multipliers(in_place[i], m))
          expect_within(plan->source, matrix->multipliers, mien_pack_matrix_names[m]);
      }
      for (size_t n = 0; n < MIEN_PACK_NORMS; n++)
        expect_within(plan->source, mien_pack_norm(&plan->layers[layer], n)->gamma, mien_pack_norm_names[n]);
    }
    expect_within(plan->source, plan->positions, "positions");
    expect_within(plan->source, plan->source->weights.word.data, "words");
    mien_model_release(model);
  }
}
END_TEST

/* ---- Options --------------------------------------------------------------------------------------------------- */

static void expect_fail(mien_status found, mien_status expected, const char *part) {
  ck_assert_msg(found == expected, "expected %d, found %d: %s", expected, found, error.message);
  ck_assert_msg(strstr(error.message, part) != NULL, "expected '%s' in '%s'", part, error.message);
}

START_TEST(options_are_over_what_the_pack_says) {
  pack_folder(MIEN_F32);
  const mien_threshold overrides[] = {{"rage", 0.25}};
  mien_model_options options = {.size = sizeof options, .max_tokens = 4, .overrides = overrides, .n_overrides = 1};
  mien_model *model = open_model(pack_path, &options);
  ck_assert(mien_model_threshold(model, 0) == 0.47f && mien_model_threshold(model, 2) == 0.25f);
  ck_assert_uint_eq(mien_model_max_tokens(model), 4);
  /* Its limit becomes that of its own pack. */
  write_pack(model);
  mien_model_release(model);
  model = open_pack();
  ck_assert(mien_model_threshold(model, 2) == 0.25f);
  ck_assert_uint_eq(mien_model_max_tokens(model), 4);
  mien_model_release(model);
  options.max_tokens = 5;
  model = NULL;
  expect_fail(mien_model_open(pack_path, &options, &model, &error), MIEN_ARGUMENT, "max_tokens: expected 3 to 4");
}
END_TEST

START_TEST(a_pack_has_its_own_encoder_and_labels) {
  pack_folder(MIEN_F32);
  mien_model *model = NULL;
  mien_model_options options = {.size = sizeof options, .encoder_path = encoder.path};
  expect_fail(mien_model_open(pack_path, &options, &model, &error), MIEN_ARGUMENT, "encoder_path: expected NULL");
  options = (mien_model_options){.size = sizeof options, .labels_path = labels_path};
  expect_fail(mien_model_open(pack_path, &options, &model, &error), MIEN_ARGUMENT, "labels_path: expected NULL");
}
END_TEST

START_TEST(a_pack_may_be_an_encoder_alone) {
  mien_model_options options = {.size = sizeof options, .encoder_path = encoder.path};
  const double half = 0.5;
  mien_model *alone = open_model(NULL, &options), *model = NULL;
  write_pack(alone);
  mien_model *pack = open_pack();
  ck_assert_uint_eq(mien_model_label_count(pack), 0);
  ck_assert_msg(strstr(mien_model_describe(pack), "\"format\":\"pack\",\"pack_version\":1,\"license\":\"mit\"") != NULL,
                "%s", mien_model_describe(pack));
  expect_same(alone, pack);
  mien_model_release(pack);
  options = (mien_model_options){.size = sizeof options, .threshold = &half};
  expect_fail(mien_model_open(pack_path, &options, &model, &error), MIEN_ARGUMENT, "expected a head");
  mien_model_release(alone);
}
END_TEST

START_TEST(a_packs_encoder_stands_under_other_heads) {
  pack_folder(MIEN_F32);
  mien_model_options options = folder_options();
  mien_model *model = open_folder(MIEN_F32);
  options.encoder_path = pack_path;
  mien_model *mixed = open_model(head_path, &options);
  ck_assert_msg(strstr(mien_model_describe(mixed), "\"encoder\":{\"format\":\"pack\"") != NULL, "%s",
                mien_model_describe(mixed));
  expect_same(model, mixed);
  mien_model_release(model);
  mien_model_release(mixed);
}
END_TEST

/* Writes NaN over the first number of a tensor of the folder's weights. */
static void spoil(const char *tensor_name) {
  const char *path = in_folder(&encoder, "model.safetensors");
  const float nan = NAN;
  unsigned char *bytes = NULL;
  size_t size;
  mien_safetensors *file = NULL;
  ck_assert_int_eq(mien_file_read(path, SIZE_MAX / 2, NULL, &bytes, &size, NULL), MIEN_OK);
  ck_assert_int_eq(mien_safetensors_open(bytes, size, path, &file, NULL), MIEN_OK);
  const mien_safetensor *at = mien_safetensors_find(file, tensor_name);
  ck_assert_ptr_nonnull(at);
  FILE *out = fopen(path, "r+b");
  ck_assert(out && fseek(out, (long)(at->data - bytes), SEEK_SET) == 0 && fwrite(&nan, sizeof nan, 1, out) == 1);
  ck_assert_int_eq(fclose(out), 0);
  mien_safetensors_destroy(file);
  mien_free(bytes);
}

START_TEST(a_weight_that_is_not_finite_is_no_integer) {
  static const mien_dtype int8 = MIEN_INT8;
  mien_model_options options = folder_options();
  options.dtype = &int8;
  spoil("embeddings.word_embeddings.weight");
  mien_model *model = open_model(head_path, &options); /* texts without the word are good ones */
  expect_fail(mien_pack(model, pack_path, NULL, &error), MIEN_INPUT, "embedding of token 0: expected finite numbers");
  mien_model_release(model);
  spoil("encoder.layer.1.attention.self.key.weight");
  expect_fail(mien_model_open(head_path, &options, &model, &error), MIEN_INPUT,
              "layer 1: expected finite weights, found one that is not");
  put_safetensors(&encoder, "model.safetensors", &(weights_style){0});
}
END_TEST

START_TEST(what_cannot_be_packed_is_said) {
  const mien_dtype split = MIEN_BF16X3;
  mien_model_options options = folder_options();
  options.dtype = &split;
  mien_model *model = open_model(head_path, &options);
  expect_fail(mien_pack(model, pack_path, NULL, &error), MIEN_ARGUMENT, "found bf16x3");
  mien_model_release(model);
  options = folder_options();
  options.encoder_path = NULL;
  model = open_model(head_path, &options);
  expect_fail(mien_pack(model, pack_path, NULL, &error), MIEN_ARGUMENT, "found a head alone");
  mien_model_release(model);
  model = open_folder(MIEN_F32);
  const mien_pack_options bad = {.size = sizeof bad, .license = "a\nb"};
  expect_fail(mien_pack(model, pack_path, &bad, &error), MIEN_ARGUMENT, "license: expected UTF-8");
  expect_fail(mien_pack(model, "/dev/null", NULL, &error), MIEN_ARGUMENT, "found a device or a pipe");
  expect_fail(mien_pack(model, in_folder(&encoder, "none/a.pack"), NULL, &error), MIEN_RESOURCE, "cannot be created");
  mien_model_release(model);
}
END_TEST

/* ---- Files from outside ----------------------------------------------------------------------------------------- */

/* Opens bytes, which must be refused. */
static void expect_refused(const void *bytes, size_t size, const char *part) {
  mien_model *model = NULL;
  const mien_status status = mien_model_open_memory(bytes, size, NULL, &model, &error);
  mien_model_release(model);
  expect_fail(status, MIEN_INPUT, part);
}

/* The pack with one text of its header in place of another, the first time, and the header filled up again. */
static unsigned char *with_header(const unsigned char *bytes, size_t size, const char *from, const char *to,
                                  size_t *new_size) {
  const size_t old = mien_safetensors_header(bytes, size), text = old - MIEN_SAFETENSORS_PREFIX;
  const size_t from_bytes = strlen(from), to_bytes = strlen(to);
  const unsigned char *start = bytes + MIEN_SAFETENSORS_PREFIX, *at = start;
  while ((size_t)(start + text - at) >= from_bytes && memcmp(at, from, from_bytes) != 0) at++;
  ck_assert_msg((size_t)(start + text - at) >= from_bytes, "'%s' is not in the header", from);
  const size_t length = text - from_bytes + to_bytes, header = (length + 8 + 63) / 64 * 64;
  unsigned char *out = calloc(1, header + size - old);
  memset(out, ' ', header);
  for (int i = 0; i < 8; i++) out[i] = (unsigned char)((uint64_t)(header - 8) >> (8 * i));
  const size_t before = (size_t)(at - start);
  memcpy(out + 8, start, before);
  memcpy(out + 8 + before, to, to_bytes);
  memcpy(out + 8 + before + to_bytes, at + from_bytes, text - before - from_bytes);
  memcpy(out + header, bytes + old, size - old);
  *new_size = header + size - old;
  return out;
}

START_TEST(headers_that_do_not_fit_are_refused) {
  static const struct {
    const char *from, *to, *message;
  } changes[] = {
      {"\"format\":\"mien\"", "\"format\":\"pt\"", "format: expected a pack's, mien, found pt"},
      {"\"format\":\"mien\",", "", "format: expected a pack's, mien, found none"},
      {"pack_version\":\"1\"", "pack_version\":\"2\"", "mien_pack_version: expected 1, found 2: another version"},
      {"\"dtype\":\"int8\"", "\"dtype\":\"int4\"", "dtype: expected f32, f16, bf16 or int8, found int4"},
      {"\"dtype\":\"int8\"", "\"dtype\":\"bf16x3\"", "dtype: expected f32, f16, bf16 or int8, found bf16x3"},
      {"\"activation_bits\":\"8\"", "\"activation_bits\":\"7\"", "activation_bits: expected 8, found 7"},
      {"\"license\":\"mit\"", "\"license\":\"\\u001b[2J\"", "license: expected a text without control characters"},
      {"\"attention\":\"f32\"", "\"attention\":\"int8\"", "attention: expected f32, found int8"},
      {"\"config\":\"{", "\"config\":\"", "config:1:"},
      {"\"config\":", "\"konfig\":", "config: expected a text, found nothing"},
      {"\\\"layers\\\":2", "\\\"layers\\\":0", "config: layers: expected a whole number from 1 to 256, found 0"},
      {"\\\"layers\\\":2", "\\\"layers\\\":1", "'layers.1.attention_norm.beta': expected tensors of the config"},
      {"\\\"layers\\\":2", "\\\"layers\\\":3", "expected a tensor 'layers.2.query_key_value.panels', found none"},
      {"\\\"layers\\\":2", "\\\"layers\\\":1e300", "layers: expected a whole number from 1 to 256"},
      {"\\\"layers\\\":2,", "", "layers: expected a value, found none"},
      {"\\\"hidden\\\":16", "\\\"hidden\\\":32", "expected F32 [32], found F32 [16]"},
      {"\\\"hidden\\\":16", "\\\"hidden\\\":17", "hidden: expected a multiple of 16 and of 2 heads, found 17"},
      {"\\\"heads\\\":2", "\\\"heads\\\":3", "hidden: expected a multiple of 16 and of 3 heads, found 16"},
      {"\\\"intermediate\\\":24", "\\\"intermediate\\\":40", "'layers.0.up.panels': expected I8 [3, 16, 16, 4], found"},
      {"\\\"vocabulary\\\":12", "\\\"vocabulary\\\":13", "'embeddings.word': expected I8 [13, 16], found I8 [12, 16]"},
      {"\\\"max_tokens\\\":6", "\\\"max_tokens\\\":2", "max_tokens: expected a whole number from 3 to"},
      {"\\\"max_tokens\\\":6", "\\\"max_tokens\\\":7",
       "'embeddings.position': expected F32 [7, 16], found F32 [6, 16]"},
      {"\\\"layer_norm_eps\\\":", "\\\"layer_norm_epz\\\":", "layer_norm_eps: expected a number in [0, 1), found nan"},
      {"\\\"pooling\\\":\\\"mean\\\"", "\\\"pooling\\\":\\\"last\\\"",
       "pooling: expected mean, cls or max, found 'last'"},
      {"\\\"normalize\\\":true", "\\\"normalize\\\":1", "normalize: expected true or false, found a number"},
      {"\\\"lowercase\\\":true", "\\\"lowercase\\\":null", "lowercase: expected a value, found null"},
      {"\\\"tokenizer\\\":", "\\\"tokeniser\\\":", "tokenizer: clean_text: expected a value, found none"},
      {"\\\"unk_token_id\\\":1", "\\\"unk_token_id\\\":12",
       "unk_token_id: expected a whole number from 0 to 11, found 12"},
      {"chars_per_word\\\":100", "chars_per_word\\\":2000", "max_input_chars_per_word: expected a whole number from 1"},
      {"\\\"added_tokens\\\":[", "\\\"added_tokens\\\":[1,", "id: expected a value, found none"},
      {"\\\"content\\\":\\\"[PAD]\\\"", "\\\"content\\\":\\\"[PAD] \\\"", "expected no spaces at its ends"},
      {"\\\"head\\\":{", "\\\"head\\\":[{}],\\\"x\\\":{", "head: expected an object, found an array"},
      {"\\\"head\\\":{", "\\\"x\\\":{", "'head.bias': expected tensors of the configuration only, found another"},
      {"[\\\"calm\\\",", "[", "'head.weights': expected F32 [2, 16], found F32 [3, 16]"},
      {"\\\"calm\\\",\\\"joy\\\"", "\\\"joy\\\",\\\"joy\\\"", "label 'joy' is given twice"},
      {"\\\"calm\\\"", "\\\"\\\"", "label 1 (''): expected UTF-8 text"},
      {"\\\"calm\\\"", "7", "label 1: expected a string, found a number"},
      {"\"thresholds\":{", "\"thresholdz\":{", "expected a tensor 'thresholds', found none"},
      {"\"layers.0.up.bias\":{\"dtype\":\"F32\"", "\"layers.0.up.bias\":{\"dtype\":\"I32\"", "found I32 [32]"},
      {"\"tokenizer.vocabulary\":{\"dtype\":\"U8\"", "\"tokenizer.vocabulary\":{\"dtype\":\"I8\"", "expected U8 ["},
  };
  size_t size, new_size;
  pack_folder(MIEN_INT8);
  unsigned char *bytes = read_pack(&size);
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    unsigned char *changed = with_header(bytes, size, changes[i].from, changes[i].to, &new_size);
    expect_refused(changed, new_size, changes[i].message);
    free(changed);
  }
  mien_free(bytes);
}
END_TEST

/* Where a tensor's data lies in the pack. */
static unsigned char *data_of(unsigned char *bytes, size_t size, const char *name) {
  mien_safetensors *file = NULL;
  ck_assert_msg(mien_safetensors_open(bytes, size, "pack", &file, &error) == MIEN_OK, "%s", error.message);
  const mien_safetensor *found = mien_safetensors_find(file, name);
  ck_assert_msg(found != NULL, "%s", name);
  unsigned char *data = bytes + (found->data - bytes);
  mien_safetensors_destroy(file);
  return data;
}

START_TEST(numbers_that_mean_nothing_are_refused) {
  static const struct {
    const char *name;
    float number;
    const char *message;
  } changes[] = {
      {"layers.1.down.scales", NAN, "'layers.1.down.scales': expected finite numbers of at least 0, found nan"},
      {"layers.0.up.multipliers", 0,
       "'layers.0.up.multipliers': expected finite numbers of at least 1.17549e-38, found 0"},
      {"layers.1.query_key_value.multipliers", INFINITY, "expected finite numbers of at least 1.17549e-38, found inf"},
      {"layers.0.up.scales", -1, "expected finite numbers of at least 0, found -1"},
      {"embeddings.word.scales", INFINITY,
       "'embeddings.word.scales': expected finite numbers of at least 0, found inf"},
      {"head.weights", NAN, "'head.weights': expected finite numbers"},
      {"head.bias", INFINITY, "'head.bias': expected finite numbers"},
      {"thresholds", 1.5f, "'thresholds': expected finite numbers from 0 to 1, found 1.5"},
      {"thresholds", -0.5f, "'thresholds': expected finite numbers from 0 to 1, found -0.5"},
  };
  size_t size;
  pack_folder(MIEN_INT8);
  unsigned char *bytes = read_pack(&size);
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    unsigned char *data = data_of(bytes, size, changes[i].name), before[sizeof(float)];
    memcpy(before, data, sizeof before);
    memcpy(data, &changes[i].number, sizeof before);
    expect_refused(bytes, size, changes[i].message);
    memcpy(data, before, sizeof before);
  }
  unsigned char *panels = data_of(bytes, size, "layers.0.up.panels");
  const size_t behind = mien_depth(HIDDEN, 1) > HIDDEN ? HIDDEN / 4 * MIEN_LINE : 0; /* of the inputs that there are */
  ck_assert_uint_gt(behind, 0);
  panels[behind] = 1;
  expect_refused(bytes, size, "'layers.0.up.panels': expected zeros behind");
  panels[behind] = 0;
  unsigned char *vocabulary = data_of(bytes, size, "tokenizer.vocabulary");
  *vocabulary = 0xFF;
  expect_refused(bytes, size, "tokenizer.vocabulary:1: expected UTF-8");
  memset(vocabulary, '\n', 20);
  expect_refused(bytes, size, "tokenizer.vocabulary: expected at most 12 tokens");
  mien_free(bytes);
}
END_TEST

START_TEST(tensors_off_their_places_are_refused) {
  size_t size, new_size;
  pack_folder(MIEN_F32);
  unsigned char *bytes = read_pack(&size);
  /* A header that is not filled up: everything behind it moves. */
  const size_t header = mien_safetensors_header(bytes, size);
  unsigned char *moved = malloc(size + 4);
  memcpy(moved, bytes, header);
  memset(moved + header, ' ', 4);
  memcpy(moved + header + 4, bytes + header, size - header);
  for (int i = 0; i < 8; i++) moved[i] = (unsigned char)((uint64_t)(header - 8 + 4) >> (8 * i));
  expect_refused(moved, size + 4, "expected at a multiple of 64 bytes, found at");
  free(moved);
  unsigned char *lap = with_header(bytes, size, "\"data_offsets\":[0,", "\"data_offsets\":[4,", &new_size);
  expect_refused(lap, new_size, "expected 6144 bytes for its F32 shape, found 6140");
  free(lap);
  mien_free(bytes);
}
END_TEST

START_TEST(every_truncation_is_refused) {
  size_t size;
  pack_folder(MIEN_INT8);
  unsigned char *bytes = read_pack(&size);
  for (size_t left = 1; left < size; left += left < 400 ? 1 : 97) {
    unsigned char *cut = malloc(left);
    mien_model *model = NULL;
    memcpy(cut, bytes, left);
    const mien_status status = mien_model_open_memory(cut, left, NULL, &model, &error);
    require(status == MIEN_INPUT && !model, "%zu bytes: expected %d, found %d", left, MIEN_INPUT, status);
    free(cut);
  }
  mien_free(bytes);
}
END_TEST

START_TEST(weights_of_an_encoder_are_no_pack) {
  mien_model *model = NULL;
  char path[512];
  snprintf(path, sizeof path, "%s/model.safetensors", encoder.path);
  expect_fail(mien_model_open(path, NULL, &model, &error), MIEN_INPUT, "format: expected a pack's, mien, found pt");
  /* As an encoder they are what they were. */
  mien_model_options options = {.size = sizeof options, .encoder_path = path};
  model = open_model(NULL, &options);
  mien_model_release(model);
}
END_TEST

MIEN_SUITE_BETWEEN("pack", make_files, drop_files, a_pack_gives_the_bits_of_what_was_packed,
                   a_pack_runs_in_other_dtypes_too, a_pack_of_a_pack_is_the_same_file, a_pack_in_memory_is_copied,
                   weights_are_used_where_they_lie, options_are_over_what_the_pack_says,
                   a_pack_has_its_own_encoder_and_labels, a_pack_may_be_an_encoder_alone,
                   a_packs_encoder_stands_under_other_heads, what_cannot_be_packed_is_said,
                   a_weight_that_is_not_finite_is_no_integer, headers_that_do_not_fit_are_refused,
                   numbers_that_mean_nothing_are_refused, tensors_off_their_places_are_refused,
                   every_truncation_is_refused, weights_of_an_encoder_are_no_pack)
