/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of worker threads for one caller at a time. */
#ifndef MIEN_BASE_THREADS_H
#define MIEN_BASE_THREADS_H

#include "base/status.h"

typedef struct mien_pool mien_pool;

/* `worker` is below the pool's thread count; worker 0 is the calling thread. */
typedef void (*mien_pool_work)(void *user, unsigned worker);

/* A pool of `threads` (≥ 1) threads, the caller's among them; threads - 1 are started, with all signals blocked. */
MIEN_MUST_USE mien_status mien_pool_create(unsigned threads, mien_pool **pool, mien_error *error);
void mien_pool_destroy(mien_pool *pool);

/* Frees the memory only: for a child after fork, where the threads do not exist. */
void mien_pool_abandon(mien_pool *pool);

unsigned mien_pool_threads(const mien_pool *pool);

/* Runs `work` once on every worker and returns when all have. */
void mien_pool_run(mien_pool *pool, mien_pool_work work, void *user);

#endif
