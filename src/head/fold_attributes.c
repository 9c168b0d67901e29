/* SPDX-License-Identifier: Apache-2.0 */
/* A node's attributes by name and type, and arguments that are attributes or inputs, by opset. */
#include <string.h>

#include "head/fold.h"

static const char *type_name(int type) {
  switch (type) {
  case MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT: return "a float";
  case MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT: return "an integer";
  case MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: return "a string";
  case MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR: return "a tensor";
  case MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS: return "floats";
  case MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS: return "integers";
  case MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS: return "strings";
  default: return "another type";
  }
}

/* The attribute `name`, NULL when it is not there. */
static mien_status find(const mien_call *call, const char *name, int type, const MienOnnx__AttributeProto **found) {
  *found = NULL;
  for (size_t i = 0; i < call->node->n_attribute; i++) {
    const MienOnnx__AttributeProto *attribute = call->node->attribute[i];
    if (!attribute->name || strcmp(attribute->name, name) != 0) continue;
    if (*found) return mien_call_refuse(call, "attribute '%s' is given twice", name);
    if (attribute->ref_attr_name && *attribute->ref_attr_name)
      return mien_call_refuse(call, "attribute '%s' refers to one of a function", name);
    /* Files of the first IR versions leave the type out. */
    if (attribute->has_type && (int)attribute->type != type)
      return mien_call_refuse(call, "attribute '%s': expected %s, found %s", name, type_name(type),
                              type_name(attribute->type));
    *found = attribute;
  }
  return MIEN_OK;
}

mien_status mien_attribute_integer(const mien_call *call, const char *name, int64_t *value) {
  const MienOnnx__AttributeProto *found;
  mien_status status = find(call, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, &found);
  if (status == MIEN_OK && found) *value = found->i;
  return status;
}

mien_status mien_attribute_float(const mien_call *call, const char *name, double *value) {
  const MienOnnx__AttributeProto *found;
  mien_status status = find(call, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, &found);
  if (status == MIEN_OK && found) *value = found->f;
  return status;
}

mien_status mien_attribute_integers(const mien_call *call, const char *name, const int64_t **values, size_t *n) {
  const MienOnnx__AttributeProto *found;
  mien_status status = find(call, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, &found);
  if (status != MIEN_OK || !found) return status;
  *values = found->ints;
  *n = found->n_ints;
  return MIEN_OK;
}

mien_status mien_attribute_floats(const mien_call *call, const char *name, const float **values, size_t *n) {
  const MienOnnx__AttributeProto *found;
  mien_status status = find(call, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS, &found);
  if (status != MIEN_OK || !found) return status;
  *values = found->floats;
  *n = found->n_floats;
  return MIEN_OK;
}

mien_status mien_attribute_strings(const mien_call *call, const char *name, const ProtobufCBinaryData **values,
                                   size_t *n) {
  const MienOnnx__AttributeProto *found;
  mien_status status = find(call, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS, &found);
  if (status != MIEN_OK || !found) return status;
  *values = found->strings;
  *n = found->n_strings;
  return MIEN_OK;
}

mien_status mien_attribute_choice(const mien_call *call, const char *name, const char *const *choices, size_t n,
                                  size_t *index) {
  const MienOnnx__AttributeProto *found;
  mien_status status = find(call, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, &found);
  if (status != MIEN_OK || !found) return status;
  for (size_t i = 0; i < n; i++)
    if (found->s.len == strlen(choices[i]) && memcmp(found->s.data, choices[i], found->s.len) == 0) {
      *index = i;
      return MIEN_OK;
    }
  return mien_call_refuse(call, "attribute '%s' has a value that is not known", name);
}

mien_status mien_call_integers(const mien_call *call, const char *name, size_t operand, mien_integers *integers) {
  const MienOnnx__AttributeProto *found;
  *integers = (mien_integers){0};
  mien_status status = find(call, name, MIEN_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, &found);
  if (status != MIEN_OK) return status;
  if (found) {
    *integers = (mien_integers){.is_given = true, .values = found->ints, .n = found->n_ints};
    return MIEN_OK;
  }
  const mien_value *value = operand < call->n_operands ? call->operands[operand] : NULL;
  if (!value) return MIEN_OK;
  if (value->kind == MIEN_VALUE_BATCH) return mien_call_refuse(call, "'%s' depends on the embedding", name);
  if (value->kind != MIEN_VALUE_INTEGERS || value->shape.rank > 1)
    return mien_call_refuse(call, "'%s': expected a list of integers", name);
  *integers = (mien_integers){.is_given = true, .values = value->integers, .n = value->shape.count};
  return MIEN_OK;
}

mien_status mien_call_axis(const mien_call *call, int64_t axis, size_t rank, size_t *index) {
  if (axis < -(int64_t)rank || axis >= (int64_t)rank)
    return mien_call_refuse(call, "axis %lld: expected one of %zu axes", (long long)axis, rank);
  *index = (size_t)(axis < 0 ? axis + (int64_t)rank : axis);
  return MIEN_OK;
}
