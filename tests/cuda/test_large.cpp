/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an emulation cannot tell of the CUDA device: millions of rows, addresses behind 4 GiB, many texts, threads and
 * processes at once, memory that does not come back. The same tests run over the emulation with few rows.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "cuda_runtime.h"
#include "run_texts.h"

#ifndef MIEN_TEST_ROWS
#define MIEN_TEST_ROWS 3000000
#define MIEN_TEST_TEXTS 20000
#define MIEN_TEST_DIM 384
#endif
enum { DIM = MIEN_TEST_DIM, LABELS = 28, BLOCK = MIEN_TEST_ROWS < 65521 ? 251 : 65521 };
static const size_t n_rows = MIEN_TEST_ROWS;

static const mien_cuda_module *module;
static const mien_cuda_way ways[] = {MIEN_CUDA_OWN, MIEN_CUDA_CUBLAS};

static mien_cuda_engine *open_head(const test_head &head, mien_cuda_way way) {
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_error error = {};
  options.head = way;
  ck_assert_msg(module->open(&options, &head.head, NULL, &engine, &error) == MIEN_OK, "%s", error.message);
  return engine;
}

static void note(const char *what, double value, const char *unit) { printf("note %s: %g %s\n", what, value, unit); }

START_TEST(the_device_is_described) {
  int count = 0;
  mien_cuda_device_info info;
  mien_error error = {};
  ck_assert_msg(module->device_count(&count, &error) == MIEN_OK, "%s", error.message);
  for (int i = 0; i < count; i++) {
    ck_assert_msg(module->device_info(i, &info, &error) == MIEN_OK, "%s", error.message);
    printf("device cuda:%d: %s, %s, %d multiprocessors, %.1f GiB, driver for CUDA %d.%d, runtime %d.%d\n", i, info.name,
           info.isa, info.multiprocessors, (double)info.total_bytes / 0x1p30, info.driver / 1000,
           info.driver % 1000 / 10, info.runtime / 1000, info.runtime % 1000 / 10);
    ck_assert(info.name[0] && strncmp(info.isa, "sm_", 3) == 0);
    ck_assert_int_gt(info.multiprocessors, 0);
    ck_assert_uint_ge(info.total_bytes, info.free_bytes);
    ck_assert_uint_gt(info.l2_bytes, 0);
  }
  ck_assert_int_eq(module->device_info(count, &info, &error), MIEN_RESOURCE);
}
END_TEST

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* A block of rows is there again and again: each must have the results of the first. */
static size_t rows_of_block(size_t first) { return n_rows - first < BLOCK ? n_rows - first : (size_t)BLOCK; }

static void check_blocks(const char *what, const test_head &head, const test_rows &block,
                         const std::vector<float> &scores, const std::vector<uint32_t> &words) {
  for (size_t first = 0; first < n_rows; first += BLOCK) {
    const size_t n = rows_of_block(first);
    require(memcmp(&scores[first * LABELS], scores.data(), n * LABELS * sizeof(float)) == 0,
            "%s: scores of rows %zu to %zu differ from those of rows 0 to %zu", what, first, first + n - 1, n - 1);
    require(memcmp(&words[first], words.data(), n * sizeof(uint32_t)) == 0,
            "%s: labels of rows %zu to %zu differ from those of rows 0 to %zu", what, first, first + n - 1, n - 1);
  }
  for (size_t row = 0; row < BLOCK; row += 97)
    for (size_t label = 0; label < LABELS; label++) {
      const double expected = reference_score(head, block.numbers.data() + row * DIM, label);
      const float found = scores[row * LABELS + label];
      require(fabs(found - expected) <= 2e-6, "%s: row %zu, label %zu: expected %.9g, found %.9g", what, row, label,
              expected, found);
      require((words[row] >> label & 1) == (found > head.thresholds[label]), "%s: row %zu, label %zu: found %.9g, %u",
              what, row, label, found, words[row] >> label & 1);
    }
}

static size_t available_bytes(void) {
  unsigned long long kibibytes = 0;
  char line[128];
  FILE *file = fopen("/proc/meminfo", "r");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1) break;
  if (file) fclose(file);
  return (size_t)kibibytes << 10;
}

