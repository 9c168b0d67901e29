/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder's kernels beside its products: embeddings of tokens, attention, LayerNorm, pooling. A batch's tokens lie
 * one behind the other, without padding. Kernels are launched for the most that a batch may have and do what there is,
 * as mien_batch says in device memory, so that a recorded graph of them serves any batch.
 */
#ifndef MIEN_CUDA_LAYERS_H
#define MIEN_CUDA_LAYERS_H

#include "head.h"
#include "model/cuda_module.h"
#include "product.h"

/* Queries that a warp takes at a time. */
enum { MIEN_QUERY_TILE = 16 };

/* A tile of attention: the queries `first` to first + 15 of the text whose tokens begin at `start`. */
typedef struct mien_tile {
  int start, length, first, unused;
} mien_tile;

/* Of a batch, in device memory, one behind the other. */
typedef struct mien_batch {
  const int *counts;      /* tokens, texts, tiles */
  const int *ids;         /* [tokens] */
  const int *positions;   /* [tokens] of a token in its text */
  const int *starts;      /* [texts + 1] */
  const mien_tile *tiles; /* [tiles] */
} mien_batch;
enum { MIEN_COUNT_TOKENS, MIEN_COUNT_TEXTS, MIEN_COUNT_TILES, MIEN_COUNTS = 4 };

/* How numbers of a layer are kept between kernels. */
typedef enum mien_kept {
  MIEN_KEPT_F32,   /* y */
  MIEN_KEPT_BF16,  /* y16 */
  MIEN_KEPT_F16,   /* y16 */
  MIEN_KEPT_BF16X2 /* y16 of two planes, but queries, keys and values: y */
} mien_kept;

/* Words of the vocabulary: float32, or 16 bits of what is kept. */
typedef struct mien_embed {
  mien_batch batch;
  const void *words; /* [vocabulary × hidden] */
  bool words_are_floats;
  mien_kept kept;
  const float *positions; /* [max_tokens × hidden] */
  const float *gamma, *beta, *multipliers;
  float epsilon;
  int hidden;
  float *y;
  mien_planes y16;
} mien_embed;

/* y = LayerNorm(word + position) of each token. */
cudaError_t mien_embed_run(const mien_embed *embed, int multiprocessors, cudaStream_t stream);

/* y = LayerNorm(sums · scale + bias + y) of each of *n rows: what follows a product of cuBLASLt. */
typedef struct mien_norm_rows {
  const int *n;
  int columns;
  const float *sums, *scales, *bias; /* sums NULL: y itself is normalised */
  mien_kept kept;
  const float *gamma, *beta, *multipliers;
  float epsilon;
  float *y;
  mien_planes y16;
} mien_norm_rows;
cudaError_t mien_norm_run(const mien_norm_rows *norm, int multiprocessors, cudaStream_t stream);

/* y = sums · scale + bias, and GELU: what follows the other products of cuBLASLt. */
typedef struct mien_finish_rows {
  const int *n;
  int columns;
  const float *sums, *scales, *bias;
  bool gelu;
  mien_kept kept;
  float *y;
  mien_planes y16;
} mien_finish_rows;
cudaError_t mien_finish_run(const mien_finish_rows *finish, int multiprocessors, cudaStream_t stream);

/*
 * softmax(Q·Kᵀ)·V of each head of each text; queries are scaled already. heads [tokens × 3 × n_heads × columns], in
 * f32 or 16 bits as `kept` has it. Kept in 16 bits it runs on the tensor cores where columns are 16, 32 or 64; else,
 * and for other types, in float32.
 */
typedef struct mien_attend {
  mien_batch batch;
  mien_kept kept;
  int n_heads, columns, most_tokens; /* most_tokens: of a text */
  const void *heads;
  float *y;        /* [tokens × n_heads × columns] */
  mien_planes y16; /* or */
} mien_attend;
/* Whether what is kept and the columns are such that it runs in float32. */
bool mien_attend_is_exact(const mien_attend *attend);
cudaError_t mien_attend_prepare(size_t shared_bytes); /* as mien_head_prepare */
bool mien_attend_fits(int most_tokens, size_t shared_bytes);
cudaError_t mien_attend_run(const mien_attend *attend, int multiprocessors, cudaStream_t stream);

/* Tokens' y to embeddings [texts × hidden], and through the head where that goes the own way (fragments of f32). */
typedef struct mien_pool {
  mien_batch batch;
  const float *x; /* [tokens × hidden] */
  int hidden;
  mien_cuda_pooling pooling;
  bool normalize;
  float *embeddings; /* NaN in rows that are not finite */
  mien_row_status *status;
  bool label; /* through the head */
  mien_head_numbers head;
  mien_device_results results;
} mien_pool;
cudaError_t mien_pool_prepare(size_t shared_bytes); /* the same */
/* Whether embeddings of so many texts fit a block's shared memory. */
bool mien_pool_fits(size_t hidden, size_t shared_bytes);
cudaError_t mien_pool_run(const mien_pool *pool, size_t most_texts, cudaStream_t stream);

#endif
