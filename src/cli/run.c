/* SPDX-License-Identifier: Apache-2.0 */
/* A run from inputs to output, with what it tells meanwhile and leaves behind. */
#include "cli/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/status.h"
#include "cli/progress.h"
#include "cli/stats.h"

size_t cli_terminal_columns(int fd) {
  enum { USUAL = 80, MOST = 1000 };
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char *columns = getenv("COLUMNS");
  uint64_t number;
  return columns && cli_parse_uint(columns, 1, MOST, &number) ? (size_t)number : USUAL;
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

/* How it ended: well, but before its last row. */
static mien_status outcome_of(const mien_reader *reader, const mien_run_summary *summary, mien_status status,
                              mien_error *failure) {
  const mien_row_range *range = reader->range;
  if (status != MIEN_OK || !summary->is_finished_early || range->first + summary->n_rows >= range->end) return status;
  return mien_fail(failure, MIEN_CANCELLED, "interrupted");
}

mien_status cli_run_reader(cli_run *run, mien_model *model, mien_reader *reader, mien_writer *writer,
                           mien_run_summary *summary, mien_error *error) {
  const bool has_tally = run->stats && run->rows.content == MIEN_ROWS_LABELS;
  mien_tally tally = {0};
  cli_progress progress;
  mien_status status = has_tally ? mien_tally_init(&tally, mien_model_label_count(model), error) : MIEN_OK;
  cli_progress_begin(&progress, run, reader);
  if (has_tally) run->run.tally = &tally;
  if (!run->quiet) {
    run->run.progress = cli_progress_tell;
    run->run.progress_user = &progress;
  }
  if (status == MIEN_OK) status = mien_run(model, reader, writer, &run->run, summary, error);
  cli_progress_end(&progress);
  if (status == MIEN_OK && !run->quiet) cli_progress_sum_up(&progress, summary);
  if (run->stats) {
    mien_error failure = status == MIEN_OK ? (mien_error){0} : *error, unwritten;
    const mien_status outcome = outcome_of(reader, summary, status, &failure);
    const mien_status written =
        cli_stats_write(run, model, summary, has_tally ? &tally : NULL, outcome, &failure, &unwritten);
    /* What went wrong first is what is told as the end of the run. */
    if (written != MIEN_OK && status != MIEN_OK) (void)cli_report(run->command, &unwritten);
    if (written != MIEN_OK && status == MIEN_OK) {
      *error = unwritten;
      status = written;
    }
  }
  run->run.tally = NULL;
  mien_tally_free(&tally);
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
