/* SPDX-License-Identifier: Apache-2.0 */
/* A model's weights, as the kernels want them, on the device. */
#include <string.h>

#include "base/half.h"
#include "cublas.h"
#include "engine.h"

static size_t whole(size_t n, size_t of) { return (n + of - 1) / of * of; }

/* ---- The head ---------------------------------------------------------------------------------------------------- */

/* Padding that cuBLASLt's fastest kernels ask for. */
enum { PADDED_DIM = 16, PADDED_LABELS = 16 };

static cudaError_t set_own(mien_cuda_engine *engine, const mien_cuda_head *head, mien_engine_head *to) {
  std::vector<uint2> fragments(mien_head_fragment_bytes(to->dtype, head->dim) / sizeof(uint2));
  std::vector<float> scales(MIEN_HEAD_LABELS);
  uint2 *copy;
  float *copied_scales;
  mien_head_make_fragments(to->dtype, head->weights, head->n_labels, head->dim, fragments.data(), scales.data());
  MIEN_PASS(mien_arena_copy(&engine->weights, fragments.data(), fragments.size(), &copy));
  MIEN_PASS(mien_arena_copy(&engine->weights, scales.data(), scales.size(), &copied_scales));
  to->numbers.fragments = copy;
  to->numbers.scales = copied_scales;
  MIEN_TRY(mien_head_prepare(engine->shared_bytes));
  return cudaSuccess;
}

/* Weights for cuBLASLt: of 16-bit rows the parts of all labels are outputs beside each other. */
static cudaError_t set_cublas(mien_cuda_engine *engine, const mien_cuda_head *head, mien_engine_head *to) {
  const size_t size = mien_row_element(to->dtype);
  to->parts = to->dtype == MIEN_F32 ? 1 : mien_head_parts(to->dtype);
  to->labels = whole(head->n_labels, PADDED_LABELS);
  to->dim = whole(head->dim, PADDED_DIM);
  std::vector<unsigned char> weights((size_t)to->parts * to->labels * to->dim * size);
  std::vector<float> scales(to->labels, 1);
  for (size_t label = 0; label < head->n_labels; label++) {
    const float *row = head->weights + label * head->dim;
    scales[label] = mien_head_scale(to->dtype, row, head->dim);
    for (size_t i = 0; i < head->dim; i++) {
      uint16_t parts[3];
      if (to->dtype == MIEN_F32) {
        memcpy(weights.data() + (label * to->dim + i) * size, row + i, size);
        continue;
      }
      mien_head_split(to->dtype, row[i], scales[label], parts);
      for (size_t part = 0; part < (size_t)to->parts; part++)
        memcpy(weights.data() + ((part * to->labels + label) * to->dim + i) * size, &parts[part], size);
    }
  }
  unsigned char *copy;
  float *copied_scales;
  MIEN_PASS(mien_arena_copy(&engine->weights, weights.data(), weights.size(), &copy));
  MIEN_PASS(mien_arena_copy(&engine->weights, scales.data(), scales.size(), &copied_scales));
  to->weights = copy;
  to->numbers.scales = copied_scales;
  return mien_cublas_prepare();
}

/* [labels], padded to what the own way reads. */
static cudaError_t copy_of_labels(mien_cuda_engine *engine, const mien_cuda_head *head, const float *from,
                                  const float **to) {
  std::vector<float> padded(whole(head->n_labels, MIEN_HEAD_LABELS), 0);
  float *copy;
  memcpy(padded.data(), from, head->n_labels * sizeof *from);
  MIEN_PASS(mien_arena_copy(&engine->weights, padded.data(), padded.size(), &copy));
  *to = copy;
  return cudaSuccess;
}

cudaError_t mien_engine_set_head(mien_cuda_engine *engine, const mien_cuda_head *head, mien_cuda_way way) {
  static const mien_dtype dtypes[MIEN_HEAD_DTYPES] = {MIEN_F32, MIEN_F16, MIEN_BF16};
  mien_head_numbers numbers = {};
  engine->has_head = true;
  engine->n_labels = head->n_labels;
  engine->n_words = (head->n_labels + 31) / 32;
  engine->dim = head->dim;
  numbers.n_labels = (int)head->n_labels;
  numbers.dim = (int)head->dim;
  MIEN_PASS(copy_of_labels(engine, head, head->bias, &numbers.bias));
  MIEN_PASS(copy_of_labels(engine, head, head->thresholds, &numbers.thresholds));
  MIEN_PASS(copy_of_labels(engine, head, head->sure_no, &numbers.sure_no));
  MIEN_PASS(copy_of_labels(engine, head, head->sure_yes, &numbers.sure_yes));
  for (int i = 0; i < MIEN_HEAD_DTYPES; i++) {
    mien_engine_head *to = &engine->heads[i];
    const bool fits =
        head->n_labels <= MIEN_HEAD_LABELS && mien_head_fragment_bytes(dtypes[i], head->dim) <= engine->shared_bytes;
    to->dtype = dtypes[i];
    to->numbers = numbers;
    to->own = fits && way != MIEN_CUDA_CUBLAS;
    to->by_itself = to->own == fits;
    MIEN_PASS(to->own ? set_own(engine, head, to) : set_cublas(engine, head, to));
  }
  return cudaSuccess;
}

