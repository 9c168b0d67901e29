/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a run's workers goes, and which stage the run waits for. */
#include "corpus/stages.h"

#include "base/clock.h"

const char *mien_stage_name(mien_stage stage) {
  static const char *const names[] = {"read", "parse", "tokenize", "forward", "format", "write", "wait"};
  _Static_assert(sizeof names / sizeof *names == MIEN_STAGES, "a name each");
  return names[stage];
}

void mien_stage_lap(mien_stage_times *times, mien_stage stage, double *mark) {
  const double now = mien_now();
  times->seconds[stage] += now - *mark;
  *mark = now;
}

void mien_stage_add(mien_stage_times *times, const mien_stage_times *more) {
  for (int i = 0; i < MIEN_STAGES; i++) times->seconds[i] += more->seconds[i];
  times->reader_seconds += more->reader_seconds;
}

mien_stage mien_stage_bottleneck(const mien_stage_times *times, unsigned threads, double seconds) {
  mien_stage longest = MIEN_STAGE_READ;
  double work = -times->reader_seconds - times->seconds[MIEN_STAGE_WRITE];
  for (int i = 0; i < MIEN_STAGES; i++) {
    if (i == MIEN_STAGE_WAIT) continue;
    work += times->seconds[i];
    if (times->seconds[i] > times->seconds[longest]) longest = (mien_stage)i;
  }
  const double reader = times->reader_seconds / seconds, writer = times->seconds[MIEN_STAGE_WRITE] / seconds;
  const double workers = work / (seconds * threads);
  if (reader >= workers && reader >= writer) return MIEN_STAGE_READ;
  if (writer >= workers) return MIEN_STAGE_WRITE;
  return longest;
}
