/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of worker threads for one caller at a time. */
#define _GNU_SOURCE
#include "base/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

typedef struct worker {
  mien_pool *pool;
  unsigned index;
  pthread_t thread;
} worker;

struct mien_pool {
  pthread_mutex_t lock;
  pthread_cond_t start, done;
  mien_pool_work work;
  void *user;
  unsigned long long round; /* counts mien_pool_run calls; a worker joins each once */
  unsigned running;
  bool stop;
  unsigned threads;
  unsigned started;
  worker workers[]; /* [threads]; the first is the caller and has no thread */
};

static void *worker_main(void *argument) {
  worker *self = argument;
  mien_pool *pool = self->pool;
  unsigned long long seen = 0;
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (!pool->stop && pool->round == seen) pthread_cond_wait(&pool->start, &pool->lock);
    if (pool->stop) break;
    seen = pool->round;
    pthread_mutex_unlock(&pool->lock);
    pool->work(pool->user, self->index);
    pthread_mutex_lock(&pool->lock);
    if (--pool->running == 0) pthread_cond_signal(&pool->done);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

mien_status mien_pool_create(unsigned threads, mien_pool **out, mien_error *error) {
  size_t bytes = sizeof(mien_pool) + threads * sizeof(worker);
  mien_pool *pool = mien_alloc(1, bytes);
  if (!pool) return mien_fail_memory(error, "thread pool", bytes);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->start, NULL);
  pthread_cond_init(&pool->done, NULL);
  pool->threads = threads;
  pool->started = 1;
  /* Signals belong to the program's own threads. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = 0;
  for (; pool->started < threads && !failed; pool->started += !failed) {
    worker *self = &pool->workers[pool->started];
    self->pool = pool;
    self->index = pool->started;
    failed = pthread_create(&self->thread, NULL, worker_main, self);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) {
    unsigned started = pool->started;
    mien_pool_destroy(pool);
    return mien_fail(error, MIEN_RESOURCE, "thread %u of %u could not be started: %s", started, threads,
                     strerror(failed));
  }
  *out = pool;
  return MIEN_OK;
}

void mien_pool_destroy(mien_pool *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  pool->stop = true;
  pthread_cond_broadcast(&pool->start);
  pthread_mutex_unlock(&pool->lock);
  for (unsigned i = 1; i < pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->start);
  pthread_cond_destroy(&pool->done);
  pthread_mutex_destroy(&pool->lock);
  mien_free(pool);
}

void mien_pool_abandon(mien_pool *pool) { mien_free(pool); }

unsigned mien_pool_threads(const mien_pool *pool) { return pool->threads; }

void mien_pool_run(mien_pool *pool, mien_pool_work work, void *user) {
  if (pool->threads > 1) {
    pthread_mutex_lock(&pool->lock);
    pool->work = work;
    pool->user = user;
    pool->running = pool->threads - 1;
    pool->round++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
  }
  work(user, 0);
  if (pool->threads > 1) {
    pthread_mutex_lock(&pool->lock);
    while (pool->running > 0) pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
  }
}
