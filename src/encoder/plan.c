/* SPDX-License-Identifier: Apache-2.0 */
/* Packing an encoder's weights for the kernels. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "encoder/plan.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

/* The fewest tokens that a text is cut to: the special ones and one of its own. */
enum { LEAST_TOKENS = MIEN_TOKENIZER_SPECIALS + 1 };

/* ---- Memory: everything in one piece, cut in the order of making ---------------------------------------------- */

/* The first pass, with `at` NULL, counts; the second cuts. */
typedef struct arena {
  float *at;
  size_t floats;
  bool overflow;
} arena;

static float *take(arena *memory, size_t rows, size_t columns) {
  size_t floats;
  memory->overflow |= !mien_size_mul(rows, columns, &floats) || !mien_size_add(floats, MIEN_PANEL - 1, &floats);
  floats -= floats % MIEN_PANEL; /* the next piece is aligned too */
  float *piece = memory->at;
  if (memory->at) memory->at += floats;
  memory->overflow |= !mien_size_add(memory->floats, floats, &memory->floats);
  return piece;
}

static mien_matrix take_matrix(arena *memory, size_t inputs, size_t outputs) {
  mien_matrix matrix = {.inputs = inputs, .outputs = outputs};
  matrix.panels = take(memory, outputs, inputs);
  matrix.bias = take(memory, 1, outputs);
  return matrix;
}

static mien_norm take_norm(arena *memory, size_t hidden) {
  mien_norm norm = {.gamma = take(memory, 1, hidden)};
  norm.beta = take(memory, 1, hidden);
  return norm;
}

static void lay_out(mien_encoder_plan *plan, arena *memory) {
  const mien_encoder_config *config = &plan->config;
  const size_t hidden = config->hidden, heads = config->heads * plan->head_columns;
  const size_t intermediate = mien_whole_panels(config->intermediate);
  plan->positions = take(memory, config->max_tokens, hidden);
  plan->norm = take_norm(memory, hidden);
  for (size_t i = 0; i < config->layers; i++) {
    mien_layer *layer = &plan->layers[i];
    layer->query_key_value = take_matrix(memory, hidden, 3 * heads);
    layer->attention_output = take_matrix(memory, heads, hidden);
    layer->attention_norm = take_norm(memory, hidden);
    layer->up = take_matrix(memory, hidden, intermediate);
    layer->down = take_matrix(memory, intermediate, hidden);
    layer->output_norm = take_norm(memory, hidden);
  }
}

/* ---- Packing -------------------------------------------------------------------------------------------------- */

/* A side of a matrix: `count` numbers in groups, each padded: all in one group, or a head's in each. */
typedef struct side {
  size_t count, group, padded;
} side;

/* Which of the side's numbers lies at `place`; SIZE_MAX for what is padding. */
static size_t number_at(const side *s, size_t place) {
  const size_t group = place / s->padded, within = place % s->padded, number = group * s->group + within;
  return within < s->group && number < s->count ? number : SIZE_MAX;
}

/* A panel's outputs: those from `first` on, `count` of them, the other columns are padding. A panel lies in one group.
 */
typedef struct panel_outputs {
  size_t first, count;
} panel_outputs;

static panel_outputs outputs_at(const side *s, size_t place) {
  panel_outputs outputs = {.first = number_at(s, place)};
  while (outputs.count < MIEN_PANEL && number_at(s, place + outputs.count) != SIZE_MAX) outputs.count++;
  return outputs;
}

/* A panel from a weight whose rows are outputs. `rows` is scratch [16 × inputs]. */
static void pack_rows(const mien_weight *weight, panel_outputs outputs, const side *inputs, float *rows, float *panel) {
  const size_t n = weight->inputs, columns = outputs.count;
  if (columns > 0) mien_weight_numbers(weight, outputs.first * n, columns * n, rows);
  memset(rows + columns * n, 0, (MIEN_PANEL - columns) * n * sizeof *rows);
  for (size_t group = 0; group < n; group += inputs->group) {
    const size_t end = n - group < inputs->group ? n : group + inputs->group;
    for (size_t input = group; input < end; input++, panel += MIEN_PANEL)
      for (size_t column = 0; column < MIEN_PANEL; column++) panel[column] = rows[column * n + input];
    const size_t padding = (inputs->padded - (end - group)) * MIEN_PANEL;
    memset(panel, 0, padding * sizeof *panel);
    panel += padding;
  }
}

