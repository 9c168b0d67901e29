/* SPDX-License-Identifier: Apache-2.0 */
/* mien bench on a CUDA device: engines for each way of each dtype, and the roofs over what they measure. */
#include "cli/bench_cuda.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "cli/bench_encoder.h"
#include "model/cuda.h"
#include "model/model.h"

/* Tokens of the texts that go through the encoder: several batches of any device's engine. */
enum { TEXT_TOKENS = 8 * 16384, FEWEST_TEXTS = 64 };

/* ---- Measurements ------------------------------------------------------------------------------------------------ */

double bench_cuda_rate(const mien_cuda_measure *roof) {
  return (roof->bytes > 0 ? roof->bytes : roof->operations) / roof->seconds;
}

/* The least seconds that the roof leaves; 0 where there is none. */
static double least_seconds(const cuda_bench *bench, const char *roof, double amount) {
  for (size_t i = 0; roof[0] && i < bench->n_measures; i++) {
    const mien_cuda_measure *measure = &bench->measures[i];
    if (measure->subject == MIEN_MEASURE_ROOF && strcmp(measure->part, roof) == 0)
      return amount / bench_cuda_rate(measure);
  }
  return 0;
}

double bench_cuda_share(const cuda_bench *bench, const mien_cuda_measure *measure, const char **limit) {
  const double of_bytes = least_seconds(bench, measure->bytes_roof, measure->bytes);
  const double of_operations = least_seconds(bench, measure->operations_roof, measure->operations);
  *limit = of_operations > of_bytes ? measure->operations_roof : measure->bytes_roof;
  return fmax(of_bytes, of_operations) / measure->seconds;
}

double bench_cuda_peak(const cuda_bench *bench, const mien_cuda_measure *measure) {
  return least_seconds(bench, measure->peak, measure->operations) / measure->seconds;
}

static bool is_same(const mien_cuda_measure *a, const mien_cuda_measure *b) {
  return a->subject == b->subject && a->dtype == b->dtype && strcmp(a->part, b->part) == 0 &&
         strcmp(a->way, b->way) == 0 && strcmp(a->output, b->output) == 0;
}

/* An engine that had no choice measures what another one did before it. */
static void keep(void *user, const mien_cuda_measure *measure) {
  cuda_bench *bench = user;
  for (size_t i = 0; i < bench->n_measures; i++)
    if (is_same(&bench->measures[i], measure)) return;
  if (bench->n_measures < BENCH_CUDA_MAX_MEASURES) bench->measures[bench->n_measures++] = *measure;
}

/* Whether anything of the dtype, or of any where it is NULL, went our own way. */
static bool has_own(const cuda_bench *bench, const mien_dtype *dtype) {
  bool found = false;
  for (size_t i = 0; i < bench->n_measures; i++) {
    const mien_cuda_measure *measure = &bench->measures[i];
    found |= strcmp(measure->way, "own") == 0 && (!dtype || measure->dtype == *dtype);
  }
  return found;
}

/* ---- Engines ----------------------------------------------------------------------------------------------------- */

static mien_status measure(cuda_bench *bench, const mien_head_plan *head, const mien_encoder_plan *encoder,
                           mien_cuda_way way, unsigned parts, mien_error *error) {
  /* A pass goes through the head as sessions have it. */
  const mien_cuda_open_options options = {
      .ordinal = bench->options.ordinal, .head = encoder ? MIEN_CUDA_AUTO : way, .products = way};
  const mien_cuda_bench request = {.parts = parts,
                                   .seconds = bench->options.seconds,
                                   .rows = bench->options.n_rows,
                                   .texts = bench->n_texts,
                                   .lengths = bench->lengths,
                                   .ids = bench->ids,
                                   .tell = keep,
                                   .user = bench};
  mien_engine *engine = NULL;
  mien_status status = mien_engine_open(&options, head, encoder, &engine, error);
  if (status == MIEN_OK) {
    bench->info = engine->info;
    status = engine->module->bench(engine->engine, &request, error);
  }
  mien_engine_close(engine);
  return status;
}

/* ---- The head ---------------------------------------------------------------------------------------------------- */

static mien_status measure_head(cuda_bench *bench, const mien_head_plan *plan, mien_error *error) {
  bench->n_labels = plan->n_labels;
  bench->dim = plan->dim;
  mien_status status = measure(bench, plan, NULL, MIEN_CUDA_OWN, MIEN_BENCH_ROOFS | MIEN_BENCH_HEAD, error);
  if (status == MIEN_OK && has_own(bench, NULL))
    status = measure(bench, plan, NULL, MIEN_CUDA_CUBLAS, MIEN_BENCH_HEAD, error);
  return status;
}

