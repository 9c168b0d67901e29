/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside, read strictly by jansson: duplicate keys, NaN and trailing bytes are errors with a position. */
#ifndef MIEN_BASE_JSON_H
#define MIEN_BASE_JSON_H

#include <jansson.h>

#include "base/status.h"

/* What `value` is, for messages: "an object", "a number", … */
const char *mien_json_kind(const json_t *value);

enum { MIEN_JSON_NUMBER_CHARS = 32 };

/*
 * Writes `value` into `out`, with a NUL, in the fewest digits of 15 to 17 that read back to it and in any locale with a
 * point: 1.00000001 is no 1. Whole numbers have no point, and NaN and infinities are printf's. Returns `out`.
 */
char *mien_json_show_number(double value, char out[MIEN_JSON_NUMBER_CHARS]);

/*
 * Parses `size` bytes as one JSON value of type `expected` into a new reference; `flags` are those of jansson's decoder
 * that are wanted beyond its strictness. Errors name `where` (a path), line and column:
 * "thresholds.json:3:7: duplicate object key".
 */
MIEN_MUST_USE mien_status mien_json_parse(const char *bytes, size_t size, const char *where, size_t flags,
                                          json_type expected, json_t **value, mien_error *error);

/* The same of an object, in whose strings NULs are taken: mind json_string_length. */
MIEN_MUST_USE mien_status mien_json_parse_object(const char *bytes, size_t size, const char *where, json_t **object,
                                                 mien_error *error);

#endif
