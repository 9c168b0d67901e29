/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens through the CUDA device's encoder against a forward pass in double. */
#include "run_texts.h"

#include "cuda_runtime.h"

static const mien_cuda_module *module;

static const mien_dtype dtypes[] = {MIEN_F32, MIEN_BF16X3, MIEN_BF16, MIEN_F16, MIEN_INT8};

static void check(const test_shape &shape, mien_dtype dtype, mien_cuda_way way, mien_cuda_pooling pooling,
                  bool normalize, size_t n, size_t longest, uint64_t seed) {
  const test_encoder encoder(shape, dtype, seed, pooling, normalize);
  const test_texts texts(encoder, n, longest, seed + 1);
  mien_cuda_engine *engine = open_encoder(encoder, NULL, way);
  const outcome out = run(engine, encoder, NULL, texts.ids.data(), texts.lengths, 1000);
  for (size_t i = 0; i < n; i++) {
    const numbers expected = reference_embedding(encoder, texts.ids.data() + texts.starts[i], texts.lengths[i]);
    const double off = distance(expected, out.embeddings.data() + i * shape.hidden) / largest(expected);
    require(out.status[i] == MIEN_ROW_OK, "text %zu: status %d", i, out.status[i]);
    require(off < band_of(dtype), "dtype %d, way %d, hidden %zu, text %zu of %zu tokens: off by %g", dtype, way,
            shape.hidden, i, texts.lengths[i], off);
  }
  module->close(engine);
}

/* Head sizes that the tensor cores have and one they have not, outputs with LayerNorm in their kernel and without. */
static const test_shape small = {2, 128, 4, 32, 256, 50, 40}, odd = {1, 48, 1, 48, 112, 20, 70},
                        wide = {1, 256, 4, 64, 144, 20, 30}, narrow = {1, 32, 2, 16, 64, 20, 130};

START_TEST(embeddings_are_those_of_double) {
  for (const test_shape &shape : {small, odd, wide, narrow})
    for (mien_dtype dtype : dtypes)
      check(shape, dtype, MIEN_CUDA_AUTO, MIEN_CUDA_POOL_MEAN, true, 4, shape.max_tokens, 3);
}
END_TEST

START_TEST(products_by_cublas_too) {
  for (mien_dtype dtype : dtypes) check(small, dtype, MIEN_CUDA_CUBLAS, MIEN_CUDA_POOL_MEAN, true, 4, 20, 5);
}
END_TEST

START_TEST(every_pooling) {
  for (mien_cuda_pooling pooling : {MIEN_CUDA_POOL_CLS, MIEN_CUDA_POOL_MAX, MIEN_CUDA_POOL_MEAN})
    check(narrow, pooling == MIEN_CUDA_POOL_MAX ? MIEN_F32 : MIEN_BF16, MIEN_CUDA_AUTO, pooling, false, 20, 9, 7);
}
END_TEST

START_TEST(a_hidden_size_of_384) {
  const test_shape shape = {1, 384, 12, 32, 400, 30, 20};
  for (mien_dtype dtype : {MIEN_BF16, MIEN_INT8})
    check(shape, dtype, MIEN_CUDA_AUTO, MIEN_CUDA_POOL_MEAN, true, 3, 20, 9);
}
END_TEST

START_TEST(a_text_has_the_same_bits_in_every_batch) {
  for (mien_dtype dtype : dtypes) {
    const test_encoder encoder(small, dtype, 11);
    const test_head head(28, small.hidden, 3, 12);
    const test_texts texts(encoder, 50, 12, 13);
    mien_cuda_engine *engine = open_encoder(encoder, &head, MIEN_CUDA_AUTO);
    const outcome all = run(engine, encoder, &head, texts.ids.data(), texts.lengths, 1000);
    const outcome some = run(engine, encoder, &head, texts.ids.data(), texts.lengths, 7);
    require(all.embeddings == some.embeddings && all.scores == some.scores && all.words == some.words,
            "dtype %d: batches of 7 differ", dtype);
    for (size_t i : {(size_t)0, (size_t)49}) {
      const outcome one = run(engine, encoder, &head, texts.ids.data() + texts.starts[i], {texts.lengths[i]}, 1);
      require(memcmp(one.embeddings.data(), all.embeddings.data() + i * small.hidden, small.hidden * 4) == 0 &&
                  memcmp(one.scores.data(), all.scores.data() + i * 28, 28 * 4) == 0,
              "dtype %d: text %zu alone differs", dtype, i);
    }
    module->close(engine);
  }
}
END_TEST

