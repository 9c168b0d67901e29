/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in a safetensors file (github.com/huggingface/safetensors, Format): 8 bytes with the header's length, the
 * header, a JSON object {name: {dtype, shape, data_offsets}}, and the tensors' data.
 */
#include "formats/safetensors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/memory.h"

/* A key of the header that is no tensor's name. */
static const char metadata_key[] = MIEN_SAFETENSORS_METADATA;

struct mien_safetensors {
  json_t *header; /* keeps the names */
  size_t count;
  mien_safetensor *tensors; /* [count], by name */
};

/* ---- Types ----------------------------------------------------------------------------------------------------- */

static const struct dtype {
  const char *name;
  unsigned bits;
} dtypes[] = {
    {"F32", 32},        {"F16", 16},    {"BF16", 16},   {"F64", 64},    {"I64", 64},    {"I32", 32},
    {"I16", 16},        {"I8", 8},      {"U64", 64},    {"U32", 32},    {"U16", 16},    {"U8", 8},
    {"BOOL", 8},        {"C64", 64},    {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},
};

static const struct dtype *find_dtype(const char *name) {
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
    if (strcmp(dtypes[i].name, name) == 0) return &dtypes[i];
  return NULL;
}

unsigned mien_safetensors_bits(const char *name) {
  const struct dtype *dtype = find_dtype(name);
  return dtype ? dtype->bits : 0;
}

/* ---- One tensor ------------------------------------------------------------------------------------------------ */

/* A whole number that fits size_t; false for any other value. */
static bool read_size(const json_t *value, size_t *size) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
  *size = (size_t)json_integer_value(value);
  return (json_int_t)*size == json_integer_value(value);
}

static mien_status read_shape(const json_t *shape, const char *where, mien_safetensor *tensor, size_t *count,
                              mien_error *error) {
  if (!json_is_array(shape))
    return mien_fail(error, MIEN_INPUT, "%s: '%s': shape: expected an array of sizes", where, tensor->name);
  tensor->rank = json_array_size(shape);
  if (tensor->rank > MIEN_SAFETENSORS_MAX_RANK)
    return mien_fail(error, MIEN_INPUT, "%s: '%s': shape: expected at most %d dimensions, found %zu", where,
                     tensor->name, MIEN_SAFETENSORS_MAX_RANK, tensor->rank);
  *count = 1;
  for (size_t i = 0; i < tensor->rank; i++) {
    if (!read_size(json_array_get(shape, i), &tensor->dims[i]))
      return mien_fail(error, MIEN_INPUT, "%s: '%s': shape: dimension %zu is not a size", where, tensor->name, i);
    if (!mien_size_mul(*count, tensor->dims[i], count))
      return mien_fail(error, MIEN_INPUT, "%s: '%s': shape: the product of the dimensions is too large", where,
                       tensor->name);
  }
  return MIEN_OK;
}

static mien_status read_offsets(const json_t *offsets, const char *where, size_t data_bytes, mien_safetensor *tensor,
                                mien_error *error) {
  size_t end = 0;
  if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
      !read_size(json_array_get(offsets, 0), &tensor->begin) || !read_size(json_array_get(offsets, 1), &end))
    return mien_fail(error, MIEN_INPUT, "%s: '%s': data_offsets: expected two sizes", where, tensor->name);
  if (end < tensor->begin)
    return mien_fail(error, MIEN_INPUT, "%s: '%s': data_offsets: the end, %zu, is before the begin, %zu", where,
                     tensor->name, end, tensor->begin);
  if (end > data_bytes)
    return mien_fail(error, MIEN_INPUT, "%s: '%s': data_offsets: expected at most %zu, found %zu: is the file cut?",
                     where, tensor->name, data_bytes, end);
  tensor->bytes = end - tensor->begin;
  return MIEN_OK;
}

static mien_status check_bytes(const mien_safetensor *tensor, const struct dtype *dtype, size_t count,
                               const char *where, mien_error *error) {
  size_t bits;
  if (!mien_size_mul(count, dtype->bits, &bits) || bits % 8 != 0)
    return mien_fail(error, MIEN_INPUT, "%s: '%s': %zu elements of %s are no whole number of bytes", where,
                     tensor->name, count, dtype->name);
  if (bits / 8 == tensor->bytes) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: '%s': expected %zu bytes for its %s shape, found %zu", where, tensor->name,
                   bits / 8, dtype->name, tensor->bytes);
}