/* A panel from a weight whose rows are inputs. */
static void pack_columns(const mien_weight *weight, panel_outputs outputs, const side *inputs, size_t n_inputs,
                         float *panel) {
  memset(panel, 0, n_inputs * MIEN_PANEL * sizeof *panel);
  for (size_t place = 0; place < n_inputs; place++) {
    const size_t input = number_at(inputs, place);
    if (input == SIZE_MAX || outputs.count == 0) continue;
    mien_weight_numbers(weight, input * weight->outputs + outputs.first, outputs.count, panel + place * MIEN_PANEL);
  }
}

/* The linear map into the matrix's columns from `column` on; scaled, for queries. */
static void pack_linear(const mien_weight_linear *linear, const side *outputs, const side *inputs, float scale,
                        float *scratch, const mien_matrix *matrix, size_t column) {
  const size_t groups = (outputs->count + outputs->group - 1) / outputs->group, end = groups * outputs->padded;
  for (size_t at = 0; at < end; at += MIEN_PANEL) {
    float *panel = matrix->panels + (column + at) * matrix->inputs;
    const panel_outputs of_panel = outputs_at(outputs, at);
    if (linear->weight.inputs_first)
      pack_columns(&linear->weight, of_panel, inputs, matrix->inputs, panel);
    else
      pack_rows(&linear->weight, of_panel, inputs, scratch, panel);
    for (size_t i = 0; scale != 1 && i < matrix->inputs * MIEN_PANEL; i++) panel[i] *= scale;
  }
  mien_weight_row(&linear->bias, 0, scratch);
  for (size_t at = 0; at < end; at++) {
    const size_t output = number_at(outputs, at);
    matrix->bias[column + at] = output == SIZE_MAX ? 0 : scratch[output] * scale;
  }
}

static void pack_norm(const mien_weight_norm *norm, const mien_norm *packed) {
  mien_weight_row(&norm->gamma, 0, packed->gamma);
  mien_weight_row(&norm->beta, 0, packed->beta);
}

static void pack_layer(const mien_encoder_plan *plan, const mien_layer_weights *weights, float *scratch,
                       const mien_layer *layer) {
  const mien_encoder_config *config = &plan->config;
  const size_t of_head = config->hidden / config->heads, heads = config->heads * plan->head_columns;
  const side hidden = {config->hidden, config->hidden, config->hidden};
  const side by_head = {config->hidden, of_head, plan->head_columns};
  const side between = {config->intermediate, config->intermediate, mien_whole_panels(config->intermediate)};
  /* Attention's 1/√d, once here instead of for every score. */
  const float scale = (float)(1 / sqrt((double)of_head));
  pack_linear(&weights->query, &by_head, &hidden, scale, scratch, &layer->query_key_value, 0);
  pack_linear(&weights->key, &by_head, &hidden, 1, scratch, &layer->query_key_value, heads);
  pack_linear(&weights->value, &by_head, &hidden, 1, scratch, &layer->query_key_value, 2 * heads);
  pack_linear(&weights->attention_output, &hidden, &by_head, 1, scratch, &layer->attention_output, 0);
  pack_norm(&weights->attention_norm, &layer->attention_norm);
  pack_linear(&weights->intermediate, &between, &hidden, 1, scratch, &layer->up, 0);
  pack_linear(&weights->output, &hidden, &between, 1, scratch, &layer->down, 0);
  pack_norm(&weights->output_norm, &layer->output_norm);
}

