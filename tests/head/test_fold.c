/* SPDX-License-Identifier: Apache-2.0 */
/* The fold operator by operator: what each does to the columns, and what is refused. */
#include "graph_test.h"

/* softmax(z0, z1)[1] = σ(z1 - z0) */
static const double difference[3] = {3, 3, 4};
enum { DIFFERENCE_OF_BIASES = -3 }; /* halves */

static void expect_softmax_head(builder *b) { expect_label(fold(b), "y", 3, difference, DIFFERENCE_OF_BIASES / 2.0); }

/* ---- Links ---------------------------------------------------------------------------------------------------- */

START_TEST(softmax_of_two_is_a_sigmoid_of_the_difference) {
  for (int64_t opset = 12; opset <= 13; opset++) {
    builder b = begin_graph(opset);
    put_node(&b, "Softmax", "z", "y");
    put_output(&b, "y");
    expect_softmax_head(&b);
    b = begin_graph(opset);
    begin_node(&b, "Softmax", "z", "y");
    put_attribute_integer(&b, "axis", opset == 12 ? -1 : 1);
    end(&b);
    put_output(&b, "y");
    expect_softmax_head(&b);
  }
  builder b = begin_graph(13);
  begin_node(&b, "Softmax", "z", "y");
  put_attribute_integer(&b, "axis", 0);
  end(&b);
  put_output(&b, "y");
  expect_refused(&b, "<memory>: node 'Softmax' (Softmax): expected a batch (N, classes) and its last axis");
}
END_TEST

/* The default axis 1 of opset 12 is not the last one of (N, 1, 2), the default -1 of opset 13 is: neither folds. */
START_TEST(softmax_over_more_axes_is_refused) {
  builder b = begin_graph(12);
  begin_node(&b, "Unsqueeze", "z", "u");
  put_attribute_integers(&b, "axes", 1, (int64_t[]){1});
  end(&b);
  put_node(&b, "Softmax", "u", "y");
  put_output(&b, "y");
  expect_refused(&b, "(Softmax)");
}
END_TEST

/* The columns of z by ones: z0 as "a", z1 as "c", each (N, 1). */
static void put_split(builder *b) {
  begin_node(b, "Split", "z", "a c");
  put_attribute_integer(b, "axis", 1);
  end(b);
}

START_TEST(one_minus_a_sigmoid_is_a_sigmoid_of_the_negative) {
  builder b = begin_graph(13);
  put_floats(&b, "one", 0, NULL, (float[]){1});
  put_split(&b);
  put_node(&b, "Sigmoid", "c", "p");
  put_node(&b, "Sub", "one p", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 3, (double[]){-4, -5, -7}, 1);
  b = begin_graph(13);
  put_floats(&b, "one", 0, NULL, (float[]){1});
  put_split(&b);
  put_node(&b, "Sigmoid", "c", "p");
  put_node(&b, "Sub", "one p", "q");
  put_node(&b, "Sub", "one q", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 3, GRAPH_Z1, -1);
}
END_TEST

START_TEST(a_sigmoid_is_found_in_exp_and_reciprocal_and_in_exp_and_division) {
  for (int form = 0; form < 2; form++) {
    builder b = begin_graph(13);
    put_floats(&b, "one", 1, (int64_t[]){1}, (float[]){1});
    put_split(&b);
    put_node(&b, "Neg", "c", "n");
    put_node(&b, "Exp", "n", "e");
    put_node(&b, "Add", "one e", "s");
    if (form == 0)
      put_node(&b, "Reciprocal", "s", "y");
    else
      put_node(&b, "Div", "one s", "y");
    put_output(&b, "y");
    expect_label(fold(&b), "y", 3, GRAPH_Z1, -1);
  }
}
END_TEST

/* 1 / (1 + 4·exp(-t)) = σ(t - ln 4) */
START_TEST(a_factor_before_the_exponential_moves_into_the_bias) {
  builder b = begin_graph(13);
  put_floats(&b, "one", 0, NULL, (float[]){1});
  put_floats(&b, "four", 0, NULL, (float[]){4});
  put_split(&b);
  put_node(&b, "Neg", "c", "n");
  put_node(&b, "Exp", "n", "e");
  put_node(&b, "Mul", "e four", "f");
  put_node(&b, "Add", "f one", "s");
  put_node(&b, "Reciprocal", "s", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 3, GRAPH_Z1, -1 - log(4));
}
END_TEST

