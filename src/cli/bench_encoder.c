/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench encoder: token ids in memory to embeddings, beside the multiply-adds that the machine can do at most. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/bench.h"
#include "cli/roofline.h"
#include "encoder/forward.h"
#include "encoder/panel.h"
#include "model/model.h"

/* The encoder that is measured when none is given: what mien is most used with. */
enum { LAYERS = 12, HIDDEN = 384, HEADS = 12, INTERMEDIATE = 1536, VOCABULARY = 30522, POSITIONS = 512 };

/* Tokens of comments, special ones among them: every twentieth of GoEmotions' texts in order of length. */
static const size_t comment_tokens[] = {6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 25, 27, 28, 30, 32, 36};

enum { TEXTS = 64, MAX_RESULTS = 4 * MIEN_ISA_COUNT };

typedef struct bench_result {
  const char *isa;
  bool products;
  unsigned threads;
  double seconds; /* for all texts, by one thread */
} bench_result;

typedef struct encoder_bench {
  mien_encoder_plan *own;
  const mien_encoder_plan *plan;
  const mien_dtype *dtype; /* of the own plan; NULL: float32 */
  float *random;           /* where the own plan's weights were taken from */
  int32_t *ids;
  size_t lengths[TEXTS], n_tokens, batch_texts[TEXTS], n_batches;
  double seconds, read[2], flops[2]; /* one thread, all threads: bytes and operations a second */
  unsigned threads;
  bench_result results[MAX_RESULTS];
  size_t n_results;
} encoder_bench;

/* ---- What is measured ---------------------------------------------------------------------------------------- */

static mien_weight_linear random_linear(const float *random, size_t outputs, size_t inputs) {
  const unsigned char *data = (const unsigned char *)random;
  return (mien_weight_linear){{.data = data, .outputs = outputs, .inputs = inputs},
                              {.data = data, .outputs = 1, .inputs = outputs}};
}

/* All weights are the same numbers in the file; the plan has a copy for each. */
static mien_encoder_source *make_source(const float *random) {
  const unsigned char *data = (const unsigned char *)random;
  mien_encoder_source *source = mien_alloc(1, sizeof *source);
  mien_layer_weights *layers = mien_alloc(LAYERS, sizeof *layers);
  if (!source || !layers) {
    mien_free(source);
    mien_free(layers);
    return NULL;
  }
  const mien_weight vector = {.data = data, .outputs = 1, .inputs = HIDDEN};
  source->config = (mien_encoder_config){
      LAYERS, HIDDEN, HEADS, INTERMEDIATE, VOCABULARY, POSITIONS, 1, 1e-12f, MIEN_POOLING_MEAN, true, POSITIONS};
  source->format = "random";
  source->weights = (mien_encoder_weights){.word = {.data = data, .outputs = VOCABULARY, .inputs = HIDDEN},
                                           .position = {.data = data, .outputs = POSITIONS, .inputs = HIDDEN},
                                           .token_type = vector,
                                           .norm = {vector, vector},
                                           .layers = layers};
  for (size_t i = 0; i < LAYERS; i++)
    layers[i] = (mien_layer_weights){.query = random_linear(random, HIDDEN, HIDDEN),
                                     .key = random_linear(random, HIDDEN, HIDDEN),
                                     .value = random_linear(random, HIDDEN, HIDDEN),
                                     .attention_output = random_linear(random, HIDDEN, HIDDEN),
                                     .attention_norm = {vector, vector},
                                     .intermediate = random_linear(random, INTERMEDIATE, HIDDEN),
                                     .output = random_linear(random, HIDDEN, INTERMEDIATE),
                                     .output_norm = {vector, vector}};
  return source;
}

static mien_status make_encoder(encoder_bench *bench, mien_error *error) {
  const size_t numbers = (size_t)VOCABULARY * HIDDEN;
  uint64_t state = 1;
  bench->random = mien_alloc(numbers, sizeof(float));
  mien_encoder_source *source = bench->random ? make_source(bench->random) : NULL;
  if (!source) return mien_fail_memory(error, "encoder", numbers * sizeof(float));
  for (size_t i = 0; i < numbers; i++) bench->random[i] = 0.04f * cli_random_normal(&state);
  mien_status status = mien_encoder_plan_create(source, 0, bench->dtype, "encoder", &bench->own, error);
  bench->plan = bench->own;
  return status;
}