cudaError_t mien_engine_queue_head(const mien_cuda_engine *engine, const mien_engine_head *head, const void *rows,
                                   size_t stride, size_t n, void *packed, float *logits,
                                   const mien_device_results *results, cudaStream_t stream) {
  if (head->own) {
    MIEN_TRY(mien_head_label(&head->numbers, head->dtype, rows, stride, n, results, engine->multiprocessors, stream));
    return cudaSuccess;
  }
  if (stride != head->dim || (uintptr_t)rows % 16 != 0) {
    MIEN_TRY(mien_head_pack_rows(head->dtype, rows, stride, n, engine->dim, head->dim, packed, stream));
    rows = packed;
  }
  const size_t outputs = (size_t)head->parts * head->labels;
  MIEN_PASS(mien_cublas_multiply(head->dtype, head->weights, outputs, head->dim, rows, head->dim, n, logits, stream));
  MIEN_TRY(mien_head_label_logits(&head->numbers, logits, outputs, head->parts, head->labels, n, results, stream));
  return cudaSuccess;
}

/* ---- The encoder ------------------------------------------------------------------------------------------------- */

static uint16_t bits_of(mien_dtype number, float x) {
  return number == MIEN_F16 ? mien_float_to_half(x) : mien_float_to_bf16(x);
}

static float number_of(mien_dtype number, uint16_t bits) {
  return number == MIEN_F16 ? mien_half_to_float(bits) : mien_bf16_to_float(bits);
}

/* Floats to one or two planes of 16-bit numbers. */
static cudaError_t copy_planes(mien_cuda_engine *engine, const float *from, size_t n, mien_planes *to) {
  const mien_engine_encoder *encoder = &engine->encoder;
  const size_t planes = encoder->kept == MIEN_KEPT_BF16X2 ? 2 : 1;
  std::vector<uint16_t> numbers(planes * n);
  for (size_t i = 0; i < n; i++) {
    numbers[i] = bits_of(encoder->number, from[i]);
    if (planes == 2) numbers[n + i] = bits_of(encoder->number, from[i] - number_of(encoder->number, numbers[i]));
  }
  to->plane = planes == 2 ? n : 0;
  return mien_arena_copy(&engine->weights, numbers.data(), numbers.size(), &to->numbers);
}

static cudaError_t copy_floats(mien_cuda_engine *engine, const float *from, size_t n, float **to) {
  *to = NULL;
  return from ? mien_arena_copy(&engine->weights, from, n, to) : cudaSuccess;
}

static cudaError_t set_matrix(mien_cuda_engine *engine, const mien_cuda_encoder *encoder, size_t layer, size_t m,
                              std::vector<float> *scratch) {
  const mien_cuda_matrix *from = &encoder->layer[layer].matrices[m];
  mien_engine_matrix *to = &engine->encoder.layers[layer].matrices[m];
  to->inputs = (int)from->inputs;
  to->outputs = (int)from->outputs;
  scratch->resize(from->inputs * from->outputs);
  encoder->weights(encoder->user, layer, m, scratch->data());
  if (engine->encoder.kept == MIEN_KEPT_F32)
    MIEN_PASS(copy_floats(engine, scratch->data(), scratch->size(), &to->floats));
  else
    MIEN_PASS(copy_planes(engine, scratch->data(), scratch->size(), &to->w));
  MIEN_PASS(copy_floats(engine, from->bias, from->outputs, &to->bias));
  MIEN_PASS(copy_floats(engine, from->scales, from->outputs, &to->scales));
  return copy_floats(engine, from->multipliers, from->inputs, &to->multipliers);
}

static cudaError_t set_layer(mien_cuda_engine *engine, const mien_cuda_encoder *encoder, size_t layer,
                             std::vector<float> *scratch) {
  const mien_cuda_layer *from = &encoder->layer[layer];
  mien_engine_layer *to = &engine->encoder.layers[layer];
  for (size_t m = 0; m < MIEN_CUDA_LAYER_MATRICES; m++) MIEN_PASS(set_matrix(engine, encoder, layer, m, scratch));
  MIEN_PASS(copy_floats(engine, from->attention_gamma, encoder->hidden, &to->attention_gamma));
  MIEN_PASS(copy_floats(engine, from->attention_beta, encoder->hidden, &to->attention_beta));
  MIEN_PASS(copy_floats(engine, from->output_gamma, encoder->hidden, &to->output_gamma));
  return copy_floats(engine, from->output_beta, encoder->hidden, &to->output_beta);
}

