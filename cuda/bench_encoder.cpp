/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder: passes over texts in batches, and each kernel of a full batch by itself. */
#include "bench.h"

/* One batch of the texts, as it is staged on the device. */
typedef struct bench_batch {
  mien_layout layout;
  size_t texts, tokens;
  double pairs; /* of tokens of the same text */
} bench_batch;

/* The texts from `text` on, and their first id. */
typedef struct bench_place {
  size_t text, id;
} bench_place;

/* ---- Operations and bytes ---------------------------------------------------------------------------------------- */

static double of_number(const mien_engine_encoder *encoder) { return encoder->kept == MIEN_KEPT_F32 ? 4 : 2; }

/* Planes of what products read. */
static double planes(const mien_engine_encoder *encoder) { return encoder->kept == MIEN_KEPT_BF16X2 ? 2 : 1; }

/* Products that the tensor cores take for one: of two planes all but the least. */
static double products(const mien_engine_encoder *encoder) { return encoder->kept == MIEN_KEPT_BF16X2 ? 3 : 1; }

static double product_operations(const mien_engine_encoder *encoder, int matrix, double tokens) {
  const mien_engine_matrix *m = &encoder->layers[0].matrices[matrix];
  return 2 * products(encoder) * (double)m->inputs * (double)m->outputs * tokens;
}

static double attention_operations(const mien_engine_encoder *encoder, double pairs) {
  return 2 * 2 * (double)(encoder->n_heads * encoder->columns) * pairs;
}

static double pass_operations(const mien_engine_encoder *encoder, const bench_batch *batch) {
  double operations = attention_operations(encoder, batch->pairs);
  for (int m = 0; m < MIEN_CUDA_LAYER_MATRICES; m++)
    operations += product_operations(encoder, m, (double)batch->tokens);
  return operations * (double)encoder->layers.size();
}

/* What a product reads and writes: rows, weights, and its outputs in 16 bits, or float32 where a residual is added. */
static double product_bytes(const mien_engine_encoder *encoder, int matrix, double tokens) {
  const mien_engine_matrix *m = &encoder->layers[0].matrices[matrix];
  const double inputs = m->inputs, outputs = m->outputs, number = of_number(encoder) * planes(encoder);
  const bool is_added = matrix == MIEN_MATRIX_ATTENTION || matrix == MIEN_MATRIX_DOWN;
  const bool are_heads = matrix == MIEN_MATRIX_HEADS && encoder->kept == MIEN_KEPT_BF16X2;
  const double written = are_heads ? 4 : is_added && encoder->kept == MIEN_KEPT_F32 ? 0 : number;
  return number * inputs * (tokens + outputs) + outputs * tokens * (written + (is_added ? 2 * sizeof(float) : 0));
}

static double attention_bytes(const mien_engine_encoder *encoder, double tokens) {
  const double number = of_number(encoder), numbers = (double)(encoder->n_heads * encoder->columns) * tokens;
  return numbers * (3 * (encoder->kept == MIEN_KEPT_BF16X2 ? 4 : number) + number * planes(encoder));
}

/* x, and x16 where it is not the same. */
static double state_bytes(const mien_engine_encoder *encoder) {
  return sizeof(float) + (encoder->kept == MIEN_KEPT_F32 ? 0 : 2 * planes(encoder));
}

/* ---- What is told ------------------------------------------------------------------------------------------------ */

static const char *peak_of(const mien_engine_encoder *encoder) {
  if (encoder->kept == MIEN_KEPT_F32) return "fma_f32";
  return encoder->number == MIEN_F16 ? "cublas_f16" : "cublas_bf16";
}

/* Of our own kernels. */
static const char *mma_of(const mien_engine_encoder *encoder) {
  if (encoder->kept == MIEN_KEPT_F32) return "fma_f32";
  return encoder->number == MIEN_F16 ? "mma_f16" : "mma_bf16";
}

static mien_cuda_measure measure_of(const mien_bench *b, const char *part, const bench_batch *batch, double seconds) {
  const mien_engine_encoder *encoder = &b->engine->encoder;
  mien_cuda_measure measure = mien_bench_measure(MIEN_MEASURE_ENCODER, part, encoder->dtype);
  measure.seconds = seconds;
  measure.texts = (double)batch->texts;
  measure.tokens = (double)batch->tokens;
  measure.by_itself = true;
  return measure;
}

/* Of products, which go one way or the other. */
static void set_products(const mien_engine_encoder *encoder, double operations, mien_cuda_measure *measure) {
  measure->way = encoder->by_cublas ? "cublas" : "own";
  measure->by_itself = encoder->by_itself;
  measure->operations = operations;
  measure->operations_roof = encoder->by_cublas ? peak_of(encoder) : mma_of(encoder);
  measure->peak = peak_of(encoder);
}

/* ---- Passes ------------------------------------------------------------------------------------------------------ */

