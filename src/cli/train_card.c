/* SPDX-License-Identifier: Apache-2.0 */
/* The card that `mien train` writes: what the head is, what it was learned from, and its figures. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "cli/evaluation.h"
#include "cli/evaluation_print.h"
#include "cli/table.h"
#include "cli/train.h"

static const char *const split_names[TRAIN_SPLITS] = {"train", "dev", "test"};

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return strcmp(path, "-") == 0 ? "standard input" : slash ? slash + 1 : path;
}

static mien_status print_table(cli_table *table, FILE *out, mien_error *error) {
  const bool printed = cli_table_print(table, out, true);
  cli_table_free(table);
  return printed ? MIEN_OK : mien_fail_memory(error, "card", 0);
}

/* ---- Use --------------------------------------------------------------------------------------------------------- */

static void print_use(const train *t, FILE *out) {
  const char *encoder = t->options->data.model.encoder;
  fprintf(
      out,
      "# A head of %zu labels\n"
      "\n"
      "A logistic regression for each label, on embeddings of %zu numbers%s%s%s. `model.onnx` takes them as `logits` "
      "(N, %zu) and\n"
      "gives for each label, by its name, (N, 2): the second column is the label's score. A label is given where its "
      "score is above\n"
      "its number in `thresholds.json`.\n"
      "\n"
      "```sh\n"
      "mien label --encoder %s --head DIR texts.txt\n"
      "```\n"
      "\n"
      "```python\n"
      "import json, numpy, onnxruntime\n"
      "session = onnxruntime.InferenceSession(\"model.onnx\")\n"
      "thresholds = json.load(open(\"thresholds.json\"))\n"
      "names = [output.name for output in session.get_outputs()]\n"
      "scores = session.run(names, {session.get_inputs()[0].name: embeddings.astype(numpy.float32)})\n"
      "labels = {name: score[:, 1] > thresholds[name] for name, score in zip(names, scores)}\n"
      "```\n",
      t->labels.n, t->dim, encoder ? " by `" : "", encoder ? encoder : "", encoder ? "`" : "", t->dim,
      encoder ? encoder : "ENCODER");
}

/* ---- Data -------------------------------------------------------------------------------------------------------- */

static mien_status print_data(const train *t, FILE *out, mien_error *error) {
  static const char *const headings[] = {"split", "file", "XXH3-128", "embeddings' XXH3-128", "rows"};
  cli_table table;
  fprintf(out, "\n## Data\n\n");
  cli_table_start(&table, 4, headings, 5);
  for (int i = 0; i < TRAIN_SPLITS; i++) {
    const train_part *part = &t->parts[i];
    if (!part->path) continue;
    cli_table_add(&table, "%s", split_names[i]);
    cli_table_add(&table, "%s", base_name(part->path));
    cli_table_add(&table, "%s", part->hash[0] ? part->hash : "-");
    cli_table_add(&table, "%s", part->embeddings ? part->embeddings_hash : "made of the texts");
    cli_table_add(&table, "%zu", part->examples.n_rows);
  }
  return print_table(&table, out, error);
}

static size_t count_rows(const train_part *part, size_t label) {
  size_t n = 0;
  for (size_t row = 0; row < part->examples.n_rows; row++) n += mien_examples_has(&part->examples, row, label);
  return n;
}

/* ---- Regression -------------------------------------------------------------------------------------------------- */

static const char *rows_of_choice(const train *t) { return t->options->folds ? "rows out of their folds" : "dev"; }

static mien_status print_labels(const train *t, FILE *out, mien_error *error) {
  const char *const headings[] = {"label",        "C",
                                  "class weight", "threshold",
                                  "train rows",   t->options->measure == TRAIN_F1 ? "F1" : "average precision"};
  cli_table table;
  char power[32];
  cli_table_start(&table, 1, headings, 6);
  for (size_t l = 0; l < t->labels.n; l++) {
    const train_setting *setting = &t->settings[t->chosen[l]];
    const double figure = t->figures[t->chosen[l] * t->labels.n + l];
    cli_table_add(&table, "%s", t->labels.names[l]);
    if (train_is_constant(t, l)) {
      cli_table_add(&table, "a constant");
      cli_table_add(&table, "-");
    } else {
      cli_table_add(&table, "%.9g", setting->cost);
      cli_table_add(&table, "%s", train_power_name(setting->power, power));
    }
    char threshold[MIEN_NUMBER_CHARS];
    const size_t digits = mien_format_float(threshold, t->thresholds[l]);
    cli_table_add(&table, "%.*s", (int)digits, threshold);
    cli_table_add(&table, "%zu", count_rows(&t->parts[TRAIN_ROWS], l));
    if (isnan(figure))
      cli_table_add(&table, "-");
    else
      cli_table_add(&table, "%.3f", figure);
  }
  return print_table(&table, out, error);
}

