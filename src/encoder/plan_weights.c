/* SPDX-License-Identifier: Apache-2.0 */
/* Packing an encoder's weights for the kernels: from files as they are published, or from a pack in another dtype. */
#include "encoder/plan_weights.h"

#include <math.h>
#include <string.h>

/* ---- From an encoder's files ------------------------------------------------------------------------------------ */

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

/* A panel of floats, which may be where the matrix has it, to the matrix. */
static void store_panel(const mien_packer *with, float *panel, const mien_matrix *matrix, size_t column) {
  void *place = mien_panel_at(with->layout, matrix, column);
  for (size_t i = 0; matrix->multipliers && i < matrix->inputs; i++)
    for (size_t output = 0; output < MIEN_PANEL; output++) panel[i * MIEN_PANEL + output] /= matrix->multipliers[i];
  if (with->dtype == MIEN_F16) mien_round_row(with->dtype, panel, matrix->inputs * MIEN_PANEL);
  if (place != panel)
    mien_panel_pack(with->layout, panel, matrix->inputs, place, matrix->scales ? matrix->scales + column : NULL);
}

/* The linear map into the matrix's columns from `column` on; scaled, for queries. */
static void pack_linear(const mien_packer *with, const mien_weight_linear *linear, const side *outputs,
                        const side *inputs, float scale, const mien_matrix *matrix, size_t column) {
  if (with->multiplied_only && !matrix->multipliers) return;
  const size_t groups = (outputs->count + outputs->group - 1) / outputs->group, end = groups * outputs->padded;
  for (size_t at = 0; at < end; at += MIEN_PANEL) {
    float *panel = with->layout == MIEN_F32 ? mien_panel_at(MIEN_F32, matrix, column + at) : with->panel;
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

static void pack_layer(const mien_encoder_plan *plan, const mien_layer_weights *weights, const mien_packer *with,
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

static void pack(mien_encoder_plan *plan, const mien_packer *with) {
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

/* Panels of another dtype's layout. */
static void repack(const mien_encoder_plan *plan, const mien_packer *with) {
  const mien_encoder_source *source = plan->source;
  for (size_t i = 0; i < plan->config.layers; i++) {
    for (size_t m = 0; m < MIEN_LAYER_MATRICES; m++) {
      const mien_matrix *from = mien_layer_matrix(&source->packed.layers[i], m);
      const mien_matrix *to = mien_layer_matrix(&plan->layers[i], m);
      if (with->multiplied_only && !to->multipliers) continue;
      for (size_t column = 0; column < to->outputs; column += MIEN_PANEL) {
        float *panel = with->layout == MIEN_F32 ? mien_panel_at(MIEN_F32, to, column) : with->panel;
        const float *scales = from->scales ? from->scales + column : NULL;
        mien_panel_unpack(source->dtype, mien_panel_at(source->dtype, from, column), scales, to->inputs, panel);
        for (size_t k = 0; from->multipliers && k < to->inputs; k++)
          for (size_t output = 0; output < MIEN_PANEL; output++) panel[k * MIEN_PANEL + output] *= from->multipliers[k];
        store_panel(with, panel, to, column);
      }
    }
  }
}

void mien_plan_fill(mien_encoder_plan *plan, const mien_packer *with) {
  if (plan->source->packed.layers)
    repack(plan, with);
  else
    pack(plan, with);
}
