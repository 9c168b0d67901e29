/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libmien_cuda.so gives to libmien: one exported function, which returns a table. The library is opened when a
 * session first asks for a CUDA device; libmien itself knows nothing of CUDA.
 *
 * An engine is a model's weights on one device with some lanes: streams with scratch memory of their own. Engines are
 * shared by any number of threads, a lane belongs to the thread that acquired it. All statuses and messages are as in
 * mien.h. After a failure of the device itself (not of memory) an engine is broken: each call fails with the message of
 * that failure.
 */
#ifndef MIEN_MODEL_CUDA_MODULE_H
#define MIEN_MODEL_CUDA_MODULE_H

#include <stdbool.h>

#include "mien/mien.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with every change of this file. */
enum { MIEN_CUDA_MODULE_ABI = 1 };

typedef struct mien_cuda_engine mien_cuda_engine;
typedef struct mien_cuda_lane mien_cuda_lane;

/* Everything that is pointed to is in host memory, and read by `open` alone. */
typedef struct mien_cuda_head {
  size_t n_labels, dim;
  const float *weights;            /* [n_labels × dim] */
  const float *bias, *thresholds;  /* [n_labels] */
  const float *sure_no, *sure_yes; /* [n_labels] a logit z is no label where z <= sure_no, and one where z > sure_yes */
} mien_cuda_head;

/* y = W·(x * multipliers) * scales + bias */
typedef struct mien_cuda_matrix {
  size_t inputs, outputs;   /* multiples of 16 */
  const float *bias;        /* [outputs] */
  const float *scales;      /* [outputs]; NULL: 1 */
  const float *multipliers; /* [inputs]; NULL: 1 */
} mien_cuda_matrix;

enum { MIEN_CUDA_LAYER_MATRICES = 4 };
typedef struct mien_cuda_layer {
  /* hidden to queries, keys and values (3 × heads × head_columns; queries are scaled by it); heads × head_columns to
   * hidden; hidden to intermediate; back */
  mien_cuda_matrix matrices[MIEN_CUDA_LAYER_MATRICES];
  const float *attention_gamma, *attention_beta, *output_gamma, *output_beta; /* [hidden] */
} mien_cuda_layer;

typedef enum mien_cuda_pooling { MIEN_CUDA_POOL_MEAN, MIEN_CUDA_POOL_CLS, MIEN_CUDA_POOL_MAX } mien_cuda_pooling;

typedef struct mien_cuda_encoder {
  mien_dtype dtype; /* MIEN_INT8: matrices' weights are whole numbers from -127 to 127, with scales */
  size_t layers, hidden, heads, head_columns, vocabulary, max_tokens;
  float layer_norm_eps;
  mien_cuda_pooling pooling;
  bool normalize;
  const float *positions;       /* [max_tokens × hidden] token type 0 added */
  const float *gamma, *beta;    /* [hidden] of the embeddings' LayerNorm */
  const mien_cuda_layer *layer; /* [layers] */
  /* Writes a matrix' weights [outputs × inputs]. */
  void (*weights)(void *user, size_t layer, size_t matrix, float *out);
  /* Writes the embedding of a word [hidden], rounded as the dtype has it. */
  void (*word)(void *user, size_t id, float *out);
  void *user;
} mien_cuda_encoder;

/* Which of two ways is taken; for tests and benchmarks. A model's own is fixed by its shape. */
typedef enum mien_cuda_way { MIEN_CUDA_AUTO, MIEN_CUDA_OWN, MIEN_CUDA_CUBLAS } mien_cuda_way;

typedef struct mien_cuda_open_options {
  int ordinal;
  unsigned lanes;               /* 0: as many as pay */
  mien_cuda_way head, products; /* the head's kernels; the encoder's matrix products */
  size_t most_bytes;            /* of device memory; 0: what is free */
} mien_cuda_open_options;

enum { MIEN_CUDA_NAME_BYTES = 256 };
typedef struct mien_cuda_device_info {
  char name[MIEN_CUDA_NAME_BYTES];      /* "NVIDIA H200" */
  char isa[16];                         /* "sm_90" */
  int multiprocessors, driver, runtime; /* versions: 13000 is 13.0 */
  size_t total_bytes, free_bytes, l2_bytes;
} mien_cuda_device_info;

/* What is measured, any of them together. */
enum {
  MIEN_BENCH_ROOFS = 1,   /* what the device does at most */
  MIEN_BENCH_HEAD = 2,    /* rows to labels, where the engine has a head */
  MIEN_BENCH_ENCODER = 4, /* whole passes and the products, where it has an encoder */
  MIEN_BENCH_REST = 8,    /* the encoder's other kernels, which are the same both ways */
};

typedef enum mien_cuda_subject { MIEN_MEASURE_ROOF, MIEN_MEASURE_HEAD, MIEN_MEASURE_ENCODER } mien_cuda_subject;

