/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large ONNX file unpacked without a copy of its tensors' data. protobuf-c copies every field, so it is given the
 * file's skeleton: the same messages, each raw_data replaced by the place where its bytes lie. After unpacking, the
 * places become pointers. The messages' lengths shrink with what they hold: they are written in five bytes, the most
 * that a reader takes, and filled in when the message ends.
 */
#include "formats/onnx_mapped.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "formats/onnx_file.h"
#include "formats/onnx_scan.h"

enum { LENGTH_BYTES = 5, WIRE_LENGTH_MAX = 127 };

/* What stands in raw_data's stead. */
typedef struct span {
  size_t at, bytes;
} span;

typedef struct skeleton {
  const unsigned char *file;
  const char *where;
  mien_error *error;
  unsigned char *bytes;
  size_t size, capacity;
  size_t open[MIEN_ONNX_MAX_DEPTH]; /* where the lengths of the messages around are */
  size_t depth;
} skeleton;

/* ---- Writing --------------------------------------------------------------------------------------------------- */

static mien_status put(skeleton *s, const void *bytes, size_t count) {
  if (count > s->capacity - s->size) {
    size_t capacity = 0;
    unsigned char *larger = NULL;
    if (mien_size_add(s->size, count, &capacity) && mien_size_mul(capacity, 2, &capacity))
      larger = realloc(s->bytes, capacity);
    if (!larger) return mien_fail_memory(s->error, s->where, capacity);
    s->bytes = larger;
    s->capacity = capacity;
  }
  memcpy(s->bytes + s->size, bytes, count);
  s->size += count;
  return MIEN_OK;
}

/* The tag at `at`, a varint that the scan has accepted. */
static mien_status put_tag(skeleton *s, size_t at) {
  size_t end = at;
  while (s->file[end++] & 0x80) {
  }
  return put(s, s->file + at, end - at);
}

static mien_status on_begin(void *context, size_t at, size_t end) {
  skeleton *s = context;
  static const unsigned char length[LENGTH_BYTES];
  (void)end;
  mien_status status = put_tag(s, at);
  s->open[s->depth++] = s->size;
  return status == MIEN_OK ? put(s, length, sizeof length) : status;
}

static mien_status on_end(void *context) {
  skeleton *s = context;
  const size_t at = s->open[--s->depth], length = s->size - at - LENGTH_BYTES;
  for (size_t i = 0; i < LENGTH_BYTES; i++) {
    const unsigned char more = i + 1 < LENGTH_BYTES ? 0x80 : 0;
    s->bytes[at + i] = (unsigned char)((length >> (7 * i) & 0x7F) | more);
  }
  return MIEN_OK;
}

static mien_status on_field(void *context, size_t at, size_t end) {
  skeleton *s = context;
  return put(s, s->file + at, end - at);
}

static mien_status on_data(void *context, size_t at, size_t end, size_t bytes) {
  skeleton *s = context;
  const span place = {end - bytes, bytes};
  const unsigned char length = sizeof place;
  _Static_assert(sizeof place <= WIRE_LENGTH_MAX, "the length is written in one byte");
  mien_status status = put_tag(s, at);
  if (status == MIEN_OK) status = put(s, &length, 1);
  return status == MIEN_OK ? put(s, &place, sizeof place) : status;
}

/* ---- Places to pointers and back ------------------------------------------------------------------------------- */

typedef void (*tensor_visit)(MienOnnx__TensorProto *tensor, const unsigned char *file);

static void each_tensor(ProtobufCMessage *message, tensor_visit visit, const unsigned char *file);

/* The messages in field `field` of a message. No deeper than the scan lets messages be. */
static void each_tensor_in(char *message, const ProtobufCFieldDescriptor *field, tensor_visit visit,
                           const unsigned char *file) {
  void *member = message + field->offset, *quantifier = message + field->quantifier_offset;
  if (field->label == PROTOBUF_C_LABEL_REPEATED) {
    ProtobufCMessage **list = *(ProtobufCMessage ***)member;
    const size_t count = *(size_t *)quantifier;
    for (size_t i = 0; i < count; i++) each_tensor(list[i], visit, file);
  } else if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || *(uint32_t *)quantifier == field->id) {
    ProtobufCMessage *one = *(ProtobufCMessage **)member;
    if (one) each_tensor(one, visit, file);
  }
}

static void each_tensor(ProtobufCMessage *message, tensor_visit visit, const unsigned char *file) {
  const ProtobufCMessageDescriptor *descriptor = message->descriptor;
  if (descriptor == &mien_onnx__tensor_proto__descriptor) visit((MienOnnx__TensorProto *)message, file);
  for (unsigned i = 0; i < descriptor->n_fields; i++)
    if (descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
      each_tensor_in((char *)message, &descriptor->fields[i], visit, file);
}

static void attach(MienOnnx__TensorProto *tensor, const unsigned char *file) {
  ProtobufCBinaryData *data = &tensor->raw_data;
  if (!tensor->has_raw_data) return;
  span place;
  memcpy(&place, data->data, sizeof place);
  free(data->data);
  *data = (ProtobufCBinaryData){.len = place.bytes, .data = (uint8_t *)file + place.at};
}

static void detach(MienOnnx__TensorProto *tensor, const unsigned char *file) {
  (void)file;
  tensor->raw_data = (ProtobufCBinaryData){0};
}

mien_status mien_onnx_mapped_unpack(const unsigned char *bytes, size_t size, const char *where,
                                    MienOnnx__ModelProto **model, mien_error *error) {
  skeleton s = {.file = bytes, .where = where, .error = error};
  const mien_onnx_visitor visitor = {
      .begin = on_begin, .end = on_end, .field = on_field, .data = on_data, .context = &s};
  mien_status status = mien_onnx_probe(bytes, size, size, where, error);
  if (status == MIEN_OK) status = mien_onnx_scan_visit(bytes, size, where, &visitor, error);
  if (status == MIEN_OK) status = mien_onnx_unpack_scanned(s.bytes, s.size, where, model, error);
  if (status == MIEN_OK) each_tensor(&(*model)->base, attach, bytes);
  free(s.bytes);
  return status;
}

void mien_onnx_mapped_free(MienOnnx__ModelProto *model) {
  if (model) each_tensor(&model->base, detach, NULL);
  mien_onnx_free(model);
}
