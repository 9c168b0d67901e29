/* SPDX-License-Identifier: Apache-2.0 */
/* Making a tokenizer from tokens, whatever file they come from. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "tokenizer/internal.h"

mien_status mien_tokenizer_make(const mien_character_options *options, size_t n_tokens, const char *where,
                                mien_tokenizer **tokenizer, mien_error *error) {
  mien_tokenizer *made = mien_alloc(1, sizeof *made);
  if (!made) return mien_fail_memory(error, where, sizeof *made);
  mien_status status = mien_characters_make(options, where, &made->characters, error);
  if (status == MIEN_OK) status = mien_vocabulary_make(n_tokens, where, &made->vocabulary, error);
  made->options = *options;
  made->max_word_characters = 100; /* BERT's */
  if (status == MIEN_OK)
    *tokenizer = made;
  else
    mien_tokenizer_destroy(made);
  return status;
}

void mien_tokenizer_destroy(mien_tokenizer *tokenizer) {
  if (!tokenizer) return;
  mien_characters_clear(&tokenizer->characters);
  mien_vocabulary_clear(&tokenizer->vocabulary);
  mien_free(tokenizer);
}

size_t mien_tokenizer_vocabulary(const mien_tokenizer *tokenizer) { return tokenizer->vocabulary_size; }

static void count_id(mien_tokenizer *tokenizer, int32_t id) {
  if ((size_t)id >= tokenizer->vocabulary_size) tokenizer->vocabulary_size = (size_t)id + 1;
}

mien_status mien_tokenizer_add(mien_tokenizer *tokenizer, const char *token, size_t bytes, int32_t id,
                               const char *where, mien_error *error) {
  enum { PREFIX = sizeof MIEN_CONTINUATION_PREFIX - 1, MOST_UTF8 = 4 };
  count_id(tokenizer, id);
  /* No word begins with '#', which is punctuation. */
  const bool continues = bytes > PREFIX && memcmp(token, MIEN_CONTINUATION_PREFIX, PREFIX) == 0;
  const size_t skipped = continues ? PREFIX : 0;
  /* A token that is longer than words can be is never found; it only has its id. */
  if (bytes == 0 || bytes - skipped > MOST_UTF8 * tokenizer->max_word_characters) return MIEN_OK;
  const mien_trie_root root = continues ? MIEN_TRIE_CONTINUATIONS : MIEN_TRIE_WORDS;
  return mien_vocabulary_add(&tokenizer->vocabulary, root, token + skipped, bytes - skipped, id, where, error);
}

/* Spaces around an added token have no ids, so lstrip and rstrip change nothing, unless it has spaces at its ends. */
static bool has_space_at_ends(const char *text, size_t bytes) {
  uint32_t first = 0, last = 0;
  for (size_t at = 0; at < bytes;) {
    const size_t length = mien_utf8_decode(text + at, bytes - at, &last);
    if (at == 0) first = last;
    at += length;
  }
  return mien_character_is_space(first) || mien_character_is_space(last);
}

static bool has_replacement(const char *text, size_t bytes) {
  static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */
  return memmem(text, bytes, replacement, sizeof replacement - 1) != NULL;
}

mien_status mien_tokenizer_add_raw(mien_tokenizer *tokenizer, const char *token, size_t bytes, int32_t id,
                                   const char *where, mien_error *error) {
  char shown[64];
  if (bytes > MIEN_MAX_ADDED_TOKEN_BYTES)
    return mien_fail(error, MIEN_INPUT, "%s: added token '%s': expected at most %d bytes, found %zu", where,
                     mien_utf8_clean(token, bytes, shown, sizeof shown), MIEN_MAX_ADDED_TOKEN_BYTES, bytes);
  if (memchr(token, '\0', bytes) || has_space_at_ends(token, bytes) || has_replacement(token, bytes))
    return mien_fail(error, MIEN_INPUT,
                     "%s: added token '%s': expected no spaces at its ends, no NUL and no U+FFFD, found one", where,
                     mien_utf8_clean(token, bytes, shown, sizeof shown));
  count_id(tokenizer, id);
  if (bytes == 0) return MIEN_OK; /* the reference ignores it */
  tokenizer->bytes[(unsigned char)token[0]] |= MIEN_BYTE_BEGINS_ADDED;
  return mien_vocabulary_add(&tokenizer->vocabulary, MIEN_TRIE_ADDED, token, bytes, id, where, error);
}

static bool is_ascii_letter_or_digit(int c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

void mien_tokenizer_finish(mien_tokenizer *tokenizer, int32_t unknown, int32_t first, int32_t last) {
  const int32_t specials[] = {unknown, first, last};
  for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) count_id(tokenizer, specials[i]);
  tokenizer->unknown = unknown;
  tokenizer->first = first;
  tokenizer->last = last;
  tokenizer->ascii_words = tokenizer->max_word_characters >= MIEN_KEY_BYTES;
  for (int c = 0; c < MIEN_ASCII; c++) {
    const mien_character_kind kind = mien_character_kind_of(mien_characters_entry(&tokenizer->characters, (uint32_t)c));
    const char text = (char)c;
    size_t bytes;
    const int32_t id = mien_vocabulary_longest(&tokenizer->vocabulary, MIEN_TRIE_WORDS, &text, 1, &bytes);
    tokenizer->isolated_ids[c] = id == MIEN_NO_TOKEN ? unknown : id;
    if (kind == MIEN_CHARACTER_SPACE || kind == MIEN_CHARACTER_ISOLATED) tokenizer->bytes[c] |= MIEN_BYTE_ENDS_WORD;
    /* An added token may begin within what looks like a word. */
    if (is_ascii_letter_or_digit(c) && tokenizer->bytes[c] & MIEN_BYTE_BEGINS_ADDED) tokenizer->ascii_words = false;
  }
}
