/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a forward pass goes: a table of kernels that run others and look at the clock. */
#include "cli/bench_profile.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"

/* ---- Kernels with a clock ---------------------------------------------------------------------------------------- */

/* Kernels are plain functions, so what they share has to be here. */
static struct {
  const mien_encoder_kernels *kernels;
  double project, project_add, feed_forward, attention, norm;
} timed;

static void timed_project(const mien_matrix *matrix, const float *x, size_t n, size_t block_columns,
                          size_t block_stride, void *scratch, float *out) {
  const double start = cli_now();
  timed.kernels->project(matrix, x, n, block_columns, block_stride, scratch, out);
  timed.project += cli_now() - start;
}

static void timed_project_add(const mien_matrix *matrix, const float *x, size_t n, void *scratch, float *y) {
  const double start = cli_now();
  timed.kernels->project_add(matrix, x, n, scratch, y);
  timed.project_add += cli_now() - start;
}

static void timed_feed_forward(const mien_matrix *up, const mien_matrix *down, const float *x, size_t n, void *scratch,
                               float *y) {
  const double start = cli_now();
  timed.kernels->feed_forward(up, down, x, n, scratch, y);
  timed.feed_forward += cli_now() - start;
}

static void timed_attend(const mien_attention *attention) {
  const double start = cli_now();
  timed.kernels->attend(attention);
  timed.attention += cli_now() - start;
}

static void timed_norm(const float *gamma, const float *beta, float epsilon, const float *x, size_t n, size_t columns,
                       float *out) {
  const double start = cli_now();
  timed.kernels->norm(gamma, beta, epsilon, x, n, columns, out);
  timed.norm += cli_now() - start;
}

/* ---- A pass ------------------------------------------------------------------------------------------------------ */

typedef struct profile_run {
  const mien_encoder_plan *plan;
  const int32_t *ids;
  const size_t *lengths;
  size_t n_texts, n_tokens;
  double seconds;
  mien_encoder_scratch scratch;
  void *products;  /* scratch of products alone */
  float *in, *out; /* [n_tokens × the most inputs of a matrix], zeros; and outputs */
} profile_run;

/* Products and GELU are what the kernels took that do these, to be split. */
static void time_pass(const profile_run *run, bench_profile *best) {
  const mien_encoder_kernels *real = timed.kernels;
  const mien_encoder_kernels kernels = {real->isa,          real->scratch_bytes, timed_project, timed_project_add,
                                        timed_feed_forward, timed_attend,        timed_norm};
  mien_encoder_scratch scratch = run->scratch;
  memset(&timed, 0, sizeof timed);
  timed.kernels = real;
  const double start = cli_now();
  mien_encoder_forward(&kernels, run->plan, run->ids, run->lengths, run->n_texts, &scratch, run->out);
  const double total = cli_now() - start, products = timed.project + timed.project_add + timed.feed_forward;
  if (total >= best->total) return;
  *best = (bench_profile){.total = total,
                          .products = products,
                          .gelu = timed.feed_forward,
                          .attention = timed.attention,
                          .norm = timed.norm,
                          .rest = total - products - timed.attention - timed.norm};
}

/* ---- Products alone ---------------------------------------------------------------------------------------------- */

/* The first outputs of a matrix, whose panels are the first of its panels. */
static mien_matrix with_outputs(const mien_matrix *matrix, size_t outputs) {
  mien_matrix cut = *matrix;
  if (cut.outputs > outputs) cut.outputs = outputs;
  return cut;
}

/* Whether only the first token of every text goes through what comes after the layer's keys and values. */
static bool is_cut(const mien_encoder_config *config, size_t layer) {
  return config->pooling == MIEN_POOLING_CLS && layer + 1 == config->layers;
}

/* Seconds of x·W for one matrix of every layer. `offset` is where a layer has it. */
static double time_products(const profile_run *run, size_t offset, size_t outputs) {
  const mien_encoder_config *config = &run->plan->config;
  const double start = cli_now();
  for (size_t i = 0; i < config->layers; i++) {
    const void *at = (const char *)&run->plan->layers[i] + offset;
    const mien_matrix matrix = with_outputs(at, outputs);
    const size_t rows = offset > 0 && is_cut(config, i) ? run->n_texts : run->n_tokens;
    timed.kernels->project(&matrix, run->in, rows, matrix.outputs, 0, run->products, run->out);
  }
  return cli_now() - start;
}

