/* SPDX-License-Identifier: Apache-2.0 */
/* What the CUDA device's benchmark measures, and that it leaves nothing behind, wherever it fails. */
#include <algorithm>
#include <set>
#include <string>

#include "cuda_runtime.h"
#include "encoders.h"
#include "runtime.h"

static const mien_cuda_module *module;
static const test_shape shape = {1, 128, 4, 32, 64, 20, 16};
enum { EVERYTHING = MIEN_BENCH_ROOFS | MIEN_BENCH_HEAD | MIEN_BENCH_ENCODER | MIEN_BENCH_REST, ROWS = 5, LABELS = 28 };

struct bench_run {
  const test_encoder &encoder;
  const test_head &head;
  const test_texts &texts;
  std::vector<mien_cuda_measure> measures;
  mien_error error;

  mien_status run(unsigned parts, mien_cuda_way way) {
    mien_cuda_open_options options = {};
    mien_cuda_engine *engine = NULL;
    mien_cuda_bench bench = {};
    options.head = options.products = way;
    bench.parts = parts;
    bench.rows = ROWS;
    bench.texts = texts.lengths.size();
    bench.lengths = texts.lengths.data();
    bench.ids = texts.ids.data();
    bench.tell = [](void *user, const mien_cuda_measure *measure) {
      static_cast<bench_run *>(user)->measures.push_back(*measure);
    };
    bench.user = this;
    measures.clear();
    error = {};
    mien_status status = module->open(&options, &head.head, &encoder.encoder, &engine, &error);
    if (status == MIEN_OK) status = module->bench(engine, &bench, &error);
    module->close(engine);
    return status;
  }
};

static const char *const roofs[] = {"copy",     "read",    "link",        "fma_f32",
                                    "mma_bf16", "mma_f16", "cublas_bf16", "cublas_f16"};

static bool is_roof(const char *name) {
  return !name[0] ||
         std::any_of(std::begin(roofs), std::end(roofs), [&](const char *roof) { return !strcmp(roof, name); });
}

static void check_way(bench_run *run, mien_cuda_way way, const char *name) {
  std::set<std::string> told;
  ck_assert_msg(run->run(EVERYTHING, way) == MIEN_OK, "%s", run->error.message);
  for (const mien_cuda_measure &measure : run->measures) {
    const std::string part = std::string(measure.part) + "/" + std::to_string(measure.dtype) + "/" + measure.output;
    require(told.insert(std::to_string(measure.subject) + "/" + part).second, "%s is told twice", part.c_str());
    require(measure.seconds > 0 && (measure.bytes > 0 || measure.operations > 0), "%s: nothing was done", part.c_str());
    require(is_roof(measure.bytes_roof) && is_roof(measure.operations_roof) && is_roof(measure.peak),
            "%s: expected roofs, found \"%s\", \"%s\" and \"%s\"", part.c_str(), measure.bytes_roof,
            measure.operations_roof, measure.peak);
    require(!measure.way[0] || !strcmp(measure.way, name), "%s: expected the way %s, found %s", part.c_str(), name,
            measure.way);
    require(measure.subject == MIEN_MEASURE_ROOF || measure.by_itself == (!measure.way[0] || way == MIEN_CUDA_OWN),
            "%s, %s: by itself: %d", part.c_str(), measure.way, measure.by_itself);
  }
  /* Of the way that is taken by itself, from the host's memory too. */
  const size_t of_head = way == MIEN_CUDA_OWN ? 12 : 6;
  ck_assert_uint_eq(told.size(), sizeof roofs / sizeof *roofs + of_head + 10);
}

static const mien_cuda_measure *find(const bench_run &run, const char *part) {
  for (const mien_cuda_measure &measure : run.measures)
    if (!strcmp(measure.part, part)) return &measure;
  ck_abort_msg("%s was not measured", part);
}

START_TEST(everything_is_measured_both_ways) {
  const test_encoder encoder(shape, MIEN_BF16, 7);
  const test_head head(LABELS, shape.hidden, 2, 8);
  const test_texts texts(encoder, 9, 16, 9);
  bench_run run = {encoder, head, texts, {}, {}};
  check_way(&run, MIEN_CUDA_OWN, "own");
  check_way(&run, MIEN_CUDA_CUBLAS, "cublas");
}
END_TEST