/*
 * One measurement: its best run, and what was done in that; 0 where there is nothing of a kind. Strings are static and
 * never NULL. Roofs are rates, of bytes or of operations (two to a multiply-add), and what was measured names those
 * that are above it: copy                     device memory, read and written read                     device memory,
 * read link                     from pinned host memory to the device fma_f32                  float32 multiply-adds in
 * registers mma_bf16, mma_f16        products by mma.sync in registers, which our own kernels are made of cublas_bf16,
 * cublas_f16  products of 8192 × 8192 × 8192 by cuBLASLt Of a head, `part` is where the rows are: device, or host
 * (pinned, labelled and back). Of an encoder: pass       all texts in batches, staged on the device submit     the same
 * from the host's memory and back, by one lane query_key_value, attention_output, up, down   products of a full batch
 * and what follows them: bias; bias, residual and LayerNorm; bias and GELU; as the second embed, attention, norm, pool
 * of a full batch: words and positions with LayerNorm; softmax(Q·K)·V; LayerNorm by itself; pooling, with the head
 * where that is in the same kernel
 */
typedef struct mien_cuda_measure {
  mien_cuda_subject subject;
  const char *part;
  mien_dtype dtype;   /* of rows; of the encoder */
  const char *way;    /* "own", "cublas"; "" where there is one */
  bool by_itself;     /* the engine takes this way where it may choose */
  const char *output; /* of a head: "words", or "scores" as well; else "" */
  double seconds;
  double rows, texts, tokens;
  double bytes;                                    /* the least that are moved */
  double operations;                               /* of products; those with both numbers in two planes are three */
  const char *bytes_roof, *operations_roof, *peak; /* roofs' names; "" where it has none. `peak`: the device's */
} mien_cuda_measure;

typedef struct mien_cuda_bench {
  unsigned parts; /* MIEN_BENCH_… */
  double seconds; /* each measurement takes at least; 0: once, and the roofs at small sizes, which shows nothing */
  size_t rows;    /* of embeddings */
  size_t texts;   /* of lengths [texts] and ids [their sum] */
  const size_t *lengths;
  const int32_t *ids;
  /* Called with each measurement. */
  void (*tell)(void *user, const mien_cuda_measure *measure);
  void *user;
} mien_cuda_bench;

typedef struct mien_cuda_module {
  uint32_t abi;
  const char *version; /* mien's */

  /* Folders where CUDA's libraries are looked for before the system's; the strings are copied. Not thread-safe. */
  mien_status (*add_folder)(const char *folder, mien_error *error);

  /* Fails where there is no driver, one that is too old, or no device. */
  mien_status (*device_count)(int *count, mien_error *error);
  mien_status (*device_info)(int ordinal, mien_cuda_device_info *info, mien_error *error);

  /* Either of head and encoder may be NULL. */
  mien_status (*open)(const mien_cuda_open_options *options, const mien_cuda_head *head,
                      const mien_cuda_encoder *encoder, mien_cuda_engine **engine, mien_error *error);
  /* All lanes are released. In a child after fork it does nothing. */
  void (*close)(mien_cuda_engine *engine);

  /*
   * Labels n rows of host memory, stride not 0, of any dtype of rows and BF16. Waits for a free lane. Results as
   * mien_label_embeddings has them but n_bad, which goes to *n_bad.
   */
  mien_status (*label_rows)(mien_cuda_engine *engine, const mien_rows *rows, size_t n, const mien_results *results,
                            size_t *n_bad, mien_error *error);
  /* The same with rows and results in device memory, queued on `stream`, a cudaStream_t. F32, F16 or BF16. */
  mien_status (*label_device_rows)(mien_cuda_engine *engine, const mien_rows *rows, size_t n,
                                   const mien_results *results, void *stream, mien_error *error);

  /* Waits for a free lane. */
  mien_status (*acquire)(mien_cuda_engine *engine, mien_cuda_lane **lane, mien_error *error);
  /* What was submitted and not drained is dropped. */
  void (*release)(mien_cuda_lane *lane);
  /* Tokens that are best submitted at a time. */
  size_t (*batch_tokens)(const mien_cuda_engine *engine);
  /*
   * Queues n texts, text i being the next lengths[i] of `ids`, both free to be changed after the call. `results` has
   * where this call's rows go: embeddings, status (both may be NULL), and where the engine has a head words and scores
   * (the same); they are written by drain at the latest. Waits where too much is queued.
   */
  mien_status (*submit)(mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n,
                        const mien_results *results, mien_error *error);
  /* Waits until all that was submitted is done. */
  mien_status (*drain)(mien_cuda_lane *lane, mien_error *error);

  /* Measures the engine and its device: what the request names. */
  mien_status (*bench)(mien_cuda_engine *engine, const mien_cuda_bench *bench, mien_error *error);
} mien_cuda_module;

/* The one exported name. */
MIEN_API const mien_cuda_module *mien_cuda_module_get(void);

#ifdef __cplusplus
}
#endif

#endif