/* Texts and, as a session would have them, batches of equal numbers of tokens. */
static mien_status make_texts(encoder_bench *bench, size_t tokens, mien_error *error) {
  const size_t n_lengths = sizeof comment_tokens / sizeof *comment_tokens, most = bench->plan->config.max_tokens;
  if (tokens > most)
    return mien_fail(error, MIEN_ARGUMENT, "--tokens: expected at most %zu, the encoder's limit, found %zu", most,
                     tokens);
  for (size_t i = 0; i < TEXTS; i++) {
    const size_t n = tokens ? tokens : comment_tokens[i * 7 % n_lengths]; /* long and short ones mixed */
    bench->lengths[i] = n < most ? n : most;
    bench->n_tokens += bench->lengths[i];
  }
  bench->ids = mien_alloc(bench->n_tokens, sizeof *bench->ids);
  if (!bench->ids) return mien_fail_memory(error, "ids", bench->n_tokens * sizeof *bench->ids);
  uint64_t state = 3;
  for (size_t i = 0; i < bench->n_tokens; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    bench->ids[i] = (int32_t)((state >> 33) % bench->plan->config.vocabulary);
  }
  const size_t room = most > MIEN_BATCH_TOKENS ? most : MIEN_BATCH_TOKENS;
  size_t left = bench->n_tokens;
  for (size_t first = 0, n; first < TEXTS; first += n) {
    n = mien_encoder_next_batch(bench->lengths + first, TEXTS - first, left, room);
    bench->batch_texts[bench->n_batches++] = n;
    for (size_t i = 0; i < n; i++) left -= bench->lengths[first + i];
  }
  return MIEN_OK;
}

/* ---- Operations ---------------------------------------------------------------------------------------------- */

/* Two for each multiply-add that a batch's results need. After the last layer's keys and values, pooling by the first
 * token needs no other one. */
static double operations(const encoder_bench *bench, bool products) {
  const mien_encoder_config *config = &bench->plan->config;
  const double hidden = (double)config->hidden, intermediate = (double)config->intermediate;
  double all = 0;
  for (size_t text = 0; text < TEXTS; text++)
    for (size_t layer = 0; layer < config->layers; layer++) {
      const bool is_cut = !products && layer + 1 == config->layers && config->pooling == MIEN_POOLING_CLS;
      const double n = (double)bench->lengths[text], rows = is_cut ? 1 : n;
      all += 2 * hidden * (3 * hidden * n + (hidden + 2 * intermediate) * rows);
      if (!products) all += 2 * 2 * hidden * n * rows;
    }
  return all;
}

/* Of the matrices, which every batch reads. */
static size_t weight_bytes(const encoder_bench *bench) {
  size_t numbers = 0;
  for (size_t i = 0; i < bench->plan->config.layers; i++) {
    const mien_layer *layer = &bench->plan->layers[i];
    const mien_matrix *const matrices[] = {&layer->query_key_value, &layer->attention_output, &layer->up, &layer->down};
    for (size_t k = 0; k < sizeof matrices / sizeof *matrices; k++)
      numbers += matrices[k]->inputs * matrices[k]->outputs;
  }
  return numbers * mien_panel_element(mien_layout_of(bench->plan->dtype));
}

/* The products with weights of one batch of n tokens. */
static void run_products(const mien_encoder_kernels *kernels, const mien_encoder_plan *plan, size_t n,
                         mien_encoder_scratch *scratch) {
  for (size_t i = 0; i < plan->config.layers; i++) {
    const mien_layer *layer = &plan->layers[i];
    kernels->project(&layer->query_key_value, scratch->x, n, plan->head_columns, n * plan->head_columns,
                     scratch->products, scratch->heads);
    kernels->project_add(&layer->attention_output, scratch->context, n, scratch->products, scratch->x);
    kernels->feed_forward(&layer->up, &layer->down, scratch->x, n, scratch->products, scratch->y);
  }
}

