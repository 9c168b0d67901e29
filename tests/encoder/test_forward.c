/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass of small encoders with random weights, against a plain one in double. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "encoder/forward.h"
#include "suite.h"

enum { LAYERS = 2, VOCABULARY = 50, POSITIONS = 40, TYPES = 2, MOST_HIDDEN = 96, MOST_BETWEEN = 400 };

/* ---- Random encoders ------------------------------------------------------------------------------------------ */

/* What a file's weights look like. */
typedef struct shape {
  size_t hidden, heads, intermediate;
  mien_dtype dtype;
  bool inputs_first;
  mien_pooling pooling;
  bool normalize;
} shape;

/* Weights are taken from here one behind the other, at odd addresses as in files. */
typedef struct weights {
  unsigned char *bytes;
  size_t size;
  uint64_t state;
} weights;

static uint16_t half_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  /* Truncated, which the values here, of moderate size, allow; 0 stays 0. */
  const int32_t exponent = (int32_t)(bits >> 23 & 0xFF) - 127 + 15;
  return exponent <= 0 ? 0 : (uint16_t)((bits >> 16 & 0x8000) | (uint32_t)exponent << 10 | (bits >> 13 & 0x3FF));
}

static mien_weight add(weights *all, const shape *of, size_t outputs, size_t inputs, double scale, double centre) {
  mien_weight weight = {all->bytes + all->size, outputs, inputs, of->dtype, of->inputs_first && outputs > 1, NULL};
  for (size_t i = 0; i < outputs * inputs; i++) {
    const float value = (float)(centre + scale * random_unit(&all->state));
    unsigned char *at = all->bytes + all->size;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t half = of->dtype == MIEN_F16 ? half_of(value) : (uint16_t)(bits >> 16);
    const size_t size = of->dtype == MIEN_F32 ? 4 : 2;
    memcpy(at, of->dtype == MIEN_F32 ? (const void *)&bits : (const void *)&half, size);
    all->size += size;
  }
  return weight;
}

static mien_weight table(weights *all, const shape *of, size_t rows) {
  shape plain = *of;
  plain.inputs_first = false;
  return add(all, &plain, rows, of->hidden, 1, 0);
}

static mien_weight_linear linear(weights *all, const shape *of, size_t outputs, size_t inputs) {
  mien_weight_linear made;
  made.weight = add(all, of, outputs, inputs, 2 / sqrt((double)inputs), 0);
  made.bias = add(all, of, 1, outputs, 0.5, 0);
  return made;
}

static mien_weight_norm norm(weights *all, const shape *of) {
  mien_weight_norm made;
  made.gamma = add(all, of, 1, of->hidden, 0.5, 1);
  made.beta = add(all, of, 1, of->hidden, 0.5, 0);
  return made;
}

static mien_encoder_source *make_source(const shape *of, weights *all, uint64_t seed) {
  *all = (weights){.bytes = malloc((size_t)1 << 22), .size = 1, .state = seed * 2 + 1};
  mien_encoder_source *source = mien_alloc(1, sizeof *source);
  source->config = (mien_encoder_config){.layers = LAYERS,
                                         .hidden = of->hidden,
                                         .heads = of->heads,
                                         .intermediate = of->intermediate,
                                         .vocabulary = VOCABULARY,
                                         .positions = POSITIONS,
                                         .token_types = TYPES,
                                         .layer_norm_eps = 1e-12f,
                                         .pooling = of->pooling,
                                         .normalize = of->normalize,
                                         .max_tokens = POSITIONS - 3};
  source->format = "test";
  mien_encoder_weights *w = &source->weights;
  w->word = table(all, of, VOCABULARY);
  w->position = table(all, of, POSITIONS);
  w->token_type = table(all, of, TYPES);
  w->norm = norm(all, of);
  w->layers = mien_alloc(LAYERS, sizeof *w->layers);
  for (size_t i = 0; i < LAYERS; i++)
    w->layers[i] = (mien_layer_weights){.query = linear(all, of, of->hidden, of->hidden),
                                        .key = linear(all, of, of->hidden, of->hidden),
                                        .value = linear(all, of, of->hidden, of->hidden),
                                        .attention_output = linear(all, of, of->hidden, of->hidden),
                                        .attention_norm = norm(all, of),
                                        .intermediate = linear(all, of, of->intermediate, of->hidden),
                                        .output = linear(all, of, of->hidden, of->intermediate),
                                        .output_norm = norm(all, of)};
  return source;
}

/* ---- The plain forward pass ------------------------------------------------------------------------------------ */

