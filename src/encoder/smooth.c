/* SPDX-License-Identifier: Apache-2.0 */
/* Smoothing: which inputs of int8 products are made smaller before they are rounded, and their weights larger. */
#include "encoder/smooth.h"

#include <math.h>

#include "base/memory.h"
#include "encoder/forward.h"

/* More do not change which inputs are large. */
enum { TEXTS = 64, TOKENS = 20 };

typedef struct smoothing {
  const mien_encoder_kernels *kernels;
  mien_encoder_plan *plan;
  mien_encoder_scratch scratch;
  float *largest; /* [layers × 2 × hidden] the largest magnitude of each input so far */
} smoothing;

static float *largest_of(const smoothing *s, size_t layer, mien_product product) {
  return s->largest + (2 * layer + (product == MIEN_UP)) * s->plan->config.hidden;
}

static void see(void *user, size_t layer, mien_product product, const float *rows, size_t n) {
  const smoothing *s = user;
  const size_t hidden = s->plan->config.hidden;
  float *largest = largest_of(s, layer, product);
  for (size_t row = 0; row < n; row++, rows += hidden)
    for (size_t i = 0; i < hidden; i++) {
      const float magnitude = fabsf(rows[i]);
      largest[i] = magnitude > largest[i] ? magnitude : largest[i];
    }
}

/* As an encoder sees texts: any tokens between the special ones. */
static void make_text(const mien_encoder_plan *plan, size_t n, uint64_t *state, int32_t *ids) {
  int32_t special[MIEN_TOKENIZER_SPECIALS] = {0};
  if (plan->source->tokenizer)
    (void)mien_tokenizer_run(plan->source->tokenizer, "", 0, MIEN_TOKENIZER_SPECIALS, special, NULL);
  for (size_t i = 0; i < n; i++) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    ids[i] = (int32_t)((*state >> 33) % plan->config.vocabulary);
  }
  ids[0] = special[0];
  ids[n - 1] = special[1];
}

static void run(smoothing *s, float *embedding) {
  const size_t n = s->plan->config.max_tokens < TOKENS ? s->plan->config.max_tokens : TOKENS;
  const mien_encoder_observer observer = {see, s};
  int32_t ids[TOKENS];
  uint64_t state = 1;
  for (size_t text = 0; text < TEXTS; text++) {
    make_text(s->plan, n, &state, ids);
    mien_encoder_forward_observed(s->kernels, s->plan, ids, &n, 1, &s->scratch, embedding, &observer);
  }
}

/* largest^(5/8), which leaves inputs and weights about as easy to round. By square roots, which have the same bits
 * everywhere; powers have not. */
static float divisor_of(float largest) {
  const float half = sqrtf(largest), quarter = sqrtf(half);
  return half * sqrtf(quarter);
}

static void set_multipliers(const float *largest, const mien_matrix *matrix) {
  for (size_t i = 0; i < matrix->inputs; i++) {
    const float divisor = divisor_of(largest[i]);
    matrix->multipliers[i] = divisor > 0x1p-20f && divisor < 0x1p20f ? 1 / divisor : 1;
  }
}

static mien_status smooth(smoothing *s, const char *where, mien_error *error) {
  const size_t layers = s->plan->config.layers, hidden = s->plan->config.hidden;
  float *embedding = mien_alloc(hidden, sizeof *embedding);
  s->largest = mien_alloc(layers, 2 * hidden * sizeof *s->largest);
  if (!embedding || !s->largest) {
    mien_free(embedding);
    return mien_fail_memory(error, where, layers * 2 * hidden * sizeof *s->largest);
  }
  run(s, embedding);
  for (size_t i = 0; i < layers; i++) {
    const mien_layer *layer = &s->plan->layers[i];
    set_multipliers(largest_of(s, i, MIEN_QUERY_KEY_VALUE), &layer->query_key_value);
    set_multipliers(largest_of(s, i, MIEN_UP), &layer->up);
  }
  mien_free(embedding);
  return MIEN_OK;
}

mien_status mien_encoder_smooth(mien_encoder_plan *plan, const char *where, mien_error *error) {
  mien_isa isa;
  smoothing s = {.plan = plan};
  mien_status status = mien_isa_choose(&isa, error);
  if (status != MIEN_OK) return status;
  s.kernels = mien_encoder_kernels_for(MIEN_PRODUCTS_INT8, isa);
  status = mien_encoder_scratch_create(s.kernels, plan, &s.scratch, error);
  if (status == MIEN_OK) status = smooth(&s, where, error);
  mien_free(s.largest);
  mien_encoder_scratch_destroy(&s.scratch);
  return status;
}
