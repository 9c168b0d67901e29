/* SPDX-License-Identifier: Apache-2.0 */
/* A run from inputs to output, with its progress on a terminal and its summary. */
#include "cli/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

size_t cli_terminal_columns(void) {
  enum { USUAL = 80, MOST = 1000 };
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char *columns = getenv("COLUMNS");
  uint64_t number;
  return columns && cli_parse_uint(columns, 1, MOST, &number) ? (size_t)number : USUAL;
}

/* ---- Progress ---------------------------------------------------------------------------------------------------- */

typedef struct progress {
  double start, shown;
  const mien_reader *reader;
  bool is_shown;
} progress;

/* How far the run is, from 0 to 1; negative where that is not known. */
static double share_of(const mien_reader *reader, const mien_run_summary *summary) {
  if (reader->n_rows == 0) return -1;
  if (reader->n_rows != MIEN_ROWS_UNKNOWN) return (double)summary->n_rows / (double)reader->n_rows;
  if (!reader->has_texts || reader->n_bytes == 0 || reader->n_bytes == MIEN_BYTES_UNKNOWN) return -1;
  return fmin(1, (double)summary->n_bytes / (double)reader->n_bytes);
}

static void show_progress(void *user, const mien_run_summary *summary) {
  static const double every_seconds = 0.2;
  progress *p = user;
  const double now = cli_now(), seconds = now - p->start;
  if (now - p->shown < every_seconds) return;
  p->shown = now;
  p->is_shown = true;
  const char *rows = p->reader->has_texts ? "texts" : "rows";
  const double share = share_of(p->reader, summary);
  fprintf(stderr, "\r\x1b[K%" PRIu64 " %s", summary->n_rows, rows);
  if (share >= 0 && p->reader->n_rows != MIEN_ROWS_UNKNOWN) fprintf(stderr, " of %" PRIu64, p->reader->n_rows);
  if (share >= 0) fprintf(stderr, " (%.0f%%)", 100 * share);
  fprintf(stderr, ", %.0f %s/s", (double)summary->n_rows / seconds, rows);
  if (share > 0) fprintf(stderr, ", %.0f s left", seconds * (1 - share) / share);
}

static void clear_progress(const progress *p) {
  if (p->is_shown) fprintf(stderr, "\r\x1b[K");
}