static mien_status read_tensor(const char *name, const json_t *entry, const char *where, size_t data_bytes,
                               mien_safetensor *tensor, mien_error *error) {
  *tensor = (mien_safetensor){.name = name};
  if (!json_is_object(entry))
    return mien_fail(error, MIEN_INPUT, "%s: '%s': expected an object, found %s", where, name, mien_json_kind(entry));
  const json_t *dtype_name = json_object_get(entry, "dtype");
  const struct dtype *dtype = json_is_string(dtype_name) ? find_dtype(json_string_value(dtype_name)) : NULL;
  if (!dtype)
    return mien_fail(error, MIEN_INPUT, "%s: '%s': dtype: expected F32 or another of the format's, found %s", where,
                     name, json_is_string(dtype_name) ? json_string_value(dtype_name) : "no name");
  tensor->dtype = dtype->name;
  size_t count = 0;
  mien_status status = read_shape(json_object_get(entry, "shape"), where, tensor, &count, error);
  if (status == MIEN_OK)
    status = read_offsets(json_object_get(entry, "data_offsets"), where, data_bytes, tensor, error);
  return status == MIEN_OK ? check_bytes(tensor, dtype, count, where, error) : status;
}

/* ---- All tensors ----------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b) {
  const mien_safetensor *left = a, *right = b;
  if (left->begin != right->begin) return left->begin < right->begin ? -1 : 1;
  return left->bytes == right->bytes ? 0 : left->bytes < right->bytes ? -1 : 1; /* empty ones first */
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const mien_safetensor *)a)->name, ((const mien_safetensor *)b)->name);
}

/* Bytes that no tensor owns could hide something; bytes of two tensors would be a mistake: the reference refuses both.
 */
static mien_status check_places(mien_safetensors *file, const char *where, size_t data_bytes, mien_error *error) {
  if (file->count) qsort(file->tensors, file->count, sizeof *file->tensors, by_place);
  size_t at = 0;
  for (size_t i = 0; i < file->count; i++) {
    const mien_safetensor *tensor = &file->tensors[i];
    if (tensor->begin != at)
      return mien_fail(error, MIEN_INPUT, "%s: '%s': data_offsets: expected a begin of %zu, found %zu: %s", where,
                       tensor->name, at, tensor->begin, tensor->begin < at ? "an overlap" : "a gap");
    at += tensor->bytes;
  }
  if (at == data_bytes) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: expected %zu bytes of data, found %zu", where, at, data_bytes);
}

static mien_status check_metadata(const json_t *metadata, const char *where, mien_error *error) {
  if (!json_is_object(metadata))
    return mien_fail(error, MIEN_INPUT, "%s: %s: expected an object, found %s", where, metadata_key,
                     mien_json_kind(metadata));
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)metadata, key, value) {
    if (!json_is_string(value))
      return mien_fail(error, MIEN_INPUT, "%s: %s: '%s': expected a string, found %s", where, metadata_key, key,
                       mien_json_kind(value));
  }
  return MIEN_OK;
}

static mien_status read_tensors(mien_safetensors *file, const unsigned char *data, size_t data_bytes, const char *where,
                                mien_error *error) {
  const size_t most = json_object_size(file->header);
  file->tensors = mien_alloc(most, sizeof *file->tensors);
  if (!file->tensors) return mien_fail_memory(error, where, most * sizeof *file->tensors);
  const char *name;
  json_t *entry;
  mien_status status = MIEN_OK;
  json_object_foreach(file->header, name, entry) {
    if (strcmp(name, metadata_key) == 0)
      status = check_metadata(entry, where, error);
    else
      status = read_tensor(name, entry, where, data_bytes, &file->tensors[file->count++], error);
    if (status != MIEN_OK) return status;
  }
  status = check_places(file, where, data_bytes, error);
  if (status != MIEN_OK) return status;
  for (size_t i = 0; i < file->count; i++) file->tensors[i].data = data + file->tensors[i].begin;
  if (file->count) qsort(file->tensors, file->count, sizeof *file->tensors, by_name);
  return MIEN_OK;
}

/* ---- The file -------------------------------------------------------------------------------------------------- */

static bool begins(const unsigned char *bytes, size_t size, const char *start) {
  return size >= strlen(start) && strncasecmp((const char *)bytes, start, strlen(start)) == 0;
}

