/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a caller's mien_error, and the words of a status. */
#ifndef MIEN_BASE_STATUS_H
#define MIEN_BASE_STATUS_H

#include "mien/mien.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes a formatted message into `error` (may be NULL), cut at a UTF-8 boundary, control and invalid bytes shown as
 * '?', and returns `code`:  return mien_fail(error, MIEN_INPUT, "%s: truncated: expected %zu bytes, found %zu", ...);
 */
__attribute__((format(printf, 3, 4))) mien_status mien_fail(mien_error *error, mien_status code, const char *format,
                                                            ...);

/* The failure of a system call on `path`, its errno being `code`: MIEN_RESOURCE when the system lacks something, else
 * MIEN_INPUT. */
mien_status mien_fail_system(mien_error *error, const char *path, int code);

/* The failure of an allocation of `bytes` for `what`. */
mien_status mien_fail_memory(mien_error *error, const char *what, size_t bytes);

/* Puts "prefix: " before the message that `error` holds already; for callers that know where. Returns `code`. */
mien_status mien_fail_prefix(mien_error *error, mien_status code, const char *prefix);

#ifdef __cplusplus
}
#endif

#endif
