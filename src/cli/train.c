/* SPDX-License-Identifier: Apache-2.0 */
/* mien train: labelled texts in, a head with thresholds and a card out. */
#include "cli/train.h"

#include <stdio.h>

#include "base/memory.h"

int train_report(mien_status status, const mien_error *error) {
  return status == MIEN_OK ? MIEN_OK : cli_report(TRAIN_COMMAND, error);
}

int train_out_of_memory(void) {
  fprintf(stderr, "mien: train: out of memory\n");
  return MIEN_RESOURCE;
}

static void free_train(train *t) {
  for (int i = 0; i < TRAIN_SPLITS; i++) {
    mien_examples_free(&t->parts[i].examples);
    mien_floats_free(&t->parts[i].rows);
  }
  mien_label_set_free(&t->labels);
  mien_floats_free(&t->targets);
  mien_floats_free(&t->weights);
  void *const all[] = {t->masses, t->folds,  t->settings, t->figures, t->means,
                       t->chosen, t->biases, t->fitted,   t->tuned,   t->thresholds};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) mien_free(all[i]);
  mien_model_release(t->encoder);
}

static int run(train_options *options) {
  train t = {.options = options};
  cli_catch_signals();
  int code = train_check_folder(options);
  if (code == MIEN_OK) code = train_load(&t);
  if (code == MIEN_OK) code = train_choose(&t);
  if (code == MIEN_OK) code = train_write(&t);
  free_train(&t);
  return code;
}

int cli_train(int argc, char **argv) {
  train_options options = {0};
  int code = train_parse(&options, argc, argv);
  if (code == MIEN_OK && !options.data.help) code = run(&options);
  cli_data_free(&options.data);
  return code;
}
