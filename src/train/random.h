/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers that are the same on every machine: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
 * Number Generators, 2014). */
#ifndef MIEN_TRAIN_RANDOM_H
#define MIEN_TRAIN_RANDOM_H

#include <stdint.h>

typedef struct mien_random {
  uint64_t state;
} mien_random;

static inline uint64_t mien_random_mix(uint64_t z) {
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

static inline uint64_t mien_random_next(mien_random *random) {
  random->state += UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / the golden ratio, odd */
  return mien_random_mix(random->state);
}

/* The numbers of `stream`, of many that a seed has: where they begin is the seed's stream-th number, mixed again. */
static inline mien_random mien_random_start(uint64_t seed, uint64_t stream) {
  mien_random random = {mien_random_mix(seed) + stream * UINT64_C(0x9E3779B97F4A7C15)};
  return (mien_random){mien_random_mix(mien_random_next(&random))};
}

/* Uniform below n, which is not 0 (Lemire: Fast Random Integer Generation in an Interval, 2019). */
static inline uint32_t mien_random_below(mien_random *random, uint32_t n) {
  const uint32_t uneven = (0u - n) % n;
  uint64_t product;
  do product = (mien_random_next(random) >> 32) * n;
  while ((uint32_t)product < uneven);
  return (uint32_t)(product >> 32);
}

#endif
