/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders of ONNX exports: the graphs that are BERT, and those that nearly are. */
#include "encoder/source.h"

#include "bert_graph.h"

static folder make_export(const graph_style *style) {
  folder f = make_folder();
  put_small_files(&f);
  builder b = build_bert(style);
  put_file(&f, "model.onnx", b.bytes, b.size);
  discard(&b);
  return f;
}

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

/* The weight as it would be [outputs × inputs], whichever way it lies. */
static void expect_weight(const mien_weight *weight, const char *name, size_t outputs, size_t inputs,
                          bool inputs_first) {
  float row[64];
  mien_weight table = *weight;
  ck_assert_uint_eq(weight->outputs, outputs);
  ck_assert_uint_eq(weight->inputs, inputs);
  ck_assert_int_eq(weight->inputs_first, inputs_first);
  if (inputs_first)
    table = (mien_weight){.data = weight->data, .outputs = inputs, .inputs = outputs, .dtype = weight->dtype};
  for (size_t r = 0; r < table.outputs; r++) {
    mien_weight_row(&table, r, row);
    for (size_t c = 0; c < table.inputs; c++) {
      const float expected = element_of(name, inputs_first ? c * inputs + r : r * inputs + c);
      require(row[c] == expected, "%s: expected %g, found %g", name, (double)expected, (double)row[c]);
    }
  }
}

static void expect_bert(const mien_encoder_source *source, bool inputs_first) {
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
  ck_assert_str_eq(source->format, "onnx");
  const mien_layer_weights *layers = source->weights.layers;
  expect_weight(&source->weights.word, "embeddings.word_embeddings.weight", VOCABULARY, HIDDEN, false);
  expect_weight(&source->weights.position, "embeddings.position_embeddings.weight", POSITIONS, HIDDEN, false);
  expect_weight(&source->weights.token_type, "embeddings.token_type_embeddings.weight", TYPES, HIDDEN, false);
  expect_weight(&source->weights.norm.beta, "embeddings.LayerNorm.bias", 1, HIDDEN, false);
  expect_weight(&layers[0].query.weight, "encoder.layer.0.attention.self.query.weight", HIDDEN, HIDDEN, inputs_first);
  expect_weight(&layers[0].query.bias, "encoder.layer.0.attention.self.query.bias", 1, HIDDEN, false);
  expect_weight(&layers[1].key.weight, "encoder.layer.1.attention.self.key.weight", HIDDEN, HIDDEN, inputs_first);
  expect_weight(&layers[1].value.bias, "encoder.layer.1.attention.self.value.bias", 1, HIDDEN, false);
  expect_weight(&layers[1].attention_output.weight, "encoder.layer.1.attention.output.dense.weight", HIDDEN, HIDDEN,
                inputs_first);
  expect_weight(&layers[1].attention_norm.gamma, "encoder.layer.1.attention.output.LayerNorm.weight", 1, HIDDEN, false);
  expect_weight(&layers[1].intermediate.weight, "encoder.layer.1.intermediate.dense.weight", WIDE, HIDDEN,
                inputs_first);
  expect_weight(&layers[0].output.weight, "encoder.layer.0.output.dense.weight", HIDDEN, WIDE, inputs_first);
  expect_weight(&layers[1].output_norm.beta, "encoder.layer.1.output.LayerNorm.bias", 1, HIDDEN, false);
}

START_TEST(exports_of_several_exporters_are_read) {
  static const char *const prefixes[] = {"", "bert.", "0.auto_model."};
  for (unsigned bits = 0; bits < 16; bits++) {
    for (size_t p = 0; p < 3; p++) {
      const graph_style style = {.prefix = prefixes[p],
                                 .is_new = bits & 1,
                                 .is_unfolded = bits & 2,
                                 .has_split_scale = bits & 4,
                                 .has_types_of_zeros = bits & 8};
      folder f = make_export(&style);
      mien_encoder_source *source = open_or_fail(f.path);
      expect_bert(source, !style.is_unfolded);
      mien_encoder_source_destroy(source);
      remove_folder(&f);
    }
  }
}
END_TEST