START_TEST(operations_are_two_to_a_multiply_add) {
  const test_encoder encoder(shape, MIEN_BF16, 7);
  const test_head head(LABELS, shape.hidden, 2, 8);
  const test_texts texts(encoder, 9, 16, 9);
  bench_run run = {encoder, head, texts, {}, {}};
  double tokens = 0, pairs = 0, weights = 0;
  for (size_t length : texts.lengths) tokens += (double)length, pairs += (double)(length * length);
  for (const mien_cuda_matrix &matrix : encoder.described[0].matrices)
    weights += (double)(matrix.inputs * matrix.outputs);
  ck_assert_msg(run.run(EVERYTHING, MIEN_CUDA_AUTO) == MIEN_OK, "%s", run.error.message);
  const mien_cuda_measure *pass = find(run, "pass"), *up = find(run, "up"), *device = find(run, "device");
  ck_assert_double_eq(pass->tokens, tokens);
  ck_assert_double_eq(pass->texts, 9);
  ck_assert_double_eq(pass->operations, 2 * tokens * weights + 4 * 4 * 32 * pairs);
  ck_assert_double_eq(up->operations, 2 * tokens * 128 * 64);
  ck_assert_double_eq(device->rows, ROWS);
  ck_assert_double_eq(device->bytes, ROWS * 128 * 4);
  ck_assert_double_eq(device->operations, 2.0 * ROWS * 128 * LABELS);
}
END_TEST

START_TEST(texts_that_fit_no_batch_are_refused) {
  const test_encoder encoder(shape, MIEN_BF16, 7);
  const test_head head(LABELS, shape.hidden, 2, 8);
  test_texts texts(encoder, 2, 16, 9);
  bench_run run = {encoder, head, texts, {}, {}};
  texts.lengths[1] = 17;
  ck_assert_int_eq(run.run(MIEN_BENCH_ENCODER, MIEN_CUDA_AUTO), MIEN_ARGUMENT);
  ck_assert_str_eq(run.error.message, "bench: text 1: expected 1 to 16 tokens, found 17");
  texts.lengths.clear();
  ck_assert_int_eq(run.run(MIEN_BENCH_REST, MIEN_CUDA_AUTO), MIEN_ARGUMENT);
}
END_TEST

static void fail_everywhere(unsigned parts, long step) {
  const test_encoder encoder(shape, MIEN_BF16, 7);
  const test_head head(LABELS, shape.hidden, 2, 8);
  const test_texts texts(encoder, 3, 16, 9);
  bench_run run = {encoder, head, texts, {}, {}};
  size_t failures = 0;
  ck_assert_msg(run.run(parts, MIEN_CUDA_CUBLAS) == MIEN_OK, "%s", run.error.message);
  mien_cuda_fault_code = cudaErrorIllegalAddress;
  for (mien_cuda_fault_at = 1;; mien_cuda_fault_at += step) {
    mien_cuda_calls = 0;
    const mien_status status = run.run(parts, MIEN_CUDA_CUBLAS);
    const bool was_reached = mien_cuda_calls >= mien_cuda_fault_at;
    require(status == (was_reached ? MIEN_RESOURCE : MIEN_OK), "call %ld: status %d, \"%s\"", mien_cuda_fault_at,
            status, run.error.message);
    require(shim_device_bytes() == 0 && shim_objects() == 0, "call %ld (\"%s\"): %zu bytes and %zu objects are left",
            mien_cuda_fault_at, run.error.message, shim_device_bytes(), shim_objects());
    failures += was_reached;
    if (!was_reached) break;
  }
  require(failures > 10, "expected a failure at many calls, found %zu", failures);
}

START_TEST(every_call_of_the_roofs_may_fail) { fail_everywhere(MIEN_BENCH_ROOFS, 7); }
END_TEST

START_TEST(every_call_of_the_rest_may_fail) {
  fail_everywhere(MIEN_BENCH_HEAD | MIEN_BENCH_ENCODER | MIEN_BENCH_REST, 17);
}
END_TEST

static void set_up(void) { module = mien_cuda_module_get(); }

int main(void) {
  const TTest *const tests[] = {everything_is_measured_both_ways, operations_are_two_to_a_multiply_add,
                                texts_that_fit_no_batch_are_refused, every_call_of_the_roofs_may_fail,
                                every_call_of_the_rest_may_fail};
  return run_suite("cuda_bench", tests, sizeof tests / sizeof *tests, set_up, NULL);
}
