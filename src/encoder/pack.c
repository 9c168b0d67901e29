/* SPDX-License-Identifier: Apache-2.0 */
/* A pack's file: opened, its metadata read, its tensors given out; and the names that reader and writer share. */
#define _GNU_SOURCE /* memmem */
#include "encoder/pack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "encoder/panel.h"
#include "encoder/weights.h"

/* ---- Names ----------------------------------------------------------------------------------------------------- */

const char *const mien_pack_matrix_names[MIEN_LAYER_MATRICES] = {"query_key_value", "attention_output", "up", "down"};
const char *const mien_pack_norm_names[MIEN_PACK_NORMS] = {"attention_norm", "output_norm"};
const char *const mien_pack_poolings[] = {"mean", "cls", "max"};

const char *mien_pack_name(char out[MIEN_PACK_NAME_CHARS], const char *before, const char *name, const char *part) {
  snprintf(out, MIEN_PACK_NAME_CHARS, "%s%s.%s", before, name, part);
  return out;
}

bool mien_pack_has_multipliers(mien_dtype dtype, size_t index) {
  enum { QUERY_KEY_VALUE = 0, UP = 2 };
  return dtype == MIEN_INT8 && (index == QUERY_KEY_VALUE || index == UP);
}

mien_norm *mien_pack_norm(mien_layer *layer, size_t index) {
  return index == 0 ? &layer->attention_norm : &layer->output_norm;
}

const char *mien_pack_type(mien_dtype dtype) {
  switch (dtype) {
  case MIEN_F32: return "F32";
  case MIEN_F16: return "F16";
  case MIEN_BF16: return "BF16";
  case MIEN_INT8: return "I8";
  default: return NULL;
  }
}

const char *mien_pack_activation_bits(mien_dtype dtype) {
  return dtype == MIEN_INT8 ? "8" : dtype == MIEN_BF16 ? "16" : "32";
}

size_t mien_pack_panel_shape(mien_dtype dtype, size_t inputs, size_t outputs, size_t dims[MIEN_PACK_MAX_RANK]) {
  const size_t side_by_side = dtype == MIEN_INT8 ? 4 : dtype == MIEN_BF16 ? 2 : 1;
  dims[0] = outputs / MIEN_PANEL;
  dims[1] = mien_panel_depth(dtype, inputs) / side_by_side;
  dims[2] = MIEN_PANEL;
  dims[3] = side_by_side;
  return side_by_side > 1 ? 4 : 3;
}

/* A key of the metadata that no other file has. */
static const char version_key[] = "mien_pack_version";

/* ---- Opening --------------------------------------------------------------------------------------------------- */

bool mien_pack_is_like(const char *path) {
  unsigned char start[MIEN_SAFETENSORS_PREFIX + 1];
  struct stat info;
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  const bool is_like = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
                       pread(fd, start, sizeof start, 0) == (ssize_t)sizeof start &&
                       mien_safetensors_is_one(start, sizeof start);
  close(fd);
  return is_like;
}

bool mien_pack_is_one(const char *path) {
  mien_map map = {0};
  if (!mien_pack_is_like(path) || mien_map_open(path, &map, NULL) != MIEN_OK) return false;
  const size_t header = mien_safetensors_header(map.bytes, map.size);
  const bool is_one = memmem(map.bytes, header, version_key, sizeof version_key - 1) != NULL;
  mien_map_close(&map);
  return is_one;
}

/* A text of the metadata that must be there, and must be `expected` unless that is NULL. */
static mien_status read_metadata(const mien_pack_file *pack, const char *key, const char *expected, const char **text,
                                 mien_error *error) {
  *text = mien_safetensors_metadata(pack->tensors, key);
  if (*text && (!expected || strcmp(*text, expected) == 0)) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected %s, found %s", pack->where, key, expected ? expected : "a text",
                   *text ? *text : "nothing");
}

static mien_status check_version(const mien_pack_file *pack, mien_error *error) {
  const char *format = mien_safetensors_metadata(pack->tensors, "format"), *version;
  char known[16];
  if (!format || strcmp(format, "mien") != 0)
    return mien_fail(
        error, MIEN_INPUT,
        "%s: format: expected a pack's, mien, found %s: an encoder's weights are opened with their folder, "
        "as an encoder",
        pack->where, format ? format : "none");
  snprintf(known, sizeof known, "%d", MIEN_PACK_VERSION);
  mien_status status = read_metadata(pack, version_key, NULL, &version, error);
  if (status != MIEN_OK || strcmp(version, known) == 0) return status;
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected %s, found %s: another version of mien reads it", pack->where,
                   version_key, known, version);
}

static mien_status read_dtype(mien_pack_file *pack, mien_error *error) {
  const char *name;
  mien_status status = read_metadata(pack, "dtype", NULL, &name, error);
  if (status != MIEN_OK) return status;
  for (mien_dtype dtype = 0; dtype <= MIEN_INT8; dtype++) {
    if (!mien_pack_type(dtype) || strcmp(name, mien_dtype_name(dtype)) != 0) continue;
    pack->dtype = dtype;
    return MIEN_OK;
  }
  return mien_fail(error, MIEN_INPUT, "%s: dtype: expected f32, f16, bf16 or int8, found %s", pack->where, name);
}

