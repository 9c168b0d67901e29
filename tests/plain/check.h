/* SPDX-License-Identifier: Apache-2.0 */
/* The part of Check's interface that the kernels' tests use, for machines without Check: first failure ends the run. */
#ifndef MIEN_TESTS_PLAIN_CHECK_H
#define MIEN_TESTS_PLAIN_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ck_abort_msg(...)                                                                                              \
  do {                                                                                                                 \
    fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                                    \
    fprintf(stderr, __VA_ARGS__);                                                                                      \
    fputc('\n', stderr);                                                                                               \
    exit(EXIT_FAILURE);                                                                                                \
  } while (0)
#define ck_assert_msg(condition, ...)                                                                                  \
  do {                                                                                                                 \
    if (!(condition)) ck_abort_msg(__VA_ARGS__);                                                                       \
  } while (0)
#define ck_assert(condition) ck_assert_msg(condition, "%s", #condition)
#define ck_assert_int_eq(a, b) ck_assert_msg((a) == (b), "%s == %s: %lld, %lld", #a, #b, (long long)(a), (long long)(b))
#define ck_assert_uint_eq(a, b) ck_assert_int_eq(a, b)
#define ck_assert_mem_eq(a, b, bytes) ck_assert_msg(memcmp(a, b, bytes) == 0, "%s == %s", #a, #b)

typedef struct TTest {
  const char *name;
  void (*run)(void);
} TTest;
#define START_TEST(test_name)                                                                                          \
  static void test_name##_run(void);                                                                                   \
  static const TTest test_name##_test = {#test_name, test_name##_run};                                                 \
  static const TTest *const test_name = &test_name##_test;                                                             \
  static void test_name##_run(void)
#define END_TEST

/* Suites are lists here: suite.h's main calls these. */
typedef struct Suite Suite;
typedef const char TCase;
typedef int SRunner;
enum { CK_NORMAL };
static int plain_tests;
static inline Suite *suite_create(const char *name) { return (printf("%s: ", name), NULL); }
static inline TCase *tcase_create(const char *name) { return name; }
static inline void tcase_set_timeout(TCase *cases, double seconds) { (void)cases, (void)seconds; }
static inline void tcase_add_unchecked_fixture(TCase *cases, void (*setup)(void), void (*teardown)(void)) {
  (void)cases, (void)teardown, setup();
}
static inline void tcase_add_test(TCase *cases, const TTest *test) { (void)cases, test->run(), plain_tests++; }
static inline void suite_add_tcase(Suite *suite, TCase *cases) { (void)suite, (void)cases; }
static inline SRunner *srunner_create(Suite *suite) { return ((void)suite, &plain_tests); }
static inline void srunner_run_all(SRunner *runner, int mode) { (void)mode, printf("%d tests passed\n", *runner); }
static inline int srunner_ntests_failed(const SRunner *runner) { return ((void)runner, 0); }
static inline void srunner_free(SRunner *runner) { (void)runner; }

#endif
