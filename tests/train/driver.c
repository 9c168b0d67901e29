/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fits a logistic regression to each label whenever a line comes from stdin, for scripts that compare with other
 * solvers:
 *   train_driver ROWS.npy TARGETS.npy C THREADS WEIGHTS.npy
 * ROWS (N,D) and TARGETS (N,L) are floats. Each line is answered by one of JSON: the seconds from rows in memory to
 * weights, and objectives and iterations label by label. At the end WEIGHTS.npy becomes (L,D+1), intercepts last.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "train/floats.h"
#include "train/logistic.h"

static void require_ok(mien_status status, const mien_error *error) {
  if (status == MIEN_OK) return;
  fprintf(stderr, "train_driver: %s\n", error->message);
  exit(status);
}

typedef struct fits {
  mien_floats rows, targets;
  mien_logistic_column *columns;
  mien_logistic_fitted *fitted;
  float *weights, *biases;
} fits;

static void open_fits(fits *f, char **argv) {
  mien_error error;
  require_ok(mien_floats_read(argv[1], 0, 0, NULL, &f->rows, &error), &error);
  require_ok(mien_floats_read(argv[2], f->rows.n_rows, 0, NULL, &f->targets, &error), &error);
  const size_t n = f->targets.n_columns;
  f->columns = mien_alloc(n, sizeof *f->columns);
  f->fitted = mien_alloc(n, sizeof *f->fitted);
  f->weights = mien_alloc(n * f->rows.n_columns, sizeof *f->weights);
  f->biases = mien_alloc(n, sizeof *f->biases);
  if (!f->columns || !f->fitted || !f->weights || !f->biases) exit(MIEN_RESOURCE);
  for (size_t i = 0; i < n; i++)
    f->columns[i] = (mien_logistic_column){.label = i, .c = atof(argv[3]), .positive = 1, .negative = 1};
}

static void fit_once(fits *f, unsigned threads) {
  const mien_logistic_rows rows = {.x = f->rows.data,
                                   .n = f->rows.n_rows,
                                   .dim = f->rows.n_columns,
                                   .targets = f->targets.data,
                                   .n_labels = f->targets.n_columns};
  const mien_logistic_options options = {.threads = threads};
  mien_error error;
  const double start = cli_now();
  require_ok(mien_logistic_fit(&rows, f->columns, rows.n_labels, &options, f->weights, f->biases, f->fitted, &error),
             &error);
  printf("{\"seconds\": %.6f, \"objectives\": [", cli_now() - start);
  for (size_t i = 0; i < rows.n_labels; i++) printf("%s%.17g", i ? ", " : "", f->fitted[i].objective);
  printf("], \"iterations\": [");
  for (size_t i = 0; i < rows.n_labels; i++) printf("%s%u", i ? ", " : "", f->fitted[i].iterations);
  printf("]}\n");
  fflush(stdout);
}

static void write_weights(const fits *f, const char *path) {
  mien_floats all;
  mien_error error;
  const size_t dim = f->rows.n_columns;
  require_ok(mien_floats_create(f->targets.n_columns, dim + 1, path, &all, &error), &error);
  for (size_t l = 0; l < all.n_rows; l++) {
    for (size_t i = 0; i < dim; i++) all.data[l * (dim + 1) + i] = f->weights[l * dim + i];
    all.data[l * (dim + 1) + dim] = f->biases[l];
  }
  require_ok(mien_floats_write(&all, path, &error), &error);
  mien_floats_free(&all);
}

int main(int argc, char **argv) {
  char line[16];
  fits f = {0};
  if (argc != 6) {
    fprintf(stderr, "usage: train_driver ROWS.npy TARGETS.npy C THREADS WEIGHTS.npy\n");
    return MIEN_ARGUMENT;
  }
  open_fits(&f, argv);
  while (fgets(line, sizeof line, stdin)) fit_once(&f, (unsigned)atoi(argv[4]));
  write_weights(&f, argv[5]);
  return 0;
}
