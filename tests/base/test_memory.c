/* SPDX-License-Identifier: Apache-2.0 */
/* Checked sizes, and memory that is zeroed and aligned. */
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "suite.h"

START_TEST(sizes_that_overflow_are_told) {
  size_t out;
  ck_assert(mien_size_mul(SIZE_MAX / 2, 2, &out) && out == SIZE_MAX - 1);
  ck_assert(!mien_size_mul(SIZE_MAX / 2 + 1, 2, &out));
  ck_assert(mien_size_add(SIZE_MAX, 0, &out) && out == SIZE_MAX);
  ck_assert(!mien_size_add(SIZE_MAX, 1, &out));
}
END_TEST

START_TEST(memory_that_can_not_be_is_null) {
  ck_assert_ptr_null(mien_alloc(SIZE_MAX / 2 + 1, 2)); /* the product is 0 */
  ck_assert_ptr_null(mien_alloc(SIZE_MAX / 8 + 2, 8)); /* the product is 8 */
  ck_assert_ptr_null(mien_alloc_raw(SIZE_MAX));
  ck_assert_ptr_null(mien_copy_text("", SIZE_MAX));
}
END_TEST

START_TEST(memory_is_aligned_and_zeroed) {
  for (size_t bytes = 0; bytes <= 300; bytes++) {
    unsigned char *memory = mien_alloc(bytes, 1);
    require(memory, "%zu bytes: NULL", bytes);
    require((uintptr_t)memory % MIEN_ALIGNMENT == 0, "%zu bytes: at %p", bytes, (void *)memory);
    for (size_t i = 0; i < bytes; i++) require(memory[i] == 0, "byte %zu of %zu: found %d", i, bytes, memory[i]);
    if (bytes) memset(memory, 0xA5, bytes); /* what the next allocation may find */
    mien_free(memory);
    memory = mien_alloc_raw(bytes);
    require(memory && (uintptr_t)memory % MIEN_ALIGNMENT == 0, "%zu raw bytes: at %p", bytes, (void *)memory);
    mien_free(memory);
  }
  mien_free(NULL);
}
END_TEST

START_TEST(copies_of_texts_end) {
  char *copy = mien_copy_text("joy and love", 3);
  ck_assert_str_eq(copy, "joy");
  mien_free(copy);
  copy = mien_copy_text(NULL, 0);
  ck_assert_str_eq(copy, "");
  mien_free(copy);
}
END_TEST

MIEN_SUITE("memory", sizes_that_overflow_are_told, memory_that_can_not_be_is_null, memory_is_aligned_and_zeroed,
           copies_of_texts_end)
