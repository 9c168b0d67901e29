/* SPDX-License-Identifier: Apache-2.0 */
/* A plan's memory, and in which order it is filled. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "encoder/plan.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "encoder/plan_weights.h"
#include "encoder/smooth.h"

enum { MOST_INT8_INPUTS = 1 << 15 };

/* ---- Memory: everything in one piece, cut in the order of making ---------------------------------------------- */

/* The first pass, with `at` NULL, counts; the second cuts. */
typedef struct arena {
  unsigned char *at;
  size_t bytes;
  bool overflow;
} arena;

static void *take(arena *memory, size_t rows, size_t columns, size_t element) {
  size_t bytes;
  memory->overflow |= !mien_size_mul(rows, columns, &bytes) || !mien_size_mul(bytes, element, &bytes) ||
                      !mien_size_add(bytes, MIEN_LINE - 1, &bytes);
  bytes -= bytes % MIEN_LINE; /* the next piece is aligned too */
  void *piece = memory->at;
  if (memory->at) memory->at += bytes;
  memory->overflow |= !mien_size_add(memory->bytes, bytes, &memory->bytes);
  return piece;
}

/* Whether the plan reads panels where the source has them. */
static bool shares_panels(const mien_encoder_plan *plan) {
  const mien_encoder_source *source = plan->source;
  return source->packed.layers && source->dtype != MIEN_F16 && plan->dtype != MIEN_F16 &&
         mien_layout_of(source->dtype) == mien_layout_of(plan->dtype);
}

/* Of a matrix: what the source has not in place. `packed` is the source's, NULL where that is no pack. */
static mien_matrix take_matrix(const mien_encoder_plan *plan, arena *memory, const mien_matrix *packed, size_t inputs,
                               size_t outputs, bool smooth) {
  const mien_dtype layout = mien_layout_of(plan->dtype);
  mien_matrix matrix = packed ? *packed : (mien_matrix){.inputs = inputs, .outputs = outputs};
  if (!shares_panels(plan)) {
    matrix.panels = take(memory, outputs, mien_panel_depth(layout, inputs), mien_panel_element(layout));
    matrix.scales = layout == MIEN_INT8 ? take(memory, 1, outputs, sizeof *matrix.scales) : NULL;
    matrix.multipliers = layout == MIEN_INT8 && smooth ? take(memory, 1, inputs, sizeof *matrix.multipliers) : NULL;
  }
  if (layout == MIEN_INT8) matrix.sums = take(memory, 1, outputs, sizeof *matrix.sums);
  if (!packed) matrix.bias = take(memory, 1, outputs, sizeof *matrix.bias);
  return matrix;
}

static mien_norm take_norm(arena *memory, const mien_norm *packed, size_t hidden) {
  if (packed) return *packed;
  mien_norm norm = {.gamma = take(memory, 1, hidden, sizeof *norm.gamma)};
  norm.beta = take(memory, 1, hidden, sizeof *norm.beta);
  return norm;
}

static void lay_out(mien_encoder_plan *plan, arena *memory) {
  const mien_encoder_config *config = &plan->config;
  const mien_encoder_packed *packed = plan->source->packed.layers ? &plan->source->packed : NULL;
  const size_t hidden = config->hidden, heads = config->heads * plan->head_columns;
  const size_t intermediate = mien_whole_panels(config->intermediate);
  plan->positions = packed ? packed->positions : take(memory, config->max_tokens, hidden, sizeof *plan->positions);
  plan->norm = take_norm(memory, packed ? &packed->norm : NULL, hidden);
  for (size_t i = 0; i < config->layers; i++) {
    mien_layer *layer = &plan->layers[i];
    const mien_layer *has = packed ? &packed->layers[i] : NULL;
    layer->query_key_value = take_matrix(plan, memory, has ? &has->query_key_value : NULL, hidden, 3 * heads, true);
    layer->attention_output = take_matrix(plan, memory, has ? &has->attention_output : NULL, heads, hidden, false);
    layer->attention_norm = take_norm(memory, has ? &has->attention_norm : NULL, hidden);
    layer->up = take_matrix(plan, memory, has ? &has->up : NULL, hidden, intermediate, true);
    layer->down = take_matrix(plan, memory, has ? &has->down : NULL, intermediate, hidden, false);
    if (mien_layout_of(plan->dtype) == MIEN_INT8)
      layer->down.lowest = take(memory, 1, hidden, sizeof *layer->down.lowest);
    layer->output_norm = take_norm(memory, has ? &has->output_norm : NULL, hidden);
  }
}

