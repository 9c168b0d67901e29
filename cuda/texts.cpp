/* SPDX-License-Identifier: Apache-2.0 */
/* Texts' tokens in batches through a lane: staged while the batch before runs, results fetched when they are there. */
#include <string.h>

#include "engine.h"

/* ---- Staging ----------------------------------------------------------------------------------------------------- */

/* The texts of a batch: as many from the first on as fit. */
static size_t fill_batch(const mien_layout *layout, const size_t *lengths, size_t n, size_t *tokens) {
  size_t texts = 0;
  *tokens = 0;
  while (texts < n && texts < layout->texts && *tokens + lengths[texts] <= layout->tokens) *tokens += lengths[texts++];
  return texts;
}

/* The smallest layout for them, so that few graphs serve all batches. */
static mien_layout layout_for(const mien_cuda_lane *lane, size_t tokens, size_t texts) {
  enum { SMALLEST = 256 };
  size_t of = SMALLEST < lane->memory.tokens ? (size_t)SMALLEST : lane->memory.tokens;
  mien_layout layout = mien_layout_of_batch(of);
  while ((layout.tokens < tokens || layout.texts < texts) && of < lane->memory.tokens) {
    of *= 2;
    layout = mien_layout_of_batch(of);
  }
  return layout;
}

/* Attention's work, that of long texts first: what is left for the end is short. */
static int stage_tiles(const size_t *lengths, const int *starts, size_t n, mien_tile *tiles) {
  enum { LONG = 64 };
  int count = 0;
  for (int is_long = 1; is_long >= 0; is_long--)
    for (size_t text = 0; text < n; text++) {
      if ((lengths[text] > LONG) != (is_long == 1)) continue;
      for (size_t first = 0; first < lengths[text]; first += MIEN_QUERY_TILE)
        tiles[count++] = mien_tile{starts[text], (int)lengths[text], (int)first, 0};
    }
  return count;
}

static void stage(const mien_layout *layout, const int32_t *ids, const size_t *lengths, size_t texts, size_t tokens,
                  int *staged) {
  int *positions = staged + layout->positions, *starts = staged + layout->starts;
  memcpy(staged + layout->ids, ids, tokens * sizeof *ids);
  int token = 0;
  for (size_t text = 0; text < texts; text++) {
    starts[text] = token;
    for (size_t i = 0; i < lengths[text]; i++) positions[token++] = (int)i;
  }
  starts[texts] = token;
  staged[MIEN_COUNT_TOKENS] = (int)tokens;
  staged[MIEN_COUNT_TEXTS] = (int)texts;
  staged[MIEN_COUNT_TILES] =
      stage_tiles(lengths, starts, texts, reinterpret_cast<mien_tile *>(staged + layout->tiles_at));
  staged[MIEN_COUNTS - 1] = 0;
}

size_t mien_lane_stage(const mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n, int *staged,
                       size_t *tokens, mien_layout *layout) {
  const mien_layout most = mien_layout_of_batch(lane->memory.tokens);
  const size_t texts = fill_batch(&most, lengths, n, tokens);
  *layout = layout_for(lane, *tokens, texts);
  stage(layout, ids, lengths, texts, *tokens, staged);
  return texts;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

static cudaError_t fetch(const mien_slot *slot, void *to, const void *from, size_t bytes) {
  MIEN_TRY(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, slot->stream));
  return cudaSuccess;
}

static cudaError_t queue_results(const mien_cuda_lane *lane, const mien_slot *slot, size_t texts,
                                 const mien_results *to) {
  const mien_cuda_engine *engine = lane->engine;
  const mien_lane_memory *memory = &lane->memory;
  if (to->words && engine->has_head)
    MIEN_PASS(fetch(slot, slot->words, memory->words, texts * engine->n_words * sizeof *slot->words));
  if (to->scores && engine->has_head)
    MIEN_PASS(fetch(slot, slot->scores, memory->scores, texts * engine->n_labels * sizeof *slot->scores));
  if (to->embeddings)
    MIEN_PASS(
        fetch(slot, slot->embeddings, memory->embeddings, texts * engine->encoder.hidden * sizeof *slot->embeddings));
  /* A text that is to be labelled is bad where a logit is not finite, too. */
  const bool labels = engine->has_head && (to->words || to->scores);
  const mien_row_status *status = labels ? memory->label_status : memory->status;
  if (to->status) MIEN_PASS(fetch(slot, slot->status, status, texts * sizeof *status));
  return cudaSuccess;
}

/* Waits for the slot's batch and hands its results over. */
static cudaError_t collect(const mien_cuda_lane *lane, mien_slot *slot) {
  const mien_cuda_engine *engine = lane->engine;
  const mien_pending pending = slot->pending;
  if (!pending.is) return cudaSuccess;
  slot->pending.is = false;
  MIEN_TRY(cudaEventSynchronize(slot->done));
  const mien_results *to = &pending.to;
  const size_t n = pending.texts;
  if (to->words && engine->has_head) memcpy(to->words, slot->words, n * engine->n_words * sizeof *slot->words);
  if (to->scores && engine->has_head) memcpy(to->scores, slot->scores, n * engine->n_labels * sizeof *slot->scores);
  if (to->embeddings) memcpy(to->embeddings, slot->embeddings, n * engine->encoder.hidden * sizeof *slot->embeddings);
  if (to->status) memcpy(to->status, slot->status, n * sizeof *slot->status);
  return cudaSuccess;
}

