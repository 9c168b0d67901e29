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

/* The Unicode standard, table 3-11, and what Python and Rust make of the rest: one U+FFFD a maximal part. */
START_TEST(invalid_bytes_are_decoded_as_one_replacement_a_maximal_part) {
  enum { MOST = 8, BAD = 0xFFFD };
  static const struct {
    const char *text;
    uint32_t expected[MOST + 1];
  } cases[] = {
      {"a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80", {'a', 0xFC, 0x20AC, 0x1F600}},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", {BAD, BAD, BAD, BAD, 'A'}},
      {"\xC0\xAF\xE0\x80\xBF\x41", {BAD, BAD, BAD, BAD, BAD, 'A'}},
      {"\xED\xA0\x80\xED\xBF\x41", {BAD, BAD, BAD, BAD, BAD, 'A'}},
      {"\xF4\x91\x92\x93\xFF\x41", {BAD, BAD, BAD, BAD, BAD, 'A'}},
      {"\x80\xBF\xF4\x8F\xBF\xF0\x90", {BAD, BAD, BAD, BAD}},
      {"\xE2\x82", {BAD}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const size_t bytes = strlen(cases[i].text);
    size_t at = 0, n = 0;
    for (; at < bytes; n++) {
      uint32_t found;
      at += mien_utf8_decode(cases[i].text + at, bytes - at, &found);
      ck_assert_msg(n < MOST && found == cases[i].expected[n], "case %zu, character %zu: expected U+%04X, found U+%04X",
                    i, n, cases[i].expected[n], found);
    }
    ck_assert_msg(at == bytes && cases[i].expected[n] == 0, "case %zu: %zu of %zu bytes, %zu characters", i, at, bytes,
                  n);
  }
}
END_TEST

START_TEST(every_scalar_value_is_decoded_as_it_was_encoded) {
  for (uint32_t c = 0; c < 0x110000; c++) {
    char text[4];
    uint32_t found;
    if (c >= 0xD800 && c < 0xE000) continue;
    const size_t bytes = mien_utf8_encode(c, text);
    require(mien_utf8_character(text, bytes) == bytes, "U+%04X is not UTF-8 in %zu bytes", c, bytes);
    require(mien_utf8_decode(text, bytes, &found) == bytes && found == c, "expected U+%04X, found U+%04X", c, found);
  }
}
END_TEST

MIEN_SUITE("utf8", characters_are_those_of_the_unicode_standard, names_have_no_controls_and_are_not_empty,
           invalid_bytes_are_replaced_and_long_texts_cut_between_characters,
           invalid_bytes_are_decoded_as_one_replacement_a_maximal_part, every_scalar_value_is_decoded_as_it_was_encoded)
