/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer from the inside, and the steps in which the loaders make one. */
#ifndef MIEN_TOKENIZER_INTERNAL_H
#define MIEN_TOKENIZER_INTERNAL_H

#include "tokenizer/characters.h"
#include "tokenizer/parts.h"
#include "tokenizer/vocabulary.h"

enum { MIEN_ASCII = 128 };

/* What a byte of raw text may be. */
enum {
  MIEN_BYTE_BEGINS_ADDED = 1, /* an added token may begin with it */
  MIEN_BYTE_ENDS_WORD = 2,    /* ASCII space or punctuation */
};

struct mien_tokenizer {
  mien_characters characters;
  mien_vocabulary vocabulary;
  uint8_t bytes[256];               /* MIEN_BYTE_… */
  int32_t isolated_ids[MIEN_ASCII]; /* of punctuation */
  mien_character_options options;
  bool ascii_words;             /* words of ASCII letters and digits may be read eight bytes at once */
  int32_t unknown, first, last; /* [UNK], [CLS], [SEP] */
  size_t max_word_characters;
  size_t vocabulary_size;
};

/* Tokens before any text is read: make, add every token, then what is matched in raw text, then finish. */
MIEN_MUST_USE mien_status mien_tokenizer_make(const mien_character_options *options, size_t n_tokens, const char *where,
                                              mien_tokenizer **tokenizer, mien_error *error);
/* A token of the vocabulary, "##" before those that continue a word. */
MIEN_MUST_USE mien_status mien_tokenizer_add(mien_tokenizer *tokenizer, const char *token, size_t bytes, int32_t id,
                                             const char *where, mien_error *error);
/* A token that is matched in raw text: refused when it is too long, or has spaces at its ends, NULs or U+FFFD. */
MIEN_MUST_USE mien_status mien_tokenizer_add_raw(mien_tokenizer *tokenizer, const char *token, size_t bytes, int32_t id,
                                                 const char *where, mien_error *error);
void mien_tokenizer_finish(mien_tokenizer *tokenizer, int32_t unknown, int32_t first, int32_t last);

/* The lines of a vocabulary, a token each; no more bytes and lines than a tokenizer can have. */
MIEN_MUST_USE mien_status mien_vocabulary_lines(const char *bytes, size_t size, const char *where, size_t *n,
                                                mien_error *error);
/* The length of the line that `text` [bytes ≥ 1] begins with, without its end; refused unless it is UTF-8. */
MIEN_MUST_USE mien_status mien_vocabulary_line(const char *text, size_t bytes, int32_t id, const char *where,
                                               size_t *length, mien_error *error);

/* The prefix of tokens that continue a word: BERT's. */
#define MIEN_CONTINUATION_PREFIX "##"

#endif