mien_status cli_bench_cuda_head(const cli_bench_options *options, const mien_model *model, mien_error *error) {
  cuda_bench *bench = mien_alloc(1, sizeof *bench);
  mien_head_plan *own = NULL;
  if (!bench) return mien_fail_memory(error, "results", sizeof *bench);
  bench->options = *options;
  mien_status status = model ? MIEN_OK : cli_bench_random_head(0, &own, error);
  if (status == MIEN_OK) status = measure_head(bench, model ? mien_model_plan(model) : own, error);
  if (status == MIEN_OK) bench_cuda_print(bench, MIEN_MEASURE_HEAD);
  mien_head_plan_destroy(own);
  mien_free(bench);
  return status;
}

/* ---- The encoder ------------------------------------------------------------------------------------------------- */

static mien_status make_texts(cuda_bench *bench, const mien_encoder_config *config, mien_error *error) {
  const size_t tokens = bench->options.tokens, most = config->max_tokens;
  const size_t enough = bench->options.seconds > 0 ? TEXT_TOKENS : 1;
  if (tokens > most)
    return mien_fail(error, MIEN_ARGUMENT, "--tokens: expected at most %zu, the encoder's limit, found %zu", most,
                     tokens);
  bench->layers = config->layers;
  bench->hidden = config->hidden;
  bench->lengths = mien_alloc(enough + FEWEST_TEXTS, sizeof *bench->lengths);
  if (!bench->lengths) return mien_fail_memory(error, "texts", (enough + FEWEST_TEXTS) * sizeof *bench->lengths);
  while (bench->n_texts < FEWEST_TEXTS || bench->n_tokens < enough) {
    const size_t n = tokens ? tokens : bench_comment_tokens(bench->n_texts);
    bench->lengths[bench->n_texts] = n < most ? n : most;
    bench->n_tokens += bench->lengths[bench->n_texts++];
  }
  return bench_random_ids(bench->n_tokens, config->vocabulary, &bench->ids, error);
}

static mien_status measure_encoder(cuda_bench *bench, const mien_encoder_plan *plan, mien_error *error) {
  const unsigned all = MIEN_BENCH_ENCODER | MIEN_BENCH_REST;
  mien_head_plan *head = NULL; /* pooling has it in its kernel */
  mien_status status = bench->n_texts > 0 ? MIEN_OK : make_texts(bench, &plan->config, error);
  if (status == MIEN_OK) status = cli_bench_random_head(plan->config.hidden, &head, error);
  if (status == MIEN_OK)
    status = measure(bench, head, plan, MIEN_CUDA_OWN, bench->n_measures > 0 ? all : all | MIEN_BENCH_ROOFS, error);
  if (status == MIEN_OK && has_own(bench, &plan->dtype))
    status = measure(bench, head, plan, MIEN_CUDA_CUBLAS, MIEN_BENCH_ENCODER, error);
  mien_head_plan_destroy(head);
  return status;
}

static mien_status measure_random(cuda_bench *bench, mien_error *error) {
  const mien_dtype *dtypes = bench->options.dtype ? bench->options.dtype : bench_dtypes;
  const size_t n = bench->options.dtype ? 1 : BENCH_DTYPES;
  float *random = NULL;
  mien_status status = bench_random_numbers(&random, error);
  for (size_t i = 0; status == MIEN_OK && i < n; i++) {
    mien_encoder_plan *plan = NULL;
    status = bench_random_plan(random, dtypes[i], &plan, error);
    if (status == MIEN_OK) status = measure_encoder(bench, plan, error);
    mien_encoder_plan_destroy(plan);
  }
  mien_free(random);
  return status;
}

mien_status cli_bench_cuda_encoder(const cli_bench_options *options, const mien_model *model, mien_error *error) {
  cuda_bench *bench = mien_alloc(1, sizeof *bench);
  mien_status status;
  if (!bench) return mien_fail_memory(error, "results", sizeof *bench);
  bench->options = *options;
  if (model && !model->encoder)
    status = mien_fail(error, MIEN_ARGUMENT, "expected an encoder, found a head alone: use --encoder");
  else
    status = model ? measure_encoder(bench, model->encoder, error) : measure_random(bench, error);
  if (status == MIEN_OK) bench_cuda_print(bench, MIEN_MEASURE_ENCODER);
  mien_free(bench->lengths);
  mien_free(bench->ids);
  mien_free(bench);
  return status;
}
