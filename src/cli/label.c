/* SPDX-License-Identifier: Apache-2.0 */
/* mien label: embeddings in, labels out. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/label_options.h"

static const char command[] = "label";

/* ---- Progress ------------------------------------------------------------------------------------------------ */

typedef struct progress {
  double start, shown;
  uint64_t n_rows; /* MIEN_ROWS_UNKNOWN with a stream among the inputs */
  bool is_shown;
} progress;

static void show_progress(void *user, const mien_run_summary *summary) {
  static const double every_seconds = 0.2;
  progress *p = user;
  double now = cli_now();
  if (now - p->shown < every_seconds) return;
  p->shown = now;
  p->is_shown = true;
  double rate = (double)summary->n_rows / (now - p->start);
  fprintf(stderr, "\r\x1b[K%" PRIu64 " rows", summary->n_rows);
  if (p->n_rows != MIEN_ROWS_UNKNOWN)
    fprintf(stderr, " of %" PRIu64 " (%.0f%%)", p->n_rows, 100 * (double)summary->n_rows / (double)p->n_rows);
  fprintf(stderr, ", %.0f rows/s", rate);
  if (p->n_rows != MIEN_ROWS_UNKNOWN) fprintf(stderr, ", %.0f s left", (double)(p->n_rows - summary->n_rows) / rate);
}

static void clear_progress(const progress *p) {
  if (p->is_shown) fprintf(stderr, "\r\x1b[K");
}

static void print_summary(const mien_run_summary *summary, double seconds) {
  fprintf(stderr,
          "mien: %" PRIu64 " rows, %" PRIu64 " labels, %" PRIu64
          " bad rows in %.3f s (%.0f rows/s), dtype f32, isa %s, "
          "%u thread%s\n",
          summary->n_rows, summary->n_labels, summary->n_bad, seconds,
          seconds > 0 ? (double)summary->n_rows / seconds : 0.0, summary->isa, summary->threads,
          summary->threads == 1 ? "" : "s");
}

/* ---- The run ------------------------------------------------------------------------------------------------- */

static mien_status run(cli_label_options *options, mien_model *model, const mien_inputs *inputs, mien_error *error) {
  progress shown = {.start = cli_now()};
  shown.shown = shown.start;
  mien_reader *reader = NULL;
  mien_writer *writer = NULL;
  mien_run_summary summary = {0};
  options->run.cancel = &cli_cancelled;
  options->rows.inputs = inputs;
  mien_status status =
      mien_embedding_reader_create(inputs, mien_model_dim(model), mien_row_result_bytes(model, &options->rows),
                                   MIEN_CHUNK_BYTES, &cli_cancelled, &reader, error);
  if (status == MIEN_OK)
    status = mien_writer_create(model, &options->rows, options->output, &cli_cancelled, &writer, error);
  if (status == MIEN_OK) {
    shown.n_rows = reader->n_rows;
    if (!options->quiet && isatty(STDERR_FILENO)) {
      options->run.progress = show_progress;
      options->run.progress_user = &shown;
    }
    status = mien_run(model, reader, writer, &options->run, &summary, error);
    clear_progress(&shown);
  }
  mien_writer_destroy(writer);
  if (reader) reader->destroy(reader);
  if (status == MIEN_OK && !options->quiet) print_summary(&summary, cli_now() - shown.start);
  return status;
}

static int label(cli_label_options *options) {
  mien_model *model = NULL;
  int code = cli_model_open(&options->model, command, &model);
  if (code != MIEN_OK) return code;
  size_t n_labels = mien_model_label_count(model);
  mien_inputs inputs = {0};
  mien_error error;
  if (options->rows.top_k > n_labels) {
    code = cli_usage(command, "option '--top-k': expected at most %zu, the head's labels, found %zu", n_labels,
                     options->rows.top_k);
  } else if (mien_inputs_add(&inputs, options->inputs, options->n_inputs, options->input_format, &error) != MIEN_OK) {
    code = cli_report(command, &error);
  } else {
    code = cli_label_check_output(options, &inputs);
  }
  if (code == MIEN_OK && run(options, model, &inputs, &error) != MIEN_OK) code = cli_report(command, &error);
  mien_inputs_free(&inputs);
  mien_model_release(model);
  return code;
}

int cli_label(int argc, char **argv) {
  cli_label_options options = {0};
  int code = cli_label_parse(&options, argc, argv);
  if (code == MIEN_OK) {
    cli_catch_signals();
    code = options.help ? cli_label_help() : label(&options);
  }
  cli_model_free(&options.model);
  return code;
}
