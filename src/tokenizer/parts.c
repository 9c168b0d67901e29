/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer taken to pieces and put together again. */
#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "tokenizer/internal.h"

/* ---- To pieces ------------------------------------------------------------------------------------------------- */

enum { PREFIX_BYTES = sizeof MIEN_CONTINUATION_PREFIX - 1 };

/* Tokens are seen twice: for the room that they need, and to be copied. */
typedef struct collector {
  const char *where;
  uint32_t *lengths; /* [n_ids] of the lines */
  size_t n_ids;      /* one more than the highest of the vocabulary */
  size_t *places;    /* [n_ids] of the lines, in the second pass */
  char *lines;
  mien_added_token *added;
  char *contents;
  size_t n_added, added_bytes;
} collector;

static mien_status refuse_token(const collector *to, const char *token, size_t bytes, const char *expected,
                                mien_error *error) {
  char shown[64];
  return mien_fail(error, MIEN_INPUT, "%s: token '%s': expected %s", to->where,
                   mien_utf8_clean(token, bytes, shown, sizeof shown), expected);
}

static mien_status measure(void *context, mien_trie_root root, const char *token, size_t bytes, int32_t id,
                           mien_error *error) {
  collector *to = context;
  if (root == MIEN_TRIE_ADDED) {
    to->n_added++;
    to->added_bytes += bytes;
    return MIEN_OK;
  }
  if (memchr(token, '\n', bytes)) return refuse_token(to, token, bytes, "no line feed, found one", error);
  if (to->lengths[id] > 0) return refuse_token(to, token, bytes, "an id of its own, found another token's", error);
  to->lengths[id] = (uint32_t)(bytes + (root == MIEN_TRIE_CONTINUATIONS ? PREFIX_BYTES : 0));
  if ((size_t)id >= to->n_ids) to->n_ids = (size_t)id + 1;
  return MIEN_OK;
}

static mien_status collect(void *context, mien_trie_root root, const char *token, size_t bytes, int32_t id,
                           mien_error *error) {
  collector *to = context;
  (void)error;
  if (root == MIEN_TRIE_ADDED) {
    to->added[to->n_added++] = (mien_added_token){id, to->contents, bytes};
    memcpy(to->contents, token, bytes);
    to->contents += bytes;
    return MIEN_OK;
  }
  char *line = to->lines + to->places[id];
  if (root == MIEN_TRIE_CONTINUATIONS) {
    memcpy(line, MIEN_CONTINUATION_PREFIX, PREFIX_BYTES);
    line += PREFIX_BYTES;
  }
  memcpy(line, token, bytes);
  return MIEN_OK;
}

static int by_id(const void *a, const void *b) {
  const mien_added_token *left = a, *right = b;
  if (left->id != right->id) return left->id < right->id ? -1 : 1;
  const size_t bytes = left->bytes < right->bytes ? left->bytes : right->bytes;
  const int order = memcmp(left->content, right->content, bytes);
  return order ? order : left->bytes < right->bytes ? -1 : left->bytes > right->bytes;
}

/* Room for what was measured, and every line's place and end. */
static mien_status make_room(collector *to, mien_tokenizer_parts *parts, mien_error *error) {
  size_t bytes = to->n_ids;
  for (size_t id = 0; id < to->n_ids; id++) bytes += to->lengths[id];
  to->places = mien_alloc(to->n_ids, sizeof *to->places);
  to->lines = parts->memory = mien_alloc(1, bytes + to->added_bytes);
  to->added = parts->added = mien_alloc(to->n_added, sizeof *to->added);
  if (!to->places || !to->lines || !to->added) return mien_fail_memory(error, to->where, bytes + to->added_bytes);
  size_t at = 0;
  for (size_t id = 0; id < to->n_ids; id++) {
    to->places[id] = at;
    at += to->lengths[id];
    to->lines[at++] = '\n';
  }
  to->contents = to->lines + bytes;
  parts->vocabulary = to->lines;
  parts->vocabulary_bytes = bytes;
  parts->n_added = to->n_added;
  to->n_added = 0;
  return MIEN_OK;
}

