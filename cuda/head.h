/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head's kernels: embeddings in device memory to scores, words and row statuses.
 *
 * Scores are as exact as float32's for rows of every type. Two ways give them, and a model takes one of them for its
 * shape:
 * - own: a row is read once, and goes through the tensor cores with weights that lie in shared memory as two or three
 *   numbers that they multiply exactly: of f32 rows x = hi + lo and w = hi + lo in TF32, of which hi·hi + hi·lo + lo·hi
 *   are taken; of 16-bit rows x is one number, w two (f16) or three (bf16). Sums of a tensor core, which rounds them
 *   towards zero, are added to float32 sums after every 64 bytes of a row.
 * - cublas: logits by a product of cuBLASLt, in float32 arithmetic for f32 rows, with weights as above side by side for
 *   16-bit ones; then label_logits.
 */
#ifndef MIEN_CUDA_HEAD_H
#define MIEN_CUDA_HEAD_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#include "mien/mien.h"

/* Rows of the tensor cores' tile, labels of one. */
enum { MIEN_HEAD_TILE_ROWS = 16, MIEN_HEAD_TILE_LABELS = 8, MIEN_HEAD_LABELS = 32, MIEN_HEAD_TILES = 4 };

/* What a head's kernel needs of the head; device memory. Of the own way, labels are padded to 32. */
typedef struct mien_head_numbers {
  int n_labels, dim;
  const float *scales;             /* [labels] what sums are multiplied by, powers of two */
  const float *bias, *thresholds;  /* [labels] */
  const float *sure_no, *sure_yes; /* [labels] */
  const uint2 *fragments;          /* own: [blocks][steps][parts][tiles][lanes] */
} mien_head_numbers;

/* Where results go; device memory, each may be NULL. */
typedef struct mien_device_results {
  uint32_t *words;         /* [n × n_words] */
  float *scores;           /* [n × n_labels] */
  mien_row_status *status; /* [n] */
} mien_device_results;

/* A multiple of this many bytes of a row goes into the sums at a time. */
enum { MIEN_HEAD_BLOCK_BYTES = 64, MIEN_HEAD_STEPS = 2 };

/* Bytes of a number of rows, F64 too. */
static inline size_t mien_row_element(mien_dtype dtype) { return dtype == MIEN_F64 ? 8 : dtype == MIEN_F32 ? 4 : 2; }

/* Of rows of `dtype`: F32, F16 or BF16. */
int mien_head_parts(mien_dtype dtype);
/* Of the weights, which lie in shared memory. */
size_t mien_head_fragment_bytes(mien_dtype dtype, size_t dim);

/* The fragments of weights [n_labels × dim] for rows of `dtype`, and the sums' scales [MIEN_HEAD_LABELS]; host memory.
 */
void mien_head_make_fragments(mien_dtype dtype, const float *weights, size_t n_labels, size_t dim, uint2 *fragments,
                              float *scales);

/* The parts of a weight for 16-bit rows, beside each other in value: their sum times `scale` is the weight. */
void mien_head_split(mien_dtype dtype, float weight, float scale, uint16_t parts[3]);
/* The power of two that weights of f16 rows are divided by before they are split; 1 for others. */
float mien_head_scale(mien_dtype dtype, const float *weights, size_t n);

/* Allows the own kernels as much shared memory as the device has, before they run: whatever other engines need. */
cudaError_t mien_head_prepare(size_t shared_bytes);

/* Own way: n rows, `stride` elements apart. Rows need no alignment but their element's. */
cudaError_t mien_head_label(const mien_head_numbers *head, mien_dtype dtype, const void *rows, size_t stride, size_t n,
                            const mien_device_results *results, int multiprocessors, cudaStream_t stream);

/* The other way's second half: logits [n × stride], of which part p of label l is at l + p × part_stride. */
cudaError_t mien_head_label_logits(const mien_head_numbers *head, const float *logits, size_t stride, int parts,
                                   size_t part_stride, size_t n, const mien_device_results *results,
                                   cudaStream_t stream);

/* Rows as a product takes them: [n × padded], zeros behind dim; F64 becomes F32, other types stay. */
cudaError_t mien_head_pack_rows(mien_dtype dtype, const void *rows, size_t stride, size_t n, size_t dim, size_t padded,
                                void *out, cudaStream_t stream);

#endif
