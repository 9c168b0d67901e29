/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: on one line, in UTF-8 up to where they are cut, and with what came before them. */
#include <errno.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "suite.h"

START_TEST(the_code_is_kept_and_returned) {
  mien_error error = {0};
  ck_assert_int_eq(mien_fail(&error, MIEN_ARGUMENT, "%s: %d", "rows", 3), MIEN_ARGUMENT);
  ck_assert_int_eq(error.code, MIEN_ARGUMENT);
  ck_assert_str_eq(error.message, "rows: 3");
  ck_assert_int_eq(mien_fail(NULL, MIEN_INPUT, "nobody listens"), MIEN_INPUT);
  ck_assert_int_eq(mien_fail_prefix(NULL, MIEN_INPUT, "nobody"), MIEN_INPUT);
}
END_TEST

/* One byte before them moves the cut through each byte of a character. */
START_TEST(a_long_message_is_cut_between_characters) {
  static const char *const characters[] = {"x", "é", "€", "😀"};
  char text[2 * sizeof((mien_error *)0)->message];
  for (size_t c = 0; c < 4; c++)
    for (size_t before = 0; before < 4; before++) {
      const size_t bytes = strlen(characters[c]);
      size_t length = before;
      memset(text, 'a', before);
      for (; length + bytes < sizeof text; length += bytes) memcpy(text + length, characters[c], bytes);
      text[length] = '\0';
      mien_error error;
      mien_fail(&error, MIEN_INPUT, "%s", text);
      const size_t kept = strlen(error.message), most = sizeof error.message - 1;
      require(kept <= most && kept + bytes > most, "%s after %zu: expected about %zu bytes, found %zu", characters[c],
              before, most, kept);
      require((kept - before) % bytes == 0 && memcmp(error.message, text, kept) == 0, "%s after %zu: found %s",
              characters[c], before, error.message);
    }
}
END_TEST

START_TEST(invalid_bytes_and_controls_are_question_marks) {
  static const struct {
    const char *text, *shown;
  } cases[] = {
      {"a\nb\tc\x1B[31m\x7F", "a?b?c?[31m?"},             /* C0 and DEL */
      {"a\xC2\x80z\xC2\x9Fz\xC2\xA0", "a??z??z\xC2\xA0"}, /* C1; U+00A0 is none */
      {"a\xFFz\xC3(\xE2\x82", "a?z?(??"},
      {"\xED\xA0\x80", "???"}, /* a surrogate */
      {"é€😀", "é€😀"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    mien_error error;
    mien_fail(&error, MIEN_INPUT, "%s", cases[i].text);
    ck_assert_str_eq(error.message, cases[i].shown);
  }
}
END_TEST

START_TEST(a_prefix_goes_before_the_message) {
  mien_error error;
  mien_fail(&error, MIEN_INPUT, "byte 7: %s", "truncated");
  ck_assert_int_eq(mien_fail_prefix(&error, MIEN_INPUT, "model.onnx"), MIEN_INPUT);
  ck_assert_str_eq(error.message, "model.onnx: byte 7: truncated");
  char text[sizeof error.message];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  mien_fail(&error, MIEN_INPUT, "%s", text);
  mien_fail_prefix(&error, MIEN_INPUT, "a");
  ck_assert_uint_eq(strlen(error.message), sizeof error.message - 1);
  ck_assert(strncmp(error.message, "a: xxx", 6) == 0);
}
END_TEST

START_TEST(what_the_system_lacks_is_no_fault_of_the_input) {
  mien_error error;
  ck_assert_int_eq(mien_fail_system(&error, "f", ENOENT), MIEN_INPUT);
  ck_assert(strncmp(error.message, "f: ", 3) == 0);
  const int lacks[] = {ENOMEM, EMFILE, ENFILE};
  for (size_t i = 0; i < 3; i++) ck_assert_int_eq(mien_fail_system(&error, "f", lacks[i]), MIEN_RESOURCE);
  ck_assert_int_eq(mien_fail_memory(&error, "rows", 12), MIEN_RESOURCE);
  ck_assert_str_eq(error.message, "rows: out of memory: 12 bytes were asked for");
}
END_TEST

MIEN_SUITE("status", the_code_is_kept_and_returned, a_long_message_is_cut_between_characters,
           invalid_bytes_and_controls_are_question_marks, a_prefix_goes_before_the_message,
           what_the_system_lacks_is_no_fault_of_the_input)
