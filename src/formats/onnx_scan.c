/* SPDX-License-Identifier: Apache-2.0 */
/* The flat scan of an ONNX file's wire format, before anything is unpacked from it. */
#include "formats/onnx_scan.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "onnx.pb-c.h"

/* Wire types (protobuf.dev, Encoding). */
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LENGTH = 2, WIRE_32 = 5 };

/* Bytes of the longest varints: of 64 bits, and of the 32 bits of tags and lengths. */
enum { VARINT_BYTES = 10, VARINT32_BYTES = 5 };

/* Messages of any kind in a file. */
enum { MAX_MESSAGES = 1 << 19 };

/*
 * Bytes that unpacking copies, in all: of fields that onnx.proto has not (room for what later versions say of a node),
 * of texts (twice the names of the most labels that a head has, in 256 bytes each), and of integers, in numbers.
 */
enum { MAX_UNKNOWN_BYTES = 256 << 10, MAX_TEXT_BYTES = 32 << 20, MAX_INTEGERS = 1 << 19 };

/*
 * What unpacking may take: a fixed part that any small file may use up, and a part in proportion to the file. Kept: the
 * data once, and the structures of nodes and attributes, some 10 times their bytes in the file. Notes, which are
 * protobuf-c's while it unpacks a message, of each of its fields (its table doubles): for a float that is not packed,
 * 5 bytes in the file, 64.
 */
enum { KEPT_BASE = 24 << 20, KEPT_PER_BYTE = 4, NOTES_BASE = 4 << 20, NOTES_PER_BYTE = 16, NOTE_BYTES = 64 };

/* malloc's own cost of a block, and of rounding its size up. */
enum { BLOCK_BYTES = 16 };

typedef struct frame {
  const ProtobufCMessageDescriptor *message;
  size_t end;      /* offset behind its last byte */
  uint64_t seen;   /* bit i: field i of the descriptor was there */
  size_t n_fields; /* met so far, for the notes */
} frame;

typedef struct scan {
  const unsigned char *bytes; /* [known] of the file, from its start */
  size_t known;
  const char *where;
  mien_error *error;
  size_t at;
  size_t field_at; /* where the field being read began */
  const ProtobufCFieldDescriptor *field;
  size_t depth; /* frames in use */
  frame frames[MIEN_ONNX_MAX_DEPTH];
  size_t widest[MIEN_ONNX_MAX_DEPTH]; /* the most fields of a message at that depth */
  size_t n_messages, n_nodes;
  size_t unknown_bytes, text_bytes, n_integers; /* in all */
  size_t held;                                  /* bytes that the unpacked messages keep */
  bool is_data;                                 /* the field being read is a tensor's raw_data, */
  size_t data_bytes;                            /* of so many bytes */
  const mien_onnx_visitor *visitor;             /* may be NULL */
} scan;

static frame *top(scan *s) { return &s->frames[s->depth - 1]; }

__attribute__((format(printf, 2, 3))) static mien_status refuse(scan *s, const char *format, ...) {
  char what[256];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  const char *message = top(s)->message->short_name;
  if (!s->field) return mien_fail(s->error, MIEN_INPUT, "%s: byte %zu (%s): %s", s->where, s->field_at, message, what);
  return mien_fail(s->error, MIEN_INPUT, "%s: byte %zu (%s.%s): %s", s->where, s->field_at, message, s->field->name,
                   what);
}

static mien_status read_varint(scan *s, size_t max_bytes, uint64_t *value) {
  const size_t end = top(s)->end;
  uint64_t bits = 0;
  for (size_t i = 0; i < max_bytes; i++) {
    if (s->at == end) return refuse(s, "truncated inside a number");
    unsigned char byte = s->bytes[s->at++];
    bits |= (uint64_t)(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      *value = bits;
      return MIEN_OK;
    }
  }
  return refuse(s, "a number is longer than %zu bytes", max_bytes);
}

static mien_status skip(scan *s, size_t bytes) {
  size_t left = top(s)->end - s->at;
  if (bytes > left) return refuse(s, "truncated: expected %zu bytes, found %zu", bytes, left);
  s->at += bytes;
  return MIEN_OK;
}