typedef struct bench_pass {
  const encoder_bench *bench;
  const mien_encoder_kernels *kernels;
  mien_encoder_scratch *scratch; /* [threads] */
  float *embeddings;             /* [threads × TEXTS × hidden] */
  bool products;
} bench_pass;

/* Every thread does all texts. */
static void run_texts(void *user, unsigned worker) {
  const bench_pass *pass = user;
  const encoder_bench *bench = pass->bench;
  const size_t hidden = bench->plan->config.hidden;
  mien_encoder_scratch *scratch = &pass->scratch[worker];
  float *embeddings = pass->embeddings + worker * TEXTS * hidden;
  const int32_t *ids = bench->ids;
  /* Nothing that was left there may grow beyond float's range. */
  if (pass->products) memset(scratch->x, 0, scratch->tokens * hidden * sizeof(float));
  for (size_t batch = 0, first = 0; batch < bench->n_batches; first += bench->batch_texts[batch++]) {
    const size_t n_texts = bench->batch_texts[batch];
    size_t tokens = 0;
    for (size_t i = 0; i < n_texts; i++) tokens += bench->lengths[first + i];
    if (pass->products)
      run_products(pass->kernels, bench->plan, tokens, scratch);
    else
      mien_encoder_forward(pass->kernels, bench->plan, ids, bench->lengths + first, n_texts, scratch,
                           embeddings + first * hidden);
    ids += tokens;
  }
}

/* ---- Measuring ----------------------------------------------------------------------------------------------- */

static void measure_line(encoder_bench *bench, mien_pool *pool, bench_pass *pass) {
  const double until = cli_now() + bench->seconds;
  double best = INFINITY;
  do {
    const double start = cli_now();
    mien_pool_run(pool, run_texts, pass);
    best = fmin(best, cli_now() - start);
  } while (cli_now() < until);
  bench->results[bench->n_results++] =
      (bench_result){mien_isa_name(pass->kernels->isa), pass->products, mien_pool_threads(pool), best};
}

static mien_status measure_isa(encoder_bench *bench, mien_pool *pool, const mien_encoder_kernels *kernels,
                               float *embeddings, mien_error *error) {
  const unsigned threads = mien_pool_threads(pool);
  mien_status status = MIEN_OK;
  mien_encoder_scratch *scratch = mien_alloc(threads, sizeof *scratch);
  if (!scratch) return mien_fail_memory(error, "scratch", threads * sizeof *scratch);
  for (unsigned i = 0; status == MIEN_OK && i < threads; i++)
    status = mien_encoder_scratch_create(kernels, bench->plan, &scratch[i], error);
  for (int products = 0; status == MIEN_OK && products < 2; products++)
    measure_line(bench, pool, &(bench_pass){bench, kernels, scratch, embeddings, products == 1});
  for (unsigned i = 0; i < threads; i++) mien_encoder_scratch_destroy(&scratch[i]);
  mien_free(scratch);
  return status;
}

static mien_status measure(encoder_bench *bench, unsigned threads, mien_error *error) {
  mien_pool *pool;
  mien_status status = mien_pool_create(threads, &pool, error);
  if (status != MIEN_OK) return status;
  const size_t hidden = bench->plan->config.hidden;
  float *embeddings = mien_alloc(threads, TEXTS * hidden * sizeof *embeddings);
  if (!embeddings) status = mien_fail_memory(error, "embeddings", threads * TEXTS * hidden * sizeof *embeddings);
  bench->flops[threads > 1] = roofline_flops(pool);
  for (int isa = 0; status == MIEN_OK && isa < MIEN_ISA_COUNT; isa++) {
    const mien_encoder_kernels *kernels = mien_encoder_kernels_of[mien_products_of(bench->plan->dtype)][isa];
    if (kernels && mien_isa_available((mien_isa)isa)) status = measure_isa(bench, pool, kernels, embeddings, error);
  }
  mien_free(embeddings);
  mien_pool_destroy(pool);
  return status;
}

/* ---- Results ------------------------------------------------------------------------------------------------- */

