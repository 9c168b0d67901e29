/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BERT's tokenizer as Hugging Face tokenizers 0.23 runs it: special tokens matched in the raw text, BertNormalizer,
 * BertPreTokenizer, WordPiece, and [CLS] … [SEP] around. The same ids for every text, from one implementation on every
 * machine. Immutable once made, shared by any number of threads.
 */
#ifndef MIEN_TOKENIZER_TOKENIZER_H
#define MIEN_TOKENIZER_TOKENIZER_H

#include <stdbool.h>

#include "base/status.h"

typedef struct mien_tokenizer mien_tokenizer;

/* Of a file; with half a million tokens one has 10 MB. */
enum { MIEN_MAX_TOKENIZER_BYTES = 32 << 20 };

/* What a vocab.txt does not say: tokenizer_config.json's fields. Zero is BERT's default, uncased. */
typedef struct mien_vocabulary_options {
  bool cased;                 /* do_lower_case false */
  bool keep_accents;          /* strip_accents false, or null and cased */
  bool no_chinese_characters; /* tokenize_chinese_chars false: no spaces put around CJK ideographs */
} mien_vocabulary_options;

/*
 * From a tokenizer.json of Hugging Face, or a vocab.txt (a token a line, its id the line's number from 0), of at most
 * 32 MiB. What is not BERT's tokenizer (another model, normalizer or post-processor) or is not supported (tokens added
 * with `normalized` or `single_word`, prefixes other than "##", ids from 2^20) is refused (MIEN_INPUT) with expected
 * and found. Truncation and padding that tokenizer.json asks for are left to the caller. `where` names the file in
 * messages.
 */
MIEN_MUST_USE mien_status mien_tokenizer_from_json(const char *bytes, size_t size, const char *where,
                                                   mien_tokenizer **tokenizer, mien_error *error);
MIEN_MUST_USE mien_status mien_tokenizer_from_vocabulary(const char *bytes, size_t size, const char *where,
                                                         const mien_vocabulary_options *options,
                                                         mien_tokenizer **tokenizer, mien_error *error);
void mien_tokenizer_destroy(mien_tokenizer *tokenizer);

/* One more than the highest id that mien_tokenizer_run may give. */
size_t mien_tokenizer_vocabulary(const mien_tokenizer *tokenizer);

/* The fewest ids that a text becomes: those put around it. */
enum { MIEN_TOKENIZER_SPECIALS = 2 };

/*
 * Writes the ids of `bytes` bytes of text (any bytes: those that are not UTF-8 are read as U+FFFD) to `ids`, at most
 * `max_ids` ≥ MIEN_TOKENIZER_SPECIALS of them, and returns how many. A longer text is cut as the reference truncates:
 * its first max_ids - 2 ids between [CLS] and [SEP]; *truncated (may be NULL) tells. bytes + 2 ids are always enough.
 * Takes time linear in the bytes, no memory but some 12 KiB of stack, and reads nothing behind the first character that
 * would need one id more.
 */
size_t mien_tokenizer_run(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids, int32_t *ids,
                          bool *truncated);

#endif
