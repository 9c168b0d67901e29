/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside, read strictly by jansson: duplicate keys, NaN and trailing bytes are errors with a position. */
#ifndef MIEN_BASE_JSON_H
#define MIEN_BASE_JSON_H

#include <jansson.h>

#include "base/status.h"

/*
 * Parses `size` bytes as one JSON object into a new reference. Errors name `where` (a path), line and column:
 * "thresholds.json:3:7: duplicate object key".
 */
MIEN_MUST_USE mien_status mien_json_parse_object(const char *bytes, size_t size, const char *where, json_t **object,
                                                 mien_error *error);

#endif
