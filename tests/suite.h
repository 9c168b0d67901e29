/* SPDX-License-Identifier: Apache-2.0 */
/* The main function of a Check suite, and the random numbers that tests share. */
#ifndef MIEN_TESTS_SUITE_H
#define MIEN_TESTS_SUITE_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

/* Runs one test case between `setup` and `teardown`, which may be NULL; any failure is a failure of the program, whose
 * exit code is returned. */
static inline int run_suite(const char *name, const TTest *const *tests, size_t n_tests, void (*setup)(void),
                            void (*teardown)(void)) {
  Suite *suite = suite_create(name);
  TCase *cases = tcase_create(name);
  tcase_set_timeout(cases, 300);
  if (setup) tcase_add_unchecked_fixture(cases, setup, teardown);
  for (size_t i = 0; i < n_tests; i++) tcase_add_test(cases, tests[i]);
  suite_add_tcase(suite, cases);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* int main for one test case: MIEN_SUITE("room", test_one, test_two). */
#define MIEN_SUITE(name, ...) MIEN_SUITE_BETWEEN(name, NULL, NULL, __VA_ARGS__)
#define MIEN_SUITE_BETWEEN(name, setup, teardown, ...)                                                                 \
  int main(void) {                                                                                                     \
    const TTest *const tests[] = {__VA_ARGS__};                                                                        \
    return run_suite(name, tests, sizeof tests / sizeof *tests, setup, teardown);                                      \
  }

/* An assertion for inner loops: Check's own report each pass to the parent process. */
#define require(condition, ...)                                                                                        \
  do {                                                                                                                 \
    if (!(condition)) ck_abort_msg(__VA_ARGS__);                                                                       \
  } while (0)

/* xorshift64*, Vigna 2016: the same numbers on every machine. */
static inline uint64_t random_bits(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1DULL;
}

/* Uniform in [-1, 1). */
static inline double random_unit(uint64_t *state) { return (double)(random_bits(state) >> 11) * 0x1p-52 - 1; }

#endif