static void pack(mien_encoder_plan *plan, float *scratch) {
  const mien_encoder_weights *weights = &plan->source->weights;
  const size_t hidden = plan->config.hidden;
  mien_weight_row(&weights->token_type, 0, scratch);
  for (size_t i = 0; i < plan->config.max_tokens; i++) {
    float *row = plan->positions + i * hidden;
    mien_weight_row(&weights->position, i, row);
    for (size_t k = 0; k < hidden; k++) row[k] += scratch[k];
  }
  pack_norm(&weights->norm, &plan->norm);
  for (size_t i = 0; i < plan->config.layers; i++) pack_layer(plan, &weights->layers[i], scratch, &plan->layers[i]);
}

/* ---- The plan ------------------------------------------------------------------------------------------------- */

static mien_status allocate(mien_encoder_plan *plan, mien_error *error) {
  const mien_encoder_config *config = &plan->config;
  arena memory = {0};
  size_t bytes;
  plan->layers = mien_alloc(config->layers, sizeof *plan->layers);
  if (!plan->layers) return mien_fail_memory(error, "encoder", config->layers * sizeof *plan->layers);
  lay_out(plan, &memory);
  if (memory.overflow || !mien_size_mul(memory.floats, sizeof(float), &bytes)) bytes = SIZE_MAX;
  plan->weights = bytes < SIZE_MAX ? mien_alloc_raw(bytes) : NULL;
  if (!plan->weights) return mien_fail_memory(error, "encoder", bytes);
#ifdef MADV_HUGEPAGE
  /* Fewer page faults and translations; only a hint. */
  const uintptr_t page = 4096, start = ((uintptr_t)plan->weights + page - 1) / page * page;
  const uintptr_t end = (uintptr_t)plan->weights + bytes;
  if (end > start) (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
#endif
  memory = (arena){.at = plan->weights};
  lay_out(plan, &memory);
  return MIEN_OK;
}

static mien_status check(const mien_encoder_config *config, size_t max_tokens, const char *where, mien_error *error) {
  if (config->hidden % MIEN_PANEL != 0)
    return mien_fail(error, MIEN_INPUT, "%s: hidden size: expected a multiple of %d, found %zu", where, MIEN_PANEL,
                     config->hidden);
  if (max_tokens > 0 && (max_tokens < LEAST_TOKENS || max_tokens > config->max_tokens))
    return mien_fail(error, MIEN_ARGUMENT, "%s: max_tokens: expected %d to %zu, found %zu", where, LEAST_TOKENS,
                     config->max_tokens, max_tokens);
  return MIEN_OK;
}

mien_status mien_encoder_plan_create(mien_encoder_source *source, size_t max_tokens, const char *where,
                                     mien_encoder_plan **out, mien_error *error) {
  mien_encoder_plan *plan = mien_alloc(1, sizeof *plan);
  if (!plan) {
    mien_encoder_source_destroy(source);
    return mien_fail_memory(error, "encoder", sizeof *plan);
  }
  plan->source = source;
  plan->config = source->config;
  if (max_tokens > 0) plan->config.max_tokens = max_tokens;
  plan->head_columns = mien_whole_panels(source->config.hidden / source->config.heads);
  const size_t widest =
      source->config.hidden > source->config.intermediate ? source->config.hidden : source->config.intermediate;
  float *scratch = NULL;
  mien_status status = check(&source->config, max_tokens, where, error);
  if (status == MIEN_OK) status = allocate(plan, error);
  if (status == MIEN_OK && !(scratch = mien_alloc(widest, MIEN_PANEL * sizeof *scratch)))
    status = mien_fail_memory(error, "encoder", widest * MIEN_PANEL * sizeof *scratch);
  if (status == MIEN_OK) {
    pack(plan, scratch);
    /* What was packed is not read again; the words come back as they are used. */
    if (source->mapping) (void)madvise(source->mapping, source->mapping_bytes, MADV_DONTNEED);
    *out = plan;
  } else {
    mien_encoder_plan_destroy(plan);
  }
  mien_free(scratch);
  return status;
}

void mien_encoder_plan_destroy(mien_encoder_plan *plan) {
  if (!plan) return;
  mien_encoder_source_destroy(plan->source);
  mien_free(plan->layers);
  mien_free(plan->weights);
  mien_free(plan);
}
