/* SPDX-License-Identifier: Apache-2.0 */
/* The hash table of short words and the trie of all tokens. */
#include "tokenizer/vocabulary.h"

#include <string.h>

#include "base/memory.h"

enum {
  FIRST_EDGES_BITS = 17, /* at most, to begin with: the edges of BERT's vocabulary are half of these */
  MAX_NODES = 1 << 22,   /* twice what a million words of any language need; with a byte they fit into 32 bits */
  /* Longest way to a free slot of the edges' table: a file whose tokens need more was made to be slow. */
  MAX_EDGE_PROBES = 1024,
};

mien_status mien_vocabulary_make(size_t n_tokens, const char *where, mien_vocabulary *vocabulary, mien_error *error) {
  *vocabulary = (mien_vocabulary){.n_nodes = MIEN_TRIE_ROOTS, .words_bits = 1};
  while ((size_t)1 << vocabulary->words_bits < 2 * n_tokens) vocabulary->words_bits++; /* at most half are taken */
  vocabulary->edges_bits = vocabulary->words_bits < FIRST_EDGES_BITS ? vocabulary->words_bits + 1 : FIRST_EDGES_BITS;
  vocabulary->words = mien_alloc((size_t)1 << vocabulary->words_bits, sizeof *vocabulary->words);
  vocabulary->edges = mien_alloc((size_t)1 << vocabulary->edges_bits, sizeof *vocabulary->edges);
  if (vocabulary->words && vocabulary->edges) return MIEN_OK;
  const size_t bytes = sizeof *vocabulary->words << vocabulary->words_bits;
  mien_vocabulary_clear(vocabulary);
  return mien_fail_memory(error, where, bytes);
}

void mien_vocabulary_clear(mien_vocabulary *vocabulary) {
  mien_free(vocabulary->words);
  mien_free(vocabulary->edges);
  *vocabulary = (mien_vocabulary){0};
}

/* The edge with this key, or the free slot where it belongs; NULL when both are too far. */
static mien_trie_edge *find_edge(const mien_vocabulary *vocabulary, uint32_t key) {
  const size_t mask = ((size_t)1 << vocabulary->edges_bits) - 1;
  const size_t place = (size_t)(key * 0x9E3779B97F4A7C15 >> (64 - vocabulary->edges_bits));
  for (size_t i = 0; i < MAX_EDGE_PROBES; i++) {
    mien_trie_edge *edge = &vocabulary->edges[(place + i) & mask];
    if (edge->child == 0 || edge->key == key) return edge;
  }
  return NULL;
}

static mien_status refuse_collisions(const char *where, mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s: expected tokens that spread over a hash table, found ones that collide",
                   where);
}

/* Twice the slots. */
static mien_status grow(mien_vocabulary *vocabulary, const char *where, mien_error *error) {
  mien_vocabulary larger = *vocabulary;
  larger.edges_bits++;
  larger.edges = mien_alloc((size_t)1 << larger.edges_bits, sizeof *larger.edges);
  if (!larger.edges) return mien_fail_memory(error, where, sizeof *larger.edges << larger.edges_bits);
  for (size_t i = 0; i < (size_t)1 << vocabulary->edges_bits; i++) {
    const mien_trie_edge *edge = &vocabulary->edges[i];
    mien_trie_edge *place = edge->child ? find_edge(&larger, edge->key) : &larger.edges[0];
    if (!place) {
      mien_free(larger.edges);
      return refuse_collisions(where, error);
    }
    if (edge->child) *place = *edge;
  }
  mien_free(vocabulary->edges);
  *vocabulary = larger;
  return MIEN_OK;
}

static mien_status add_edge(mien_vocabulary *vocabulary, uint32_t key, mien_trie_edge **edge, const char *where,
                            mien_error *error) {
  if (2 * vocabulary->n_edges >= (size_t)1 << vocabulary->edges_bits) {
    mien_status status = grow(vocabulary, where, error);
    if (status != MIEN_OK) return status;
  }
  *edge = find_edge(vocabulary, key);
  if (!*edge) return refuse_collisions(where, error);
  if (vocabulary->n_nodes == MAX_NODES)
    return mien_fail(error, MIEN_INPUT, "%s: expected tokens with at most %d different beginnings, found more", where,
                     MAX_NODES);
  **edge = (mien_trie_edge){key, vocabulary->n_nodes++, MIEN_NO_TOKEN};
  vocabulary->n_edges++;
  return MIEN_OK;
}

static uint64_t key_part(const char *text, size_t bytes) {
  uint64_t part = 0;
  for (size_t i = 0; i < bytes && i < sizeof part; i++) part |= (uint64_t)(unsigned char)text[i] << (8 * i);
  return part;
}

