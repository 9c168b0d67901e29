/* SPDX-License-Identifier: Apache-2.0 */
/* An engine: a model's weights on one device; its lanes, which run it; and how they fail. */
#ifndef MIEN_CUDA_ENGINE_H
#define MIEN_CUDA_ENGINE_H

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

#include "head.h"
#include "layers.h"
#include "model/cuda_module.h"
#include "product.h"
#include "runtime.h"

/* The types of rows that the head has weights for. */
enum { MIEN_HEAD_F32, MIEN_HEAD_F16, MIEN_HEAD_BF16, MIEN_HEAD_DTYPES };

/* The head for rows of one type. */
typedef struct mien_engine_head {
  mien_dtype dtype;
  bool own;
  bool by_itself; /* so it is where nobody says which way */
  mien_head_numbers numbers;
  void *weights;      /* cublas: [parts × labels × dim], each dimension padded */
  size_t labels, dim; /* padded: of a part's logits, of rows */
  int parts;
} mien_engine_head;

typedef struct mien_engine_matrix {
  mien_planes w; /* 16 bits */
  float *floats; /* or these */
  float *bias, *scales, *multipliers;
  int inputs, outputs;
} mien_engine_matrix;

enum { MIEN_MATRIX_HEADS, MIEN_MATRIX_ATTENTION, MIEN_MATRIX_UP, MIEN_MATRIX_DOWN };
typedef struct mien_engine_layer {
  mien_engine_matrix matrices[MIEN_CUDA_LAYER_MATRICES];
  float *attention_gamma, *attention_beta, *output_gamma, *output_beta;
} mien_engine_layer;

typedef struct mien_engine_encoder {
  mien_kept kept;
  mien_dtype number; /* of 16-bit products: F16 or BF16 */
  bool by_cublas;    /* the products */
  bool by_itself;    /* so they are where nobody says which way */
  mien_dtype dtype;  /* as it was asked for */
  size_t hidden, intermediate, n_heads, columns, max_tokens;
  float epsilon;
  mien_cuda_pooling pooling;
  bool normalize;
  void *words;
  bool words_are_floats;
  float *positions, *gamma, *beta;
  std::vector<mien_engine_layer> layers;
} mien_engine_encoder;

/* A text's results on their way to the caller. */
typedef struct mien_pending {
  bool is;
  size_t texts;
  mien_results to; /* the caller's */
} mien_pending;

/* Which stretch of a batch's staging memory is what, in ints, and how many tokens and texts fit. */
typedef struct mien_layout {
  size_t tokens, texts, tiles;
  size_t ids, positions, starts, tiles_at, ints;
} mien_layout;

/* One of a lane's batches under way: staging memory on both sides. */
typedef struct mien_slot {
  cudaStream_t stream;
  cudaEvent_t done;
  int *staged;     /* pinned, [layout.ints] */
  uint32_t *words; /* pinned, and those below: results of texts */
  float *scores, *embeddings;
  mien_row_status *status;
  mien_pending pending;
} mien_slot;

enum { MIEN_SLOTS = 2 };

/* What a batch of up to so many tokens needs on the device. */
typedef struct mien_lane_memory {
  size_t tokens; /* the most of a batch */
  mien_arena arena;
  int *staged; /* [layout.ints of tokens] */
  float *x;    /* [tokens × hidden] */
  mien_planes x16, context16, between16, heads16;
  float *context, *between, *heads, *sums;
  void *packed; /* embeddings as the head's product takes them */
  float *embeddings, *scores;
  uint32_t *words;
  mien_row_status *status, *label_status; /* of embeddings; of them and their logits */
} mien_lane_memory;

/* Rows of embeddings under way: pieces of a fixed number of rows, in two slots. */
typedef struct mien_row_slot {
  cudaStream_t stream;
  cudaEvent_t done;
  void *staged; /* pinned rows */
  void *rows;   /* on the device, as the caller has them, without gaps */
  void *packed; /* as products take them, or f64 as f32 */
  float *logits;
  mien_device_results results; /* on the device */
  mien_device_results pinned;
  size_t n, first; /* rows under way; 0: none */
} mien_row_slot;

typedef struct mien_row_memory {
  mien_dtype dtype;
  size_t piece; /* rows */
  bool has_staged, has_scores;
  mien_arena arena;
  mien_pinned pinned;
} mien_row_memory;

struct mien_cuda_lane {
  mien_cuda_engine *engine;
  bool is_free, is_made;
  mien_slot slots[MIEN_SLOTS];
  mien_row_slot row_slots[MIEN_SLOTS];
  mien_row_memory row_memory;
  mien_pinned pinned;
  mien_lane_memory memory;
  std::map<size_t, cudaGraphExec_t> graphs; /* by the tokens they are for */
  int next;
};

struct mien_cuda_engine {
  int ordinal, multiprocessors;
  pid_t process;
  size_t shared_bytes, most_bytes;
  char name[48]; /* "cuda:0", for messages */
  mien_arena weights;
  bool has_head, has_encoder;
  size_t n_labels, n_words, dim;
  mien_engine_head heads[MIEN_HEAD_DTYPES];
  mien_engine_encoder encoder;
  bool pools_to_labels; /* the head is in the kernel that pools */
  unsigned most_lanes;
  size_t batch_tokens; /* what lanes are made for */
  std::mutex lock;     /* of what is below */
  std::condition_variable freed;
  std::vector<mien_cuda_lane *> lanes;
  bool is_broken;
  mien_error broken;
};

