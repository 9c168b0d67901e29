/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench encoder: token ids in memory to embeddings, beside the multiply-adds that the machine can do at most. */
#include "cli/bench_encoder.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "cli/roofline.h"
#include "encoder/panel.h"
#include "model/model.h"

/* The encoder that is measured when none is given: what mien is most used with. */
enum { LAYERS = 12, HIDDEN = 384, HEADS = 12, INTERMEDIATE = 1536, VOCABULARY = 30522, POSITIONS = 512 };

/* Tokens of comments, special ones among them: every twentieth of GoEmotions' texts in order of length. */
static const size_t comment_tokens[] = {6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 25, 27, 28, 30, 32, 36};

const mien_dtype bench_dtypes[BENCH_DTYPES] = {MIEN_F32, MIEN_BF16X3, MIEN_BF16, MIEN_INT8};

/* A pass below this share of the peak has its profile shown. */
static const double low_share = 0.5;

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

mien_status bench_random_numbers(float **random, mien_error *error) {
  const size_t numbers = (size_t)VOCABULARY * HIDDEN;
  uint64_t state = 1;
  *random = mien_alloc(numbers, sizeof **random);
  if (!*random) return mien_fail_memory(error, "encoder", numbers * sizeof **random);
  for (size_t i = 0; i < numbers; i++) (*random)[i] = 0.04f * cli_random_normal(&state);
  return MIEN_OK;
}

mien_status bench_random_plan(const float *random, mien_dtype dtype, mien_encoder_plan **plan, mien_error *error) {
  mien_encoder_source *source = make_source(random);
  if (!source) return mien_fail_memory(error, "encoder", LAYERS * sizeof(mien_layer_weights));
  return mien_encoder_plan_create(source, 0, &dtype, "encoder", plan, error);
}

mien_status bench_random_ids(size_t n, size_t vocabulary, int32_t **ids, mien_error *error) {
  *ids = mien_alloc(n, sizeof **ids);
  if (!*ids) return mien_fail_memory(error, "ids", n * sizeof **ids);
  uint64_t state = 3;
  for (size_t i = 0; i < n; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    (*ids)[i] = (int32_t)((state >> 33) % vocabulary);
  }
  return MIEN_OK;
}

size_t bench_comment_tokens(size_t i) {
  return comment_tokens[i * 7 % (sizeof comment_tokens / sizeof *comment_tokens)];
}

/* Texts and, as a session would have them, batches of equal numbers of tokens. */
static mien_status make_texts(encoder_bench *bench, const mien_encoder_plan *plan, mien_error *error) {
  const size_t most = plan->config.max_tokens;
  const size_t tokens = bench->options.tokens, room = most > MIEN_BATCH_TOKENS ? most : MIEN_BATCH_TOKENS;
  if (tokens > most)
    return mien_fail(error, MIEN_ARGUMENT, "--tokens: expected at most %zu, the encoder's limit, found %zu", most,
                     tokens);
  bench->config = plan->config;
  for (size_t i = 0; i < BENCH_TEXTS; i++) {
    const size_t n = tokens ? tokens : bench_comment_tokens(i);
    bench->lengths[i] = n < most ? n : most;
    bench->n_tokens += bench->lengths[i];
  }
  mien_status status = bench_random_ids(bench->n_tokens, bench->config.vocabulary, &bench->ids, error);
  size_t done = 0;
  for (size_t first = 0, n; status == MIEN_OK && first < BENCH_TEXTS; first += n) {
    n = mien_encoder_next_batch(bench->lengths + first, BENCH_TEXTS - first, bench->n_tokens - done, room);
    bench_batch *batch = &bench->batches[bench->n_batches++];
    *batch = (bench_batch){.n_texts = n, .lengths = bench->lengths + first, .ids = bench->ids + done};
    for (size_t i = 0; i < n; i++) batch->n_tokens += batch->lengths[i];
    done += batch->n_tokens;
    bench_batch_operations(&plan->config, batch);
  }
  return status;
}

/* ---- Operations and weights ------------------------------------------------------------------------------------ */

/* After the last layer's keys and values, pooling by the first token needs no other one. */
void bench_batch_operations(const mien_encoder_config *config, bench_batch *batch) {
  const double hidden = (double)config->hidden, intermediate = (double)config->intermediate;
  const double columns = hidden + 2 * intermediate; /* to which and from which hidden numbers go behind attention */
  batch->pass = batch->products = 0;
  for (size_t text = 0; text < batch->n_texts; text++)
    for (size_t layer = 0; layer < config->layers; layer++) {
      const bool is_cut = layer + 1 == config->layers && config->pooling == MIEN_POOLING_CLS;
      const double n = (double)batch->lengths[text], rows = is_cut ? 1 : n;
      batch->products += 2 * hidden * n * (3 * hidden + columns);
      batch->pass += 2 * hidden * (3 * hidden * n + columns * rows) + 2 * 2 * hidden * n * rows;
    }
}

