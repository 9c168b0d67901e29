/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pass. Rows go in blocks, a block's logits, residuals and its part of the gradient while it is in cache; blocks go
 * to slots, which are the same whatever the number of threads, float32 within a stretch of blocks and double beyond.
 */
#include "train/logistic_pass.h"

#include <string.h>

#include "base/memory.h"
#include "kernels/encoder_kernels.h"
#include "kernels/logistic_kernels.h"

enum {
  BLOCK = 256,    /* rows whose numbers, transposed as well, stay in the second-level cache */
  STRETCH = 8,    /* blocks whose gradients are added up in float32 */
  MOST_SLOTS = 32 /* sums of their own: more than threads that any machine gives */
};

/* What a thread works in. */
typedef struct worker {
  float *rows;       /* [BLOCK × padded_dim], where x is not laid out so */
  float *transposed; /* [padded_dim × BLOCK] */
  float *logits;     /* [panels][BLOCK][16] */
  float *gradient;   /* [padded_dim × padded_columns] */
  void *scratch;
} worker;

/* Sums of a slot's rows. */
typedef struct slot {
  double *gradient;           /* [padded_dim × padded_columns] */
  double *losses, *residuals; /* [padded_columns] */
} slot;

struct mien_logistic_pass {
  const mien_logistic_rows *rows;
  mien_pool *pool;
  const mien_encoder_kernels *products;
  const mien_logistic_kernels *kernels;
  size_t n_columns, padded_columns, padded_dim, n_blocks, n_slots;
  float *targets;             /* [n_blocks][panels][BLOCK][16] */
  float *positive, *negative; /* [padded_columns] */
  float *zeros;               /* [padded_columns] */
  mien_matrix weights;        /* of inputs padded_dim, outputs padded_columns */
  worker *workers;            /* [threads] */
  slot *slots;                /* [n_slots] */
};

