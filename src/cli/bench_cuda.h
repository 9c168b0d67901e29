/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench on a CUDA device: what is measured and what comes out of it. */
#ifndef MIEN_CLI_BENCH_CUDA_H
#define MIEN_CLI_BENCH_CUDA_H

#include "cli/bench.h"
#include "model/cuda_module.h"

enum { BENCH_CUDA_MAX_MEASURES = 256 };

typedef struct cuda_bench {
  cli_bench_options options;
  mien_cuda_device_info info;
  mien_cuda_measure measures[BENCH_CUDA_MAX_MEASURES]; /* in the order in which they came */
  size_t n_measures;
  /* head: */
  size_t n_labels, dim;
  /* encoder: */
  size_t layers, hidden, n_texts, n_tokens;
  size_t *lengths; /* [n_texts] */
  int32_t *ids;    /* [n_tokens] */
} cuda_bench;

/* Roofs' rates a second, of bytes or operations. */
double bench_cuda_rate(const mien_cuda_measure *roof);

/* The share of a measurement's roof that was reached, and the name of that, the one which leaves the most time; 0 and
 * "" where there is none. */
double bench_cuda_share(const cuda_bench *bench, const mien_cuda_measure *measure, const char **limit);
/* The share of its peak; 0 where there is none. */
double bench_cuda_peak(const cuda_bench *bench, const mien_cuda_measure *measure);

void bench_cuda_print(const cuda_bench *bench, mien_cuda_subject subject);

#endif
