/* SPDX-License-Identifier: Apache-2.0 */
/* thresholds.json: one number in [0, 1] for each label, or an error that names the label and the file. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cost.h"
#include "head/head.h"
#include "suite.h"

static char *labels[] = {"joy", "love", "Überraschung"};
static const mien_head head = {.n_labels = 3, .dim = 1, .labels = labels};

static mien_status parse(const char *json, float *thresholds, mien_error *error) {
  return mien_thresholds_parse(&head, json, strlen(json), "thresholds.json", thresholds, error);
}

START_TEST(numbers_are_rounded_to_float32_in_the_heads_order) {
  float thresholds[3];
  ck_assert_int_eq(parse("{\"Überraschung\": 1, \"love\": 0.1, \"joy\": 0}", thresholds, NULL), MIEN_OK);
  ck_assert(thresholds[0] == 0 && thresholds[1] == 0.1f && thresholds[2] == 1);
}
END_TEST

START_TEST(a_byte_order_mark_and_escapes_are_read) {
  float thresholds[3];
  ck_assert_int_eq(
      parse("\xEF\xBB\xBF{\"joy\": 1e-3, \"\\u006cove\": -0.0, \"\\u00dcberraschung\": 0.5}", thresholds, NULL),
      MIEN_OK);
  ck_assert(thresholds[0] == 1e-3f && thresholds[1] == 0 && !signbit(thresholds[1]) && thresholds[2] == 0.5f);
}
END_TEST

static const struct {
  const char *json;
  const char *const words[2];
} wrong[] = {
    {"{\"joy\": 0.5, \"Überraschung\": 1}", {"'love'", "missing"}},
    {"{\"joy\": 0.5, \"love\": 0.5, \"Überraschung\": 1, \"hope\": 0.5}", {"'hope'", "not one of the head's 3"}},
    {"{\"joy\": 0.5, \"love\": 0.5, \"joy\": 0.5, \"Überraschung\": 1}", {"'joy'", "duplicate"}},
    {"{\"joy\": 0.5, \"love\": true, \"Überraschung\": 1}", {"'love'", "found a boolean"}},
    {"{\"joy\": 0.5, \"love\": \"0.5\", \"Überraschung\": 1}", {"'love'", "found a string"}},
    {"{\"joy\": 0.5, \"love\": null, \"Überraschung\": 1}", {"'love'", "found null"}},
    {"{\"joy\": 0.5, \"love\": [0.5], \"Überraschung\": 1}", {"'love'", "found an array"}},
    {"{\"joy\": 0.5, \"love\": {}, \"Überraschung\": 1}", {"'love'", "found an object"}},
    {"{\"joy\": 0.5, \"love\": NaN, \"Überraschung\": 1}", {"'love'", "NaN"}},
    {"\xEF\xBB\xBF{\"joy\": 0.5, \"love\": NaN, \"Überraschung\": 1}", {"'love'", "NaN"}},
    {"{\"joy\": 0.5, \"love\": 1e999, \"Überraschung\": 1}", {"'love'", "overflow"}},
    {"{\"joy\": 0.5, \"love\": 1.0000001, \"Überraschung\": 1}", {"'love'", "[0, 1]"}},
    {"{\"joy\": 1.00000001, \"love\": 0.5, \"Überraschung\": 1}", {"'joy'", "found 1.00000001"}},
    {"{\"joy\": -1e-300, \"love\": 0.5, \"Überraschung\": 1}", {"'joy'", "found -1e-300"}},
    {"{\"joy\": 1e300, \"love\": 0.5, \"Überraschung\": 1}", {"'joy'", "found 1e300"}},
    {"{\"joy\": -1, \"love\": 0.5, \"Überraschung\": 1}", {"'joy'", "found -1"}},
    {"{\"joy\": 0.5, \"love\": 0.5", {"'love'", "end of file"}},
    {"[0.5, 0.5, 0.5]", {"expected a JSON object", "found an array"}},
    {"", {"thresholds.json", "end of file"}},
};

START_TEST(anything_else_is_refused_naming_label_and_file) {
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    float thresholds[3];
    mien_error error = {0};
    ck_assert_int_eq(parse(wrong[i].json, thresholds, &error), MIEN_INPUT);
    ck_assert_int_eq(error.code, MIEN_INPUT);
    ck_assert_msg(strncmp(error.message, "thresholds.json:", 16) == 0, "%s", error.message);
    for (int w = 0; w < 2; w++)
      ck_assert_msg(strstr(error.message, wrong[i].words[w]), "%s: expected %s: %s", wrong[i].json, wrong[i].words[w],
                    error.message);
  }
}
END_TEST

START_TEST(a_number_outside_zero_to_one_is_no_threshold) {
  const double numbers[] = {-1e-9, 1.0000000001, INFINITY, -INFINITY, NAN};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    float threshold = 0.25f;
    mien_error error = {0};
    ck_assert_int_eq(mien_threshold_check(numbers[i], "joy", &threshold, &error), MIEN_ARGUMENT);
    ck_assert_msg(strstr(error.message, "'joy'"), "%s", error.message);
    ck_assert(threshold == 0.25f);
  }
}
END_TEST

START_TEST(a_number_is_shown_with_all_its_digits_and_a_point) {
  static const struct {
    double number;
    const char *words;
  } cases[] = {{1.1, "found 1.1"}, {1.00000001, "found 1.00000001"}, {1.0000000000000002, "found 1.0000000000000002"},
               {2, "found 2"},     {-INFINITY, "found -inf"},        {1e22, "found 1e22"}};
  /* Where they are installed: points are commas there. */
  const char *const locales[] = {"C", "de_DE.UTF-8", "fr_FR.UTF-8"};
  for (size_t l = 0; l < 3; l++) {
    if (!setlocale(LC_ALL, locales[l])) continue;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      float threshold;
      mien_error error = {0};
      ck_assert_int_eq(mien_threshold_check(cases[i].number, "joy", &threshold, &error), MIEN_ARGUMENT);
      const char *found = strstr(error.message, "found");
      ck_assert_str_eq(found ? found : error.message, cases[i].words);
    }
  }
  setlocale(LC_ALL, "C");
}
END_TEST

