/* SPDX-License-Identifier: Apache-2.0 */
/* A text in sentences, and these in windows where they are too long. */
#include "tokenizer/split.h"

#include "base/utf8.h"
#include "tokenizer/characters.h"
#include "tokenizer/sentences.h"

typedef struct split {
  const mien_tokenizer *tokenizer;
  const char *text;
  size_t max_ids;
  int32_t *ids;
  mien_text_span *spans;
  size_t capacity, n;
} split;

static size_t space_before(const char *text, size_t start, size_t end) {
  enum { MOST_SPACE = 3 }; /* bytes of White_Space in UTF-8 */
  for (size_t bytes = 1; bytes <= MOST_SPACE && bytes <= end - start; bytes++) {
    uint32_t c;
    if (mien_utf8_decode(text + end - bytes, bytes, &c) == bytes && mien_character_is_space(c)) return bytes;
  }
  return 0;
}

/* Without white space around it; where there is nothing else, its start. */
static mien_text_span trim(const char *text, mien_text_span span) {
  uint32_t c;
  for (size_t length; (length = space_before(text, span.start, span.end)) > 0;) span.end -= length;
  while (span.start < span.end) {
    const size_t length = mien_utf8_decode(text + span.start, span.end - span.start, &c);
    if (!mien_character_is_space(c)) break;
    span.start += length;
  }
  return span;
}

static void add(split *s, mien_text_span span) {
  if (s->n < s->capacity) s->spans[s->n] = span;
  s->n++;
}

/* A sentence as a span, or as windows. What has no ids has nothing to be read. */
static void add_sentence(split *s, mien_text_span sentence) {
  for (sentence = trim(s->text, sentence); sentence.start < sentence.end; sentence = trim(s->text, sentence)) {
    size_t n_ids;
    const size_t length = mien_tokenizer_fit(s->tokenizer, s->text + sentence.start, sentence.end - sentence.start,
                                             s->max_ids, s->ids, &n_ids);
    const mien_text_span window = {sentence.start, sentence.start + length};
    if (n_ids > MIEN_TOKENIZER_SPECIALS) add(s, trim(s->text, window));
    sentence.start += length;
  }
}

size_t mien_tokenizer_split(const mien_tokenizer *tokenizer, const char *text, size_t bytes, size_t max_ids,
                            int32_t *ids, mien_text_span *spans, size_t capacity) {
  split s = {tokenizer, text, max_ids, ids, spans, capacity, 0};
  const mien_text_span whole = trim(text, (mien_text_span){0, bytes});
  const size_t length = whole.end - whole.start;
  size_t n_ids;
  /* A byte is one id at most. */
  if (length + MIEN_TOKENIZER_SPECIALS <= max_ids ||
      mien_tokenizer_fit(tokenizer, text + whole.start, length, max_ids, ids, &n_ids) == length) {
    add(&s, whole);
    return s.n;
  }
  for (size_t at = whole.start, sentence; at < whole.end; at += sentence) {
    sentence = mien_sentence_length(text + at, whole.end - at);
    add_sentence(&s, (mien_text_span){at, at + sentence});
  }
  return s.n;
}
