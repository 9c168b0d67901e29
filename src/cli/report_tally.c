/* SPDX-License-Identifier: Apache-2.0 */
/* Counting results: labels, pairs of them, scores, and texts drawn for examples. */
#include "cli/report_tally.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

enum { M = CLI_MOST_RESULT_LABELS };

mien_status cli_tally_create(cli_tally *tally, bool has_by, mien_error *error) {
  *tally = (cli_tally){.random = mien_random_start(0, 0)};
  tally->counts = mien_alloc(M, sizeof(uint64_t));
  tally->pairs = mien_alloc((size_t)M * M, sizeof(uint64_t));
  tally->bins = mien_alloc((size_t)M * MIEN_SCORE_BINS, sizeof(uint64_t));
  tally->given_bins = mien_alloc((size_t)M * MIEN_SCORE_BINS, sizeof(uint64_t));
  tally->lowest_given = mien_alloc(M, sizeof(float));
  tally->highest_left = mien_alloc(M, sizeof(float));
  tally->is_given = mien_alloc(M, sizeof(bool));
  tally->n_texts = mien_alloc(M, sizeof(uint64_t));
  tally->examples = mien_alloc((size_t)M * CLI_EXAMPLES, sizeof *tally->examples);
  tally->texts = mien_alloc((size_t)M * CLI_EXAMPLES, CLI_EXAMPLE_BYTES);
  if (has_by) tally->by = mien_alloc(1, sizeof *tally->by);
  if (!tally->counts || !tally->pairs || !tally->bins || !tally->given_bins || !tally->lowest_given ||
      !tally->highest_left || !tally->is_given || !tally->n_texts || !tally->examples || !tally->texts ||
      (has_by && !tally->by))
    return mien_fail_memory(error, "report", (size_t)M * M * sizeof(uint64_t));
  for (size_t l = 0; l < M; l++) {
    tally->lowest_given[l] = INFINITY;
    tally->highest_left[l] = -INFINITY;
  }
  for (size_t i = 0; i < (size_t)M * CLI_EXAMPLES; i++) tally->examples[i].text = tally->texts + i * CLI_EXAMPLE_BYTES;
  return has_by ? cli_tally_by_create(tally->by, error) : MIEN_OK;
}

void cli_tally_free(cli_tally *tally) {
  if (tally->by) cli_tally_by_free(tally->by);
  mien_free(tally->by);
  mien_free(tally->counts);
  mien_free(tally->pairs);
  mien_free(tally->bins);
  mien_free(tally->given_bins);
  mien_free(tally->lowest_given);
  mien_free(tally->highest_left);
  mien_free(tally->is_given);
  mien_free(tally->n_texts);
  mien_free(tally->examples);
  mien_free(tally->texts);
  *tally = (cli_tally){0};
}

uint64_t cli_tally_pair(const cli_tally *tally, size_t a, size_t b) {
  return a < b ? tally->pairs[a * M + b] : tally->pairs[b * M + a];
}

/* `bins` [n × MIEN_SCORE_BINS], of a good row's scores [n]. */
static void count_bins(uint64_t *bins, const float *scores, size_t n) {
  const mien_row_status good = MIEN_ROW_OK;
  mien_tally_scores(&(mien_tally){.n_labels = n, .bins = bins}, scores, &good, 1);
}

static float score_of(const cli_result *result, size_t i) {
  return result->given_scores ? result->given_scores[i] : result->scores[result->given[i]];
}

static void note_scores(cli_tally *tally, const cli_result *result) {
  for (size_t i = 0; i < result->n_given; i++) {
    float *lowest = &tally->lowest_given[result->given[i]];
    *lowest = fminf(*lowest, score_of(result, i));
    tally->is_given[result->given[i]] = true;
  }
  for (size_t l = 0; l < result->n_scores; l++)
    if (!tally->is_given[l]) tally->highest_left[l] = fmaxf(tally->highest_left[l], result->scores[l]);
  for (size_t i = 0; i < result->n_given; i++) tally->is_given[result->given[i]] = false;
}

bool cli_tally_contradicts(const cli_tally *tally, size_t label, float threshold) {
  const float rounded = 1e-6F;
  return tally->lowest_given[label] < threshold - rounded || tally->highest_left[label] > threshold + rounded;
}

static void count_scores(cli_tally *tally, const cli_result *result) {
  if (result->scores) {
    tally->n_scored++;
    count_bins(tally->bins, result->scores, result->n_scores);
  }
  if (!result->given_scores && !result->scores) return;
  tally->n_given_scored++;
  for (size_t i = 0; i < result->n_given; i++) {
    const float score = score_of(result, i);
    count_bins(tally->given_bins + (size_t)result->given[i] * MIEN_SCORE_BINS, &score, 1);
  }
  note_scores(tally, result);
}

/* The same text again is no other example. */
static bool has_text(const cli_example *examples, size_t n, const char *text, size_t bytes) {
  for (size_t i = 0; i < n; i++)
    if (examples[i].bytes == bytes && memcmp(examples[i].text, text, bytes) == 0) return true;
  return false;
}

/* The bytes of a text that are kept: no part of a character is left at their end. */
static size_t cut_text(mien_span text) {
  if (text.size <= CLI_EXAMPLE_BYTES) return text.size;
  size_t end = CLI_EXAMPLE_BYTES;
  for (size_t back = 0; back < 3 && ((unsigned char)text.bytes[end] & 0xC0) == 0x80; back++) end--;
  return end;
}

/* Vitter: Random Sampling with a Reservoir, 1985, algorithm R. */
static void draw_example(cli_tally *tally, const cli_result *result, size_t i) {
  const size_t label = result->given[i];
  const uint64_t n = tally->n_texts[label]++;
  cli_example *examples = tally->examples + label * CLI_EXAMPLES;
  size_t n_there = 0;
  while (n_there < CLI_EXAMPLES && examples[n_there].bytes > 0) n_there++;
  uint64_t place = n_there;
  if (n_there == CLI_EXAMPLES)
    place = (uint64_t)((double)(mien_random_next(&tally->random) >> 11) * 0x1p-53 * (double)(n + 1));
  const size_t bytes = cut_text(result->text);
  if (place >= CLI_EXAMPLES || bytes == 0 || has_text(examples, n_there, result->text.bytes, bytes)) return;
  examples[place].row = result->row;
  examples[place].bytes = bytes;
  examples[place].is_cut = bytes < result->text.size;
  examples[place].score = result->given_scores || result->scores ? score_of(result, i) : NAN;
  memcpy(examples[place].text, result->text.bytes, bytes);
}

mien_status cli_tally_add(cli_tally *tally, const cli_result *result, mien_error *error) {
  tally->n_rows++;
  tally->n_bad += result->is_bad;
  tally->n_truncated += result->is_truncated;
  if (result->is_bad) return MIEN_OK;
  tally->n_given += result->n_given;
  tally->n_without += result->n_given == 0;
  for (size_t i = 0; i < result->n_given; i++) {
    const size_t a = result->given[i];
    tally->counts[a]++;
    for (size_t j = i + 1; j < result->n_given; j++) {
      const size_t b = result->given[j];
      tally->pairs[a < b ? a * M + b : b * M + a]++;
    }
    if (result->text.bytes) draw_example(tally, result, i);
  }
  count_scores(tally, result);
  return tally->by ? cli_tally_by_add(tally->by, result, error) : MIEN_OK;
}
