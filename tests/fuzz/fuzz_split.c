/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a text to be cut. Spans are in order and fit, and nothing that has ids is lost between. */
#include "fuzz/small_tokenizer.h"
#include "tokenizer/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many ids some bytes are, without those around them. */
static size_t count_ids(const mien_tokenizer *tokenizer, const char *text, size_t bytes) {
  int32_t *ids = malloc((bytes + MIEN_TOKENIZER_SPECIALS) * sizeof *ids);
  require(ids);
  const size_t n = mien_tokenizer_run(tokenizer, text, bytes, bytes + MIEN_TOKENIZER_SPECIALS, ids, NULL);
  free(ids);
  return n - MIEN_TOKENIZER_SPECIALS;
}

static void check(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids) {
  enum { MOST_UTF8 = 4 };
  int32_t *ids = malloc(max_ids * sizeof *ids);
  mien_text_span *spans = malloc((bytes + 1) * sizeof *spans);
  require(ids && spans);
  const size_t n = mien_tokenizer_split(tokenizer, text, bytes, max_ids, ids, spans, bytes + 1);
  require(n >= 1 && n <= bytes + 1);
  size_t end = 0;
  for (size_t i = 0; i < n; i++) {
    require(spans[i].start >= end && spans[i].end <= bytes && (spans[i].start < spans[i].end || n == 1));
    require(count_ids(tokenizer, text + end, spans[i].start - end) == 0);
    end = spans[i].end;
    const size_t length = end - spans[i].start;
    require(count_ids(tokenizer, text + spans[i].start, length) + MIEN_TOKENIZER_SPECIALS <= max_ids ||
            length <= MOST_UTF8);
  }
  require(count_ids(tokenizer, text + end, bytes - end) == 0);
  require(n == 1 || count_ids(tokenizer, text, bytes) + MIEN_TOKENIZER_SPECIALS > max_ids);
  free(ids);
  free(spans);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static mien_tokenizer *tokenizers[4];
  if (!tokenizers[0])
    for (int i = 0; i < 4; i++) tokenizers[i] = make_small(i & 1, (i & 2) != 0);
  /* The first byte says how much fits. */
  const size_t max_ids = MIEN_TOKENIZER_SPECIALS + 1 + (size ? data[0] : 0) % 32;
  for (size_t i = 0; i < 4; i++) check(tokenizers[i], (const char *)data, size, max_ids);
  return 0;
}
