/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders of sentence-transformers folders: what is read, and what is refused in words. */
#include "encoder/source.h"

#include "encoder_files.h"

static mien_encoder_source *open_or_fail(const char *path) {
  mien_encoder_source *source = NULL;
  mien_error error = {0};
  mien_status status = mien_encoder_source_open(path, &source, &error);
  ck_assert_msg(status == MIEN_OK, "%s: %s", path, error.message);
  return source;
}

static void expect_refused(const char *path, const char *words) {
  mien_encoder_source *source = NULL;
  mien_error error = {0};
  mien_status status = mien_encoder_source_open(path, &source, &error);
  ck_assert_msg(status == MIEN_INPUT && !source, "expected refused with '%s', found status %d", words, (int)status);
  ck_assert_msg(strstr(error.message, words), "expected '%s' in: %s", words, error.message);
}

/* ---- Weights --------------------------------------------------------------------------------------------------- */

static void expect_weight(const mien_weight *weight, const char *name, size_t outputs, size_t inputs) {
  float row[64];
  ck_assert_uint_eq(weight->outputs, outputs);
  ck_assert_uint_eq(weight->inputs, inputs);
  ck_assert(!weight->inputs_first);
  for (size_t r = 0; r < outputs; r++) {
    mien_weight_row(weight, r, row);
    for (size_t i = 0; i < inputs; i++) {
      const float expected = element_of(name, r * inputs + i);
      require(row[i] == expected, "%s[%zu,%zu]: expected %g, found %g", name, r, i, (double)expected, (double)row[i]);
    }
  }
}

static void expect_weights(const mien_encoder_source *source) {
  const mien_layer_weights *layer = &source->weights.layers[1];
  expect_weight(&source->weights.word, "embeddings.word_embeddings.weight", VOCABULARY, HIDDEN);
  expect_weight(&source->weights.position, "embeddings.position_embeddings.weight", POSITIONS, HIDDEN);
  expect_weight(&source->weights.token_type, "embeddings.token_type_embeddings.weight", TYPES, HIDDEN);
  expect_weight(&source->weights.norm.gamma, "embeddings.LayerNorm.weight", 1, HIDDEN);
  expect_weight(&source->weights.norm.beta, "embeddings.LayerNorm.bias", 1, HIDDEN);
  expect_weight(&layer->query.weight, "encoder.layer.1.attention.self.query.weight", HIDDEN, HIDDEN);
  expect_weight(&layer->key.bias, "encoder.layer.1.attention.self.key.bias", 1, HIDDEN);
  expect_weight(&layer->value.weight, "encoder.layer.1.attention.self.value.weight", HIDDEN, HIDDEN);
  expect_weight(&layer->attention_output.weight, "encoder.layer.1.attention.output.dense.weight", HIDDEN, HIDDEN);
  expect_weight(&layer->attention_norm.gamma, "encoder.layer.1.attention.output.LayerNorm.weight", 1, HIDDEN);
  expect_weight(&layer->intermediate.weight, "encoder.layer.1.intermediate.dense.weight", WIDE, HIDDEN);
  expect_weight(&layer->intermediate.bias, "encoder.layer.1.intermediate.dense.bias", 1, WIDE);
  expect_weight(&layer->output.weight, "encoder.layer.1.output.dense.weight", HIDDEN, WIDE);
  expect_weight(&layer->output_norm.beta, "encoder.layer.1.output.LayerNorm.bias", 1, HIDDEN);
}

START_TEST(a_whole_folder_is_read) {
  folder f = make_encoder();
  mien_encoder_source *source = open_or_fail(f.path);
  const mien_encoder_config *config = &source->config;
  ck_assert_uint_eq(config->layers, LAYERS);
  ck_assert_uint_eq(config->hidden, HIDDEN);
  ck_assert_uint_eq(config->heads, HEADS);
  ck_assert_uint_eq(config->intermediate, WIDE);
  ck_assert_uint_eq(config->vocabulary, VOCABULARY);
  ck_assert_uint_eq(config->positions, POSITIONS);
  ck_assert_uint_eq(config->token_types, TYPES);
  ck_assert_msg(config->layer_norm_eps == 1e-12f, "found %g", (double)config->layer_norm_eps);
  ck_assert_int_eq(config->pooling, MIEN_POOLING_MEAN);
  ck_assert(config->normalize);
  ck_assert_uint_eq(config->max_tokens, 6);
  ck_assert_str_eq(source->format, "safetensors");
  ck_assert_str_eq(source->path, in_folder(&f, "model.safetensors"));
  ck_assert_uint_eq(mien_tokenizer_vocabulary(source->tokenizer), 11);
  expect_weights(source);
  mien_encoder_source_destroy(source);
  mien_encoder_source_destroy(NULL);
  remove_folder(&f);
}
END_TEST