/* An affine output that is not the scores' own logits may be a label without its sigmoid. */
START_TEST(logits_beside_their_scores_are_left_out) {
  for (int logits_first = 0; logits_first < 2; logits_first++) {
    builder b = begin_graph(13);
    put_node(&b, "Sigmoid", "z", "p");
    put_integers(&b, "i", 1, (int64_t[]){1});
    begin_node(&b, "Gather", "z i", "z1");
    put_attribute_integer(&b, "axis", 1);
    end(&b);
    put_node(&b, "Sigmoid", "z1", "joy");
    put_output(&b, logits_first ? "z1" : "joy");
    put_output(&b, logits_first ? "joy" : "z1");
    expect_label(fold(&b), "joy", 3, GRAPH_Z1, -1);
  }
  builder b = begin_graph(13);
  put_node(&b, "Sigmoid", "z", "p");
  put_integers(&b, "i", 1, (int64_t[]){1});
  begin_node(&b, "Gather", "p i", "joy");
  put_attribute_integer(&b, "axis", 1);
  end(&b);
  put_output(&b, "joy");
  begin_node(&b, "Gather", "z j", "other");
  put_attribute_integer(&b, "axis", 1);
  end(&b);
  put_integers(&b, "j", 1, (int64_t[]){0});
  put_output(&b, "other");
  expect_refused(&b, "output 'other': no probability link: a linear map without a sigmoid");
}
END_TEST

START_TEST(what_is_no_sigmoid_alone_is_refused) {
  builder b = begin_graph(13);
  put_split(&b);
  put_output(&b, "c");
  expect_refused(&b, "output 'c': no probability link: a linear map without a sigmoid");
  b = begin_graph(13);
  put_floats(&b, "two", 0, NULL, (float[]){2});
  put_split(&b);
  put_node(&b, "Sigmoid", "c", "p");
  put_node(&b, "Div", "p two", "y");
  put_output(&b, "y");
  expect_refused(&b, "output 'y': no probability link: column 0 is not a sigmoid alone");
  b = begin_graph(13);
  put_node(&b, "Relu", "z", "r");
  put_node(&b, "Softmax", "r", "y");
  put_output(&b, "y");
  expect_refused(&b, "<memory>: node 'Relu' (Relu): not part of a linear classifier");
  b = begin_graph(13);
  put_node(&b, "Sigmoid", "z", "p");
  put_node(&b, "Sigmoid", "p", "y");
  put_output(&b, "y");
  expect_refused(&b, "its input is not affine in the embedding");
  b = begin_graph(13);
  put_node(&b, "Mul", "z z", "s");
  put_node(&b, "Sigmoid", "s", "y");
  put_output(&b, "y");
  expect_refused(&b, "(Mul): not part of a linear classifier");
}
END_TEST

/* ---- Arguments that moved from attributes to inputs ------------------------------------------------------------ */

/* softmax, split, a detour by Unsqueeze and Squeeze, joined again, and a division by the sum, which is 1. */
static builder detour(bool as_inputs) {
  builder b = begin_graph(as_inputs ? 13 : 11);
  const struct {
    const char *op, *inputs, *outputs, *name, *constant;
    int64_t values[2];
    size_t n;
  } nodes[] = {
      {"Split", "p", "p0 p1", "split", "sizes", {1, 1}, 2},
      {"Unsqueeze", "p1", "u", "axes", "third", {2, 0}, 1},
      {"Squeeze", "u", "q1", "axes", "third", {2, 0}, 1},
      {"ReduceSum", "q", "sum", "axes", "last", {-1, 0}, 1},
  };
  put_node(&b, "Softmax", "z", "p");
  put_integers(&b, "sizes", 2, (int64_t[]){1, 1});
  put_integers(&b, "third", 1, (int64_t[]){2});
  put_integers(&b, "last", 1, (int64_t[]){-1});
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
    char inputs[32];
    snprintf(inputs, sizeof inputs, as_inputs ? "%s %s" : "%s", nodes[i].inputs, nodes[i].constant);
    begin_node(&b, nodes[i].op, inputs, nodes[i].outputs);
    if (!as_inputs) put_attribute_integers(&b, nodes[i].name, nodes[i].n, nodes[i].values);
    if (i == 0) put_attribute_integer(&b, "axis", 1);
    end(&b);
  }
  begin_node(&b, "Concat", "p0 q1", "q");
  put_attribute_integer(&b, "axis", -1);
  end(&b);
  put_node(&b, "Div", "q sum", "y");
  put_output(&b, "y");
  return b;
}

