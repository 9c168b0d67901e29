/* SPDX-License-Identifier: Apache-2.0 */
/* What the module of packs exports besides: text in. */
#include "base/memory.h"
#include "base/status.h"
#include "exports.h"
#include "kernels/encoder_kernels.h"
#include "model/model.h"
#include "relaxed.h"

/* A status that no other function has: this engine's relaxed SIMD is of no use, see relaxed.c. */
enum { MIEN_INEXACT = -1 };

handle *EXPORT(mien_open)(unsigned char *bytes, size_t size, const char *thresholds, size_t thresholds_size,
                          uint32_t max_tokens);
mien_status EXPORT(mien_run_texts)(handle *h, const mien_text *texts, size_t n, int32_t kind, size_t columns,
                                   void *values, mien_row_status *status);
mien_status EXPORT(mien_check)(void);
mien_status EXPORT(mien_trial)(uint32_t times);

static bool is_inexact(void) { return mien_relaxed_is_exact && !mien_relaxed_is_exact(); }

/* MIEN_OK where the module can be used here, else MIEN_INEXACT. */
mien_status mien_check(void) { return is_inexact() ? MIEN_INEXACT : MIEN_OK; }

/* Takes over `bytes`, from mien_take, after a failure too. thresholds: JSON, or 0; max_tokens: 0 is the model's own. */
handle *mien_open(unsigned char *bytes, size_t size, const char *thresholds, size_t thresholds_size,
                  uint32_t max_tokens) {
  mien_model_options options = mien_options_of(thresholds, thresholds_size);
  mien_model *model = NULL;
  options.max_tokens = max_tokens;
  mien_status status = mien_model_adopt(bytes, size, &options, &model, &mien_last_error);
  return mien_handle_of(model, status);
}

/* Products as models have them, for the host to measure: 9.4 million multiply-adds each of `times`. */
mien_status mien_trial(uint32_t times) {
  enum { ROWS = 64, INPUTS = 384, OUTPUTS = 384 };
  const mien_encoder_kernels *kernels = mien_encoder_kernels_for(MIEN_PRODUCTS_INT8, MIEN_ISA_RELAXED);
  mien_matrix matrix = {.inputs = INPUTS, .outputs = OUTPUTS};
  matrix.panels = mien_alloc(INPUTS, OUTPUTS);
  float *numbers = mien_alloc(2 * OUTPUTS + ROWS * INPUTS + ROWS * OUTPUTS, sizeof *numbers);
  matrix.sums = mien_alloc(OUTPUTS, sizeof *matrix.sums);
  void *scratch = mien_alloc(kernels->scratch_bytes(ROWS, INPUTS, MIEN_PANEL), 1);
  const bool has_memory = matrix.panels && numbers && matrix.sums && scratch;
  if (has_memory) {
    matrix.bias = numbers;
    matrix.scales = numbers + OUTPUTS;
    float *x = numbers + 2 * OUTPUTS;
    for (uint32_t i = 0; i < times; i++) kernels->project(&matrix, x, ROWS, OUTPUTS, 0, scratch, x + ROWS * INPUTS);
  }
  mien_free(scratch);
  mien_free(matrix.sums);
  mien_free(numbers);
  mien_free(matrix.panels);
  return has_memory ? MIEN_OK : mien_fail_memory(&mien_last_error, "trial", INPUTS * OUTPUTS);
}

/* Of each text the number of its spans, and as many of them as there is room for. */
static mien_status split(const handle *h, const mien_text *texts, size_t n, size_t columns, uint32_t *values,
                         mien_row_status *status) {
  _Static_assert(sizeof(mien_text_span) == 2 * sizeof *values, "spans are pairs of the values' type");
  mien_status code = MIEN_OK;
  for (size_t i = 0; i < n && code == MIEN_OK; i++) {
    uint32_t *row = values + i * columns;
    size_t n_spans = 0;
    code =
        mien_split_text(h->model, texts[i], (mien_text_span *)(row + 1), (columns - 1) / 2, &n_spans, &mien_last_error);
    row[0] = (uint32_t)n_spans;
    status[i] = MIEN_ROW_OK;
  }
  return code;
}

/*
 * texts [n] are pairs of an offset and a size; values [n × columns] of 4 bytes each are, by `kind`, their scores (L
 * columns), embeddings (D), or the number of their spans and behind it, as far as there are columns, a start and an end
 * of each. MIEN_INEXACT: nothing that is there is to be used.
 */
mien_status mien_run_texts(handle *h, const mien_text *texts, size_t n, int32_t kind, size_t columns, void *values,
                           mien_row_status *status) {
  enum { SCORES, EMBEDDINGS, SPANS };
  if (kind == SPANS) return split(h, texts, n, columns, values, status);
  if (is_inexact()) return MIEN_INEXACT;
  mien_results results = {.size = sizeof results, .status = status};
  mien_status code;
  if (kind == SCORES) {
    results.scores = values;
    code = mien_label_texts(h->session, texts, n, &results, &mien_last_error);
  } else {
    results.embeddings = values;
    code = mien_embed_texts(h->session, texts, n, &results, &mien_last_error);
  }
  /* The engine may have compiled the kernel anew meanwhile. */
  return is_inexact() ? MIEN_INEXACT : code;
}
