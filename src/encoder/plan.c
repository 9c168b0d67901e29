/* SPDX-License-Identifier: Apache-2.0 */
/* Packing an encoder's weights for the kernels. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "encoder/plan.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "encoder/panel.h"
#include "encoder/smooth.h"

enum { MOST_INT8_INPUTS = 1 << 15 };

/* The fewest tokens that a text is cut to: the special ones and one of its own. */
enum { LEAST_TOKENS = MIEN_TOKENIZER_SPECIALS + 1 };

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

/* What packing needs besides. */
typedef struct packer {
  mien_dtype dtype, layout;
  float *rows;  /* scratch [16 × the widest matrix's inputs], for what is 16 rows of a weight */
  float *panel; /* the same, for a panel of floats */
} packer;

/* Where the panel of the columns from `column` on lies in the matrix. */
static void *panel_at(mien_dtype layout, const mien_matrix *matrix, size_t column) {
  return (unsigned char *)matrix->panels +
         column * mien_panel_depth(layout, matrix->inputs) * mien_panel_element(layout);
}

/* A panel of floats, which may be where the matrix has it, to the matrix. */
static void store_panel(const packer *with, float *panel, const mien_matrix *matrix, size_t column) {
  void *place = panel_at(with->layout, matrix, column);
  for (size_t i = 0; matrix->multipliers && i < matrix->inputs; i++)
    for (size_t output = 0; output < MIEN_PANEL; output++) panel[i * MIEN_PANEL + output] /= matrix->multipliers[i];
  if (with->dtype == MIEN_F16) mien_round_row(with->dtype, panel, matrix->inputs * MIEN_PANEL);
  if (place != panel)
    mien_panel_pack(with->layout, panel, matrix->inputs, place, matrix->scales ? matrix->scales + column : NULL);
}

