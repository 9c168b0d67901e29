/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a forward pass goes. */
#ifndef MIEN_CLI_BENCH_PROFILE_H
#define MIEN_CLI_BENCH_PROFILE_H

#include "encoder/forward.h"

/* Seconds of one batch on one thread, by what they are spent on. */
typedef struct bench_profile {
  double total;
  double products;  /* with weights: sums and what is done to them but for GELU */
  double rounding;  /* of rows to what the products take */
  double gelu;      /* and what a feed-forward costs beyond its two products */
  double attention; /* of all heads: scores, softmax, values */
  double norm;
  double rest; /* embeddings of tokens, pooling */
} bench_profile;

/*
 * Runs one batch of texts for about `seconds`, as mien_encoder_forward takes it, with a clock around every kernel; and
 * its products with weights alone. Rounding is what remains of a product's time where it has no outputs, on the line
 * through 32 outputs and all of them. Not for two threads at a time.
 */
MIEN_MUST_USE mien_status bench_profile_run(const mien_encoder_kernels *kernels, const mien_encoder_plan *plan,
                                            const int32_t *ids, const size_t *lengths, size_t n_texts, double seconds,
                                            bench_profile *profile, mien_error *error);

#endif