/* Words in 16 bits where they are whole numbers of them: of bf16 and f16. */
static bool has_short_words(mien_dtype dtype) { return dtype == MIEN_BF16 || dtype == MIEN_F16; }

static cudaError_t set_words(mien_cuda_engine *engine, const mien_cuda_encoder *encoder) {
  enum { AT_A_TIME = 4096 };
  mien_engine_encoder *to = &engine->encoder;
  const size_t hidden = encoder->hidden, size = has_short_words(encoder->dtype) ? 2 : 4;
  std::vector<float> rows(AT_A_TIME * hidden);
  std::vector<uint16_t> numbers(size == 2 ? rows.size() : 0);
  unsigned char *words;
  MIEN_PASS(mien_arena_take(&engine->weights, encoder->vocabulary * hidden * size, &words));
  for (size_t first = 0; first < encoder->vocabulary; first += AT_A_TIME) {
    const size_t n = encoder->vocabulary - first < AT_A_TIME ? encoder->vocabulary - first : (size_t)AT_A_TIME;
    for (size_t i = 0; i < n; i++) encoder->word(encoder->user, first + i, rows.data() + i * hidden);
    for (size_t i = 0; size == 2 && i < n * hidden; i++) numbers[i] = bits_of(to->number, rows[i]);
    const void *from = size == 2 ? static_cast<const void *>(numbers.data()) : rows.data();
    MIEN_TRY(cudaMemcpy(words + first * hidden * size, from, n * hidden * size, cudaMemcpyHostToDevice));
  }
  to->words = words;
  to->words_are_floats = size == 4;
  return cudaSuccess;
}

static cudaError_t set_all(mien_cuda_engine *engine, const mien_cuda_encoder *encoder) {
  mien_engine_encoder *to = &engine->encoder;
  std::vector<float> scratch;
  MIEN_PASS(copy_floats(engine, encoder->positions, encoder->max_tokens * encoder->hidden, &to->positions));
  MIEN_PASS(copy_floats(engine, encoder->gamma, encoder->hidden, &to->gamma));
  MIEN_PASS(copy_floats(engine, encoder->beta, encoder->hidden, &to->beta));
  to->layers.resize(encoder->layers);
  for (size_t layer = 0; layer < encoder->layers; layer++) MIEN_PASS(set_layer(engine, encoder, layer, &scratch));
  return set_words(engine, encoder);
}

mien_status mien_engine_set_encoder(mien_cuda_engine *engine, const mien_cuda_encoder *encoder, mien_cuda_way way,
                                    mien_error *error) {
  mien_engine_encoder *to = &engine->encoder;
  engine->has_encoder = true;
  if (!engine->has_head) engine->dim = encoder->hidden;
  switch (encoder->dtype) {
  case MIEN_F32: to->kept = MIEN_KEPT_F32; break;
  case MIEN_BF16X3: to->kept = MIEN_KEPT_BF16X2; break;
  case MIEN_BF16: to->kept = MIEN_KEPT_BF16; break;
  default: to->kept = MIEN_KEPT_F16; /* int8's whole numbers are exact in f16, and activations have 11 bits */
  }
  to->number = to->kept == MIEN_KEPT_F16 ? MIEN_F16 : MIEN_BF16;
  to->by_cublas = to->kept == MIEN_KEPT_F32 || (way == MIEN_CUDA_CUBLAS && to->kept != MIEN_KEPT_BF16X2);
  to->by_itself = to->by_cublas == (to->kept == MIEN_KEPT_F32);
  to->dtype = encoder->dtype;
  to->hidden = encoder->hidden;
  to->intermediate = encoder->layer[0].matrices[MIEN_MATRIX_UP].outputs;
  to->n_heads = encoder->heads;
  to->columns = encoder->head_columns;
  to->max_tokens = encoder->max_tokens;
  to->epsilon = encoder->layer_norm_eps;
  to->pooling = encoder->pooling;
  to->normalize = encoder->normalize;
  if (!mien_pool_fits(to->hidden, engine->shared_bytes) || !mien_attend_fits((int)to->max_tokens, engine->shared_bytes))
    return mien_fail(error, MIEN_ARGUMENT,
                     "%s: an encoder of %zu numbers and %zu tokens: expected at most what %zu bytes of shared memory "
                     "hold",
                     engine->name, to->hidden, to->max_tokens, engine->shared_bytes);
  cudaError_t code = set_all(engine, encoder);
  if (code == cudaSuccess && to->by_cublas) code = mien_cublas_prepare();
  if (code == cudaSuccess) code = mien_forward_prepare(engine);
  engine->pools_to_labels = engine->has_head && engine->heads[MIEN_HEAD_F32].own;
  return mien_engine_end(engine, code, "loading the encoder", error);
}
