/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets of texts share: tokenizers of a small vocabulary. */
#ifndef MIEN_FUZZ_SMALL_TOKENIZER_H
#define MIEN_FUZZ_SMALL_TOKENIZER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/internal.h"

static inline void require(bool condition) {
  if (!condition) abort();
}

/* Letters are tokens and most pairs of a few, so that words have many pieces. */
static inline mien_tokenizer *make_small(bool is_uncased, bool clean) {
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

#endif
