/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's texts on their way through the model, long ones as their spans, equal ones once. */
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

static void free_spans(mien_pieces *pieces) {
  mien_free(pieces->spans);
  mien_free(pieces->scores);
  pieces->spans = NULL;
  pieces->scores = NULL;
  pieces->spans_capacity = pieces->scores_capacity = 0;
}

/* Room for the results of `n` texts, whatever becomes of those that are there. */
static mien_status reserve_results(mien_pieces *pieces, size_t n, mien_error *error) {
  if (n <= pieces->results_capacity) return MIEN_OK;
  if (n > pieces->options.rows) n += n / 2; /* spans: soon a few more */
  free_results(pieces);
  mien_results *results = &pieces->results;
  const mien_model *model = pieces->model;
  const mien_pieces_options *options = &pieces->options;
  results->status = mien_alloc(n, sizeof *results->status);
  pieces->distinct = mien_alloc(n, sizeof *pieces->distinct);
  bool done = results->status && pieces->distinct;
  if (options->has_labels) {
    results->words = alloc_rows(n, mien_model_words(model), sizeof *results->words);
    done = done && results->words;
  } else {
    results->embeddings = alloc_rows(n, mien_model_dim(model), sizeof *results->embeddings);
    done = done && results->embeddings;
  }
  if (options->has_scores) {
    results->scores = alloc_rows(n, mien_model_label_count(model), sizeof *results->scores);
    done = done && results->scores;
  }
  if (pieces->cache) {
    pieces->hashes = mien_alloc(n, sizeof *pieces->hashes);
    pieces->table = mien_alloc(table_size(n), sizeof *pieces->table);
    done = done && pieces->hashes && pieces->table;
  }
  if (!done) return mien_fail_memory(error, "texts", n * mien_pieces_result_bytes(model, options));
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

mien_status mien_pieces_init(mien_pieces *pieces, const mien_model *model, const mien_pieces_options *options,
                             mien_cache *cache, mien_error *error) {
  const size_t result_bytes = mien_pieces_result_bytes(model, options), rows = options->rows;
  pieces->model = model;
  pieces->options = *options;
  pieces->cache = cache;
  pieces->packed = mien_alloc(result_bytes, 1);
  pieces->starts = mien_alloc(rows + 1, sizeof *pieces->starts);
  if (!pieces->packed || !pieces->starts || !reserve_texts(pieces, rows)) return mien_fail_memory(error, "texts", rows);
  return reserve_results(pieces, rows, error);
}

void mien_pieces_free(mien_pieces *pieces) {
  free_results(pieces);
  mien_free(pieces->texts);
  mien_free(pieces->slots);
  mien_free(pieces->packed);
  mien_free(pieces->starts);
  free_spans(pieces);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

void mien_pieces_clear(mien_pieces *pieces) {
  enum { MOST_IDLE = 4096 };
  if (pieces->results_capacity > pieces->options.rows + MOST_IDLE) free_results(pieces);
  if (pieces->spans_capacity + pieces->scores_capacity > MOST_IDLE) free_spans(pieces);
  pieces->n = pieces->n_rows = pieces->starts[0] = 0;
}

static bool add_text(mien_pieces *pieces, mien_text text) {
  if (pieces->n == pieces->capacity && !reserve_texts(pieces, 2 * pieces->capacity + 1)) return false;
  pieces->texts[pieces->n++] = text;
  return true;
}

/* The text's spans in the scratch, all that are taken. */
static mien_status split(mien_pieces *pieces, mien_text text, size_t *n, mien_error *error) {
  for (;;) {
    const mien_status status = mien_split_text(pieces->model, text, pieces->spans, pieces->spans_capacity, n, error);
    if (status != MIEN_OK) return status;
    const size_t taken = *n < MIEN_MOST_SPANS ? *n : MIEN_MOST_SPANS;
    if (*n == 1 || taken <= pieces->spans_capacity) break;
    mien_free(pieces->spans);
    pieces->spans = mien_alloc(taken, sizeof *pieces->spans);
    pieces->spans_capacity = pieces->spans ? taken : 0;
    if (!pieces->spans) return mien_fail_memory(error, "spans", taken * sizeof *pieces->spans);
  }
  if (*n > MIEN_MOST_SPANS) {
    pieces->spans[MIEN_MOST_SPANS - 1].end = text.size;
    *n = MIEN_MOST_SPANS;
  }
  return MIEN_OK;
}

mien_status mien_pieces_add_row(mien_pieces *pieces, const mien_text *text, mien_error *error) {
  bool done = true;
  size_t n = 1;
  if (text && pieces->options.splits) {
    const mien_status status = split(pieces, *text, &n, error);
    if (status != MIEN_OK) return status;
  }
  if (text && n == 1) done = add_text(pieces, *text);
  for (size_t i = 0; n > 1 && done && i < n; i++) {
    const mien_text_span span = pieces->spans[i];
    done = add_text(pieces, (mien_text){text->bytes + span.start, span.end - span.start});
  }
  pieces->starts[++pieces->n_rows] = pieces->n;
  return done ? MIEN_OK : mien_fail_memory(error, "texts", pieces->n * sizeof *pieces->texts);
}

mien_status mien_pieces_pool(mien_pieces *pieces, size_t row, mien_span_pooling pooling, float *scores, uint32_t *words,
                             mien_row_status *row_status, mien_error *error) {
  const size_t n = mien_pieces_of_row(pieces, row), n_labels = mien_model_label_count(pieces->model);
  *row_status = MIEN_ROW_OK;
  if (n > pieces->scores_capacity) {
    mien_free(pieces->scores);
    pieces->scores = alloc_rows(n, n_labels, sizeof *pieces->scores);
    pieces->scores_capacity = pieces->scores ? n : 0;
    if (!pieces->scores) return mien_fail_memory(error, "spans", n * n_labels * sizeof *pieces->scores);
  }
  for (size_t i = 0; i < n; i++) {
    const size_t slot = pieces->slots[pieces->starts[row] + i];
    const mien_row_status found = pieces->results.status[slot];
    if (found == MIEN_ROW_NOT_FINITE) *row_status = found;
    if (found == MIEN_ROW_NOT_FINITE) return MIEN_OK;
    if (found == MIEN_ROW_TRUNCATED) *row_status = found;
    memcpy(pieces->scores + i * n_labels, pieces->results.scores + slot * n_labels, n_labels * sizeof(float));
  }
  return mien_pool_scores(pieces->model, pieces->scores, n, pooling, scores, words, error);
}

/* ---- Results as the cache has them ------------------------------------------------------------------------------- */

size_t mien_pieces_result_bytes(const mien_model *model, const mien_pieces_options *options) {
  size_t bytes = sizeof(mien_row_status);
  bytes += options->has_labels ? mien_model_words(model) * sizeof(uint32_t) : mien_model_dim(model) * sizeof(float);
  return options->has_scores ? bytes + mien_model_label_count(model) * sizeof(float) : bytes;
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

/* Where in the table a text that is equal to text `i` is, or would be; NULL where too many others are, as only texts
 * are that were made to have one hash. */
static uint32_t *find_equal(const mien_pieces *pieces, size_t i) {
  enum { MOST_PROBES = 256 };
  const size_t mask = table_size(pieces->n) - 1;
  size_t place = pieces->hashes[i] & mask, n = 0;
  for (; pieces->table[place]; place = (place + 1) & mask) {
    const size_t other = pieces->table[place] - 1;
    if (++n > MOST_PROBES) return NULL;
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
      if (first && *first) {
        pieces->slots[i] = pieces->slots[*first - 1];
        pieces->n_duplicates++;
        continue;
      }
      if (first) *first = (uint32_t)(i + 1);
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
  status = pieces->options.has_labels ? mien_label_texts(session, pieces->distinct, n, &pieces->results, error)
                                      : mien_embed_texts(session, pieces->distinct, n, &pieces->results, error);
  if (status == MIEN_OK && pieces->cache) fill_cache(pieces, n);
  return status;
}
