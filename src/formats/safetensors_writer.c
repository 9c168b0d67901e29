/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a safetensors file. */
#include "formats/safetensors_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/new_file.h"

struct mien_tensor_writer {
  const char *where;
  json_t *header;     /* while it is made; NULL once data is written */
  uint64_t at, until; /* in the data: what is there already, and where the tensor that was begun ends */
  mien_new_file file;
  mien_status status; /* the first failure */
  mien_error *error;
};

void mien_tensor_fail(mien_tensor_writer *writer, mien_status status) {
  if (writer->status == MIEN_OK) writer->status = status;
}

/* ---- The header ------------------------------------------------------------------------------------------------ */

static void add_entry(mien_tensor_writer *writer, const char *name, const char *type, size_t rank, const size_t *dims,
                      uint64_t bytes) {
  json_t *shape = json_array();
  int failed = !shape;
  for (size_t i = 0; i < rank; i++) failed |= json_array_append_new(shape, json_integer((json_int_t)dims[i])) != 0;
  json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", type, "shape", shape, "data_offsets",
                            (json_int_t)writer->at, (json_int_t)(writer->at + bytes));
  failed |= json_object_set_new(writer->header, name, entry) != 0;
  if (failed) mien_tensor_fail(writer, mien_fail_memory(writer->error, writer->where, sizeof *entry));
  writer->at += bytes;
}

bool mien_tensor_begin(mien_tensor_writer *writer, const char *name, const char *type, size_t rank,
                       const size_t *dims) {
  if (writer->status != MIEN_OK) return false;
  uint64_t bytes = mien_safetensors_bits(type) / 8;
  for (size_t i = 0; i < rank; i++) bytes *= dims[i]; /* of what is in memory */
  if (writer->header) {
    add_entry(writer, name, type, rank, dims, bytes);
    return false;
  }
  if (writer->at != writer->until)
    mien_tensor_fail(writer,
                     mien_fail(writer->error, MIEN_INTERNAL, "%s: '%s': expected a begin of %llu, found %llu",
                               writer->where, name, (unsigned long long)writer->until, (unsigned long long)writer->at));
  writer->until += bytes;
  return writer->status == MIEN_OK;
}

void mien_tensor_write(mien_tensor_writer *writer, const void *data, size_t n, size_t element) {
  if (writer->status != MIEN_OK) return;
  writer->status = mien_new_file_write(&writer->file, data, n * element, writer->where, writer->error);
  writer->at += n * element;
}

/* The header's length and the header, filled up with spaces. */
static mien_status write_header(mien_tensor_writer *writer, uint64_t *bytes) {
  char *text = json_dumps(writer->header, JSON_COMPACT);
  if (!text) return mien_fail_memory(writer->error, writer->where, 0);
  const size_t length = strlen(text);
  const size_t padding = -(length + MIEN_SAFETENSORS_PREFIX) % MIEN_SAFETENSORS_ALIGNMENT, padded = length + padding;
  unsigned char prefix[MIEN_SAFETENSORS_PREFIX];
  char spaces[MIEN_SAFETENSORS_ALIGNMENT];
  memset(spaces, ' ', sizeof spaces);
  for (size_t i = 0; i < sizeof prefix; i++) prefix[i] = (unsigned char)((uint64_t)padded >> (8 * i));
  mien_status status = MIEN_OK;
  if (padded > MIEN_SAFETENSORS_MAX_HEADER)
    status =
        mien_fail(writer->error, MIEN_ARGUMENT, "%s: expected names and labels of at most %d bytes in all, found %zu",
                  writer->where, MIEN_SAFETENSORS_MAX_HEADER, padded);
  if (status == MIEN_OK)
    status = mien_new_file_write(&writer->file, prefix, sizeof prefix, writer->where, writer->error);
  if (status == MIEN_OK) status = mien_new_file_write(&writer->file, text, length, writer->where, writer->error);
  if (status == MIEN_OK) status = mien_new_file_write(&writer->file, spaces, padding, writer->where, writer->error);
  free(text); /* jansson's */
  *bytes = padded + sizeof prefix;
  return status;
}

/* ---- The file -------------------------------------------------------------------------------------------------- */

static mien_status write_file(mien_tensor_writer *writer, json_t *metadata, mien_tensor_lister list, void *context,
                              uint64_t *file_bytes) {
  uint64_t header_bytes = 0;
  writer->header = json_object();
  if (json_object_set(writer->header, MIEN_SAFETENSORS_METADATA, metadata) != 0)
    writer->status = mien_fail_memory(writer->error, writer->where, 0);
  if (writer->status == MIEN_OK) list(writer, context);
  if (writer->status == MIEN_OK) writer->status = write_header(writer, &header_bytes);
  json_decref(writer->header);
  writer->header = NULL;
  writer->at = 0;
  if (writer->status == MIEN_OK) list(writer, context);
  if (writer->status == MIEN_OK && writer->at != writer->until)
    return mien_fail(writer->error, MIEN_INTERNAL, "%s: expected %llu bytes of data, found %llu", writer->where,
                     (unsigned long long)writer->until, (unsigned long long)writer->at);
  *file_bytes = header_bytes + writer->at;
  return writer->status;
}

mien_status mien_safetensors_write(const char *path, json_t *metadata, mien_tensor_lister list, void *context,
                                   uint64_t *file_bytes, mien_error *error) {
  mien_tensor_writer writer = {.where = path, .error = error};
  mien_status status = mien_new_file_open(path, &writer.file, error);
  if (status == MIEN_OK && !writer.file.temporary)
    status = mien_fail(error, MIEN_ARGUMENT, "%s: expected a file to write, found a device or a pipe", path);
  if (status == MIEN_OK) status = write_file(&writer, metadata, list, context, file_bytes);
  if (status == MIEN_OK) status = mien_new_file_sync(&writer.file, path, error);
  if (status == MIEN_OK) status = mien_new_file_publish(&writer.file, path, error);
  mien_new_file_discard(&writer.file);
  return status;
}