/* ---- int8 ------------------------------------------------------------------------------------------------------ */

/* Of int8: what the kernels want to know of each output. */
static mien_status sum_weights(const mien_encoder_plan *plan, const char *where, mien_error *error) {
  for (size_t i = 0; i < plan->config.layers; i++) {
    const mien_matrix *down = &plan->layers[i].down;
    for (size_t m = 0; m < MIEN_LAYER_MATRICES; m++) {
      const mien_matrix *matrix = mien_layer_matrix(&plan->layers[i], m);
      for (size_t output = 0; output < matrix->outputs; output++)
        if (!isfinite(matrix->scales[output]))
          return mien_fail(error, MIEN_INPUT, "%s: layer %zu: expected finite weights, found one that is not", where,
                           i);
      for (size_t column = 0; column < matrix->outputs; column += MIEN_PANEL)
        if (!mien_panel_sums(mien_panel_at(MIEN_INT8, matrix, column), matrix->inputs, matrix->sums + column))
          return mien_fail(error, MIEN_INPUT, "%s: layer %zu: int8 weights: expected -127 to 127, found -128", where,
                           i);
    }
    for (size_t k = 0; k < down->outputs; k++)
      down->lowest[k] = down->bias[k] + (float)down->sums[k] * down->scales[k] * MIEN_GELU_LOWEST;
  }
  return MIEN_OK;
}

/* ---- The plan ------------------------------------------------------------------------------------------------- */

