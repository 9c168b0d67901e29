/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: each worker once a run, in a thread of its own, without signals. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/threads.h"
#include "suite.h"

enum { MOST = 7, RUNS = 1000 };

static mien_pool *create(unsigned threads) {
  mien_pool *pool;
  mien_error error = {0};
  require(mien_pool_create(threads, &pool, &error) == MIEN_OK, "%s", error.message);
  ck_assert_uint_eq(mien_pool_threads(pool), threads);
  return pool;
}

/* Plain counters: the pool orders what its workers do in a run before what follows the run. */
typedef struct counts {
  unsigned of[MOST];
  atomic_uint strangers;
} counts;

static void count(void *user, unsigned worker) {
  counts *all = user;
  if (worker < MOST)
    all->of[worker]++;
  else
    all->strangers++;
}

START_TEST(every_worker_runs_once_a_run) {
  const unsigned sizes[] = {1, 2, MOST};
  for (size_t i = 0; i < 3; i++) {
    mien_pool *pool = create(sizes[i]);
    counts all = {0};
    for (unsigned run = 1; run <= RUNS; run++) {
      mien_pool_run(pool, count, &all);
      for (unsigned w = 0; w < MOST; w++) {
        const unsigned expected = w < sizes[i] ? run : 0;
        require(all.of[w] == expected, "%u threads, run %u, worker %u: expected %u, found %u", sizes[i], run, w,
                expected, all.of[w]);
      }
    }
    ck_assert_uint_eq(all.strangers, 0);
    mien_pool_destroy(pool);
  }
}
END_TEST

typedef struct masks {
  bool is_blocked[MOST], is_caller[MOST];
  pthread_t caller;
} masks;

static void look(void *user, unsigned worker) {
  masks *all = user;
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  all->is_blocked[worker] = sigismember(&now, SIGINT) == 1 && sigismember(&now, SIGTERM) == 1;
  all->is_caller[worker] = pthread_equal(all->caller, pthread_self());
}

START_TEST(signals_stay_with_the_callers_thread) {
  mien_pool *pool = create(MOST);
  masks all = {.caller = pthread_self()};
  mien_pool_run(pool, look, &all);
  for (unsigned w = 0; w < MOST; w++) {
    ck_assert_msg(all.is_blocked[w] == (w > 0), "worker %u: blocked: %d", w, all.is_blocked[w]);
    ck_assert_msg(all.is_caller[w] == (w == 0), "worker %u: the caller: %d", w, all.is_caller[w]);
  }
  mien_pool_destroy(pool);
}
END_TEST

START_TEST(a_pool_may_end_unused) {
  for (unsigned i = 0; i < 100; i++) mien_pool_destroy(create(i % MOST + 1));
  mien_pool_destroy(NULL);
}
END_TEST

MIEN_SUITE("threads", every_worker_runs_once_a_run, signals_stay_with_the_callers_thread, a_pool_may_end_unused)
