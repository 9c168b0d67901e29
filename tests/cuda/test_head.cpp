/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings through the CUDA device's head, both ways, against sums in double. */
#include "heads.h"

#include "cuda_runtime.h"

static const mien_cuda_module *module;

static mien_cuda_engine *open_head(const test_head &head, mien_cuda_way way) {
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_error error = {};
  options.head = way;
  ck_assert_msg(module->open(&options, &head.head, NULL, &engine, &error) == MIEN_OK, "%s", error.message);
  return engine;
}

struct outcome {
  std::vector<uint32_t> words;
  std::vector<float> scores;
  std::vector<mien_row_status> status;
  size_t n_bad;
};

static outcome label(mien_cuda_engine *engine, const test_head &head, const mien_rows &rows, size_t n, bool scores) {
  outcome out = {std::vector<uint32_t>(n * head.n_words + 1, 0xAAAAAAAA), std::vector<float>(n * head.n_labels + 1, 17),
                 std::vector<mien_row_status>(n + 1, 99), 99};
  mien_results results = {};
  mien_error error = {};
  results.size = sizeof results;
  results.words = out.words.data();
  results.scores = scores ? out.scores.data() : NULL;
  results.status = out.status.data();
  ck_assert_msg(module->label_rows(engine, &rows, n, &results, &out.n_bad, &error) == MIEN_OK, "%s", error.message);
  require(out.words[n * head.n_words] == 0xAAAAAAAA && out.scores[n * head.n_labels] == 17 && out.status[n] == 99,
          "something behind the results was written");
  return out;
}

/* How far float32's sums may be from those in double, here: the design's 2e-6 of a score. */
static const double band = 2e-6;

static void check(const test_head &head, const test_rows &rows, mien_cuda_way way) {
  mien_cuda_engine *engine = open_head(head, way);
  const outcome out = label(engine, head, rows.rows, rows.n, true);
  const outcome words = label(engine, head, rows.rows, rows.n, false);
  require(out.n_bad == 0, "%zu bad rows", out.n_bad);
  require(words.words == out.words && words.status == out.status, "words depend on whether scores are wanted");
  for (size_t row = 0; row < rows.n; row++) {
    require(out.status[row] == MIEN_ROW_OK, "row %zu: status %d", row, out.status[row]);
    for (size_t label = 0; label < head.n_labels; label++) {
      const double expected = reference_score(head, rows.numbers.data() + row * rows.dim, label);
      const float score = out.scores[row * head.n_labels + label];
      const bool bit = out.words[row * head.n_words + label / 32] >> label % 32 & 1;
      require(fabs(score - expected) <= band,
              "way %d, type %d, %zu × %zu, row %zu, label %zu: expected %.9g, found %.9g", way, rows.dtype,
              head.n_labels, head.dim, row, label, expected, score);
      require(bit == (score > head.thresholds[label]), "row %zu, label %zu: %.9g over %.9g, found %d", row, label,
              score, head.thresholds[label], bit);
    }
    if (head.n_labels % 32)
      require(out.words[row * head.n_words + head.n_words - 1] >> head.n_labels % 32 == 0, "bits behind the labels");
  }
  module->close(engine);
}

static const mien_dtype dtypes[] = {MIEN_F32, MIEN_F16, MIEN_BF16, MIEN_F64};
static const mien_cuda_way ways[] = {MIEN_CUDA_OWN, MIEN_CUDA_CUBLAS};

START_TEST(scores_are_those_of_double_at_awkward_sizes) {
  static const size_t sizes[][2] = {{1, 1}, {7, 3}, {28, 384}, {32, 16}, {33, 100}, {70, 31}, {28, 385}, {8, 96}};
  static const size_t counts[] = {1, 15, 17, 40};
  for (const auto &size : sizes)
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
      for (mien_dtype dtype : dtypes)
        for (mien_cuda_way way : ways) {
          const test_head head(size[0], size[1], 1.5, 7 + i);
          const test_rows rows(dtype, counts[i], size[1], size[1] + i % 2 * 5, 11 + i);
          check(head, rows, way);
        }
}
END_TEST

START_TEST(many_rows_in_pieces) {
  const test_head head(28, 16, 1.5, 3);
  const test_rows rows(MIEN_F32, 3000, 16, 16, 5);
  for (mien_cuda_way way : ways) check(head, rows, way);
}
END_TEST

