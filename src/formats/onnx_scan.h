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

/* The same of a file of `size` bytes of which only the first are there: refuses what these are enough to refuse. */
MIEN_MUST_USE mien_status mien_onnx_scan_start(const unsigned char *start, size_t start_bytes, size_t size,
                                               const char *where, mien_error *error);

#endif
