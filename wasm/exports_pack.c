/* SPDX-License-Identifier: Apache-2.0 */
/* What the module of packs exports besides: text in. */
#include "exports.h"
#include "model/model.h"

handle *EXPORT(mien_open)(unsigned char *bytes, size_t size, const char *thresholds, size_t thresholds_size,
                          uint32_t max_tokens);
mien_status EXPORT(mien_run_texts)(handle *h, const mien_text *texts, size_t n, float *scores, float *embeddings,
                                   mien_row_status *status);

/* Takes over `bytes`, from mien_take, after a failure too. thresholds: JSON, or 0; max_tokens: 0 is the model's own. */
handle *mien_open(unsigned char *bytes, size_t size, const char *thresholds, size_t thresholds_size,
                  uint32_t max_tokens) {
  mien_model_options options = mien_options_of(thresholds, thresholds_size);
  mien_model *model = NULL;
  options.max_tokens = max_tokens;
  mien_status status = mien_model_adopt(bytes, size, &options, &model, &mien_last_error);
  return mien_handle_of(model, status);
}

/* scores [n × L] or embeddings [n × D] may be 0; texts [n] are pairs of an offset and a size. */
mien_status mien_run_texts(handle *h, const mien_text *texts, size_t n, float *scores, float *embeddings,
                           mien_row_status *status) {
  mien_results results = {.size = sizeof results, .scores = scores, .embeddings = embeddings, .status = status};
  if (!scores) return mien_embed_texts(h->session, texts, n, &results, &mien_last_error);
  return mien_label_texts(h->session, texts, n, &results, &mien_last_error);
}
