/* SPDX-License-Identifier: Apache-2.0 */
/* Where labels get their names: outputs, classes in the graph, or a file, and when names are refused. */
#include <unistd.h>

#include "graph_test.h"

/* A fused output "y" of three labels; named by a ZipMap unless `classes` is NULL. */
static builder fused(const char *const *classes) {
  builder b = {0};
  begin_model(&b, 13, 1);
  put_input(&b, "x", 1);
  put_floats(&b, "w", 2, (int64_t[]){1, 3}, (float[]){1, 2, 3});
  put_node(&b, "MatMul", "x w", "z");
  put_node(&b, "Sigmoid", "z", classes ? "p" : "y");
  if (classes) {
    begin_node(&b, "ZipMap", "p", "y");
    put_text(&b, 7, "ai.onnx.ml");
    put_attribute_texts(&b, "classlabels_strings", 3, classes);
    end(&b);
  }
  put_output(&b, "y");
  return b;
}

static void expect_names(mien_head *head, size_t n, const char *const *names) {
  ck_assert_ptr_nonnull(head);
  ck_assert_uint_eq(head->n_labels, n);
  for (size_t i = 0; i < n; i++) ck_assert_str_eq(head->labels[i], names[i]);
  mien_head_destroy(head);
}

static const char *const emotions[3] = {"joy", "love", "fear"};

START_TEST(classes_of_the_graph_name_a_fused_output) {
  builder b = fused(emotions);
  expect_names(fold(&b), 3, emotions);
}
END_TEST

/* Names travel with their columns; a column that is turned around loses its name. */
START_TEST(classes_follow_their_columns) {
  for (int turn = 0; turn < 2; turn++) {
    builder b = {0};
    begin_model(&b, 13, 1);
    put_input(&b, "x", 1);
    begin_node(&b, "LinearClassifier", "x", "chosen p");
    put_text(&b, 7, "ai.onnx.ml");
    put_attribute_floats(&b, "coefficients", 3, (float[]){1, 2, 3}, 1);
    put_attribute_floats(&b, "intercepts", 3, (float[]){0, 0, 0}, 1);
    put_attribute_texts(&b, "classlabels_strings", 3, emotions);
    put_attribute_text(&b, "post_transform", "LOGISTIC");
    end(&b);
    put_integers(&b, "order", 3, (int64_t[]){2, 0, 1});
    put_floats(&b, "one", 0, NULL, (float[]){1});
    begin_node(&b, "Gather", "p order", turn ? "q" : "y");
    put_attribute_integer(&b, "axis", 1);
    end(&b);
    if (turn) put_node(&b, "Sub", "one q", "y");
    put_output(&b, "y");
    if (turn)
      expect_refused(&b, "output 'y': the graph does not name its 3 labels: --labels FILE gives them");
    else
      expect_names(fold(&b), 3, (const char *[]){"fear", "joy", "love"});
  }
}
END_TEST

START_TEST(equal_classes_name_nothing) {
  builder b = fused((const char *[]){"1", "1", "1"});
  expect_refused(&b, "the graph does not name its 3 labels: --labels FILE gives them");
}
END_TEST

START_TEST(several_outputs_are_one_label_each_in_the_files_order) {
  builder b = begin_graph(13);
  put_node(&b, "Softmax", "z", "second");
  begin_node(&b, "Split", "z", "a c");
  put_attribute_integer(&b, "axis", 1);
  end(&b);
  put_node(&b, "Sigmoid", "a", "first");
  put_output(&b, "second");
  put_output(&b, "first");
  expect_names(fold(&b), 2, (const char *[]){"second", "first"});
  b = begin_graph(13);
  put_node(&b, "Sigmoid", "z", "both");
  put_node(&b, "Softmax", "z", "pair");
  put_output(&b, "pair");
  put_output(&b, "both");
  expect_refused(&b, "output 'both': expected one label, as (N, 1) or (N, 2) that sums to 1, found 2 columns");
}
END_TEST

