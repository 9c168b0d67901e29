/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NumPy's .npy files (numpy.lib.format, versions 1 to 3): magic, version, header length, a Python dict literal, data.
 * Of Python's literals only those that NumPy writes are read.
 */
#include "formats/npy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data is read and written as it lies in memory");

static const char magic[] = "\x93NUMPY";
enum { MAGIC_BYTES = sizeof magic - 1, SHOWN_BYTES = 40 };

size_t mien_dtype_bytes(mien_dtype dtype) { return dtype == MIEN_F16 ? 2 : dtype == MIEN_F64 ? 8 : 4; }

static const char *dtype_name(mien_dtype dtype) {
  return dtype == MIEN_F16 ? "f16" : dtype == MIEN_F64 ? "f64" : "f32";
}

/* ---- Files that are something else --------------------------------------------------------------------------- */

static bool starts_with(const void *bytes, size_t size, const char *start) {
  size_t length = strlen(start);
  return size >= length && memcmp(bytes, start, length) == 0;
}

static bool is_text(const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == 0 || bytes[i] == 0x7F) return false;
    if (bytes[i] < 0x20 && !strchr("\t\n\r\f", bytes[i])) return false;
  }
  return size > 0;
}

/* What people most often give instead of a .npy file. */
static mien_status refuse_magic(const unsigned char *bytes, size_t size, const char *path, mien_error *error) {
  static const char expected[] = "expected a .npy file";
  if (size == 0) return mien_fail(error, MIEN_INPUT, "%s: %s, found no bytes", path, expected);
  if (starts_with(bytes, size, "version https://git-lfs"))
    return mien_fail(error, MIEN_INPUT, "%s: %s, found a Git LFS pointer: run 'git lfs pull'", path, expected);
  if (starts_with(bytes, size, "PK\x03\x04"))
    return mien_fail(error, MIEN_INPUT, "%s: %s, found a zip archive (.npz?): save one array with np.save", path,
                     expected);
  if (starts_with(bytes, size, "\x1f\x8b"))
    return mien_fail(error, MIEN_INPUT, "%s: %s, found gzip data: decompress it first", path, expected);
  if (starts_with(bytes, size, "\x80"))
    return mien_fail(error, MIEN_INPUT, "%s: %s, found a Python pickle: save the array with np.save", path, expected);
  if (!is_text(bytes, size))
    return mien_fail(error, MIEN_INPUT, "%s: %s (bytes 93 4E 55 4D 50 59 first), found other bytes", path, expected);
  const unsigned char *line = memchr(bytes, '\n', size);
  char shown[SHOWN_BYTES];
  return mien_fail(error, MIEN_INPUT,
                   "%s: %s, found text ('%s'): text needs an encoder, which this model does not have; the input must "
                   "be embeddings, .npy or raw f32",
                   path, expected,
                   mien_utf8_clean((const char *)bytes, line ? (size_t)(line - bytes) : size, shown, sizeof shown));
}

mien_status mien_npy_header_size(const void *prefix, size_t size, const char *path, size_t *header_bytes,
                                 mien_error *error) {
  const unsigned char *bytes = prefix;
  size_t compared = size < MAGIC_BYTES ? size : MAGIC_BYTES;
  if (size == 0 || memcmp(bytes, magic, compared) != 0) return refuse_magic(bytes, size, path, error);
  if (size < MIEN_NPY_PREFIX)
    return mien_fail(error, MIEN_INPUT, "%s: truncated: expected a .npy header, found %zu bytes", path, size);
  unsigned major = bytes[6], minor = bytes[7];
  if (major < 1 || major > 3 || minor != 0)
    return mien_fail(error, MIEN_INPUT, "%s: .npy version: expected 1.0, 2.0 or 3.0, found %u.%u", path, major, minor);
  uint64_t length = bytes[8] | (uint64_t)bytes[9] << 8;
  if (major > 1) length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
  uint64_t total = length + (major > 1 ? 12 : 10);
  if (total < MIEN_NPY_PREFIX || total > MIEN_NPY_MAX_HEADER)
    return mien_fail(error, MIEN_INPUT, "%s: .npy header: expected %d to %d bytes, found %" PRIu64, path,
                     MIEN_NPY_PREFIX, MIEN_NPY_MAX_HEADER, total);
  *header_bytes = (size_t)total;
  return MIEN_OK;
}

/* ---- The dict ------------------------------------------------------------------------------------------------ */

typedef struct cursor {
  const char *start, *at, *end;
  const char *path;
  mien_error *error;
} cursor;

typedef struct text {
  const char *at;
  size_t size;
} text;

static mien_status refuse(cursor *c, const char *expected) {
  size_t place = (size_t)(c->at - c->start);
  if (c->at == c->end)
    return mien_fail(c->error, MIEN_INPUT, "%s: .npy header, byte %zu: expected %s, found its end", c->path, place,
                     expected);
  unsigned char byte = (unsigned char)*c->at;
  if (byte < 0x20 || byte > 0x7E)
    return mien_fail(c->error, MIEN_INPUT, "%s: .npy header, byte %zu: expected %s, found byte %02X", c->path, place,
                     expected, byte);
  return mien_fail(c->error, MIEN_INPUT, "%s: .npy header, byte %zu: expected %s, found '%c'", c->path, place, expected,
                   byte);
}

