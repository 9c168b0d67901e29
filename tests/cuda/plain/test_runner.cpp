/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that end in every way there is, for test_runner.sh to see what the runner makes of them. */
#include "suite.h"

START_TEST(passes) { ck_assert_int_eq(2 + 2, 4); }
END_TEST

START_TEST(prints_both_values) { ck_assert_uint_eq(2 + 2, 5); }
END_TEST

START_TEST(prints_strings) { ck_assert_str_eq("found", "expected"); }
END_TEST

START_TEST(is_skipped) { plain_skip("it needs what is not here"); }
END_TEST

START_TEST(crashes) { raise(SIGSEGV); }
END_TEST

START_TEST(hangs) {
  alarm(1);
  for (;;) pause();
}
END_TEST

MIEN_SUITE("runner", passes, prints_both_values, prints_strings, is_skipped, crashes, hangs)
