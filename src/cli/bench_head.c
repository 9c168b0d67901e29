/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench head: rows in memory to labels, beside what the machine can do at most. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/bench.h"
#include "cli/roofline.h"
#include "kernels/head_kernels.h"
#include "model/model.h"

/* The head that is measured when none is given: what mien is most used for. */
enum { DEFAULT_LABELS = 28, DEFAULT_DIM = 384, MAX_RESULTS = 4 * MIEN_ISA_COUNT };

typedef struct bench_result {
  const char *isa;
  bool scores;
  unsigned threads;
  double rows_per_s;
} bench_result;

typedef struct head_bench {
  mien_head_plan *own;
  const mien_head_plan *plan;
  float *rows, *scores;
  uint32_t *words;
  size_t n_rows;
  double seconds;           /* each measurement takes at least */
  unsigned threads;         /* the most that are measured */
  double read[2], flops[2]; /* one thread, all threads: bytes and operations a second */
  bench_result results[MAX_RESULTS];
  size_t n_results;
} head_bench;

mien_status cli_bench_random_head(size_t dim, mien_head_plan **plan, mien_error *error) {
  if (dim == 0) dim = DEFAULT_DIM;
  double bias[DEFAULT_LABELS], *weights = mien_alloc(dim, DEFAULT_LABELS * sizeof *weights);
  float thresholds[DEFAULT_LABELS];
  uint64_t state = 1;
  if (!weights) return mien_fail_memory(error, "head", dim * DEFAULT_LABELS * sizeof *weights);
  /* Weights and biases as trained heads have them: logits of -4 give or take 1.5, a label in twenty given. */
  for (size_t i = 0; i < DEFAULT_LABELS * dim; i++) weights[i] = 1.3 * cli_random_normal(&state);
  for (size_t i = 0; i < DEFAULT_LABELS; i++) bias[i] = -4;
  for (size_t i = 0; i < DEFAULT_LABELS; i++) thresholds[i] = 0.2f;
  const mien_status status = mien_head_plan_create(DEFAULT_LABELS, dim, weights, bias, thresholds, plan, error);
  mien_free(weights);
  return status;
}

static mien_status make_rows(head_bench *bench, mien_error *error) {
  const size_t dim = bench->plan->dim, labels = bench->plan->n_labels;
  size_t numbers;
  if (!mien_size_mul(bench->n_rows, dim, &numbers)) numbers = SIZE_MAX;
  bench->rows = mien_alloc(numbers, sizeof(float));
  bench->scores = mien_alloc(bench->n_rows * labels, sizeof(float));
  bench->words = mien_alloc(bench->n_rows * bench->plan->n_words, sizeof(uint32_t));
  if (!bench->rows || !bench->scores || !bench->words)
    return mien_fail_memory(error, "rows", numbers < SIZE_MAX / 4 ? numbers * sizeof(float) : SIZE_MAX);
  uint64_t state = 2;
  for (size_t row = 0; row < bench->n_rows; row++) {
    float *x = bench->rows + row * dim, sum = 0;
    for (size_t i = 0; i < dim; i++) {
      x[i] = cli_random_normal(&state);
      sum += x[i] * x[i];
    }
    for (size_t i = 0; i < dim; i++) x[i] /= sqrtf(sum > 0 ? sum : 1);
  }
  return MIEN_OK;
}

/* One line: all rows by `kernels`, split over the pool. */
typedef struct bench_pass {
  const head_bench *bench;
  const mien_head_kernels *kernels;
  mien_head_scratch *scratch; /* [threads] */
  unsigned threads;
  bool scores;
} bench_pass;

static void run_part(void *user, unsigned worker) {
  const bench_pass *pass = user;
  const head_bench *bench = pass->bench;
  const size_t dim = bench->plan->dim, n = bench->n_rows;
  const size_t first = n * worker / pass->threads, end = n * (worker + 1) / pass->threads;
  const mien_rows rows = {sizeof rows, bench->rows, MIEN_F32, dim};
  const mien_results results = {
      .size = sizeof results, .words = bench->words, .scores = pass->scores ? bench->scores : NULL};
  mien_head_run(pass->kernels, bench->plan, &rows, first, end - first, &results, &pass->scratch[worker]);
}

static void measure_line(head_bench *bench, mien_pool *pool, bench_pass *pass) {
  const double until = cli_now() + bench->seconds;
  double best = INFINITY;
  do {
    double start = cli_now();
    mien_pool_run(pool, run_part, pass);
    best = fmin(best, cli_now() - start);
  } while (cli_now() < until);
  bench->results[bench->n_results++] = (bench_result){mien_isa_name(pass->kernels->isa), pass->scores,
                                                      mien_pool_threads(pool), (double)bench->n_rows / best};
}