static size_t block(size_t bytes) { return bytes + BLOCK_BYTES + (-bytes & (BLOCK_BYTES - 1)); }

static mien_status push(scan *s, const ProtobufCMessageDescriptor *message, size_t bytes) {
  if (s->depth == MIEN_ONNX_MAX_DEPTH) return refuse(s, "more than %d messages inside each other", MIEN_ONNX_MAX_DEPTH);
  if (++s->n_messages > MAX_MESSAGES) return refuse(s, "more than %d messages", MAX_MESSAGES);
  if (message == &mien_onnx__node_proto__descriptor && ++s->n_nodes > MIEN_ONNX_MAX_NODES)
    return refuse(s, "more than %d nodes", MIEN_ONNX_MAX_NODES);
  s->held += block(message->sizeof_message);
  s->frames[s->depth++] = (frame){.message = message, .end = s->at + bytes};
  return MIEN_OK;
}

/* Bytes of one element of a repeated field, as protobuf-c keeps it; 0 for a type that onnx.proto has not. */
static size_t element_bytes(ProtobufCType type) {
  switch (type) {
  case PROTOBUF_C_TYPE_INT32:
  case PROTOBUF_C_TYPE_ENUM:
  case PROTOBUF_C_TYPE_FLOAT: return 4;
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_UINT64:
  case PROTOBUF_C_TYPE_DOUBLE:
  case PROTOBUF_C_TYPE_STRING:
  case PROTOBUF_C_TYPE_MESSAGE: return 8;
  case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
  default: return 0;
  }
}

static int wire_type_of(ProtobufCType type) {
  switch (type) {
  case PROTOBUF_C_TYPE_FLOAT: return WIRE_32;
  case PROTOBUF_C_TYPE_DOUBLE: return WIRE_64;
  case PROTOBUF_C_TYPE_STRING:
  case PROTOBUF_C_TYPE_BYTES:
  case PROTOBUF_C_TYPE_MESSAGE: return WIRE_LENGTH;
  default: return WIRE_VARINT;
  }
}

/* Takes `amount` of what is left to `limit` in *used. */
static mien_status take(scan *s, size_t *used, size_t amount, size_t limit, const char *what) {
  if (amount > limit - *used) return refuse(s, "more than %zu %s", limit, what);
  *used += amount;
  return MIEN_OK;
}

/* Memory that the elements of a repeated field keep. Indices and shapes are int64, and grow eightfold. */
static mien_status hold_elements(scan *s, size_t count) {
  const ProtobufCType type = s->field->type;
  s->held += count * element_bytes(type);
  if (type != PROTOBUF_C_TYPE_INT64 && type != PROTOBUF_C_TYPE_UINT64) return MIEN_OK;
  return take(s, &s->n_integers, count, MAX_INTEGERS, "integers in the file");
}

/* A text or bytes, `bytes` of them, of which `extra` more are kept. */
static mien_status text(scan *s, size_t bytes, size_t extra) {
  mien_status status = MIEN_OK;
  /* Only the elements of a tensor may be large. */
  if (top(s)->message == &mien_onnx__tensor_proto__descriptor && strcmp(s->field->name, "raw_data") == 0) {
    if (bytes > MIEN_ONNX_MAX_DATA_BYTES)
      status = refuse(s, "expected at most %zu bytes, found %zu", MIEN_ONNX_MAX_DATA_BYTES, bytes);
    s->is_data = true;
    s->data_bytes = bytes;
  } else {
    status = take(s, &s->text_bytes, bytes, MAX_TEXT_BYTES, "bytes of texts in the file");
  }
  if (status != MIEN_OK) return status;
  s->held += block(bytes + extra);
  return skip(s, bytes);
}

