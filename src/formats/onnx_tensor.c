/* SPDX-License-Identifier: Apache-2.0 */
/* A TensorProto's shape and numbers, wherever the file keeps them. */
#include "formats/onnx_tensor.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/half.h"
#include "base/memory.h"

/* Fields of TensorProto that hold elements. */
typedef enum field { FIELD_FLOAT, FIELD_DOUBLE, FIELD_INT32, FIELD_INT64 } field;

static const char *const field_names[] = {"float_data", "double_data", "int32_data", "int64_data"};

typedef struct element {
  int type; /* TensorProto.DataType */
  size_t bytes;
  field field; /* where its elements are when they are not raw bytes (onnx.proto, TensorProto) */
  bool is_integer;
} element;

static const element elements[] = {
    {MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 4, FIELD_FLOAT, false},
    {MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, 8, FIELD_DOUBLE, false},
    {MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, 2, FIELD_INT32, false},
    {MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, 2, FIELD_INT32, false},
    {MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__INT32, 4, FIELD_INT32, true},
    {MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 8, FIELD_INT64, true},
};

static const element *find_element(int type) {
  for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
    if (elements[i].type == type) return &elements[i];
  return NULL;
}

/* ---- Shape --------------------------------------------------------------------------------------------------- */

static mien_status read_shape(const MienOnnx__TensorProto *proto, const char *where, mien_onnx_shape *shape,
                              mien_error *error) {
  if (proto->n_dims > MIEN_ONNX_MAX_RANK)
    return mien_fail(error, MIEN_INPUT, "%s: expected at most %d dimensions, found %zu", where, MIEN_ONNX_MAX_RANK,
                     proto->n_dims);
  *shape = (mien_onnx_shape){.rank = proto->n_dims, .count = 1};
  for (size_t i = 0; i < proto->n_dims; i++) {
    int64_t dim = proto->dims[i];
    if (dim < 0) return mien_fail(error, MIEN_INPUT, "%s: dimension %zu is %lld", where, i, (long long)dim);
    shape->dims[i] = (size_t)dim;
    /* Half of size_t leaves room for the size of an element. */
    if (!mien_size_mul(shape->count, (size_t)dim, &shape->count) || shape->count > SIZE_MAX / 16)
      return mien_fail(error, MIEN_INPUT, "%s: the product of the dimensions is too large", where);
  }
  return MIEN_OK;
}

/* ---- Amount of data ------------------------------------------------------------------------------------------ */

/* Elements in `which`; *n_filled counts the fields, raw_data with them, that hold anything. */
static size_t count_elements(const MienOnnx__TensorProto *proto, field which, int *n_filled) {
  size_t counts[] = {proto->n_float_data, proto->n_double_data, proto->n_int32_data, proto->n_int64_data};
  *n_filled =
      (proto->has_raw_data && proto->raw_data.len > 0) + (proto->n_string_data > 0) + (proto->n_uint64_data > 0);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) *n_filled += counts[i] > 0;
  return counts[which];
}

static mien_status check_inside(const mien_onnx_tensor *tensor, const element *e, const char *where,
                                mien_error *error) {
  int n_filled;
  size_t found = count_elements(tensor->proto, e->field, &n_filled), expected = tensor->shape.count;
  if (n_filled > 1) return mien_fail(error, MIEN_INPUT, "%s: data in more than one field", where);
  if (tensor->proto->has_raw_data && found == 0) {
    found = tensor->proto->raw_data.len;
    if (found == expected * e->bytes) return MIEN_OK;
    return mien_fail(error, MIEN_INPUT, "%s: raw_data: expected %zu bytes, found %zu", where, expected * e->bytes,
                     found);
  }
  if (found == expected) return MIEN_OK;
  return mien_fail(error, MIEN_INPUT, "%s: %s: expected %zu elements, found %zu", where, field_names[e->field],
                   expected, found);
}

static mien_status check_external(mien_onnx_tensor *tensor, const element *e, const char *model_path, const char *where,
                                  mien_error *error) {
  int n_filled;
  count_elements(tensor->proto, e->field, &n_filled);
  if (n_filled > 0) return mien_fail(error, MIEN_INPUT, "%s: data both in the file and outside", where);
  mien_status status = mien_onnx_external_open(tensor->proto, model_path, where, &tensor->external, error);
  if (status != MIEN_OK) return status;
  tensor->is_external = true;
  uint64_t expected = (uint64_t)tensor->shape.count * e->bytes, found = tensor->external.length;
  if (found == expected || (found > expected && !tensor->external.length_is_given)) return MIEN_OK;
  mien_onnx_tensor_close(tensor);
  return mien_fail(error, MIEN_INPUT, "%s: external data: expected %llu bytes, found %llu", where,
                   (unsigned long long)expected, (unsigned long long)found);
}

