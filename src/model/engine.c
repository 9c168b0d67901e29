/* SPDX-License-Identifier: Apache-2.0 */
/* A model's weights as the CUDA device's library takes them, and its engines, one a device. */
#include <pthread.h>

#include "base/memory.h"
#include "encoder/panel.h"
#include "encoder/plan_weights.h"
#include "model/cuda.h"
#include "model/model.h"

/* ---- The head -------------------------------------------------------------------------------------------------- */

/* `weights` is to be freed, after a failure too. */
static mien_status view_head(const mien_head_plan *plan, mien_cuda_head *head, float **weights, mien_error *error) {
  size_t numbers;
  *weights = mien_size_mul(plan->n_labels, plan->dim, &numbers) ? mien_alloc(numbers, sizeof **weights) : NULL;
  if (!*weights) return mien_fail_memory(error, "head", plan->n_labels * plan->dim * sizeof **weights);
  mien_head_plan_weights(plan, *weights);
  *head = (mien_cuda_head){.n_labels = plan->n_labels,
                           .dim = plan->dim,
                           .weights = *weights,
                           .bias = plan->bias,
                           .thresholds = plan->thresholds,
                           .sure_no = plan->sure_no,
                           .sure_yes = plan->sure_yes};
  return MIEN_OK;
}

/* ---- The encoder ----------------------------------------------------------------------------------------------- */

typedef struct encoder_view {
  const mien_encoder_plan *plan;
  mien_cuda_encoder encoder;
  mien_cuda_layer *layers; /* [layers] */
  float *panel;            /* [most inputs × MIEN_PANEL] scratch */
} encoder_view;

static void weights_of(void *user, size_t layer, size_t index, float *out) {
  const encoder_view *view = user;
  const mien_dtype layout = mien_layout_of(view->plan->dtype);
  const mien_matrix *matrix = mien_layer_matrix(&view->plan->layers[layer], index);
  float ones[MIEN_PANEL]; /* int8 as it is: its scales are the matrix' own */
  for (size_t i = 0; i < MIEN_PANEL; i++) ones[i] = 1;
  for (size_t first = 0; first < matrix->outputs; first += MIEN_PANEL) {
    mien_panel_unpack(layout, mien_panel_at(layout, matrix, first), ones, matrix->inputs, view->panel);
    for (size_t output = 0; output < MIEN_PANEL; output++, out += matrix->inputs)
      for (size_t input = 0; input < matrix->inputs; input++) out[input] = view->panel[input * MIEN_PANEL + output];
  }
}

static void word_of(void *user, size_t id, float *out) {
  const encoder_view *view = user;
  mien_encoder_plan_word(view->plan, id, out);
}

static void view_layer(mien_layer *layer, mien_cuda_layer *view) {
  _Static_assert((int)MIEN_CUDA_LAYER_MATRICES == (int)MIEN_LAYER_MATRICES, "the same, in the same order");
  for (size_t m = 0; m < MIEN_LAYER_MATRICES; m++) {
    const mien_matrix *matrix = mien_layer_matrix(layer, m);
    view->matrices[m] = (mien_cuda_matrix){.inputs = matrix->inputs,
                                           .outputs = matrix->outputs,
                                           .bias = matrix->bias,
                                           .scales = matrix->scales,
                                           .multipliers = matrix->multipliers};
  }
  view->attention_gamma = layer->attention_norm.gamma;
  view->attention_beta = layer->attention_norm.beta;
  view->output_gamma = layer->output_norm.gamma;
  view->output_beta = layer->output_norm.beta;
}

static size_t most_inputs(const mien_encoder_plan *plan) {
  size_t most = 0;
  for (size_t i = 0; i < plan->config.layers; i++)
    for (size_t m = 0; m < MIEN_LAYER_MATRICES; m++) {
      const size_t inputs = mien_layer_matrix(&plan->layers[i], m)->inputs;
      most = inputs > most ? inputs : most;
    }
  return most;
}