mien_status mien_tokenizer_take_parts(const mien_tokenizer *tokenizer, const char *where, mien_tokenizer_parts *parts,
                                      mien_error *error) {
  const mien_vocabulary *vocabulary = &tokenizer->vocabulary;
  const mien_character_options *options = &tokenizer->options;
  collector to = {.where = where, .lengths = mien_alloc(tokenizer->vocabulary_size, sizeof *to.lengths)};
  *parts = (mien_tokenizer_parts){.clean_text = options->clean,
                                  .handle_chinese_chars = options->chinese,
                                  .strip_accents = options->strip_accents,
                                  .lowercase = options->lowercase,
                                  .max_word_characters = tokenizer->max_word_characters,
                                  .unknown = tokenizer->unknown,
                                  .first = tokenizer->first,
                                  .last = tokenizer->last};
  if (!to.lengths) return mien_fail_memory(error, where, tokenizer->vocabulary_size * sizeof *to.lengths);
  mien_status status = mien_vocabulary_each(vocabulary, measure, &to, where, error);
  if (status == MIEN_OK) status = make_room(&to, parts, error);
  if (status == MIEN_OK) status = mien_vocabulary_each(vocabulary, collect, &to, where, error);
  if (status == MIEN_OK) qsort(parts->added, parts->n_added, sizeof *parts->added, by_id);
  mien_free(to.lengths);
  mien_free(to.places);
  return status;
}

void mien_tokenizer_parts_free(mien_tokenizer_parts *parts) {
  mien_free(parts->added);
  mien_free(parts->memory);
  *parts = (mien_tokenizer_parts){0};
}

/* ---- Together -------------------------------------------------------------------------------------------------- */

static mien_status add_lines(mien_tokenizer *tokenizer, const char *lines, size_t size, const char *where,
                             mien_error *error) {
  int32_t id = 0;
  mien_status status = MIEN_OK;
  for (size_t at = 0, length; at < size && status == MIEN_OK; at += length + 1, id++) {
    status = mien_vocabulary_line(lines + at, size - at, id, where, &length, error);
    if (status == MIEN_OK) status = mien_tokenizer_add(tokenizer, lines + at, length, id, where, error);
  }
  return status;
}

/* Whether texts may have the id: of a line that is not empty, or of an added token. */
static bool has_token(const mien_tokenizer_parts *parts, int32_t id) {
  for (size_t i = 0; i < parts->n_added; i++)
    if (parts->added[i].id == id) return true;
  const char *line = parts->vocabulary, *end = line + parts->vocabulary_bytes;
  for (; line < end && id > 0; id--) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    line = stop ? stop + 1 : end;
  }
  return id == 0 && line < end && *line != '\n';
}

static mien_status check_specials(const mien_tokenizer_parts *parts, const char *where, mien_error *error) {
  const struct {
    const char *name;
    int32_t id;
  } specials[] = {{"unknown", parts->unknown}, {"first", parts->first}, {"last", parts->last}};
  for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
    if (!has_token(parts, specials[i].id))
      return mien_fail(error, MIEN_INPUT, "%s: %s token: expected the id of a token, found %d, which has none", where,
                       specials[i].name, specials[i].id);
  return MIEN_OK;
}

mien_status mien_tokenizer_from_parts(const mien_tokenizer_parts *parts, const char *where, mien_tokenizer **tokenizer,
                                      mien_error *error) {
  const mien_character_options options = {.clean = parts->clean_text,
                                          .chinese = parts->handle_chinese_chars,
                                          .strip_accents = parts->strip_accents,
                                          .lowercase = parts->lowercase};
  size_t n_lines;
  mien_tokenizer *made = NULL;
  mien_status status = mien_vocabulary_lines(parts->vocabulary, parts->vocabulary_bytes, where, &n_lines, error);
  if (status == MIEN_OK && n_lines == 0)
    status = mien_fail(error, MIEN_INPUT, "%s: expected tokens, found none", where);
  if (status == MIEN_OK) status = check_specials(parts, where, error);
  if (status == MIEN_OK) status = mien_tokenizer_make(&options, n_lines, where, &made, error);
  if (status != MIEN_OK) return status;
  made->max_word_characters = parts->max_word_characters;
  status = add_lines(made, parts->vocabulary, parts->vocabulary_bytes, where, error);
  for (size_t i = 0; i < parts->n_added && status == MIEN_OK; i++) {
    const mien_added_token *token = &parts->added[i];
    status = mien_tokenizer_add_raw(made, token->content, token->bytes, token->id, where, error);
  }
  if (status == MIEN_OK) {
    mien_tokenizer_finish(made, parts->unknown, parts->first, parts->last);
    *tokenizer = made;
  } else {
    mien_tokenizer_destroy(made);
  }
  return status;
}
