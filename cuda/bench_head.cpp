/* SPDX-License-Identifier: Apache-2.0 */
/* The head by itself: rows of each type in device memory, and from pinned memory of the host and back. */
#include "bench.h"

/* Rows of one type on the device. */
typedef struct bench_rows {
  const mien_engine_head *head;
  void *data;
  size_t n, bytes; /* of a row */
} bench_rows;

static mien_rows rows_of(const bench_rows *rows, const mien_cuda_engine *engine, const void *data) {
  mien_rows all = {};
  all.size = sizeof all;
  all.data = data;
  all.dtype = rows->head->dtype;
  all.stride = engine->dim;
  return all;
}

/* Rows are read, and 2·L·D operations done, which of float32 could be the longer. */
static void tell(const mien_bench *b, const bench_rows *rows, const char *part, bool scores, size_t n, double seconds) {
  const mien_engine_head *head = rows->head;
  mien_cuda_measure measure = mien_bench_measure(MIEN_MEASURE_HEAD, part, head->dtype);
  const bool on_device = part[0] == 'd';
  measure.way = head->own ? "own" : "cublas";
  measure.by_itself = head->by_itself;
  measure.output = scores ? "scores" : "words";
  measure.seconds = seconds;
  measure.rows = (double)n;
  measure.bytes = (double)n * (double)rows->bytes;
  measure.operations = 2.0 * (double)n * (double)b->engine->n_labels * (double)b->engine->dim;
  measure.bytes_roof = on_device ? "read" : "link";
  measure.operations_roof = on_device && head->dtype == MIEN_F32 ? "fma_f32" : "";
  mien_bench_tell(b, &measure);
}

/* ---- On the device ----------------------------------------------------------------------------------------------- */

static cudaError_t make_rows(const mien_bench *b, mien_arena *arena, bench_rows *rows, mien_device_results *results) {
  const mien_cuda_engine *engine = b->engine;
  const size_t numbers = rows->n * engine->dim;
  const float scale = sqrtf(3.0f / (float)engine->dim); /* rows are about as long as embeddings: 1 */
  unsigned char *data;
  MIEN_PASS(mien_arena_take(arena, rows->n * rows->bytes, &data));
  MIEN_PASS(mien_arena_take(arena, rows->n * engine->n_words, &results->words));
  MIEN_PASS(mien_arena_take(arena, rows->n * engine->n_labels, &results->scores));
  MIEN_PASS(mien_arena_take(arena, rows->n, &results->status));
  rows->data = data;
  return mien_bench_fill(b, rows->head->dtype, data, numbers, scale);
}

static cudaError_t measure_device(const mien_bench *b, const bench_rows *rows, const mien_device_results *results,
                                  void *memory, bool scores) {
  const mien_rows all = rows_of(rows, b->engine, rows->data);
  mien_device_results to = *results;
  double seconds = 0;
  if (!scores) to.scores = NULL;
  const auto label = [&] {
    return mien_engine_queue_rows(b->engine, rows->head, &all, rows->n, &to, memory, b->stream);
  };
  MIEN_PASS(mien_bench_time(b, MIEN_COLD, label, &seconds));
  tell(b, rows, "device", scores, rows->n, seconds);
  return cudaSuccess;
}

static cudaError_t measure_both(const mien_bench *b, const bench_rows *rows, const mien_device_results *results) {
  mien_bench_memory memory(b);
  unsigned char *of_products;
  MIEN_PASS(mien_arena_take(&memory.arena, mien_engine_rows_bytes(rows->head, rows->n), &of_products));
  MIEN_PASS(measure_device(b, rows, results, of_products, false));
  return measure_device(b, rows, results, of_products, true);
}

/* ---- From the host ----------------------------------------------------------------------------------------------- */

static mien_status measure_host(const mien_bench *b, const bench_rows *rows, bool scores, mien_error *error) {
  static const size_t most_bytes = (size_t)1 << 30; /* pinned memory is taken from all others */
  const mien_cuda_engine *engine = b->engine;
  const size_t n = rows->n * rows->bytes > most_bytes ? most_bytes / rows->bytes : rows->n;
  mien_bench_memory memory(b);
  void *host = NULL;
  cudaError_t code = mien_pinned_take(&memory.pinned, n * rows->bytes, &host);
  if (code == cudaSuccess) code = MIEN_CHECK(cudaMemcpy(host, rows->data, n * rows->bytes, cudaMemcpyDeviceToHost));
  mien_status status = mien_engine_end(b->engine, code, "measuring the head", error);
  if (status != MIEN_OK) return status;
  std::vector<uint32_t> words(n * engine->n_words);
  std::vector<float> numbers(scores ? n * engine->n_labels : 0);
  const mien_rows all = rows_of(rows, engine, host);
  mien_results results = {};
  results.size = sizeof results;
  results.words = words.data();
  results.scores = scores ? numbers.data() : NULL;
  double seconds = 0;
  size_t n_bad;
  const auto label = [&] { return mien_engine_label_rows(b->engine, &all, n, &results, &n_bad, error); };
  status = mien_bench_time_calls(b, label, &seconds);
  if (status == MIEN_OK) tell(b, rows, "host", scores, n, seconds);
  return status;
}

/* ---- All types --------------------------------------------------------------------------------------------------- */

static mien_status measure_type(const mien_bench *b, const mien_engine_head *head, mien_error *error) {
  mien_bench_memory memory(b);
  mien_device_results results = {};
  bench_rows rows = {};
  rows.head = head;
  rows.n = b->request->rows;
  rows.bytes = b->engine->dim * mien_row_element(head->dtype);
  cudaError_t code = make_rows(b, &memory.arena, &rows, &results);
  if (code == cudaSuccess) code = measure_both(b, &rows, &results);
  mien_status status = mien_engine_end(b->engine, code, "measuring the head", error);
  /* The link is the same for both ways. */
  for (int scores = 0; status == MIEN_OK && head->by_itself && scores < 2; scores++)
    status = measure_host(b, &rows, scores == 1, error);
  return status;
}

mien_status mien_bench_head(const mien_bench *b, mien_error *error) {
  mien_status status = MIEN_OK;
  for (int i = 0; status == MIEN_OK && i < MIEN_HEAD_DTYPES; i++) status = measure_type(b, &b->engine->heads[i], error);
  return status;
}
