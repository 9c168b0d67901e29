/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as an ONNX file. What is accepted must be a whole head; what is refused must say why. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "head/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

static void check_head(const mien_head *head) {
  require(head->n_labels >= 1 && head->n_labels <= MIEN_MAX_LABELS && head->dim >= 1 && head->dim <= MIEN_MAX_DIM);
  for (size_t i = 0; i < head->n_labels; i++) {
    require(mien_utf8_is_name(head->labels[i], strlen(head->labels[i])));
    require(fabs(head->bias[i]) <= FLT_MAX);
    for (size_t k = 0; k < head->dim; k++) require(fabs(head->weights[i * head->dim + k]) <= FLT_MAX);
  }
  char *origin = json_dumps(head->origin, 0);
  require(origin != NULL);
  free(origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mien_error error = {0};
  mien_head *head = NULL;
  mien_status status = mien_head_from_onnx(data, size, NULL, NULL, &head, &error);
  require((status == MIEN_OK) == (head != NULL));
  if (head)
    check_head(head);
  else
    require(status == MIEN_INPUT && error.code == status && error.message[0] != '\0');
  mien_head_destroy(head);
  return 0;
}