START_TEST(an_export_says_its_configuration_itself) {
  folder f = make_export(&(graph_style){0});
  unlink(in_folder(&f, "config.json"));
  mien_encoder_source *source = open_or_fail(f.path);
  expect_bert(source, true);
  mien_encoder_source_destroy(source);
  remove_folder(&f);
}
END_TEST

START_TEST(an_export_may_be_named_and_lie_in_a_folder_onnx) {
  folder f = make_export(&(graph_style){0});
  ck_assert_int_eq(mkdir(in_folder(&f, "onnx"), 0777), 0);
  ck_assert_int_eq(rename(in_folder(&f, "model.onnx"), in_folder(&f, "onnx/model.onnx")), 0);
  mien_encoder_source *source = open_or_fail(f.path);
  mien_encoder_source_destroy(source);
  source = open_or_fail(in_folder(&f, "onnx/model.onnx"));
  expect_bert(source, true);
  mien_encoder_source_destroy(source);
  ck_assert_int_eq(rename(in_folder(&f, "onnx/model.onnx"), in_folder(&f, "other.onnx")), 0);
  source = open_or_fail(in_folder(&f, "other.onnx"));
  mien_encoder_source_destroy(source);
  remove_folder(&f);
}
END_TEST

START_TEST(graphs_that_nearly_are_bert_are_refused_in_words) {
  static const struct {
    deviation deviation;
    const char *words;
  } cases[] = {
      {SCALE_OF_ANOTHER_SIZE, "encoder.layer.1.attention.self: expected scores scaled by 0.353553, found 0.25"},
      {TANH_GELU, "encoder.layer.1.intermediate: expected a GELU by the error function, found node 'Mul' (Mul)"},
      {RELU, "expected a GELU by the error function, found node 'Relu' (Relu)"},
      {SOFTMAX_OVER_QUERIES, "expected a Softmax over the last axis, found node 'Softmax' (Softmax)"},
      {CAUSAL_MASK, "expected a mask of padding only, found node 'Trilu' (Trilu)"},
      {NO_MASK, "expected an Add of a mask to the scaled product of query and key, found node"},
      {LEARNT_MASK, "expected no learnt numbers in the attention's mask, found value 'bias_table'"},
      {NO_RESIDUAL, "encoder.layer.1.attention.output.dense: expected "},
      {RESIDUAL_OF_ANOTHER_LAYER, "encoder.layer.1.attention.self.query: expected the layer's input, found node"},
      {PRE_NORM, "encoder.layer.1.intermediate.dense: expected the layer's input, found node 'Add' (Add)"},
      {BIAS_OF_ANOTHER, "encoder.layer.0.attention.self.query: expected an Add of its bias, found node 'Add' (Add)"},
      {OTHER_EPSILON, "epsilon: expected 1e-05, as in the other LayerNorms, found 1e-12"},
      {POSITIONS_FROM_TWO, "embeddings.position_embeddings: expected positions that count from 0, found node"},
      {WORDS_OF_POSITIONS, "embeddings.word_embeddings: expected the input input_ids, found node"},
      {WEIGHT_OF_ANOTHER_SHAPE, "initializer 'onnx::MatMul_1': expected shape [16, 16], found [15, 16]"},
      {WEIGHT_COMPUTED, "encoder.layer.0.attention.self.query: expected an initializer, found node 'Neg' (Neg)"},
      {FOUR_HEADS_ONCE, "encoder.layer.0.attention.self: expected the value, split into as many heads as elsewhere"},
      {OUTPUT_OF_FIRST_LAYER, "encoder.layer.1.output.LayerNorm: expected a graph output that is this LayerNorm"},
      {QUANTISED, "node 'MatMulInteger' (MatMulInteger): is a quantised export: expected one of floats"},
      {EXTERNAL_WEIGHT, "initializer 'onnx::MatMul_1': expected its data in the file, found it in an external one"},
      {WEIGHT_AS_FLOAT_DATA, "initializer 'onnx::MatMul_1': expected its data as raw_data"},
      {KEY_IS_QUERY, "encoder.layer.1.attention.self.key: expected an Add of its bias, found node 'Add' (Add)"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder f = make_export(&(graph_style){.deviation = cases[i].deviation});
    expect_refused(f.path, cases[i].words);
    remove_folder(&f);
  }
}
END_TEST

#define SIZES(layers, heads, vocabulary, epsilon)                                                                      \
  "{\"model_type\":\"bert\",\"hidden_size\":16,\"num_hidden_layers\":" #layers ",\"num_attention_heads\":" #heads      \
  ",\"intermediate_size\":24,\"vocab_size\":" #vocabulary ",\"max_position_embeddings\":10,\"type_vocab_size\":2,"     \
  "\"layer_norm_eps\":" #epsilon "}"

START_TEST(an_export_that_its_configuration_contradicts_is_refused) {
  static const struct {
    const char *config, *words;
  } cases[] = {
      {SIZES(3, 2, 12, 1e-12), "model.onnx: num_hidden_layers: expected 3, as config.json has it, found 2"},
      {SIZES(2, 4, 12, 1e-12), "num_attention_heads: expected 4, as config.json has it, found 2"},
      {SIZES(2, 2, 13, 1e-12), "vocab_size: expected 13, as config.json has it, found 12"},
      {SIZES(2, 2, 12, 1e-5), "layer_norm_eps: expected 1e-05, as config.json has it, found 1e-12"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    folder f = make_export(&(graph_style){0});
    put_string(&f, "config.json", cases[i].config);
    expect_refused(f.path, cases[i].words);
    remove_folder(&f);
  }
}
END_TEST

START_TEST(an_export_without_its_pooling_is_refused) {
  folder f = make_export(&(graph_style){0});
  unlink(in_folder(&f, "modules.json"));
  unlink(in_folder(&f, "sentence_bert_config.json"));
  remove_tree(in_folder(&f, "1_Pooling"));
  expect_refused(f.path, "expected a modules.json, which says how an ONNX encoder's tokens are pooled, found none");
  remove_folder(&f);
}
END_TEST

START_TEST(other_files_are_called_by_their_names) {
  folder f = make_export(&(graph_style){0});
  put_string(&f, "model.onnx", "version https://git-lfs.github.com/spec/v1");
  expect_refused(f.path, "model.onnx: is a Git LFS pointer");
  put_string(&f, "model.onnx", "<html>");
  expect_refused(f.path, "model.onnx: is a web page");
  builder b = {0};
  begin_model(&b, 14, 0);
  put_output(&b, "y");
  finish(&b);
  put_file(&f, "model.onnx", b.bytes, b.size);
  expect_refused(f.path, "expected an initializer 'embeddings.word_embeddings.weight', found none");
  discard(&b);
  remove_folder(&f);
}
END_TEST

/* A file cut anywhere is refused: nothing behind its end is looked at. */
START_TEST(cut_exports_are_refused) {
  builder b = build_bert(&(graph_style){0});
  folder f = make_folder();
  put_small_files(&f);
  for (size_t size = 1; size < b.size; size += 1 + size / 16) {
    put_file(&f, "model.onnx", b.bytes, size);
    expect_refused(f.path, "model.onnx");
  }
  discard(&b);
  remove_folder(&f);
}
END_TEST

MIEN_SUITE("encoder source onnx", exports_of_several_exporters_are_read, an_export_says_its_configuration_itself,
           an_export_may_be_named_and_lie_in_a_folder_onnx, graphs_that_nearly_are_bert_are_refused_in_words,
           an_export_that_its_configuration_contradicts_is_refused, an_export_without_its_pooling_is_refused,
           other_files_are_called_by_their_names, cut_exports_are_refused)
