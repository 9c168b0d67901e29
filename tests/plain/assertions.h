/* SPDX-License-Identifier: Apache-2.0 */
/* Check's assertions and tests for runners that stand in for it, which say what ends a test: plain_end. */
#ifndef MIEN_TESTS_PLAIN_ASSERTIONS_H
#define MIEN_TESTS_PLAIN_ASSERTIONS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ck_abort_msg(...)                                                                                              \
  do {                                                                                                                 \
    fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                                    \
    fprintf(stderr, __VA_ARGS__);                                                                                      \
    fputc('\n', stderr);                                                                                               \
    plain_end(EXIT_FAILURE);                                                                                           \
  } while (0)
#define ck_abort() ck_abort_msg("%s", "aborted")
#define ck_assert_msg(condition, ...)                                                                                  \
  do {                                                                                                                 \
    if (!(condition)) ck_abort_msg(__VA_ARGS__);                                                                       \
  } while (0)
#define ck_assert(condition) ck_assert_msg(condition, "%s", #condition)

/* Both sides are evaluated once, and printed. */
#define PLAIN_COMPARE(type, format, a, operation, b)                                                                   \
  do {                                                                                                                 \
    const type plain_a = (type)(a), plain_b = (type)(b);                                                               \
    ck_assert_msg(plain_a operation plain_b, "%s %s %s: " format ", " format, #a, #operation, #b, plain_a, plain_b);   \
  } while (0)
#define ck_assert_int_eq(a, b) PLAIN_COMPARE(long long, "%lld", a, ==, b)
#define ck_assert_int_ne(a, b) PLAIN_COMPARE(long long, "%lld", a, !=, b)
#define ck_assert_int_lt(a, b) PLAIN_COMPARE(long long, "%lld", a, <, b)
#define ck_assert_int_le(a, b) PLAIN_COMPARE(long long, "%lld", a, <=, b)
#define ck_assert_int_gt(a, b) PLAIN_COMPARE(long long, "%lld", a, >, b)
#define ck_assert_int_ge(a, b) PLAIN_COMPARE(long long, "%lld", a, >=, b)
#define ck_assert_uint_eq(a, b) PLAIN_COMPARE(unsigned long long, "%llu", a, ==, b)
#define ck_assert_uint_ne(a, b) PLAIN_COMPARE(unsigned long long, "%llu", a, !=, b)
#define ck_assert_uint_lt(a, b) PLAIN_COMPARE(unsigned long long, "%llu", a, <, b)
#define ck_assert_uint_le(a, b) PLAIN_COMPARE(unsigned long long, "%llu", a, <=, b)
#define ck_assert_uint_gt(a, b) PLAIN_COMPARE(unsigned long long, "%llu", a, >, b)
#define ck_assert_uint_ge(a, b) PLAIN_COMPARE(unsigned long long, "%llu", a, >=, b)
#define ck_assert_double_eq(a, b) PLAIN_COMPARE(double, "%.17g", a, ==, b)
#define ck_assert_double_lt(a, b) PLAIN_COMPARE(double, "%.17g", a, <, b)
#define ck_assert_double_le(a, b) PLAIN_COMPARE(double, "%.17g", a, <=, b)
#define ck_assert_float_eq(a, b) PLAIN_COMPARE(double, "%.9g", a, ==, b)
#define ck_assert_ptr_eq(a, b) PLAIN_COMPARE(void *, "%p", a, ==, b)
#define ck_assert_ptr_ne(a, b) PLAIN_COMPARE(void *, "%p", a, !=, b)
#define ck_assert_ptr_null(a) ck_assert_ptr_eq(a, 0)
#define ck_assert_ptr_nonnull(a) ck_assert_ptr_ne(a, 0)
#define ck_assert_str_eq(a, b)                                                                                         \
  do {                                                                                                                 \
    const char *const plain_a = (a), *const plain_b = (b);                                                             \
    ck_assert_msg(strcmp(plain_a, plain_b) == 0, "%s == %s: \"%s\", \"%s\"", #a, #b, plain_a, plain_b);                \
  } while (0)
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

#endif