static mien_status print_training(const train *t, FILE *out, mien_error *error) {
  const train_options *options = t->options;
  char *command = train_command(options);
  if (!command) return mien_fail_memory(error, "card", 0);
  fprintf(out,
          "\n## Training\n"
          "\n"
          "By mien %s, seed %" PRIu64 ":\n"
          "\n"
          "```sh\n"
          "%s\n"
          "```\n"
          "\n"
          "Each label minimises C times its log-loss plus half the squared norm of its weights. ",
          mien_version(), options->data.seed, command);
  free(command);
  if (options->soft.scores)
    fprintf(out, "Targets are %.9g times the scores of `%s` and %.9g times the labels. ", options->soft_weight,
            base_name(options->soft.scores), 1 - options->soft_weight);
  if (t->n_settings > 1)
    fprintf(out, "C and class weight are %s with the highest %s on %s. ",
            options->same_for_all ? "those of all labels" : "each label's", train_measure_names[options->measure],
            rows_of_choice(t));
  fprintf(out, "Thresholds are tuned on %s, objective %s.\n\n", t->parts[DEV_ROWS].path ? "dev" : rows_of_choice(t),
          cli_tune_objective(&options->tune));
  return print_labels(t, out, error);
}

/* ---- Figures ----------------------------------------------------------------------------------------------------- */

static mien_status print_figures(const train *t, train_split split, FILE *out, mien_error *error) {
  const train_part *part = &t->parts[split];
  const mien_linear linear = {.n_labels = t->labels.n, .dim = t->dim, .weights = t->weights.data, .biases = t->biases};
  mien_floats scores = {0};
  cli_evaluation evaluation = {0};
  mien_status status =
      mien_linear_score(&linear, &part->rows, t->options->data.threads, &cli_cancelled, &scores, error);
  if (status == MIEN_OK) {
    const mien_scored scored = {.n_rows = scores.n_rows,
                                .n_labels = scores.n_columns,
                                .scores = scores.data,
                                .n_words = part->examples.n_words,
                                .truth = part->examples.truth};
    /* Of test rows what tuning on them gives is shown as well, since others publish it. */
    const cli_schemes schemes = {.thresholds = t->thresholds, .is_tuned_on_data = split == TEST_ROWS};
    status = cli_evaluation_measure(&t->labels, &scored, &schemes, &evaluation, error);
  }
  if (status == MIEN_OK) {
    const cli_evaluation_print print = {
        .format = CLI_EVALUATION_MARKDOWN, .data = base_name(part->path), .evaluation = &evaluation};
    fprintf(out, "\n## Figures: %s\n\n", split_names[split]);
    status = cli_evaluation_print_tables(&print, out, error);
  }
  cli_evaluation_free(&evaluation);
  mien_floats_free(&scores);
  return status;
}

char *train_card(const train *t) {
  char *text = NULL;
  size_t size;
  mien_error error;
  FILE *out = open_memstream(&text, &size);
  if (!out) {
    (void)train_out_of_memory();
    return NULL;
  }
  print_use(t, out);
  mien_status status = print_data(t, out, &error);
  if (status == MIEN_OK) status = print_training(t, out, &error);
  if (status == MIEN_OK && t->parts[TEST_ROWS].path) status = print_figures(t, TEST_ROWS, out, &error);
  if (status == MIEN_OK && t->parts[DEV_ROWS].path) status = print_figures(t, DEV_ROWS, out, &error);
  const bool failed = ferror(out) != 0;
  if ((fclose(out) != 0 || failed) && status == MIEN_OK) status = mien_fail_memory(&error, "card", 0);
  if (status == MIEN_OK) return text;
  free(text);
  (void)train_report(status, &error);
  return NULL;
}
