/* SPDX-License-Identifier: Apache-2.0 */
/* mien label: embeddings in, labels out. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/label_options.h"
#include "corpus/output.h"

static const char command[] = "label";

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- Progress ------------------------------------------------------------------------------------------------ */

typedef struct progress {
  double start, shown;
  uint64_t n_rows; /* MIEN_ROWS_UNKNOWN with a stream among the inputs */
  bool is_shown;
} progress;

static void show_progress(void *user, const mien_run_summary *summary) {
  static const double every_seconds = 0.2;
  progress *p = user;
  double now = seconds_now();
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

/* The model is a file with its thresholds beside it, or a folder with both in it. */
static bool is_file_of_model(const char *output, const char *model_path) {
  static const char *const names[] = {"model.onnx", "thresholds.json"};
  if (mien_output_is_same_file(output, model_path)) return true;
  const char *slash = strrchr(model_path, '/');
  struct stat info;
  bool is_folder = stat(model_path, &info) == 0 && S_ISDIR(info.st_mode);
  int folder_bytes = (int)(is_folder ? strlen(model_path) : slash ? (size_t)(slash - model_path) : 0);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[PATH_MAX];
    int length =
        snprintf(path, sizeof path, "%.*s%s%s", folder_bytes, model_path, is_folder || slash ? "/" : "", names[i]);
    if (length < (int)sizeof path && mien_output_is_same_file(output, path)) return true;
  }
  return false;
}

/* A run must not replace what it reads. */
static int check_output(cli_label_options *options, const mien_inputs *inputs) {
  const char *output = options->output, *name = output ? output : "stdout";
  for (size_t i = 0; i < inputs->count; i++) {
    if (mien_output_is_same_file(output, inputs->items[i].path))
      return cli_usage(command, "%s: the output is the same file as input %s", name,
                       mien_input_name(inputs->items[i].path));
  }
  const char *others[] = {options->model.thresholds_path, options->model.labels_path};
  bool same = is_file_of_model(output, cli_model_path(&options->model));
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    same |= others[i] && mien_output_is_same_file(output, others[i]);
  return same ? cli_usage(command, "%s: the output is a file of the model", name) : MIEN_OK;
}

static mien_status run(cli_label_options *options, mien_model *model, const mien_inputs *inputs, mien_error *error) {
  progress shown = {.start = seconds_now()};
  shown.shown = shown.start;
  mien_reader *reader = NULL;
  mien_writer *writer = NULL;
  mien_run_summary summary = {0};
  options->run.cancel = &cli_cancelled;
  options->rows.inputs = inputs;
  mien_status status =
      mien_embedding_reader_create(inputs, mien_model_dim(model), MIEN_CHUNK_BYTES, &cli_cancelled, &reader, error);
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
  if (status == MIEN_OK && !options->quiet) print_summary(&summary, seconds_now() - shown.start);
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
    code = check_output(options, &inputs);
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
