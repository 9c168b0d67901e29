/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer taken to pieces, for a file that keeps it, and put together again: the same ids for every text. */
#ifndef MIEN_TOKENIZER_PARTS_H
#define MIEN_TOKENIZER_PARTS_H

#include "tokenizer/tokenizer.h"

enum {
  MIEN_MAX_WORD_CHARACTERS = 1024,  /* of max_input_chars_per_word, 100 in BERT: words are kept on the stack */
  MIEN_MAX_ADDED_TOKEN_BYTES = 128, /* bounds what matching at one place of a text costs */
};

/* A token that is matched in the raw text. */
typedef struct mien_added_token {
  int32_t id;
  const char *content;
  size_t bytes;
} mien_added_token;

typedef struct mien_tokenizer_parts {
  bool clean_text, handle_chinese_chars, strip_accents, lowercase;
  size_t max_word_characters;
  int32_t unknown, first, last; /* [UNK], [CLS], [SEP] */
  /* A token a line, its id the line's number from 0. An empty line is an id that no text has. */
  const char *vocabulary;
  size_t vocabulary_bytes;
  mien_added_token *added; /* [n_added] */
  size_t n_added;
  void *memory; /* of parts that were taken: what `vocabulary` and the contents lie in */
} mien_tokenizer_parts;

/*
 * Takes a tokenizer to pieces, which mien_tokenizer_parts_free frees, after a failure too. What a line can't hold is
 * refused (MIEN_INPUT): tokens with line feeds, and ids that two tokens share. `where` names the tokenizer in messages,
 * here and below.
 */
MIEN_MUST_USE mien_status mien_tokenizer_take_parts(const mien_tokenizer *tokenizer, const char *where,
                                                    mien_tokenizer_parts *parts, mien_error *error);
void mien_tokenizer_parts_free(mien_tokenizer_parts *parts);

/* Puts one together. The parts come from outside: what the other loaders refuse is refused. */
MIEN_MUST_USE mien_status mien_tokenizer_from_parts(const mien_tokenizer_parts *parts, const char *where,
                                                    mien_tokenizer **tokenizer, mien_error *error);

#endif