START_TEST(weights_of_three_types_and_two_prefixes_are_read) {
  static const char *const prefixes[] = {"", "bert."};
  for (number_type type = TYPE_F32; type <= TYPE_BF16; type++) {
    for (size_t p = 0; p < 2; p++) {
      folder f = make_encoder();
      put_safetensors(&f, "model.safetensors",
                      &(weights_style){.type = type, .prefix = prefixes[p], .extra = "embeddings.position_ids"});
      mien_encoder_source *source = open_or_fail(f.path);
      ck_assert_int_eq(source->weights.word.dtype, type == TYPE_F32   ? MIEN_F32
                                                   : type == TYPE_F16 ? MIEN_F16
                                                                      : MIEN_BF16);
      expect_weights(source);
      mien_encoder_source_destroy(source);
      remove_folder(&f);
    }
  }
}
END_TEST

START_TEST(old_names_of_layer_norms_are_read) {
  folder f = make_encoder();
  put_safetensors(&f, "model.safetensors",
                  &(weights_style){.prefix = "bert.",
                                   .renamed = "encoder.layer.1.output.LayerNorm.bias",
                                   .new_name = "encoder.layer.1.output.LayerNorm.beta"});
  mien_encoder_source *source = open_or_fail(f.path);
  expect_weights(source);
  mien_encoder_source_destroy(source);
  remove_folder(&f);
}
END_TEST

START_TEST(weights_that_do_not_fit_are_refused) {
  static const struct {
    weights_style style;
    const char *words;
  } cases[] = {
      {{.left_out = "encoder.layer.1.output.dense.bias"},
       "model.safetensors: expected a tensor 'encoder.layer.1.output.dense.bias', found none of that name"},
      {{.left_out = "embeddings.word_embeddings.weight"}, "expected a tensor 'embeddings.word_embeddings.weight'"},
      {{.misshapen = "embeddings.word_embeddings.weight"},
       "'embeddings.word_embeddings.weight': expected shape [12, 16], found [13, 16]"},
      {{.misshapen = "encoder.layer.0.intermediate.dense.bias"}, "expected shape [24], found [25]"},
      {{.left_out = "embeddings.LayerNorm.bias", .extra = "embeddings.LayerNorm.bias"},
       "'embeddings.LayerNorm.bias': expected shape [16], found [1]"},
      {{.extra = "encoder.layer.2.output.dense.weight"},
       "expected 2 layers, as config.json has, found a tensor 'encoder.layer.2.output.dense.weight'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder f = make_encoder();
    put_safetensors(&f, "model.safetensors", &cases[i].style);
    expect_refused(f.path, cases[i].words);
    remove_folder(&f);
  }
}
END_TEST

/* ---- Small files ----------------------------------------------------------------------------------------------- */

typedef struct change {
  const char *file, *text, *words;
} change;

static void expect_changes_refused(const change *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    folder f = make_encoder();
    if (cases[i].text)
      put_string(&f, cases[i].file, cases[i].text);
    else
      unlink(in_folder(&f, cases[i].file));
    expect_refused(f.path, cases[i].words);
    remove_folder(&f);
  }
}

#define BERT(fields) "{\"model_type\":\"bert\"," fields CONFIG_FIELDS "}"
#define SIZES(heads, layers)                                                                                           \
  "{\"model_type\":\"bert\",\"hidden_size\":16,\"num_hidden_layers\":" #layers ",\"num_attention_heads\":" #heads      \
  ",\"intermediate_size\":24,\"vocab_size\":12,\"max_position_embeddings\":10,\"type_vocab_size\":2}"