START_TEST(weights_of_all_magnitudes) {
  for (double magnitude : {1e-30, 1e-6, 1e3})
    for (mien_dtype dtype : dtypes)
      for (mien_cuda_way way : ways) {
        const test_head head(28, 64, magnitude, 9);
        /* Sums of 1e3 are only as exact as float32: the rows are small then. */
        const test_rows rows(dtype, 20, 64, 64, 13);
        if (magnitude < 1) check(head, rows, way);
        mien_cuda_engine *engine = open_head(head, way);
        const outcome out = label(engine, head, rows.rows, rows.n, true);
        for (size_t i = 0; i < rows.n * head.n_labels; i++) {
          const double logit = reference_logit(head, rows.numbers.data() + i / head.n_labels * 64, i % head.n_labels);
          const double score = 1 / (1 + exp(-logit));
          require(fabs(out.scores[i] - score) <= band + magnitude * 2e-7, "expected %.9g, found %.9g", score,
                  out.scores[i]);
        }
        module->close(engine);
      }
}
END_TEST

START_TEST(rows_that_are_not_finite_are_marked) {
  for (mien_dtype dtype : dtypes)
    for (mien_cuda_way way : ways) {
      const test_head head(28, 100, 1.5, 21);
      test_rows rows(dtype, 50, 100, 100, 23);
      static const size_t bad[] = {0, 7, 31, 49};
      rows.set(0, 0, NAN), rows.set(7, 99, INFINITY), rows.set(31, 50, -INFINITY);
      rows.set(49, 3, INFINITY), rows.set(49, 4, -INFINITY);
      mien_cuda_engine *engine = open_head(head, way);
      const outcome out = label(engine, head, rows.rows, rows.n, true);
      require(out.n_bad == 4, "expected 4 bad rows, found %zu", out.n_bad);
      for (size_t row = 0, next = 0; row < rows.n; row++) {
        const bool is_bad = next < 4 && bad[next] == row;
        next += is_bad;
        require(out.status[row] == (is_bad ? MIEN_ROW_NOT_FINITE : MIEN_ROW_OK), "row %zu: %d", row, out.status[row]);
        for (size_t i = 0; i < head.n_labels; i++)
          require(isnan(out.scores[row * head.n_labels + i]) == is_bad, "row %zu: score %g", row,
                  out.scores[row * head.n_labels + i]);
        require(!is_bad || out.words[row] == 0, "row %zu: words %x", row, out.words[row]);
      }
      module->close(engine);
    }
}
END_TEST

START_TEST(large_numbers_are_finite_where_their_sums_are) {
  for (mien_cuda_way way : ways) {
    test_head head(2, 16, 0, 31);
    head.weights[0] = 1e-38f;
    test_rows rows(MIEN_F32, 3, 16, 16, 33);
    rows.set(1, 0, 3.4028234e38);
    mien_cuda_engine *engine = open_head(head, way);
    const outcome out = label(engine, head, rows.rows, rows.n, true);
    const double expected = reference_score(head, rows.numbers.data() + 16, 0);
    /* So small a weight has fewer bits. */
    require(out.n_bad == 0 && fabs(out.scores[2] - expected) < 1e-5, "expected %g, found %g", expected, out.scores[2]);
    module->close(engine);
  }
}
END_TEST

START_TEST(thresholds_next_to_scores_are_strict) {
  for (mien_cuda_way way : ways) {
    test_head head(28, 48, 1.5, 41);
    const test_rows rows(MIEN_F32, 33, 48, 48, 43);
    mien_cuda_engine *engine = open_head(head, way);
    const outcome before = label(engine, head, rows.rows, rows.n, true);
    module->close(engine);
    for (int side = -1; side <= 1; side++) {
      /* Each label's threshold is the score of a row of its own, or its neighbour. */
      for (size_t i = 0; i < head.n_labels; i++) {
        const float score = before.scores[(i + 3) * head.n_labels + i];
        head.thresholds[i] = side == 0 ? score : nextafterf(score, side < 0 ? 0.0f : 1.0f);
        head.sure_no[i] = (float)mien_logit(head.thresholds[i]) - 1e-3f;
        head.sure_yes[i] = (float)mien_logit(head.thresholds[i]) + 1e-3f;
      }
      engine = open_head(head, way);
      const outcome out = label(engine, head, rows.rows, rows.n, false);
      for (size_t i = 0; i < head.n_labels; i++)
        require((out.words[i + 3] >> i & 1) == (side < 0), "label %zu, side %d: found %u", i, side,
                out.words[i + 3] >> i & 1);
      module->close(engine);
    }
  }
}
END_TEST

