/* SPDX-License-Identifier: Apache-2.0 */
/* Equal texts by sorting, alike texts by MinHash and a comparison. */
#include "train/duplicates.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"
#include "corpus/cancel.h"

enum { BANDS = 16, HASHES = 6, MOST_COMPARED = 64 };

/* A text or a band of one, to be sorted: equal keys side by side, lower rows first. */
typedef struct keyed_row {
  uint64_t key;
  size_t row;
} keyed_row;

static int compare_keys(const void *a, const void *b) {
  const keyed_row *left = a, *right = b;
  if (left->key != right->key) return left->key < right->key ? -1 : 1;
  return (left->row > right->row) - (left->row < right->row);
}

static bool is_equal(mien_span a, mien_span b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

/* ---- Links ------------------------------------------------------------------------------------------------------- */

/* The lowest row that `row` is linked with (union and find, with halving of paths). */
static size_t find_root(size_t *parents, size_t row) {
  while (parents[row] != row) row = parents[row] = parents[parents[row]];
  return row;
}

static void link_rows(size_t *parents, size_t a, size_t b) {
  a = find_root(parents, a);
  b = find_root(parents, b);
  if (a < b)
    parents[b] = a;
  else
    parents[a] = b;
}

static size_t *make_parents(size_t n) {
  size_t *parents = mien_alloc(n, sizeof *parents);
  for (size_t i = 0; parents && i < n; i++) parents[i] = i;
  return parents;
}

/* Where each group's next row goes, by its root: [n], SIZE_MAX for rows that are alone. Sets the groups' starts. */
static mien_status lay_out(size_t *parents, size_t n, size_t *places, mien_groups *groups, mien_error *error) {
  size_t n_rows = 0;
  for (size_t i = 0; i < n; i++) places[find_root(parents, i)]++;
  for (size_t i = 0; i < n; i++) {
    if (places[i] < 2) continue;
    groups->n++;
    n_rows += places[i];
  }
  groups->starts = mien_alloc(groups->n + 1, sizeof *groups->starts);
  groups->rows = mien_alloc(n_rows, sizeof *groups->rows);
  if (!groups->starts || !groups->rows) return mien_fail_memory(error, "duplicates", n_rows * sizeof *groups->rows);
  for (size_t i = 0, at = 0, group = 0; i < n; i++) {
    const size_t size = places[i];
    places[i] = size < 2 ? SIZE_MAX : at;
    if (size < 2) continue;
    at += size;
    groups->starts[++group] = at;
  }
  return MIEN_OK;
}

/* Groups of those that are linked; a root is its group's lowest row. */
static mien_status collect(size_t *parents, size_t n, mien_groups *groups, mien_error *error) {
  size_t *places = mien_alloc(n, sizeof *places);
  if (!places) return mien_fail_memory(error, "duplicates", n * sizeof *places);
  mien_status status = lay_out(parents, n, places, groups, error);
  for (size_t i = 0; status == MIEN_OK && i < n; i++) {
    size_t *place = &places[find_root(parents, i)];
    if (*place != SIZE_MAX) groups->rows[(*place)++] = i;
  }
  mien_free(places);
  return status;
}

void mien_groups_free(mien_groups *groups) {
  mien_free(groups->starts);
  mien_free(groups->rows);
  *groups = (mien_groups){0};
}

/* ---- Equal texts ------------------------------------------------------------------------------------------------- */

static keyed_row *sort_texts(const mien_normal_texts *texts) {
  keyed_row *sorted = mien_alloc(texts->n, sizeof *sorted);
  if (!sorted) return NULL;
  for (size_t i = 0; i < texts->n; i++) {
    const mien_span text = mien_normal_text(texts, i);
    sorted[i] = (keyed_row){mien_hash(text.bytes, text.size), i};
  }
  qsort(sorted, texts->n, sizeof *sorted, compare_keys);
  return sorted;
}

/* Links each row with the first of those that are equal to it. */
static void link_equal(const mien_normal_texts *texts, const keyed_row *sorted, size_t *parents) {
  for (size_t i = 0; i < texts->n; i++) {
    /* Texts of one hash are equal, but for one chance in 2^64. */
    for (size_t k = i; k-- > 0 && sorted[k].key == sorted[i].key;) {
      if (!is_equal(mien_normal_text(texts, sorted[k].row), mien_normal_text(texts, sorted[i].row))) continue;
      link_rows(parents, sorted[k].row, sorted[i].row);
      break;
    }
  }
}

mien_status mien_duplicates_find(const mien_normal_texts *texts, mien_groups *groups, mien_error *error) {
  *groups = (mien_groups){0};
  keyed_row *sorted = sort_texts(texts);
  size_t *parents = make_parents(texts->n);
  mien_status status = MIEN_OK;
  if (sorted && parents) {
    link_equal(texts, sorted, parents);
    status = collect(parents, texts->n, groups, error);
  } else {
    status = mien_fail_memory(error, "duplicates", texts->n * sizeof *sorted);
  }
  mien_free(sorted);
  mien_free(parents);
  return status;
}

/* The place of the first row with the key, or where it would be. */
static size_t find_key(const keyed_row *sorted, size_t n, uint64_t key) {
  size_t low = 0, high = n;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (sorted[middle].key < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

mien_status mien_duplicates_among(const mien_normal_texts *texts, const mien_normal_texts *among, size_t *first,
                                  mien_error *error) {
  keyed_row *sorted = sort_texts(among);
  if (!sorted) return mien_fail_memory(error, "duplicates", among->n * sizeof *sorted);
  for (size_t i = 0; i < texts->n; i++) {
    const mien_span text = mien_normal_text(texts, i);
    const uint64_t key = mien_hash(text.bytes, text.size);
    first[i] = SIZE_MAX;
    for (size_t k = find_key(sorted, among->n, key); k < among->n && sorted[k].key == key; k++) {
      if (!is_equal(text, mien_normal_text(among, sorted[k].row))) continue;
      first[i] = sorted[k].row;
      break;
    }
  }
  mien_free(sorted);
  return MIEN_OK;
}

/* ---- Alike texts ------------------------------------------------------------------------------------------------- */

static size_t count_shingles(mien_span text) { return text.size < MIEN_SHINGLE ? 1 : text.size - MIEN_SHINGLE + 1; }

static uint64_t shingle_at(mien_span text, size_t at) {
  return mien_hash(text.bytes + at, text.size < MIEN_SHINGLE ? text.size : MIEN_SHINGLE);
}

static int compare_numbers(const void *a, const void *b) {
  const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

/* The distinct shingles of a text, ascending, into `out` [count_shingles]; returns how many. */
static size_t list_shingles(mien_span text, uint64_t *out) {
  size_t n = count_shingles(text), distinct = 0;
  for (size_t i = 0; i < n; i++) out[i] = shingle_at(text, i);
  qsort(out, n, sizeof *out, compare_numbers);
  for (size_t i = 0; i < n; i++)
    if (distinct == 0 || out[i] != out[distinct - 1]) out[distinct++] = out[i];
  return distinct;
}

static double jaccard(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b) {
  size_t shared = 0;
  for (size_t i = 0, k = 0; i < n_a && k < n_b;) {
    shared += a[i] == b[k];
    const bool move_a = a[i] <= b[k], move_b = b[k] <= a[i];
    i += move_a;
    k += move_b;
  }
  return (double)shared / (double)(n_a + n_b - shared);
}

/* The shingles of all texts, one behind the other. */
typedef struct shingles {
  size_t n;
  size_t *starts, *counts; /* [n]; a count of 0: not to be looked at */
  uint64_t *all;
} shingles;

static void free_shingles(const shingles *sets) {
  mien_free(sets->starts);
  mien_free(sets->counts);
  mien_free(sets->all);
}

/* Of the first of equal texts alone. */
static mien_status make_shingles(const mien_normal_texts *texts, size_t *parents, shingles *sets, mien_error *error) {
  size_t total = 0;
  for (size_t i = 0; i < texts->n; i++) total += count_shingles(mien_normal_text(texts, i));
  *sets = (shingles){.n = texts->n,
                     .starts = mien_alloc(texts->n, sizeof *sets->starts),
                     .counts = mien_alloc(texts->n, sizeof *sets->counts),
                     .all = mien_alloc(total, sizeof *sets->all)};
  if (!sets->starts || !sets->counts || !sets->all)
    return mien_fail_memory(error, "near duplicates", total * sizeof *sets->all);
  for (size_t i = 0, at = 0; i < texts->n; i++) {
    if (find_root(parents, i) != i) continue;
    sets->starts[i] = at;
    sets->counts[i] = list_shingles(mien_normal_text(texts, i), sets->all + at);
    at += sets->counts[i];
  }
  return MIEN_OK;
}

/* The least of each of a band's hashes over the row's shingles, all in one number. */
static uint64_t band_key(const shingles *sets, size_t row, unsigned band) {
  uint64_t key = band;
  for (unsigned h = 0; h < HASHES; h++) {
    const uint64_t salt = mien_hash_mix((uint64_t)band * HASHES + h + 1);
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < sets->counts[row]; i++) {
      const uint64_t hash = mien_hash_mix(sets->all[sets->starts[row] + i] ^ salt);
      least = hash < least ? hash : least;
    }
    key = mien_hash_mix(key ^ least);
  }
  return key;
}

static double similarity_of(const shingles *sets, size_t a, size_t b) {
  return jaccard(sets->all + sets->starts[a], sets->counts[a], sets->all + sets->starts[b], sets->counts[b]);
}

/* Links rows that share a band's key and are as alike as that. `sorted` has room for all rows. */
static void link_band(const shingles *sets, unsigned band, double least, keyed_row *sorted, size_t *parents) {
  size_t n = 0;
  for (size_t i = 0; i < sets->n; i++)
    if (sets->counts[i]) sorted[n++] = (keyed_row){band_key(sets, i, band), i};
  qsort(sorted, n, sizeof *sorted, compare_keys);
  for (size_t first = 0, i = 0; i < n; i++) {
    if (sorted[i].key != sorted[first].key) first = i;
    for (size_t k = first; k < i && k < first + MOST_COMPARED; k++) {
      const size_t a = sorted[k].row, b = sorted[i].row;
      if (find_root(parents, a) != find_root(parents, b) && similarity_of(sets, a, b) >= least)
        link_rows(parents, a, b);
    }
  }
}

double mien_similarity(mien_span a, mien_span b) {
  if (is_equal(a, b)) return 1;
  uint64_t *shingles_a = mien_alloc(count_shingles(a), sizeof *shingles_a);
  uint64_t *shingles_b = mien_alloc(count_shingles(b), sizeof *shingles_b);
  double similarity = 0;
  if (shingles_a && shingles_b) {
    const size_t n_a = list_shingles(a, shingles_a), n_b = list_shingles(b, shingles_b);
    similarity = jaccard(shingles_a, n_a, shingles_b, n_b);
  }
  mien_free(shingles_a);
  mien_free(shingles_b);
  return similarity;
}

/* Only the first of equal texts are in the groups. */
static mien_status find_near(const mien_normal_texts *texts, const keyed_row *equal, double least,
                             const atomic_bool *cancel, size_t *parents, keyed_row *sorted, mien_groups *groups,
                             mien_error *error) {
  shingles sets = {0};
  size_t *near = NULL;
  link_equal(texts, equal, parents);
  mien_status status = make_shingles(texts, parents, &sets, error);
  if (status == MIEN_OK && !(near = make_parents(texts->n)))
    status = mien_fail_memory(error, "near duplicates", texts->n * sizeof *near);
  for (unsigned band = 0; status == MIEN_OK && band < BANDS; band++) {
    link_band(&sets, band, least, sorted, near);
    if (mien_is_cancelled(cancel)) status = mien_fail(error, MIEN_CANCELLED, "near duplicates: interrupted");
  }
  if (status == MIEN_OK) status = collect(near, texts->n, groups, error);
  mien_free(near);
  free_shingles(&sets);
  return status;
}

mien_status mien_near_duplicates_find(const mien_normal_texts *texts, double least, const atomic_bool *cancel,
                                      mien_groups *groups, mien_error *error) {
  *groups = (mien_groups){0};
  keyed_row *equal = sort_texts(texts), *sorted = mien_alloc(texts->n, sizeof *sorted);
  size_t *parents = make_parents(texts->n);
  mien_status status = equal && sorted && parents
                           ? find_near(texts, equal, least, cancel, parents, sorted, groups, error)
                           : mien_fail_memory(error, "near duplicates", texts->n * sizeof *sorted);
  mien_free(equal);
  mien_free(sorted);
  mien_free(parents);
  return status;
}