START_TEST(axes_and_sizes_are_attributes_or_inputs) {
  builder b = detour(false);
  expect_softmax_head(&b);
  b = detour(true);
  expect_softmax_head(&b);
}
END_TEST

START_TEST(slices_are_attributes_or_inputs_and_may_go_backwards) {
  builder b = begin_graph(9);
  begin_node(&b, "Slice", "z", "s");
  put_attribute_integers(&b, "starts", 2, (int64_t[]){0, 1});
  put_attribute_integers(&b, "ends", 2, (int64_t[]){INT64_MAX, INT64_MAX});
  end(&b);
  put_node(&b, "Sigmoid", "s", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 3, GRAPH_Z1, -1);
  b = begin_graph(13);
  put_integers(&b, "starts", 1, (int64_t[]){-1});
  put_integers(&b, "ends", 1, (int64_t[]){INT64_MIN});
  put_integers(&b, "axes", 1, (int64_t[]){-1});
  put_integers(&b, "steps", 1, (int64_t[]){-1});
  put_node(&b, "Slice", "z starts ends axes steps", "s"); /* z1, z0 */
  put_node(&b, "Softmax", "s", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 3, (double[]){-3, -3, -4}, 1.5);
}
END_TEST

/* ---- Picking and reordering ------------------------------------------------------------------------------------ */

START_TEST(columns_are_picked_by_gather_and_array_feature_extractor) {
  for (int form = 0; form < 3; form++) {
    builder b = begin_graph(13);
    put_integers(&b, "list", 1, (int64_t[]){form == 1 ? -2 : 0});
    if (form == 0) {
      begin_node(&b, "ArrayFeatureExtractor", "z list", "s");
      put_text(&b, 7, "ai.onnx.ml");
    } else if (form == 1) {
      begin_node(&b, "Gather", "z list", "s");
      put_attribute_integer(&b, "axis", 1);
    } else {
      begin_tensor(&b, "scalar", ONNX_INT64, 0, NULL);
      put_integer(&b, 7, 0);
      end(&b);
      begin_node(&b, "Gather", "z scalar", "s");
      put_attribute_integer(&b, "axis", -1);
    }
    end(&b);
    put_node(&b, "Sigmoid", "s", "y");
    put_output(&b, "y");
    expect_label(fold(&b), "y", 3, GRAPH_Z0, 0.5);
  }
}
END_TEST

/* (N,2) → (N,1,2) → (N,2,1) → (N,2) keeps the order; -1 and 0 stand for the batch. */
START_TEST(reshape_transpose_and_flatten_keep_the_batch) {
  builder b = begin_graph(13);
  put_integers(&b, "shape", 3, (int64_t[]){-1, 1, 2});
  put_integers(&b, "back", 2, (int64_t[]){0, -1});
  put_node(&b, "Reshape", "z shape", "r");
  begin_node(&b, "Transpose", "r", "t");
  put_attribute_integers(&b, "perm", 3, (int64_t[]){0, 2, 1});
  end(&b);
  put_node(&b, "Flatten", "t", "f");
  put_node(&b, "Reshape", "f back", "g");
  put_node(&b, "Softmax", "g", "y");
  put_output(&b, "y");
  expect_softmax_head(&b);
  b = begin_graph(13);
  put_integers(&b, "shape", 2, (int64_t[]){-1, 1});
  put_node(&b, "Reshape", "z shape", "y");
  put_output(&b, "y");
  expect_refused(&b, "(Reshape): mixes rows and columns: expected 2 columns, found 1");
}
END_TEST

START_TEST(constants_are_computed_before_use) {
  /* w = reshape(concat(a, sqrt(a·a))) - 0, transposed back */
  builder b = {0};
  begin_model(&b, 13, 1);
  put_input(&b, "x", 2);
  put_floats(&b, "a", 1, (int64_t[]){2}, (float[]){1, 4});
  put_floats(&b, "zero", 0, NULL, (float[]){0});
  put_integers(&b, "shape", 2, (int64_t[]){2, -1});
  put_node(&b, "Sqrt", "a", "r");
  begin_node(&b, "Concat", "a r", "c");
  put_attribute_integer(&b, "axis", 0);
  end(&b);
  put_node(&b, "Sub", "c zero", "d");
  put_node(&b, "Reshape", "d shape", "m"); /* 1 4 / 1 2 */
  put_node(&b, "Transpose", "m", "t");     /* 1 1 / 4 2 */
  put_node(&b, "MatMul", "m t", "p");      /* 17 9 / 9 5 */
  put_node(&b, "MatMul", "x p", "z");
  put_node(&b, "Softmax", "z", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 2, (double[]){-8, -4}, 0);
}
END_TEST

