/* SPDX-License-Identifier: Apache-2.0 */
/* Labels two rows with the installed library: label_rows HEAD.onnx */
#include <mien/mien.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  mien_error error;
  mien_model *model;
  mien_session *session;
  if (argc != 2) return 2;
  if (mien_model_open(argv[1], NULL, &model, &error) != MIEN_OK) return fprintf(stderr, "%s\n", error.message), 1;
  if (mien_session_create(model, NULL, &session, &error) != MIEN_OK) return fprintf(stderr, "%s\n", error.message), 1;

  const size_t dim = mien_model_dim(model), labels = mien_model_label_count(model);
  float *rows = calloc(2 * dim, sizeof *rows), *scores = calloc(2 * labels, sizeof *scores);
  if (!rows || !scores) return 1;
  rows[dim] = 1; /* the second row; the first is zeros */
  mien_rows input = {.size = sizeof input, .data = rows, .dtype = MIEN_F32};
  mien_results output = {.size = sizeof output, .scores = scores};
  if (mien_label_embeddings(session, &input, 2, &output, &error) != MIEN_OK) return 1;
  for (size_t row = 0; row < 2; row++)
    for (size_t label = 0; label < labels; label++)
      if (scores[row * labels + label] > mien_model_threshold(model, label))
        printf("%zu %s %.3f\n", row, mien_model_label_name(model, label), (double)scores[row * labels + label]);
  mien_session_destroy(session);
  mien_model_release(model);
  free(rows);
  free(scores);
  return 0;
}