typedef struct rates {
  double texts, tokens, bytes, flops, peak; /* a second, of all threads; share of the peak */
} rates;

static rates rates_of(const encoder_bench *bench, const bench_result *line) {
  const double all = line->threads / line->seconds, flops = operations(bench, line->products) * all;
  return (rates){TEXTS * all, (double)bench->n_tokens * all,
                 (double)weight_bytes(bench) * (double)bench->n_batches * all, flops,
                 flops / bench->flops[line->threads > 1]};
}

static const char *part(const bench_result *line) { return line->products ? "products" : "pass"; }

static void print_json(const encoder_bench *bench) {
  printf("{\"results\":[");
  for (size_t i = 0; i < bench->n_results; i++) {
    const bench_result *line = &bench->results[i];
    const rates r = rates_of(bench, line);
    printf("%s{\"isa\":\"%s\",\"dtype\":\"%s\",\"part\":\"%s\",\"threads\":%u,\"texts_per_s\":%.1f,\"tokens_per_s\":%."
           "0f,\"gb_per_s\":%.3f,"
           "\"gflop_per_s\":%.2f,\"peak\":%.3f}",
           i ? "," : "", line->isa, mien_dtype_name(bench->plan->dtype), part(line), line->threads, r.texts, r.tokens,
           r.bytes / 1e9, r.flops / 1e9, r.peak);
  }
  const int all = bench->threads > 1;
  printf("],\"read_gb_per_s\":%.3f,\"read_gb_per_s_1\":%.3f,\"peak_gflop_per_s\":%.2f,\"peak_gflop_per_s_1\":%.2f,"
         "\"layers\":%zu,\"hidden\":%zu,\"texts\":%d,"
         "\"tokens\":%zu}\n",
         bench->read[all] / 1e9, bench->read[0] / 1e9, bench->flops[all] / 1e9, bench->flops[0] / 1e9,
         bench->plan->config.layers, bench->plan->config.hidden, TEXTS, bench->n_tokens);
}

static void print_table(const encoder_bench *bench) {
  const mien_encoder_config *config = &bench->plan->config;
  printf("%zu layers of %zu, %d texts of %.1f tokens on average\n\n", config->layers, config->hidden, TEXTS,
         (double)bench->n_tokens / TEXTS);
  printf("%-12s %-9s %7s %10s %10s %9s %8s\n", "isa", "part", "threads", "texts/s", "tokens/s", "GFLOP/s", "of peak");
  for (size_t i = 0; i < bench->n_results; i++) {
    const bench_result *line = &bench->results[i];
    const rates r = rates_of(bench, line);
    printf("%-12s %-9s %7u %10.1f %10.0f %9.1f %7.0f%%\n", line->isa, part(line), line->threads, r.texts, r.tokens,
           r.flops / 1e9, 100 * r.peak);
  }
  printf("\nThis machine: float32 multiply-adds %.1f GFLOP/s on one thread", bench->flops[0] / 1e9);
  if (bench->threads > 1) printf(", %.1f on %u", bench->flops[1] / 1e9, bench->threads);
  printf(".\n");
}

mien_status cli_bench_encoder(const cli_bench_options *options, const mien_model *model, mien_error *error) {
  encoder_bench bench = {.dtype = options->dtype, .seconds = options->seconds, .threads = options->threads};
  mien_status status = MIEN_OK;
  if (model && !model->encoder)
    status = mien_fail(error, MIEN_ARGUMENT, "expected an encoder, found a head alone: use --encoder");
  else if (model)
    bench.plan = model->encoder;
  else
    status = make_encoder(&bench, error);
  if (status == MIEN_OK) status = make_texts(&bench, options->tokens, error);
  if (status == MIEN_OK) status = measure(&bench, 1, error);
  if (status == MIEN_OK && bench.threads > 1) status = measure(&bench, bench.threads, error);
  if (status == MIEN_OK && options->json) print_json(&bench);
  if (status == MIEN_OK && !options->json) print_table(&bench);
  mien_free(bench.ids);
  mien_encoder_plan_destroy(bench.own);
  mien_free(bench.random);
  return status;
}
