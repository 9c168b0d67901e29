/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench: the head's speed on this machine, beside what the machine can do at most. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/roofline.h"
#include "kernels/head_kernels.h"
#include "model/model.h"

static const char command[] = "bench";

/* The head that is measured when none is given: what mien is most used for. */
enum { DEFAULT_LABELS = 28, DEFAULT_DIM = 384, DEFAULT_ROWS = 400000, MAX_RESULTS = 4 * MIEN_ISA_COUNT };

typedef struct bench_result {
  const char *isa;
  bool scores;
  unsigned threads;
  double rows_per_s;
} bench_result;

typedef struct head_bench {
  mien_head_plan *own;
  const mien_head_plan *plan;
  mien_model *model;
  float *rows, *scores;
  uint32_t *words;
  size_t n_rows;
  double seconds;           /* each measurement takes at least */
  unsigned threads;         /* the most that are measured */
  double read[2], flops[2]; /* one thread, all threads: bytes and operations a second */
  bench_result results[MAX_RESULTS];
  size_t n_results;
} head_bench;

static int help(void) {
  printf(
      "Usage: mien bench head [OPTION]...\n"
      "\n"
      "Measures rows in memory to labels, for each instruction set of this CPU, on one thread and on all: random rows\n"
      "of unit length and the head given, or a random one of 28 labels and 384 dimensions. Beside it this machine's\n"
      "read bandwidth and float32 multiply-add peak. 'words' gives labels only; 'scores' writes all scores as well.\n"
      "Best of several runs.\n"
      "\n"
      "  --json               one JSON object on stdout: results [{isa, output (\"words\", \"scores\"), threads,\n"
      "                       rows_per_s, gb_per_s (10^9 bytes of embeddings), gflop_per_s (2·L·D a row), roof (share\n"
      "                       of the lower roof)}], read_gb_per_s, peak_gflop_per_s (all threads), read_gb_per_s_1,\n"
      "                       peak_gflop_per_s_1 (one thread), labels, dim, rows\n"
      "  --rows N             rows in memory, 1 to 100000000 (default: %d)\n"
      "  --threads N          the most threads, 1 to 1024 (default: all CPUs of this process)\n"
      "  --seconds X          the least time for each line, in seconds (default: 0.5)\n"
      "%s"
      "  --help               show this\n"
      "\n"
      "Exit codes: 0 done, 1 a bug, 2 usage, 3 bad input, 4 memory, disk or device missing.\n",
      DEFAULT_ROWS, cli_model_help);
  return cli_flush_stdout();
}

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

/* About normal: the sum of uniform numbers. */
static float random_normal(uint64_t *state) {
  float sum = 0;
  for (int i = 0; i < 4; i++) sum += (float)next_random(state) * 0x1p-30f - 1;
  return sum;
}

static mien_status make_head(head_bench *bench, mien_error *error) {
  enum { WEIGHTS = DEFAULT_LABELS * DEFAULT_DIM };
  static double weights[WEIGHTS], bias[DEFAULT_LABELS];
  static float thresholds[DEFAULT_LABELS];
  uint64_t state = 1;
  /* Weights and biases as trained heads have them: logits of -4 give or take 1.5, a label in twenty given. */
  for (size_t i = 0; i < WEIGHTS; i++) weights[i] = 1.3 * random_normal(&state);
  for (size_t i = 0; i < DEFAULT_LABELS; i++) bias[i] = -4;
  for (size_t i = 0; i < DEFAULT_LABELS; i++) thresholds[i] = 0.2f;
  mien_status status =
      mien_head_plan_create(DEFAULT_LABELS, DEFAULT_DIM, weights, bias, thresholds, &bench->own, error);
  bench->plan = bench->own;
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
      x[i] = random_normal(&state);
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
    bench->read[column] = roofline_read(pool, bench->rows, bench->n_rows * bench->plan->dim * sizeof(float));
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

/* A number of seconds in [0, 60]. */
static bool parse_seconds(const char *text, double *seconds) {
  char *end;
  *seconds = strtod(text, &end);
  return end != text && *end == '\0' && *seconds >= 0 && *seconds <= 60;
}

typedef struct bench_request {
  bool json, help, has_model;
  cli_model model;
} bench_request;

/* The exit code of a usage error, or MIEN_OK. */
static int parse(int argc, char **argv, head_bench *bench, bench_request *request) {
  enum { JSON = CLI_OWN, ROWS, THREADS, SECONDS, HELP };
  static const struct option options[] = {CLI_MODEL_OPTIONS,
                                          {"json", no_argument, NULL, JSON},
                                          {"rows", required_argument, NULL, ROWS},
                                          {"threads", required_argument, NULL, THREADS},
                                          {"seconds", required_argument, NULL, SECONDS},
                                          {"help", no_argument, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
  int opt;
  uint64_t number;
  while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
    switch (opt) {
    case JSON: request->json = true; break;
    case HELP: request->help = true; return MIEN_OK;
    case ROWS:
      if (!cli_parse_uint(optarg, 1, 100000000, &number))
        return cli_usage(command, "--rows: expected 1 to 100000000, found '%s'", optarg);
      bench->n_rows = (size_t)number;
      break;
    case THREADS:
      if (!cli_parse_uint(optarg, 1, CLI_MAX_THREADS, &number))
        return cli_usage(command, "--threads: expected 1 to %d, found '%s'", CLI_MAX_THREADS, optarg);
      bench->threads = (unsigned)number;
      break;
    case SECONDS:
      if (!parse_seconds(optarg, &bench->seconds))
        return cli_usage(command, "--seconds: expected a number from 0 to 60, found '%s'", optarg);
      break;
    case '?':
    case ':': return cli_bad_option(command, opt, argv);
    default: {
      request->has_model = true;
      int code = cli_model_option(&request->model, command, opt, optarg);
      if (code != MIEN_OK) return code;
    }
    }
  }
  if (optind + 1 != argc || strcmp(argv[optind], "head") != 0)
    return cli_usage(command, "expected what to measure: head");
  return MIEN_OK;
}

static int run_bench(head_bench *bench, bench_request *request) {
  mien_error error;
  mien_status status = MIEN_OK;
  if (request->has_model) {
    int code = cli_model_open(&request->model, command, &bench->model);
    if (code != MIEN_OK) return code;
    bench->plan = mien_model_plan(bench->model);
  } else {
    status = make_head(bench, &error);
  }
  if (status == MIEN_OK) status = make_rows(bench, &error);
  if (status == MIEN_OK) status = measure(bench, 1, 0, &error);
  if (status == MIEN_OK && bench->threads > 1) status = measure(bench, bench->threads, 1, &error);
  if (status != MIEN_OK) return cli_report(command, &error);
  if (request->json)
    print_json(bench);
  else
    print_table(bench);
  return cli_flush_stdout();
}

int cli_bench(int argc, char **argv) {
  head_bench bench = {.n_rows = DEFAULT_ROWS, .seconds = 0.5, .threads = mien_cpu_count()};
  bench_request request = {0};
  int code = parse(argc, argv, &bench, &request);
  if (code == MIEN_OK) code = request.help ? help() : run_bench(&bench, &request);
  mien_free(bench.rows);
  mien_free(bench.scores);
  mien_free(bench.words);
  mien_head_plan_destroy(bench.own);
  mien_model_release(bench.model);
  cli_model_free(&request.model);
  return code;
}