/* The linear map into the matrix's columns from `column` on; scaled, for queries. */
static void pack_linear(const packer *with, const mien_weight_linear *linear, const side *outputs, const side *inputs,
                        float scale, const mien_matrix *matrix, size_t column) {
  const size_t groups = (outputs->count + outputs->group - 1) / outputs->group, end = groups * outputs->padded;
  for (size_t at = 0; at < end; at += MIEN_PANEL) {
    float *panel = with->layout == MIEN_F32 ? panel_at(MIEN_F32, matrix, column + at) : with->panel;
    const panel_outputs of_panel = outputs_at(outputs, at);
    if (linear->weight.inputs_first)
      pack_columns(&linear->weight, of_panel, inputs, matrix->inputs, panel);
    else
      pack_rows(&linear->weight, of_panel, inputs, with->rows, panel);
    for (size_t i = 0; scale != 1 && i < matrix->inputs * MIEN_PANEL; i++) panel[i] *= scale;
    store_panel(with, panel, matrix, column + at);
  }
  float *scratch = with->rows;
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

static void pack_layer(const mien_encoder_plan *plan, const mien_layer_weights *weights, const packer *with,
                       const mien_layer *layer) {
  const mien_encoder_config *config = &plan->config;
  const size_t of_head = config->hidden / config->heads, heads = config->heads * plan->head_columns;
  const side hidden = {config->hidden, config->hidden, config->hidden};
  const side by_head = {config->hidden, of_head, plan->head_columns};
  const side between = {config->intermediate, config->intermediate, mien_whole_panels(config->intermediate)};
  /* Attention's 1/√d, once here instead of for every score. */
  const float scale = (float)(1 / sqrt((double)of_head));
  pack_linear(with, &weights->query, &by_head, &hidden, scale, &layer->query_key_value, 0);
  pack_linear(with, &weights->key, &by_head, &hidden, 1, &layer->query_key_value, heads);
  pack_linear(with, &weights->value, &by_head, &hidden, 1, &layer->query_key_value, 2 * heads);
  pack_linear(with, &weights->attention_output, &hidden, &by_head, 1, &layer->attention_output, 0);
  pack_norm(&weights->attention_norm, &layer->attention_norm);
  pack_linear(with, &weights->intermediate, &between, &hidden, 1, &layer->up, 0);
  pack_linear(with, &weights->output, &hidden, &between, 1, &layer->down, 0);
  pack_norm(&weights->output_norm, &layer->output_norm);
}

static void pack(mien_encoder_plan *plan, const packer *with) {
  const mien_encoder_weights *weights = &plan->source->weights;
  const size_t hidden = plan->config.hidden;
  float *type = with->rows;
  mien_weight_row(&weights->token_type, 0, type);
  for (size_t i = 0; i < plan->config.max_tokens; i++) {
    float *row = plan->positions + i * hidden;
    mien_weight_row(&weights->position, i, row);
    for (size_t k = 0; k < hidden; k++) row[k] += type[k];
  }
  pack_norm(&weights->norm, &plan->norm);
  for (size_t i = 0; i < plan->config.layers; i++) pack_layer(plan, &weights->layers[i], with, &plan->layers[i]);
}

/* ---- From a pack ---------------------------------------------------------------------------------------------- */

enum { LAYER_MATRICES = 4 };

static void matrices_of(const mien_layer *layer, const mien_matrix *matrices[LAYER_MATRICES]) {
  matrices[0] = &layer->query_key_value;
  matrices[1] = &layer->attention_output;
  matrices[2] = &layer->up;
  matrices[3] = &layer->down;
}

/* Panels of another dtype's layout. */
static void repack(const mien_encoder_plan *plan, const packer *with) {
  const mien_encoder_source *source = plan->source;
  for (size_t i = 0; i < plan->config.layers; i++) {
    const mien_matrix *from[LAYER_MATRICES], *to[LAYER_MATRICES];
    matrices_of(&source->packed.layers[i], from);
    matrices_of(&plan->layers[i], to);
    for (size_t m = 0; m < LAYER_MATRICES; m++)
      for (size_t column = 0; column < to[m]->outputs; column += MIEN_PANEL) {
        float *panel = with->layout == MIEN_F32 ? panel_at(MIEN_F32, to[m], column) : with->panel;
        const float *scales = from[m]->scales ? from[m]->scales + column : NULL;
        mien_panel_unpack(source->dtype, panel_at(source->dtype, from[m], column), scales, to[m]->inputs, panel);
        for (size_t k = 0; from[m]->multipliers && k < to[m]->inputs; k++)
          for (size_t output = 0; output < MIEN_PANEL; output++)
            panel[k * MIEN_PANEL + output] *= from[m]->multipliers[k];
        store_panel(with, panel, to[m], column);
      }
  }
}

/* Of int8: what the kernels want to know of each output. */
static mien_status sum_weights(const mien_encoder_plan *plan, const char *where, mien_error *error) {
  for (size_t i = 0; i < plan->config.layers; i++) {
    const mien_matrix *matrices[LAYER_MATRICES], *down = &plan->layers[i].down;
    matrices_of(&plan->layers[i], matrices);
    for (size_t m = 0; m < LAYER_MATRICES; m++)
      for (size_t column = 0; column < matrices[m]->outputs; column += MIEN_PANEL)
        if (!mien_panel_sums(panel_at(MIEN_INT8, matrices[m], column), matrices[m]->inputs, matrices[m]->sums + column))
          return mien_fail(error, MIEN_INPUT, "%s: layer %zu: int8 weights: expected -127 to 127, found -128", where,
                           i);
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
  const size_t widest = config->hidden > config->intermediate ? config->hidden : config->intermediate;
  if (dtype == MIEN_INT8 && widest > MOST_INT8_INPUTS)
    return mien_fail(error, MIEN_INPUT, "%s: int8: expected layers of at most %d inputs, found %zu", where,
                     MOST_INT8_INPUTS, widest);
  if (max_tokens > 0 && (max_tokens < LEAST_TOKENS || max_tokens > config->max_tokens))
    return mien_fail(error, MIEN_ARGUMENT, "%s: max_tokens: expected %d to %zu, found %zu", where, LEAST_TOKENS,
                     config->max_tokens, max_tokens);
  return MIEN_OK;
}

static void fill_from_source(mien_encoder_plan *plan, const packer *with) {
  if (plan->source->packed.layers)
    repack(plan, with);
  else
    pack(plan, with);
}

/* int8 of floats is made twice: first without multipliers, to find them. */
static mien_status fill_smoothly(mien_encoder_plan *plan, const packer *with, const char *where, mien_error *error) {
  for (size_t i = 0; i < plan->config.layers; i++)
    for (size_t k = 0; k < plan->config.hidden; k++)
      plan->layers[i].query_key_value.multipliers[k] = plan->layers[i].up.multipliers[k] = 1;
  fill_from_source(plan, with);
  mien_status status = sum_weights(plan, where, error);
  if (status == MIEN_OK) status = mien_encoder_smooth(plan, where, error);
  if (status == MIEN_OK) fill_from_source(plan, with);
  return status;
}

static mien_status fill(mien_encoder_plan *plan, const char *where, mien_error *error) {
  const mien_encoder_config *config = &plan->config;
  const size_t inputs = mien_whole_panels(config->intermediate), heads = config->heads * plan->head_columns;
  const size_t widest = inputs > heads ? inputs : heads; /* hidden is at most heads */
  mien_status status = MIEN_OK;
  packer with = {.dtype = plan->dtype, .layout = mien_layout_of(plan->dtype)};
  with.rows = mien_alloc(widest, MIEN_PANEL * sizeof *with.rows);
  with.panel = mien_alloc(widest, MIEN_PANEL * sizeof *with.panel);
  if (!with.rows || !with.panel)
    status = mien_fail_memory(error, "encoder", widest * MIEN_PANEL * sizeof *with.rows);
  else if (!shares_panels(plan) && with.layout == MIEN_INT8)
    status = fill_smoothly(plan, &with, where, error);
  else if (!shares_panels(plan))
    fill_from_source(plan, &with);
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