static size_t panel_bytes(const mien_encoder_plan *plan, const mien_matrix *matrix) {
  const mien_dtype layout = mien_layout_of(plan->dtype);
  return matrix->outputs * mien_panel_depth(layout, matrix->inputs) * mien_panel_element(layout);
}

static double weight_bytes(const mien_encoder_plan *plan) {
  double bytes = 0;
  for (size_t i = 0; i < plan->config.layers; i++) {
    for (size_t k = 0; k < MIEN_LAYER_MATRICES; k++)
      bytes += (double)panel_bytes(plan, mien_layer_matrix(&plan->layers[i], k));
  }
  return bytes;
}

/* How fast the plan's matrices are read, one after the other. */
static mien_status measure_reading(encoder_bench *bench, mien_pool *pool, const mien_encoder_plan *plan,
                                   mien_error *error) {
  const size_t layers = plan->config.layers;
  roofline_span *spans = mien_alloc(layers, MIEN_LAYER_MATRICES * sizeof *spans);
  if (!spans) return mien_fail_memory(error, "matrices", layers * MIEN_LAYER_MATRICES * sizeof *spans);
  for (size_t i = 0; i < layers; i++) {
    for (size_t k = 0; k < MIEN_LAYER_MATRICES; k++) {
      const mien_matrix *matrix = mien_layer_matrix(&plan->layers[i], k);
      spans[i * MIEN_LAYER_MATRICES + k] = (roofline_span){matrix->panels, panel_bytes(plan, matrix)};
    }
  }
  bench->read[mien_pool_threads(pool) > 1] = roofline_read(pool, spans, layers * MIEN_LAYER_MATRICES);
  mien_free(spans);
  return MIEN_OK;
}

/* ---- Measuring ------------------------------------------------------------------------------------------------- */

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

/* A line on its way. Every thread does the whole batch. */
typedef struct bench_pass {
  encoder_bench *bench;
  const mien_encoder_plan *plan;
  const mien_encoder_kernels *kernels;
  mien_pool *pool;
  const bench_batch *batch;
  mien_encoder_scratch *scratch; /* [threads] */
  float *embeddings;             /* [threads × BENCH_TEXTS × hidden] */
  bool products;
} bench_pass;

static void run_batch(void *user, unsigned worker) {
  const bench_pass *pass = user;
  const size_t hidden = pass->plan->config.hidden;
  mien_encoder_scratch *scratch = &pass->scratch[worker];
  if (pass->products) {
    /* Nothing that was left there may grow beyond float's range. */
    memset(scratch->x, 0, pass->batch->n_tokens * hidden * sizeof(float));
    run_products(pass->kernels, pass->plan, pass->batch->n_tokens, scratch);
  } else {
    mien_encoder_forward(pass->kernels, pass->plan, pass->batch->ids, pass->batch->lengths, pass->batch->n_texts,
                         scratch, pass->embeddings + worker * BENCH_TEXTS * hidden);
  }
}

/* Batch after batch until the time is up, each at its best; a slow table may not get to all of them. */
static bench_line *measure_line(bench_pass *pass) {
  encoder_bench *bench = pass->bench;
  const double until = cli_now() + bench->options.seconds;
  double best[BENCH_TEXTS];
  size_t n = 0, i = 0;
  do {
    if (n == i) best[n++] = INFINITY;
    pass->batch = &bench->batches[i];
    const double start = cli_now();
    mien_pool_run(pass->pool, run_batch, pass);
    best[i] = fmin(best[i], cli_now() - start);
    i = (i + 1) % bench->n_batches;
  } while (cli_now() < until);
  const unsigned threads = mien_pool_threads(pass->pool);
  const mien_isa isa = pass->kernels->isa;
  bench_line *line = &bench->lines[bench->n_lines++];
  *line = (bench_line){.dtype = pass->plan->dtype, .isa = isa, .products = pass->products, .threads = threads};
  double seconds = 0;
  for (i = 0; i < n; i++) {
    seconds += best[i];
    line->texts += (double)bench->batches[i].n_texts;
    line->tokens += (double)bench->batches[i].n_tokens;
    line->operations += pass->products ? bench->batches[i].products : bench->batches[i].pass;
  }
  const double all = threads / seconds;
  line->texts *= all;
  line->tokens *= all;
  line->operations *= all;
  line->bytes = (double)n * weight_bytes(pass->plan) * all;
  line->peak = bench->peaks[threads > 1][mien_products_of(pass->plan->dtype)][isa];
  return line;
}

/* Of each dtype's fastest table where it is far from the peak, or of all tables. */
static mien_status add_profile(const bench_pass *pass, bool is_fastest, bench_line *line, mien_error *error) {
  const encoder_bench *bench = pass->bench;
  const bool is_low = is_fastest && line->operations < low_share * line->peak;
  if (line->threads > 1 || !(is_low || bench->options.profile)) return MIEN_OK;
  const bench_batch *batch = &bench->batches[0];
  return bench_profile_run(pass->kernels, pass->plan, batch->ids, batch->lengths, batch->n_texts,
                           bench->options.seconds, &line->profile, error);
}

