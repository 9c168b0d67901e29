/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forward pass. BERT: Devlin, Chang, Lee, Toutanova, 2018 (arXiv:1810.04805); pooling and normalisation as
 * sentence-transformers has them.
 */
#include "encoder/forward.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* Not zeroed: what is read was written before. */
static float *allocate(size_t rows, size_t row_bytes) {
  size_t bytes;
  return mien_size_mul(rows, row_bytes, &bytes) ? mien_alloc_raw(bytes) : NULL;
}

mien_status mien_encoder_scratch_create(const mien_encoder_kernels *kernels, const mien_encoder_plan *plan,
                                        mien_encoder_scratch *scratch, mien_error *error) {
  const mien_encoder_config *config = &plan->config;
  const size_t tokens = config->max_tokens > MIEN_BATCH_TOKENS ? config->max_tokens : MIEN_BATCH_TOKENS;
  const size_t heads = config->heads * plan->head_columns;
  const size_t padded = mien_whole_panels(config->max_tokens), between = mien_whole_panels(config->intermediate);
  const size_t products = kernels->scratch_bytes(tokens, heads, between); /* heads are at least hidden */
  *scratch = (mien_encoder_scratch){
      .tokens = tokens,
      .x = allocate(tokens, config->hidden * sizeof(float)),
      .y = allocate(tokens, config->hidden * sizeof(float)),
      .heads = allocate(tokens, 3 * heads * sizeof(float)),
      .context = allocate(tokens, heads * sizeof(float)),
      .products = allocate(1, products),
      .transposed = allocate(padded, plan->head_columns * sizeof(float)),
      .scores = allocate(padded, MIEN_MAX_TILE * sizeof(float)),
      .mask = allocate(padded, sizeof(float)),
  };
  if (scratch->x && scratch->y && scratch->heads && scratch->context && scratch->products && scratch->transposed &&
      scratch->scores && scratch->mask)
    return MIEN_OK;
  mien_encoder_scratch_destroy(scratch);
  return mien_fail_memory(error, "session", tokens * (2 * config->hidden + 4 * heads) * sizeof(float) + products);
}

void mien_encoder_scratch_destroy(mien_encoder_scratch *scratch) {
  mien_free(scratch->x);
  mien_free(scratch->y);
  mien_free(scratch->heads);
  mien_free(scratch->context);
  mien_free(scratch->products);
  mien_free(scratch->transposed);
  mien_free(scratch->scores);
  mien_free(scratch->mask);
  *scratch = (mien_encoder_scratch){0};
}

size_t mien_encoder_next_batch(const size_t *lengths, size_t n, size_t n_ids, size_t room) {
  const size_t n_batches = (n_ids + MIEN_BATCH_TOKENS - 1) / MIEN_BATCH_TOKENS;
  const size_t share = n_batches > 0 ? (n_ids + n_batches - 1) / n_batches : 0;
  size_t n_texts = 1;
  for (size_t tokens = lengths[0]; n_texts < n && tokens < share && tokens + lengths[n_texts] <= room; n_texts++)
    tokens += lengths[n_texts];
  return n_texts;
}

/* A batch on its way through the layers. `rows` are the rows of scratch->x: a token each, or after the last layer of an
 * encoder that pools by the first token, a text each. */
typedef struct batch {
  const mien_encoder_kernels *kernels;
  const mien_encoder_plan *plan;
  const size_t *lengths;
  size_t n_texts, n_tokens, rows;
  mien_encoder_scratch *scratch;
  const mien_encoder_observer *observer; /* NULL: nobody looks */
} batch;

static void observe(const batch *b, const mien_layer *layer, mien_product product) {
  if (b->observer)
    b->observer->see(b->observer->user, (size_t)(layer - b->plan->layers), product, b->scratch->x, b->rows);
}

static void run_norm(const batch *b, const mien_norm *norm, const float *from) {
  const mien_encoder_config *config = &b->plan->config;
  b->kernels->norm(norm->gamma, norm->beta, config->layer_norm_eps, from, b->rows, config->hidden, b->scratch->x);
}

static void embed_tokens(const batch *b, const int32_t *ids) {
  const mien_encoder_plan *plan = b->plan;
  const size_t hidden = plan->config.hidden;
  float *x = b->scratch->x;
  for (size_t text = 0; text < b->n_texts; text++)
    for (size_t i = 0; i < b->lengths[text]; i++, x += hidden) {
      const float *position = plan->positions + i * hidden;
      mien_encoder_plan_word(plan, (size_t)*ids++, x);
      for (size_t k = 0; k < hidden; k++) x[k] += position[k];
    }
  run_norm(b, &plan->norm, b->scratch->x);
}