static void in_host_memory(mien_dtype dtype, size_t size) {
  if (available_bytes() < n_rows * (DIM * size + LABELS * 4) * 3 / 2) plain_skip("too little memory of the host");
  const test_head head(LABELS, DIM, 1.5, 3);
  const test_rows block(dtype, BLOCK, DIM, DIM, 5);
  std::vector<unsigned char> bytes(n_rows * DIM * size);
  for (size_t first = 0; first < n_rows; first += BLOCK)
    memcpy(&bytes[first * DIM * size], block.bytes.data(), rows_of_block(first) * DIM * size);
  const mien_rows rows = {sizeof rows, bytes.data(), dtype, DIM};
  std::vector<float> scores(n_rows * LABELS);
  std::vector<uint32_t> words(n_rows);
  for (mien_cuda_way way : ways) {
    mien_cuda_engine *engine = open_head(head, way);
    mien_results results = {};
    mien_error error = {};
    size_t n_bad = 99;
    results.size = sizeof results;
    results.words = words.data();
    results.scores = scores.data();
    const double start = plain_seconds();
    ck_assert_msg(module->label_rows(engine, &rows, n_rows, &results, &n_bad, &error) == MIEN_OK, "%s", error.message);
    note(way == MIEN_CUDA_OWN ? "host memory, own kernels" : "host memory, cuBLAS",
         (double)n_rows / (plain_seconds() - start), "rows/s");
    ck_assert_uint_eq(n_bad, 0);
    check_blocks("host memory", head, block, scores, words);
    module->close(engine);
  }
}

START_TEST(millions_of_float32_rows_in_host_memory) { in_host_memory(MIEN_F32, 4); }
END_TEST

START_TEST(millions_of_float16_rows_in_host_memory) { in_host_memory(MIEN_F16, 2); }
END_TEST

START_TEST(the_last_of_millions_of_rows_is_bad) {
  if (available_bytes() < n_rows * (DIM + 16) * 4) plain_skip("too little memory of the host");
  const test_head head(LABELS, DIM, 1.5, 3);
  std::vector<uint16_t> numbers(n_rows * DIM, 0x2C00); /* 1/16 */
  std::vector<mien_row_status> status(n_rows, 99);
  std::vector<uint32_t> words(n_rows);
  numbers.back() = 0x7C00;
  const mien_rows rows = {sizeof rows, numbers.data(), MIEN_F16, DIM};
  mien_cuda_engine *engine = open_head(head, MIEN_CUDA_AUTO);
  mien_results results = {};
  mien_error error = {};
  size_t n_bad = 99;
  results.size = sizeof results;
  results.words = words.data();
  results.status = status.data();
  ck_assert_msg(module->label_rows(engine, &rows, n_rows, &results, &n_bad, &error) == MIEN_OK, "%s", error.message);
  ck_assert_uint_eq(n_bad, 1);
  for (size_t row = 0; row < n_rows; row++)
    require(status[row] == (row + 1 < n_rows ? MIEN_ROW_OK : MIEN_ROW_NOT_FINITE), "row %zu: status %d", row,
            status[row]);
  module->close(engine);
}
END_TEST

/* Memory of the device, for as long as a test lasts. */
struct on_device {
  void *memory = NULL;
  explicit on_device(size_t bytes) {
    if (cudaMalloc(&memory, bytes) != cudaSuccess) plain_skip("too little memory of the device");
  }
  ~on_device(void) { (void)cudaFree(memory); }
  on_device(const on_device &) = delete;
};