static mien_status allocate(mien_encoder_plan *plan, mien_error *error) {
  const mien_encoder_config *config = &plan->config;
  arena memory = {0};
  plan->layers = mien_alloc(config->layers, sizeof *plan->layers);
  if (!plan->layers) return mien_fail_memory(error, "encoder", config->layers * sizeof *plan->layers);
  lay_out(plan, &memory);
  const size_t bytes = memory.overflow ? SIZE_MAX : memory.bytes;
  if (bytes == 0) return MIEN_OK; /* all of it is in the pack */
  plan->memory = bytes < SIZE_MAX ? mien_alloc_raw(bytes) : NULL;
  if (!plan->memory) return mien_fail_memory(error, "encoder", bytes);
#ifdef MADV_HUGEPAGE
  /* Fewer page faults and translations; only a hint. */
  const uintptr_t page = 4096, start = ((uintptr_t)plan->memory + page - 1) / page * page;
  const uintptr_t end = (uintptr_t)plan->memory + bytes;
  if (end > start) (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
#endif
  memory = (arena){.at = plan->memory};
  lay_out(plan, &memory);
  return MIEN_OK;
}

static mien_status check(const mien_encoder_config *config, size_t max_tokens, mien_dtype dtype, const char *where,
                         mien_error *error) {
  if (config->hidden % MIEN_PANEL != 0)
    return mien_fail(error, MIEN_INPUT, "%s: hidden size: expected a multiple of %d, found %zu", where, MIEN_PANEL,
                     config->hidden);
  /* Sums of int8 stay within 32 bits. */
  const size_t heads = config->heads * mien_whole_panels(config->hidden / config->heads);
  const size_t widest = heads > config->intermediate ? heads : config->intermediate; /* hidden is at most heads */
  if (dtype == MIEN_INT8 && widest > MOST_INT8_INPUTS)
    return mien_fail(error, MIEN_INPUT, "%s: int8: expected layers of at most %d inputs, found %zu", where,
                     MOST_INT8_INPUTS, widest);
  if (max_tokens > 0 && (max_tokens < MIEN_ENCODER_MIN_TOKENS || max_tokens > config->max_tokens))
    return mien_fail(error, MIEN_ARGUMENT, "%s: max_tokens: expected %d to %zu, found %zu", where,
                     MIEN_ENCODER_MIN_TOKENS, config->max_tokens, max_tokens);
  return MIEN_OK;
}

/* int8 of floats is made twice: first without multipliers, to find them. */
static mien_status fill_smoothly(mien_encoder_plan *plan, mien_packer *with, const char *where, mien_error *error) {
  for (size_t i = 0; i < plan->config.layers; i++)
    for (size_t k = 0; k < plan->config.hidden; k++)
      plan->layers[i].query_key_value.multipliers[k] = plan->layers[i].up.multipliers[k] = 1;
  mien_plan_fill(plan, with);
  mien_status status = sum_weights(plan, where, error);
  if (status == MIEN_OK) status = mien_encoder_smooth(plan, where, error);
  with->multiplied_only = true;
  if (status == MIEN_OK) mien_plan_fill(plan, with);
  return status;
}

static mien_status fill(mien_encoder_plan *plan, const char *where, mien_error *error) {
  const mien_encoder_config *config = &plan->config;
  const size_t inputs = mien_whole_panels(config->intermediate), heads = config->heads * plan->head_columns;
  const size_t widest = inputs > heads ? inputs : heads; /* hidden is at most heads */
  mien_status status = MIEN_OK;
  mien_packer with = {.dtype = plan->dtype, .layout = mien_layout_of(plan->dtype)};
  with.rows = mien_alloc(widest, MIEN_PANEL * sizeof *with.rows);
  with.panel = mien_alloc(widest, MIEN_PANEL * sizeof *with.panel);
  if (!with.rows || !with.panel)
    status = mien_fail_memory(error, "encoder", widest * MIEN_PANEL * sizeof *with.rows);
  else if (!shares_panels(plan) && with.layout == MIEN_INT8)
    status = fill_smoothly(plan, &with, where, error);
  else if (!shares_panels(plan))
    mien_plan_fill(plan, &with);
  mien_free(with.rows);
  mien_free(with.panel);
  return status == MIEN_OK && with.layout == MIEN_INT8 ? sum_weights(plan, where, error) : status;
}

mien_status mien_encoder_plan_create(mien_encoder_source *source, size_t max_tokens, const mien_dtype *dtype,
                                     const char *where, mien_encoder_plan **out, mien_error *error) {
  mien_encoder_plan *plan = mien_alloc(1, sizeof *plan);
  if (!plan) {
    mien_encoder_source_destroy(source);
    return mien_fail_memory(error, "encoder", sizeof *plan);
  }
  plan->source = source;
  plan->config = source->config;
  plan->dtype = dtype ? *dtype : source->dtype;
  plan->head_columns = mien_whole_panels(source->config.hidden / source->config.heads);
  mien_status status = check(&source->config, max_tokens, plan->dtype, where, error);
  if (status == MIEN_OK) status = allocate(plan, error);
  if (status == MIEN_OK) status = fill(plan, where, error);
  if (status == MIEN_OK) {
    /* Only now: weights do not depend on where texts are cut. */
    if (max_tokens > 0) plan->config.max_tokens = max_tokens;
    /* What was packed is not read again; the words come back as they are used. */
    if (source->mapping && !shares_panels(plan)) (void)madvise(source->mapping, source->mapping_bytes, MADV_DONTNEED);
    *out = plan;
  } else {
    mien_encoder_plan_destroy(plan);
  }
  return status;
}

void mien_encoder_plan_destroy(mien_encoder_plan *plan) {
  if (!plan) return;
  mien_encoder_source_destroy(plan->source);
  mien_free(plan->layers);
  mien_free(plan->memory);
  mien_free(plan);
}

void mien_encoder_plan_word(const mien_encoder_plan *plan, size_t id, float *out) {
  const mien_weight *words = &plan->source->weights.word;
  mien_weight_row(words, id, out);
  if (words->dtype != plan->dtype) mien_round_row(plan->dtype, out, words->inputs);
}
