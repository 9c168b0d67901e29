/* SPDX-License-Identifier: Apache-2.0 */
/* What a run says on stderr of how far it is, and at its end: for people, or as a JSON object a line. */
#include "cli/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json_build.h"

static const char *rows_name(const cli_progress *p) { return p->reader->has_texts ? "texts" : "rows"; }

uint64_t cli_progress_tokens(const cli_run *run, const mien_run_summary *summary) {
  return run->rows.content == MIEN_ROWS_TOKENS ? summary->n_tokens : summary->n_encoded;
}

/* ---- Rates ------------------------------------------------------------------------------------------------------- */

/* What is done and what all is, in rows or in bytes of the inputs; false where the whole is not known. */
static bool find_whole(const mien_reader *reader, const cli_progress_sample *now, double *done, double *whole) {
  const bool by_rows = reader->n_rows != MIEN_ROWS_UNKNOWN;
  if (!by_rows && (!reader->has_texts || reader->n_bytes == MIEN_BYTES_UNKNOWN)) return false;
  *done = by_rows ? now->rows : now->bytes;
  *whole = by_rows ? (double)reader->n_rows : (double)reader->n_bytes;
  return *whole > 0;
}

static cli_rates find_rates(const cli_progress *p, const cli_progress_sample *now) {
  cli_rates rates = {.share = -1, .left = -1};
  double done, whole, done_then, same;
  const size_t n = p->n_samples;
  const cli_progress_sample then =
      n < CLI_PROGRESS_SAMPLES ? (cli_progress_sample){0} : p->samples[n % CLI_PROGRESS_SAMPLES];
  const double seconds = now->seconds - then.seconds;
  if (!(seconds > 0)) return rates;
  rates.rows_per_s = (now->rows - then.rows) / seconds;
  rates.tokens_per_s = (now->tokens - then.tokens) / seconds;
  rates.bytes_per_s = (now->bytes - then.bytes) / seconds;
  if (!find_whole(p->reader, now, &done, &whole) || !find_whole(p->reader, &then, &done_then, &same)) return rates;
  rates.share = fmin(1, done / whole);
  if (done > done_then) rates.left = fmax(0, whole - done) * seconds / (done - done_then);
  return rates;
}

static void take_sample(cli_progress *p, const cli_progress_sample *now) {
  static const double apart = 1; /* seconds */
  const size_t n = p->n_samples;
  if (n > 0 && now->seconds - p->samples[(n - 1) % CLI_PROGRESS_SAMPLES].seconds < apart) return;
  p->samples[n % CLI_PROGRESS_SAMPLES] = *now;
  p->n_samples++;
}

/* ---- For people -------------------------------------------------------------------------------------------------- */

/* A number per second with three digits or more: "950", "12.3 k", "4.56 M". */
static const char *show_rate(double rate, char out[16]) {
  static const char *const units[] = {"", " k", " M", " G", " T"};
  size_t unit = 0;
  while (rate >= 10000 && unit + 1 < sizeof units / sizeof *units) rate /= 1000, unit++;
  snprintf(out, 16, "%.*f%s", unit > 0 && rate < 100 ? 1 : 0, rate, units[unit]);
  return out;
}

static const char *show_time(double seconds, char out[32]) {
  const double minutes = seconds / 60;
  if (seconds < 120)
    snprintf(out, 32, "%.0f s", seconds);
  else if (minutes < 120)
    snprintf(out, 32, "%.0f min", minutes);
  else
    snprintf(out, 32, "%.0f h %02.0f min", floor(minutes / 60), floor(fmod(minutes, 60)));
  return out;
}

static size_t format_text(const cli_progress *p, const mien_run_summary *summary, const cli_rates *rates, char *line,
                          size_t capacity) {
  char text[32];
  const char *rows = rows_name(p);
  FILE *out = fmemopen(line, capacity, "w");
  if (!out) return 0;
  fprintf(out, "%" PRIu64 " %s", summary->n_rows, rows);
  if (rates->share >= 0 && p->reader->n_rows != MIEN_ROWS_UNKNOWN) fprintf(out, " of %" PRIu64, p->reader->n_rows);
  if (rates->share >= 0) fprintf(out, " (%.0f%%)", 100 * rates->share);
  fprintf(out, ", %.0f %s/s", rates->rows_per_s, rows);
  if (rates->tokens_per_s > 0) fprintf(out, ", %s tokens/s", show_rate(rates->tokens_per_s, text));
  if (rates->bytes_per_s > 0) fprintf(out, ", %sB/s", show_rate(rates->bytes_per_s, text));
  if (rates->left >= 0) fprintf(out, ", %s left", show_time(rates->left, text));
  fclose(out);
  return strlen(line);
}

/* A line that is longer than the terminal's could not be replaced. */
static void tell_text(cli_progress *p, const mien_run_summary *summary, const cli_rates *rates) {
  char line[256] = "";
  const size_t columns = cli_terminal_columns(STDERR_FILENO), size = format_text(p, summary, rates, line, sizeof line);
  if (isatty(STDERR_FILENO)) {
    fprintf(stderr, "\r\x1b[K%.*s", (int)(size < columns ? size : columns - 1), line);
    p->is_on_line = true;
  } else {
    fprintf(stderr, "mien: %s\n", line);
  }
}

/* Whether equal texts are run once. */
static bool has_duplicates(const cli_progress *p) {
  return p->reader->has_texts && p->run->rows.content != MIEN_ROWS_TOKENS && !p->run->run.no_cache;
}

