/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench: what its subjects share. */
#ifndef MIEN_CLI_BENCH_H
#define MIEN_CLI_BENCH_H

#include "base/cpu.h"
#include "cli/cli.h"
#include "kernels/head_plan.h"

typedef struct cli_bench_options {
  bool json;
  double seconds;          /* each measurement takes at least */
  unsigned threads;        /* the most that are measured */
  size_t n_rows;           /* head: rows in memory */
  size_t tokens;           /* encoder: of each text; 0: lengths as comments have them */
  const mien_dtype *dtype; /* encoder: of the random one; NULL: all that have tables of their own */
  bool profile;            /* encoder: of every table; else of those far from their peak */
  mien_device device;
  int32_t ordinal; /* of CUDA's */
} cli_bench_options;

/* Print their results to stdout. `model` may be NULL: then random weights of the usual size are measured. */
MIEN_MUST_USE mien_status cli_bench_head(const cli_bench_options *options, const mien_model *model, mien_error *error);
MIEN_MUST_USE mien_status cli_bench_encoder(const cli_bench_options *options, const mien_model *model,
                                            mien_error *error);

/* The same on a CUDA device. */
MIEN_MUST_USE mien_status cli_bench_cuda_head(const cli_bench_options *options, const mien_model *model,
                                              mien_error *error);
MIEN_MUST_USE mien_status cli_bench_cuda_encoder(const cli_bench_options *options, const mien_model *model,
                                                 mien_error *error);

/* The head that is measured when none is given, for embeddings of `dim` numbers; 0: of the usual number. */
MIEN_MUST_USE mien_status cli_bench_random_head(size_t dim, mien_head_plan **plan, mien_error *error);

/* A number that is about normal: the sum of uniform ones. The same on every machine. */
float cli_random_normal(uint64_t *state);

#endif