static void add_word(mien_vocabulary *vocabulary, const char *token, size_t bytes, int32_t id) {
  const size_t mask = ((size_t)1 << vocabulary->words_bits) - 1, half = sizeof(uint64_t);
  const mien_word_key key = {key_part(token, bytes), bytes > half ? key_part(token + half, bytes - half) : 0};
  const size_t place = mien_word_place(vocabulary, key);
  for (size_t i = 0; i < MIEN_MAX_WORD_PROBES; i++) {
    mien_word_slot *slot = &vocabulary->words[(place + i) & mask];
    const bool is_same = slot->bytes == bytes && slot->key.low == key.low && slot->key.high == key.high;
    if (slot->bytes != 0 && !is_same) continue;
    *slot = (mien_word_slot){key, id, (uint32_t)bytes};
    return;
  }
}

mien_status mien_vocabulary_add(mien_vocabulary *vocabulary, mien_trie_root root, const char *token, size_t bytes,
                                int32_t id, const char *where, mien_error *error) {
  uint32_t node = root;
  mien_trie_edge *edge = NULL;
  mien_status status = MIEN_OK;
  for (size_t i = 0; i < bytes && status == MIEN_OK; i++) {
    const uint32_t key = node << 8 | (unsigned char)token[i];
    edge = find_edge(vocabulary, key);
    if (!edge || !edge->child) status = add_edge(vocabulary, key, &edge, where, error);
    if (status == MIEN_OK) node = edge->child;
  }
  if (status != MIEN_OK || !edge) return status;
  edge->id = id;
  if (root == MIEN_TRIE_WORDS && bytes <= MIEN_KEY_BYTES) add_word(vocabulary, token, bytes, id);
  return MIEN_OK;
}

int32_t mien_vocabulary_longest(const mien_vocabulary *vocabulary, mien_trie_root root, const char *text, size_t bytes,
                                size_t *token_bytes) {
  uint32_t node = root;
  int32_t id = MIEN_NO_TOKEN;
  for (size_t i = 0; i < bytes; i++) {
    const mien_trie_edge *edge = find_edge(vocabulary, node << 8 | (unsigned char)text[i]);
    if (!edge || !edge->child) break;
    node = edge->child;
    if (edge->id == MIEN_NO_TOKEN) continue;
    id = edge->id;
    *token_bytes = i + 1;
  }
  return id;
}

/* ---- Every token ----------------------------------------------------------------------------------------------- */

/* The edge that leads to a node. */
typedef struct way {
  uint32_t parent;
  int32_t id;
  uint32_t depth; /* bytes from the root */
  char byte;
} way;

/* Parents are made before their children: one pass in the order of nodes sees every depth. */
static void find_ways(const mien_vocabulary *vocabulary, way *ways, size_t *longest) {
  for (size_t i = 0; i < (size_t)1 << vocabulary->edges_bits; i++) {
    const mien_trie_edge *edge = &vocabulary->edges[i];
    if (edge->child) ways[edge->child] = (way){edge->key >> 8, edge->id, 0, (char)(edge->key & 0xFF)};
  }
  *longest = 0;
  for (uint32_t node = MIEN_TRIE_ROOTS; node < vocabulary->n_nodes; node++) {
    ways[node].depth = ways[ways[node].parent].depth + 1;
    if (ways[node].depth > *longest) *longest = ways[node].depth;
  }
}

mien_status mien_vocabulary_each(const mien_vocabulary *vocabulary, mien_token_visitor visit, void *context,
                                 const char *where, mien_error *error) {
  size_t longest;
  way *ways = mien_alloc(vocabulary->n_nodes, sizeof *ways);
  if (!ways) return mien_fail_memory(error, where, vocabulary->n_nodes * sizeof *ways);
  find_ways(vocabulary, ways, &longest);
  char *token = mien_alloc(longest, 1);
  mien_status status = token ? MIEN_OK : mien_fail_memory(error, where, longest);
  for (uint32_t node = MIEN_TRIE_ROOTS; node < vocabulary->n_nodes && status == MIEN_OK; node++) {
    if (ways[node].id == MIEN_NO_TOKEN) continue;
    uint32_t at = node;
    for (; at >= MIEN_TRIE_ROOTS; at = ways[at].parent) token[ways[at].depth - 1] = ways[at].byte;
    status = visit(context, (mien_trie_root)at, token, ways[node].depth, ways[node].id, error);
  }
  mien_free(token);
  mien_free(ways);
  return status;
}