/* A repeated number in its packed form: `bytes` bytes of elements. */
static mien_status packed(scan *s, size_t bytes) {
  if (bytes > s->known - s->at) return skip(s, bytes); /* nothing to count yet */
  size_t count = 0, width = s->field->type == PROTOBUF_C_TYPE_DOUBLE ? 8 : 4;
  if (wire_type_of(s->field->type) != WIRE_VARINT) {
    if (bytes % width) return refuse(s, "%zu bytes are not a whole number of %zu-byte elements", bytes, width);
    count = bytes / width;
  } else {
    size_t run = 0;
    for (size_t i = 0; i < bytes; i++) {
      if (++run > VARINT_BYTES) return refuse(s, "a number is longer than %d bytes", VARINT_BYTES);
      if (s->bytes[s->at + i] < 0x80) {
        count++;
        run = 0;
      }
    }
    if (run) return refuse(s, "truncated inside a number");
  }
  s->at += bytes;
  return hold_elements(s, count);
}

/* What follows the tag of a field with a length. */
static mien_status delimited(scan *s) {
  uint64_t bytes = 0;
  mien_status status = read_varint(s, VARINT32_BYTES, &bytes);
  if (status != MIEN_OK) return status;
  size_t left = top(s)->end - s->at;
  if (bytes > left)
    return refuse(s, "truncated: a length of %llu bytes where %zu are left", (unsigned long long)bytes, left);
  if (!s->field) {
    status = take(s, &s->unknown_bytes, (size_t)bytes, MAX_UNKNOWN_BYTES, "bytes of fields that ONNX has not");
    if (status != MIEN_OK) return status;
    s->held += block((size_t)bytes);
    return skip(s, (size_t)bytes);
  }
  switch (s->field->type) {
  case PROTOBUF_C_TYPE_MESSAGE: return push(s, s->field->descriptor, (size_t)bytes);
  case PROTOBUF_C_TYPE_STRING:
    /* No further than a text may be long. */
    if (bytes <= MAX_TEXT_BYTES && bytes <= s->known - s->at && memchr(s->bytes + s->at, '\0', (size_t)bytes))
      return refuse(s, "a string with a NUL byte in it");
    return text(s, (size_t)bytes, 1);
  case PROTOBUF_C_TYPE_BYTES: return text(s, (size_t)bytes, 0);
  default: return packed(s, (size_t)bytes);
  }
}

/*
 * A field that may be there once was there before: protobuf-c would merge messages, and readers differ on which of two
 * values counts. The members of a oneof share one quantifier.
 */