/* Stages a batch on the device, and goes past it. */
static cudaError_t stage(const mien_bench *b, mien_cuda_lane *lane, bench_place *place, bench_batch *batch) {
  const mien_cuda_bench *request = b->request;
  int *staged = lane->slots[0].staged;
  batch->texts = mien_lane_stage(lane, request->ids + place->id, request->lengths + place->text,
                                 request->texts - place->text, staged, &batch->tokens, &batch->layout);
  batch->pairs = 0;
  for (size_t i = 0; i < batch->texts; i++) {
    const double length = (double)request->lengths[place->text + i];
    batch->pairs += length * length;
  }
  place->text += batch->texts;
  place->id += batch->tokens;
  MIEN_TRY(cudaMemcpyAsync(lane->memory.staged, staged, batch->layout.ints * sizeof(int), cudaMemcpyHostToDevice,
                           b->stream));
  MIEN_TRY(cudaStreamSynchronize(b->stream));
  return cudaSuccess;
}

static void tell_pass(const mien_bench *b, const char *part, const bench_batch *all, double seconds) {
  const mien_engine_encoder *encoder = &b->engine->encoder;
  mien_cuda_measure measure = measure_of(b, part, all, seconds);
  set_products(encoder, pass_operations(encoder, all), &measure);
  mien_bench_tell(b, &measure);
}

/* All batches, one after the other, each at its best. `all` becomes their sum. */
static cudaError_t measure_passes(const mien_bench *b, mien_cuda_lane *lane, bench_batch *all) {
  const mien_cuda_bench *request = b->request;
  bench_place place = {};
  size_t tokens = 0;
  double sum = 0;
  for (size_t i = 0; i < request->texts; i++) tokens += request->lengths[i];
  const double least = request->seconds / (1 + (double)(tokens / lane->memory.tokens)); /* for a batch */
  *all = {};
  while (place.text < request->texts) {
    bench_batch batch;
    double seconds = 0;
    MIEN_PASS(stage(b, lane, &place, &batch));
    const auto pass = [&] { return mien_forward_launch(lane, &batch.layout, b->stream); };
    MIEN_PASS(mien_bench_time_for(b, least, MIEN_WARM, pass, &seconds));
    sum += seconds;
    all->texts += batch.texts;
    all->tokens += batch.tokens;
    all->pairs += batch.pairs;
  }
  tell_pass(b, "pass", all, sum);
  return cudaSuccess;
}

/* From the host and back. */
static mien_status measure_submitting(const mien_bench *b, mien_cuda_lane *lane, const bench_batch *all,
                                      mien_error *error) {
  const mien_cuda_bench *request = b->request;
  std::vector<float> embeddings(request->texts * b->engine->encoder.hidden);
  mien_results results = {};
  double seconds = 0;
  results.size = sizeof results;
  results.embeddings = embeddings.data();
  const auto run = [&] {
    const mien_status status = mien_lane_submit(lane, request->ids, request->lengths, request->texts, &results, error);
    return status == MIEN_OK ? mien_lane_drain(lane, error) : status;
  };
  const mien_status status = mien_bench_time_calls(b, run, &seconds);
  if (status == MIEN_OK) tell_pass(b, "submit", all, seconds);
  return status;
}

/* ---- Kernels by themselves --------------------------------------------------------------------------------------- */

static cudaError_t time_step(const mien_bench *b, mien_cuda_lane *lane, const bench_batch *batch, mien_step step,
                             mien_bench_cache cache, double *seconds) {
  const auto run = [&] { return mien_forward_queue_step(lane, &batch->layout, step, 0, b->stream); };
  return mien_bench_time(b, cache, run, seconds);
}

/* A product finds what the kernel before it wrote in the cache, as in a pass: its operations are the roof. */
static cudaError_t measure_product(const mien_bench *b, mien_cuda_lane *lane, const bench_batch *batch, mien_step step,
                                   int matrix, const char *part) {
  const mien_engine_encoder *encoder = &b->engine->encoder;
  double seconds = 0;
  MIEN_PASS(time_step(b, lane, batch, step, MIEN_WARM, &seconds));
  mien_cuda_measure measure = measure_of(b, part, batch, seconds);
  set_products(encoder, product_operations(encoder, matrix, (double)batch->tokens), &measure);
  measure.bytes = product_bytes(encoder, matrix, (double)batch->tokens);
  mien_bench_tell(b, &measure);
  return cudaSuccess;
}

static cudaError_t measure_products(const mien_bench *b, mien_cuda_lane *lane, const bench_batch *batch) {
  MIEN_PASS(measure_product(b, lane, batch, MIEN_STEP_HEADS, MIEN_MATRIX_HEADS, "query_key_value"));
  MIEN_PASS(measure_product(b, lane, batch, MIEN_STEP_ATTENTION, MIEN_MATRIX_ATTENTION, "attention_output"));
  MIEN_PASS(measure_product(b, lane, batch, MIEN_STEP_UP, MIEN_MATRIX_UP, "up"));
  return measure_product(b, lane, batch, MIEN_STEP_DOWN, MIEN_MATRIX_DOWN, "down");
}

