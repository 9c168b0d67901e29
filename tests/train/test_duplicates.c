/* SPDX-License-Identifier: Apache-2.0 */
/* Equal and alike texts, against a comparison of all pairs. */
#include "train/duplicates.h"

#include <math.h>
#include <stdio.h>

#include "suite.h"

static mien_normal_texts normal(const char *const *texts, size_t n) {
  mien_text rows[512];
  mien_normal_texts out = {0};
  mien_error error = {0};
  for (size_t i = 0; i < n; i++) rows[i] = (mien_text){texts[i], strlen(texts[i])};
  ck_assert_msg(mien_normal_texts_make(rows, n, &out, &error) == MIEN_OK, "%s", error.message);
  return out;
}

static void expect_normal(const char *text, const char *expected) {
  mien_normal_texts texts = normal(&text, 1);
  const mien_span found = mien_normal_text(&texts, 0);
  ck_assert_msg(found.size == strlen(expected) && memcmp(found.bytes, expected, found.size) == 0,
                "expected '%s', found '%.*s'", expected, (int)found.size, found.bytes);
  mien_normal_texts_free(&texts);
}

START_TEST(texts_have_a_normal_form) {
  expect_normal("", "");
  expect_normal(" \t\n ", "");
  expect_normal("  Déjà \t VU\r\n", "deja vu");
  expect_normal("İSTANBUL", "istanbul");
  expect_normal("a\x01"
                "b",
                "ab");
  expect_normal("\xE5\x8F\x8B\xE8\xAA\xBC!", "\xE5\x8F\x8B\xE8\xAA\xBC!"); /* no spaces around ideographs */
}
END_TEST

START_TEST(equal_texts_are_groups) {
  static const char *const texts[] = {"Hi there", "b", "hi  THERE", "c", "B", "hi thére ", "d"};
  static const size_t starts[] = {0, 3, 5}, rows[] = {0, 2, 5, 1, 4};
  mien_normal_texts all = normal(texts, 7);
  mien_groups groups;
  mien_error error = {0};
  ck_assert_int_eq(mien_duplicates_find(&all, &groups, &error), MIEN_OK);
  ck_assert_uint_eq(groups.n, 2);
  ck_assert_int_eq(memcmp(groups.starts, starts, sizeof starts), 0);
  ck_assert_int_eq(memcmp(groups.rows, rows, sizeof rows), 0);
  mien_groups_free(&groups);
  static const char *const held_out[] = {"B", "x", "hi there"};
  mien_normal_texts others = normal(held_out, 3);
  size_t first[7];
  ck_assert_int_eq(mien_duplicates_among(&all, &others, first, &error), MIEN_OK);
  static const size_t expected[] = {2, 0, 2, SIZE_MAX, 0, 2, SIZE_MAX};
  ck_assert_int_eq(memcmp(first, expected, sizeof expected), 0);
  mien_normal_texts_free(&others);
  mien_normal_texts_free(&all);
}
END_TEST

START_TEST(similarity_is_jaccards) {
  const mien_span a = {"abcdefgh", 8}, b = {"abcdefgx", 8}, c = {"ab", 2}, none = {"", 0};
  ck_assert_double_eq_tol(mien_similarity(a, b), 3.0 / 5, 1e-12); /* of 4 shingles each 3 are shared */
  ck_assert_double_eq(mien_similarity(a, a), 1);
  ck_assert_double_eq(mien_similarity(a, c), 0);
  ck_assert_double_eq(mien_similarity(none, none), 1);
  ck_assert_double_eq(mien_similarity(c, none), 0);
}
END_TEST

/* Texts of some 200 letters of which a few are changed: pairs on both sides of 0.9. */
START_TEST(near_texts_are_those_of_all_pairs) {
  enum { N = 300, LENGTH = 200 };
  static char memory[N][LENGTH + 1];
  const char *texts[N];
  uint64_t state = 5;
  for (size_t i = 0; i < N; i++) {
    for (size_t k = 0; k < LENGTH; k++)
      memory[i][k] = i % 3 ? memory[i - 1][k] : (char)('a' + random_bits(&state) % 26);
    for (size_t k = 0; i % 3 && k < 1 + i % 3; k++) memory[i][random_bits(&state) % LENGTH] = '#';
    texts[i] = memory[i];
  }
  mien_normal_texts all = normal(texts, N);
  mien_groups groups;
  mien_error error = {0};
  ck_assert_int_eq(mien_near_duplicates_find(&all, 0.9, NULL, &groups, &error), MIEN_OK);
  size_t expected[N], found[N], n_links = 0;
  for (size_t i = 0; i < N; i++) expected[i] = found[i] = i;
  for (size_t i = 0; i < N; i++)
    for (size_t k = 0; k < i; k++)
      if (mien_similarity(mien_normal_text(&all, k), mien_normal_text(&all, i)) >= 0.9) {
        const size_t from = expected[i], to = expected[k];
        n_links++;
        for (size_t j = 0; j < N; j++)
          if (expected[j] == from || expected[j] == to) expected[j] = from < to ? from : to;
      }
  for (size_t g = 0; g < groups.n; g++)
    for (size_t i = groups.starts[g]; i < groups.starts[g + 1]; i++)
      found[groups.rows[i]] = groups.rows[groups.starts[g]];
  ck_assert_uint_gt(n_links, 50);
  ck_assert_int_eq(memcmp(expected, found, sizeof found), 0);
  mien_groups_free(&groups);
  mien_normal_texts_free(&all);
}
END_TEST

MIEN_SUITE("duplicates", texts_have_a_normal_form, equal_texts_are_groups, similarity_is_jaccards,
           near_texts_are_those_of_all_pairs)