static bool given_before(frame *f, const ProtobufCFieldDescriptor *field) {
  if (field->label == PROTOBUF_C_LABEL_REPEATED) return false;
  unsigned index = (unsigned)(field - f->message->fields);
  if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
    for (unsigned i = 0; i < f->message->n_fields; i++)
      if (f->message->fields[i].quantifier_offset == field->quantifier_offset &&
          (f->message->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
        index = i;
        break;
      }
  bool before = (f->seen >> index) & 1;
  f->seen |= (uint64_t)1 << index;
  return before;
}

static mien_status check_known(scan *s, int wire) {
  const ProtobufCFieldDescriptor *field = s->field;
  bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
  int expected = wire_type_of(field->type);
  if (wire != expected && !(repeated && wire == WIRE_LENGTH))
    return refuse(s, "expected wire type %d, found %d", expected, wire);
  if (given_before(top(s), field)) return refuse(s, "given twice");
  return repeated && wire == expected ? hold_elements(s, 1) : MIEN_OK;
}

/* What follows a tag of that wire type. */
static mien_status scan_content(scan *s, int wire) {
  uint64_t ignored;
  switch (wire) {
  case WIRE_VARINT: return read_varint(s, VARINT_BYTES, &ignored);
  case WIRE_64: return skip(s, 8);
  case WIRE_LENGTH: return delimited(s);
  case WIRE_32: return skip(s, 4);
  default: return refuse(s, "wire type %d is not one of ONNX", wire);
  }
}

/* Tells the visitor of the field that was read, `is_message` when it began one. */
static mien_status tell(const scan *s, bool is_message) {
  const mien_onnx_visitor *visitor = s->visitor;
  if (!visitor) return MIEN_OK;
  if (is_message) return visitor->begin(visitor->context, s->field_at, s->at);
  if (s->is_data) return visitor->data(visitor->context, s->field_at, s->at, s->data_bytes);
  return visitor->field(visitor->context, s->field_at, s->at);
}

static mien_status scan_field(scan *s) {
  uint64_t tag = 0;
  s->field_at = s->at;
  s->field = NULL;
  s->is_data = false;
  mien_status status = read_varint(s, VARINT32_BYTES, &tag);
  if (status != MIEN_OK) return status;
  int wire = (int)(tag & 7);
  if (tag >> 3 == 0 || tag > UINT32_MAX) return refuse(s, "field number 0 or too large");
  frame *f = top(s);
  if (++f->n_fields > s->widest[s->depth - 1]) s->widest[s->depth - 1] = f->n_fields;
  s->field = protobuf_c_message_descriptor_get_field(f->message, (unsigned)(tag >> 3));
  if (s->field) {
    status = check_known(s, wire);
  } else {
    s->held += sizeof(ProtobufCMessageUnknownField) + block(VARINT_BYTES);
    status = take(s, &s->unknown_bytes, sizeof(ProtobufCMessageUnknownField), MAX_UNKNOWN_BYTES,
                  "bytes of fields that ONNX has not");
  }
  const size_t depth = s->depth;
  if (status == MIEN_OK) status = scan_content(s, wire);
  return status == MIEN_OK ? tell(s, s->depth > depth) : status;
}

static mien_status check_limit(scan *s, const char *what, size_t found, size_t base, size_t per_byte, size_t size) {
  size_t limit;
  if (__builtin_mul_overflow(size, per_byte, &limit) || __builtin_add_overflow(limit, base, &limit) || found <= limit)
    return MIEN_OK;
  return mien_fail(s->error, MIEN_INPUT, "%s: %s take too much memory: expected at most %zu bytes, found %zu", s->where,
                   what, limit, found);
}

/* At the worst moment there are notes of one message at each depth. */
static mien_status check_memory(scan *s, size_t size) {
  size_t notes = 0;
  for (size_t i = 0; i < MIEN_ONNX_MAX_DEPTH; i++) notes += s->widest[i] * NOTE_BYTES;
  mien_status status = check_limit(s, "its parts", s->held, KEPT_BASE, KEPT_PER_BYTE, size);
  return status == MIEN_OK ? check_limit(s, "its fields", notes, NOTES_BASE, NOTES_PER_BYTE, size) : status;
}

/* Walks a file of `size` bytes as far as they are known. A tag and a number, or a length, are read unchecked. */
static mien_status walk(scan *s, size_t size) {
  s->depth = s->n_messages = 1;
  s->frames[0] = (frame){.message = &mien_onnx__model_proto__descriptor, .end = size};
  while (s->depth > 0) {
    if (s->at == top(s)->end) {
      s->depth--;
      mien_status status = s->visitor && s->depth ? s->visitor->end(s->visitor->context) : MIEN_OK;
      if (status != MIEN_OK) return status;
      continue;
    }
    if (s->known < size && s->at + VARINT32_BYTES + VARINT_BYTES > s->known) return MIEN_OK;
    mien_status status = scan_field(s);
    if (status != MIEN_OK) return status;
  }
  return check_memory(s, size);
}

mien_status mien_onnx_scan_visit(const unsigned char *bytes, size_t size, const char *where,
                                 const mien_onnx_visitor *visitor, mien_error *error) {
  scan s = {.bytes = bytes, .known = size, .where = where, .visitor = visitor, .error = error};
  return walk(&s, size);
}

mien_status mien_onnx_scan(const unsigned char *bytes, size_t size, const char *where, mien_error *error) {
  return mien_onnx_scan_visit(bytes, size, where, NULL, error);
}

mien_status mien_onnx_scan_start(const unsigned char *start, size_t start_bytes, size_t size, const char *where,
                                 mien_error *error) {
  scan s = {.bytes = start, .known = start_bytes, .where = where, .error = error};
  return walk(&s, size);
}