/* Results from text `first` on. */
static mien_results results_from(const mien_cuda_engine *engine, const mien_results *results, size_t first) {
  mien_results from = *results;
  if (from.words) from.words += first * engine->n_words;
  if (from.scores) from.scores += first * engine->n_labels;
  if (from.embeddings) from.embeddings += first * engine->encoder.hidden;
  if (from.status) from.status += first;
  return from;
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

/* Queues a batch in a free slot. */
static cudaError_t queue(mien_cuda_lane *lane, mien_slot *slot, const int32_t *ids, const size_t *lengths, size_t texts,
                         size_t tokens, const mien_results *to) {
  const mien_layout layout = layout_for(lane, tokens, texts);
  stage(&layout, ids, lengths, texts, tokens, slot->staged);
  MIEN_TRY(cudaMemcpyAsync(lane->memory.staged, slot->staged, layout.ints * sizeof(int), cudaMemcpyHostToDevice,
                           slot->stream));
  slot->pending = mien_pending{true, texts, *to}; /* from here on the slot's memory is in use */
  MIEN_PASS(mien_forward_launch(lane, &layout, slot->stream));
  MIEN_PASS(queue_results(lane, slot, texts, to));
  MIEN_TRY(cudaEventRecord(slot->done, slot->stream));
  return cudaSuccess;
}

/* All slots' results; then nothing is under way. */
static cudaError_t collect_all(mien_cuda_lane *lane) {
  for (int i = 0; i < MIEN_SLOTS; i++) {
    mien_slot *slot = &lane->slots[(lane->next + i) % MIEN_SLOTS];
    MIEN_PASS(collect(lane, slot));
  }
  return cudaSuccess;
}

/* Smaller batches, after memory ran out: false where they can't be. */
static cudaError_t shrink(mien_cuda_lane *lane) {
  const size_t tokens = lane->memory.tokens / 2;
  for (int i = 0; i < MIEN_SLOTS; i++) {
    /* The batch that failed is run again; what is before it has its results. */
    MIEN_TRY(cudaStreamSynchronize(lane->slots[i].stream));
  }
  if (tokens < lane->engine->encoder.max_tokens)
    return mien_cuda_note_text(cudaErrorMemoryAllocation, "out of device memory for batches of %zu tokens",
                               lane->memory.tokens);
  return mien_lane_resize(lane, tokens);
}

static cudaError_t submit_batch(mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n,
                                const mien_results *results, size_t *texts, size_t *tokens) {
  for (;;) {
    const mien_layout layout = mien_layout_of_batch(lane->memory.tokens);
    mien_slot *slot = &lane->slots[lane->next];
    *texts = fill_batch(&layout, lengths, n, tokens);
    MIEN_PASS(collect(lane, slot));
    const cudaError_t code = queue(lane, slot, ids, lengths, *texts, *tokens, results);
    if (code == cudaSuccess) {
      lane->next = (lane->next + 1) % MIEN_SLOTS;
      return cudaSuccess;
    }
    slot->pending.is = false;
    if (code != cudaErrorMemoryAllocation) return code;
    MIEN_PASS(collect_all(lane));
    MIEN_PASS(shrink(lane));
  }
}

static cudaError_t submit(mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n,
                          const mien_results *results) {
  size_t texts, tokens;
  for (size_t done = 0; done < n; done += texts) {
    const mien_results to = results_from(lane->engine, results, done);
    MIEN_PASS(submit_batch(lane, ids, lengths + done, n - done, &to, &texts, &tokens));
    ids += tokens;
  }
  return cudaSuccess;
}

mien_status mien_lane_submit(mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n,
                             const mien_results *results, mien_error *error) {
  mien_status status = mien_engine_check(lane->engine, error);
  for (size_t i = 0; status == MIEN_OK && i < n; i++)
    if (lengths[i] == 0 || lengths[i] > lane->engine->encoder.max_tokens)
      status = mien_fail(error, MIEN_ARGUMENT, "%s: text %zu: expected 1 to %zu tokens, found %zu", lane->engine->name,
                         i, lane->engine->encoder.max_tokens, lengths[i]);
  if (status != MIEN_OK) return status;
  const mien_on_device here(lane->engine);
  const cudaError_t code = here.code == cudaSuccess ? submit(lane, ids, lengths, n, results) : here.code;
  return mien_engine_end(lane->engine, code, "running texts", error);
}

mien_status mien_lane_drain(mien_cuda_lane *lane, mien_error *error) {
  const mien_status status = mien_engine_check(lane->engine, error);
  if (status != MIEN_OK) return status;
  const mien_on_device here(lane->engine);
  const cudaError_t code = here.code == cudaSuccess ? collect_all(lane) : here.code;
  return mien_engine_end(lane->engine, code, "running texts", error);
}
