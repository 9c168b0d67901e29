/* SPDX-License-Identifier: Apache-2.0 */
/* What the module of ONNX heads exports besides: embeddings are what it takes. */
#include "exports.h"

handle *EXPORT(mien_open_head)(const unsigned char *bytes, size_t size, const char *thresholds, size_t thresholds_size);

/* `bytes` remain the caller's. thresholds: JSON, or 0. */
handle *mien_open_head(const unsigned char *bytes, size_t size, const char *thresholds, size_t thresholds_size) {
  const mien_model_options options = mien_options_of(thresholds, thresholds_size);
  mien_model *model = NULL;
  mien_status status = mien_model_open_memory(bytes, size, &options, &model, &mien_last_error);
  return mien_handle_of(model, status);
}
