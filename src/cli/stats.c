/* SPDX-License-Identifier: Apache-2.0 */
/* What a run was and how it went, as a file of JSON: --stats. */
#include "cli/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/new_file.h"
#include "base/status.h"
#include "cli/json_build.h"
#include "cli/progress.h"

static double rate(uint64_t n, double seconds) { return seconds > 0 ? (double)n / seconds : 0; }

static json_t *list_inputs(cli_json *built, const mien_inputs *inputs) {
  json_t *list = json_array();
  for (size_t i = 0; i < inputs->count; i++) {
    json_t *input = json_object();
    cli_json_set(built, input, "path", cli_json_text_or_null(inputs->items[i].path));
    cli_json_set(built, input, "format", json_string(mien_input_format_name(inputs->items[i].format)));
    cli_json_append(built, list, input);
  }
  return list;
}

static void set_run(cli_json *built, json_t *stats, cli_run *run, const mien_inputs *inputs,
                    const mien_run_summary *summary) {
  static const char *const devices[] = {[MIEN_DEVICE_CPU] = "cpu", [MIEN_DEVICE_CUDA] = "cuda"};
  const bool has_model = run->rows.content == MIEN_ROWS_LABELS;
  cli_json_set(built, stats, "mien_version", json_string(mien_version()));
  cli_json_set(built, stats, "command", json_string(run->command));
  cli_json_set(built, stats, "model", cli_json_text_or_null(has_model ? cli_model_path(&run->model) : NULL));
  cli_json_set(built, stats, "encoder", cli_json_text_or_null(cli_model_encoder_path(&run->model)));
  cli_json_set(built, stats, "inputs", list_inputs(built, inputs));
  cli_json_set(built, stats, "output", cli_json_text_or_null(run->output));
  cli_json_set(built, stats, "device", json_string(devices[run->run.device]));
  cli_json_set(built, stats, "dtype", cli_json_text_or_null(summary->dtype));
  cli_json_set(built, stats, "isa", cli_json_text_or_null(summary->isa[0] ? summary->isa : NULL));
  cli_json_set(built, stats, "threads", json_integer(summary->threads));
}

static void set_counts(cli_json *built, json_t *stats, const cli_run *run, const mien_run_summary *summary) {
  cli_json_set(built, stats, "rows", cli_json_count(summary->n_rows));
  cli_json_set(built, stats, "bad_rows", cli_json_count(summary->n_bad));
  cli_json_set(built, stats, "truncated", cli_json_count(summary->n_truncated));
  cli_json_set(built, stats, "split", cli_json_count(summary->n_split));
  cli_json_set(built, stats, "duplicates", cli_json_count(summary->n_duplicates));
  cli_json_set(built, stats, "tokens", cli_json_count(cli_progress_tokens(run, summary)));
  cli_json_set(built, stats, "bytes", cli_json_count(summary->n_bytes));
  if (run->rows.content == MIEN_ROWS_LABELS) cli_json_set(built, stats, "labels", cli_json_count(summary->n_labels));
}

static void set_times(cli_json *built, json_t *stats, const cli_run *run, const mien_run_summary *summary) {
  json_t *stages = json_object();
  for (int i = 0; i < MIEN_STAGES; i++)
    cli_json_set(built, stages, mien_stage_name((mien_stage)i), json_real(summary->times.seconds[i]));
  const double seconds = summary->seconds;
  const mien_stage slowest = mien_stage_bottleneck(&summary->times, summary->threads, seconds);
  cli_json_set(built, stats, "seconds", json_real(seconds));
  cli_json_set(built, stats, "rows_per_s", json_real(rate(summary->n_rows, seconds)));
  cli_json_set(built, stats, "tokens_per_s", json_real(rate(cli_progress_tokens(run, summary), seconds)));
  cli_json_set(built, stats, "bytes_per_s", json_real(rate(summary->n_bytes, seconds)));
  cli_json_set(built, stats, "stage_seconds", stages);
  cli_json_set(built, stats, "bottleneck", seconds > 0 ? json_string(mien_stage_name(slowest)) : json_null());
}

static json_t *list_labels(cli_json *built, const mien_model *model, const mien_tally *tally) {
  json_t *list = json_array();
  for (size_t i = 0; i < tally->n_labels; i++) {
    json_t *label = json_object(), *histogram = json_array();
    for (size_t bin = 0; bin < MIEN_SCORE_BINS; bin++)
      cli_json_append(built, histogram, cli_json_count(tally->bins[i * MIEN_SCORE_BINS + bin]));
    cli_json_set(built, label, "label", cli_json_text_or_null(mien_model_label_name(model, i)));
    cli_json_set(built, label, "rows", cli_json_count(tally->rows[i]));
    cli_json_set(built, label, "histogram", histogram);
    cli_json_append(built, list, label);
  }
  return list;
}

static mien_status write_file(const char *path, const char *bytes, mien_error *error) {
  mien_new_file file;
  mien_status status = mien_new_file_open(path, &file, error);
  if (status == MIEN_OK && file.fd < 0) status = mien_fail(error, MIEN_RESOURCE, "%s: is no file any more", path);
  if (status == MIEN_OK) status = mien_new_file_write(&file, bytes, strlen(bytes), path, error);
  if (status == MIEN_OK) status = mien_new_file_write(&file, "\n", 1, path, error);
  if (status == MIEN_OK) status = mien_new_file_publish(&file, path, error);
  mien_new_file_discard(&file);
  return status;
}

mien_status cli_stats_write(cli_run *run, const mien_model *model, const mien_run_summary *summary,
                            const mien_tally *tally, mien_status outcome, const mien_error *failure,
                            mien_error *error) {
  cli_json built = {0};
  json_t *stats = json_object();
  const char *word = outcome == MIEN_OK ? "done" : outcome == MIEN_CANCELLED ? "interrupted" : "failed";
  cli_json_set(&built, stats, "outcome", json_string(word));
  cli_json_set(&built, stats, "error", outcome == MIEN_OK ? json_null() : cli_json_text_or_null(failure->message));
  set_run(&built, stats, run, run->rows.inputs, summary);
  set_counts(&built, stats, run, summary);
  set_times(&built, stats, run, summary);
  if (tally) cli_json_set(&built, stats, "histogram_bins", json_integer(MIEN_SCORE_BINS));
  if (tally) cli_json_set(&built, stats, "label_scores", list_labels(&built, model, tally));
  char *bytes = built.failed ? NULL : json_dumps(stats, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(stats);
  if (!bytes) return mien_fail_memory(error, run->stats, 0);
  mien_status status = write_file(run->stats, bytes, error);
  free(bytes);
  return status;
}
