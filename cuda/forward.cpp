/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass of a batch, and its recorded graphs. BERT: Devlin, Chang, Lee, Toutanova, 2018 (arXiv:1810.04805).
 */
#include "cublas.h"
#include "engine.h"

cudaError_t mien_forward_prepare(const mien_cuda_engine *engine) {
  MIEN_TRY(mien_product_prepare());
  MIEN_TRY(mien_attend_prepare(engine->shared_bytes));
  MIEN_TRY(mien_pool_prepare(engine->shared_bytes));
  return cudaSuccess;
}

/* A batch on its way. */
typedef struct pass {
  const mien_cuda_engine *engine;
  const mien_engine_encoder *encoder;
  const mien_lane_memory *memory;
  mien_batch batch;
  size_t tokens, texts; /* the most */
  const int *n;         /* tokens */
  cudaStream_t stream;
} pass;

/* What a product reads: the same numbers as 16 bits or as floats. */
typedef struct operand {
  mien_planes numbers;
  const float *floats;
} operand;

static mien_product product_of(const pass *p, const mien_engine_matrix *matrix, const operand *x) {
  mien_product product = {};
  product.x = x->numbers;
  product.w = matrix->w;
  product.inputs = matrix->inputs;
  product.outputs = matrix->outputs;
  product.bias = matrix->bias;
  product.scales = matrix->scales;
  product.n = p->n;
  return product;
}

/* Sums of a product by cuBLASLt, over all rows that there may be: rows are independent. */
static cudaError_t multiply_by_cublas(const pass *p, const mien_engine_matrix *matrix, const operand *x) {
  const mien_engine_encoder *encoder = p->encoder;
  const size_t outputs = (size_t)matrix->outputs, inputs = (size_t)matrix->inputs;
  if (encoder->kept == MIEN_KEPT_F32)
    return mien_cublas_multiply(MIEN_F32, matrix->floats, outputs, inputs, x->floats, inputs, p->tokens,
                                p->memory->sums, p->stream);
  return mien_cublas_multiply(encoder->number, matrix->w.numbers, outputs, inputs, x->numbers.numbers, inputs,
                              p->tokens, p->memory->sums, p->stream);
}

/* y or y16 = x·W · scale + bias, and GELU. `as_floats`: y, of what is kept in two planes. */
static cudaError_t project(const pass *p, const mien_engine_matrix *matrix, const operand *x, bool gelu, float *y,
                           mien_planes y16, bool as_floats) {
  const mien_engine_encoder *encoder = p->encoder;
  if (encoder->by_cublas) {
    mien_finish_rows finish = {};
    MIEN_PASS(multiply_by_cublas(p, matrix, x));
    finish.n = p->n;
    finish.columns = matrix->outputs;
    finish.sums = p->memory->sums;
    finish.scales = matrix->scales;
    finish.bias = matrix->bias;
    finish.gelu = gelu;
    finish.kept = encoder->kept;
    finish.y = y;
    finish.y16 = y16;
    MIEN_TRY(mien_finish_run(&finish, p->engine->multiprocessors, p->stream));
    return cudaSuccess;
  }
  mien_product product = product_of(p, matrix, x);
  product.gelu = gelu;
  if (as_floats)
    product.y = y;
  else
    product.y16 = y16;
  MIEN_TRY(mien_product_run(encoder->number, &product, p->tokens, p->stream));
  return cudaSuccess;
}

/* x = LayerNorm(x + sums · scale + bias), and x16 times multipliers; sums NULL: of x itself. */
static cudaError_t norm(const pass *p, const mien_engine_matrix *matrix, const float *sums, const float *gamma,
                        const float *beta, const float *multipliers) {
  const mien_engine_encoder *encoder = p->encoder;
  mien_norm_rows norm = {};
  norm.n = p->n;
  norm.columns = (int)encoder->hidden;
  norm.sums = sums;
  norm.scales = matrix->scales;
  norm.bias = matrix->bias;
  norm.kept = encoder->kept;
  norm.gamma = gamma;
  norm.beta = beta;
  norm.multipliers = multipliers;
  norm.epsilon = encoder->epsilon;
  norm.y = p->memory->x;
  norm.y16 = p->memory->x16;
  MIEN_TRY(mien_norm_run(&norm, p->engine->multiprocessors, p->stream));
  return cudaSuccess;
}