static uint64_t read_length(const unsigned char *bytes) {
  uint64_t length = 0;
  for (size_t i = MIEN_SAFETENSORS_PREFIX; i-- > 0;) length = length << 8 | bytes[i];
  return length;
}

bool mien_safetensors_is_one(const unsigned char *bytes, size_t size) {
  return size > MIEN_SAFETENSORS_PREFIX && bytes[MIEN_SAFETENSORS_PREFIX] == '{' &&
         read_length(bytes) <= MIEN_SAFETENSORS_MAX_HEADER;
}

size_t mien_safetensors_header(const unsigned char *bytes, size_t size) {
  if (!mien_safetensors_is_one(bytes, size)) return 0;
  const size_t end = MIEN_SAFETENSORS_PREFIX + (size_t)read_length(bytes);
  return end < size ? end : size;
}

static mien_status check_start(const unsigned char *bytes, size_t size, const char *where, size_t *header_bytes,
                               mien_error *error) {
  if (begins(bytes, size, "version https://git-lfs"))
    return mien_fail(error, MIEN_INPUT, "%s: is a Git LFS pointer, not the weights: run git lfs pull", where);
  if (begins(bytes, size, "<!doctype") || begins(bytes, size, "<html"))
    return mien_fail(error, MIEN_INPUT, "%s: is a web page, not a safetensors file: was the download's page saved?",
                     where);
  if (size <= MIEN_SAFETENSORS_PREFIX)
    return mien_fail(error, MIEN_INPUT, "%s: truncated: expected a header after %d bytes, found %zu bytes", where,
                     MIEN_SAFETENSORS_PREFIX, size);
  const uint64_t length = read_length(bytes);
  if (bytes[MIEN_SAFETENSORS_PREFIX] != '{')
    return mien_fail(error, MIEN_INPUT, "%s: byte %d: expected '{' of a safetensors header, found 0x%02X", where,
                     MIEN_SAFETENSORS_PREFIX, bytes[MIEN_SAFETENSORS_PREFIX]);
  if (length > size - MIEN_SAFETENSORS_PREFIX)
    return mien_fail(error, MIEN_INPUT, "%s: truncated: expected a header of %llu bytes, found %zu", where,
                     (unsigned long long)length, size - MIEN_SAFETENSORS_PREFIX);
  if (length > MIEN_SAFETENSORS_MAX_HEADER)
    return mien_fail(error, MIEN_INPUT, "%s: expected a header of at most %d bytes, found %llu", where,
                     MIEN_SAFETENSORS_MAX_HEADER, (unsigned long long)length);
  *header_bytes = (size_t)length;
  return MIEN_OK;
}

mien_status mien_safetensors_open(const unsigned char *bytes, size_t size, const char *where, mien_safetensors **out,
                                  mien_error *error) {
  size_t header_bytes = 0;
  mien_status status = check_start(bytes, size, where, &header_bytes, error);
  if (status != MIEN_OK) return status;
  mien_safetensors *file = mien_alloc(1, sizeof *file);
  if (!file) return mien_fail_memory(error, where, sizeof *file);
  const unsigned char *header = bytes + MIEN_SAFETENSORS_PREFIX, *data = header + header_bytes;
  status = mien_json_parse((const char *)header, header_bytes, where, 0, JSON_OBJECT, &file->header, error);
  if (status == MIEN_OK) status = read_tensors(file, data, (size_t)(bytes + size - data), where, error);
  if (status == MIEN_OK)
    *out = file;
  else
    mien_safetensors_destroy(file);
  return status;
}

void mien_safetensors_destroy(mien_safetensors *file) {
  if (!file) return;
  json_decref(file->header);
  mien_free(file->tensors);
  mien_free(file);
}

const char *mien_safetensors_metadata(const mien_safetensors *file, const char *key) {
  return json_string_value(json_object_get(json_object_get(file->header, metadata_key), key));
}

size_t mien_safetensors_count(const mien_safetensors *file) { return file->count; }

const mien_safetensor *mien_safetensors_at(const mien_safetensors *file, size_t index) { return &file->tensors[index]; }

const mien_safetensor *mien_safetensors_find(const mien_safetensors *file, const char *name) {
  const mien_safetensor key = {.name = name};
  return file->count ? bsearch(&key, file->tensors, file->count, sizeof key, by_name) : NULL;
}
