/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's texts on their way through the model, equal ones once. */
#include "corpus/pieces.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static void *alloc_rows(size_t rows, size_t columns, size_t bytes) {
  return mien_size_mul(rows, columns, &rows) ? mien_alloc(rows, bytes) : NULL;
}

static size_t table_size(size_t n) {
  size_t size = 16;
  while (size < 2 * n) size *= 2;
  return size;
}

static void free_results(mien_pieces *pieces) {
  mien_free(pieces->results.status);
  mien_free(pieces->results.words);
  mien_free(pieces->results.scores);
  mien_free(pieces->results.embeddings);
  mien_free(pieces->distinct);
  mien_free(pieces->hashes);
  mien_free(pieces->table);
  pieces->results = (mien_results){.size = sizeof pieces->results};
  pieces->distinct = NULL;
  pieces->hashes = NULL;
  pieces->table = NULL;
  pieces->results_capacity = 0;
}

/* Room for the results of `n` texts, whatever becomes of those that are there. */
static mien_status reserve_results(mien_pieces *pieces, size_t n, mien_error *error) {
  if (n <= pieces->results_capacity) return MIEN_OK;
  free_results(pieces);
  mien_results *results = &pieces->results;
  const mien_model *model = pieces->model;
  results->status = mien_alloc(n, sizeof *results->status);
  pieces->distinct = mien_alloc(n, sizeof *pieces->distinct);
  bool done = results->status && pieces->distinct;
  if (pieces->has_labels) {
    results->words = alloc_rows(n, mien_model_words(model), sizeof *results->words);
    done = done && results->words;
  } else {
    results->embeddings = alloc_rows(n, mien_model_dim(model), sizeof *results->embeddings);
    done = done && results->embeddings;
  }
  if (pieces->has_scores) {
    results->scores = alloc_rows(n, mien_model_label_count(model), sizeof *results->scores);
    done = done && results->scores;
  }
  if (pieces->cache) {
    pieces->hashes = mien_alloc(n, sizeof *pieces->hashes);
    pieces->table = mien_alloc(table_size(n), sizeof *pieces->table);
    done = done && pieces->hashes && pieces->table;
  }
  if (!done)
    return mien_fail_memory(error, "texts",
                            n * mien_pieces_result_bytes(model, pieces->has_labels, pieces->has_scores));
  pieces->results_capacity = n;
  return MIEN_OK;
}

static bool reserve_texts(mien_pieces *pieces, size_t capacity) {
  mien_text *texts = mien_alloc(capacity, sizeof *texts);
  size_t *slots = mien_alloc(capacity, sizeof *slots);
  if (!texts || !slots) {
    mien_free(texts);
    mien_free(slots);
    return false;
  }
  if (pieces->n) memcpy(texts, pieces->texts, pieces->n * sizeof *texts);
  mien_free(pieces->texts);
  mien_free(pieces->slots);
  pieces->texts = texts;
  pieces->slots = slots;
  pieces->capacity = capacity;
  return true;
}

mien_status mien_pieces_init(mien_pieces *pieces, const mien_model *model, bool has_labels, bool has_scores,
                             size_t capacity, mien_cache *cache, mien_error *error) {
  const size_t result_bytes = mien_pieces_result_bytes(model, has_labels, has_scores);
  pieces->model = model;
  pieces->has_labels = has_labels;
  pieces->has_scores = has_scores;
  pieces->cache = cache;
  pieces->packed = mien_alloc(result_bytes, 1);
  if (!pieces->packed || !reserve_texts(pieces, capacity)) return mien_fail_memory(error, "texts", capacity);
  return reserve_results(pieces, capacity, error);
}

void mien_pieces_free(mien_pieces *pieces) {
  free_results(pieces);
  mien_free(pieces->texts);
  mien_free(pieces->slots);
  mien_free(pieces->packed);
}

bool mien_pieces_add(mien_pieces *pieces, mien_text text) {
  if (pieces->n == pieces->capacity && !reserve_texts(pieces, 2 * pieces->capacity + 1)) return false;
  pieces->texts[pieces->n++] = text;
  return true;
}

/* ---- Results as the cache has them ------------------------------------------------------------------------------- */

