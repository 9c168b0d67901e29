/* SPDX-License-Identifier: Apache-2.0 */
/* What `mien train` reads: labelled rows, their embeddings, and targets. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/embedding_cache.h"
#include "cli/train.h"
#include "head/head.h"
#include "train/random.h"

/* The options as they are for one of the files. */
static cli_data data_of(const train_options *options, const train_part *part) {
  cli_data data = options->data;
  data.path = part->path;
  data.embeddings = part->embeddings;
  return data;
}

static int copy_labels(const mien_label_set *from, mien_label_set *to) {
  *to = (mien_label_set){.names = mien_alloc(from->n, sizeof *to->names), .n = from->n};
  if (!to->names) return train_out_of_memory();
  for (size_t i = 0; i < from->n; i++)
    if (!(to->names[i] = mien_copy_text(from->names[i], strlen(from->names[i])))) return train_out_of_memory();
  return MIEN_OK;
}

static int hash_file(const char *path, char hash[CLI_HASH_CHARS]) {
  mien_error error;
  if (!path || strcmp(path, "-") == 0) return MIEN_OK;
  return train_report(cli_hash_file(path, &cli_cancelled, hash, &error), &error);
}

static int read_examples(train *t, train_part *part) {
  char beside[CLI_PATH_CHARS];
  cli_data data = data_of(t->options, part);
  const bool is_first = part == &t->parts[TRAIN_ROWS];
  int code = is_first ? MIEN_OK : cli_data_share_labels(&data, TRAIN_COMMAND, t->parts[TRAIN_ROWS].path, beside);
  if (code == MIEN_OK)
    code = cli_data_read(&data, TRAIN_COMMAND, part->path, is_first ? NULL : &t->labels, &part->examples);
  if (code == MIEN_OK && is_first) code = copy_labels(&part->examples.labels, &t->labels);
  return code == MIEN_OK ? hash_file(part->path, part->hash) : code;
}

/* All of the same width: the encoder's, or the first file's. */
static int read_rows(train *t, train_part *part) {
  const train_options *options = t->options;
  const cli_data data = data_of(options, part);
  mien_error error;
  if (part->embeddings) {
    const int code = train_report(
        mien_floats_read(part->embeddings, part->examples.n_rows, t->dim, &cli_cancelled, &part->rows, &error), &error);
    return code == MIEN_OK ? hash_file(part->embeddings, part->embeddings_hash) : code;
  }
  if (options->no_cache) return cli_data_embed(&data, TRAIN_COMMAND, t->encoder, NULL, &part->examples, &part->rows);
  return cli_embed_cached(&data, TRAIN_COMMAND, t->encoder, cli_model_encoder_path(&options->data.model),
                          &part->examples, &part->rows);
}

static int open_encoder(train *t) {
  cli_data *data = &t->options->data;
  if (!data->model.encoder) return MIEN_OK;
  const int code = cli_model_open(&data->model, TRAIN_COMMAND, CLI_USE_ENCODER, &t->encoder);
  if (code == MIEN_OK) t->dim = mien_model_dim(t->encoder);
  return code;
}

/* Heads have bounds: what is beyond them is not worth training. */
static int check_sizes(const train *t) {
  mien_error error;
  size_t weights;
  if (t->labels.n > MIEN_MAX_LABELS || t->dim > MIEN_MAX_DIM || !mien_size_mul(t->labels.n, t->dim, &weights) ||
      weights > MIEN_MAX_WEIGHTS)
    (void)mien_fail(&error, MIEN_INPUT, "%s: %zu labels of embeddings of %zu numbers: expected at most %zu in all",
                    mien_input_name(t->parts[TRAIN_ROWS].path), t->labels.n, t->dim, MIEN_MAX_WEIGHTS);
  else
    return MIEN_OK;
  return cli_report(TRAIN_COMMAND, &error);
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static int make_targets(train *t) {
  const mien_examples *examples = &t->parts[TRAIN_ROWS].examples;
  const size_t n = examples->n_rows, n_labels = t->labels.n;
  const train_options *options = t->options;
  mien_error error;
  mien_floats soft = {0};
  int code = train_report(mien_floats_create(n, n_labels, "targets", &t->targets, &error), &error);
  if (code == MIEN_OK && options->soft.scores)
    code = cli_scored_read_scores(&options->data, TRAIN_COMMAND, &options->soft, n, &t->labels, &soft);
  t->masses = mien_alloc(n_labels, sizeof *t->masses);
  if (code == MIEN_OK && !t->masses) code = train_out_of_memory();
  for (size_t row = 0; code == MIEN_OK && row < n; row++)
    for (size_t label = 0; label < n_labels; label++) {
      const float hard = mien_examples_has(examples, row, label) ? 1 : 0;
      const double share = options->soft_weight;
      const float target =
          soft.data ? (float)(share * (double)soft.data[row * n_labels + label] + (1 - share) * (double)hard) : hard;
      t->targets.data[row * n_labels + label] = target;
      t->masses[label] += (double)target;
    }
  mien_floats_free(&soft);
  return code;
}

/* Every row in a fold, all folds of a size, by a shuffle (Fisher and Yates). */
static int make_folds(train *t) {
  const size_t n = t->parts[TRAIN_ROWS].examples.n_rows;
  const unsigned folds = t->options->folds;
  mien_error error;
  if (!folds) return MIEN_OK;
  if (n < folds || n > UINT32_MAX) {
    (void)mien_fail(&error, MIEN_INPUT, "%s: expected at least %u rows for as many folds, found %zu",
                    mien_input_name(t->parts[TRAIN_ROWS].path), folds, n);
    return cli_report(TRAIN_COMMAND, &error);
  }
  t->folds = mien_alloc(n, sizeof *t->folds);
  if (!t->folds) return train_out_of_memory();
  mien_random random = mien_random_start(t->options->data.seed, 0);
  for (size_t i = 0; i < n; i++) t->folds[i] = (uint8_t)(i % folds);
  for (size_t i = n - 1; i > 0; i--) {
    const size_t other = mien_random_below(&random, (uint32_t)(i + 1));
    const uint8_t fold = t->folds[i];
    t->folds[i] = t->folds[other];
    t->folds[other] = fold;
  }
  return MIEN_OK;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

int train_load(train *t) {
  int code = MIEN_OK;
  for (int i = 0; i < TRAIN_SPLITS; i++) {
    t->parts[i].path = t->options->paths[i];
    t->parts[i].embeddings = t->options->embeddings[i];
  }
  for (int i = 0; i < TRAIN_SPLITS && code == MIEN_OK; i++)
    if (t->parts[i].path) code = read_examples(t, &t->parts[i]);
  if (code == MIEN_OK) code = make_targets(t);
  if (code == MIEN_OK) code = make_folds(t);
  if (code == MIEN_OK) code = open_encoder(t);
  for (int i = 0; i < TRAIN_SPLITS && code == MIEN_OK; i++) {
    if (!t->parts[i].path) continue;
    code = read_rows(t, &t->parts[i]);
    if (code == MIEN_OK) t->dim = t->parts[i].rows.n_columns;
  }
  return code == MIEN_OK ? check_sizes(t) : code;
}