START_TEST(constant_nodes_hold_tensors_numbers_and_lists) {
  builder b = begin_graph(13);
  begin_node(&b, "Constant", "", "half");
  begin(&b, 5);
  put_text(&b, 1, "value_float");
  put_float(&b, 2, 0.5f);
  put_integer(&b, 20, 1);
  end(&b);
  end(&b);
  begin_node(&b, "Constant", "", "list");
  put_attribute_floats(&b, "value_floats", 2, (float[]){2, 4}, 0);
  end(&b);
  begin_node(&b, "Constant", "", "tensor");
  begin(&b, 5);
  put_text(&b, 1, "value");
  begin_tensor(&b, "inner", ONNX_FLOAT, 1, (int64_t[]){1}); /* field 5 of an attribute too: a TensorProto */
  put_float(&b, 4, 1);
  end(&b);
  put_integer(&b, 20, 4);
  end(&b);
  end(&b);
  put_node(&b, "Mul", "z half", "h");
  put_node(&b, "Mul", "h list", "l");   /* z0, 2·z1 */
  put_node(&b, "Add", "tensor l", "m"); /* + 1 */
  put_node(&b, "Softmax", "m", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 3, (double[]){7, 8, 11}, -2.5);
}
END_TEST

START_TEST(gemm_takes_alpha_beta_and_a_transposed_matrix) {
  builder b = {0};
  begin_model(&b, 13, 1);
  put_input(&b, "x", 2);
  put_floats(&b, "w", 2, (int64_t[]){1, 2}, (float[]){3, 5});
  put_floats(&b, "c", 2, (int64_t[]){1, 1}, (float[]){8});
  begin_node(&b, "Gemm", "x w c", "z");
  put_attribute_integer(&b, "transB", 1);
  begin(&b, 5);
  put_text(&b, 1, "alpha");
  put_float(&b, 2, 2);
  put_integer(&b, 20, 1);
  end(&b);
  begin(&b, 5);
  put_text(&b, 1, "beta");
  put_float(&b, 2, 0.5f);
  put_integer(&b, 20, 1);
  end(&b);
  end(&b);
  put_node(&b, "Sigmoid", "z", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 2, (double[]){6, 10}, 4);
}
END_TEST

START_TEST(values_of_the_embedding_add_and_subtract) {
  builder b = begin_graph(13);
  put_split(&b);
  put_node(&b, "Add", "a c", "s");   /* z0 + z1 */
  put_node(&b, "Sub", "s a", "t");   /* z1 */
  put_node(&b, "Sum", "t a a", "u"); /* z1 + 2·z0 */
  put_node(&b, "Sigmoid", "u", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 3, (double[]){6, 9, 13}, 0);
}
END_TEST

/* ---- ai.onnx.ml ------------------------------------------------------------------------------------------------ */

/* A LinearClassifier of `n_rows` rows over two features, classes "no" and "yes". */
static builder begin_classifier(size_t n_rows, const char *transform, int is_packed, size_t n_classes) {
  static const float rows[4] = {-1, -2, 1, 2}, biases[2] = {-3, 3};
  builder b = {0};
  begin_model(&b, 13, 1);
  put_input(&b, "x", 2);
  begin_node(&b, "LinearClassifier", "x", "chosen y");
  put_text(&b, 7, "ai.onnx.ml");
  put_attribute_floats(&b, "coefficients", n_rows * 2, rows + (n_rows == 1 ? 2 : 0), is_packed);
  put_attribute_floats(&b, "intercepts", n_rows, biases + (n_rows == 1 ? 1 : 0), is_packed);
  put_attribute_texts(&b, "classlabels_strings", n_classes, (const char *[]){"no", "yes", "maybe"});
  put_attribute_text(&b, "post_transform", transform);
  end(&b);
  put_value(&b, 12, "chosen", ONNX_STRING, 1, (int64_t[]){-1});
  put_output(&b, "y");
  return b;
}