START_TEST(a_row_has_the_same_bits_in_every_batch) {
  for (mien_dtype dtype : dtypes)
    for (mien_cuda_way way : ways) {
      const test_head head(28, 96, 1.5, 51);
      const test_rows rows(dtype, 70, 96, 101, 53);
      const size_t size = dtype == MIEN_F64 ? 8 : dtype == MIEN_F32 ? 4 : 2;
      mien_cuda_engine *engine = open_head(head, way);
      const outcome all = label(engine, head, rows.rows, rows.n, true);
      for (size_t first : {(size_t)1, (size_t)16, (size_t)69})
        for (size_t n : {(size_t)1, (size_t)18}) {
          mien_rows some = rows.rows;
          some.data = rows.bytes.data() + first * rows.stride * size;
          if (first + n > rows.n) n = rows.n - first;
          const outcome out = label(engine, head, some, n, true);
          require(memcmp(out.scores.data(), all.scores.data() + first * 28, n * 28 * sizeof(float)) == 0,
                  "rows %zu to %zu differ", first, first + n - 1);
        }
      module->close(engine);
    }
}
END_TEST

START_TEST(rows_and_results_in_device_memory) {
  for (mien_dtype dtype : {MIEN_F32, MIEN_F16, MIEN_BF16})
    for (mien_cuda_way way : ways) {
      const test_head head(40, 50, 1.5, 61);
      const test_rows rows(dtype, 37, 50, 53, 63);
      mien_cuda_engine *engine = open_head(head, way);
      const outcome expected = label(engine, head, rows.rows, rows.n, true);
      cudaStream_t stream;
      void *data, *words, *scores, *status;
      ck_assert(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
      ck_assert(cudaMalloc(&data, rows.bytes.size()) == cudaSuccess);
      ck_assert(cudaMalloc(&words, rows.n * head.n_words * 4) == cudaSuccess);
      ck_assert(cudaMalloc(&scores, rows.n * head.n_labels * 4) == cudaSuccess);
      ck_assert(cudaMalloc(&status, rows.n) == cudaSuccess);
      cudaMemcpyAsync(data, rows.bytes.data(), rows.bytes.size(), cudaMemcpyHostToDevice, stream);
      mien_rows on_device = rows.rows;
      mien_results results = {};
      mien_error error = {};
      on_device.data = data;
      results.size = sizeof results;
      results.words = static_cast<uint32_t *>(words);
      results.scores = static_cast<float *>(scores);
      results.status = static_cast<mien_row_status *>(status);
      ck_assert_msg(module->label_device_rows(engine, &on_device, rows.n, &results, stream, &error) == MIEN_OK, "%s",
                    error.message);
      std::vector<float> found(rows.n * head.n_labels);
      std::vector<uint32_t> found_words(rows.n * head.n_words);
      cudaMemcpyAsync(found.data(), scores, found.size() * 4, cudaMemcpyDeviceToHost, stream);
      cudaMemcpyAsync(found_words.data(), words, found_words.size() * 4, cudaMemcpyDeviceToHost, stream);
      ck_assert(cudaStreamSynchronize(stream) == cudaSuccess);
      ck_assert(memcmp(found.data(), expected.scores.data(), found.size() * 4) == 0);
      ck_assert(memcmp(found_words.data(), expected.words.data(), found_words.size() * 4) == 0);
      if (way == MIEN_CUDA_OWN) { /* on the default stream too */
        const test_head few(28, 50, 1.5, 62);
        mien_cuda_engine *other = open_head(few, way);
        ck_assert_int_eq(module->label_device_rows(other, &on_device, rows.n, &results, NULL, &error), MIEN_OK);
        cudaMemcpyAsync(found_words.data(), words, rows.n * 4, cudaMemcpyDeviceToHost, NULL);
        ck_assert(cudaStreamSynchronize(NULL) == cudaSuccess);
        const outcome of_few = label(other, few, rows.rows, rows.n, true);
        ck_assert(memcmp(found_words.data(), of_few.words.data(), rows.n * 4) == 0);
        module->close(other);
      }
      on_device.dtype = MIEN_F64;
      ck_assert_int_eq(module->label_device_rows(engine, &on_device, rows.n, &results, stream, &error), MIEN_ARGUMENT);
      for (void *memory : {data, words, scores, status}) cudaFree(memory);
      cudaStreamDestroy(stream);
      module->close(engine);
    }
}
END_TEST

START_TEST(pinned_rows_are_not_copied_first) {
  const test_head head(28, 24, 1.5, 71);
  for (size_t stride : {(size_t)24, (size_t)30}) {
    const test_rows rows(MIEN_F32, 90, 24, stride, 73);
    mien_cuda_engine *engine = open_head(head, MIEN_CUDA_AUTO);
    const outcome expected = label(engine, head, rows.rows, rows.n, true);
    void *pinned;
    ck_assert(cudaHostAlloc(&pinned, rows.bytes.size(), cudaHostAllocDefault) == cudaSuccess);
    memcpy(pinned, rows.bytes.data(), rows.bytes.size());
    mien_rows same = rows.rows;
    same.data = pinned;
    ck_assert(label(engine, head, same, rows.n, true).scores == expected.scores);
    cudaFreeHost(pinned);
    module->close(engine);
  }
}
END_TEST

START_TEST(engines_of_other_sizes_do_not_disturb_each_other) {
  const test_head wide(28, 384, 1.5, 75), narrow(28, 16, 1.5, 76);
  const test_rows wide_rows(MIEN_F32, 20, 384, 384, 77), narrow_rows(MIEN_F32, 20, 16, 16, 78);
  mien_cuda_engine *one = open_head(wide, MIEN_CUDA_OWN);
  const outcome before = label(one, wide, wide_rows.rows, 20, true);
  mien_cuda_engine *other = open_head(narrow, MIEN_CUDA_OWN);
  label(other, narrow, narrow_rows.rows, 20, true);
  ck_assert(label(one, wide, wide_rows.rows, 20, true).scores == before.scores);
  module->close(one);
  module->close(other);
}
END_TEST

START_TEST(no_rows_are_no_rows) {
  const test_head head(28, 24, 1.5, 81);
  const test_rows rows(MIEN_F32, 0, 24, 24, 83);
  mien_cuda_engine *engine = open_head(head, MIEN_CUDA_AUTO);
  ck_assert_uint_eq(label(engine, head, rows.rows, 0, true).n_bad, 0);
  module->close(engine);
}
END_TEST

START_TEST(nothing_is_left_behind) {
  ck_assert_uint_eq(shim_device_bytes(), 0);
  const test_head head(28, 24, 1.5, 91);
  const test_rows rows(MIEN_F64, 100, 24, 24, 93);
  mien_cuda_engine *engine = open_head(head, MIEN_CUDA_CUBLAS);
  label(engine, head, rows.rows, rows.n, true);
  module->close(engine);
  ck_assert_uint_eq(shim_device_bytes(), 0);
  ck_assert_uint_eq(shim_objects(), 0);
}
END_TEST

static void set_up(void) { module = mien_cuda_module_get(); }

int main(void) {
  const TTest *const tests[] = {scores_are_those_of_double_at_awkward_sizes,
                                many_rows_in_pieces,
                                weights_of_all_magnitudes,
                                rows_that_are_not_finite_are_marked,
                                large_numbers_are_finite_where_their_sums_are,
                                thresholds_next_to_scores_are_strict,
                                a_row_has_the_same_bits_in_every_batch,
                                rows_and_results_in_device_memory,
                                pinned_rows_are_not_copied_first,
                                engines_of_other_sizes_do_not_disturb_each_other,
                                no_rows_are_no_rows,
                                nothing_is_left_behind};
  int failed = 0;
  for (int backward = 0; backward < 2; backward++) {
    shim.backward = backward == 1; /* threads that do not wait for each other would show */
    failed |= run_suite("cuda_head", tests, sizeof tests / sizeof *tests, set_up, NULL);
  }
  return failed;
}
