/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a safetensors file. Tensors of an accepted one lie in it, one behind the other. */
#include <stdint.h>
#include <stdlib.h>

#include "formats/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mien_error error = {0};
  mien_safetensors *file = NULL;
  mien_status status = mien_safetensors_open(data, size, "fuzz.safetensors", &file, &error);
  require((status == MIEN_OK) == (file != NULL));
  if (!file) {
    require(status == MIEN_INPUT && error.message[0] != '\0');
    return 0;
  }
  static const char *const names[] = {"a", "b", "embeddings.word_embeddings.weight", "__metadata__", ""};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const mien_safetensor *tensor = mien_safetensors_find(file, names[i]);
    if (!tensor) continue;
    require(tensor->rank <= MIEN_SAFETENSORS_MAX_RANK);
    require(tensor->data >= data && tensor->data <= data + size);
    require(tensor->bytes <= (size_t)(data + size - tensor->data));
  }
  mien_safetensors_destroy(file);
  return 0;
}
