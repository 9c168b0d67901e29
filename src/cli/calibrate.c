/* SPDX-License-Identifier: Apache-2.0 */
/* mien calibrate: scores of a head that say how often they are right, by scalings that are folded into it. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "cli/calibration.h"
#include "cli/data_options.h"
#include "cli/new_folder.h"
#include "cli/tune_options.h"
#include "corpus/output.h"
#include "head/onnx_write.h"
#include "kernels/sigmoid.h"
#include "model/model.h"
#include "train/random.h"

static const char command[] = "calibrate";

enum { CALIBRATE_FORMAT = CLI_DATA_OWN, CALIBRATE_JSON, CALIBRATE_PLOT, CALIBRATE_FOLDS };

/* clang-format off */
static const struct option long_options[] = {
  CLI_MODEL_OPTIONS,
  CLI_DATA_OPTIONS,
  {"format", required_argument, NULL, CALIBRATE_FORMAT},
  {"json", no_argument, NULL, CALIBRATE_JSON},
  {"plot", required_argument, NULL, CALIBRATE_PLOT},
  {"folds", required_argument, NULL, CALIBRATE_FOLDS},
  {NULL, 0, NULL, 0},
};
/* clang-format on */

typedef struct calibrate {
  cli_data data;
  calibration_format format;
  const char *plot;
  uint64_t n_folds;

  mien_model *model;
  mien_label_set labels;
  mien_examples examples;
  mien_floats embeddings;
  double *logits;                       /* [L × n_rows] */
  bool *is_true;                        /* [n_rows] of one label */
  unsigned *folds;                      /* [n_rows] */
  float *weights, *biases, *thresholds; /* [L × D], [L], [L] of the head that is written */
  size_t n_moved;                       /* labels of rows that are others by the new thresholds */
  calibration found;
  cli_new_folder folder;
  mien_error error;
} calibrate;

static int help(void) {
  printf(
      "Usage: mien calibrate [OPTION]... --data FILE -o FOLDER|NAME.safetensors\n"
      "\n"
      "Fits each label's scores to how often rows have it, sigmoid(a*z + c) of its logits z (Platt 1999), on rows\n"
      "that the model was not trained on, and writes a head with a and c folded into weights and bias: nothing more\n"
      "to pay when it runs. Thresholds move along, so that rows keep their labels. A label that no row has, or that\n"
      "a scaling would turn around, is left as it is, with a note.\n"
      "\n%s"
      "\n"
      "Data:\n"
      "  --data FILE           labelled rows\n"
      "  --embeddings FILE     an .npy of (rows, D): the rows' embeddings, in place of their texts\n%s",
      cli_model_help, cli_data_help);
  printf(
      "  --folds K             2 to 100: rows are divided into K parts, and the figures \"held out\" are of each part\n"
      "                        by scalings of the others. Default: 5\n%s"
      "\n"
      "Output:\n"
      "  -o, --output FOLDER   model.onnx in the published heads' graph, and thresholds.json. Must not be there yet\n"
      "  -o, --output NAME.safetensors\n"
      "                        a pack with the encoder; needs a model with one\n"
      "  --format text|markdown|json|csv\n"
      "                        of the table on stdout: a and c, expected calibration error and Brier score, before,\n"
      "                        after and held out. Default: text\n"
      "  --json                --format json\n"
      "  --plot FILE.svg       reliability diagrams, a label each, for light and dark\n"
      "\n"
      "Run:\n%s",
      cli_seed_help, cli_data_run_help);
  return cli_flush_stdout();
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static int take_option(calibrate *c, int opt, const char *value) {
  static const char *const formats[] = {"text", "markdown", "json", "csv"};
  int choice = 0, code;
  switch (opt) {
  case CALIBRATE_FORMAT:
    code = cli_choose(command, "--format", value, formats, 4, &choice);
    c->format = (calibration_format)choice;
    return code;
  case CALIBRATE_JSON: c->format = CALIBRATION_JSON; return MIEN_OK;
  case CALIBRATE_PLOT: c->plot = value; return MIEN_OK;
  case CALIBRATE_FOLDS: return cli_number(command, "--folds", value, 2, 100, &c->n_folds);
  default: return cli_data_option(&c->data, command, opt, value);
  }
}

static bool is_to_be_pack(const calibrate *c) { return mien_path_ends_with(c->data.output, ".safetensors"); }

static int parse(calibrate *c, int argc, char **argv) {
  int opt, code = MIEN_OK;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, CLI_DATA_SHORT, long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv) : take_option(c, opt, optarg);
  if (code != MIEN_OK || c->data.help) return code;
  code = cli_data_finish(&c->data, command, argc, argv);
  if (code == MIEN_OK && !c->data.path) code = cli_usage(command, "expected --data FILE");
  if (code == MIEN_OK && !c->data.output) code = cli_usage(command, "expected -o FOLDER or -o NAME.safetensors");
  return code;
}

