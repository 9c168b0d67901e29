/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as thresholds.json of a head with three labels. */
#include <stdint.h>
#include <stdlib.h>

#include "head/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *labels[] = {"joy", "love", "Überraschung"};
  const mien_head head = {.n_labels = 3, .dim = 1, .labels = labels};
  float thresholds[3] = {-1, -1, -1};
  mien_error error = {0};
  mien_status status = mien_thresholds_parse(&head, (const char *)data, size, "thresholds.json", thresholds, &error);
  if (status != MIEN_OK && (status != MIEN_INPUT || error.message[0] == '\0')) abort();
  for (size_t i = 0; i < 3 && status == MIEN_OK; i++)
    if (!(thresholds[i] >= 0 && thresholds[i] <= 1)) abort();
  return 0;
}
