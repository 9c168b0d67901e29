/* SPDX-License-Identifier: Apache-2.0 */
/* Building JSON values, whose every step may be without memory: one flag says at the end whether all of it is there. */
#ifndef MIEN_CLI_JSON_BUILD_H
#define MIEN_CLI_JSON_BUILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_json {
  bool failed;
} cli_json;

/* Take `value`, which may be NULL, as may what it goes into: jansson frees what it can't take, and fails. */
void cli_json_set(cli_json *to, json_t *object, const char *key, json_t *value);
void cli_json_append(cli_json *to, json_t *array, json_t *value);

/* A number of things; beyond 2^63 there are none. */
json_t *cli_json_count(uint64_t count);

/* A string of any bytes: those that are no UTF-8 are U+FFFD. NULL without memory. */
json_t *cli_json_text(const char *bytes, size_t size);

/* The same of a text that ends in a NUL; of NULL null. */
json_t *cli_json_text_or_null(const char *text);

/* The shortest decimal that reads back to the float32: nine digits show it (JSON_REAL_PRECISION). */
json_t *cli_json_float(float value);

#endif
