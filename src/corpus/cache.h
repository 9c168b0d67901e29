/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of texts by the texts' bytes, shared by a run's workers in a fixed amount of memory: the oldest give way.
 * Whether a result is found depends on what other workers did before; what is found is what was put there.
 */
#ifndef MIEN_CORPUS_CACHE_H
#define MIEN_CORPUS_CACHE_H

#include <stdbool.h>

#include "base/status.h"

enum {
  MIEN_CACHE_BYTES = 64 << 20,      /* of memory, which is taken as it fills: some 300 thousand short texts' scores */
  MIEN_CACHE_TEXT_BYTES = 64 << 10, /* longer texts are not kept */
};

typedef struct mien_cache mien_cache;

/* Of results of `result_bytes` each. */
MIEN_MUST_USE mien_status mien_cache_create(size_t result_bytes, mien_cache **cache, mien_error *error);
void mien_cache_destroy(mien_cache *cache);

/* Copies what was added for a text of these bytes; false where there is nothing (any more). `hash` is mien_hash of the
 * bytes. Thread-safe, as is mien_cache_add. */
bool mien_cache_find(mien_cache *cache, mien_text text, uint64_t hash, void *result);

/* Keeps a copy of the text and its result, unless there is one. */
void mien_cache_add(mien_cache *cache, mien_text text, uint64_t hash, const void *result);

#endif