static double number(const mien_weight *weight, size_t output, size_t input) {
  float value;
  mien_weight_numbers(weight, weight->inputs_first ? input * weight->outputs + output : output * weight->inputs + input,
                      1, &value);
  return value;
}

static void plain_linear(const mien_weight_linear *map, const double *x, double *y) {
  for (size_t output = 0; output < map->weight.outputs; output++) {
    y[output] = number(&map->bias, 0, output);
    for (size_t input = 0; input < map->weight.inputs; input++)
      y[output] += x[input] * number(&map->weight, output, input);
  }
}

static void plain_norm(const mien_weight_norm *by, double *x, size_t n) {
  double mean = 0, variance = 0;
  for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;
  for (size_t i = 0; i < n; i++) variance += (x[i] - mean) * (x[i] - mean) / (double)n;
  for (size_t i = 0; i < n; i++)
    x[i] = (x[i] - mean) / sqrt(variance + 1e-12) * number(&by->gamma, 0, i) + number(&by->beta, 0, i);
}

typedef double row[MOST_HIDDEN];

static void plain_attention(const mien_encoder_config *config, row *queries, row *keys, row *values, size_t n,
                            size_t token, double *out) {
  const size_t columns = config->hidden / config->heads;
  for (size_t head = 0; head < config->heads; head++) {
    double weight_of[POSITIONS], sum = 0;
    for (size_t k = 0; k < n; k++) {
      double score = 0;
      for (size_t i = head * columns; i < (head + 1) * columns; i++) score += queries[token][i] * keys[k][i];
      weight_of[k] = exp(score / sqrt((double)columns));
      sum += weight_of[k];
    }
    for (size_t i = head * columns; i < (head + 1) * columns; i++) {
      out[i] = 0;
      for (size_t k = 0; k < n; k++) out[i] += weight_of[k] / sum * values[k][i];
    }
  }
}

static void plain_layer(const mien_encoder_config *config, const mien_layer_weights *w, row *x, size_t n) {
  static row queries[POSITIONS], keys[POSITIONS], values[POSITIONS];
  for (size_t t = 0; t < n; t++) {
    plain_linear(&w->query, x[t], queries[t]);
    plain_linear(&w->key, x[t], keys[t]);
    plain_linear(&w->value, x[t], values[t]);
  }
  for (size_t t = 0; t < n; t++) {
    double context[MOST_HIDDEN], more[MOST_HIDDEN], between[MOST_BETWEEN];
    plain_attention(config, queries, keys, values, n, t, context);
    plain_linear(&w->attention_output, context, more);
    for (size_t i = 0; i < config->hidden; i++) x[t][i] += more[i];
    plain_norm(&w->attention_norm, x[t], config->hidden);
    plain_linear(&w->intermediate, x[t], between);
    for (size_t i = 0; i < config->intermediate; i++) between[i] *= (1 + erf(between[i] / sqrt(2))) / 2;
    plain_linear(&w->output, between, more);
    for (size_t i = 0; i < config->hidden; i++) x[t][i] += more[i];
    plain_norm(&w->output_norm, x[t], config->hidden);
  }
}

