/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a text. Ids are in the vocabulary, no more than promised, the same on the short way for
 * ASCII words and on the long one, and a cut text's are the whole one's first. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
  if (!condition) abort();
}

/* Letters are tokens and most pairs of a few, so that words have many pieces. */
static mien_tokenizer *make(bool is_uncased, bool clean) {
  static const char *const tokens[] = {"[UNK]",
                                       "[CLS]",
                                       "[SEP]",
                                       "[MASK]",
                                       "a",
                                       "b",
                                       "ab",
                                       "the",
                                       "##a",
                                       "##b",
                                       "##ab",
                                       "##the",
                                       "##\xC3\xA9",
                                       "1",
                                       "##2",
                                       "!",
                                       "\xC3\xA9",
                                       "A",
                                       "[",
                                       "##\xCC\x87",
                                       "i",
                                       "\xE4\xB8\xAD",
                                       "abababababababababab"};
  const mien_character_options options = {clean, is_uncased, is_uncased, is_uncased};
  const size_t n = sizeof tokens / sizeof *tokens;
  mien_tokenizer *tokenizer;
  require(mien_tokenizer_make(&options, n, "fuzz", &tokenizer, NULL) == MIEN_OK);
  for (size_t i = 0; i < n; i++) {
    const size_t bytes = strlen(tokens[i]);
    require(mien_tokenizer_add(tokenizer, tokens[i], bytes, (int32_t)i, "fuzz", NULL) == MIEN_OK);
    if (i < 4) require(mien_tokenizer_add_raw(tokenizer, tokens[i], bytes, (int32_t)i, "fuzz", NULL) == MIEN_OK);
  }
  mien_tokenizer_finish(tokenizer, 0, 1, 2);
  return tokenizer;
}

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
    for (int i = 0; i < 4; i++) tokenizers[i] = make(i & 1, (i & 2) != 0);
  /* The first byte says where the text is cut. */
  const size_t most = MIEN_TOKENIZER_SPECIALS + (size ? data[0] : 0);
  for (size_t i = 0; i < 4; i++)
    check(tokenizers[i], (const char *)data, size, most < size + MIEN_TOKENIZER_SPECIALS ? most : size + 2);
  return 0;
}
