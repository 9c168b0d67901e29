/* SPDX-License-Identifier: Apache-2.0 */
/* A text of any length in pieces of no more ids than are read at once. */
#ifndef MIEN_TOKENIZER_SPLIT_H
#define MIEN_TOKENIZER_SPLIT_H

#include "tokenizer/tokenizer.h"

/*
 * How many bytes of `text` [bytes ≥ 1] are to be read at once, that is as at most `max_ids` > MIEN_TOKENIZER_SPECIALS
 * ids: all of them where they fit, else those up to the last white space where they do, else up to the last place
 * between words as the tokenizer has them (punctuation, ideographs), else some characters, at least one; a character
 * that alone is more ids does not fit. Whatever is cut between words has the ids that it has in the whole text. `ids`
 * [max_ids] is scratch; *n_ids is how many ids there are, or max_ids + 1 of a character that does not fit.
 */
size_t mien_tokenizer_fit(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids, int32_t *ids,
                          size_t *n_ids);

/* mien_split_text's spans, of which as many are written as `capacity` says; returns how many there are, at least 1.
 * `ids` as above. */
size_t mien_tokenizer_split(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids,
                            int32_t *ids, mien_text_span *spans, size_t capacity);

#endif
