/* SPDX-License-Identifier: Apache-2.0 */
/* A hash of bytes for tables: the same number on every machine, no protection against those who look for collisions. */
#ifndef MIEN_BASE_HASH_H
#define MIEN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The finalizer of MurmurHash3 (Appleby, public domain): every bit of x moves about half of the result's. */
static inline uint64_t mien_hash_mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdU;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53U;
  return x ^ x >> 33;
}

static inline uint64_t mien_hash(const char *bytes, size_t size) {
  uint64_t hash = size;
  for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3U + (hash >> 47);
  return mien_hash_mix(hash);
}

#endif
