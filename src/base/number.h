/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text: the shortest decimals that read back to the same float32, and plain integers. */
#ifndef MIEN_BASE_NUMBER_H
#define MIEN_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Room for the longest float32 ("-1000000000000000.0") and the longest uint64. */
enum { MIEN_NUMBER_CHARS = 24 };

/*
 * Writes `value` with as few digits as read back to it, of those the nearest to it, and returns the characters
 * written; no NUL. There is always a point or an exponent ("1.0", "0.25", "1e-7"), so that a reader that guesses a
 * type sees a float. From 1e-4 up to 1e16 without an exponent. NaN and infinities are "nan", "inf", "-inf".
 */
size_t mien_format_float(char out[MIEN_NUMBER_CHARS], float value);

/* Writes `value` in decimal and returns the characters written; no NUL. */
size_t mien_format_uint(char out[MIEN_NUMBER_CHARS], uint64_t value);

#endif
