/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of texts by the texts' bytes. The memory is in shards, by the hash, so that workers seldom wait for each
 * other. A shard's entries are written one behind the other into a ring, over the oldest ones; an index of small
 * buckets has where they begin, counted on without end, so that it shows by itself which of them are still whole.
 */
#include "corpus/cache.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"

enum {
  SHARD_BITS = 4,
  SHARDS = 1 << SHARD_BITS,
  SHARD_BYTES = MIEN_CACHE_BYTES / SHARDS,
  WAYS = 4, /* places of a bucket: those whose hashes begin alike */
  BUCKETS = 8192,
  RING_BYTES = SHARD_BYTES - BUCKETS * WAYS * (int)sizeof(uint64_t),
  UNIT = 8, /* what entries' places and sizes are multiples of */
};

/* Before an entry's result and its text. */
typedef struct header {
  uint64_t hash, text_bytes;
} header;

typedef struct shard {
  pthread_mutex_t lock;
  unsigned char *ring; /* [RING_BYTES] place p is byte p mod RING_BYTES */
  uint64_t *index;     /* [BUCKETS × WAYS] places of headers; 0: none */
  uint64_t end;        /* the place behind the newest entry */
} shard;

struct mien_cache {
  size_t result_bytes;
  shard shards[SHARDS];
};

mien_status mien_cache_create(size_t result_bytes, mien_cache **cache, mien_error *error) {
  mien_cache *made = mien_alloc(1, sizeof *made);
  if (!made) return mien_fail_memory(error, "duplicates", sizeof *made);
  bool complete = true;
  made->result_bytes = result_bytes;
  for (size_t i = 0; i < SHARDS; i++) {
    shard *s = &made->shards[i];
    pthread_mutex_init(&s->lock, NULL);
    s->ring = mien_alloc_raw(RING_BYTES);
    s->index = mien_alloc(BUCKETS * WAYS, sizeof *s->index);
    s->end = 2 * RING_BYTES; /* so far behind place 0 that nothing is there */
    complete = complete && s->ring && s->index;
  }
  if (complete) {
    *cache = made;
    return MIEN_OK;
  }
  mien_cache_destroy(made);
  return mien_fail_memory(error, "duplicates", MIEN_CACHE_BYTES);
}

void mien_cache_destroy(mien_cache *cache) {
  for (size_t i = 0; cache && i < SHARDS; i++) {
    mien_free(cache->shards[i].ring);
    mien_free(cache->shards[i].index);
    pthread_mutex_destroy(&cache->shards[i].lock);
  }
  mien_free(cache);
}

static shard *shard_of(mien_cache *cache, uint64_t hash) { return &cache->shards[hash >> (64 - SHARD_BITS)]; }

static uint64_t *bucket_of(const shard *s, uint64_t hash) { return s->index + hash % BUCKETS * WAYS; }

static bool is_whole(const shard *s, uint64_t place) { return s->end - place <= RING_BYTES; }

/* The text's result in the shard, whose lock is held, or NULL. */
static const unsigned char *find(const mien_cache *cache, const shard *s, mien_text text, uint64_t hash) {
  const uint64_t *bucket = bucket_of(s, hash);
  for (size_t i = 0; i < WAYS; i++) {
    if (!is_whole(s, bucket[i])) continue;
    const unsigned char *entry = s->ring + bucket[i] % RING_BYTES;
    header found;
    memcpy(&found, entry, sizeof found);
    if (found.hash != hash || found.text_bytes != text.size) continue;
    const unsigned char *result = entry + sizeof found;
    if (text.size == 0 || memcmp(result + cache->result_bytes, text.bytes, text.size) == 0) return result;
  }
  return NULL;
}

bool mien_cache_find(mien_cache *cache, mien_text text, uint64_t hash, void *result) {
  shard *s = shard_of(cache, hash);
  pthread_mutex_lock(&s->lock);
  const unsigned char *found = find(cache, s, text, hash);
  if (found) memcpy(result, found, cache->result_bytes);
  pthread_mutex_unlock(&s->lock);
  return found != NULL;
}

/* Where an entry of so many bytes goes: in one piece. */
static uint64_t take_place(shard *s, size_t bytes) {
  const size_t left = RING_BYTES - s->end % RING_BYTES;
  const uint64_t place = bytes <= left ? s->end : s->end + left;
  s->end = place + bytes;
  return place;
}

static void add(const mien_cache *cache, shard *s, mien_text text, uint64_t hash, const void *result, size_t bytes) {
  const header made = {hash, text.size};
  const uint64_t place = take_place(s, bytes);
  unsigned char *entry = s->ring + place % RING_BYTES;
  memcpy(entry, &made, sizeof made);
  memcpy(entry + sizeof made, result, cache->result_bytes);
  if (text.size) memcpy(entry + sizeof made + cache->result_bytes, text.bytes, text.size);
  uint64_t *bucket = bucket_of(s, hash), *oldest = bucket;
  for (size_t i = 1; i < WAYS; i++)
    if (bucket[i] < *oldest) oldest = &bucket[i];
  *oldest = place;
}

void mien_cache_add(mien_cache *cache, mien_text text, uint64_t hash, const void *result) {
  size_t bytes;
  if (text.size > MIEN_CACHE_TEXT_BYTES ||
      !mien_size_add(sizeof(header) + text.size + UNIT - 1, cache->result_bytes, &bytes) || bytes > RING_BYTES)
    return;
  shard *s = shard_of(cache, hash);
  pthread_mutex_lock(&s->lock);
  if (!find(cache, s, text, hash)) add(cache, s, text, hash, result, bytes - bytes % UNIT);
  pthread_mutex_unlock(&s->lock);
}
