/* SPDX-License-Identifier: Apache-2.0 */
/* Checked sizes and aligned memory. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void *mien_alloc(size_t count, size_t size) {
  size_t bytes;
  if (!mien_size_mul(count, size, &bytes) || !mien_size_add(bytes, MIEN_ALIGNMENT, &bytes)) return NULL;
  bytes -= bytes % MIEN_ALIGNMENT;
  if (bytes == 0) bytes = MIEN_ALIGNMENT;
  void *memory = aligned_alloc(MIEN_ALIGNMENT, bytes);
  if (memory) memset(memory, 0, bytes);
  return memory;
}

void mien_free(void *memory) { free(memory); }

char *mien_copy_text(const char *text, size_t bytes) {
  size_t total;
  char *copy = mien_size_add(bytes, 1, &total) ? mien_alloc(total, 1) : NULL;
  if (copy && bytes) memcpy(copy, text, bytes);
  return copy;
}