START_TEST(scores_are_those_of_the_embeddings) {
  for (mien_cuda_way way : {MIEN_CUDA_OWN, MIEN_CUDA_CUBLAS}) {
    const test_encoder encoder(narrow, MIEN_BF16, 21);
    for (size_t labels : {(size_t)28, (size_t)40}) {
      const test_head head(labels, narrow.hidden, 3, 22);
      const test_texts texts(encoder, 37, 10, 23);
      mien_cuda_engine *engine = open_encoder(encoder, &head, MIEN_CUDA_AUTO, way);
      const outcome out = run(engine, encoder, &head, texts.ids.data(), texts.lengths, 1000);
      std::vector<float> scores(out.scores.size());
      std::vector<uint32_t> words(out.words.size());
      mien_rows rows = {sizeof rows, out.embeddings.data(), MIEN_F32, narrow.hidden};
      mien_results results = {};
      mien_error error = {};
      size_t n_bad;
      results.size = sizeof results;
      results.scores = scores.data();
      results.words = words.data();
      ck_assert_msg(module->label_rows(engine, &rows, texts.lengths.size(), &results, &n_bad, &error) == MIEN_OK, "%s",
                    error.message);
      require(scores == out.scores && words == out.words, "%zu labels, way %d: they differ", labels, way);
      module->close(engine);
    }
  }
}
END_TEST

START_TEST(embeddings_that_are_not_finite_are_bad_rows) {
  for (mien_cuda_way way : {MIEN_CUDA_OWN, MIEN_CUDA_CUBLAS}) {
    test_encoder encoder(narrow, MIEN_F32, 31);
    encoder.words[5 * narrow.hidden + 3] = INFINITY;
    const test_head head(28, narrow.hidden, 3, 32);
    const int32_t ids[] = {1, 2, 3, 5, 4, 4};
    mien_cuda_engine *engine = open_encoder(encoder, &head, MIEN_CUDA_AUTO, way);
    const outcome out = run(engine, encoder, &head, ids, {2, 2, 2}, 3);
    for (size_t i = 0; i < 3; i++) {
      ck_assert_int_eq(out.status[i], i == 1 ? MIEN_ROW_NOT_FINITE : MIEN_ROW_OK);
      ck_assert_int_eq(isnan(out.embeddings[i * narrow.hidden]), i == 1);
      ck_assert_int_eq(isnan(out.scores[i * 28]), i == 1);
      ck_assert(i != 1 || out.words[i] == 0);
    }
    module->close(engine);
  }
}
END_TEST

START_TEST(more_texts_than_a_batch_holds) {
  const test_shape tiny = {1, 32, 2, 16, 32, 20, 16};
  const test_encoder encoder(tiny, MIEN_BF16, 41);
  const test_texts texts(encoder, 900, 2, 43);
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_error error = {};
  options.most_bytes = (size_t)5 << 20; /* batches of few tokens */
  ck_assert_msg(module->open(&options, NULL, &encoder.encoder, &engine, &error) == MIEN_OK, "%s", error.message);
  const outcome out = run(engine, encoder, NULL, texts.ids.data(), texts.lengths, 1000);
  for (size_t i = 0; i < texts.lengths.size(); i += 61) {
    const numbers expected = reference_embedding(encoder, texts.ids.data() + texts.starts[i], texts.lengths[i]);
    require(distance(expected, out.embeddings.data() + i * 32) < 0.1, "text %zu", i);
  }
  module->close(engine);
}
END_TEST

static void set_up(void) { module = mien_cuda_module_get(); }

int main(void) {
  const TTest *const tests[] = {embeddings_are_those_of_double,
                                products_by_cublas_too,
                                every_pooling,
                                a_hidden_size_of_384,
                                a_text_has_the_same_bits_in_every_batch,
                                scores_are_those_of_the_embeddings,
                                embeddings_that_are_not_finite_are_bad_rows,
                                more_texts_than_a_batch_holds};
  /* Threads that do not wait for each other show when the last one goes first. */
  const TTest *const backward[] = {every_pooling, a_hidden_size_of_384};
  int failed = run_suite("cuda_encoder", tests, sizeof tests / sizeof *tests, set_up, NULL);
  shim.backward = true;
  failed |= run_suite("cuda_encoder backward", backward, sizeof backward / sizeof *backward, set_up, NULL);
  return failed;
}
