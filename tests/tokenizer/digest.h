/* SPDX-License-Identifier: Apache-2.0 */
/* What the tokenizer's suites share: its data, and a digest of ids. */
#ifndef MIEN_TESTS_TOKENIZER_DIGEST_H
#define MIEN_TESTS_TOKENIZER_DIGEST_H

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "suite.h"
#include "tokenizer/tokenizer.h"

/* FNV-1a over 32-bit words; a digest begins with DIGEST_START. */
#define DIGEST_START 0xCBF29CE484222325u
static inline uint64_t digest_ids(const int32_t *ids, size_t n, uint64_t state) {
  for (size_t i = 0; i < n; i++) state = (state ^ (uint32_t)ids[i]) * 0x100000001B3u;
  return state;
}

/* A file with a NUL behind it; freed by mien_free. */
static inline char *read_data(const char *path, size_t *size) {
  unsigned char *bytes = NULL;
  mien_error error;
  const mien_status status = mien_file_read(path, (size_t)64 << 20, NULL, &bytes, size, &error);
  ck_assert_msg(status == MIEN_OK, "%s", error.message);
  char *copy = mien_copy_text((const char *)bytes, *size);
  mien_free(bytes);
  return copy;
}

static inline json_t *read_json(const char *path) {
  size_t size;
  json_t *object;
  mien_error error;
  char *bytes = read_data(path, &size);
  const mien_status status = mien_json_parse_object(bytes, size, path, &object, &error);
  ck_assert_msg(status == MIEN_OK, "%s", error.message);
  mien_free(bytes);
  return object;
}

static inline mien_tokenizer *make_real(const mien_vocabulary_options *options) {
  size_t size;
  mien_error error;
  mien_tokenizer *tokenizer;
  char *bytes = read_data(MIEN_TEST_DATA "/tokenizer/vocab.txt", &size);
  const mien_status status = mien_tokenizer_from_vocabulary(bytes, size, "vocab.txt", options, &tokenizer, &error);
  ck_assert_msg(status == MIEN_OK, "%s", error.message);
  mien_free(bytes);
  return tokenizer;
}

#endif