mien_status mien_onnx_tensor_open(const MienOnnx__TensorProto *proto, const char *model_path, const char *where,
                                  mien_onnx_tensor *tensor, mien_error *error) {
  *tensor = (mien_onnx_tensor){.proto = proto};
  const element *e = find_element(proto->data_type);
  if (!e)
    return mien_fail(error, MIEN_INPUT,
                     "%s: element type %d: expected float, double, float16, bfloat16, int32 or int64", where,
                     (int)proto->data_type);
  if (proto->segment) return mien_fail(error, MIEN_INPUT, "%s: tensors in segments are not supported", where);
  tensor->is_integer = e->is_integer;
  mien_status status = read_shape(proto, where, &tensor->shape, error);
  if (status != MIEN_OK) return status;
  if (e->is_integer && tensor->shape.count > MIEN_ONNX_MAX_INTEGERS)
    return mien_fail(error, MIEN_INPUT, "%s: expected at most %d integers, found %zu", where, MIEN_ONNX_MAX_INTEGERS,
                     tensor->shape.count);
  if (proto->data_location == MIEN_ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    return check_external(tensor, e, model_path, where, error);
  return check_inside(tensor, e, where, error);
}

void mien_onnx_tensor_close(mien_onnx_tensor *tensor) {
  if (tensor->is_external) close(tensor->external.fd);
  tensor->is_external = false;
}

/* ---- Elements ------------------------------------------------------------------------------------------------ */

/* Raw bytes are little-endian whatever the machine (onnx.proto, raw_data). */
static uint64_t load(const unsigned char *bytes, size_t n) {
  uint64_t bits = 0;
  for (size_t i = 0; i < n; i++) bits |= (uint64_t)bytes[i] << (8 * i);
  return bits;
}

static double from_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double from_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double to_float(int type, uint64_t bits) {
  switch (type) {
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: return from_double(bits);
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16: return mien_half_to_float((uint16_t)bits);
  case MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16: return from_float((uint32_t)bits << 16);
  default: return from_float((uint32_t)bits);
  }
}

static void convert_raw(const element *e, const unsigned char *bytes, size_t n, double *floats, int64_t *integers) {
  if (e->type == MIEN_ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
    for (size_t i = 0; i < n; i++) floats[i] = from_float((uint32_t)load(bytes + 4 * i, 4));
  else if (!e->is_integer)
    for (size_t i = 0; i < n; i++) floats[i] = to_float(e->type, load(bytes + e->bytes * i, e->bytes));
  else if (e->bytes == 4)
    for (size_t i = 0; i < n; i++) integers[i] = (int32_t)(uint32_t)load(bytes + 4 * i, 4);
  else
    for (size_t i = 0; i < n; i++) integers[i] = (int64_t)load(bytes + 8 * i, 8);
}

/* 16-bit floats are the low halves of int32_data's elements, whose high halves are 0. */
static mien_status convert_halves(const mien_onnx_tensor *tensor, const char *where, double *floats,
                                  mien_error *error) {
  for (size_t i = 0; i < tensor->shape.count; i++) {
    int32_t bits = tensor->proto->int32_data[i];
    if (bits < 0 || bits > 0xFFFF)
      return mien_fail(error, MIEN_INPUT, "%s: int32_data[%zu]: expected 16 bits, found %d", where, i, (int)bits);
    floats[i] = to_float(tensor->proto->data_type, (uint64_t)bits);
  }
  return MIEN_OK;
}

static mien_status convert_fields(const mien_onnx_tensor *tensor, const element *e, const char *where, double *floats,
                                  int64_t *integers, mien_error *error) {
  const MienOnnx__TensorProto *proto = tensor->proto;
  const size_t n = tensor->shape.count;
  switch (e->field) {
  case FIELD_FLOAT:
    for (size_t i = 0; i < n; i++) floats[i] = proto->float_data[i];
    return MIEN_OK;
  case FIELD_DOUBLE:
    for (size_t i = 0; i < n; i++) floats[i] = proto->double_data[i];
    return MIEN_OK;
  case FIELD_INT64:
    for (size_t i = 0; i < n; i++) integers[i] = proto->int64_data[i];
    return MIEN_OK;
  default:
    if (!e->is_integer) return convert_halves(tensor, where, floats, error);
    for (size_t i = 0; i < n; i++) integers[i] = proto->int32_data[i];
    return MIEN_OK;
  }
}

static mien_status read_external(const mien_onnx_tensor *tensor, const element *e, const char *where, double *floats,
                                 int64_t *integers, mien_error *error) {
  unsigned char buffer[16384];
  const size_t n_at_once = sizeof buffer / e->bytes;
  for (size_t done = 0; done < tensor->shape.count;) {
    size_t left = tensor->shape.count - done, n = left < n_at_once ? left : n_at_once;
    mien_status status = mien_file_read_at(tensor->external.fd, where, tensor->external.offset + done * e->bytes,
                                           buffer, n * e->bytes, error);
    if (status != MIEN_OK) return status;
    convert_raw(e, buffer, n, floats ? floats + done : NULL, integers ? integers + done : NULL);
    done += n;
  }
  return MIEN_OK;
}

mien_status mien_onnx_tensor_read(const mien_onnx_tensor *tensor, const char *where, double *floats, int64_t *integers,
                                  mien_error *error) {
  const element *e = find_element(tensor->proto->data_type);
  if (tensor->is_external) return read_external(tensor, e, where, floats, integers, error);
  if (tensor->proto->has_raw_data && tensor->proto->raw_data.len > 0) {
    convert_raw(e, tensor->proto->raw_data.data, tensor->shape.count, floats, integers);
    return MIEN_OK;
  }
  return convert_fields(tensor, e, where, floats, integers, error);
}
