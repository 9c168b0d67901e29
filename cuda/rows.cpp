/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings to labels: host memory in pieces, copied while the piece before is labelled; or device memory. */
#include <string.h>

#include <new>

#include "engine.h"

/* Bytes of rows in a piece: enough for the link's full speed, and for a kernel to be long beside its launch. */
#define PIECE_BYTES ((size_t)16 << 20)
/* The most bytes of logits of a piece. */
#define LOGIT_BYTES ((size_t)64 << 20)

static const mien_engine_head *head_for(const mien_cuda_engine *engine, mien_dtype dtype) {
  return &engine->heads[dtype == MIEN_F16 ? MIEN_HEAD_F16 : dtype == MIEN_BF16 ? MIEN_HEAD_BF16 : MIEN_HEAD_F32];
}

static size_t logits_of_row(const mien_engine_head *head) { return (size_t)head->parts * head->labels; }

/* Numbers that rows are packed into: those of f64 always, else where a product wants them aligned. */
static size_t packed_bytes(const mien_cuda_engine *engine, const mien_engine_head *head, mien_dtype dtype) {
  if (dtype == MIEN_F64) return (head->own ? engine->dim : head->dim) * sizeof(float);
  return head->own ? 0 : head->dim * mien_row_element(dtype);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

void mien_rows_free(mien_cuda_lane *lane) {
  mien_pinned_free(&lane->row_memory.pinned);
  mien_arena_free(&lane->row_memory.arena);
  lane->row_memory.piece = 0;
}

static cudaError_t make_slot(mien_cuda_lane *lane, mien_row_slot *slot) {
  const mien_cuda_engine *engine = lane->engine;
  mien_row_memory *memory = &lane->row_memory;
  const mien_engine_head *head = head_for(engine, memory->dtype);
  const size_t n = memory->piece, row = engine->dim * mien_row_element(memory->dtype);
  unsigned char *rows, *packed, *staged = NULL;
  MIEN_PASS(mien_arena_take(&memory->arena, n * row, &rows));
  MIEN_PASS(mien_arena_take(&memory->arena, n * packed_bytes(engine, head, memory->dtype), &packed));
  MIEN_PASS(mien_arena_take(&memory->arena, head->own ? 0 : n * logits_of_row(head), &slot->logits));
  MIEN_PASS(mien_arena_take(&memory->arena, n * engine->n_words, &slot->results.words));
  MIEN_PASS(mien_arena_take(&memory->arena, n, &slot->results.status));
  MIEN_PASS(mien_pinned_take(&memory->pinned, n * engine->n_words, &slot->pinned.words));
  MIEN_PASS(mien_pinned_take(&memory->pinned, n, &slot->pinned.status));
  slot->rows = rows;
  slot->packed = packed;
  slot->staged = NULL;
  slot->results.scores = slot->pinned.scores = NULL;
  if (memory->has_scores) {
    MIEN_PASS(mien_arena_take(&memory->arena, n * engine->n_labels, &slot->results.scores));
    MIEN_PASS(mien_pinned_take(&memory->pinned, n * engine->n_labels, &slot->pinned.scores));
  }
  if (memory->has_staged) {
    MIEN_PASS(mien_pinned_take(&memory->pinned, n * row, &staged));
    slot->staged = staged;
  }
  return cudaSuccess;
}

/* Memory for pieces of `piece` rows. */
static cudaError_t make_memory(mien_cuda_lane *lane, mien_dtype dtype, size_t piece, bool staged, bool scores) {
  mien_row_memory *memory = &lane->row_memory;
  if (memory->piece == piece && memory->dtype == dtype && memory->has_staged >= staged && memory->has_scores >= scores)
    return cudaSuccess;
  mien_rows_free(lane);
  memory->dtype = dtype;
  memory->piece = piece;
  memory->has_staged = staged;
  memory->has_scores = scores;
  for (int i = 0; i < MIEN_SLOTS; i++) {
    const cudaError_t code = make_slot(lane, &lane->row_slots[i]);
    if (code == cudaSuccess) continue;
    mien_rows_free(lane);
    return code;
  }
  return cudaSuccess;
}

/* Pieces of half as many rows until there is memory for them. */
static cudaError_t make_room(mien_cuda_lane *lane, mien_dtype dtype, size_t n, bool staged, bool scores) {
  enum { FEWEST = 1024 };
  const mien_cuda_engine *engine = lane->engine;
  const mien_engine_head *head = head_for(engine, dtype);
  size_t piece = PIECE_BYTES / (engine->dim * mien_row_element(dtype));
  if (!head->own && piece > LOGIT_BYTES / (logits_of_row(head) * sizeof(float)))
    piece = LOGIT_BYTES / (logits_of_row(head) * sizeof(float));
  if (piece > n) piece = n > FEWEST ? n : (size_t)FEWEST;
  if (piece == 0) piece = 1;
  /* What is there already does for fewer rows, too. */
  if (lane->row_memory.dtype == dtype && lane->row_memory.piece >= piece) piece = lane->row_memory.piece;
  cudaError_t code = make_memory(lane, dtype, piece, staged, scores);
  while (code == cudaErrorMemoryAllocation && piece > 1) {
    piece /= 2;
    code = make_memory(lane, dtype, piece, staged, scores);
  }
  return code;
}

/* ---- Pieces ------------------------------------------------------------------------------------------------------ */

typedef struct rows_run {
  mien_cuda_lane *lane;
  const mien_rows *rows;
  const mien_results *results;
  bool staged; /* the caller's memory is not pinned: copies from it would not be asynchronous */
  size_t n_bad;
} rows_run;

static cudaError_t to_device(const rows_run *run, mien_row_slot *slot, size_t first, size_t n) {
  const size_t size = mien_row_element(run->rows->dtype), row = run->lane->engine->dim * size,
               pitch = run->rows->stride * size;
  const unsigned char *from = static_cast<const unsigned char *>(run->rows->data) + first * pitch;
  if (run->staged) {
    unsigned char *staged = static_cast<unsigned char *>(slot->staged);
    if (pitch == row)
      memcpy(staged, from, n * row);
    else
      for (size_t i = 0; i < n; i++) memcpy(staged + i * row, from + i * pitch, row);
    MIEN_TRY(cudaMemcpyAsync(slot->rows, staged, n * row, cudaMemcpyHostToDevice, slot->stream));
  } else if (pitch == row) {
    MIEN_TRY(cudaMemcpyAsync(slot->rows, from, n * row, cudaMemcpyHostToDevice, slot->stream));
  } else {
    MIEN_TRY(cudaMemcpy2DAsync(slot->rows, row, from, pitch, row, n, cudaMemcpyHostToDevice, slot->stream));
  }
  return cudaSuccess;
}

static cudaError_t queue_piece(const rows_run *run, mien_row_slot *slot, size_t first, size_t n) {
  const mien_cuda_engine *engine = run->lane->engine;
  const mien_engine_head *head = head_for(engine, run->rows->dtype);
  const void *rows = slot->rows;
  size_t stride = engine->dim;
  MIEN_PASS(to_device(run, slot, first, n));
  slot->n = n; /* from here on its memory is in use */
  slot->first = first;
  if (run->rows->dtype == MIEN_F64) {
    stride = head->own ? engine->dim : head->dim;
    MIEN_TRY(mien_head_pack_rows(MIEN_F64, rows, engine->dim, n, engine->dim, stride, slot->packed, slot->stream));
    rows = slot->packed;
  }
  mien_device_results results = slot->results;
  if (!run->results->scores) results.scores = NULL;
  MIEN_PASS(mien_engine_queue_head(engine, head, rows, stride, n, slot->packed, slot->logits, &results, slot->stream));
  MIEN_TRY(cudaMemcpyAsync(slot->pinned.status, results.status, n, cudaMemcpyDeviceToHost, slot->stream));
  if (run->results->words)
    MIEN_TRY(cudaMemcpyAsync(slot->pinned.words, results.words, n * engine->n_words * sizeof(uint32_t),
                             cudaMemcpyDeviceToHost, slot->stream));
  if (results.scores)
    MIEN_TRY(cudaMemcpyAsync(slot->pinned.scores, results.scores, n * engine->n_labels * sizeof(float),
                             cudaMemcpyDeviceToHost, slot->stream));
  MIEN_TRY(cudaEventRecord(slot->done, slot->stream));
  return cudaSuccess;
}

static cudaError_t collect(rows_run *run, mien_row_slot *slot) {
  const mien_cuda_engine *engine = run->lane->engine;
  const mien_results *to = run->results;
  const size_t n = slot->n, first = slot->first;
  if (n == 0) return cudaSuccess;
  slot->n = 0;
  MIEN_TRY(cudaEventSynchronize(slot->done));
  for (size_t i = 0; i < n; i++) run->n_bad += slot->pinned.status[i] == MIEN_ROW_NOT_FINITE;
  if (to->status) memcpy(to->status + first, slot->pinned.status, n);
  if (to->words)
    memcpy(to->words + first * engine->n_words, slot->pinned.words, n * engine->n_words * sizeof *to->words);
  if (to->scores)
    memcpy(to->scores + first * engine->n_labels, slot->pinned.scores, n * engine->n_labels * sizeof *to->scores);
  return cudaSuccess;
}

static cudaError_t label_pieces(rows_run *run, size_t n) {
  mien_cuda_lane *lane = run->lane;
  const size_t piece = lane->row_memory.piece;
  size_t count = 0;
  for (size_t first = 0; first < n; first += piece, count++) {
    mien_row_slot *slot = &lane->row_slots[count % MIEN_SLOTS];
    MIEN_PASS(collect(run, slot));
    MIEN_PASS(queue_piece(run, slot, first, n - first < piece ? n - first : piece));
  }
  for (int i = 0; i < MIEN_SLOTS; i++) MIEN_PASS(collect(run, &lane->row_slots[(count + (size_t)i) % MIEN_SLOTS]));
  return cudaSuccess;
}

static cudaError_t is_pinned(const void *memory, bool *pinned) {
  cudaPointerAttributes attributes;
  MIEN_TRY(cudaPointerGetAttributes(&attributes, memory));
  *pinned = attributes.type == cudaMemoryTypeHost || attributes.type == cudaMemoryTypeManaged;
  return cudaSuccess;
}

static cudaError_t label_on(mien_cuda_lane *lane, const mien_rows *rows, size_t n, const mien_results *results,
                            size_t *n_bad) {
  rows_run run = {lane, rows, results, true, 0};
  const unsigned char *data = static_cast<const unsigned char *>(rows->data);
  const size_t last = ((n - 1) * rows->stride + lane->engine->dim) * mien_row_element(rows->dtype) - 1;
  bool pinned = false;
  MIEN_PASS(is_pinned(data, &pinned));
  if (pinned) MIEN_PASS(is_pinned(data + last, &pinned)); /* all of it, not a part that is registered */
  run.staged = !pinned;
  MIEN_PASS(make_room(lane, rows->dtype, n, run.staged, results->scores != NULL));
  const cudaError_t code = label_pieces(&run, n);
  for (int i = 0; code != cudaSuccess && i < MIEN_SLOTS; i++) {
    /* Nothing may be under way when the caller's memory goes. */
    (void)cudaStreamSynchronize(lane->row_slots[i].stream);
    lane->row_slots[i].n = 0;
  }
  *n_bad = run.n_bad;
  return code;
}

mien_status mien_engine_label_rows(mien_cuda_engine *engine, const mien_rows *rows, size_t n,
                                   const mien_results *results, size_t *n_bad, mien_error *error) {
  mien_cuda_lane *lane;
  mien_status status = mien_engine_check(engine, error);
  *n_bad = 0;
  if (status != MIEN_OK || n == 0) return status;
  const mien_on_device here(engine);
  if (here.code != cudaSuccess) return mien_engine_end(engine, here.code, "labelling rows", error);
  status = mien_lane_acquire(engine, &lane, error);
  if (status != MIEN_OK) return status;
  cudaError_t code;
  try {
    code = label_on(lane, rows, n, results, n_bad);
  } catch (const std::bad_alloc &) { /* here, or the lane would be nobody's */
    code = mien_cuda_note_text(cudaErrorMemoryAllocation, "out of memory");
  }
  status = mien_engine_end(engine, code, "labelling rows", error);
  mien_lane_release(lane);
  return status;
}

/* ---- Device memory ----------------------------------------------------------------------------------------------- */

/* Rows that go through a product at a time, and where their packed copies lie behind their logits. */
typedef struct product_pieces {
  size_t rows, packed_at, bytes;
} product_pieces;

static product_pieces pieces_of(const mien_engine_head *head, size_t n) {
  enum { ALIGNMENT = 256 };
  const size_t logits = logits_of_row(head) * sizeof(float), packed = head->dim * mien_row_element(head->dtype);
  product_pieces pieces = {};
  pieces.rows = LOGIT_BYTES / (logits + packed);
  if (pieces.rows == 0) pieces.rows = 1;
  if (pieces.rows > n) pieces.rows = n;
  pieces.packed_at = (pieces.rows * logits + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  pieces.bytes = pieces.packed_at + pieces.rows * packed;
  return pieces;
}

size_t mien_engine_rows_bytes(const mien_engine_head *head, size_t n) {
  return head->own ? 0 : pieces_of(head, n).bytes;
}

cudaError_t mien_engine_queue_rows(const mien_cuda_engine *engine, const mien_engine_head *head, const mien_rows *rows,
                                   size_t n, const mien_device_results *results, void *memory, cudaStream_t stream) {
  if (head->own) return mien_engine_queue_head(engine, head, rows->data, rows->stride, n, NULL, NULL, results, stream);
  const product_pieces pieces = pieces_of(head, n);
  const size_t row = rows->stride * mien_row_element(rows->dtype);
  for (size_t first = 0; first < n; first += pieces.rows) {
    mien_device_results to = *results;
    if (to.words) to.words += first * engine->n_words;
    if (to.scores) to.scores += first * engine->n_labels;
    if (to.status) to.status += first;
    MIEN_PASS(mien_engine_queue_head(engine, head, static_cast<const unsigned char *>(rows->data) + first * row,
                                     rows->stride, n - first < pieces.rows ? n - first : pieces.rows,
                                     static_cast<unsigned char *>(memory) + pieces.packed_at,
                                     static_cast<float *>(memory), &to, stream));
  }
  return cudaSuccess;
}

/* With memory that comes and goes with the stream. */
static cudaError_t label_by_product(const mien_cuda_engine *engine, const mien_engine_head *head, const mien_rows *rows,
                                    size_t n, const mien_device_results *results, cudaStream_t stream) {
  void *memory = NULL;
  MIEN_TRY(cudaMallocAsync(&memory, mien_engine_rows_bytes(head, n), stream));
  cudaError_t code = mien_engine_queue_rows(engine, head, rows, n, results, memory, stream);
  const cudaError_t end = MIEN_CUDA_CALL(cudaFreeAsync(memory, stream));
  if (code == cudaSuccess && end != cudaSuccess) code = mien_cuda_note(end, __func__, "cudaFreeAsync(");
  return code;
}

mien_status mien_engine_label_device_rows(mien_cuda_engine *engine, const mien_rows *rows, size_t n,
                                          const mien_results *results, void *stream, mien_error *error) {
  const mien_status status = mien_engine_check(engine, error);
  if (status != MIEN_OK || n == 0) return status;
  if (rows->dtype != MIEN_F32 && rows->dtype != MIEN_F16 && rows->dtype != MIEN_BF16)
    return mien_fail(error, MIEN_ARGUMENT, "rows: dtype: expected %d, %d or %d in device memory, found %d", MIEN_F32,
                     MIEN_F16, MIEN_BF16, rows->dtype);
  const mien_on_device here(engine);
  const mien_engine_head *head = head_for(engine, rows->dtype);
  const mien_device_results to = {results->words, results->scores, results->status};
  cudaStream_t on = static_cast<cudaStream_t>(stream);
  cudaError_t code = here.code;
  if (code == cudaSuccess && head->own)
    code = mien_engine_queue_rows(engine, head, rows, n, &to, NULL, on);
  else if (code == cudaSuccess)
    code = label_by_product(engine, head, rows, n, &to, on);
  return mien_engine_end(engine, code, "labelling rows", error);
}