/* A text that people read, NULL where there is none. */
static mien_status read_words(const mien_pack_file *pack, const char *key, const char **text, mien_error *error) {
  *text = mien_safetensors_metadata(pack->tensors, key);
  if (!*text || mien_utf8_is_name(*text, strlen(*text))) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected a text without control characters, found '%s'", pack->where,
                   key, *text);
}

static mien_status read_header(mien_pack_file *pack, mien_error *error) {
  static const char name[] = ": config";
  const char *text, *config = NULL;
  mien_status status = check_version(pack, error);
  if (status == MIEN_OK) status = read_dtype(pack, error);
  if (status == MIEN_OK)
    status = read_metadata(pack, "activation_bits", mien_pack_activation_bits(pack->dtype), &text, error);
  if (status == MIEN_OK) status = read_metadata(pack, "attention", MIEN_PACK_ATTENTION, &text, error);
  if (status == MIEN_OK) status = read_metadata(pack, "config", NULL, &config, error);
  if (status == MIEN_OK) status = read_words(pack, "license", &pack->license, error);
  if (status == MIEN_OK) status = read_words(pack, "created_by", &pack->created_by, error);
  if (status != MIEN_OK) return status;
  const size_t bytes = strlen(pack->where) + sizeof name, count = mien_safetensors_count(pack->tensors);
  pack->config.path = mien_alloc(bytes, 1);
  pack->taken = mien_alloc(count, sizeof *pack->taken);
  if (!pack->config.path || !pack->taken) return mien_fail_memory(error, pack->where, bytes + count);
  snprintf(pack->config.path, bytes, "%s%s", pack->where, name);
  return mien_json_parse(config, strlen(config), pack->config.path, JSON_DECODE_INT_AS_REAL, JSON_OBJECT,
                         &pack->config.value, error);
}

static mien_status open_bytes(mien_pack_file *pack, mien_error *error) {
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
  return mien_fail(error, MIEN_RESOURCE, "%s: packs are for little-endian machines", pack->where);
#endif
  mien_status status = mien_safetensors_open(pack->bytes, pack->size, pack->where, &pack->tensors, error);
  return status == MIEN_OK ? read_header(pack, error) : status;
}

mien_status mien_pack_open(const char *path, mien_pack_file *pack, mien_error *error) {
  mien_map map = {0};
  *pack = (mien_pack_file){.where = path, .is_mapped = true};
  mien_status status = mien_map_open(path, &map, error);
  pack->bytes = map.bytes;
  pack->size = map.size;
  return status == MIEN_OK ? open_bytes(pack, error) : status;
}

mien_status mien_pack_open_memory(unsigned char *bytes, size_t size, const char *where, mien_pack_file *pack,
                                  mien_error *error) {
  *pack = (mien_pack_file){.where = where, .size = size, .bytes = bytes};
  return open_bytes(pack, error);
}

void mien_pack_close(mien_pack_file *pack) {
  mien_map map = {pack->bytes, pack->size};
  if (!pack->is_kept && pack->is_mapped) mien_map_close(&map);
  if (!pack->is_kept && !pack->is_mapped) mien_free(pack->bytes);
  mien_small_file_free(&pack->config);
  mien_safetensors_destroy(pack->tensors);
  mien_free(pack->taken);
  *pack = (mien_pack_file){0};
}

/* ---- Tensors --------------------------------------------------------------------------------------------------- */

mien_status mien_pack_tensor(mien_pack_file *pack, const char *name, const char *type, size_t rank, const size_t *dims,
                             size_t alignment, void **data, mien_error *error) {
  const mien_safetensor *tensor = mien_safetensors_find(pack->tensors, name);
  char expected[MIEN_SHAPE_CHARS], found[MIEN_SHAPE_CHARS];
  if (!tensor) return mien_fail(error, MIEN_INPUT, "%s: expected a tensor '%s', found none", pack->where, name);
  if (strcmp(tensor->dtype, type) != 0 || tensor->rank != rank || memcmp(tensor->dims, dims, rank * sizeof *dims) != 0)
    return mien_fail(error, MIEN_INPUT, "%s: '%s': expected %s %s, found %s %s", pack->where, name, type,
                     mien_show_shape(expected, rank, dims), tensor->dtype,
                     mien_show_shape(found, tensor->rank, tensor->dims));
  const size_t at = (size_t)(tensor->data - pack->bytes);
  if (at % alignment != 0)
    return mien_fail(error, MIEN_INPUT, "%s: '%s': expected at a multiple of %zu bytes, found at %zu", pack->where,
                     name, alignment, at);
  pack->taken[tensor - mien_safetensors_at(pack->tensors, 0)] = true;
  *data = pack->bytes + at;
  return MIEN_OK;
}

mien_status mien_pack_require_all_taken(const mien_pack_file *pack, mien_error *error) {
  for (size_t i = 0; i < mien_safetensors_count(pack->tensors); i++)
    if (!pack->taken[i])
      return mien_fail(error, MIEN_INPUT, "%s: '%s': expected tensors of the configuration only, found another",
                       pack->where, mien_safetensors_at(pack->tensors, i)->name);
  return MIEN_OK;
}
