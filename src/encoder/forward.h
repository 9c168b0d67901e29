/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass: token ids of a batch of texts to their embeddings. */
#ifndef MIEN_ENCODER_FORWARD_H
#define MIEN_ENCODER_FORWARD_H

#include "encoder/plan.h"

/* Tokens a batch: enough to use each weight that comes into cache often, few enough that what is made of them stays
 * there. Tokens of all texts lie one behind the other, without padding. */
enum { MIEN_BATCH_TOKENS = 256 };

/* What a thread needs while it runs. */
typedef struct mien_encoder_scratch {
  size_t tokens;        /* most of a batch: MIEN_BATCH_TOKENS, or max_tokens where that is more */
  float *x, *y;         /* [tokens × hidden] */
  float *heads;         /* [3 × heads × tokens × head_columns] queries, keys, values */
  float *context;       /* [tokens × heads × head_columns] */
  void *products;       /* as mien_encoder_kernels.scratch_bytes says */
  float *transposed;    /* of mien_attention */
  float *scores, *mask; /* the same */
} mien_encoder_scratch;

/* For a run with those kernels. */
MIEN_MUST_USE mien_status mien_encoder_scratch_create(const mien_encoder_kernels *kernels,
                                                      const mien_encoder_plan *plan, mien_encoder_scratch *scratch,
                                                      mien_error *error);
void mien_encoder_scratch_destroy(mien_encoder_scratch *scratch);

/*
 * How many of the n ≥ 1 texts of `lengths`, from the first on, are the next batch: at least 1. The n_ids tokens of all
 * are shared out evenly over batches of about MIEN_BATCH_TOKENS at most; none has more than `room` ≥ each length.
 */
size_t mien_encoder_next_batch(const size_t *lengths, size_t n, size_t n_ids, size_t room);

/*
 * Embeds n_texts texts: text i is the next lengths[i] of `ids`, each below the vocabulary's size; 1 to max_tokens of
 * them a text, at most scratch->tokens in all. `kernels` are for the plan's dtype. Writes embeddings [n_texts ×
 * hidden].
 */
void mien_encoder_forward(const mien_encoder_kernels *kernels, const mien_encoder_plan *plan, const int32_t *ids,
                          const size_t *lengths, size_t n_texts, mien_encoder_scratch *scratch, float *embeddings);

/* The products whose rows [n × hidden] an observer sees before they go in. */
typedef enum mien_product { MIEN_QUERY_KEY_VALUE, MIEN_UP } mien_product;
typedef struct mien_encoder_observer {
  void (*see)(void *user, size_t layer, mien_product product, const float *rows, size_t n);
  void *user;
} mien_encoder_observer;

/* The same, observed. */
void mien_encoder_forward_observed(const mien_encoder_kernels *kernels, const mien_encoder_plan *plan,
                                   const int32_t *ids, const size_t *lengths, size_t n_texts,
                                   mien_encoder_scratch *scratch, float *embeddings,
                                   const mien_encoder_observer *observer);

#endif
