/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds of a clock that only goes forward, for what took how long. */
#ifndef MIEN_BASE_CLOCK_H
#define MIEN_BASE_CLOCK_H

#include <time.h>

static inline double mien_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
