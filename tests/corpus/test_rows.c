/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of labels: order, ties, the K highest, the nearest one in logits. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "corpus/buffer.h"
#include "corpus/rows.h"
#include "corpus/select.h"
#include "suite.h"

enum { MAX_LABELS = 100 };

static double logit(double p) { return log(p) - log1p(-p); }

/* A selection without a model. */
typedef struct fixture {
  mien_selection selection;
  float thresholds[MAX_LABELS], scores[MAX_LABELS];
  double threshold_logits[MAX_LABELS];
  uint32_t words[(MAX_LABELS + 31) / 32];
  uint64_t order[MAX_LABELS];
  size_t n;
} fixture;

static void prepare(fixture *f, size_t n_labels) {
  f->selection.n_labels = n_labels;
  f->selection.thresholds = f->thresholds;
  f->selection.threshold_logits = f->threshold_logits;
  memset(f->words, 0, sizeof f->words);
  for (size_t i = 0; i < n_labels; i++) {
    f->threshold_logits[i] = logit((double)f->thresholds[i]);
    if (f->scores[i] > f->thresholds[i]) f->words[i / 32] |= 1u << (i % 32);
  }
}

static void choose(fixture *f) { f->n = mien_select_labels(&f->selection, f->words, f->scores, f->order); }

static size_t label_at(const fixture *f, size_t i) { return (size_t)(uint32_t)f->order[i]; }

static void check_order(const fixture *f) {
  for (size_t i = 1; i < f->n; i++) {
    size_t a = label_at(f, i - 1), b = label_at(f, i);
    require(f->scores[a] > f->scores[b] || (f->scores[a] == f->scores[b] && a < b), "%zu before %zu", a, b);
  }
}

static void random_scores(fixture *f, size_t n, uint64_t *state) {
  for (size_t i = 0; i < n; i++) {
    /* few values, so that ties and scores on the threshold are common */
    f->scores[i] = (float)(random_bits(state) % 9) / 8;
    f->thresholds[i] = (float)(random_bits(state) % 9) / 8;
  }
}

START_TEST(labels_above_their_thresholds_come_highest_first) {
  static const size_t sizes[] = {1, 2, 28, 31, 32, 33, 64, 65, MAX_LABELS};
  uint64_t state = 3;
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (int i = 0; i < 1000; i++) {
      fixture f = {0};
      random_scores(&f, sizes[s], &state);
      prepare(&f, sizes[s]);
      choose(&f);
      size_t expected = 0;
      for (size_t l = 0; l < sizes[s]; l++) expected += f.scores[l] > f.thresholds[l];
      require(f.n == expected, "%zu labels, expected %zu", f.n, expected);
      for (size_t k = 0; k < f.n; k++)
        require(f.scores[label_at(&f, k)] > f.thresholds[label_at(&f, k)], "label %zu was not given", label_at(&f, k));
      check_order(&f);
    }
  }
}
END_TEST

START_TEST(top_k_lists_the_highest_whatever_their_thresholds) {
  uint64_t state = 4;
  for (size_t n = 1; n <= MAX_LABELS; n += 9) {
    for (size_t k = 1; k <= n; k++) {
      fixture f = {.selection = {.top_k = k}};
      random_scores(&f, n, &state);
      prepare(&f, n);
      choose(&f);
      require(f.n == k, "%zu labels, expected %zu", f.n, k);
      check_order(&f);
      size_t higher = 0;
      float least = f.scores[label_at(&f, k - 1)];
      for (size_t l = 0; l < n; l++) higher += f.scores[l] > least;
      require(higher < k, "%zu scores are above the least of %zu listed", higher, k);
    }
  }
}
END_TEST

