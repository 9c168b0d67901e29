/* SPDX-License-Identifier: Apache-2.0 */
/* Labelled data in every form that it may have, and what is refused with its line. */
#include "train/examples.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

static char folder[] = "/tmp/mien_examples_XXXXXX";
static char path[64];

static void make_folder(void) { ck_assert_ptr_nonnull(mkdtemp(folder)); }
static void remove_folder(void) { rmdir(folder); }

static mien_status read_text(const char *ending, const char *text, const mien_example_options *options,
                             mien_examples *examples, mien_error *error) {
  static const mien_example_options usual = {0};
  snprintf(path, sizeof path, "%s/data.%s", folder, ending);
  FILE *file = fopen(path, "wb");
  ck_assert_ptr_nonnull(file);
  fwrite(text, 1, strlen(text), file);
  fclose(file);
  *examples = (mien_examples){0};
  mien_status status = mien_examples_read(path, options ? options : &usual, examples, error);
  unlink(path);
  return status;
}

static void expect(const char *ending, const char *text, const mien_example_options *options, size_t n_rows,
                   const char *labels, const char *truth) {
  mien_examples examples;
  mien_error error = {0};
  char found[256] = "";
  ck_assert_msg(read_text(ending, text, options, &examples, &error) == MIEN_OK, "%s: %s", text, error.message);
  ck_assert_uint_eq(examples.n_rows, n_rows);
  for (size_t i = 0; i < examples.labels.n; i++) strcat(strcat(found, i ? "," : ""), examples.labels.names[i]);
  ck_assert_str_eq(found, labels);
  found[0] = '\0';
  for (size_t row = 0; row < n_rows; row++)
    for (size_t label = 0; label < examples.labels.n; label++)
      strcat(found, mien_examples_has(&examples, row, label) ? "1" : "0");
  ck_assert_str_eq(found, truth);
  mien_examples_free(&examples);
}

static void refuse(const char *ending, const char *text, const mien_example_options *options, const char *message) {
  mien_examples examples;
  mien_error error = {0};
  ck_assert_int_ne(read_text(ending, text, options, &examples, &error), MIEN_OK);
  ck_assert_msg(strstr(error.message, message), "expected '%s' in '%s'", message, error.message);
  mien_examples_free(&examples);
}

START_TEST(every_format_gives_the_same_rows) {
  expect("tsv", "a\tjoy,fear\tx1\nb\t\tx2\nc\tfear\tx3\n", NULL, 3, "fear,joy", "110010");
  expect("csv", "a,\"joy,fear\",x1\r\nb,,x2\r\n\"c\"\"\",fear,x3\r\n", NULL, 3, "fear,joy", "110010");
  expect("csv", "id,labels,text\nx1,\"joy, fear\",a\nx2,,b\nx3,fear,c\n", NULL, 3, "fear,joy", "110010");
  expect("jsonl",
         "{\"text\":\"a\",\"labels\":[\"joy\",\"fear\"],\"id\":1}\n\n{\"labels\":[],\"text\":\"\"}\n"
         "{\"text\":\"c\",\"labels\":[\"fear\"]}",
         NULL, 3, "fear,joy", "110010");
}
END_TEST

START_TEST(texts_ids_and_lines_are_kept) {
  mien_examples examples;
  mien_error error = {0};
  ck_assert_int_eq(read_text("csv", "labels,text,id\njoy,\"two\nlines\",7\njoy,,8\n", NULL, &examples, &error),
                   MIEN_OK);
  ck_assert(examples.has_texts);
  ck_assert_uint_eq(examples.texts[0].size, 9);
  ck_assert_int_eq(memcmp(examples.texts[0].bytes, "two\nlines", 9), 0);
  ck_assert_uint_eq(examples.texts[1].size, 0);
  ck_assert_uint_eq(examples.ids[1].size, 1);
  ck_assert_int_eq(examples.ids[1].bytes[0], '8');
  ck_assert_uint_eq(examples.lines[0], 2);
  ck_assert_uint_eq(examples.lines[1], 4);
  mien_examples_free(&examples);
}
END_TEST

