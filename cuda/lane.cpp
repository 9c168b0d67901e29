/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes: how much memory they get, making and sharing them. */
#include <string.h>
#include <unistd.h>

#include <new>

#include "engine.h"

/*
 * Batches of 16,384 tokens keep an H100's multiprocessors busy several times over in each kernel, and their activations
 * just about in its second-level cache. Three lanes: one's batch runs, one's is being copied, one's is being staged.
 */
enum { MOST_BATCH_TOKENS = 16384, FEWEST_BATCH_TOKENS = 256, LANES = 3, MOST_LANES = 64 };

/* Of a head alone: rows that are not pinned are copied by the thread that has the lane, at a fraction of the link's
 * speed. */
enum { ROW_LANES = 8 };

/* Texts of fewer tokens on average fill a batch before its tokens do. */
enum { LEAST_TOKENS_A_TEXT = 4, FEWEST_TEXTS = 64 };

mien_layout mien_layout_of_batch(size_t tokens) {
  enum { INTS_OF_TILE = sizeof(mien_tile) / sizeof(int) };
  mien_layout layout = {};
  layout.tokens = tokens;
  layout.texts = tokens / LEAST_TOKENS_A_TEXT > FEWEST_TEXTS ? tokens / LEAST_TOKENS_A_TEXT : (size_t)FEWEST_TEXTS;
  layout.tiles = tokens / MIEN_QUERY_TILE + layout.texts;
  layout.tiles_at = MIEN_COUNTS; /* first, aligned */
  layout.ids = layout.tiles_at + layout.tiles * INTS_OF_TILE;
  layout.positions = layout.ids + tokens;
  layout.starts = layout.positions + tokens;
  layout.ints = layout.starts + layout.texts + 1;
  return layout;
}

/* ---- Memory of a lane -------------------------------------------------------------------------------------------- */

/* Takes from the arena, or only counts. */
typedef struct taker {
  mien_arena *arena; /* NULL: count */
  size_t bytes;
} taker;

template <class T> static cudaError_t take(taker *from, size_t n, T **memory) {
  enum { ALIGNMENT = 256 };
  from->bytes += n * sizeof(T) + ALIGNMENT;
  return from->arena ? mien_arena_take(from->arena, n, memory) : cudaSuccess;
}

static cudaError_t take_planes(taker *from, size_t n, int planes, mien_planes *to) {
  to->plane = planes == 2 ? n : 0;
  return take(from, (size_t)planes * n, &to->numbers);
}

static cudaError_t lay_out(const mien_cuda_engine *engine, size_t tokens, taker *from, mien_lane_memory *memory) {
  const mien_engine_encoder *encoder = &engine->encoder;
  const mien_layout layout = mien_layout_of_batch(tokens);
  const size_t heads = encoder->n_heads * encoder->columns, texts = layout.texts;
  const size_t of_sums[] = {tokens * 3 * heads, tokens * encoder->intermediate, tokens * encoder->hidden};
  size_t sums = 0;
  for (size_t i = 0; encoder->by_cublas && i < sizeof of_sums / sizeof *of_sums; i++)
    if (of_sums[i] > sums) sums = of_sums[i];
  memory->tokens = tokens;
  MIEN_PASS(take(from, layout.ints, &memory->staged));
  MIEN_PASS(take(from, tokens * encoder->hidden, &memory->x));
  if (encoder->kept == MIEN_KEPT_F32) {
    MIEN_PASS(take(from, tokens * heads, &memory->context));
    MIEN_PASS(take(from, tokens * encoder->intermediate, &memory->between));
  } else {
    const int planes = encoder->kept == MIEN_KEPT_BF16X2 ? 2 : 1;
    MIEN_PASS(take_planes(from, tokens * encoder->hidden, planes, &memory->x16));
    MIEN_PASS(take_planes(from, tokens * heads, planes, &memory->context16));
    MIEN_PASS(take_planes(from, tokens * encoder->intermediate, planes, &memory->between16));
  }
  if (encoder->kept == MIEN_KEPT_F32 || encoder->kept == MIEN_KEPT_BF16X2)
    MIEN_PASS(take(from, tokens * 3 * heads, &memory->heads));
  else
    MIEN_PASS(take_planes(from, tokens * 3 * heads, 1, &memory->heads16));
  if (engine->has_head && !engine->pools_to_labels) {
    const mien_engine_head *head = &engine->heads[MIEN_HEAD_F32];
    const size_t logits = texts * (size_t)head->parts * head->labels;
    if (logits > sums) sums = logits;
    MIEN_PASS(take(from, texts * head->dim * sizeof(float), reinterpret_cast<unsigned char **>(&memory->packed)));
  }
  MIEN_PASS(take(from, sums, &memory->sums));
  MIEN_PASS(take(from, texts * encoder->hidden, &memory->embeddings));
  MIEN_PASS(take(from, texts * engine->n_labels, &memory->scores));
  MIEN_PASS(take(from, texts * engine->n_words, &memory->words));
  MIEN_PASS(take(from, texts, &memory->label_status));
  return take(from, texts, &memory->status);
}

