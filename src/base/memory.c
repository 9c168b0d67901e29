/* SPDX-License-Identifier: Apache-2.0 */
/* Checked sizes and aligned memory. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void *mien_alloc_raw(size_t bytes) {
  size_t whole; /* at least one unit: aligned_alloc takes multiples */
  if (!mien_size_add(bytes, MIEN_ALIGNMENT, &whole)) return NULL;
  return aligned_alloc(MIEN_ALIGNMENT, whole - whole % MIEN_ALIGNMENT);
}

void *mien_alloc(size_t count, size_t size) {
  size_t bytes;
  void *memory = mien_size_mul(count, size, &bytes) ? mien_alloc_raw(bytes) : NULL;
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
