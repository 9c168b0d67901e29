/* SPDX-License-Identifier: Apache-2.0 */
/* Results of texts by their bytes: what is found is what was added, in bounded memory, by any number of threads. */
#include "corpus/cache.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/threads.h"
#include "suite.h"

static mien_error error;

static mien_cache *make(size_t result_bytes) {
  mien_cache *cache = NULL;
  ck_assert_msg(mien_cache_create(result_bytes, &cache, &error) == MIEN_OK, "%s", error.message);
  return cache;
}

/* Text and result number `i`, which the same bytes are in. */
static mien_text text_of(char *bytes, size_t capacity, uint64_t i) {
  return (mien_text){bytes, (size_t)snprintf(bytes, capacity, "text %llu", (unsigned long long)i)};
}

static uint64_t hash_of(mien_text text) { return mien_hash(text.bytes, text.size); }

static bool is_found(mien_cache *cache, uint64_t i, uint64_t *result) {
  char bytes[64];
  const mien_text text = text_of(bytes, sizeof bytes, i);
  return mien_cache_find(cache, text, hash_of(text), result);
}

static void add(mien_cache *cache, uint64_t i) {
  char bytes[64];
  const mien_text text = text_of(bytes, sizeof bytes, i);
  mien_cache_add(cache, text, hash_of(text), &i);
}

START_TEST(what_was_added_is_found_by_its_bytes_alone) {
  static const mien_text texts[] = {{NULL, 0}, {"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"ab", 2}, {"text", 4}};
  enum { TEXTS = sizeof texts / sizeof *texts };
  for (size_t bytes = 1; bytes < 2000; bytes = 3 * bytes + 1) {
    unsigned char result[2000], found[2000];
    mien_cache *cache = make(bytes);
    /* One hash for all: texts that share it are told apart, as many as a bucket has room for. */
    for (size_t i = 0; i < 4; i++) {
      ck_assert(!mien_cache_find(cache, texts[i], 7, found));
      memset(result, (int)i + 1, bytes);
      mien_cache_add(cache, texts[i], 7, result);
    }
    for (size_t i = 0; i < TEXTS; i++) {
      ck_assert_msg(mien_cache_find(cache, texts[i], 7, found) == (i < 4), "text %zu", i);
      for (size_t k = 0; i < 4 && k < bytes; k++) require(found[k] == i + 1, "byte %zu is %d", k, found[k]);
      ck_assert(!mien_cache_find(cache, texts[i], 8, found));
    }
    mien_cache_destroy(cache);
  }
}
END_TEST

START_TEST(the_oldest_give_way_and_nothing_is_ever_wrong) {
  enum { TEXTS = 2000000, NEWEST = 10000 };
  mien_cache *cache = make(sizeof(uint64_t));
  size_t n_newest = 0, n_oldest = 0;
  for (uint64_t i = 0; i < TEXTS; i++) add(cache, i);
  for (uint64_t i = 0; i < TEXTS; i++) {
    uint64_t result = 0;
    if (!is_found(cache, i, &result)) continue;
    require(result == i, "text %llu: found %llu", (unsigned long long)i, (unsigned long long)result);
    n_newest += i >= TEXTS - NEWEST;
    n_oldest += i < NEWEST;
  }
  ck_assert_uint_eq(n_oldest, 0);
  /* Buckets are small: a few lose an entry before its time. */
  ck_assert_uint_ge(n_newest, NEWEST - NEWEST / 100);
  mien_cache_destroy(cache);
}
END_TEST

START_TEST(texts_up_to_a_length_are_kept) {
  char *bytes = mien_alloc(MIEN_CACHE_TEXT_BYTES + 1, 1);
  mien_cache *cache = make(1);
  /* Entries of many sizes, around the end of a ring too. */
  for (int i = 0; i < 5000; i++) {
    const mien_text text = {bytes, (size_t)(i * 37 % MIEN_CACHE_TEXT_BYTES)};
    const unsigned char result = (unsigned char)i;
    unsigned char found = 0;
    memcpy(bytes, &i, sizeof i);
    mien_cache_add(cache, text, (uint64_t)i << 40, &result);
    require(mien_cache_find(cache, text, (uint64_t)i << 40, &found) && found == result, "text %d", i);
  }
  const unsigned char result = 1;
  unsigned char found;
  const mien_text longest = {bytes, MIEN_CACHE_TEXT_BYTES}, longer = {bytes, MIEN_CACHE_TEXT_BYTES + 1};
  mien_cache_add(cache, longest, 1, &result);
  mien_cache_add(cache, longer, 2, &result);
  ck_assert(mien_cache_find(cache, longest, 1, &found));
  ck_assert(!mien_cache_find(cache, longer, 2, &found));
  mien_cache_destroy(cache);
  mien_free(bytes);
}
END_TEST

static void add_and_find(void *user, unsigned worker) {
  mien_cache *cache = user;
  uint64_t state = worker + 1;
  for (int i = 0; i < 200000; i++) {
    const uint64_t number = random_bits(&state) % 1000;
    uint64_t result = number;
    if (!is_found(cache, number, &result)) add(cache, number);
    require(result == number, "text %llu: found %llu", (unsigned long long)number, (unsigned long long)result);
  }
}

START_TEST(threads_share_it) {
  enum { THREADS = 8 };
  mien_cache *cache = make(sizeof(uint64_t));
  mien_pool *pool = NULL;
  ck_assert_int_eq(mien_pool_create(THREADS, &pool, &error), MIEN_OK);
  mien_pool_run(pool, add_and_find, cache);
  mien_pool_destroy(pool);
  for (uint64_t i = 0; i < 1000; i++) {
    uint64_t result = 0;
    require(is_found(cache, i, &result) && result == i, "text %llu", (unsigned long long)i);
  }
  mien_cache_destroy(cache);
}
END_TEST

MIEN_SUITE("cache", what_was_added_is_found_by_its_bytes_alone, the_oldest_give_way_and_nothing_is_ever_wrong,
           texts_up_to_a_length_are_kept, threads_share_it)