static size_t block_rows(const mien_logistic_pass *pass, size_t block) {
  const size_t first = block * BLOCK;
  return pass->rows->n - first < BLOCK ? pass->rows->n - first : BLOCK;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* Memory of a × b numbers, in *done whether there is enough so far. */
static void *numbers(size_t a, size_t b, size_t size, bool *done) {
  size_t count;
  void *memory = *done && mien_size_mul(a, b, &count) ? mien_alloc(count, size) : NULL;
  *done = memory != NULL;
  return memory;
}

static bool make_workers(mien_logistic_pass *pass) {
  const unsigned threads = mien_pool_threads(pass->pool);
  const size_t dim = pass->padded_dim, columns = pass->padded_columns;
  const size_t longest = dim > BLOCK ? dim : BLOCK;
  const size_t scratch = pass->products->scratch_bytes(longest, longest, longest);
  bool done = true;
  pass->workers = numbers(threads, 1, sizeof *pass->workers, &done);
  for (unsigned i = 0; done && i < threads; i++) {
    worker *w = &pass->workers[i];
    w->rows = numbers(BLOCK, dim, sizeof(float), &done);
    w->transposed = numbers(dim, BLOCK, sizeof(float), &done);
    w->logits = numbers(BLOCK, columns, sizeof(float), &done);
    w->gradient = numbers(dim, columns, sizeof(float), &done);
    w->scratch = numbers(scratch ? scratch : 1, 1, 1, &done);
  }
  return done;
}

static bool make_slots(mien_logistic_pass *pass) {
  bool done = true;
  pass->slots = numbers(pass->n_slots, 1, sizeof *pass->slots, &done);
  for (size_t i = 0; done && i < pass->n_slots; i++) {
    pass->slots[i].gradient = numbers(pass->padded_dim, pass->padded_columns, sizeof(double), &done);
    pass->slots[i].losses = numbers(pass->padded_columns, 1, sizeof(double), &done);
    pass->slots[i].residuals = numbers(pass->padded_columns, 1, sizeof(double), &done);
  }
  return done;
}

static void gather_targets(mien_logistic_pass *pass, const mien_logistic_column *columns, const size_t *which) {
  const mien_logistic_rows *rows = pass->rows;
  for (size_t row = 0; row < rows->n; row++) {
    float *block = pass->targets + row / BLOCK * BLOCK * pass->padded_columns;
    for (size_t j = 0; j < pass->n_columns; j++)
      block[j / MIEN_PANEL * BLOCK * MIEN_PANEL + row % BLOCK * MIEN_PANEL + j % MIEN_PANEL] =
          rows->targets[row * rows->n_labels + columns[which[j]].label];
  }
  for (size_t j = 0; j < pass->n_columns; j++) {
    pass->positive[j] = (float)columns[which[j]].positive;
    pass->negative[j] = (float)columns[which[j]].negative;
  }
}

mien_status mien_logistic_pass_create(const mien_logistic_rows *rows, const mien_logistic_column *columns,
                                      const size_t *which, size_t n_columns, mien_pool *pool, mien_logistic_pass **out,
                                      mien_error *error) {
  mien_isa isa;
  mien_status status = mien_isa_choose(&isa, error);
  if (status != MIEN_OK) return status;
  mien_logistic_pass *pass = mien_alloc(1, sizeof *pass);
  if (!pass) return mien_fail_memory(error, "training", sizeof *pass);
  *pass = (mien_logistic_pass){.rows = rows,
                               .pool = pool,
                               .products = mien_encoder_kernels_for(MIEN_PRODUCTS_F32, isa),
                               .kernels = mien_logistic_kernels_for(isa),
                               .n_columns = n_columns,
                               .padded_columns = mien_whole_panels(n_columns),
                               .padded_dim = mien_whole_panels(rows->dim),
                               .n_blocks = (rows->n + BLOCK - 1) / BLOCK};
  const size_t stretches = (pass->n_blocks + STRETCH - 1) / STRETCH;
  pass->n_slots = stretches < MOST_SLOTS ? stretches : MOST_SLOTS;
  bool done = true;
  pass->weights = (mien_matrix){.inputs = pass->padded_dim, .outputs = pass->padded_columns};
  pass->weights.panels = numbers(pass->padded_dim, pass->padded_columns, sizeof(float), &done);
  pass->weights.bias = numbers(pass->padded_columns, 1, sizeof(float), &done);
  pass->positive = numbers(pass->padded_columns, 1, sizeof(float), &done);
  pass->negative = numbers(pass->padded_columns, 1, sizeof(float), &done);
  pass->zeros = numbers(pass->padded_columns, 1, sizeof(float), &done);
  pass->targets = numbers(pass->n_blocks * BLOCK, pass->padded_columns, sizeof(float), &done);
  done = done && make_slots(pass) && make_workers(pass);
  if (!done) {
    status = mien_fail_memory(error, "training", rows->n * pass->padded_columns * sizeof(float));
    mien_logistic_pass_destroy(pass);
    return status;
  }
  gather_targets(pass, columns, which);
  *out = pass;
  return MIEN_OK;
}

void mien_logistic_pass_destroy(mien_logistic_pass *pass) {
  if (!pass) return;
  for (unsigned i = 0; pass->workers && i < mien_pool_threads(pass->pool); i++) {
    const worker *w = &pass->workers[i];
    void *const all[] = {w->rows, w->transposed, w->logits, w->gradient, w->scratch};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) mien_free(all[k]);
  }
  for (size_t i = 0; pass->slots && i < pass->n_slots; i++) {
    mien_free(pass->slots[i].gradient);
    mien_free(pass->slots[i].losses);
    mien_free(pass->slots[i].residuals);
  }
  mien_free(pass->workers);
  mien_free(pass->slots);
  mien_free(pass->weights.panels);
  mien_free(pass->weights.bias);
  mien_free(pass->positive);
  mien_free(pass->negative);
  mien_free(pass->zeros);
  mien_free(pass->targets);
  mien_free(pass);
}

/* ---- A block ----------------------------------------------------------------------------------------------------- */