static size_t lane_bytes(const mien_cuda_engine *engine, size_t tokens) {
  taker counter = {};
  mien_lane_memory memory = {};
  (void)lay_out(engine, tokens, &counter, &memory);
  return counter.bytes;
}

static size_t fewest_tokens(const mien_cuda_engine *engine) {
  size_t tokens = FEWEST_BATCH_TOKENS;
  while (tokens < engine->encoder.max_tokens) tokens *= 2;
  return tokens;
}

static cudaError_t free_bytes(const mien_cuda_engine *engine, size_t *bytes) {
  size_t total, used = 0;
  MIEN_TRY(cudaMemGetInfo(bytes, &total));
  for (const mien_arena::piece &piece : engine->weights.pieces) used += piece.bytes;
  if (engine->most_bytes > 0 && engine->most_bytes < *bytes + used)
    *bytes = engine->most_bytes > used ? engine->most_bytes - used : 0;
  return cudaSuccess;
}

mien_status mien_engine_plan(mien_cuda_engine *engine, unsigned lanes, mien_error *error) {
  size_t there = 0;
  if (lanes == 0) lanes = engine->has_encoder ? (unsigned)LANES : (unsigned)ROW_LANES;
  engine->most_lanes = lanes < MOST_LANES ? lanes : (unsigned)MOST_LANES;
  if (!engine->has_encoder) return MIEN_OK;
  const cudaError_t code = free_bytes(engine, &there);
  if (code != cudaSuccess) return mien_engine_end(engine, code, "looking for memory", error);
  /* Others use the device too, graphs and CUDA itself need some. */
  const size_t usable = there - there / 5, fewest = fewest_tokens(engine);
  size_t tokens = fewest > MOST_BATCH_TOKENS ? fewest : (size_t)MOST_BATCH_TOKENS;
  while (tokens > fewest && lane_bytes(engine, tokens) > usable / engine->most_lanes) tokens /= 2;
  while (engine->most_lanes > 1 && lane_bytes(engine, tokens) > usable / engine->most_lanes) engine->most_lanes--;
  engine->batch_tokens = tokens;
  if (lane_bytes(engine, tokens) <= usable) return MIEN_OK;
  return mien_fail(error, MIEN_RESOURCE, "%s: device memory: expected %zu MiB for batches of %zu tokens, found %zu MiB",
                   engine->name, lane_bytes(engine, tokens) >> 20, tokens, usable >> 20);
}

static void free_graphs(mien_cuda_lane *lane) {
  for (const auto &graph : lane->graphs) (void)cudaGraphExecDestroy(graph.second);
  lane->graphs.clear();
}

cudaError_t mien_lane_resize(mien_cuda_lane *lane, size_t tokens) {
  mien_lane_memory made = {};
  taker from = {&made.arena, 0};
  free_graphs(lane);
  mien_arena_free(&lane->memory.arena);
  lane->memory.tokens = 0;
  const cudaError_t code = lay_out(lane->engine, tokens, &from, &made);
  if (code != cudaSuccess) {
    mien_arena_free(&made.arena);
    return code;
  }
  lane->memory = made;
  return cudaSuccess;
}

/* ---- Making lanes ------------------------------------------------------------------------------------------------ */

static cudaError_t make_slot(mien_cuda_lane *lane, mien_slot *slot) {
  const mien_cuda_engine *engine = lane->engine;
  const mien_layout layout = mien_layout_of_batch(lane->memory.tokens);
  MIEN_TRY(cudaEventCreateWithFlags(&slot->done, cudaEventDisableTiming | cudaEventBlockingSync));
  MIEN_PASS(mien_pinned_take(&lane->pinned, layout.ints, &slot->staged));
  MIEN_PASS(mien_pinned_take(&lane->pinned, layout.texts * engine->n_words, &slot->words));
  MIEN_PASS(mien_pinned_take(&lane->pinned, layout.texts * engine->n_labels, &slot->scores));
  MIEN_PASS(mien_pinned_take(&lane->pinned, layout.texts * engine->encoder.hidden, &slot->embeddings));
  return mien_pinned_take(&lane->pinned, layout.texts, &slot->status);
}

/* A batch of nothing: kernels are loaded, which a graph's recording must not do. */
static cudaError_t warm_up(mien_cuda_lane *lane, cudaStream_t stream) {
  const mien_layout layout = mien_layout_of_batch(FEWEST_BATCH_TOKENS);
  MIEN_TRY(cudaMemsetAsync(lane->memory.staged, 0, layout.ints * sizeof(int), stream));
  MIEN_PASS(mien_forward_queue(lane, &layout, stream));
  MIEN_TRY(cudaStreamSynchronize(stream));
  return cudaSuccess;
}