START_TEST(numbers_stand_for_names) {
  char *names[] = {"joy", "fear", "7"}, *model[] = {"fear", "joy"};
  const mien_label_set numbered = {names, 3}, known = {model, 2};
  const mien_example_options by_number = {.numbered = &numbered};
  const mien_example_options of_model = {.numbered = &numbered, .known = &known};
  const mien_example_options only_known = {.known = &known};
  expect("tsv", "a\t0,1\nb\t7\n", &by_number, 2, "joy,fear,7", "110001"); /* a name comes before a number */
  expect("tsv", "a\t0\nb\t1,joy\n", &of_model, 2, "fear,joy", "0111");
  expect("tsv", "a\t10\nb\t9,x\n", NULL, 2, "9,10,x", "010101"); /* without names a number is one */
  refuse("tsv", "a\t0\nb\t3\n", &by_number, "data.tsv:2: label '3': expected a name or a number below 3");
  refuse("tsv", "a\t2\n", &of_model, "data.tsv:1: label '7': expected one of the model's");
  refuse("tsv", "a\t2\n", &only_known, "data.tsv:1: label '2': expected a name: what numbers stand for");
  refuse("tsv", "a\tjoy\nb\tlove\n", &only_known, "data.tsv:2: label 'love': expected one of the 2 labels");
}
END_TEST

START_TEST(columns_and_fields_have_other_names) {
  const mien_example_options options = {.text = "body", .labels = "tags", .id = "key", .separator = '|'};
  expect("tsv", "key\tbody\ttags\nk\ta\tjoy|a,b\n", &options, 1, "a,b,joy", "11");
  expect("jsonl", "{\"body\":\"a\",\"tags\":[3],\"key\":\"k\"}\n", &options, 1, "3", "1");
  const mien_example_options by_number = {.text = "2", .labels = "0"};
  expect("tsv", "joy\tk\ta\n", &by_number, 1, "joy", "1");
  /* A number is a place: it is no header's name, and there may be a header all the same. */
  const mien_example_options second = {.labels = "1"}, named = {.text = "body", .labels = "1"};
  expect("tsv", "a\t1\tx\nb\t0\ty\n", &second, 2, "0,1", "0110");
  expect("tsv", "text\tlabels\tid\nb\t0\ty\n", &second, 1, "0", "1");
  expect("tsv", "body\tkind\nb\tjoy\n", &named, 1, "joy", "1");
  expect("csv", "text,0\na,joy\n", &(mien_example_options){.text = "text", .labels = "0"}, 1, "joy", "1");
  refuse("tsv", "body\tkind\nb\tjoy\n", &(mien_example_options){.text = "body"},
         "expected a column 'labels' in the header");
  const mien_example_options without = {.without_texts = true};
  expect("jsonl", "{\"labels\":[3]}\n", &without, 1, "3", "1");
  expect("csv", "labels\njoy\n", &without, 1, "joy", "1");
}
END_TEST

START_TEST(what_is_no_row_is_refused_with_its_line) {
  refuse("tsv", "a\tjoy\nb\n", NULL, "data.tsv:2: expected 2 fields, found 1");
  refuse("tsv", "a\nb\n", NULL, "found 1 columns and no header");
  refuse("csv", "labels,body\njoy,a\n", NULL, "data.csv:1: expected a column 'text' in the header");
  refuse("tsv", "a\tjoy,,fear\n", NULL, "data.tsv:1: expected a label between separators");
  refuse("tsv", "a\tjo\x01y\n", NULL, "data.tsv:1: label 'jo");
  refuse("jsonl", "{\"text\":\"a\",\"labels\":[]}\n{\"text\":\"a\"}\n", NULL,
         "data.jsonl:2: field 'labels': expected a list of labels, found none");
  refuse("jsonl", "{\"text\":null,\"labels\":[]}\n", NULL, "data.jsonl:1: field 'text': expected a string, found null");
  refuse("jsonl", "{\"text\":\"a\",\"labels\":[0.5]}\n", NULL, "label 0 of the row: expected a string or a whole");
  refuse("jsonl", "{\"text\":\"a\",\"labels\":[1]}}\n", NULL, "data.jsonl:1:");
  refuse("jsonl", "[]\n", NULL, "data.jsonl:1: expected a JSON object, found an array");
  refuse("tsv", "", NULL, "expected rows with labels, found none");
  refuse("jsonl", "\n\n", NULL, "expected rows with labels, found none");
  refuse("tsv", "a\t\n", NULL, "expected rows with labels, found none");
  refuse("txt", "a\n", NULL, "expected labelled data in csv, tsv or jsonl");
}
END_TEST

MIEN_SUITE_BETWEEN("examples", make_folder, remove_folder, every_format_gives_the_same_rows,
                   texts_ids_and_lines_are_kept, numbers_stand_for_names, columns_and_fields_have_other_names,
                   what_is_no_row_is_refused_with_its_line)