/* The block's rows as the products read them: the caller's own, where they have whole panels of numbers. */
static const float *rows_of(const mien_logistic_pass *pass, const worker *w, size_t first, size_t n) {
  const mien_logistic_rows *rows = pass->rows;
  if (rows->dim == pass->padded_dim) return rows->x + first * rows->dim;
  for (size_t r = 0; r < n; r++)
    memcpy(w->rows + r * pass->padded_dim, rows->x + (first + r) * rows->dim, rows->dim * sizeof(float));
  return w->rows;
}

/* By squares that stay in the first-level cache. */
static void transpose(const float *x, size_t n, size_t dim, float *out) {
  enum { SIDE = 16 };
  for (size_t column = 0; column < dim; column += SIDE) {
    for (size_t row = 0; row < n; row += SIDE) {
      const size_t end = n - row < SIDE ? n - row : SIDE;
      for (size_t i = 0; i < SIDE; i++)
        for (size_t r = 0; r < end; r++) out[(column + i) * BLOCK + row + r] = x[(row + r) * dim + column + i];
    }
  }
  for (size_t i = 0; n < BLOCK && i < dim; i++) memset(out + i * BLOCK + n, 0, (BLOCK - n) * sizeof(float));
}

/* The block's losses and residuals go to the slot, and to the worker's gradient. */
static void run_block(const mien_logistic_pass *pass, worker *w, slot *into, size_t block) {
  const size_t first = block * BLOCK, n = block_rows(pass, block), panel_size = BLOCK * MIEN_PANEL;
  const float *x = rows_of(pass, w, first, n), *weights = pass->rows->weights;
  pass->products->project(&pass->weights, x, n, MIEN_PANEL, panel_size, w->scratch, w->logits);
  for (size_t column = 0; column < pass->padded_columns; column += MIEN_PANEL) {
    float *logits = w->logits + column * BLOCK;
    const mien_loss_panel panel = {.logits = logits,
                                   .targets = pass->targets + first * pass->padded_columns + column * BLOCK,
                                   .rows = weights ? weights + first : NULL,
                                   .positive = pass->positive + column,
                                   .negative = pass->negative + column,
                                   .losses = into->losses + column};
    pass->kernels->residuals(&panel, n);
    memset(logits + n * MIEN_PANEL, 0, (BLOCK - n) * MIEN_PANEL * sizeof(float));
    for (size_t r = 0; r < n; r++)
      for (size_t i = 0; i < MIEN_PANEL; i++) into->residuals[column + i] += (double)logits[r * MIEN_PANEL + i];
  }
  transpose(x, n, pass->padded_dim, w->transposed);
  const mien_matrix residuals = {
      .inputs = BLOCK, .outputs = pass->padded_columns, .panels = w->logits, .bias = pass->zeros};
  pass->products->project_add(&residuals, w->transposed, pass->padded_dim, w->scratch, w->gradient);
}

static void run_slot(const mien_logistic_pass *pass, worker *w, size_t index) {
  slot *into = &pass->slots[index];
  const size_t count = pass->padded_dim * pass->padded_columns;
  memset(into->gradient, 0, count * sizeof *into->gradient);
  memset(into->losses, 0, pass->padded_columns * sizeof *into->losses);
  memset(into->residuals, 0, pass->padded_columns * sizeof *into->residuals);
  for (size_t stretch = index; stretch * STRETCH < pass->n_blocks; stretch += pass->n_slots) {
    memset(w->gradient, 0, count * sizeof *w->gradient);
    for (size_t i = 0; i < STRETCH && stretch * STRETCH + i < pass->n_blocks; i++)
      run_block(pass, w, into, stretch * STRETCH + i);
    for (size_t i = 0; i < count; i++) into->gradient[i] += (double)w->gradient[i];
  }
}

static void run_worker(void *user, unsigned index) {
  const mien_logistic_pass *pass = user;
  for (size_t i = index; i < pass->n_slots; i += mien_pool_threads(pass->pool))
    run_slot(pass, &pass->workers[index], i);
}