static mien_status measure(head_bench *bench, unsigned threads, int column, mien_error *error) {
  mien_pool *pool;
  mien_status status = mien_pool_create(threads, &pool, error);
  if (status != MIEN_OK) return status;
  mien_head_scratch *scratch = mien_alloc(threads, sizeof *scratch);
  if (!scratch) status = mien_fail_memory(error, "scratch", threads * sizeof *scratch);
  for (unsigned i = 0; status == MIEN_OK && i < threads; i++)
    status = mien_head_scratch_create(bench->plan, &scratch[i], error);
  if (status == MIEN_OK) {
    const roofline_span rows = {bench->rows, bench->n_rows * bench->plan->dim * sizeof(float)};
    bench->read[column] = roofline_read(pool, &rows, 1);
    bench->flops[column] = roofline_flops(pool);
    for (int isa = 0; isa < MIEN_ISA_COUNT; isa++) {
      if (!mien_head_kernels_of[isa] || !mien_isa_available((mien_isa)isa)) continue;
      for (int scores = 0; scores < 2; scores++)
        measure_line(bench, pool, &(bench_pass){bench, mien_head_kernels_of[isa], scratch, threads, scores});
    }
  }
  for (unsigned i = 0; scratch && i < threads; i++) mien_head_scratch_destroy(&scratch[i]);
  mien_free(scratch);
  mien_pool_destroy(pool);
  return status;
}

static double bytes_a_row(const head_bench *bench) { return (double)bench->plan->dim * sizeof(float); }
static double flops_a_row(const head_bench *bench) {
  return 2.0 * (double)bench->plan->dim * (double)bench->plan->n_labels;
}

/* What memory, or float multiply-adds, would allow at most. */
static double roof(const head_bench *bench, unsigned threads) {
  const int column = threads > 1;
  return fmin(bench->read[column] / bytes_a_row(bench), bench->flops[column] / flops_a_row(bench));
}

static void print_json(const head_bench *bench) {
  const int all = bench->threads > 1;
  printf("{\"results\":[");
  for (size_t i = 0; i < bench->n_results; i++) {
    const bench_result *line = &bench->results[i];
    printf("%s{\"isa\":\"%s\",\"output\":\"%s\",\"threads\":%u,\"rows_per_s\":%.0f,\"gb_per_s\":%.3f,"
           "\"gflop_per_s\":%.2f,\"roof\":%.3f}",
           i ? "," : "", line->isa, line->scores ? "scores" : "words", line->threads, line->rows_per_s,
           line->rows_per_s * bytes_a_row(bench) / 1e9, line->rows_per_s * flops_a_row(bench) / 1e9,
           line->rows_per_s / roof(bench, line->threads));
  }
  printf("],\"read_gb_per_s\":%.3f,\"peak_gflop_per_s\":%.2f,\"read_gb_per_s_1\":%.3f,\"peak_gflop_per_s_1\":%.2f,"
         "\"labels\":%zu,\"dim\":%zu,\"rows\":%zu}\n",
         bench->read[all] / 1e9, bench->flops[all] / 1e9, bench->read[0] / 1e9, bench->flops[0] / 1e9,
         bench->plan->n_labels, bench->plan->dim, bench->n_rows);
}

static void print_table(const head_bench *bench) {
  printf("%zu rows of %zu float32 in memory, %zu labels\n\n", bench->n_rows, bench->plan->dim, bench->plan->n_labels);
  printf("%-12s %-7s %7s %14s %8s %9s %8s\n", "isa", "output", "threads", "rows/s", "GB/s", "GFLOP/s", "of roof");
  for (size_t i = 0; i < bench->n_results; i++) {
    const bench_result *line = &bench->results[i];
    printf("%-12s %-7s %7u %14.0f %8.2f %9.1f %7.0f%%\n", line->isa, line->scores ? "scores" : "words", line->threads,
           line->rows_per_s, line->rows_per_s * bytes_a_row(bench) / 1e9, line->rows_per_s * flops_a_row(bench) / 1e9,
           100 * line->rows_per_s / roof(bench, line->threads));
  }
  printf("\nThis machine: reads %.1f GB/s, float32 multiply-adds %.1f GFLOP/s on one thread", bench->read[0] / 1e9,
         bench->flops[0] / 1e9);
  if (bench->threads > 1)
    printf("; %.1f GB/s, %.1f GFLOP/s on %u", bench->read[1] / 1e9, bench->flops[1] / 1e9, bench->threads);
  printf(".\nThe roof is the lower of the two; words come from 16-bit products and may pass the second.\n");
}

static void free_all(head_bench *bench) {
  mien_free(bench->rows);
  mien_free(bench->scores);
  mien_free(bench->words);
  mien_head_plan_destroy(bench->own);
}

mien_status cli_bench_head(const cli_bench_options *options, const mien_model *model, mien_error *error) {
  head_bench bench = {.n_rows = options->n_rows, .seconds = options->seconds, .threads = options->threads};
  mien_status status = MIEN_OK;
  if (model)
    bench.plan = mien_model_plan(model);
  else
    status = cli_bench_random_head(0, &bench.own, error);
  if (bench.own) bench.plan = bench.own;
  if (status == MIEN_OK) status = make_rows(&bench, error);
  if (status == MIEN_OK) status = measure(&bench, 1, 0, error);
  if (status == MIEN_OK && bench.threads > 1) status = measure(&bench, bench.threads, 1, error);
  if (status == MIEN_OK && options->json) print_json(&bench);
  if (status == MIEN_OK && !options->json) print_table(&bench);
  free_all(&bench);
  return status;
}
