/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens and their ids, laid out for WordPiece: short words in a hash table that answers with one look-up, as most
 * words of a text are tokens; everything in a trie, for the longest token that a text begins with.
 */
#ifndef MIEN_TOKENIZER_VOCABULARY_H
#define MIEN_TOKENIZER_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
  MIEN_MAX_TOKEN_IDS = 1 << 20, /* ids are below: they index an encoder's table of embeddings */
  MIEN_KEY_BYTES = 16,
  MIEN_NO_TOKEN = -1,
};

/* A word of at most MIEN_KEY_BYTES bytes: the first is the lowest of `low`, those behind the last are 0. */
typedef struct mien_word_key {
  uint64_t low, high;
} mien_word_key;

typedef struct mien_word_slot {
  mien_word_key key;
  int32_t id;
  uint32_t bytes; /* 0: free */
} mien_word_slot;

/* The trie's tries: which tokens one looks for. */
typedef enum mien_trie_root {
  MIEN_TRIE_WORDS,         /* tokens that begin a word */
  MIEN_TRIE_CONTINUATIONS, /* those that continue one, without their prefix */
  MIEN_TRIE_ADDED,         /* those that are matched in the raw text */
  MIEN_TRIE_ROOTS,
} mien_trie_root;

/* An edge of the trie, in a hash table by the node it leaves and its byte. */
typedef struct mien_trie_edge {
  uint32_t key;   /* node << 8 | byte */
  uint32_t child; /* 0, a root: the slot is free */
  int32_t id;     /* of the token that ends at the child, or MIEN_NO_TOKEN */
} mien_trie_edge;

typedef struct mien_vocabulary {
  mien_word_slot *words;
  mien_trie_edge *edges;
  size_t n_edges;
  uint32_t n_nodes;
  unsigned words_bits, edges_bits; /* of the tables' sizes, powers of two */
} mien_vocabulary;

/* Room for the words of `n_tokens` tokens. `where` names the file in messages, here and below. */
MIEN_MUST_USE mien_status mien_vocabulary_make(size_t n_tokens, const char *where, mien_vocabulary *vocabulary,
                                               mien_error *error);
void mien_vocabulary_clear(mien_vocabulary *vocabulary);

/* Adds a token [bytes ≥ 1], in place of one with the same text. */
MIEN_MUST_USE mien_status mien_vocabulary_add(mien_vocabulary *vocabulary, mien_trie_root root, const char *token,
                                              size_t bytes, int32_t id, const char *where, mien_error *error);

/* Takes a token; anything but MIEN_OK ends the calls. */
typedef mien_status (*mien_token_visitor)(void *context, mien_trie_root root, const char *token, size_t bytes,
                                          int32_t id, mien_error *error);

/* Calls `visit` for every token, in no order to rely on. */
MIEN_MUST_USE mien_status mien_vocabulary_each(const mien_vocabulary *vocabulary, mien_token_visitor visit,
                                               void *context, const char *where, mien_error *error);

/* The id of the longest token of `root` that `text` begins with, and its bytes; MIEN_NO_TOKEN when there is none. */
int32_t mien_vocabulary_longest(const mien_vocabulary *vocabulary, mien_trie_root root, const char *text, size_t bytes,
                                size_t *token_bytes);

/*
 * The id of a word that is a token, MIEN_NO_TOKEN when it is none or the table had no room near its place: the trie
 * knows. [1 ≤ bytes ≤ MIEN_KEY_BYTES]
 */
static inline int32_t mien_vocabulary_word(const mien_vocabulary *vocabulary, mien_word_key key, uint32_t bytes);

/* How far from its place a word may lie: further only where a file's words were chosen to collide. */
enum { MIEN_MAX_WORD_PROBES = 32 };

/* Multiplicative hashing (Knuth, TAOCP 6.4): the upper bits of the product depend on every byte. */
static inline size_t mien_word_place(const mien_vocabulary *vocabulary, mien_word_key key) {
  const uint64_t hash = key.low * 0x9E3779B97F4A7C15 + key.high * 0xC2B2AE3D27D4EB4F;
  return (size_t)((hash ^ hash >> 32) * 0x9E3779B97F4A7C15 >> (64 - vocabulary->words_bits));
}

static inline int32_t mien_vocabulary_word(const mien_vocabulary *vocabulary, mien_word_key key, uint32_t bytes) {
  const size_t mask = ((size_t)1 << vocabulary->words_bits) - 1;
  const size_t place = mien_word_place(vocabulary, key);
  for (size_t i = 0; i < MIEN_MAX_WORD_PROBES; i++) {
    const mien_word_slot *slot = &vocabulary->words[(place + i) & mask];
    if (slot->key.low == key.low && slot->key.high == key.high && slot->bytes == bytes) return slot->id;
    if (slot->bytes == 0) break;
  }
  return MIEN_NO_TOKEN;
}

#endif
