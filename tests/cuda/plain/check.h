/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of Check's interface that the CUDA device's suites use, for machines without Check. A test is a process of
 * its own as with Check, so that a device that one has broken is whole for the next; with CK_FORK=no in the
 * environment, as Check has it, all are in one. PLAIN_TESTS="name name" runs these alone.
 *
 * A line a test on stdout: "passed NAME: SECONDS", "failed NAME: why" or "skipped NAME: why"; the values of a failed
 * assertion on stderr.
 */
#ifndef MIEN_TESTS_CUDA_PLAIN_CHECK_H
#define MIEN_TESTS_CUDA_PLAIN_CHECK_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vector>

enum { PLAIN_SKIPPED = 77, PLAIN_MISSING = 4 };

/* What ends a test that is not in a process of its own. */
struct plain_over {
  int code;
};
static bool plain_is_child;
[[noreturn]] static inline void plain_end(int code) {
  if (!plain_is_child) throw plain_over{code};
  fflush(NULL);
  _exit(code);
}

#include "../../plain/assertions.h"

static const char *plain_running = "", *plain_skip_all; /* the test's name; why the next run of the suite is skipped */

/* Ends the test: what it needs cannot be had here. */
[[noreturn]] static inline void plain_skip(const char *why) {
  printf("skipped %s: %s\n", plain_running, why);
  plain_end(PLAIN_SKIPPED);
}

/* Whether what the suite runs on is missing, and why: called in a process of its own, before the first test. */
static const char *(*plain_missing)(void);

struct TCase {
  double seconds = 0;
  void (*setup)(void) = NULL;
  std::vector<const TTest *> tests;
};
struct Suite {
  const char *name;
  TCase cases;
  int failed = 0;
};
typedef Suite SRunner;
enum { CK_NORMAL };

static inline Suite *suite_create(const char *name) { return new Suite{name, {}}; }
static inline TCase *tcase_create(const char *) { return new TCase; }
static inline void tcase_set_timeout(TCase *cases, double seconds) { cases->seconds = seconds; }
static inline void tcase_add_unchecked_fixture(TCase *cases, void (*setup)(void), void (*)(void)) {
  cases->setup = setup;
}
static inline void tcase_add_test(TCase *cases, const TTest *test) { cases->tests.push_back(test); }
static inline void suite_add_tcase(Suite *suite, TCase *cases) {
  suite->cases = *cases;
  delete cases;
}
static inline SRunner *srunner_create(Suite *suite) { return suite; }
static inline int srunner_ntests_failed(const SRunner *runner) { return runner->failed; }
static inline void srunner_free(SRunner *runner) { delete runner; }

static inline bool plain_forks(void) {
  const char *setting = getenv("CK_FORK");
  return !setting || strcmp(setting, "no") != 0;
}

static inline bool plain_is_wanted(const char *name) {
  const char *wanted = getenv("PLAIN_TESTS");
  const size_t length = strlen(name);
  if (!wanted || !*wanted) return true;
  for (const char *at = wanted; (at = strstr(at, name)) != NULL; at += length)
    if ((at == wanted || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) return true;
  return false;
}

/* The exit code of a child, or 128 and its signal as shells have it. */
static inline int plain_wait(pid_t child) {
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) return EXIT_FAILURE;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int plain_run_here(const TTest *test) {
  try {
    test->run();
  } catch (const plain_over &over) {
    return over.code;
  }
  return EXIT_SUCCESS;
}

static inline int plain_run_apart(const TTest *test, double seconds) {
  fflush(NULL);
  const pid_t child = fork();
  if (child != 0) return plain_wait(child);
  plain_is_child = true;
  alarm((unsigned)seconds);
  test->run();
  plain_end(EXIT_SUCCESS);
}

static inline double plain_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline bool plain_run_test(const TTest *test, double seconds) {
  const double start = plain_seconds();
  plain_running = test->name;
  const int code = plain_forks() ? plain_run_apart(test, seconds) : plain_run_here(test);
  if (code == PLAIN_SKIPPED) return true;
  if (code == EXIT_SUCCESS)
    printf("passed %s: %.3f\n", test->name, plain_seconds() - start);
  else if (code == 128 + SIGALRM)
    printf("failed %s: it took more than %.0f s\n", test->name, seconds);
  else if (code > 128)
    printf("failed %s: signal %d (%s)\n", test->name, code - 128, strsignal(code - 128));
  else
    printf("failed %s: code %d\n", test->name, code);
  return code == EXIT_SUCCESS;
}

/* Ends the program where there is nothing to test with. */
static inline void plain_check_missing(const char *suite) {
  const auto ask = [](const char *name) {
    const char *why = plain_missing ? plain_missing() : NULL;
    if (why) printf("missing %s: %s\n", name, why);
    fflush(stdout);
    return why != NULL;
  };
  fflush(NULL);
  bool is_missing;
  if (plain_forks()) {
    const pid_t child = fork();
    if (child == 0) _exit(ask(suite));
    is_missing = plain_wait(child) != EXIT_SUCCESS;
  } else {
    is_missing = ask(suite);
  }
  if (is_missing) exit(PLAIN_MISSING);
}

static inline void srunner_run_all(SRunner *runner, int) {
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  if (plain_skip_all) {
    printf("skipped %s: %s\n", runner->name, plain_skip_all);
    return;
  }
  plain_check_missing(runner->name);
  if (runner->cases.setup) runner->cases.setup();
  for (const TTest *test : runner->cases.tests)
    if (plain_is_wanted(test->name)) runner->failed += !plain_run_test(test, runner->cases.seconds);
}

#endif