size_t mien_pieces_result_bytes(const mien_model *model, bool has_labels, bool has_scores) {
  size_t bytes = sizeof(mien_row_status);
  bytes += has_labels ? mien_model_words(model) * sizeof(uint32_t) : mien_model_dim(model) * sizeof(float);
  return has_scores ? bytes + mien_model_label_count(model) * sizeof(float) : bytes;
}

/* Copies `bytes` of a slot's results, where there are such, to or from `packed`; returns what is behind them. */
static unsigned char *move(bool pack, void *rows, size_t slot, size_t bytes, unsigned char *packed) {
  if (!rows) return packed;
  void *row = (unsigned char *)rows + slot * bytes;
  memcpy(pack ? packed : row, pack ? row : packed, bytes);
  return packed + bytes;
}

static void move_results(const mien_pieces *pieces, bool pack, size_t slot) {
  const mien_results *results = &pieces->results;
  const mien_model *model = pieces->model;
  unsigned char *at = move(pack, results->status, slot, sizeof *results->status, pieces->packed);
  at = move(pack, results->words, slot, mien_model_words(model) * sizeof *results->words, at);
  at = move(pack, results->scores, slot, mien_model_label_count(model) * sizeof *results->scores, at);
  (void)move(pack, results->embeddings, slot, mien_model_dim(model) * sizeof *results->embeddings, at);
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static bool is_equal(mien_text a, mien_text b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

/* Where in the table a text that is equal to text `i` is, or would be. */
static uint32_t *find_equal(const mien_pieces *pieces, size_t i) {
  const size_t mask = table_size(pieces->n) - 1;
  size_t place = pieces->hashes[i] & mask;
  for (; pieces->table[place]; place = (place + 1) & mask) {
    const size_t other = pieces->table[place] - 1;
    if (pieces->hashes[other] == pieces->hashes[i] && is_equal(pieces->texts[other], pieces->texts[i])) break;
  }
  return &pieces->table[place];
}

static bool is_shared(const mien_pieces *pieces, mien_text text) {
  return pieces->cache && text.size <= MIEN_CACHE_TEXT_BYTES;
}

/*
 * Gives each text its slot: the next one from the front where it is run, the next one from the back where the cache has
 * its results. Returns how many are run.
 */
static size_t choose_slots(mien_pieces *pieces) {
  size_t n_distinct = 0, n_found = 0;
  pieces->n_duplicates = 0;
  if (pieces->cache) memset(pieces->table, 0, table_size(pieces->n) * sizeof *pieces->table);
  for (size_t i = 0; i < pieces->n; i++) {
    const mien_text text = pieces->texts[i];
    if (is_shared(pieces, text)) {
      pieces->hashes[i] = mien_hash(text.bytes, text.size);
      uint32_t *first = find_equal(pieces, i);
      if (*first) {
        pieces->slots[i] = pieces->slots[*first - 1];
        pieces->n_duplicates++;
        continue;
      }
      *first = (uint32_t)(i + 1);
      if (mien_cache_find(pieces->cache, text, pieces->hashes[i], pieces->packed)) {
        pieces->slots[i] = pieces->results_capacity - ++n_found;
        move_results(pieces, false, pieces->slots[i]);
        pieces->n_duplicates++;
        continue;
      }
    }
    pieces->slots[i] = n_distinct;
    pieces->distinct[n_distinct++] = text;
  }
  return n_distinct;
}

/* Those `n` that were run, which are the texts whose slots are new ones, in order. */
static void fill_cache(const mien_pieces *pieces, size_t n) {
  for (size_t i = 0, next = 0; next < n; i++) {
    if (pieces->slots[i] != next) continue;
    if (is_shared(pieces, pieces->texts[i])) {
      move_results(pieces, true, next);
      mien_cache_add(pieces->cache, pieces->texts[i], pieces->hashes[i], pieces->packed);
    }
    next++;
  }
}

mien_status mien_pieces_run(mien_pieces *pieces, mien_session *session, mien_error *error) {
  mien_status status = reserve_results(pieces, pieces->n, error);
  if (status != MIEN_OK) return status;
  const size_t n = choose_slots(pieces);
  status = pieces->has_labels ? mien_label_texts(session, pieces->distinct, n, &pieces->results, error)
                              : mien_embed_texts(session, pieces->distinct, n, &pieces->results, error);
  if (status == MIEN_OK && pieces->cache) fill_cache(pieces, n);
  return status;
}