/* Three labels need no megabytes: 64 KiB, and 6 bytes for each of a label's and 64. */
START_TEST(text_too_large_for_the_labels_is_refused_unparsed) {
  static const char object[] = "{\"joy\": 0, \"love\": 1, \"Überraschung\": 1}";
  const size_t most = (64 << 10) + 6 * (3 + 4 + 13) + 3 * 64, huge = (size_t)16 << 20;
  float thresholds[3];
  mien_error error = {0};
  ck_assert_uint_eq(mien_thresholds_max_bytes(&head), most);
  char *json = malloc(huge);
  ck_assert_ptr_nonnull(json);
  memset(json, ' ', huge);
  memcpy(json, object, sizeof object - 1);
  ck_assert_int_eq(mien_thresholds_parse(&head, json, most, "t", thresholds, NULL), MIEN_OK);
  ck_assert_int_eq(mien_thresholds_parse(&head, json, most + 1, "t", thresholds, &error), MIEN_INPUT);
  ck_assert_str_eq(error.message, "t: too large: expected at most 65848 bytes, found 65849");
  memcpy(json, "{\"a\":[", 6);
  for (size_t i = 6; i + 3 <= huge; i += 3) memcpy(json + i, "{},", 3);
  const cost before = begin_cost();
  ck_assert_int_eq(mien_thresholds_parse(&head, json, huge, "t", thresholds, &error), MIEN_INPUT);
  ck_assert_int_eq(mien_thresholds_parse(&head, json, most, "t", thresholds, &error), MIEN_INPUT);
  expect_cheap(&before);
  free(json);
}
END_TEST

MIEN_SUITE("thresholds", numbers_are_rounded_to_float32_in_the_heads_order, a_byte_order_mark_and_escapes_are_read,
           anything_else_is_refused_naming_label_and_file, a_number_outside_zero_to_one_is_no_threshold,
           a_number_is_shown_with_all_its_digits_and_a_point, text_too_large_for_the_labels_is_refused_unparsed)