static int check_output(calibrate *c, const char *path) {
  const char *files[] = {c->data.model.thresholds_path, c->data.model.labels_path};
  const int code = cli_data_check_output(&c->data, command, path, files, sizeof files / sizeof *files);
  return code == MIEN_OK ? cli_check_figures_output(&c->data.model, command, false, path) : code;
}

static int check_outputs(calibrate *c) {
  int code = check_output(c, c->data.output);
  if (code == MIEN_OK && c->plot) code = check_output(c, c->plot);
  if (code == MIEN_OK && c->plot && cli_is_same_target(c->plot, c->data.output))
    code = cli_usage(command, "%s: the output and the plot are the same file", c->plot);
  return code;
}

/* ---- Scalings ---------------------------------------------------------------------------------------------------- */

/* The head's weights, and its logits in double: of its scores the high ones have lost too many digits. */
static void compute_logits(calibrate *c) {
  const mien_head_plan *plan = mien_model_plan(c->model);
  mien_head_plan_weights(plan, c->weights);
  memcpy(c->biases, plan->bias, plan->n_labels * sizeof *c->biases);
  for (size_t row = 0; row < c->examples.n_rows; row++) {
    const float *x = c->embeddings.data + row * plan->dim;
    for (size_t l = 0; l < plan->n_labels; l++) {
      const float *w = c->weights + l * plan->dim;
      double sum = (double)c->biases[l];
      for (size_t k = 0; k < plan->dim; k++) sum += (double)w[k] * (double)x[k];
      c->logits[l * c->examples.n_rows + row] = sum;
    }
  }
}

static float score_of(double logit) { return (float)(1 / (1 + exp(-logit))); }

static void scale_label(calibrate *c, size_t label) {
  const size_t n = c->examples.n_rows, n_labels = c->labels.n, dim = c->embeddings.n_columns;
  const double *logits = c->logits + label * n;
  for (size_t row = 0; row < n; row++) c->is_true[row] = mien_examples_has(&c->examples, row, label);
  const mien_platt scaling = mien_platt_fit(logits, c->is_true, n, NULL, 0);
  for (unsigned fold = 0; fold < c->n_folds; fold++) {
    /* What has no scaling as a whole has none in its parts. */
    const mien_platt part =
        scaling.result == MIEN_PLATT_FITTED ? mien_platt_fit(logits, c->is_true, n, c->folds, fold) : scaling;
    for (size_t row = 0; row < n; row++)
      if (c->folds[row] == fold)
        c->found.held_out.data[row * n_labels + label] = score_of(part.a * logits[row] + part.c);
  }
  c->found.scalings[label] = scaling;
  for (size_t k = 0; k < dim; k++)
    c->weights[label * dim + k] = (float)(scaling.a * (double)c->weights[label * dim + k]);
  c->biases[label] = (float)(scaling.a * (double)c->biases[label] + scaling.c);
}

/* ---- Thresholds -------------------------------------------------------------------------------------------------- */

/*
 * The threshold that gives the label to the rows that had it. By the scaling alone it could fall on the wrong side of
 * a row's score, which is rounded in another way: it goes no further than to the scores of the rows around it.
 */
static float move_threshold(calibrate *c, size_t label) {
  const size_t n = c->examples.n_rows, n_labels = c->labels.n;
  const float before = c->model->thresholds[label];
  const mien_platt *scaling = &c->found.scalings[label];
  if (scaling->result != MIEN_PLATT_FITTED) return before;
  float moved = before <= 0 || before >= 1 ? before : score_of(scaling->a * mien_logit((double)before) + scaling->c);
  float highest_without = -1, lowest_with = 2;
  for (size_t row = 0; row < n; row++) {
    const float score = c->found.after.data[row * n_labels + label];
    if (c->found.before.data[row * n_labels + label] > before)
      lowest_with = fminf(lowest_with, score);
    else
      highest_without = fmaxf(highest_without, score);
  }
  if (highest_without < lowest_with) {
    if (moved < highest_without) moved = highest_without;
    if (moved >= lowest_with) moved = nextafterf(lowest_with, 0);
  }
  for (size_t row = 0; row < n; row++)
    c->n_moved += (c->found.before.data[row * n_labels + label] > before) !=
                  (c->found.after.data[row * n_labels + label] > moved);
  return moved;
}

/* ---- Figures ----------------------------------------------------------------------------------------------------- */