static mien_status measure_table(encoder_bench *bench, mien_pool *pool, const mien_encoder_plan *plan,
                                 const mien_encoder_kernels *kernels, bool is_fastest, mien_error *error) {
  const unsigned threads = mien_pool_threads(pool);
  const size_t numbers = threads * BENCH_TEXTS * plan->config.hidden;
  double *peak = &bench->peaks[threads > 1][mien_products_of(plan->dtype)][kernels->isa];
  if (*peak <= 0) *peak = roofline_products(pool, mien_products_of(plan->dtype), kernels->isa);
  bench_pass pass = {.bench = bench, .plan = plan, .kernels = kernels, .pool = pool};
  pass.scratch = mien_alloc(threads, sizeof *pass.scratch);
  pass.embeddings = mien_alloc(numbers, sizeof *pass.embeddings);
  mien_status status = MIEN_OK;
  if (!pass.scratch || !pass.embeddings) status = mien_fail_memory(error, "embeddings", numbers * sizeof(float));
  for (unsigned i = 0; status == MIEN_OK && i < threads; i++)
    status = mien_encoder_scratch_create(kernels, plan, &pass.scratch[i], error);
  if (status == MIEN_OK) status = add_profile(&pass, is_fastest, measure_line(&pass), error);
  pass.products = true;
  if (status == MIEN_OK) measure_line(&pass);
  for (unsigned i = 0; pass.scratch && i < threads; i++) mien_encoder_scratch_destroy(&pass.scratch[i]);
  mien_free(pass.scratch);
  mien_free(pass.embeddings);
  return status;
}

/* The table of an instruction set that is measured; NULL where there is none. Of all dtypes, each table once. */
static const mien_encoder_kernels *table_of(const encoder_bench *bench, mien_dtype dtype, int isa) {
  const mien_products products = mien_products_of(dtype);
  const mien_encoder_kernels *kernels = mien_encoder_kernels_of[products][isa];
  if (!kernels || !mien_isa_available((mien_isa)isa)) return NULL;
  const bool is_again = products != MIEN_PRODUCTS_F32 && kernels == mien_encoder_kernels_of[MIEN_PRODUCTS_F32][isa];
  return is_again && bench->all_dtypes ? NULL : kernels;
}

static mien_status measure_plan(encoder_bench *bench, mien_pool *pool, const mien_encoder_plan *plan,
                                mien_error *error) {
  int fastest = -1;
  for (int isa = 0; isa < MIEN_ISA_COUNT; isa++)
    if (table_of(bench, plan->dtype, isa)) fastest = isa;
  const int column = mien_pool_threads(pool) > 1;
  mien_status status = MIEN_OK;
  if (bench->flops[column] <= 0) {
    bench->flops[column] = roofline_flops(pool);
    status = measure_reading(bench, pool, plan, error);
  }
  for (int isa = 0; status == MIEN_OK && isa <= fastest; isa++) {
    const mien_encoder_kernels *kernels = table_of(bench, plan->dtype, isa);
    if (kernels) status = measure_table(bench, pool, plan, kernels, isa == fastest, error);
  }
  return status;
}

/* A dtype's lines on one thread, and on all. */
static mien_status measure(encoder_bench *bench, const mien_encoder_plan *plan, mien_error *error) {
  mien_status status = bench->n_batches > 0 ? MIEN_OK : make_texts(bench, plan, error);
  for (unsigned threads = 1; status == MIEN_OK && threads > 0;
       threads = threads < bench->options.threads ? bench->options.threads : 0) {
    mien_pool *pool;
    status = mien_pool_create(threads, &pool, error);
    if (status != MIEN_OK) break;
    status = measure_plan(bench, pool, plan, error);
    mien_pool_destroy(pool);
  }
  return status;
}

static mien_status measure_random(encoder_bench *bench, mien_error *error) {
  const mien_dtype *dtypes = bench->options.dtype ? bench->options.dtype : bench_dtypes;
  bench->all_dtypes = dtypes == bench_dtypes;
  mien_status status = bench_random_numbers(&bench->random, error);
  for (size_t i = 0; status == MIEN_OK && i < (bench->all_dtypes ? BENCH_DTYPES : 1); i++) {
    mien_encoder_plan *plan = NULL;
    status = bench_random_plan(bench->random, dtypes[i], &plan, error);
    if (status == MIEN_OK) status = measure(bench, plan, error);
    mien_encoder_plan_destroy(plan);
  }
  return status;
}

mien_status cli_bench_encoder(const cli_bench_options *options, const mien_model *model, mien_error *error) {
  encoder_bench *bench = mien_alloc(1, sizeof *bench);
  if (!bench) return mien_fail_memory(error, "results", sizeof *bench);
  bench->options = *options;
  mien_status status;
  if (model && !model->encoder)
    status = mien_fail(error, MIEN_ARGUMENT, "expected an encoder, found a head alone: use --encoder");
  else
    status = model ? measure(bench, model->encoder, error) : measure_random(bench, error);
  if (status == MIEN_OK) bench_encoder_print(bench);
  mien_free(bench->ids);
  mien_free(bench->random);
  mien_free(bench);
  return status;
}
