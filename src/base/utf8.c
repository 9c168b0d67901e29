/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as the Unicode standard defines it (no surrogates, no overlong forms), for names that files bring in. */
#include "base/utf8.h"

#include <string.h>

/* The Unicode standard, table 3-7: what the second byte may be depends on the first. */
size_t mien_utf8_character(const char *text, size_t bytes) {
  const unsigned char *t = (const unsigned char *)text;
  if (t[0] < 0x80) return 1;
  size_t length = t[0] >= 0xF0 ? 4 : t[0] >= 0xE0 ? 3 : 2;
  if (t[0] < 0xC2 || t[0] > 0xF4 || bytes < length) return 0;
  unsigned char low = 0x80, high = 0xBF;
  if (t[0] == 0xE0) low = 0xA0;
  if (t[0] == 0xED) high = 0x9F;
  if (t[0] == 0xF0) low = 0x90;
  if (t[0] == 0xF4) high = 0x8F;
  if (t[1] < low || t[1] > high) return 0;
  for (size_t i = 2; i < length; i++)
    if ((t[i] & 0xC0) != 0x80) return 0;
  return length;
}

/* C0 and C1 controls and DEL. */
static bool is_control(const char *text, size_t length) {
  unsigned char first = (unsigned char)text[0];
  if (length == 1) return first < 0x20 || first == 0x7F;
  return length == 2 && first == 0xC2 && (unsigned char)text[1] < 0xA0;
}

bool mien_utf8_is_name(const char *text, size_t bytes) {
  for (size_t at = 0; at < bytes;) {
    size_t length = mien_utf8_character(text + at, bytes - at);
    if (length == 0 || is_control(text + at, length)) return false;
    at += length;
  }
  return bytes > 0;
}

char *mien_utf8_clean(const char *text, size_t bytes, char *out, size_t capacity) {
  static const char replacement[] = "\xEF\xBF\xBD", ellipsis[] = "\xE2\x80\xA6";
  enum { MARK = 3 }; /* bytes of either */
  size_t used = 0, cut = 0;
  for (size_t at = 0; at < bytes;) {
    size_t length = mien_utf8_character(text + at, bytes - at);
    size_t wanted = length ? length : MARK;
    if (used + MARK < capacity) cut = used; /* the last place where the ellipsis fits */
    if (used + wanted >= capacity) {
      memcpy(out + cut, ellipsis, MARK);
      used = cut + MARK;
      break;
    }
    memcpy(out + used, length ? text + at : replacement, wanted);
    used += wanted;
    at += length ? length : 1;
  }
  out[used] = '\0';
  return out;
}
