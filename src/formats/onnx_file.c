/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX file's bytes to protobuf-c's structures. */
#include "formats/onnx_file.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "formats/onnx_scan.h"

/* What else is found under the name model.onnx. No ONNX file begins like one of these: its first byte is a tag of
 * ModelProto, and the scan refuses the rest. */
typedef struct other {
  const char *start; /* of the file's bytes, letters in any case */
  size_t bytes;
  bool text; /* may come after a byte order mark and white space */
  const char *message;
} other;

static const other others[] = {
    {"version https://git-lfs", 23, true, "is a Git LFS pointer, not the model: run git lfs pull"},
    {"<!doctype", 9, true, "is a web page, not an ONNX file: was the download's page saved?"},
    {"<html", 5, true, "is a web page, not an ONNX file: was the download's page saved?"},
    {"<?xml", 5, true, "is XML, not an ONNX file"},
    {"{", 1, true, "is JSON, not an ONNX file"},
    {"[", 1, true, "is JSON, not an ONNX file"},
    {"PK\x03\x04", 4, false, "is a zip archive (a PyTorch checkpoint, .npz, …), not an ONNX file"},
    {"\x1F\x8B", 2, false, "is gzip-compressed: unpack it first"},
    {"\x93NUMPY", 6, false, "is a NumPy .npy file, not an ONNX file"},
    {"\x89HDF", 4, false, "is an HDF5 file (Keras, …), not an ONNX file"},
    {"\x80\x02", 2, false, "is a Python pickle, not an ONNX file"},
    {"\x80\x03", 2, false, "is a Python pickle, not an ONNX file"},
    {"\x80\x04", 2, false, "is a Python pickle, not an ONNX file"},
    {"\x80\x05", 2, false, "is a Python pickle, not an ONNX file"},
};

/* A 64-bit little-endian header length, then the header's JSON. */
static bool is_safetensors(const unsigned char *bytes, size_t size, size_t file_bytes) {
  if (size < 9 || bytes[8] != '{') return false;
  uint64_t header = 0;
  for (int i = 7; i >= 0; i--) header = header << 8 | bytes[i];
  return header >= 2 && header <= file_bytes - 8;
}

mien_status mien_onnx_probe(const unsigned char *bytes, size_t size, size_t file_bytes, const char *where,
                            mien_error *error) {
  if (size == 0) return mien_fail(error, MIEN_INPUT, "%s: is empty: expected an ONNX file", where);
  if (is_safetensors(bytes, size, file_bytes))
    return mien_fail(error, MIEN_INPUT, "%s: is a safetensors file, not an ONNX file", where);
  size_t text = mien_utf8_mark(bytes, size);
  while (text < size && memchr(" \t\r\n", bytes[text], 4)) text++;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    size_t skip = others[i].text ? text : 0;
    if (size - skip >= others[i].bytes &&
        strncasecmp((const char *)bytes + skip, others[i].start, others[i].bytes) == 0)
      return mien_fail(error, MIEN_INPUT, "%s: %s", where, others[i].message);
  }
  /* The first tag: a field of ModelProto, as a varint, a length or a fixed number. */
  if (bytes[0] < 8 || (bytes[0] & 7) > 5)
    return mien_fail(error, MIEN_INPUT, "%s: byte 0: expected a protobuf field of an ONNX model, found 0x%02X", where,
                     bytes[0]);
  /* A large file that begins with what the scan refuses is not worth reading. */
  return size < file_bytes ? mien_onnx_scan_start(bytes, size, file_bytes, where, error) : MIEN_OK;
}

/* protobuf-c answers NULL for bad bytes and for want of memory alike: this tells them apart. */
static void *counted_alloc(void *user, size_t bytes) {
  void *memory = malloc(bytes ? bytes : 1);
  if (!memory) *(size_t *)user = bytes;
  return memory;
}

static void counted_free(void *user, void *memory) {
  (void)user;
  free(memory);
}

mien_status mien_onnx_unpack_scanned(const unsigned char *bytes, size_t size, const char *where,
                                     MienOnnx__ModelProto **model, mien_error *error) {
  size_t failed_bytes = 0;
  ProtobufCAllocator allocator = {.alloc = counted_alloc, .free = counted_free, .allocator_data = &failed_bytes};
  MienOnnx__ModelProto *unpacked = mien_onnx__model_proto__unpack(&allocator, size, bytes);
  if (!unpacked && failed_bytes) return mien_fail_memory(error, where, failed_bytes);
  if (!unpacked) return mien_fail(error, MIEN_INPUT, "%s: is not an ONNX file", where);
  if (!unpacked->graph) {
    mien_onnx_free(unpacked);
    return mien_fail(error, MIEN_INPUT, "%s: no graph in it: is it an ONNX model?", where);
  }
  *model = unpacked;
  return MIEN_OK;
}

mien_status mien_onnx_unpack(const unsigned char *bytes, size_t size, const char *where, MienOnnx__ModelProto **model,
                             mien_error *error) {
  mien_status status = mien_onnx_probe(bytes, size, size, where, error);
  if (status == MIEN_OK) status = mien_onnx_scan(bytes, size, where, error);
  return status == MIEN_OK ? mien_onnx_unpack_scanned(bytes, size, where, model, error) : status;
}

void mien_onnx_free(MienOnnx__ModelProto *model) {
  size_t ignored = 0;
  ProtobufCAllocator allocator = {.alloc = counted_alloc, .free = counted_free, .allocator_data = &ignored};
  if (model) mien_onnx__model_proto__free_unpacked(model, &allocator);
}