START_TEST(a_classifier_has_one_row_or_two_and_floats_packed_or_not) {
  for (int is_packed = 0; is_packed < 2; is_packed++)
    for (size_t n_rows = 1; n_rows <= 2; n_rows++) {
      builder b = begin_classifier(n_rows, "LOGISTIC", is_packed, 2);
      expect_label(fold(&b), "yes", 2, (double[]){1, 2}, 3);
    }
  builder b = begin_classifier(2, "SOFTMAX", 1, 2);
  expect_label(fold(&b), "yes", 2, (double[]){2, 4}, 6);
}
END_TEST

START_TEST(other_transforms_and_counts_are_refused) {
  static const struct {
    size_t n_rows;
    const char *transform;
    size_t n_classes;
    const char *words;
  } wrong[] = {
      {2, "PROBIT", 2, "post_transform PROBIT"},
      {2, "SOFTMAX_ZERO", 2, "post_transform SOFTMAX_ZERO"},
      {2, "TANH", 2, "'post_transform' has a value that is not known"},
      {2, "NONE", 2, "no probability link"},
      {1, "SOFTMAX", 2, "runtimes disagree"},
      {1, "LOGISTIC", 1, "does nothing in ONNX Runtime"},
      {2, "LOGISTIC", 3, "expected a class label for each of 2 rows, found 3"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    builder b = begin_classifier(wrong[i].n_rows, wrong[i].transform, 0, wrong[i].n_classes);
    expect_refused(&b, wrong[i].words);
  }
}
END_TEST

/* ---- Inputs and types ------------------------------------------------------------------------------------------ */

START_TEST(initializers_may_be_listed_as_inputs) {
  builder b = begin_graph(8);
  put_value(&b, 11, "w", ONNX_FLOAT, 2, (int64_t[]){3, 2});
  put_value(&b, 11, "b", ONNX_FLOAT, 1, (int64_t[]){2});
  put_node(&b, "Softmax", "z", "y");
  put_output(&b, "y");
  expect_softmax_head(&b);
}
END_TEST

START_TEST(the_input_is_one_matrix_of_floats) {
  static const struct {
    int type;
    size_t rank;
    int64_t dims[3];
    const char *words;
  } wrong[] = {
      {ONNX_INT64, 2, {-1, 2}, "expected a tensor of float"},
      {ONNX_FLOAT, 1, {2}, "found 1 axes"},
      {ONNX_FLOAT, 3, {-1, 1, 2}, "found 3 axes"},
      {ONNX_FLOAT, 2, {-1, -1}, "with D from 1 to 65536"},
      {ONNX_FLOAT, 2, {-1, 0}, "with D from 1 to 65536, found 0"},
      {ONNX_FLOAT, 2, {-1, 65537}, "with D from 1 to 65536, found 65537"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    builder b = {0};
    begin_model(&b, 13, 1);
    put_value(&b, 11, "x", wrong[i].type, wrong[i].rank, wrong[i].dims);
    put_node(&b, "Sigmoid", "x", "y");
    put_output(&b, "y");
    expect_refused(&b, wrong[i].words);
  }
  builder b = begin_graph(13);
  put_input(&b, "x2", 2);
  put_node(&b, "Add", "z x2", "s");
  put_node(&b, "Softmax", "s", "y");
  put_output(&b, "y");
  expect_refused(&b, "input 'x2': expected one input, the embedding, found 'x' as well");
}
END_TEST

static builder begin_half(void) {
  builder b = {0};
  begin_model(&b, 13, 1);
  put_value(&b, 11, "x", ONNX_HALF, 2, (int64_t[]){-1, 1});
  return b;
}

START_TEST(float16_is_read_and_not_computed_in) {
  builder b = begin_half();
  begin_node(&b, "Cast", "x", "f");
  put_attribute_integer(&b, "to", ONNX_FLOAT);
  end(&b);
  put_node(&b, "Sigmoid", "f", "y");
  put_output(&b, "y");
  expect_label(fold(&b), "y", 1, (double[]){1}, 0);
  b = begin_half();
  put_node(&b, "Sigmoid", "x", "y");
  put_output(&b, "y");
  expect_refused(&b, "computes in float16");
  b = begin_graph(13);
  put_node(&b, "Softmax", "z", "p");
  begin_node(&b, "Cast", "p", "y");
  put_attribute_integer(&b, "to", ONNX_HALF);
  end(&b);
  put_output(&b, "y");
  expect_refused(&b, "rounds values of the embedding to 16 bits");
}
END_TEST

START_TEST(weights_beyond_float32_are_refused_naming_the_label) {
  static const double huge[2] = {1, 1e39};
  builder b = {0};
  begin_model(&b, 13, 1);
  put_value(&b, 11, "x", ONNX_DOUBLE, 2, (int64_t[]){-1, 2});
  begin_tensor(&b, "w", ONNX_DOUBLE, 2, (int64_t[]){2, 1});
  put_blob(&b, 9, huge, sizeof huge);
  end(&b);
  put_node(&b, "MatMul", "x w", "z");
  put_node(&b, "Sigmoid", "z", "joy");
  put_output(&b, "joy");
  expect_refused(&b, "label 'joy': weight 1: expected a finite float32, found 1e39");
}
END_TEST

START_TEST(operator_sets_are_named_once_and_from_version_1) {
  builder b = {0};
  begin_model(&b, 0, 1);
  put_input(&b, "x", 1);
  put_node(&b, "Sigmoid", "x", "y");
  put_output(&b, "y");
  expect_refused(&b, "the file names no operator set for it");
  b = begin_graph(13);
  put_node(&b, "Softmax", "z", "y");
  put_output(&b, "y");
  end(&b);
  begin(&b, 8);
  put_text(&b, 1, "ai.onnx");
  put_integer(&b, 2, 12);
  end(&b);
  expect_refused(&b, "operator set ai.onnx is named twice");
  b = begin_graph(13);
  put_node(&b, "Softmax", "z", "y");
  put_output(&b, "y");
  end(&b);
  begin(&b, 25); /* a function that would give Softmax another meaning */
  put_text(&b, 1, "Softmax");
  end(&b);
  expect_refused(&b, "a function of its own in a standard domain");
}
END_TEST

START_TEST(names_are_defined_once) {
  builder b = begin_graph(13);
  put_node(&b, "Softmax", "z", "y");
  put_node(&b, "Sigmoid", "z", "y");
  put_output(&b, "y");
  expect_refused(&b, "the name 'y' is given twice");
  b = begin_graph(13);
  put_floats(&b, "w", 1, (int64_t[]){1}, (float[]){1});
  put_output(&b, "z");
  expect_refused(&b, "the name 'w' is given twice");
}
END_TEST

START_TEST(strings_of_the_file_that_are_not_utf8_are_shown_with_marks) {
  builder b = begin_graph(13);
  put_node(&b, "Softmax", "z", "y");
  put_output(&b, "y");
  end(&b);
  put_blob(&b, 3, "v\xFF", 2);
  mien_head *head = fold(&b);
  ck_assert_str_eq(json_string_value(json_object_get(head->origin, "producer_version")), "v\xEF\xBF\xBD");
  mien_head_destroy(head);
  b = begin_graph(13);
  put_node(&b, "Softmax", "z", "y\xFF");
  put_output(&b, "y\xFF");
  expect_refused(&b, "label 1 ('y\xEF\xBF\xBD'): expected UTF-8 text");
}
END_TEST

MIEN_SUITE("fold", softmax_of_two_is_a_sigmoid_of_the_difference, softmax_over_more_axes_is_refused,
           one_minus_a_sigmoid_is_a_sigmoid_of_the_negative,
           a_sigmoid_is_found_in_exp_and_reciprocal_and_in_exp_and_division,
           a_factor_before_the_exponential_moves_into_the_bias, logits_beside_their_scores_are_left_out,
           what_is_no_sigmoid_alone_is_refused, axes_and_sizes_are_attributes_or_inputs,
           slices_are_attributes_or_inputs_and_may_go_backwards,
           columns_are_picked_by_gather_and_array_feature_extractor, reshape_transpose_and_flatten_keep_the_batch,
           constants_are_computed_before_use, constant_nodes_hold_tensors_numbers_and_lists,
           gemm_takes_alpha_beta_and_a_transposed_matrix, values_of_the_embedding_add_and_subtract,
           a_classifier_has_one_row_or_two_and_floats_packed_or_not, other_transforms_and_counts_are_refused,
           initializers_may_be_listed_as_inputs, the_input_is_one_matrix_of_floats, float16_is_read_and_not_computed_in,
           weights_beyond_float32_are_refused_naming_the_label, operator_sets_are_named_once_and_from_version_1,
           names_are_defined_once, strings_of_the_file_that_are_not_utf8_are_shown_with_marks)