/* What waits for memory rather than for arithmetic. */
static cudaError_t measure_moving(const mien_bench *b, mien_cuda_lane *lane, const bench_batch *batch, mien_step step,
                                  const char *part, double bytes, const char *roof) {
  double seconds = 0;
  MIEN_PASS(time_step(b, lane, batch, step, MIEN_COLD, &seconds));
  mien_cuda_measure measure = measure_of(b, part, batch, seconds);
  measure.bytes = bytes;
  measure.bytes_roof = roof;
  mien_bench_tell(b, &measure);
  return cudaSuccess;
}

/* Short texts wait for memory, long ones for arithmetic. */
static cudaError_t measure_attention(const mien_bench *b, mien_cuda_lane *lane, const bench_batch *batch) {
  const mien_engine_encoder *encoder = &b->engine->encoder;
  mien_attend attend = {};
  double seconds = 0;
  attend.kept = encoder->kept;
  attend.columns = (int)encoder->columns;
  const bool is_exact = mien_attend_is_exact(&attend);
  MIEN_PASS(time_step(b, lane, batch, MIEN_STEP_ATTEND, MIEN_COLD, &seconds));
  mien_cuda_measure measure = measure_of(b, "attention", batch, seconds);
  measure.bytes = attention_bytes(encoder, (double)batch->tokens);
  measure.bytes_roof = "copy";
  measure.operations = attention_operations(encoder, batch->pairs);
  measure.operations_roof = is_exact ? "fma_f32" : mma_of(encoder);
  measure.peak = is_exact ? "fma_f32" : peak_of(encoder);
  mien_bench_tell(b, &measure);
  return cudaSuccess;
}

static cudaError_t measure_rest(const mien_bench *b, mien_cuda_lane *lane, const bench_batch *batch) {
  const mien_engine_encoder *encoder = &b->engine->encoder;
  const double tokens = (double)batch->tokens, numbers = tokens * (double)encoder->hidden;
  const double state = state_bytes(encoder), floats = sizeof(float), word = encoder->words_are_floats ? 4 : 2;
  const double embeddings = (double)(batch->texts * encoder->hidden) * floats;
  MIEN_PASS(
      measure_moving(b, lane, batch, MIEN_STEP_EMBED, "embed", numbers * (word + state) + tokens * 2 * 4, "copy"));
  MIEN_PASS(measure_attention(b, lane, batch));
  MIEN_PASS(measure_moving(b, lane, batch, MIEN_STEP_NORM, "norm", numbers * (floats + state), "copy"));
  return measure_moving(b, lane, batch, MIEN_STEP_POOL, "pool", numbers * floats + embeddings, "read");
}

/* The first batch is as full as any. A pass goes before, so that all steps find numbers of the usual size. */
static cudaError_t measure_kernels(const mien_bench *b, mien_cuda_lane *lane) {
  bench_place place = {};
  bench_batch batch;
  MIEN_PASS(stage(b, lane, &place, &batch));
  MIEN_PASS(mien_forward_queue(lane, &batch.layout, b->stream));
  if (b->request->parts & MIEN_BENCH_ENCODER) MIEN_PASS(measure_products(b, lane, &batch));
  if (b->request->parts & MIEN_BENCH_REST) MIEN_PASS(measure_rest(b, lane, &batch));
  return cudaSuccess;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static mien_status measure(const mien_bench *b, mien_cuda_lane *lane, mien_error *error) {
  static const char what[] = "measuring the encoder";
  bench_batch all = {};
  mien_status status = MIEN_OK;
  if (b->request->parts & MIEN_BENCH_ENCODER) {
    status = mien_engine_end(b->engine, measure_passes(b, lane, &all), what, error);
    if (status == MIEN_OK) status = measure_submitting(b, lane, &all, error);
  }
  return status == MIEN_OK ? mien_engine_end(b->engine, measure_kernels(b, lane), what, error) : status;
}

/* Every text must fit a batch, as `submit` checks too, and there must be one. */
static mien_status check_texts(const mien_bench *b, mien_error *error) {
  const size_t most = b->engine->encoder.max_tokens;
  if (b->request->texts == 0) return mien_fail(error, MIEN_ARGUMENT, "bench: expected texts, found none");
  for (size_t i = 0; i < b->request->texts; i++)
    if (b->request->lengths[i] == 0 || b->request->lengths[i] > most)
      return mien_fail(error, MIEN_ARGUMENT, "bench: text %zu: expected 1 to %zu tokens, found %zu", i, most,
                       b->request->lengths[i]);
  return MIEN_OK;
}

mien_status mien_bench_encoder(const mien_bench *b, mien_error *error) {
  mien_cuda_lane *lane;
  mien_status status = check_texts(b, error);
  if (status == MIEN_OK) status = mien_lane_acquire(b->engine, &lane, error);
  if (status != MIEN_OK) return status;
  status = measure(b, lane, error);
  (void)cudaStreamSynchronize(b->stream); /* the lane's memory is another's from now on */
  mien_lane_release(lane);
  return status;
}
