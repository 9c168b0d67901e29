/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets: their names, which go together, and how MIEN_ISA picks one. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "suite.h"

START_TEST(names_differ) {
  for (int i = 0; i < MIEN_ISA_COUNT; i++)
    for (int k = 0; k < i; k++) ck_assert_str_ne(mien_isa_name((mien_isa)i), mien_isa_name((mien_isa)k));
}
END_TEST

START_TEST(what_is_available_goes_together) {
  static const mien_isa needs[][2] = {
      {MIEN_ISA_AVXVNNI, MIEN_ISA_AVX2},      {MIEN_ISA_AVX512, MIEN_ISA_AVX2},
      {MIEN_ISA_AVX512VNNI, MIEN_ISA_AVX512}, {MIEN_ISA_AVX512BF16, MIEN_ISA_AVX512VNNI},
      {MIEN_ISA_AMX, MIEN_ISA_AVX512BF16},    {MIEN_ISA_NEONDOT, MIEN_ISA_NEON},
  };
  ck_assert(mien_isa_available(MIEN_ISA_PORTABLE));
  for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
    ck_assert_msg(!mien_isa_available(needs[i][0]) || mien_isa_available(needs[i][1]), "%s without %s",
                  mien_isa_name(needs[i][0]), mien_isa_name(needs[i][1]));
  ck_assert(!(mien_isa_available(MIEN_ISA_AVX2) && mien_isa_available(MIEN_ISA_NEON)));
}
END_TEST

START_TEST(what_is_not_available_has_a_reason_that_stays) {
  for (int i = 0; i < MIEN_ISA_COUNT; i++) {
    char first[MIEN_ISA_MISSING_CHARS], second[MIEN_ISA_MISSING_CHARS];
    const char *reason = mien_isa_missing((mien_isa)i, first), *again = mien_isa_missing((mien_isa)i, second);
    ck_assert_msg((reason == NULL) == mien_isa_available((mien_isa)i), "%s: %s", mien_isa_name((mien_isa)i),
                  reason ? reason : "no reason");
    if (!reason) continue;
    ck_assert(strlen(reason) > 0);
    ck_assert_str_eq(reason, again);
  }
}
END_TEST

START_TEST(the_best_within_a_set_is_one_that_is_there_and_no_higher) {
  for (int i = 0; i < MIEN_ISA_COUNT; i++)
    for (unsigned some = 0; some < 1u << MIEN_ISA_COUNT; some++) {
      const mien_isa best = mien_isa_best((mien_isa)i, some);
      ck_assert(best <= (mien_isa)i && mien_isa_available(best) && (best == MIEN_ISA_PORTABLE || some >> best & 1));
    }
}
END_TEST

START_TEST(avx_vnni_is_no_part_of_avx512) {
  const unsigned some = 1u << MIEN_ISA_AVX2 | 1u << MIEN_ISA_AVXVNNI;
  for (int i = MIEN_ISA_AVX512; i <= MIEN_ISA_AMX; i++)
    if (mien_isa_available((mien_isa)i)) ck_assert_int_eq(mien_isa_best((mien_isa)i, some), MIEN_ISA_AVX2);
}
END_TEST

START_TEST(the_environment_picks_what_is_there) {
  for (int i = 0; i < MIEN_ISA_COUNT; i++) {
    mien_isa isa = MIEN_ISA_COUNT;
    mien_error error = {0};
    setenv("MIEN_ISA", mien_isa_name((mien_isa)i), 1);
    mien_status status = mien_isa_choose(&isa, &error);
    if (mien_isa_available((mien_isa)i)) {
      ck_assert_int_eq(status, MIEN_OK);
      ck_assert_int_eq(isa, i);
    } else {
      ck_assert_int_eq(status, MIEN_RESOURCE);
      char text[MIEN_ISA_MISSING_CHARS];
      ck_assert_msg(strstr(error.message, mien_isa_name((mien_isa)i)), "%s", error.message);
      ck_assert_msg(strstr(error.message, mien_isa_missing((mien_isa)i, text)), "%s", error.message);
    }
  }
}
END_TEST

START_TEST(without_a_word_the_best_is_picked) {
  const char *const nothing[] = {NULL, ""};
  for (size_t i = 0; i < 2; i++) {
    mien_isa isa = MIEN_ISA_COUNT;
    unsetenv("MIEN_ISA");
    if (nothing[i]) setenv("MIEN_ISA", nothing[i], 1);
    ck_assert_int_eq(mien_isa_choose(&isa, NULL), MIEN_OK);
    ck_assert(mien_isa_available(isa));
    for (int better = (int)isa + 1; better < MIEN_ISA_COUNT; better++) ck_assert(!mien_isa_available((mien_isa)better));
  }
}
END_TEST

START_TEST(unknown_names_are_refused_with_a_list) {
  const char *const names[] = {"AVX2", "avx", "avx2 ", "sse"};
  for (size_t i = 0; i < 4; i++) {
    mien_isa isa;
    mien_error error = {0};
    setenv("MIEN_ISA", names[i], 1);
    ck_assert_int_eq(mien_isa_choose(&isa, &error), MIEN_ARGUMENT);
    ck_assert_msg(strstr(error.message, names[i]), "%s", error.message);
    for (int k = 0; k < MIEN_ISA_COUNT; k++)
      ck_assert_msg(strstr(error.message, mien_isa_name((mien_isa)k)), "%s", error.message);
  }
}
END_TEST

START_TEST(there_is_a_cpu) { ck_assert_uint_ge(mien_cpu_count(), 1); }
END_TEST

MIEN_SUITE("cpu", names_differ, what_is_available_goes_together, avx_vnni_is_no_part_of_avx512,
           what_is_not_available_has_a_reason_that_stays, the_best_within_a_set_is_one_that_is_there_and_no_higher,
           the_environment_picks_what_is_there, without_a_word_the_best_is_picked,
           unknown_names_are_refused_with_a_list, there_is_a_cpu)