static mien_status measure(calibrate *c, const mien_floats *scores, int which) {
  const size_t n_labels = c->labels.n;
  const mien_scored scored = {.n_rows = scores->n_rows,
                              .n_labels = n_labels,
                              .scores = scores->data,
                              .n_words = c->examples.n_words,
                              .truth = c->examples.truth};
  mien_ranking ranking = {0};
  calibration_figures *mean = calibration_of(&c->found, n_labels) + which;
  mien_status status = mien_ranking_create(&scored, &ranking, &c->error);
  for (size_t l = 0; status == MIEN_OK && l < n_labels; l++) {
    const mien_score_figures figures = mien_ranking_measure(&ranking, l, NULL);
    calibration_of(&c->found, l)[which] = (calibration_figures){figures.calibration_error, figures.brier};
    mean->calibration_error += figures.calibration_error / (double)n_labels;
    mean->brier += figures.brier / (double)n_labels;
  }
  mien_ranking_free(&ranking);
  return status;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static int allocate(calibrate *c) {
  const size_t n = c->examples.n_rows, n_labels = c->labels.n, dim = c->embeddings.n_columns;
  c->logits = mien_alloc(n, n_labels * sizeof *c->logits);
  c->is_true = mien_alloc(n, sizeof *c->is_true);
  c->folds = mien_alloc(n, sizeof *c->folds);
  c->weights = mien_alloc(n_labels, dim * sizeof *c->weights);
  c->biases = mien_alloc(n_labels, sizeof *c->biases);
  c->thresholds = mien_alloc(n_labels, sizeof *c->thresholds);
  c->found.scalings = mien_alloc(n_labels, sizeof *c->found.scalings);
  c->found.figures = mien_alloc(n_labels + 1, 3 * sizeof *c->found.figures);
  mien_status status = MIEN_OK;
  if (!c->logits || !c->is_true || !c->folds || !c->weights || !c->biases || !c->thresholds || !c->found.scalings ||
      !c->found.figures)
    status = mien_fail_memory(&c->error, "calibration", n * n_labels * sizeof *c->logits);
  if (status == MIEN_OK) status = mien_floats_create(n, n_labels, "scores", &c->found.held_out, &c->error);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &c->error);
}

static int load(calibrate *c) {
  c->data.model.has_dtype = c->data.model.has_dtype && !c->data.embeddings;
  int code = cli_model_open(&c->data.model, command,
                            c->data.embeddings && !is_to_be_pack(c) ? CLI_USE_HEAD : CLI_USE_BOTH, &c->model);
  if (code == MIEN_OK) code = cli_data_labels_of(c->model, command, &c->labels);
  if (code == MIEN_OK) code = cli_data_read(&c->data, command, c->data.path, &c->labels, &c->examples);
  if (code == MIEN_OK)
    code = cli_data_embed(&c->data, command, c->model, c->data.embeddings, &c->examples, &c->embeddings);
  return code == MIEN_OK ? allocate(c) : code;
}

static mien_status score(calibrate *c, mien_model *model, mien_floats *scores) {
  const mien_floats_options options = {.threads = c->data.threads, .cancel = &cli_cancelled};
  return mien_floats_score(model, &c->embeddings, &options, scores, &c->error);
}

/* The head, and what it gives to the rows; thresholds follow from that. */
static mien_status write_head(calibrate *c) {
  char file[CLI_PATH_CHARS];
  static const double half = 0.5;
  const mien_model_options options = {.size = sizeof options, .threshold = &half};
  const mien_onnx_head head = {.n_labels = c->labels.n,
                               .dim = c->embeddings.n_columns,
                               .labels = (const char *const *)c->labels.names,
                               .weights = c->weights,
                               .bias = c->biases,
                               .name = "mien"};
  mien_model *model = NULL;
  mien_status status = cli_new_folder_file(&c->folder, "model.onnx", file, &c->error);
  if (status == MIEN_OK) status = mien_head_write_onnx(&head, file, &c->error);
  if (status == MIEN_OK) status = mien_model_open(file, &options, &model, &c->error);
  if (status == MIEN_OK) status = score(c, model, &c->found.after);
  mien_model_release(model);
  if (status != MIEN_OK) return status;
  for (size_t l = 0; l < c->labels.n; l++) c->thresholds[l] = move_threshold(c, l);
  status = cli_new_folder_file(&c->folder, "thresholds.json", file, &c->error);
  return status == MIEN_OK ? cli_tune_write(file, &c->labels, c->thresholds, &c->error) : status;
}

/* The head with the encoder that it is for. */
static mien_status write_pack(calibrate *c) {
  char file[CLI_PATH_CHARS];
  const char *encoder = cli_model_encoder_path(&c->data.model);
  const mien_dtype *dtype = c->data.model.has_dtype ? &c->data.model.dtype : NULL;
  const mien_model_options options = {.size = sizeof options,
                                      .encoder_path = encoder ? encoder : cli_model_path(&c->data.model),
                                      .max_tokens = (uint32_t)mien_model_max_tokens(c->model),
                                      .dtype = dtype};
  mien_model *model = NULL;
  mien_status status = cli_new_folder_file(&c->folder, "model.onnx", file, &c->error);
  if (status == MIEN_OK) status = mien_model_open(file, &options, &model, &c->error);
  if (status == MIEN_OK) status = mien_pack(model, c->data.output, NULL, &c->error);
  mien_model_release(model);
  return status;
}