START_TEST(other_configurations_are_refused) {
  static const change cases[] = {
      {"config.json", NULL, "config.json: No such file"},
      {"config.json", "[]", "config.json: expected a JSON object, found an array"},
      {"config.json", "{\"a\":1,\"a\":2}", "config.json:1:"},
      {"config.json", "{" CONFIG_FIELDS "}", "config.json: model_type: expected \"bert\", found nothing"},
      {"config.json", "{\"model_type\":\"roberta\"," CONFIG_FIELDS "}", "expected \"bert\", found \"roberta\""},
      {"config.json", "{\"model_type\":7," CONFIG_FIELDS "}", "model_type: expected a string, found a number"},
      {"config.json", BERT("\"hidden_act\":\"gelu_new\","), "hidden_act: expected \"gelu\", found \"gelu_new\""},
      {"config.json", BERT("\"position_embedding_type\":\"relative_key\","),
       "position_embedding_type: expected \"absolute\", found \"relative_key\""},
      {"config.json", BERT("\"is_decoder\":true,"), "is_decoder: expected false, found true"},
      {"config.json", "{\"model_type\":\"bert\"}", "num_hidden_layers: expected a size, found nothing"},
      {"config.json", SIZES(3, 2), "hidden_size: expected a multiple of num_attention_heads 3, found 16"},
      {"config.json", SIZES(0, 2), "num_attention_heads: expected a whole number from 1 to"},
      {"config.json", SIZES(1.5, 2), "num_attention_heads: expected a whole number from 1 to 16384, found 1.5"},
      {"config.json", SIZES(2, 1e9), "num_hidden_layers: expected a whole number from 1 to 256, found 1000000000"},
      {"config.json", SIZES(2, 3), "expected a tensor 'encoder.layer.2.attention.self.query.weight'"},
      {"config.json", SIZES(2, 1), "expected 1 layers"},
      {"config.json", SIZES("2", 2), "num_attention_heads: expected a number, found a string"},
      {"config.json", BERT("\"x\":[[[[1]]]],\"layer_norm_eps\":2,\"y\":1,"), "config.json:1:"},
  };
  expect_changes_refused(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(other_modules_are_refused) {
  static const change cases[] = {
      {"modules.json", "{}", "modules.json: expected an array, found an object"},
      {"modules.json", "[]", "module 0: expected a Transformer, found nothing"},
      {"modules.json", "[1]", "module 0: expected a Transformer, found a number"},
      {"modules.json", "[" MODULE(0, "", "Transformer") "]", "module 1: expected a Pooling, found nothing"},
      {"modules.json", "[" MODULE(0, "", "CLIPModel") "]",
       "module 0: expected a Transformer, found 'sentence_transformers.models.CLIPModel'"},
      {"modules.json", "[" TWO_MODULES "," MODULE(2, "2_Dense", "Dense") "]",
       "module 2: expected a Normalize, found 'sentence_transformers.models.Dense'"},
      {"modules.json", "[" TWO_MODULES "," MODULE(2, "", "Normalize") "," MODULE(3, "3_Dense", "Dense") "]",
       "expected Transformer, Pooling and at most Normalize, found 4 modules"},
      {"modules.json", "[" MODULE(0, "../x", "Transformer") "]", "path: expected a folder beside it, found '../x'"},
      {"modules.json", "[" MODULE(0, "/etc", "Transformer") "]", "path: expected a folder beside it, found '/etc'"},
      {"modules.json", NULL, "expected a modules.json beside 1_Pooling, found none"},
      {"2_Normalize/config.json", "{\"module_input_name\":\"token_embeddings\"}",
       "module_input_name: expected \"sentence_embedding\", found \"token_embeddings\""},
      {"1_Pooling/config.json", NULL, "1_Pooling/config.json: No such file"},
      {"1_Pooling/config.json", "{}", "pooling mode: expected one of cls, mean and max, found none"},
      {"1_Pooling/config.json", POOLING(true, true, false), "expected one of cls, mean and max, found a concatenation"},
      {"1_Pooling/config.json", "{\"pooling_mode_mean_sqrt_len_tokens\":true}", "found mean_sqrt_len_tokens"},
      {"1_Pooling/config.json", "{\"pooling_mode\":[\"mean\",\"max\"]}", "found a concatenation"},
      {"1_Pooling/config.json", "{\"pooling_mode\":\"lasttoken\"}", "found lasttoken"},
      {"1_Pooling/config.json", "{\"pooling_mode\":\"best\"}", "found best"},
      {"1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":\"yes\"}", "expected true or false, found a string"},
      {"1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true,\"word_embedding_dimension\":8}",
       "word_embedding_dimension: expected 16, found 8"},
      {"config_sentence_transformers.json", "{\"prompts\":{\"q\":\"query: \"},\"default_prompt_name\":\"q\"}",
       "default_prompt_name: expected none, found 'q'"},
  };
  expect_changes_refused(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(other_limits_and_tokenizers_are_refused) {
  static const change cases[] = {
      {"sentence_bert_config.json", "{\"max_seq_length\":2}", "max_seq_length: expected a whole number from 3 to"},
      {"sentence_bert_config.json", "{\"max_seq_length\":-1}", "found -1"},
      {"sentence_bert_config.json", "{\"do_lower_case\":1}", "do_lower_case: expected true or false, found a number"},
      {"tokenizer.json", "{", "tokenizer.json:1:"},
      {"tokenizer.json", TOKENIZER(true, 12), "expected at most 12 tokens, as the encoder's vocabulary has, found 13"},
      {"tokenizer.json", NULL, "expected a tokenizer.json or a vocab.txt, found neither"},
      {"model.safetensors", NULL, "expected a model.safetensors or a model.onnx, found neither"},
      {"model.safetensors", "version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"},
      {"model.safetensors", "", "model.safetensors: is empty"},
  };
  expect_changes_refused(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(lower_case_on_request_needs_an_uncased_tokenizer) {
  static const char words[] =
      "sentence_bert_config.json: do_lower_case: expected false with a tokenizer that keeps capitals, found true";
  folder f = make_encoder();
  put_string(&f, "sentence_bert_config.json", "{\"max_seq_length\":6,\"do_lower_case\":true}");
  mien_encoder_source_destroy(open_or_fail(f.path));
  put_string(&f, "tokenizer.json", TOKENIZER(false, 10));
  put_string(&f, "tokenizer_config.json", "{\"do_lower_case\":false}");
  expect_refused(f.path, words);
  unlink(in_folder(&f, "tokenizer.json"));
  put_string(&f, "vocab.txt", VOCABULARY_FILE);
  expect_refused(f.path, words);
  put_string(&f, "tokenizer_config.json", "{}");
  mien_encoder_source_destroy(open_or_fail(f.path));
  remove_folder(&f);
}
END_TEST

START_TEST(a_tokenizer_that_its_configuration_contradicts_is_refused) {
  static const struct {
    const char *json, *config, *words; /* NULL: is read */
  } cases[] = {
      {TOKENIZER(true, 10), "{}", NULL},
      {TOKENIZER(true, 10), "{\"do_lower_case\":true,\"strip_accents\":true}", NULL},
      {TOKENIZER(false, 10), "{\"do_lower_case\":false}", NULL},
      {TOKENIZER(false, 10), "{\"do_lower_case\":false,\"strip_accents\":false}", NULL},
      {TOKENIZER(false, 10), NULL, NULL},
      {TOKENIZER(false, 10), "{}",
       "tokenizer_config.json: do_lower_case: expected false, as tokenizer.json has it, found true"},
      {TOKENIZER(true, 10), "{\"do_lower_case\":false}", "do_lower_case: expected true, as tokenizer.json has it"},
      {TOKENIZER(true, 10), "{\"strip_accents\":false}", "strip_accents: expected true, as tokenizer.json has it"},
      {TOKENIZER(true, 10), "{\"tokenize_chinese_chars\":false}", "tokenize_chinese_chars: expected true, as"},
      {TOKENIZER(true, 10), "{\"do_lower_case\":3}", "do_lower_case: expected true or false, found a number"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder f = make_encoder();
    put_string(&f, "tokenizer.json", cases[i].json);
    if (cases[i].config)
      put_string(&f, "tokenizer_config.json", cases[i].config);
    else
      unlink(in_folder(&f, "tokenizer_config.json"));
    if (cases[i].words)
      expect_refused(f.path, cases[i].words);
    else
      mien_encoder_source_destroy(open_or_fail(f.path));
    remove_folder(&f);
  }
}
END_TEST

START_TEST(texts_are_cut_as_sentence_transformers_cuts_them) {
  static const struct {
    const char *sentence, *tokenizer;
    size_t expected;
  } cases[] = {
      {"{\"max_seq_length\":6}", "{\"model_max_length\":8}", 6},
      {"{\"max_seq_length\":null}", "{\"model_max_length\":8}", 8},
      {"{}", "{\"model_max_length\":1000000000000000019884624838656}", POSITIONS},
      {"{}", "{}", POSITIONS},
      {NULL, "{\"model_max_length\":7}", 7},
      {"{\"max_seq_length\":11}", "{}", POSITIONS},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder f = make_encoder();
    unlink(in_folder(&f, "sentence_bert_config.json"));
    if (cases[i].sentence) put_string(&f, "sentence_bert_config.json", cases[i].sentence);
    put_string(&f, "tokenizer_config.json", cases[i].tokenizer);
    mien_encoder_source *source = open_or_fail(f.path);
    ck_assert_msg(source->config.max_tokens == cases[i].expected, "case %zu: expected %zu, found %zu", i,
                  cases[i].expected, source->config.max_tokens);
    mien_encoder_source_destroy(source);
    remove_folder(&f);
  }
}
END_TEST

START_TEST(pooling_modes_are_read_by_both_names) {
  static const struct {
    const char *text;
    mien_pooling expected;
  } cases[] = {
      {POOLING(true, false, false), MIEN_POOLING_CLS},    {POOLING(false, true, false), MIEN_POOLING_MEAN},
      {POOLING(false, false, true), MIEN_POOLING_MAX},    {"{\"pooling_mode\":\"cls\"}", MIEN_POOLING_CLS},
      {"{\"pooling_mode\":[\"max\"]}", MIEN_POOLING_MAX},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder f = make_encoder();
    put_string(&f, "1_Pooling/config.json", cases[i].text);
    put_string(&f, "modules.json", "[" TWO_MODULES "]");
    mien_encoder_source *source = open_or_fail(f.path);
    ck_assert_int_eq(source->config.pooling, cases[i].expected);
    ck_assert(!source->config.normalize);
    mien_encoder_source_destroy(source);
    remove_folder(&f);
  }
}
END_TEST

/* ---- Other places ---------------------------------------------------------------------------------------------- */

START_TEST(a_plain_transformers_folder_is_a_mean_without_normalisation) {
  folder f = make_folder();
  put_string(&f, "config.json", CONFIG);
  put_string(&f, "vocab.txt", VOCABULARY_FILE);
  put_safetensors(&f, "model.safetensors", &(weights_style){0});
  mien_encoder_source *source = open_or_fail(f.path);
  ck_assert_int_eq(source->config.pooling, MIEN_POOLING_MEAN);
  ck_assert(!source->config.normalize);
  ck_assert_uint_eq(source->config.max_tokens, POSITIONS);
  mien_encoder_source_destroy(source);
  remove_folder(&f);
}
END_TEST

START_TEST(the_transformer_may_lie_in_a_folder_of_its_own) {
  folder f = make_folder();
  put_string(&f, "modules.json",
             "[" MODULE(0, "0_Transformer", "Transformer") "," MODULE(1, "1_Pooling", "Pooling") "]");
  put_string(&f, "1_Pooling/config.json", POOLING(true, false, false));
  put_string(&f, "0_Transformer/config.json", CONFIG);
  put_string(&f, "0_Transformer/vocab.txt", VOCABULARY_FILE);
  put_string(&f, "0_Transformer/sentence_bert_config.json", "{\"max_seq_length\":5}");
  put_safetensors(&f, "0_Transformer/model.safetensors", &(weights_style){0});
  mien_encoder_source *source = open_or_fail(f.path);
  ck_assert_uint_eq(source->config.max_tokens, 5);
  mien_encoder_source_destroy(source);
  remove_folder(&f);
}
END_TEST

START_TEST(links_as_in_a_hub_cache_are_followed) {
  folder blobs = make_encoder(), f = make_folder();
  static const char *const names[] = {"config.json",    "modules.json",      "sentence_bert_config.json",
                                      "tokenizer.json", "model.safetensors", "1_Pooling"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    ck_assert_int_eq(symlink(in_folder(&blobs, names[i]), in_folder(&f, names[i])), 0);
  mien_encoder_source *source = open_or_fail(f.path);
  ck_assert_uint_eq(source->config.max_tokens, 6);
  mien_encoder_source_destroy(source);
  /* A link that leads nowhere is no file that is not there: nothing takes a default instead. */
  unlink(in_folder(&blobs, "sentence_bert_config.json"));
  expect_refused(f.path, "sentence_bert_config.json: No such file");
  remove_folder(&f);
  remove_folder(&blobs);
}
END_TEST

START_TEST(a_weights_file_may_be_named) {
  folder f = make_encoder();
  mien_encoder_source *source = open_or_fail(in_folder(&f, "model.safetensors"));
  ck_assert_uint_eq(source->config.max_tokens, 6);
  mien_encoder_source_destroy(source);
  expect_refused(in_folder(&f, "other.safetensors"), "other.safetensors: No such file");
  expect_refused(in_folder(&f, "nowhere/at/all"), "No such file");
  remove_folder(&f);
}
END_TEST

MIEN_SUITE("encoder source", a_whole_folder_is_read, weights_of_three_types_and_two_prefixes_are_read,
           old_names_of_layer_norms_are_read, weights_that_do_not_fit_are_refused, other_configurations_are_refused,
           other_modules_are_refused, other_limits_and_tokenizers_are_refused,
           lower_case_on_request_needs_an_uncased_tokenizer, a_tokenizer_that_its_configuration_contradicts_is_refused,
           texts_are_cut_as_sentence_transformers_cuts_them, pooling_modes_are_read_by_both_names,
           a_plain_transformers_folder_is_a_mean_without_normalisation, the_transformer_may_lie_in_a_folder_of_its_own,
           links_as_in_a_hub_cache_are_followed, a_weights_file_may_be_named)
