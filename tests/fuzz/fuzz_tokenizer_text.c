/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a text. Ids are in the vocabulary, no more than promised, the same on the short way for
 * ASCII words and on the long one, and a cut text's are the whole one's first. */
#include "fuzz/small_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids) {
  int32_t *ids = malloc((bytes + MIEN_TOKENIZER_SPECIALS) * sizeof *ids);
  int32_t *other = malloc((bytes + MIEN_TOKENIZER_SPECIALS) * sizeof *other);
  bool truncated;
  require(ids && other);
  const size_t n = mien_tokenizer_run(tokenizer, text, bytes, bytes + MIEN_TOKENIZER_SPECIALS, ids, &truncated);
  require(n >= MIEN_TOKENIZER_SPECIALS && n <= bytes + MIEN_TOKENIZER_SPECIALS && !truncated);
  for (size_t i = 0; i < n; i++) require(ids[i] >= 0 && (size_t)ids[i] < mien_tokenizer_vocabulary(tokenizer));
  tokenizer->ascii_words = false;
  const size_t n_slow = mien_tokenizer_run(tokenizer, text, bytes, bytes + MIEN_TOKENIZER_SPECIALS, other, NULL);
  require(n_slow == n && memcmp(ids, other, n * sizeof *ids) == 0);
  for (int is_fast = 0; is_fast < 2; is_fast++) {
    tokenizer->ascii_words = is_fast;
    const size_t n_cut = mien_tokenizer_run(tokenizer, text, bytes, max_ids, other, &truncated);
    require(n_cut == (n < max_ids ? n : max_ids) && truncated == (n > max_ids));
    require(memcmp(ids, other, (n_cut - 1) * sizeof *ids) == 0 && other[n_cut - 1] == ids[n - 1]);
  }
  free(ids);
  free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static mien_tokenizer *tokenizers[4];
  if (!tokenizers[0])
    for (int i = 0; i < 4; i++) tokenizers[i] = make_small(i & 1, (i & 2) != 0);
  /* The first byte says where the text is cut. */
  const size_t most = MIEN_TOKENIZER_SPECIALS + (size ? data[0] : 0);
  for (size_t i = 0; i < 4; i++)
    check(tokenizers[i], (const char *)data, size, most < size + MIEN_TOKENIZER_SPECIALS ? most : size + 2);
  return 0;
}