static mien_status write_plot(calibrate *c) {
  mien_buffer text = {0};
  mien_output *output = NULL;
  mien_status status = calibration_plot(&c->found, &text)
                           ? mien_output_open(c->plot, &cli_cancelled, &output, &c->error)
                           : mien_fail_memory(&c->error, c->plot, text.size);
  if (status == MIEN_OK) status = mien_output_write(output, text.bytes, text.size, &c->error);
  if (status == MIEN_OK) status = mien_output_close(output, &c->error);
  if (status == MIEN_OK) status = mien_output_publish(output, &c->error);
  mien_output_destroy(output);
  mien_buffer_free(&text);
  return status;
}

static mien_status make(calibrate *c) {
  mien_random random = mien_random_start(c->data.seed, 0);
  for (size_t row = 0; row < c->examples.n_rows; row++)
    c->folds[row] = (unsigned)mien_random_below(&random, (uint32_t)c->n_folds);
  compute_logits(c);
  for (size_t l = 0; l < c->labels.n; l++) scale_label(c, l);
  mien_status status = score(c, c->model, &c->found.before);
  if (status == MIEN_OK) status = write_head(c);
  const mien_floats *const all[] = {&c->found.before, &c->found.after, &c->found.held_out};
  for (int i = 0; status == MIEN_OK && i < 3; i++) status = measure(c, all[i], i);
  if (status == MIEN_OK && atomic_load(&cli_cancelled))
    status = mien_fail(&c->error, MIEN_CANCELLED, "interrupted: nothing was written");
  if (status == MIEN_OK && c->plot) status = write_plot(c);
  if (status == MIEN_OK) status = is_to_be_pack(c) ? write_pack(c) : cli_new_folder_publish(&c->folder, &c->error);
  return status;
}

static int tell(const calibrate *c) {
  size_t n_left = 0;
  for (size_t l = 0; l < c->labels.n; l++) n_left += c->found.scalings[l].result != MIEN_PLATT_FITTED;
  if (!calibration_print(&c->found, c->format, stdout)) {
    fprintf(stderr, "mien: %s: out of memory\n", command);
    return MIEN_RESOURCE;
  }
  const calibration_figures *mean = calibration_of(&c->found, c->labels.n);
  if (!c->data.quiet)
    fprintf(stderr,
            "mien: %s: %zu labels calibrated on %zu rows, %zu left as they are; %zu labels of rows are others; mean "
            "expected calibration error %.4f, before %.4f (held out)\n",
            c->data.output, c->labels.n - n_left, c->examples.n_rows, n_left, c->n_moved, mean[2].calibration_error,
            mean[0].calibration_error);
  return cli_flush_stdout();
}

/* Of a pack the folder has the head while it is made, and is gone in the end. */
static int open_folder(calibrate *c) {
  struct stat info;
  if (!is_to_be_pack(c) && lstat(c->data.output, &info) == 0)
    return cli_usage(command, "%s: is there already: expected a name that is free", c->data.output);
  return cli_new_folder_open(c->data.output, &c->folder, &c->error) == MIEN_OK ? MIEN_OK
                                                                               : cli_report(command, &c->error);
}

static int run(calibrate *c) {
  cli_catch_signals();
  int code = check_outputs(c);
  if (code == MIEN_OK) code = open_folder(c);
  if (code == MIEN_OK) code = load(c);
  c->found.examples = &c->examples;
  if (code == MIEN_OK && make(c) != MIEN_OK) code = cli_report(command, &c->error);
  return code == MIEN_OK ? tell(c) : code;
}

static void free_all(calibrate *c) {
  void *const all[] = {c->logits, c->is_true,    c->folds,          c->weights,
                       c->biases, c->thresholds, c->found.scalings, c->found.figures};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) mien_free(all[i]);
  mien_floats_free(&c->found.before);
  mien_floats_free(&c->found.after);
  mien_floats_free(&c->found.held_out);
  mien_floats_free(&c->embeddings);
  mien_examples_free(&c->examples);
  mien_label_set_free(&c->labels);
  mien_model_release(c->model);
  cli_new_folder_discard(&c->folder);
  cli_data_free(&c->data);
}

int cli_calibrate(int argc, char **argv) {
  calibrate c = {.n_folds = 5};
  int code = parse(&c, argc, argv);
  if (code == MIEN_OK) code = c.data.help ? help() : run(&c);
  free_all(&c);
  return code;
}
