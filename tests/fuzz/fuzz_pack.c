/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a pack. An accepted one is a model whose labels, tokenizer and encoder can be used. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mien/mien.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

static void use_labels(const mien_model *model) {
  for (size_t i = 0; i < mien_model_label_count(model); i++) {
    require(mien_model_label_name(model, i)[0] != '\0');
    require(mien_model_threshold(model, i) >= 0 && mien_model_threshold(model, i) <= 1);
  }
}

static void use_tokenizer(const mien_model *model) {
  static const char text[] = "I am so happy [SEP] today, caf\xC3\xA9 \xFF!";
  int32_t ids[sizeof text + 2];
  size_t n = 0;
  const mien_text whole = {text, sizeof text - 1};
  require(mien_tokenize(model, whole, 0, ids, sizeof ids / sizeof *ids, &n, NULL) == MIEN_OK);
  require(n >= 2 && n <= sizeof ids / sizeof *ids);
}

/* Small ones only: a pass through a wide encoder is slow. */
static void use_encoder(mien_model *model) {
  enum { MOST = 64 };
  const mien_text text = {"a happy text", 12};
  mien_session *session = NULL;
  float embedding[MOST];
  if (mien_model_dim(model) > MOST || mien_model_max_tokens(model) > MOST) return;
  require(mien_session_create(model, NULL, &session, NULL) == MIEN_OK);
  mien_results results = {.size = sizeof results, .embeddings = embedding};
  require(mien_embed_texts(session, &text, 1, &results, NULL) == MIEN_OK);
  mien_session_destroy(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mien_error error = {0};
  mien_model *model = NULL;
  const mien_status status = mien_model_open_memory(data, size, NULL, &model, &error);
  require((status == MIEN_OK) == (model != NULL));
  if (!model) {
    require((status == MIEN_INPUT || status == MIEN_RESOURCE) && error.message[0] != '\0');
    return 0;
  }
  require(strlen(mien_model_describe(model)) > 0);
  use_labels(model);
  if (mien_model_max_tokens(model) > 0) {
    use_tokenizer(model);
    use_encoder(model);
  }
  mien_model_release(model);
  return 0;
}