/* x = LayerNorm(x + from·W · scale + bias), and x16 times multipliers. */
static cudaError_t add_and_norm(const pass *p, const mien_engine_matrix *matrix, const operand *from,
                                const float *gamma, const float *beta, const float *multipliers) {
  const mien_engine_encoder *encoder = p->encoder;
  const mien_lane_memory *memory = p->memory;
  mien_product product = product_of(p, matrix, from);
  product.residual = product.y = memory->x;
  if (!encoder->by_cublas && mien_product_has_norm(encoder->hidden)) {
    product.y16 = memory->x16;
    const mien_product_norm norm = {product, gamma, beta, multipliers, encoder->epsilon};
    MIEN_TRY(mien_product_run_norm(encoder->number, &norm, p->tokens, p->stream));
    return cudaSuccess;
  }
  if (encoder->by_cublas)
    MIEN_PASS(multiply_by_cublas(p, matrix, from));
  else
    MIEN_TRY(mien_product_run(encoder->number, &product, p->tokens, p->stream));
  return norm(p, matrix, encoder->by_cublas ? memory->sums : NULL, gamma, beta, multipliers);
}

static cudaError_t embed(const pass *p) {
  const mien_engine_encoder *encoder = p->encoder;
  mien_embed embed = {};
  embed.batch = p->batch;
  embed.words = encoder->words;
  embed.words_are_floats = encoder->words_are_floats;
  embed.kept = encoder->kept;
  embed.positions = encoder->positions;
  embed.gamma = encoder->gamma;
  embed.beta = encoder->beta;
  embed.multipliers = encoder->layers[0].matrices[MIEN_MATRIX_HEADS].multipliers;
  embed.epsilon = encoder->epsilon;
  embed.hidden = (int)encoder->hidden;
  embed.y = p->memory->x;
  embed.y16 = p->memory->x16;
  MIEN_TRY(mien_embed_run(&embed, p->engine->multiprocessors, p->stream));
  return cudaSuccess;
}

static cudaError_t attend(const pass *p) {
  const mien_engine_encoder *encoder = p->encoder;
  const mien_lane_memory *memory = p->memory;
  mien_attend attend = {};
  attend.batch = p->batch;
  attend.kept = encoder->kept;
  attend.n_heads = (int)encoder->n_heads;
  attend.columns = (int)encoder->columns;
  attend.most_tokens = (int)encoder->max_tokens;
  attend.heads = memory->heads ? static_cast<const void *>(memory->heads) : memory->heads16.numbers;
  attend.y = memory->context;
  attend.y16 = memory->context16;
  MIEN_TRY(mien_attend_run(&attend, p->engine->multiprocessors, p->stream));
  return cudaSuccess;
}