/* Each text by itself. Of a text's tokens the first `queries` at most have results, one behind the other. */
static void attend(const batch *b, size_t queries) {
  const mien_encoder_plan *plan = b->plan;
  const mien_encoder_scratch *scratch = b->scratch;
  const size_t columns = plan->head_columns, heads = plan->config.heads, head_stride = b->n_tokens * columns;
  size_t token = 0, row = 0;
  for (size_t text = 0; text < b->n_texts; text++) {
    const size_t n = b->lengths[text], n_queries = n < queries ? n : queries;
    const float *first = scratch->heads + token * columns;
    b->kernels->attend(&(mien_attention){.queries = first,
                                         .keys = first + heads * head_stride,
                                         .values = first + 2 * heads * head_stride,
                                         .heads = heads,
                                         .head_columns = columns,
                                         .head_stride = head_stride,
                                         .n = n,
                                         .n_queries = n_queries,
                                         .transposed = scratch->transposed,
                                         .scores = scratch->scores,
                                         .mask = scratch->mask,
                                         .out = scratch->context + row * heads * columns});
    token += n;
    row += n_queries;
  }
}

/* Moves the first token of every text to the front, in place. */
static void keep_first_tokens(batch *b) {
  const size_t hidden = b->plan->config.hidden;
  for (size_t text = 0, token = 0; text < b->n_texts; token += b->lengths[text++])
    memmove(b->scratch->x + text * hidden, b->scratch->x + token * hidden, hidden * sizeof(float));
  b->rows = b->n_texts;
}

static void run_layer(batch *b, const mien_layer *layer, bool first_tokens_only) {
  const mien_encoder_kernels *kernels = b->kernels;
  mien_encoder_scratch *scratch = b->scratch;
  const size_t columns = b->plan->head_columns;
  observe(b, layer, MIEN_QUERY_KEY_VALUE);
  kernels->project(&layer->query_key_value, scratch->x, b->n_tokens, columns, b->n_tokens * columns, scratch->products,
                   scratch->heads);
  attend(b, first_tokens_only ? 1 : b->n_tokens);
  if (first_tokens_only) keep_first_tokens(b);
  kernels->project_add(&layer->attention_output, scratch->context, b->rows, scratch->products, scratch->x);
  run_norm(b, &layer->attention_norm, scratch->x);
  observe(b, layer, MIEN_UP);
  kernels->feed_forward(&layer->up, &layer->down, scratch->x, b->rows, scratch->products, scratch->y);
  run_norm(b, &layer->output_norm, scratch->y);
}

static void pool_mean(const float *x, size_t n, size_t hidden, float *out) {
  memcpy(out, x, hidden * sizeof *out);
  for (size_t i = 1; i < n; i++)
    for (size_t k = 0; k < hidden; k++) out[k] += x[i * hidden + k];
  for (size_t k = 0; k < hidden; k++) out[k] /= (float)n;
}

static void pool_max(const float *x, size_t n, size_t hidden, float *out) {
  memcpy(out, x, hidden * sizeof *out);
  for (size_t i = 1; i < n; i++)
    for (size_t k = 0; k < hidden; k++) {
      const float value = x[i * hidden + k];
      if (value > out[k] || value != value) out[k] = value; /* NaN comes in, and stays */
    }
}

/* Divides by the L2 norm, or by a little where that is less, as torch.nn.functional.normalize does. */
static void normalise(float *x, size_t n) {
  const float least = 1e-12f;
  double sum = 0;
  for (size_t k = 0; k < n; k++) sum += (double)x[k] * (double)x[k];
  const float length = (float)sqrt(sum), divisor = length > least ? length : least;
  for (size_t k = 0; k < n; k++) x[k] /= divisor;
}

static void pool(const batch *b, float *embeddings) {
  const mien_encoder_config *config = &b->plan->config;
  const size_t hidden = config->hidden;
  const float *x = b->scratch->x;
  for (size_t text = 0; text < b->n_texts; text++, embeddings += hidden) {
    const size_t n = config->pooling == MIEN_POOLING_CLS ? 1 : b->lengths[text];
    if (config->pooling == MIEN_POOLING_MAX)
      pool_max(x, n, hidden, embeddings);
    else
      pool_mean(x, n, hidden, embeddings);
    if (config->normalize) normalise(embeddings, hidden);
    x += n * hidden;
  }
}

void mien_encoder_forward_observed(const mien_encoder_kernels *kernels, const mien_encoder_plan *plan,
                                   const int32_t *ids, const size_t *lengths, size_t n_texts,
                                   mien_encoder_scratch *scratch, float *embeddings,
                                   const mien_encoder_observer *observer) {
  batch b = {.kernels = kernels,
             .plan = plan,
             .lengths = lengths,
             .n_texts = n_texts,
             .scratch = scratch,
             .observer = observer};
  for (size_t i = 0; i < n_texts; i++) b.n_tokens += lengths[i];
  b.rows = b.n_tokens;
  embed_tokens(&b, ids);
  for (size_t i = 0; i < plan->config.layers; i++) {
    /* Only what pooling reads need go through the rest of the last layer. */
    const bool last = i + 1 == plan->config.layers;
    run_layer(&b, &plan->layers[i], last && plan->config.pooling == MIEN_POOLING_CLS);
  }
  pool(&b, embeddings);
}

void mien_encoder_forward(const mien_encoder_kernels *kernels, const mien_encoder_plan *plan, const int32_t *ids,
                          const size_t *lengths, size_t n_texts, mien_encoder_scratch *scratch, float *embeddings) {
  mien_encoder_forward_observed(kernels, plan, ids, lengths, n_texts, scratch, embeddings, NULL);
}
