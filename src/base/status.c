/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a caller's mien_error, and the words of a status. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* Names out of hostile files end up in messages: keep them on one line, and valid where the cut falls. */
static void tidy(char *message, size_t capacity, size_t length) {
  if (length >= capacity) {
    length = capacity - 1;
    while (length > 0 && ((unsigned char)message[length] & 0xC0) == 0x80) length--;
    message[length] = '\0';
  }
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)message[i];
    if (byte < 0x20 || byte == 0x7F) message[i] = '?';
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