static cudaError_t pool(const pass *p) {
  const mien_cuda_engine *engine = p->engine;
  const mien_engine_encoder *encoder = p->encoder;
  const mien_lane_memory *memory = p->memory;
  mien_pool pool = {};
  pool.batch = p->batch;
  pool.x = memory->x;
  pool.hidden = (int)encoder->hidden;
  pool.pooling = encoder->pooling;
  pool.normalize = encoder->normalize;
  pool.embeddings = memory->embeddings;
  pool.status = memory->status;
  pool.label = engine->pools_to_labels;
  if (pool.label) pool.head = engine->heads[MIEN_HEAD_F32].numbers;
  pool.results = {memory->words, memory->scores, memory->label_status};
  MIEN_TRY(mien_pool_run(&pool, p->texts, p->stream));
  if (!engine->has_head || pool.label) return cudaSuccess;
  return mien_engine_queue_head(engine, &engine->heads[MIEN_HEAD_F32], memory->embeddings, encoder->hidden, p->texts,
                                memory->packed, memory->sums, &pool.results, p->stream);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static cudaError_t run_step(const pass *p, mien_step step, size_t index) {
  const mien_engine_layer *layer = &p->encoder->layers[index];
  const mien_engine_matrix *matrices = layer->matrices;
  const mien_lane_memory *memory = p->memory;
  const operand x = {memory->x16, memory->x}, context = {memory->context16, memory->context};
  const operand between = {memory->between16, memory->between};
  const bool is_last = index + 1 == p->encoder->layers.size();
  const float *next = is_last ? NULL : p->encoder->layers[index + 1].matrices[MIEN_MATRIX_HEADS].multipliers;
  switch (step) {
  case MIEN_STEP_EMBED: return embed(p);
  case MIEN_STEP_HEADS:
    return project(p, &matrices[MIEN_MATRIX_HEADS], &x, false, memory->heads, memory->heads16, memory->heads != NULL);
  case MIEN_STEP_ATTEND: return attend(p);
  case MIEN_STEP_ATTENTION:
    return add_and_norm(p, &matrices[MIEN_MATRIX_ATTENTION], &context, layer->attention_gamma, layer->attention_beta,
                        matrices[MIEN_MATRIX_UP].multipliers);
  case MIEN_STEP_UP: return project(p, &matrices[MIEN_MATRIX_UP], &x, true, memory->between, memory->between16, false);
  case MIEN_STEP_DOWN:
    return add_and_norm(p, &matrices[MIEN_MATRIX_DOWN], &between, layer->output_gamma, layer->output_beta, next);
  case MIEN_STEP_POOL: return pool(p);
  default: return norm(p, &matrices[MIEN_MATRIX_DOWN], NULL, layer->output_gamma, layer->output_beta, next);
  }
}

static pass pass_of(mien_cuda_lane *lane, const mien_layout *layout, cudaStream_t stream) {
  const int *staged = lane->memory.staged;
  pass p = {};
  p.engine = lane->engine;
  p.encoder = &lane->engine->encoder;
  p.memory = &lane->memory;
  p.batch.counts = staged;
  p.batch.ids = staged + layout->ids;
  p.batch.positions = staged + layout->positions;
  p.batch.starts = staged + layout->starts;
  p.batch.tiles = reinterpret_cast<const mien_tile *>(staged + layout->tiles_at);
  p.tokens = layout->tokens;
  p.texts = layout->texts;
  p.n = staged + MIEN_COUNT_TOKENS;
  p.stream = stream;
  return p;
}

cudaError_t mien_forward_queue_step(mien_cuda_lane *lane, const mien_layout *layout, mien_step step, size_t layer,
                                    cudaStream_t stream) {
  const pass p = pass_of(lane, layout, stream);
  return run_step(&p, step, layer);
}

cudaError_t mien_forward_queue(mien_cuda_lane *lane, const mien_layout *layout, cudaStream_t stream) {
  const pass p = pass_of(lane, layout, stream);
  MIEN_PASS(run_step(&p, MIEN_STEP_EMBED, 0));
  for (size_t layer = 0; layer < p.encoder->layers.size(); layer++)
    for (int step = MIEN_STEP_HEADS; step <= MIEN_STEP_DOWN; step++)
      MIEN_PASS(run_step(&p, static_cast<mien_step>(step), layer));
  return run_step(&p, MIEN_STEP_POOL, 0);
}

/* ---- Graphs ------------------------------------------------------------------------------------------------------ */

static cudaError_t record(mien_cuda_lane *lane, const mien_layout *layout, cudaStream_t stream, cudaGraphExec_t *exec) {
  cudaGraph_t graph = NULL;
  MIEN_TRY(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  cudaError_t code = mien_forward_queue(lane, layout, stream);
  /* It must end, come what may. */
  const cudaError_t end = MIEN_CUDA_CALL(cudaStreamEndCapture(stream, &graph));
  if (code == cudaSuccess && end != cudaSuccess) code = mien_cuda_note(end, __func__, "cudaStreamEndCapture(");
  if (end != cudaSuccess) (void)cudaStreamEndCapture(stream, &graph);
  if (code == cudaSuccess) code = MIEN_CHECK(cudaGraphInstantiate(exec, graph, 0));
  if (graph) (void)cudaGraphDestroy(graph);
  return code;
}

cudaError_t mien_forward_launch(mien_cuda_lane *lane, const mien_layout *layout, cudaStream_t stream) {
  auto known = lane->graphs.find(layout->tokens);
  if (known == lane->graphs.end()) {
    cudaGraphExec_t exec = NULL;
    MIEN_PASS(record(lane, layout, stream, &exec));
    known = lane->graphs.insert({layout->tokens, exec}).first;
  }
  MIEN_TRY(cudaGraphLaunch(known->second, stream));
  return cudaSuccess;
}