static cudaError_t make_streams(mien_cuda_lane *lane) {
  for (int i = 0; i < MIEN_SLOTS; i++) {
    mien_row_slot *rows = &lane->row_slots[i];
    MIEN_TRY(cudaStreamCreateWithFlags(&rows->stream, cudaStreamNonBlocking));
    MIEN_TRY(cudaEventCreateWithFlags(&rows->done, cudaEventDisableTiming | cudaEventBlockingSync));
  }
  return cudaSuccess;
}

/* Memory for batches as large as there is room for. */
static cudaError_t make_memory(mien_cuda_lane *lane) {
  const size_t fewest = fewest_tokens(lane->engine);
  size_t tokens = lane->engine->batch_tokens;
  cudaError_t code = mien_lane_resize(lane, tokens);
  while (code == cudaErrorMemoryAllocation && tokens / 2 >= fewest) {
    tokens /= 2;
    code = mien_lane_resize(lane, tokens);
  }
  return code;
}

static cudaError_t make_all(mien_cuda_lane *lane) {
  MIEN_PASS(make_streams(lane));
  if (!lane->engine->has_encoder) return cudaSuccess;
  MIEN_PASS(make_memory(lane));
  for (int i = 0; i < MIEN_SLOTS; i++) {
    lane->slots[i].stream = lane->row_slots[0].stream; /* both use the lane's memory: one after the other */
    MIEN_PASS(make_slot(lane, &lane->slots[i]));
  }
  return warm_up(lane, lane->slots[0].stream);
}

static cudaError_t make_lane(mien_cuda_lane *lane) {
  try {
    return make_all(lane);
  } catch (const std::bad_alloc &) { /* here, or the lane would be nobody's */
    return mien_cuda_note_text(cudaErrorMemoryAllocation, "out of memory");
  }
}

void mien_lane_destroy(mien_cuda_lane *lane) {
  mien_rows_free(lane);
  free_graphs(lane);
  for (int i = 0; i < MIEN_SLOTS; i++) {
    if (lane->row_slots[i].stream) (void)cudaStreamSynchronize(lane->row_slots[i].stream);
    if (lane->slots[i].done) (void)cudaEventDestroy(lane->slots[i].done);
    if (lane->row_slots[i].done) (void)cudaEventDestroy(lane->row_slots[i].done);
    if (lane->row_slots[i].stream) (void)cudaStreamDestroy(lane->row_slots[i].stream);
  }
  mien_pinned_free(&lane->pinned);
  mien_arena_free(&lane->memory.arena);
  delete lane;
}

/* ---- Sharing them ------------------------------------------------------------------------------------------------ */

/* A free lane, or a new one where more may be; NULL where there is neither. The lock is held. */
static mien_cuda_lane *find_lane(mien_cuda_engine *engine) {
  for (mien_cuda_lane *lane : engine->lanes)
    if (lane->is_free) return lane;
  if (engine->lanes.size() >= engine->most_lanes) return NULL;
  mien_cuda_lane *lane = new mien_cuda_lane();
  lane->engine = engine;
  engine->lanes.push_back(lane);
  return lane;
}

/* A lane that could not be made: the others must do, where there are some. */
static bool give_up_lane(mien_cuda_engine *engine, mien_cuda_lane *lane) {
  std::lock_guard<std::mutex> held(engine->lock);
  for (size_t i = 0; i < engine->lanes.size(); i++)
    if (engine->lanes[i] == lane) engine->lanes.erase(engine->lanes.begin() + (ptrdiff_t)i--);
  const bool are_others = !engine->lanes.empty();
  if (are_others) engine->most_lanes = (unsigned)engine->lanes.size();
  engine->freed.notify_all();
  return are_others;
}

mien_status mien_lane_acquire(mien_cuda_engine *engine, mien_cuda_lane **out, mien_error *error) {
  for (;;) {
    mien_cuda_lane *lane;
    {
      std::unique_lock<std::mutex> held(engine->lock);
      while (!(lane = find_lane(engine))) engine->freed.wait(held);
      lane->is_free = false;
    }
    cudaError_t code = lane->is_made ? cudaSuccess : make_lane(lane);
    if (code == cudaSuccess) {
      lane->is_made = true;
      *out = lane;
      return MIEN_OK;
    }
    const bool are_others = give_up_lane(engine, lane);
    mien_lane_destroy(lane);
    if (code != cudaErrorMemoryAllocation || !are_others)
      return mien_engine_end(engine, code, "making room for batches", error);
  }
}

void mien_lane_release(mien_cuda_lane *lane) {
  mien_cuda_engine *engine = lane->engine;
  for (int i = 0; i < MIEN_SLOTS; i++) {
    if (lane->slots[i].pending.is) (void)cudaStreamSynchronize(lane->slots[i].stream);
    lane->slots[i].pending.is = false;
  }
  std::lock_guard<std::mutex> held(engine->lock);
  lane->is_free = true;
  engine->freed.notify_one();
}
