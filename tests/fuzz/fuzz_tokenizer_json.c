/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a tokenizer.json. What is accepted must work; what is refused must say why. */
#include <stdint.h>
#include <stdlib.h>

#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char text[] = "ab [MASK]new \xC3\x89!";
  int32_t ids[sizeof text + MIEN_TOKENIZER_SPECIALS];
  mien_error error = {0};
  mien_tokenizer *tokenizer = NULL;
  mien_status status = mien_tokenizer_from_json((const char *)data, size, "fuzz.json", &tokenizer, &error);
  if ((status == MIEN_OK) != (tokenizer != NULL)) abort();
  if (status != MIEN_OK && (status != MIEN_INPUT || error.message[0] == '\0')) abort();
  if (!tokenizer) return 0;
  const size_t n = mien_tokenizer_run(tokenizer, text, sizeof text - 1, sizeof ids / sizeof *ids, ids, NULL);
  for (size_t i = 0; i < n; i++)
    if (ids[i] < 0 || (size_t)ids[i] >= mien_tokenizer_vocabulary(tokenizer)) abort();
  mien_tokenizer_destroy(tokenizer);
  return 0;
}
