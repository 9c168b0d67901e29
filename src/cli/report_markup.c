/* SPDX-License-Identifier: Apache-2.0 */
/* HTML from numbers and texts. */
#include "cli/report_markup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

void cli_markup_put(cli_markup *to, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  const int length = vsnprintf(NULL, 0, format, arguments);
  if (length < 0 || to->failed || !mien_buffer_reserve(to->out, (size_t)length + 1)) {
    to->failed = true;
  } else {
    vsnprintf(to->out->bytes + to->out->size, (size_t)length + 1, format, again);
    to->out->size += (size_t)length;
  }
  va_end(again);
  va_end(arguments);
}

static void append(cli_markup *to, const char *bytes, size_t size) {
  if (!to->failed) to->failed = !mien_buffer_append(to->out, bytes, size);
}

/* What stands for a character; NULL: itself. */
static const char *escape(uint32_t c) {
  switch (c) {
  case '&': return "&amp;";
  case '<': return "&lt;";
  case '>': return "&gt;";
  case '"': return "&quot;";
  case '\'': return "&#39;";
  case '\t':
  case '\n': return NULL;
  case '\r': return " ";
  default: return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c & 0xFFFE) == 0xFFFE ? "\xEF\xBF\xBD" : NULL;
  }
}

void cli_markup_text(cli_markup *to, const char *bytes, size_t size) {
  char encoded[4];
  for (size_t at = 0; at < size && !to->failed;) {
    uint32_t c = 0;
    at += mien_utf8_decode(bytes + at, size - at, &c);
    const char *escaped = escape(c);
    if (escaped)
      append(to, escaped, strlen(escaped));
    else
      append(to, encoded, mien_utf8_encode(c, encoded));
  }
}

void cli_markup_name(cli_markup *to, const char *name) { cli_markup_text(to, name, strlen(name)); }

const char *cli_show_count(uint64_t count, char out[CLI_SHOWN_CHARS]) {
  char digits[CLI_SHOWN_CHARS];
  const int n = snprintf(digits, sizeof digits, "%" PRIu64, count);
  char *to = out;
  for (int i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0) *to++ = ',';
    *to++ = digits[i];
  }
  *to = '\0';
  return out;
}

const char *cli_show_share(double share, char out[CLI_SHOWN_CHARS]) {
  const double percent = 100 * share;
  if (percent > 0 && percent < 0.001)
    snprintf(out, CLI_SHOWN_CHARS, "&lt;0.001%%");
  else
    snprintf(out, CLI_SHOWN_CHARS, "%.*f%%", percent == 0 ? 0 : percent < 0.1 ? 3 : percent < 1 ? 2 : 1, percent);
  return out;
}

double cli_share(uint64_t rows, uint64_t of) { return of ? (double)rows / (double)of : 0; }
