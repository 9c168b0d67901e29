/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a caller's mien_error, and the words of a status. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define VERSION_TEXT_(a, b, c) #a "." #b "." #c
#define VERSION_TEXT(a, b, c) VERSION_TEXT_(a, b, c)

const char *mien_version(void) { return VERSION_TEXT(MIEN_VERSION_MAJOR, MIEN_VERSION_MINOR, MIEN_VERSION_PATCH); }

const char *mien_status_name(mien_status status) {
  switch (status) {
  case MIEN_OK: return "ok";
  case MIEN_INTERNAL: return "internal";
  case MIEN_ARGUMENT: return "argument";
  case MIEN_INPUT: return "input";
  case MIEN_RESOURCE: return "resource";
  case MIEN_CANCELLED: return "cancelled";
  default: return "unknown";
  }
}

/* Names and paths out of hostile hands end up in messages: they stay on one line, and valid UTF-8 where the cut falls.
 */
static void tidy(char *message, size_t capacity, size_t length) {
  const bool is_cut = length >= capacity;
  if (is_cut) length = capacity - 1;
  for (size_t at = 0; at < length;) {
    size_t bytes = mien_utf8_character(message + at, length - at);
    /* The longest character has 4 bytes: what is invalid so near a cut may be one that was cut. */
    if (bytes == 0 && is_cut && length - at < 4) {
      message[at] = '\0';
      return;
    }
    const unsigned char first = (unsigned char)message[at];
    if (bytes == 0 || first < 0x20 || first == 0x7F) message[at] = '?';
    /* C1 controls, U+0080 to U+009F, steer terminals too. */
    if (bytes == 2 && first == 0xC2 && (unsigned char)message[at + 1] < 0xA0) message[at] = message[at + 1] = '?';
    at += bytes ? bytes : 1;
  }
}

mien_status mien_fail(mien_error *error, mien_status code, const char *format, ...) {
  if (error) {
    error->code = code;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    if (length < 0) {
      length = 0;
      error->message[0] = '\0';
    }
    tidy(error->message, sizeof error->message, (size_t)length);
  }
  return code;
}

mien_status mien_fail_system(mien_error *error, const char *path, int code) {
  const bool is_lack = code == ENOMEM || code == EMFILE || code == ENFILE;
  return mien_fail(error, is_lack ? MIEN_RESOURCE : MIEN_INPUT, "%s: %s", path, strerror(code));
}

mien_status mien_fail_memory(mien_error *error, const char *what, size_t bytes) {
  return mien_fail(error, MIEN_RESOURCE, "%s: out of memory: %zu bytes were asked for", what, bytes);
}

mien_status mien_fail_prefix(mien_error *error, mien_status code, const char *prefix) {
  if (error) {
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    return mien_fail(error, code, "%s: %s", prefix, message);
  }
  return code;
}