static void print_summary(const mien_reader *reader, const cli_run *run, const mien_run_summary *summary,
                          double seconds) {
  const char *rows = reader->has_texts ? "texts" : "rows";
  fprintf(stderr, "mien: %" PRIu64 " %s, ", summary->n_rows, rows);
  if (run->rows.content == MIEN_ROWS_LABELS) fprintf(stderr, "%" PRIu64 " labels, ", summary->n_labels);
  if (run->rows.content == MIEN_ROWS_TOKENS) fprintf(stderr, "%" PRIu64 " tokens, ", summary->n_tokens);
  if (reader->has_texts) fprintf(stderr, "%" PRIu64 " truncated, ", summary->n_truncated);
  fprintf(stderr, "%" PRIu64 " bad rows in %.3f s (%.0f %s/s), ", summary->n_bad, seconds,
          seconds > 0 ? (double)summary->n_rows / seconds : 0.0, rows);
  if (summary->dtype) fprintf(stderr, "dtype %s, isa %s, ", summary->dtype, summary->isa);
  fprintf(stderr, "%u thread%s\n", summary->threads, summary->threads == 1 ? "" : "s");
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

mien_status cli_run_open_reader(cli_run *run, const mien_model *model, const mien_inputs *inputs,
                                const mien_row_range *range, mien_reader **reader, mien_error *error) {
  const mien_chunk_limits *limits = mien_chunk_limits_of(run->run.device);
  const size_t result_bytes = mien_row_result_bytes(model, &run->rows);
  if (mien_input_kind(inputs->items[0].format) == MIEN_INPUT_EMBEDDINGS)
    return mien_embedding_reader_create(inputs, mien_model_dim(model), result_bytes, limits->embedding_bytes, range,
                                        run->run.cancel, reader, error);
  run->texts.chunk_rows = mien_text_chunk_rows(limits, result_bytes);
  run->texts.chunk_bytes = limits->text_bytes;
  run->texts.workers = run->run.threads;
  run->texts.range = range;
  run->texts.cancel = run->run.cancel;
  return mien_text_reader_create(inputs, &run->texts, reader, error);
}

mien_status cli_run_reader(cli_run *run, mien_model *model, mien_reader *reader, mien_writer *writer,
                           mien_run_summary *summary, mien_error *error) {
  progress shown = {.start = cli_now(), .reader = reader};
  shown.shown = shown.start;
  if (!run->quiet && isatty(STDERR_FILENO)) {
    run->run.progress = show_progress;
    run->run.progress_user = &shown;
  }
  mien_status status = mien_run(model, reader, writer, &run->run, summary, error);
  clear_progress(&shown);
  if (status == MIEN_OK && !run->quiet) print_summary(reader, run, summary, cli_now() - shown.start);
  return status;
}

int cli_run_all(cli_run *run, mien_model *model, const mien_inputs *inputs, mien_reader *reader) {
  mien_error error;
  mien_status status = MIEN_OK;
  mien_writer *writer = NULL;
  mien_run_summary summary = {0};
  run->run.cancel = &cli_cancelled;
  run->rows.inputs = inputs;
#ifndef __EMSCRIPTEN__
  if (run->parts.option) return cli_run_in_parts(run, model, inputs);
#endif
  if (!reader) status = cli_run_open_reader(run, model, inputs, NULL, &reader, &error);
  if (status == MIEN_OK) status = mien_writer_create(model, &run->rows, run->output, &cli_cancelled, &writer, &error);
  if (status == MIEN_OK) status = cli_run_reader(run, model, reader, writer, &summary, &error);
  mien_writer_destroy(writer);
  if (reader) reader->destroy(reader);
  return status == MIEN_OK ? MIEN_OK : cli_report(run->command, &error);
}

int cli_run_check_formats(const cli_run *run, const mien_inputs *inputs) {
  enum { JSONL = 1 << MIEN_INPUT_JSONL, TABLES = 1 << MIEN_INPUT_CSV | 1 << MIEN_INPUT_TSV };
  static const struct {
    int option, formats;
    const char *expected;
  } options[] = {{CLI_TEXT_FIELD, JSONL, "jsonl"},         {CLI_ID_FIELD, JSONL, "jsonl"},
                 {CLI_TEXT_COLUMN, TABLES, "csv and tsv"}, {CLI_ID_COLUMN, TABLES, "csv and tsv"},
                 {CLI_NO_HEADER, TABLES, "csv and tsv"},   {CLI_KEEP, JSONL | TABLES, "jsonl, csv and tsv"}};
  int found = 0;
  for (size_t i = 0; i < inputs->count; i++) found |= 1 << inputs->items[i].format;
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (cli_run_has(run, options[i].option) && !(found & options[i].formats))
      return cli_usage(run->command, "option '%s' is for inputs of %s; there are none", cli_run_name(options[i].option),
                       options[i].expected);
  return MIEN_OK;
}

int cli_run_encoder(cli_run *run) {
  mien_inputs inputs = {0};
  mien_model *model = NULL;
  mien_error error;
  cli_catch_signals();
  int code = MIEN_OK;
  if (mien_inputs_add(&inputs, run->inputs, run->n_inputs, run->input_format, MIEN_INPUT_TEXTS, &error) != MIEN_OK)
    code = cli_report(run->command, &error);
  if (code == MIEN_OK) code = cli_run_check_formats(run, &inputs);
  if (code == MIEN_OK) code = cli_model_open(&run->model, run->command, CLI_USE_ENCODER, &model);
  if (code == MIEN_OK) code = cli_run_check_output(run, &inputs);
  if (code == MIEN_OK) code = cli_run_all(run, model, &inputs, NULL);
  mien_inputs_free(&inputs);
  mien_model_release(model);
  return code;
}