START_TEST(a_row_without_labels_gets_the_nearest_in_logits) {
  static const struct {
    float scores[3], thresholds[3];
    size_t label;
  } cases[] = {
      {{0.1f, 0.2f, 0.3f}, {0.2f, 0.5f, 0.9f}, 0},              /* 0.1 to 0.2 is nearer in logits than 0.2 to 0.5 */
      {{0.40f, 0.90f, 0.1f}, {0.45f, 0.93f, 0.9f}, 0},          /* though 0.90 to 0.93 is nearer in probability */
      {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 0},              /* ties: the first */
      {{0.4f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, 1},              /* on the threshold is at distance 0 */
      {{0.0f, 0.0f, 1e-30f}, {0.5f, 0.5f, 0.5f}, 2},            /* a score of 0 is infinitely far */
      {{0.9f, 0.1f, 0.9f}, {1.0f, 0.2f, 1.0f}, 1},              /* and so is a threshold of 1 */
      {{0.0f, 0.3f, 0.0f}, {0.0f, 0.4f, 0.5f}, 0},              /* 0 and 0 are equal: distance 0 */
      {{0.3f, 1.0f, 0.3f}, {0.4f, 1.0f, 0.4f}, 1},              /* 1 and 1 too */
      {{0.0f, 0.0f, 0.0f}, {1.0f, 1.0f, 1.0f}, 0},              /* all infinitely far: the first */
      {{0.99999994f, 0.5f, 0.5f}, {1.0f, 0.5000001f, 0.6f}, 1}, /* whatever the score */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fixture f = {.selection = {.min_one_label = true}};
    memcpy(f.scores, cases[i].scores, sizeof cases[i].scores);
    memcpy(f.thresholds, cases[i].thresholds, sizeof cases[i].thresholds);
    prepare(&f, 3);
    choose(&f);
    ck_assert_msg(f.n == 1 && label_at(&f, 0) == cases[i].label, "case %zu: %zu labels, the first is %zu, expected %zu",
                  i, f.n, label_at(&f, 0), cases[i].label);
  }
}
END_TEST

START_TEST(a_row_with_labels_gets_no_more_by_min_labels) {
  fixture f = {.selection = {.min_one_label = true}, .scores = {0.1f, 0.6f}, .thresholds = {0.11f, 0.5f}};
  prepare(&f, 2);
  choose(&f);
  ck_assert_uint_eq(f.n, 1);
  ck_assert_uint_eq(label_at(&f, 0), 1);
}
END_TEST

typedef bool quote(mien_buffer *buffer, const char *text, size_t size);

static void check_quote(quote *append, const char *text, const char *expected) {
  mien_buffer buffer = {0};
  ck_assert(append(&buffer, text, strlen(text)) && mien_buffer_append(&buffer, "", 1));
  ck_assert_str_eq(buffer.bytes, expected);
  mien_buffer_free(&buffer);
}

START_TEST(names_are_quoted_as_each_format_wants) {
  check_quote(mien_buffer_append_json, "joy", "\"joy\"");
  check_quote(mien_buffer_append_json, "a \"b\" \\ \n \x01 \xC3\xA9", "\"a \\\"b\\\" \\\\ \\n \\u0001 \xC3\xA9\"");
  check_quote(mien_buffer_append_json, "\xFFx\xC3", "\"\xEF\xBF\xBDx\xEF\xBF\xBD\"");
  check_quote(mien_buffer_append_csv, "joy", "joy");
  check_quote(mien_buffer_append_csv, "a,b", "\"a,b\"");
  check_quote(mien_buffer_append_csv, "a \"b\"", "\"a \"\"b\"\"\"");
  check_quote(mien_buffer_append_csv, "a\nb", "\"a\nb\"");
}
END_TEST

static void check_shown(const char *text, size_t size, size_t columns, const char *expected, size_t expected_columns) {
  mien_buffer buffer = {0};
  size_t used = 0;
  ck_assert(mien_buffer_append_shown(&buffer, text, size, columns, &used) && mien_buffer_append(&buffer, "", 1));
  ck_assert_str_eq(buffer.bytes, expected);
  ck_assert_uint_eq(used, expected_columns);
  mien_buffer_free(&buffer);
}

START_TEST(texts_are_shown_in_one_line_and_harmless) {
  check_shown("", 0, 1, "", 0);
  check_shown("happy", 5, 5, "happy", 5);
  check_shown("happy", 5, 4, "hap\u2026", 4);
  check_shown("happy", 5, 1, "\u2026", 1);
  check_shown("a\n\tb\r", 5, 9, "a  b ", 5);
  check_shown("\x1b[31m\0\x7F\xC2\x9B", 9, 9, "\uFFFD[31m\uFFFD\uFFFD\uFFFD", 8);
  check_shown("\xFF\xC3(", 3, 9, "\uFFFD\uFFFD(", 3);
  check_shown("a\u202E\u2066b", 8, 9, "ab", 2);
  check_shown("e\u0301x", 4, 2, "e\u0301x", 2);
  check_shown("\u65E5\u672C\u8A9E", 9, 6, "\u65E5\u672C\u8A9E", 6);
  check_shown("\u65E5\u672C\u8A9E", 9, 5, "\u65E5\u672C\u2026", 5);
  check_shown("\u65E5\u672C\u8A9E", 9, 4, "\u65E5\u2026", 3);
}
END_TEST

static void check_name(const mien_row_format *rows, const char *name, const char *expected) {
  mien_buffer buffer = {0};
  ck_assert(mien_row_append_name(rows, (mien_span){name, strlen(name)}, &buffer) && mien_buffer_append(&buffer, "", 1));
  ck_assert_str_eq(buffer.bytes, expected);
  mien_buffer_free(&buffer);
}

START_TEST(no_two_fields_of_an_output_have_one_name) {
  mien_row_format rows = {.options.format = MIEN_OUTPUT_JSONL};
  check_name(&rows, "", "");
  check_name(&rows, "text", "text");
  check_name(&rows, "label", "label");
  check_name(&rows, "labels", "input_labels");
  check_name(&rows, "input_labels", "input_input_labels");
  check_name(&rows, "input_", "input_");
  check_name(&rows, "input_text", "input_text");
  check_name(&rows, "id", "id");
  rows.options.has_id = true;
  check_name(&rows, "id", "input_id");
  check_name(&rows, "input_input_id", "input_input_input_id");
  rows.options = (mien_row_options){.format = MIEN_OUTPUT_CSV};
  check_name(&rows, "id", "input_id");
}
END_TEST

MIEN_SUITE("rows", labels_above_their_thresholds_come_highest_first, top_k_lists_the_highest_whatever_their_thresholds,
           a_row_without_labels_gets_the_nearest_in_logits, a_row_with_labels_gets_no_more_by_min_labels,
           names_are_quoted_as_each_format_wants, texts_are_shown_in_one_line_and_harmless,
           no_two_fields_of_an_output_have_one_name)
