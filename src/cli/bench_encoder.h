/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench encoder: what is measured and what comes out of it. */
#ifndef MIEN_CLI_BENCH_ENCODER_H
#define MIEN_CLI_BENCH_ENCODER_H

#include "cli/bench.h"
#include "cli/bench_profile.h"

enum {
  BENCH_TEXTS = 64,
  BENCH_DTYPES = 4, /* at most, one after the other */
  BENCH_MAX_LINES = BENCH_DTYPES * MIEN_ISA_COUNT * 2 * 2,
};

/* Texts that go through the encoder together, as a session would have them. */
typedef struct bench_batch {
  size_t n_texts, n_tokens;
  const size_t *lengths;
  const int32_t *ids;
  double pass, products; /* operations */
} bench_batch;

/* What a batch's results need, two for each multiply-add. */
void bench_batch_operations(const mien_encoder_config *config, bench_batch *batch);

typedef struct bench_line {
  mien_dtype dtype;
  mien_isa isa;
  bool products; /* those with weights alone, not the whole pass */
  unsigned threads;
  double texts, tokens, bytes, operations; /* a second, of all threads */
  double peak;                             /* operations a second of all threads at most */
  bench_profile profile;                   /* of a pass on one thread; total is 0 where there is none */
} bench_line;

typedef struct encoder_bench {
  cli_bench_options options;
  bool all_dtypes;
  float *random; /* where the own plans' weights are taken from */
  int32_t *ids;
  size_t lengths[BENCH_TEXTS], n_tokens, n_batches;
  bench_batch batches[BENCH_TEXTS];
  mien_encoder_config config;
  double read[2], flops[2]; /* one thread, all threads: bytes and float32 operations a second */
  double peaks[2][MIEN_PRODUCTS_COUNT][MIEN_ISA_COUNT]; /* operations a second; 0 where it was not measured */
  bench_line lines[BENCH_MAX_LINES];
  size_t n_lines;
} encoder_bench;

/*
 * The encoder that is measured when none is given: its numbers, for mien_free, and a plan of them in a dtype, which may
 * not outlive them. `dtypes` [BENCH_DTYPES] are those that have tables of their own.
 */
MIEN_MUST_USE mien_status bench_random_numbers(float **random, mien_error *error);
MIEN_MUST_USE mien_status bench_random_plan(const float *random, mien_dtype dtype, mien_encoder_plan **plan,
                                            mien_error *error);
extern const mien_dtype bench_dtypes[BENCH_DTYPES];

/* The tokens of text i, where comments are measured: long and short ones mixed. */
size_t bench_comment_tokens(size_t i);

/* `n` ids of a vocabulary, for mien_free. */
MIEN_MUST_USE mien_status bench_random_ids(size_t n, size_t vocabulary, int32_t **ids, mien_error *error);

void bench_encoder_print(const encoder_bench *bench);

#endif
