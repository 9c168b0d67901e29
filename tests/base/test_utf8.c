/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: what is a character, a name, and what is shown of the rest. */
#include <string.h>

#include "base/utf8.h"
#include "suite.h"

START_TEST(characters_are_those_of_the_unicode_standard) {
  static const struct {
    const char *text;
    size_t bytes;
  } cases[] = {
      {"a", 1},
      {"\xC3\xBC", 2},
      {"\xE2\x82\xAC", 3},
      {"\xF0\x9F\x98\x80", 4},
      {"\xF4\x8F\xBF\xBF", 4},
      {"\x80", 0},             /* a continuation alone */
      {"\xC0\x80", 0},         /* overlong */
      {"\xE0\x9F\xBF", 0},     /* overlong */
      {"\xF0\x8F\xBF\xBF", 0}, /* overlong */
      {"\xED\xA0\x80", 0},     /* a surrogate */
      {"\xF4\x90\x80\x80", 0}, /* above U+10FFFF */
      {"\xE2\x82", 0},         /* cut */
      {"\xE2\x28\xA1", 0},
      {"\xFF", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_uint_eq(mien_utf8_character(cases[i].text, strlen(cases[i].text)), cases[i].bytes);
}
END_TEST

START_TEST(names_have_no_controls_and_are_not_empty) {
  ck_assert(mien_utf8_is_name("joy", 3));
  ck_assert(mien_utf8_is_name("\xC3\xBC \xF0\x9F\x98\x80", 7));
  ck_assert(!mien_utf8_is_name("", 0));
  ck_assert(!mien_utf8_is_name("a\tb", 3));
  ck_assert(!mien_utf8_is_name("a\x7F", 2));
  ck_assert(!mien_utf8_is_name("\xC2\x85", 2)); /* NEL */
  ck_assert(!mien_utf8_is_name("a\xFF", 2));
  ck_assert(!mien_utf8_is_name("a\0b", 3));
}
END_TEST

START_TEST(invalid_bytes_are_replaced_and_long_texts_cut_between_characters) {
  char out[12];
  ck_assert_str_eq(mien_utf8_clean("a\xFF\xC3\xBC", 4, out, sizeof out), "a\xEF\xBF\xBD\xC3\xBC");
  ck_assert_str_eq(mien_utf8_clean("12345678901", 11, out, sizeof out), "12345678901");
  ck_assert_str_eq(mien_utf8_clean("123456789012", 12, out, sizeof out), "12345678\xE2\x80\xA6");
  ck_assert_str_eq(mien_utf8_clean("\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC", 12, out, sizeof out),
                   "\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xE2\x80\xA6");
  ck_assert_str_eq(mien_utf8_clean("", 0, out, sizeof out), "");
  ck_assert_str_eq(mien_utf8_clean("12345", 5, out, 4), "\xE2\x80\xA6");
}
END_TEST

MIEN_SUITE("utf8", characters_are_those_of_the_unicode_standard, names_have_no_controls_and_are_not_empty,
           invalid_bytes_are_replaced_and_long_texts_cut_between_characters)