_Static_assert(offsetof(mien_layer, query_key_value) == 0, "time_products knows keys and values by that");

enum { FEW_OUTPUTS = 2 * MIEN_PANEL, MATRICES = 4 };

/* The best seconds of a matrix in all layers. */
typedef struct product_time {
  size_t offset;
  double outputs, whole, few;
  bool is_fed; /* part of the feed-forward */
} product_time;

/* Takes rounding and GELU out of what the products took. */
static void split_products(const product_time times[MATRICES], bench_profile *profile) {
  const double few = FEW_OUTPUTS;
  double fed = 0;
  for (int i = 0; i < MATRICES; i++) {
    const product_time *time = &times[i];
    if (time->is_fed) fed += time->whole;
    if (time->outputs > few)
      profile->rounding += fmax(0, time->few - (time->whole - time->few) / (time->outputs - few) * few);
  }
  profile->gelu = fmax(0, profile->gelu - fed);
  profile->products -= profile->gelu + profile->rounding;
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

/* In turn, so that what slows the machine down for a while meets all of them. */
static void time_all(const profile_run *run, bench_profile *profile) {
  const mien_layer *layer = run->plan->layers;
  product_time times[MATRICES] = {
      {offsetof(mien_layer, query_key_value), (double)layer->query_key_value.outputs, INFINITY, INFINITY, false},
      {offsetof(mien_layer, attention_output), (double)layer->attention_output.outputs, INFINITY, INFINITY, false},
      {offsetof(mien_layer, up), (double)layer->up.outputs, INFINITY, INFINITY, true},
      {offsetof(mien_layer, down), (double)layer->down.outputs, INFINITY, INFINITY, true}};
  const double until = cli_now() + run->seconds;
  profile->total = INFINITY;
  do {
    time_pass(run, profile);
    for (int i = 0; i < MATRICES; i++) {
      times[i].whole = fmin(times[i].whole, time_products(run, times[i].offset, SIZE_MAX));
      times[i].few = fmin(times[i].few, time_products(run, times[i].offset, FEW_OUTPUTS));
    }
  } while (cli_now() < until);
  split_products(times, profile);
}

static size_t most_columns(const mien_encoder_plan *plan) {
  const size_t heads = plan->layers->query_key_value.outputs, between = plan->layers->up.outputs;
  return heads > between ? heads : between;
}

static mien_status make_buffers(profile_run *run, const mien_encoder_kernels *kernels, mien_error *error) {
  const size_t columns = most_columns(run->plan), numbers = run->n_tokens * columns;
  const size_t bytes = kernels->scratch_bytes(run->n_tokens, columns, run->plan->layers->up.outputs);
  run->in = mien_alloc(numbers, sizeof *run->in);
  run->out = mien_alloc(numbers, sizeof *run->out);
  run->products = mien_alloc_raw(bytes);
  if (!run->in || !run->out || !run->products)
    return mien_fail_memory(error, "profile", 2 * numbers * sizeof *run->in + bytes);
  return mien_encoder_scratch_create(kernels, run->plan, &run->scratch, error);
}

mien_status bench_profile_run(const mien_encoder_kernels *kernels, const mien_encoder_plan *plan, const int32_t *ids,
                              const size_t *lengths, size_t n_texts, double seconds, bench_profile *profile,
                              mien_error *error) {
  profile_run run = {.plan = plan, .ids = ids, .lengths = lengths, .n_texts = n_texts, .seconds = seconds};
  for (size_t i = 0; i < n_texts; i++) run.n_tokens += lengths[i];
  mien_status status = make_buffers(&run, kernels, error);
  if (status == MIEN_OK) {
    timed.kernels = kernels;
    time_all(&run, profile);
  }
  mien_encoder_scratch_destroy(&run.scratch);
  mien_free(run.products);
  mien_free(run.in);
  mien_free(run.out);
  return status;
}
