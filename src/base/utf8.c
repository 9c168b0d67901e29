/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as the Unicode standard defines it (no surrogates, no overlong forms), for names that files bring in. */
#include "base/utf8.h"

#include <string.h>

/* Bytes that the character's first byte asks for, 0 when none begins with it. */
static size_t length_by_first(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  return first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
}

/* The Unicode standard, table 3-7: what the second byte may be depends on the first. */
static bool is_second(unsigned char first, unsigned char second) {
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

/* How many bytes are a character or the beginning of one, at least 1; *is_whole tells which. */
static size_t measure(const unsigned char *t, size_t bytes, bool *is_whole) {
  const size_t length = length_by_first(t[0]);
  size_t good = 1;
  if (length > 1 && bytes > 1 && is_second(t[0], t[1])) good = 2;
  while (good > 1 && good < length && good < bytes && (t[good] & 0xC0) == 0x80) good++;
  *is_whole = good == length;
  return good;
}

size_t mien_utf8_character(const char *text, size_t bytes) {
  bool is_whole;
  const size_t length = measure((const unsigned char *)text, bytes, &is_whole);
  return is_whole ? length : 0;
}

size_t mien_utf8_decode(const char *text, size_t bytes, uint32_t *code_point) {
  static const unsigned char lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  const unsigned char *t = (const unsigned char *)text;
  bool is_whole;
  const size_t length = measure(t, bytes, &is_whole);
  uint32_t c = t[0] & lead_bits[length];
  for (size_t i = 1; i < length; i++) c = c << 6 | (t[i] & 0x3F);
  *code_point = is_whole ? c : 0xFFFD;
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
