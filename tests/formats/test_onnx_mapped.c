/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX files unpacked without their data: the same models, whose tensors point into the file. */
#include "formats/onnx_mapped.h"

#include "formats/onnx_builder.h"
#include "formats/onnx_file.h"
#include "suite.h"

/* Tensors in all places: initializers, an attribute, a graph in an attribute; empty ones and large ones. */
static builder build(void) {
  builder b = {0};
  static float large[70000];
  for (size_t i = 0; i < 70000; i++) large[i] = (float)i;
  begin_model(&b, 17, 0);
  put_floats(&b, "large", 1, (const int64_t[]){70000}, large);
  put_floats(&b, "small", 1, (const int64_t[]){2}, (const float[]){1, 2});
  put_floats(&b, "empty", 1, (const int64_t[]){0}, large);
  put_integers(&b, "integers", 2, (const int64_t[]){7, 300});
  begin_node(&b, "If", "x", "y");
  begin(&b, 5);
  put_text(&b, 1, "then_branch");
  begin(&b, 6);
  put_floats(&b, "inner", 1, (const int64_t[]){3}, (const float[]){4, 5, 6});
  end(&b);
  put_integer(&b, 20, 5);
  end(&b);
  end(&b);
  put_input(&b, "x", 3);
  put_output(&b, "y");
  finish(&b);
  return b;
}

START_TEST(the_model_is_the_same_and_its_data_is_the_files) {
  builder b = build();
  MienOnnx__ModelProto *plain = NULL, *mapped = NULL;
  mien_error error = {0};
  ck_assert_msg(mien_onnx_unpack(b.bytes, b.size, "x", &plain, &error) == MIEN_OK, "%s", error.message);
  ck_assert_msg(mien_onnx_mapped_unpack(b.bytes, b.size, "x", &mapped, &error) == MIEN_OK, "%s", error.message);
  const size_t size = mien_onnx__model_proto__get_packed_size(plain);
  ck_assert_uint_eq(mien_onnx__model_proto__get_packed_size(mapped), size);
  unsigned char *expected = malloc(size), *found = malloc(size);
  mien_onnx__model_proto__pack(plain, expected);
  mien_onnx__model_proto__pack(mapped, found);
  ck_assert_int_eq(memcmp(expected, found, size), 0);
  ck_assert_uint_eq(mapped->graph->n_initializer, 4);
  for (size_t i = 0; i < 3; i++) {
    const ProtobufCBinaryData *data = &mapped->graph->initializer[i]->raw_data;
    ck_assert_msg(data->data >= b.bytes && data->data + data->len <= b.bytes + b.size, "initializer %zu", i);
  }
  free(expected);
  free(found);
  mien_onnx_free(plain);
  mien_onnx_mapped_free(mapped);
  mien_onnx_mapped_free(NULL);
  discard(&b);
}
END_TEST

START_TEST(cut_files_are_refused) {
  builder b = build();
  for (size_t size = 0; size < b.size; size += 1 + size / 8) {
    MienOnnx__ModelProto *model = NULL;
    mien_error error = {0};
    unsigned char *exact = malloc(size + !size);
    memcpy(exact, b.bytes, size);
    mien_status status = mien_onnx_mapped_unpack(exact, size, "x", &model, &error);
    /* What is before the graph is a file without one. */
    ck_assert_msg(status == MIEN_INPUT && !model, "%zu bytes: status %d", size, (int)status);
    free(exact);
  }
  discard(&b);
}
END_TEST

MIEN_SUITE("onnx mapped", the_model_is_the_same_and_its_data_is_the_files, cut_files_are_refused)