static void plain_forward(const mien_encoder_source *source, const int32_t *ids, size_t n, double *out) {
  static row x[POSITIONS];
  const mien_encoder_config *config = &source->config;
  const mien_encoder_weights *w = &source->weights;
  for (size_t t = 0; t < n; t++) {
    for (size_t i = 0; i < config->hidden; i++)
      x[t][i] = number(&w->word, (size_t)ids[t], i) + number(&w->position, t, i) + number(&w->token_type, 0, i);
    plain_norm(&w->norm, x[t], config->hidden);
  }
  for (size_t layer = 0; layer < config->layers; layer++) plain_layer(config, &w->layers[layer], x, n);
  double squares = 0;
  for (size_t i = 0; i < config->hidden; i++) {
    out[i] = x[0][i];
    for (size_t t = 1; t < n && config->pooling == MIEN_POOLING_MEAN; t++) out[i] += x[t][i];
    for (size_t t = 1; t < n && config->pooling == MIEN_POOLING_MAX; t++) out[i] = fmax(out[i], x[t][i]);
    if (config->pooling == MIEN_POOLING_MEAN) out[i] /= (double)n;
    squares += out[i] * out[i];
  }
  for (size_t i = 0; i < config->hidden && config->normalize; i++) out[i] /= sqrt(squares);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

enum { TEXTS = 9 };
static const size_t lengths[TEXTS] = {2, 37, 3, 16, 17, 1, 8, 24, 5};

static void make_ids(int32_t *ids, size_t n) {
  uint64_t state = 11;
  for (size_t i = 0; i < n; i++) ids[i] = (int32_t)(random_bits(&state) % VOCABULARY);
}

typedef struct fixture {
  weights all;
  mien_encoder_plan *plan;
  mien_encoder_scratch scratch;
  int32_t ids[256];
  size_t n_ids;
} fixture;

static void make(fixture *f, const shape *of) {
  ck_assert_int_eq(mien_encoder_plan_create(make_source(of, &f->all, 5), 0, NULL, "test", &f->plan, NULL), MIEN_OK);
  ck_assert_int_eq(mien_encoder_scratch_create(mien_encoder_kernels_of[0][0], f->plan, &f->scratch, NULL), MIEN_OK);
  f->n_ids = 0;
  for (size_t i = 0; i < TEXTS; i++) f->n_ids += lengths[i];
  make_ids(f->ids, f->n_ids);
}

static void drop(fixture *f) {
  mien_encoder_scratch_destroy(&f->scratch);
  mien_encoder_plan_destroy(f->plan);
  free(f->all.bytes);
}

#define FOR_EACH_TABLE(kernels)                                                                                        \
  for (int isa = 0; isa < MIEN_ISA_COUNT; isa++)                                                                       \
    for (const mien_encoder_kernels *kernels = mien_isa_available((mien_isa)isa) ? mien_encoder_kernels_of[0][isa]     \
                                                                                 : NULL;                               \
         kernels; kernels = NULL)

static void check(const shape *of) {
  fixture f;
  make(&f, of);
  static float found[TEXTS * MOST_HIDDEN];
  FOR_EACH_TABLE(kernels) {
    mien_encoder_forward(kernels, f.plan, f.ids, lengths, TEXTS, &f.scratch, found);
    const int32_t *ids = f.ids;
    for (size_t text = 0; text < TEXTS; ids += lengths[text++]) {
      double expected[MOST_HIDDEN];
      plain_forward(f.plan->source, ids, lengths[text], expected);
      for (size_t i = 0; i < of->hidden; i++)
        require(fabs(found[text * of->hidden + i] - expected[i]) < 5e-5,
                "%s, hidden %zu, heads %zu: text %zu, number %zu: expected %.8f, found %.8f",
                mien_isa_name(kernels->isa), of->hidden, of->heads, text, i, expected[i],
                (double)found[text * of->hidden + i]);
    }
  }
  drop(&f);
}

START_TEST(embeddings_are_those_of_double_arithmetic) {
  check(&(shape){.hidden = 32, .heads = 2, .intermediate = 64, .normalize = true});
  check(&(shape){.hidden = 64, .heads = 1, .intermediate = 128});
  check(&(shape){.hidden = 96, .heads = 3, .intermediate = 400, .normalize = true});
}
END_TEST

START_TEST(heads_and_middles_that_fill_no_panel_are_padded) {
  check(&(shape){.hidden = 48, .heads = 2, .intermediate = 40}); /* heads of 24 */
  check(&(shape){.hidden = 32, .heads = 4, .intermediate = 17}); /* of 8 */
  check(&(shape){.hidden = 96, .heads = 32, .intermediate = 1, .inputs_first = true});
}
END_TEST

START_TEST(weights_are_read_in_each_precision_and_order) {
  check(&(shape){.hidden = 48, .heads = 2, .intermediate = 40, .dtype = MIEN_F16});
  check(&(shape){.hidden = 48, .heads = 2, .intermediate = 40, .dtype = MIEN_BF16, .inputs_first = true});
  check(&(shape){.hidden = 48, .heads = 2, .intermediate = 40, .inputs_first = true});
}
END_TEST

START_TEST(every_pooling_is_that_of_its_name) {
  for (int normalize = 0; normalize < 2; normalize++)
    for (int pooling = MIEN_POOLING_MEAN; pooling <= MIEN_POOLING_MAX; pooling++)
      check(&(shape){
          .hidden = 32, .heads = 2, .intermediate = 64, .pooling = (mien_pooling)pooling, .normalize = normalize == 1});
}
END_TEST

START_TEST(a_text_has_the_same_bits_alone_and_in_any_batch) {
  for (int pooling = MIEN_POOLING_MEAN; pooling <= MIEN_POOLING_MAX; pooling++) {
    const shape of = {.hidden = 96, .heads = 3, .intermediate = 400, .pooling = (mien_pooling)pooling};
    fixture f;
    make(&f, &of);
    float all[TEXTS * MOST_HIDDEN], alone[TEXTS * MOST_HIDDEN];
    FOR_EACH_TABLE(kernels) {
      mien_encoder_forward(kernels, f.plan, f.ids, lengths, TEXTS, &f.scratch, all);
      const int32_t *ids = f.ids;
      for (size_t first = 0; first < TEXTS; ids += lengths[first++])
        for (size_t n = 1; first + n <= TEXTS; n++) {
          mien_encoder_forward(kernels, f.plan, ids, lengths + first, n, &f.scratch, alone);
          require(memcmp(alone, all + first * of.hidden, n * of.hidden * sizeof(float)) == 0,
                  "%s: texts %zu to %zu have other bits alone", mien_isa_name(kernels->isa), first, first + n - 1);
        }
    }
    drop(&f);
  }
}
END_TEST

START_TEST(a_weight_that_is_not_finite_shows_in_the_embedding) {
  enum { QUERY, KEY, VALUE, DOWN, PLACES };
  for (int place = QUERY; place < PLACES; place++)
    for (int pooling = MIEN_POOLING_MEAN; pooling <= MIEN_POOLING_MAX; pooling++) {
      const shape of = {
          .hidden = 32, .heads = 2, .intermediate = 64, .pooling = (mien_pooling)pooling, .normalize = true};
      fixture f;
      make(&f, &of);
      mien_layer *last = &f.plan->layers[LAYERS - 1];
      float *bias = place == DOWN ? last->down.bias : last->query_key_value.bias + (size_t)place * of.hidden;
      bias[3] = place == KEY ? INFINITY : NAN;
      float found[TEXTS * MOST_HIDDEN];
      FOR_EACH_TABLE(kernels) {
        mien_encoder_forward(kernels, f.plan, f.ids, lengths, TEXTS, &f.scratch, found);
        for (size_t text = 0; text < TEXTS; text++)
          require(isnan(found[text * of.hidden]), "%s: place %d, text %zu: expected NaN, found %g",
                  mien_isa_name(kernels->isa), place, text, (double)found[text * of.hidden]);
      }
      drop(&f);
    }
}
END_TEST

START_TEST(batches_share_out_all_texts_and_none_is_over_its_room) {
  uint64_t state = 21;
  for (int round = 0; round < 2000; round++) {
    enum { MOST = 64 };
    const size_t n = 1 + random_bits(&state) % MOST, longest = 1 + random_bits(&state) % 600;
    const size_t room = longest > MIEN_BATCH_TOKENS ? longest : MIEN_BATCH_TOKENS;
    size_t counts[MOST], left = 0, batches = 0, first = 0;
    for (size_t i = 0; i < n; i++) left += counts[i] = 1 + random_bits(&state) % longest;
    const size_t least = (left + room - 1) / room;
    for (size_t taken; first < n; first += taken, batches++) {
      size_t tokens = 0;
      taken = mien_encoder_next_batch(counts + first, n - first, left, room);
      require(taken >= 1 && taken <= n - first, "%zu of %zu texts", taken, n - first);
      for (size_t i = 0; i < taken; i++) tokens += counts[first + i];
      require(tokens <= room, "%zu tokens in a room of %zu", tokens, room);
      left -= tokens;
    }
    require(first == n && left == 0, "%zu texts of %zu, %zu tokens left", first, n, left);
    require(batches >= least, "%zu batches, at least %zu are needed", batches, least);
  }
}
END_TEST

static void refuse(size_t hidden, size_t heads, size_t max_tokens, mien_status code, const char *words) {
  weights all;
  mien_encoder_plan *plan = NULL;
  mien_error error = {0};
  const shape of = {.hidden = hidden, .heads = heads, .intermediate = 16};
  ck_assert_int_eq(mien_encoder_plan_create(make_source(&of, &all, 1), max_tokens, NULL, "small", &plan, &error), code);
  require(strstr(error.message, words), "expected '%s' in '%s'", words, error.message);
  free(all.bytes);
}

START_TEST(sizes_that_are_not_supported_are_refused) {
  refuse(24, 2, 0, MIEN_INPUT, "small: hidden size: expected a multiple of 16, found 24");
  refuse(32, 2, 2, MIEN_ARGUMENT, "small: max_tokens: expected 3 to 37, found 2");
  refuse(32, 2, 38, MIEN_ARGUMENT, "small: max_tokens: expected 3 to 37, found 38");
}
END_TEST

MIEN_SUITE("forward pass", embeddings_are_those_of_double_arithmetic, heads_and_middles_that_fill_no_panel_are_padded,
           weights_are_read_in_each_precision_and_order, every_pooling_is_that_of_its_name,
           a_text_has_the_same_bits_alone_and_in_any_batch, a_weight_that_is_not_finite_shows_in_the_embedding,
           batches_share_out_all_texts_and_none_is_over_its_room, sizes_that_are_not_supported_are_refused)