START_TEST(millions_of_rows_in_device_memory) {
  for (mien_dtype dtype : {MIEN_F32, MIEN_F16, MIEN_BF16}) {
    const size_t size = dtype == MIEN_F32 ? 4 : 2;
    const test_head head(LABELS, DIM, 1.5, 3);
    const test_rows block(dtype, BLOCK, DIM, DIM, 5);
    const on_device bytes(n_rows * DIM * size), to_words(n_rows * 4), to_scores(n_rows * LABELS * 4), to_status(n_rows);
    std::vector<float> scores(n_rows * LABELS);
    std::vector<uint32_t> words(n_rows);
    cudaStream_t stream;
    ck_assert(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    for (size_t first = 0; first < n_rows; first += BLOCK)
      ck_assert(cudaMemcpyAsync((char *)bytes.memory + first * DIM * size, block.bytes.data(),
                                rows_of_block(first) * DIM * size, cudaMemcpyHostToDevice, stream) == cudaSuccess);
    for (mien_cuda_way way : ways) {
      mien_cuda_engine *engine = open_head(head, way);
      const mien_rows rows = {sizeof rows, bytes.memory, dtype, DIM};
      mien_results results = {};
      mien_error error = {};
      results.size = sizeof results;
      results.words = static_cast<uint32_t *>(to_words.memory);
      results.scores = static_cast<float *>(to_scores.memory);
      results.status = static_cast<mien_row_status *>(to_status.memory);
      ck_assert_msg(module->label_device_rows(engine, &rows, n_rows, &results, stream, &error) == MIEN_OK, "%s",
                    error.message);
      ck_assert(cudaMemcpyAsync(scores.data(), to_scores.memory, scores.size() * 4, cudaMemcpyDeviceToHost, stream) ==
                cudaSuccess);
      ck_assert(cudaMemcpyAsync(words.data(), to_words.memory, words.size() * 4, cudaMemcpyDeviceToHost, stream) ==
                cudaSuccess);
      ck_assert(cudaStreamSynchronize(stream) == cudaSuccess);
      check_blocks("device memory", head, block, scores, words);
      module->close(engine);
    }
    ck_assert(cudaStreamDestroy(stream) == cudaSuccess);
  }
}
END_TEST

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

static const test_shape shape = {2, DIM, DIM / 32, 32, 4 * DIM, 1000, 64};

static void many_texts(mien_dtype dtype) {
  const test_encoder encoder(shape, dtype, 11);
  const test_head head(LABELS, DIM, 3, 12);
  const test_texts texts(encoder, MIEN_TEST_TEXTS, shape.max_tokens, 13);
  mien_cuda_engine *engine = open_encoder(encoder, &head, MIEN_CUDA_AUTO);
  const double start = plain_seconds();
  const outcome all = run(engine, encoder, &head, texts.ids.data(), texts.lengths, MIEN_TEST_TEXTS);
  note("texts of two layers", MIEN_TEST_TEXTS / (plain_seconds() - start), "texts/s");
  const outcome some = run(engine, encoder, &head, texts.ids.data(), texts.lengths, MIEN_TEST_TEXTS / 13 + 1);
  require(all.embeddings == some.embeddings && all.scores == some.scores && all.words == some.words,
          "dtype %d: another split of the same texts has other bits", dtype);
  for (size_t i = 0; i < MIEN_TEST_TEXTS; i++)
    require(all.status[i] == MIEN_ROW_OK, "dtype %d, text %zu: status %d", dtype, i, all.status[i]);
  for (size_t i = 0; i < MIEN_TEST_TEXTS; i += MIEN_TEST_TEXTS / 3) {
    const numbers expected = reference_embedding(encoder, texts.ids.data() + texts.starts[i], texts.lengths[i]);
    const double off = distance(expected, all.embeddings.data() + i * DIM) / largest(expected);
    require(off < band_of(dtype), "dtype %d, text %zu of %zu tokens: off by %g", dtype, i, texts.lengths[i], off);
  }
  module->close(engine);
}

START_TEST(many_texts_in_f32) { many_texts(MIEN_F32); }
END_TEST

START_TEST(many_texts_in_bf16x3) { many_texts(MIEN_BF16X3); }
END_TEST

START_TEST(many_texts_in_bf16) { many_texts(MIEN_BF16); }
END_TEST

START_TEST(many_texts_in_f16) { many_texts(MIEN_F16); }
END_TEST

START_TEST(many_texts_in_int8) { many_texts(MIEN_INT8); }
END_TEST

/* ---- Side by side ------------------------------------------------------------------------------------------------ */

START_TEST(threads_share_an_engine) {
  enum { THREADS = 6, TIMES = 4, TEXTS = MIEN_TEST_TEXTS / 20 };
  const test_encoder encoder(shape, MIEN_BF16, 21);
  const test_head head(LABELS, DIM, 3, 22);
  const test_texts texts(encoder, TEXTS, 24, 23);
  mien_cuda_engine *engine = open_encoder(encoder, &head, MIEN_CUDA_AUTO);
  const outcome alone = run(engine, encoder, &head, texts.ids.data(), texts.lengths, TEXTS);
  std::vector<std::thread> threads;
  bool same[THREADS];
  for (size_t i = 0; i < THREADS; i++)
    threads.emplace_back([&, i] {
      same[i] = true;
      for (size_t k = 0; k < TIMES; k++) {
        const outcome out = run(engine, encoder, &head, texts.ids.data(), texts.lengths, TEXTS / (i + 1) + 1);
        same[i] &= out.embeddings == alone.embeddings && out.scores == alone.scores && out.words == alone.words;
      }
    });
  for (std::thread &thread : threads) thread.join();
  for (size_t i = 0; i < THREADS; i++) require(same[i], "thread %zu has other results than one alone", i);
  module->close(engine);
}
END_TEST

/* FNV-1a of everything that a process got. */
static uint64_t digest_of_a_run(void) {
  const test_encoder encoder(shape, MIEN_BF16, 31);
  const test_head head(LABELS, DIM, 3, 32);
  const test_texts texts(encoder, MIEN_TEST_TEXTS / 20, 24, 33);
  mien_cuda_engine *engine = open_encoder(encoder, &head, MIEN_CUDA_AUTO);
  uint64_t digest = 0xCBF29CE484222325u;
  for (int times = 0; times < 4; times++) {
    const outcome out = run(engine, encoder, &head, texts.ids.data(), texts.lengths, MIEN_TEST_TEXTS);
    const unsigned char *bytes = reinterpret_cast<const unsigned char *>(out.scores.data());
    digest = 0xCBF29CE484222325u;
    for (size_t i = 0; i < out.scores.size() * sizeof(float); i++) digest = (digest ^ bytes[i]) * 0x100000001B3u;
  }
  module->close(engine);
  return digest;
}

START_TEST(two_processes_share_a_device) {
  int ends[2];
  pid_t children[2];
  uint64_t digests[2];
  if (!plain_forks()) plain_skip("this process may have used CUDA, which its children could not");
  ck_assert_int_eq(pipe(ends), 0);
  for (pid_t &child : children) {
    child = fork();
    if (child != 0) continue;
    const uint64_t digest = digest_of_a_run();
    plain_end(write(ends[1], &digest, sizeof digest) == sizeof digest ? 0 : 1);
  }
  for (pid_t child : children) ck_assert_int_eq(plain_wait(child), 0);
  for (uint64_t &digest : digests) ck_assert_int_eq(read(ends[0], &digest, sizeof digest), sizeof digest);
  ck_assert_uint_eq(digests[0], digests[1]);
  ck_assert_uint_eq(digests[0], digest_of_a_run());
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

START_TEST(engines_that_come_and_go_leave_nothing) {
  enum { FIRST = 5, LAST = 25, SLACK = 4 << 20 };
  const test_encoder encoder(shape, MIEN_F16, 41);
  const test_head head(LABELS, DIM, 3, 42);
  const test_texts texts(encoder, MIEN_TEST_TEXTS / 100 + 1, 24, 43);
  size_t free_bytes = 0, before = 0, total;
  for (int i = 1; i <= LAST; i++) {
    mien_cuda_engine *engine = open_encoder(encoder, &head, i % 2 ? MIEN_CUDA_CUBLAS : MIEN_CUDA_AUTO);
    (void)run(engine, encoder, &head, texts.ids.data(), texts.lengths, 50);
    module->close(engine);
    ck_assert(cudaMemGetInfo(&free_bytes, &total) == cudaSuccess);
    if (i == FIRST) before = free_bytes; /* by then CUDA has what it keeps itself */
  }
  require(free_bytes + SLACK >= before, "expected %zu bytes of device memory to be free, found %zu", before,
          free_bytes);
}
END_TEST

/* For compute-sanitizer's slower tools, and no kernels but mien's own. */
START_TEST(a_little_of_everything) {
  const test_head head(LABELS, 128, 1.5, 51);
  for (mien_dtype dtype : {MIEN_F32, MIEN_F16, MIEN_BF16, MIEN_F64}) {
    const test_rows rows(dtype, 70, 128, 131, 52);
    mien_cuda_engine *engine = open_head(head, MIEN_CUDA_OWN);
    std::vector<float> scores(70 * LABELS);
    mien_results results = {};
    mien_error error = {};
    size_t n_bad = 99;
    results.size = sizeof results;
    results.scores = scores.data();
    ck_assert_msg(module->label_rows(engine, &rows.rows, 70, &results, &n_bad, &error) == MIEN_OK, "%s", error.message);
    ck_assert_uint_eq(n_bad, 0);
    module->close(engine);
  }
  for (mien_dtype dtype : {MIEN_F32, MIEN_BF16X3, MIEN_BF16, MIEN_F16, MIEN_INT8}) {
    const test_encoder encoder({1, 128, 4, 32, 256, 50, 40}, dtype, 53);
    const test_texts texts(encoder, 12, 40, 54);
    mien_cuda_engine *engine = open_encoder(encoder, &head, MIEN_CUDA_OWN, MIEN_CUDA_OWN);
    const outcome out = run(engine, encoder, &head, texts.ids.data(), texts.lengths, 5);
    for (mien_row_status status : out.status) ck_assert_int_eq(status, MIEN_ROW_OK);
    module->close(engine);
  }
}
END_TEST

static void set_up(void) { module = mien_cuda_module_get(); }

MIEN_SUITE_BETWEEN("cuda_large", set_up, NULL, the_device_is_described, millions_of_float32_rows_in_host_memory,
                   millions_of_float16_rows_in_host_memory, the_last_of_millions_of_rows_is_bad,
                   millions_of_rows_in_device_memory, many_texts_in_f32, many_texts_in_bf16x3, many_texts_in_bf16,
                   many_texts_in_f16, many_texts_in_int8, threads_share_an_engine, two_processes_share_a_device,
                   engines_that_come_and_go_leave_nothing, a_little_of_everything)
