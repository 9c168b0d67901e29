/* SPDX-License-Identifier: Apache-2.0 */
/* What a test's own process has cost, and the most that a refusal may. */
#ifndef MIEN_TESTS_COST_H
#define MIEN_TESTS_COST_H

#include <math.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#include "suite.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MIEN_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MIEN_SANITIZED
#endif

/* Longest that a refusal may take, in seconds of this processor's work, whoever else uses the machine, and the most
 * memory. Sanitizers and -O0 make many of one: there only the refusal counts. */
#if defined(NDEBUG) && !defined(MIEN_SANITIZED)
#define MIEN_LONGEST_REFUSAL 1.0
#define MIEN_LARGEST_REFUSAL ((size_t)64 << 20)
#else
#define MIEN_LONGEST_REFUSAL ((double)INFINITY)
#define MIEN_LARGEST_REFUSAL SIZE_MAX
#endif

static inline double cost_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The most memory that the process has had, in bytes; Linux counts it in KiB. */
static inline size_t cost_bytes(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (size_t)usage.ru_maxrss << 10;
}

/* Fails unless what came between took less than a refusal may: cost c = begin_cost(); …; expect_cheap(&c); */
typedef struct cost {
  double seconds;
  size_t bytes;
} cost;

static inline cost begin_cost(void) { return (cost){cost_seconds(), cost_bytes()}; }

static inline void expect_cheap(const cost *before) {
  const double seconds = cost_seconds() - before->seconds;
  const size_t bytes = cost_bytes() - before->bytes;
  ck_assert_msg(seconds < MIEN_LONGEST_REFUSAL, "took %g s", seconds);
  ck_assert_msg(bytes < MIEN_LARGEST_REFUSAL, "took %zu bytes", bytes);
}

#endif