/* Makes a device the thread's for as long as the object lives. Then the thread has the context again that it had, the
 * caller's own perhaps; a thread that had none keeps this one, since asking for another would make it. */
class mien_on_device {
public:
  explicit mien_on_device(int ordinal);
  explicit mien_on_device(const mien_cuda_engine *engine) : mien_on_device(engine->ordinal) {}
  ~mien_on_device(void);
  mien_on_device(const mien_on_device &) = delete;
  cudaError_t code;

private:
  void *before; /* a CUcontext */
};

/* The status of a call on the engine that failed with `code`: those that break the context break the engine. */
mien_status mien_engine_end(mien_cuda_engine *engine, cudaError_t code, const char *what, mien_error *error);
/* Whether the engine may be used: it is this process's, and not broken. */
mien_status mien_engine_check(mien_cuda_engine *engine, mien_error *error);

/* ---- weights.cpp: what open puts on the device ---- */
cudaError_t mien_engine_set_head(mien_cuda_engine *engine, const mien_cuda_head *head, mien_cuda_way way);
mien_status mien_engine_set_encoder(mien_cuda_engine *engine, const mien_cuda_encoder *encoder, mien_cuda_way way,
                                    mien_error *error);

/* ---- lane.cpp ---- */
/* Chooses batch_tokens and the number of lanes for the memory that is free. */
mien_status mien_engine_plan(mien_cuda_engine *engine, unsigned lanes, mien_error *error);
mien_status mien_lane_acquire(mien_cuda_engine *engine, mien_cuda_lane **lane, mien_error *error);
void mien_lane_release(mien_cuda_lane *lane);
void mien_lane_destroy(mien_cuda_lane *lane);
/* Memory for batches of that many tokens, in place of what there is. */
cudaError_t mien_lane_resize(mien_cuda_lane *lane, size_t tokens);
mien_layout mien_layout_of_batch(size_t tokens);

/* ---- forward.cpp: a batch that is staged, to the lane's results on the device ---- */
cudaError_t mien_forward_prepare(const mien_cuda_engine *engine);
/* Queues the kernels for batches of up to `layout`. */
cudaError_t mien_forward_queue(mien_cuda_lane *lane, const mien_layout *layout, cudaStream_t stream);
/* Queues them as a graph, which is recorded when it is wanted first. */
cudaError_t mien_forward_launch(mien_cuda_lane *lane, const mien_layout *layout, cudaStream_t stream);
/* The steps of a pass, those from the second on of each layer but NORM: LayerNorm, where it has a kernel of its own. */
typedef enum mien_step {
  MIEN_STEP_EMBED,
  MIEN_STEP_HEADS,
  MIEN_STEP_ATTEND,
  MIEN_STEP_ATTENTION,
  MIEN_STEP_UP,
  MIEN_STEP_DOWN,
  MIEN_STEP_POOL,
  MIEN_STEP_NORM
} mien_step;
/* Queues one step by itself, over what the steps before it left. */
cudaError_t mien_forward_queue_step(mien_cuda_lane *lane, const mien_layout *layout, mien_step step, size_t layer,
                                    cudaStream_t stream);

/* ---- rows.cpp and texts.cpp: as mien_cuda_module has them ---- */
mien_status mien_engine_label_rows(mien_cuda_engine *engine, const mien_rows *rows, size_t n,
                                   const mien_results *results, size_t *n_bad, mien_error *error);
mien_status mien_engine_label_device_rows(mien_cuda_engine *engine, const mien_rows *rows, size_t n,
                                          const mien_results *results, void *stream, mien_error *error);
void mien_rows_free(mien_cuda_lane *lane);
mien_status mien_lane_submit(mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n,
                             const mien_results *results, mien_error *error);
mien_status mien_lane_drain(mien_cuda_lane *lane, mien_error *error);
/* Stages a batch, of as many texts from the first on as fit: how many, their tokens and their layout. `staged` is as
 * large as a slot's. */
size_t mien_lane_stage(const mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n, int *staged,
                       size_t *tokens, mien_layout *layout);

/* Queues the head over n rows of device memory, with memory for logits and packed rows where the way needs them. */
cudaError_t mien_engine_queue_head(const mien_cuda_engine *engine, const mien_engine_head *head, const void *rows,
                                   size_t stride, size_t n, void *packed, float *logits,
                                   const mien_device_results *results, cudaStream_t stream);
/* The same in pieces, with so many bytes of memory for them, of which the own way needs none. */
size_t mien_engine_rows_bytes(const mien_engine_head *head, size_t n);
cudaError_t mien_engine_queue_rows(const mien_cuda_engine *engine, const mien_engine_head *head, const mien_rows *rows,
                                   size_t n, const mien_device_results *results, void *memory, cudaStream_t stream);

/* ---- bench.cpp ---- */
mien_status mien_engine_bench(mien_cuda_engine *engine, const mien_cuda_bench *bench, mien_error *error);

#endif