/* ---- Files ----------------------------------------------------------------------------------------------------- */

/* Folds with a labels file of those bytes; the error's path is cut off the message. */
static mien_head *fold_with_file(builder b, const char *text, size_t bytes, mien_error *error) {
  char path[] = "/tmp/mien_labels_XXXXXX";
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, text, bytes), (ssize_t)bytes);
  close(fd);
  mien_head *head = fold_with(&b, path, error);
  ck_assert_msg(head || strncmp(error->message, path, strlen(path)) == 0, "%s", error->message);
  unlink(path);
  return head;
}

START_TEST(a_file_names_a_fused_output) {
  static const char *const texts[] = {"joy\nlove\nfear\n", "joy\nlove\nfear", "joy\r\nlove\r\nfear\r\n",
                                      "\xEF\xBB\xBFjoy\nlove\nfear\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    mien_error error;
    mien_head *head = fold_with_file(fused(NULL), texts[i], strlen(texts[i]), &error);
    ck_assert_msg(head != NULL, "%s", error.message);
    expect_names(head, 3, emotions);
  }
}
END_TEST

START_TEST(a_file_must_have_as_many_distinct_names_as_there_are_labels) {
  static const struct {
    const char *text;
    size_t bytes;
    const char *words;
  } wrong[] = {
      {"joy\nlove\n", 9, "expected 3 labels, found 2"},
      {"joy\nlove\nfear\nhope\n", 19, "expected 3 labels, found 4"},
      {"", 0, "expected 3 labels, found 0"},
      {"joy\n\nfear\n", 10, ":2: expected a label in UTF-8, found an empty line"},
      {"joy\nlove\nfear\n\n", 15, ":4: expected a label in UTF-8, found an empty line"},
      {"joy\nlove\njoy\n", 13, "label 'joy' is given twice"},
      {"joy\nl\xFFve\nfear\n", 14, ":2: expected a label in UTF-8, found other bytes"},
      {"joy\nlo\0e\nfear\n", 14, ":2: expected a label in UTF-8, found other bytes"},
      {"joy\nlo\te\nfear\n", 14, ":2: expected a label in UTF-8, found other bytes or control characters"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    mien_error error;
    ck_assert_ptr_null(fold_with_file(fused(NULL), wrong[i].text, wrong[i].bytes, &error));
    ck_assert_msg(strstr(error.message, wrong[i].words), "expected %s: %s", wrong[i].words, error.message);
  }
}
END_TEST

START_TEST(a_file_renames_nothing) {
  mien_error error;
  expect_names(fold_with_file(fused(emotions), "joy\nlove\nfear\n", 14, &error), 3, emotions);
  ck_assert_ptr_null(fold_with_file(fused(emotions), "joy\nfear\nlove\n", 14, &error));
  ck_assert_msg(strstr(error.message, "label 2: expected 'love', as <memory> names it, found 'fear'"), "%s",
                error.message);
  ck_assert_ptr_null(fold_with_file(fused(emotions), "joy\nlove\n", 9, &error));
  ck_assert_msg(strstr(error.message, "expected 3 labels, found 2"), "%s", error.message);
}
END_TEST

START_TEST(a_missing_file_is_an_error) {
  mien_error error;
  builder b = fused(NULL);
  ck_assert_ptr_null(fold_with(&b, "/nonexistent/labels.txt", &error));
  ck_assert_msg(strstr(error.message, "/nonexistent/labels.txt: No such file"), "%s", error.message);
}
END_TEST

MIEN_SUITE("labels", classes_of_the_graph_name_a_fused_output, classes_follow_their_columns, equal_classes_name_nothing,
           several_outputs_are_one_label_each_in_the_files_order, a_file_names_a_fused_output,
           a_file_must_have_as_many_distinct_names_as_there_are_labels, a_file_renames_nothing,
           a_missing_file_is_an_error)
