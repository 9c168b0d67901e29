/* SPDX-License-Identifier: Apache-2.0 */
/* Checked sizes and aligned memory. */
#ifndef MIEN_BASE_MEMORY_H
#define MIEN_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* A cache line, and the widest vector load. */
#define MIEN_ALIGNMENT 64

/* *out = a op b; false, with *out unspecified, on overflow. */
static inline bool mien_size_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool mien_size_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

/* `bytes` bytes, not zeroed, for what is filled at once; else as mien_alloc. */
void *mien_alloc_raw(size_t bytes);

/* count × size bytes, zeroed, aligned to MIEN_ALIGNMENT; NULL on overflow or without memory. Zero bytes give a
 * pointer that may be freed but not used. Freed by mien_free. */
void *mien_alloc(size_t count, size_t size);
void mien_free(void *memory);

/* A copy of `bytes` bytes with a NUL behind them; NULL without memory. Freed by mien_free. */
char *mien_copy_text(const char *text, size_t bytes);

#endif