/* ---- The pass ---------------------------------------------------------------------------------------------------- */

static void set_weights(mien_logistic_pass *pass, const double *const *points) {
  const size_t dim = pass->rows->dim;
  float *panels = pass->weights.panels;
  for (size_t j = 0; j < pass->n_columns; j++) {
    float *column = panels + j / MIEN_PANEL * pass->padded_dim * MIEN_PANEL + j % MIEN_PANEL;
    for (size_t k = 0; k < dim; k++) column[k * MIEN_PANEL] = (float)points[j][k];
    pass->weights.bias[j] = (float)points[j][dim];
  }
}

void mien_logistic_pass_run(mien_logistic_pass *pass, const double *const *points, double *losses,
                            double *const *gradients) {
  const size_t dim = pass->rows->dim;
  set_weights(pass, points);
  mien_pool_run(pass->pool, run_worker, pass);
  for (size_t j = 0; j < pass->n_columns; j++) {
    losses[j] = 0;
    memset(gradients[j], 0, (dim + 1) * sizeof(double));
    for (size_t i = 0; i < pass->n_slots; i++) {
      const slot *from = &pass->slots[i];
      losses[j] += from->losses[j];
      for (size_t k = 0; k < dim; k++) gradients[j][k] += from->gradient[k * pass->padded_columns + j];
      gradients[j][dim] += from->residuals[j];
    }
  }
}

/* ---- Covariance -------------------------------------------------------------------------------------------------- */

typedef struct covariance_work {
  const float *x; /* [n × dim] less the means */
  size_t n, dim;
  double *covariance;
  unsigned threads;
} covariance_work;

/* Rows of the result, every so many: each from all rows in order. */
static void run_covariance(void *user, unsigned index) {
  const covariance_work *work = user;
  for (size_t i = index; i < work->dim; i += work->threads) {
    double *row = work->covariance + i * work->dim;
    memset(row, 0, work->dim * sizeof *row);
    for (size_t r = 0; r < work->n; r++) {
      const float *x = work->x + r * work->dim;
      const float factor = x[i];
      for (size_t k = i; k < work->dim; k++) row[k] += (double)(factor * x[k]);
    }
    for (size_t k = i; k < work->dim; k++) row[k] /= (double)work->n;
  }
}

static bool has_weight(const mien_logistic_rows *rows, size_t row) { return !rows->weights || rows->weights[row] > 0; }

mien_status mien_logistic_covariance(const mien_logistic_rows *rows, size_t most, mien_pool *pool, double *covariance,
                                     double *means, mien_error *error) {
  const size_t dim = rows->dim;
  size_t n_weighted = 0, n = 0;
  for (size_t row = 0; row < rows->n; row++) n_weighted += has_weight(rows, row);
  if (most > n_weighted) most = n_weighted;
  float *x = mien_alloc(most, dim * sizeof *x);
  if (!x) return mien_fail_memory(error, "training", most * dim * sizeof *x);
  memset(means, 0, dim * sizeof *means);
  for (size_t row = 0, met = 0; row < rows->n; row++) {
    if (!has_weight(rows, row)) continue;
    /* Of the rows of weight those where another of `most` equal parts begins. */
    if (met++ * most / n_weighted < n) continue;
    memcpy(x + n++ * dim, rows->x + row * dim, dim * sizeof *x);
    for (size_t k = 0; k < dim; k++) means[k] += (double)rows->x[row * dim + k];
  }
  for (size_t k = 0; n && k < dim; k++) means[k] /= (double)n;
  for (size_t r = 0; r < n; r++)
    for (size_t k = 0; k < dim; k++) x[r * dim + k] -= (float)means[k];
  covariance_work work = {x, n, dim, covariance, mien_pool_threads(pool)};
  if (n > 0) mien_pool_run(pool, run_covariance, &work);
  for (size_t i = 0; i < dim; i++)
    for (size_t k = 0; k < i; k++) covariance[i * dim + k] = covariance[k * dim + i];
  mien_free(x);
  return MIEN_OK;
}
