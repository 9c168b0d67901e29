/* SPDX-License-Identifier: Apache-2.0 */
/* The flat scan of an ONNX file's wire format, before anything is unpacked from it. */
#ifndef MIEN_FORMATS_ONNX_SCAN_H
#define MIEN_FORMATS_ONNX_SCAN_H

#include "base/status.h"

/* Messages in messages: a graph in an attribute of a node in a graph takes three. */
enum { MIEN_ONNX_MAX_DEPTH = 64 };
/* Nodes in a file, subgraphs and functions counted. A label takes a handful; the largest heads have one node for all.
 */
enum { MIEN_ONNX_MAX_NODES = 1 << 17 };

/* Bytes of one tensor in the file: the most weights that a head has, as double. */
#define MIEN_ONNX_MAX_DATA_BYTES ((size_t)8 << 26)

/*
 * Walks the bytes of a ModelProto once, without recursion and without memory, and accepts only what protobuf-c's
 * unpacker (which recurses and allocates as the file says) takes in a bounded way: well-formed varints, lengths inside
 * their message, wire types that fit the fields, single fields given once, no NUL in strings, bounded depth and counts,
 * few unknown bytes, texts and integers, and memory in proportion to `size`. `where` names the file in messages, which
 * give the byte and the field.
 */
MIEN_MUST_USE mien_status mien_onnx_scan(const unsigned char *bytes, size_t size, const char *where, mien_error *error);

/*
 * Told of each part of a file once the scan has accepted it, in the file's order: a message's tag and length [at, end)
 * before what is in it, and its end behind that; a tensor's raw_data with its tag and length, of which the last `bytes`
 * before `end` are the data; any other field. What is not MIEN_OK ends the scan.
 */
typedef struct mien_onnx_visitor {
  mien_status (*begin)(void *context, size_t at, size_t end);
  mien_status (*end)(void *context);
  mien_status (*field)(void *context, size_t at, size_t end);
  mien_status (*data)(void *context, size_t at, size_t end, size_t bytes);
  void *context;
} mien_onnx_visitor;

/* The same, and tells `visitor`. The bytes of raw_data are not read. */
MIEN_MUST_USE mien_status mien_onnx_scan_visit(const unsigned char *bytes, size_t size, const char *where,
                                               const mien_onnx_visitor *visitor, mien_error *error);

/* The same as mien_onnx_scan of a file of `size` bytes of which only the first are there: refuses what these are enough
 * to refuse. */
MIEN_MUST_USE mien_status mien_onnx_scan_start(const unsigned char *start, size_t start_bytes, size_t size,
                                               const char *where, mien_error *error);

#endif