static void skip_space(cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) c->at++;
}

static bool take(cursor *c, char wanted) {
  skip_space(c);
  if (c->at == c->end || *c->at != wanted) return false;
  c->at++;
  return true;
}

static bool take_word(cursor *c, const char *word) {
  if (!starts_with(c->at, (size_t)(c->end - c->at), word)) return false;
  c->at += strlen(word);
  return true;
}

/* 'x' or "x", without escapes: NumPy writes none. */
static mien_status read_string(cursor *c, text *string, const char *expected) {
  skip_space(c);
  if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return refuse(c, expected);
  char quote = *c->at++;
  string->at = c->at;
  while (c->at < c->end && *c->at != quote && *c->at != '\\' && *c->at != '\n') c->at++;
  if (c->at == c->end || *c->at != quote) return refuse(c, "the end of a string");
  string->size = (size_t)(c->at++ - string->at);
  return MIEN_OK;
}

static mien_status read_uint(cursor *c, uint64_t *number) {
  uint64_t value = 0;
  if (c->at == c->end || *c->at < '0' || *c->at > '9') return refuse(c, "a count");
  for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*c->at - '0'), &value))
      return refuse(c, "a count below 2^64");
  }
  if (c->at < c->end && *c->at == 'L') c->at++; /* Python 2 wrote 10L */
  *number = value;
  return MIEN_OK;
}

static bool equals(text a, const char *b) { return a.size == strlen(b) && memcmp(a.at, b, a.size) == 0; }

/* What a kind of dtype that is not read is, and what to do about it. */
static const char *dtype_words(char kind) {
  switch (kind) {
  case 'O': return "object dtype: pickled Python objects are not read";
  case 'f': return "a float of another width: save with x.astype('<f4')";
  case 'i':
  case 'u': return "integers, not embeddings: save with x.astype('<f4') if they are";
  case 'b': return "booleans, not embeddings";
  case 'c': return "complex numbers, not embeddings";
  case 'U':
  case 'S':
  case 'a': return "text: text needs an encoder, which this model does not have";
  case 'M':
  case 'm': return "dates, not embeddings";
  case 'V': return "raw bytes, as bfloat16 arrays are saved: save with x.astype('<f4')";
  default: return "not a dtype that is known";
  }
}

static mien_status read_dtype(cursor *c, mien_dtype *dtype) {
  static const char expected[] = "expected '<f4', '<f2' or '<f8'";
  skip_space(c);
  if (c->at < c->end && (*c->at == '[' || *c->at == '(' || *c->at == '{'))
    return mien_fail(c->error, MIEN_INPUT,
                     "%s: dtype: %s, found a structured dtype: records are not read, save one field's matrix", c->path,
                     expected);
  text descr;
  mien_status status = read_string(c, &descr, "the dtype, a string");
  if (status != MIEN_OK) return status;
  if (equals(descr, "<f4")) {
    *dtype = MIEN_F32;
  } else if (equals(descr, "<f2")) {
    *dtype = MIEN_F16;
  } else if (equals(descr, "<f8")) {
    *dtype = MIEN_F64;
  } else {
    bool order = descr.size > 0 && strchr("<>|=", descr.at[0]) != NULL && descr.at[0] != '\0';
    char kind = descr.size > order ? descr.at[order] : '\0';
    bool big_endian = descr.size > 1 && descr.at[0] == '>' && kind == 'f';
    const char *words = big_endian ? "big-endian: save with x.astype('<f4')" : dtype_words(kind);
    int shown = (int)(descr.size < SHOWN_BYTES ? descr.size : SHOWN_BYTES);
    return mien_fail(c->error, MIEN_INPUT, "%s: dtype: %s, found '%.*s' (%s)", c->path, expected, shown, descr.at,
                     words);
  }
  return MIEN_OK;
}

static mien_status read_order(cursor *c) {
  skip_space(c);
  if (take_word(c, "False")) return MIEN_OK;
  if (take_word(c, "True"))
    return mien_fail(c->error, MIEN_INPUT,
                     "%s: expected C order, found Fortran order: save with np.ascontiguousarray(x)", c->path);
  return refuse(c, "True or False");
}

static mien_status read_shape(cursor *c, mien_npy *npy) {
  uint64_t sizes[2] = {0, 0}, size = 0;
  size_t n_sizes = 0;
  if (!take(c, '(')) return refuse(c, "the shape, '('");
  const char *start = c->at;
  while (!take(c, ')')) {
    mien_status status = read_uint(c, &size);
    if (status != MIEN_OK) return status;
    if (n_sizes < 2) sizes[n_sizes] = size;
    n_sizes++;
    if (take(c, ',')) continue;
    if (n_sizes == 1) return refuse(c, "','");
    if (!take(c, ')')) return refuse(c, "',' or ')'");
    break;
  }
  if (n_sizes != 2) {
    int shown = (int)(c->at - 1 - start < SHOWN_BYTES ? c->at - 1 - start : SHOWN_BYTES);
    return mien_fail(c->error, MIEN_INPUT, "%s: shape: expected 2 dimensions (N,D), found %zu (%.*s)%s", c->path,
                     n_sizes, shown, start, n_sizes == 1 ? ": save one embedding as x[None, :]" : "");
  }
  npy->n_rows = sizes[0];
  npy->n_columns = sizes[1];
  return MIEN_OK;
}

enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

static mien_status read_entry(cursor *c, unsigned *seen, mien_npy *npy) {
  text key;
  mien_status status = read_string(c, &key, "a key");
  if (status != MIEN_OK) return status;
  unsigned which = equals(key, "descr")           ? HAS_DESCR
                   : equals(key, "fortran_order") ? HAS_ORDER
                   : equals(key, "shape")         ? HAS_SHAPE
                                                  : 0;
  int shown = (int)(key.size < SHOWN_BYTES ? key.size : SHOWN_BYTES);
  if (!which)
    return mien_fail(c->error, MIEN_INPUT,
                     "%s: .npy header: expected the keys descr, fortran_order and shape, found '%.*s'", c->path, shown,
                     key.at);
  if (*seen & which)
    return mien_fail(c->error, MIEN_INPUT, "%s: .npy header: key '%.*s' is there twice", c->path, shown, key.at);
  *seen |= which;
  if (!take(c, ':')) return refuse(c, "':'");
  if (which == HAS_DESCR) return read_dtype(c, &npy->dtype);
  return which == HAS_ORDER ? read_order(c) : read_shape(c, npy);
}

static mien_status read_dict(cursor *c, mien_npy *npy) {
  unsigned seen = 0;
  if (!take(c, '{')) return refuse(c, "'{'");
  while (!take(c, '}')) {
    mien_status status = read_entry(c, &seen, npy);
    if (status != MIEN_OK) return status;
    if (take(c, ',')) continue;
    if (!take(c, '}')) return refuse(c, "',' or '}'");
    break;
  }
  if (seen != HAS_ALL)
    return mien_fail(c->error, MIEN_INPUT, "%s: .npy header: expected the key %s, found none", c->path,
                     !(seen & HAS_DESCR)   ? "descr"
                     : !(seen & HAS_ORDER) ? "fortran_order"
                                           : "shape");
  skip_space(c);
  return c->at == c->end ? MIEN_OK : refuse(c, "spaces to its end");
}

mien_status mien_npy_parse(const void *header, size_t size, const char *path, mien_npy *npy, mien_error *error) {
  size_t expected;
  mien_status status = mien_npy_header_size(header, size, path, &expected, error);
  if (status != MIEN_OK) return status;
  if (size != expected)
    return mien_fail(error, MIEN_INPUT, "%s: truncated: expected a header of %zu bytes, found %zu", path, expected,
                     size);
  const char *bytes = header;
  mien_npy found = {.data_offset = size};
  cursor c = {
      .start = bytes, .at = bytes + (bytes[6] > 1 ? 12 : 10), .end = bytes + size, .path = path, .error = error};
  status = read_dict(&c, &found);
  if (status != MIEN_OK) return status;
  uint64_t numbers, end;
  if (__builtin_mul_overflow(found.n_rows, found.n_columns, &numbers) ||
      __builtin_mul_overflow(numbers, (uint64_t)mien_dtype_bytes(found.dtype), &found.data_bytes) ||
      __builtin_add_overflow(found.data_bytes, found.data_offset, &end) || end > INT64_MAX)
    return mien_fail(error, MIEN_INPUT, "%s: shape (%" PRIu64 ", %" PRIu64 "): more bytes than a file can have", path,
                     found.n_rows, found.n_columns);
  *npy = found;
  return MIEN_OK;
}

mien_status mien_npy_check_size(const mien_npy *npy, uint64_t file_bytes, const char *path, mien_error *error) {
  uint64_t expected = npy->data_offset + npy->data_bytes;
  if (file_bytes == expected) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT,
                   "%s: %s: shape (%" PRIu64 ", %" PRIu64 ") of %s: expected %" PRIu64 " bytes, found %" PRIu64, path,
                   file_bytes < expected ? "truncated" : "bytes after the data", npy->n_rows, npy->n_columns,
                   dtype_name(npy->dtype), expected, file_bytes);
}

void mien_npy_write_header(char out[MIEN_NPY_HEADER], const char *descr, uint64_t n_rows, uint64_t n_columns) {
  enum { DICT = 10 };
  memset(out, ' ', MIEN_NPY_HEADER);
  memcpy(out, magic, MAGIC_BYTES);
  out[6] = 1; /* version 1.0: a 16-bit length follows */
  out[7] = 0;
  out[8] = MIEN_NPY_HEADER - DICT;
  out[9] = 0;
  char dict[MIEN_NPY_HEADER];
  int length =
      snprintf(dict, sizeof dict, "{'descr': '%.3s', 'fortran_order': False, 'shape': (%" PRIu64 ", %" PRIu64 "), }",
               descr, n_rows, n_columns);
  memcpy(out + DICT, dict, (size_t)length);
  out[MIEN_NPY_HEADER - 1] = '\n';
}