/* What is in `view` is to be freed, after a failure too. */
static mien_status view_encoder(const mien_encoder_plan *plan, encoder_view *view, mien_error *error) {
  static const mien_cuda_pooling poolings[] = {[MIEN_POOLING_MEAN] = MIEN_CUDA_POOL_MEAN,
                                               [MIEN_POOLING_CLS] = MIEN_CUDA_POOL_CLS,
                                               [MIEN_POOLING_MAX] = MIEN_CUDA_POOL_MAX};
  const mien_encoder_config *config = &plan->config;
  const size_t inputs = most_inputs(plan);
  view->plan = plan;
  view->layers = mien_alloc(config->layers, sizeof *view->layers);
  view->panel = mien_alloc(inputs, MIEN_PANEL * sizeof *view->panel);
  if (!view->layers || !view->panel)
    return mien_fail_memory(error, "encoder",
                            config->layers * sizeof *view->layers + inputs * MIEN_PANEL * sizeof *view->panel);
  for (size_t i = 0; i < config->layers; i++) view_layer(&plan->layers[i], &view->layers[i]);
  view->encoder = (mien_cuda_encoder){.dtype = plan->dtype,
                                      .layers = config->layers,
                                      .hidden = config->hidden,
                                      .heads = config->heads,
                                      .head_columns = plan->head_columns,
                                      .vocabulary = config->vocabulary,
                                      .max_tokens = config->max_tokens,
                                      .layer_norm_eps = config->layer_norm_eps,
                                      .pooling = poolings[config->pooling],
                                      .normalize = config->normalize,
                                      .positions = plan->positions,
                                      .gamma = plan->norm.gamma,
                                      .beta = plan->norm.beta,
                                      .layer = view->layers,
                                      .weights = weights_of,
                                      .word = word_of,
                                      .user = view};
  return MIEN_OK;
}

/* ---- Engines --------------------------------------------------------------------------------------------------- */

static mien_status open_device(const mien_cuda_open_options *options, const mien_head_plan *plan,
                               const mien_encoder_plan *encoder, mien_engine *engine, mien_error *error) {
  mien_cuda_head head;
  encoder_view view = {0};
  float *weights = NULL;
  mien_status status = engine->module->device_info(engine->ordinal, &engine->info, error);
  if (status == MIEN_OK && plan) status = view_head(plan, &head, &weights, error);
  if (status == MIEN_OK && encoder) status = view_encoder(encoder, &view, error);
  if (status == MIEN_OK)
    status = engine->module->open(options, plan ? &head : NULL, encoder ? &view.encoder : NULL, &engine->engine, error);
  mien_free(view.layers);
  mien_free(view.panel);
  mien_free(weights);
  return status;
}

mien_status mien_engine_open(const mien_cuda_open_options *options, const mien_head_plan *head,
                             const mien_encoder_plan *encoder, mien_engine **out, mien_error *error) {
  const mien_cuda_module *module;
  mien_status status = mien_cuda_module_open(&module, error);
  if (status != MIEN_OK) return status;
  mien_engine *engine = mien_alloc(1, sizeof *engine);
  if (!engine) return mien_fail_memory(error, "CUDA", sizeof *engine);
  engine->module = module;
  engine->ordinal = options->ordinal;
  status = open_device(options, head, encoder, engine, error);
  if (status == MIEN_OK)
    *out = engine;
  else
    mien_free(engine);
  return status;
}

void mien_engine_close(mien_engine *engine) {
  if (!engine) return;
  engine->module->close(engine->engine);
  mien_free(engine);
}

/* Under the model's lock. */
static mien_status make_engine(mien_model *model, int32_t ordinal, mien_engine **out, mien_error *error) {
  const mien_cuda_open_options options = {.ordinal = ordinal};
  const mien_status status = mien_engine_open(&options, model->head ? model->plan : NULL, model->encoder, out, error);
  if (status != MIEN_OK) return status;
  (*out)->next = model->engines;
  model->engines = *out;
  return MIEN_OK;
}

mien_status mien_engine_acquire(mien_model *model, int32_t ordinal, mien_engine **out, mien_error *error) {
  const mien_cuda_module *module;
  mien_status status = mien_cuda_module_open(&module, error);
  if (status != MIEN_OK) return status;
  /* Held while weights go to the device: who comes meanwhile waits for them. */
  pthread_mutex_lock(&model->engines_lock);
  mien_engine *engine = model->engines;
  while (engine && engine->ordinal != ordinal) engine = engine->next;
  if (!engine) status = make_engine(model, ordinal, &engine, error);
  if (status == MIEN_OK) {
    atomic_fetch_add(&engine->references, 1);
    *out = engine;
  }
  pthread_mutex_unlock(&model->engines_lock);
  return status;
}

static void unlink_engine(mien_model *model, const mien_engine *engine) {
  mien_engine **at = &model->engines;
  while (*at != engine) at = &(*at)->next;
  *at = engine->next;
}

void mien_engine_release(mien_model *model, mien_engine *engine) {
  /* In a child of fork, where the lock may be held by a thread that is not there, nobody looks for engines. */
  const bool is_shared = !mien_cuda_is_of_parent();
  if (is_shared) pthread_mutex_lock(&model->engines_lock);
  if (atomic_fetch_sub(&engine->references, 1) == 1) {
    if (is_shared) unlink_engine(model, engine);
    mien_engine_close(engine);
  }
  if (is_shared) pthread_mutex_unlock(&model->engines_lock);
}