static void sum_up_text(const cli_progress *p, const mien_run_summary *summary, double seconds) {
  const mien_row_content content = p->run->rows.content;
  fprintf(stderr, "mien: %" PRIu64 " %s, ", summary->n_rows, rows_name(p));
  if (content == MIEN_ROWS_LABELS) fprintf(stderr, "%" PRIu64 " labels, ", summary->n_labels);
  if (content == MIEN_ROWS_TOKENS) fprintf(stderr, "%" PRIu64 " tokens, ", summary->n_tokens);
  if (p->reader->has_texts) fprintf(stderr, "%" PRIu64 " truncated, ", summary->n_truncated);
  if (p->run->rows.splits) fprintf(stderr, "%" PRIu64 " split, ", summary->n_split);
  if (has_duplicates(p))
    fprintf(stderr, "%" PRIu64 " duplicates (%.1f%%), ", summary->n_duplicates,
            summary->n_pieces ? 100 * (double)summary->n_duplicates / (double)summary->n_pieces : 0.0);
  fprintf(stderr, "%" PRIu64 " bad rows in %.3f s (%.0f %s/s), ", summary->n_bad, seconds,
          seconds > 0 ? (double)summary->n_rows / seconds : 0.0, rows_name(p));
  if (summary->dtype) fprintf(stderr, "dtype %s, isa %s, ", summary->dtype, summary->isa);
  fprintf(stderr, "%u thread%s\n", summary->threads, summary->threads == 1 ? "" : "s");
}

/* ---- JSON lines -------------------------------------------------------------------------------------------------- */

static void print_json(json_t *object, const cli_json *built) {
  char *line = object && !built->failed ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
  if (line) fprintf(stderr, "%s\n", line);
  free(line);
  json_decref(object);
}

static void tell_json(const cli_progress *p, const mien_run_summary *summary, const cli_rates *rates, double seconds) {
  cli_json built = {0};
  json_t *line = json_object();
  cli_json_set(&built, line, "event", json_string("progress"));
  cli_json_set(&built, line, "rows", cli_json_count(summary->n_rows));
  if (p->reader->n_rows != MIEN_ROWS_UNKNOWN) cli_json_set(&built, line, "of_rows", cli_json_count(p->reader->n_rows));
  if (rates->share >= 0) cli_json_set(&built, line, "share", json_real(rates->share));
  cli_json_set(&built, line, "seconds", json_real(seconds));
  cli_json_set(&built, line, "rows_per_s", json_real(rates->rows_per_s));
  cli_json_set(&built, line, "tokens_per_s", json_real(rates->tokens_per_s));
  cli_json_set(&built, line, "bytes_per_s", json_real(rates->bytes_per_s));
  if (rates->left >= 0) cli_json_set(&built, line, "seconds_left", json_real(rates->left));
  print_json(line, &built);
}

static void sum_up_json(const cli_progress *p, const mien_run_summary *summary, double seconds) {
  cli_json built = {0};
  json_t *line = json_object();
  cli_json_set(&built, line, "event", json_string("summary"));
  cli_json_set(&built, line, "rows", cli_json_count(summary->n_rows));
  if (p->run->rows.content == MIEN_ROWS_LABELS) cli_json_set(&built, line, "labels", cli_json_count(summary->n_labels));
  cli_json_set(&built, line, "tokens", cli_json_count(cli_progress_tokens(p->run, summary)));
  cli_json_set(&built, line, "truncated", cli_json_count(summary->n_truncated));
  if (p->run->rows.splits) cli_json_set(&built, line, "split", cli_json_count(summary->n_split));
  if (has_duplicates(p)) cli_json_set(&built, line, "duplicates", cli_json_count(summary->n_duplicates));
  cli_json_set(&built, line, "bad_rows", cli_json_count(summary->n_bad));
  cli_json_set(&built, line, "seconds", json_real(seconds));
  cli_json_set(&built, line, "rows_per_s", json_real(seconds > 0 ? (double)summary->n_rows / seconds : 0));
  if (summary->dtype) cli_json_set(&built, line, "dtype", json_string(summary->dtype));
  if (summary->dtype) cli_json_set(&built, line, "isa", json_string(summary->isa));
  cli_json_set(&built, line, "threads", json_integer(summary->threads));
  print_json(line, &built);
}

/* ---- Progress ---------------------------------------------------------------------------------------------------- */

void cli_progress_begin(cli_progress *p, const cli_run *run, const mien_reader *reader) {
  *p = (cli_progress){.run = run, .reader = reader, .start = cli_now()};
  p->told = p->start;
}

void cli_progress_tell(void *user, const mien_run_summary *summary) {
  static const double on_terminal = 0.2; /* seconds */
  cli_progress *p = user;
  const double time = cli_now();
  const cli_run *run = p->run;
  const cli_progress_sample now = {.seconds = time - p->start,
                                   .rows = (double)summary->n_rows,
                                   .tokens = (double)cli_progress_tokens(run, summary),
                                   .bytes = (double)summary->n_bytes};
  const bool is_json = run->log_json;
  if (time - p->told >= (!is_json && isatty(STDERR_FILENO) ? on_terminal : run->log_every)) {
    const cli_rates rates = find_rates(p, &now);
    p->told = time;
    if (is_json)
      tell_json(p, summary, &rates, now.seconds);
    else
      tell_text(p, summary, &rates);
  }
  take_sample(p, &now);
}

void cli_progress_end(const cli_progress *p) {
  if (p->is_on_line) fprintf(stderr, "\r\x1b[K");
}

void cli_progress_sum_up(const cli_progress *p, const mien_run_summary *summary) {
  const double seconds = cli_now() - p->start;
  if (p->run->log_json)
    sum_up_json(p, summary, seconds);
  else
    sum_up_text(p, summary, seconds);
}
