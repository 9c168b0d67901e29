/* SPDX-License-Identifier: Apache-2.0 */
/* What the wire scan refuses before anything is unpacked, and what it lets through. */
#include <sys/mman.h>

#include "cost.h"
#include "formats/onnx_builder.h"
#include "formats/onnx_file.h"
#include "formats/onnx_scan.h"
#include "suite.h"

static void expect_refused(const builder *b, const char *words) {
  mien_error error = {0};
  MienOnnx__ModelProto *model = NULL;
  ck_assert_int_eq(mien_onnx_unpack(b->bytes, b->size, "x.onnx", &model, &error), MIEN_INPUT);
  ck_assert_ptr_null(model);
  ck_assert_msg(strncmp(error.message, "x.onnx: ", 8) == 0, "%s", error.message);
  ck_assert_msg(strstr(error.message, words), "expected %s: %s", words, error.message);
}

static void expect_unpacked(const builder *b) {
  mien_error error = {0};
  MienOnnx__ModelProto *model = NULL;
  ck_assert_msg(mien_onnx_unpack(b->bytes, b->size, "x.onnx", &model, &error) == MIEN_OK, "%s", error.message);
  ck_assert_ptr_nonnull(model->graph);
  mien_onnx_free(model);
}

START_TEST(an_empty_graph_and_unknown_fields_are_unpacked) {
  builder b = {0};
  begin_model(&b, 13, 1);
  put_integer(&b, 900, 1);
  put_text(&b, 901, "of a later version");
  finish(&b);
  put_float(&b, 902, 1);
  put_tag(&b, 903, 1);
  put_bytes(&b, "12345678", 8);
  expect_unpacked(&b);
  discard(&b);
}
END_TEST

/* Subgraphs in subgraphs: model and graph, then three messages a turn. */
static void nest(builder *b, int n_messages) {
  unsigned fields[] = {1, 5, 6}; /* node, attribute, graph */
  begin_model(b, 13, 0);
  for (int i = 2; i < n_messages; i++) begin(b, fields[(i - 2) % 3]);
}

START_TEST(messages_nest_to_a_bounded_depth) {
  builder b = {0};
  nest(&b, 64);
  finish(&b);
  expect_unpacked(&b);
  discard(&b);
  nest(&b, 66);
  finish(&b);
  expect_refused(&b, "more than 64 messages inside each other");
  discard(&b);
}
END_TEST

START_TEST(a_million_nodes_are_refused_at_once) {
  builder b = {0};
  begin_model(&b, 13, 0);
  for (int i = 0; i < 1000000; i++) put_blob(&b, 1, "", 0);
  finish(&b);
  const cost before = begin_cost();
  expect_refused(&b, "(GraphProto.node): more than 131072 nodes");
  expect_cheap(&before);
  discard(&b);
}
END_TEST

START_TEST(a_million_small_messages_are_refused) {
  builder b = {0};
  begin_model(&b, 13, 0);
  for (int i = 0; i < 1000000; i++) put_blob(&b, 13, "", 0);
  finish(&b);
  expect_refused(&b, "more than 524288 messages");
  discard(&b);
}
END_TEST

/* Attributes are the widest messages for two bytes of file. */
START_TEST(memory_is_bounded_by_the_size_of_the_file) {
  builder b = {0};
  begin_model(&b, 13, 0);
  begin(&b, 1);
  for (int i = 0; i < 500000; i++) put_blob(&b, 5, "", 0);
  finish(&b);
  expect_refused(&b, "too much memory");
  discard(&b);
}
END_TEST

START_TEST(a_length_of_two_gigabytes_is_refused) {
  builder b = {0};
  put_tag(&b, 7, 2);
  put_varint(&b, 0x7FFFFFFF);
  put_bytes(&b, "abc", 3);
  expect_refused(&b, "byte 0 (ModelProto.graph): truncated: a length of 2147483647 bytes where 3 are left");
  discard(&b);
}
END_TEST

START_TEST(a_length_past_its_message_is_refused) {
  builder b = {0};
  put_integer(&b, 1, 8);
  put_blob(&b, 7, "\x0A\x05", 2); /* a node of 5 bytes in a graph of 2 */
  put_text(&b, 2, "behind it");
  expect_refused(&b, "(GraphProto.node): truncated: a length of 5 bytes where 0 are left");
  discard(&b);
}
END_TEST

START_TEST(numbers_longer_than_64_bits_are_refused) {
  builder b = {0};
  put_bytes(&b, "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12);
  expect_refused(&b, "(ModelProto.ir_version): a number is longer than 10 bytes");
  discard(&b);
  begin_model(&b, 13, 0);
  begin_tensor(&b, "t", ONNX_INT64, 0, NULL);
  put_blob(&b, 7, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11);
  finish(&b);
  expect_refused(&b, "(TensorProto.int64_data): a number is longer than 10 bytes");
  discard(&b);
}
END_TEST

START_TEST(packed_elements_must_be_whole) {
  builder b = {0};
  begin_model(&b, 13, 0);
  begin_tensor(&b, "t", ONNX_FLOAT, 0, NULL);
  put_blob(&b, 4, "12345", 5);
  finish(&b);
  expect_refused(&b, "(TensorProto.float_data): 5 bytes are not a whole number of 4-byte elements");
  discard(&b);
  begin_model(&b, 13, 0);
  begin_tensor(&b, "t", ONNX_INT64, 0, NULL);
  put_blob(&b, 7, "\x80", 1);
  finish(&b);
  expect_refused(&b, "(TensorProto.int64_data): truncated inside a number");
  discard(&b);
}
END_TEST

START_TEST(a_wire_type_must_fit_its_field) {
  builder b = {0};
  put_text(&b, 1, "8");
  expect_refused(&b, "(ModelProto.ir_version): expected wire type 0, found 2");
  discard(&b);
  put_integer(&b, 7, 1);
  expect_refused(&b, "(ModelProto.graph): expected wire type 2, found 0");
  discard(&b);
  put_tag(&b, 900, 3); /* a group */
  expect_refused(&b, "wire type 3 is not one of ONNX");
  discard(&b);
}
END_TEST

START_TEST(single_fields_are_given_once) {
  builder b = {0};
  begin_model(&b, 13, 0);
  finish(&b);
  begin(&b, 7);
  finish(&b);
  expect_refused(&b, "(ModelProto.graph): given twice");
  discard(&b);
  begin_model(&b, 13, 0);
  begin(&b, 11);
  begin(&b, 2);
  begin(&b, 1);
  end(&b);
  begin(&b, 4); /* TypeProto: a tensor and a sequence */
  finish(&b);
  expect_refused(&b, "(TypeProto.sequence_type): given twice");
  discard(&b);
}
END_TEST

START_TEST(names_have_no_nul) {
  builder b = {0};
  put_blob(&b, 2, "a\0b", 3);
  expect_refused(&b, "(ModelProto.producer_name): a string with a NUL byte in it");
  discard(&b);
}
END_TEST

START_TEST(a_file_without_a_graph_is_no_model) {
  builder b = {0};
  put_integer(&b, 1, 8);
  expect_refused(&b, "no graph in it");
  discard(&b);
}
END_TEST

START_TEST(every_beginning_of_a_file_is_refused) {
  builder b = {0};
  const int64_t dims[2] = {2, 1};
  begin_model(&b, 13, 1);
  put_input(&b, "x", 2);
  put_floats(&b, "w", 2, dims, (float[]){1, 2});
  put_node(&b, "MatMul", "x w", "y");
  put_output(&b, "y");
  finish(&b);
  expect_unpacked(&b);
  for (size_t size = 0; size < b.size; size++) {
    MienOnnx__ModelProto *model = NULL;
    /* A copy of its own: the sanitizer sees what is read behind it. */
    unsigned char *bytes = malloc(size + !size);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, b.bytes, size);
    ck_assert_int_eq(mien_onnx_unpack(bytes, size, "x.onnx", &model, NULL), MIEN_INPUT);
    ck_assert_int_eq(mien_onnx_scan_start(bytes, size, b.size, "x.onnx", NULL), MIEN_OK); /* more is to come */
    free(bytes);
  }
  discard(&b);
}
END_TEST

START_TEST(other_kinds_of_files_are_called_by_name) {
  static const struct {
    const char *bytes;
    size_t size;
    const char *words;
  } kinds[] = {
      {"", 0, "is empty"},
      {"version https://git-lfs.github.com/spec/v1\n", 43, "is a Git LFS pointer, not the model: run git lfs pull"},
      {"\n <!DOCTYPE html>", 17, "is a web page"},
      {"\xEF\xBB\xBF<html>", 9, "is a web page"},
      {"<?xml version=", 14, "is XML"},
      {" {\"labels\": []}", 15, "is JSON"},
      {"PK\x03\x04----", 8, "is a zip archive"},
      {"\x1F\x8B\x08-----", 8, "gzip"},
      {"\x93NUMPY\x01\x00", 8, "is a NumPy .npy file"},
      {"\x80\x04\x95\x00", 4, "is a Python pickle"},
      {"\x02\x00\x00\x00\x00\x00\x00\x00{}", 10, "is a safetensors file"},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    builder b = {0};
    put_bytes(&b, kinds[i].bytes, kinds[i].size);
    expect_refused(&b, kinds[i].words);
    discard(&b);
  }
}
END_TEST

/* A field that says it has `bytes` bytes, and has: pages of zeros that nobody should read. */
static void expect_huge_refused(builder *start, unsigned field, size_t bytes, const char *words) {
  const size_t total = start->size + 64 + bytes;
  unsigned char *file = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ck_assert(file != MAP_FAILED);
  put_tag(start, field, 2);
  put_varint(start, bytes);
  for (int i = 0; i < start->depth; i++) { /* the messages around it hold it all */
    size_t at = start->open[i], length = start->size - at - 5 + bytes;
    for (int k = 0; k < 5; k++)
      start->bytes[at + (size_t)k] = (unsigned char)((length >> (7 * k) & 0x7F) | (k < 4 ? 0x80 : 0));
  }
  memcpy(file, start->bytes, start->size);
  builder b = {.bytes = file, .size = start->size + bytes};
  const cost before = begin_cost();
  expect_refused(&b, words);
  expect_cheap(&before);
  munmap(file, total);
  discard(start);
}

START_TEST(huge_fields_are_refused_unread) {
  const size_t size = (size_t)560 << 20;
  builder b = {0};
  expect_huge_refused(&b, 31, size, "byte 0 (ModelProto): more than 262144 bytes of fields that ONNX has not");
  begin_model(&b, 13, 0);
  begin_tensor(&b, "t", ONNX_FLOAT, 0, NULL);
  expect_huge_refused(&b, 9, size, "(TensorProto.raw_data): expected at most 536870912 bytes, found 587202560");
  expect_huge_refused(&b, 6, size, "(ModelProto.doc_string): more than 33554432 bytes of texts in the file");
}
END_TEST

START_TEST(unknown_fields_have_a_bound_in_all) {
  static const char text[1000];
  builder b = {0};
  begin_model(&b, 13, 0);
  for (int i = 0; i < 200; i++) put_blob(&b, 900, text, sizeof text);
  finish(&b);
  expect_unpacked(&b);
  for (int i = 0; i < 100; i++) put_blob(&b, 900, text, sizeof text);
  expect_refused(&b, "(ModelProto): more than 262144 bytes of fields that ONNX has not");
  discard(&b);
  begin_model(&b, 13, 0);
  for (int i = 0; i < 100000; i++) put_integer(&b, 900, 0);
  finish(&b);
  expect_refused(&b, "(GraphProto): more than 262144 bytes of fields that ONNX has not");
  discard(&b);
}
END_TEST

MIEN_SUITE("onnx scan", an_empty_graph_and_unknown_fields_are_unpacked, messages_nest_to_a_bounded_depth,
           a_million_nodes_are_refused_at_once, a_million_small_messages_are_refused,
           memory_is_bounded_by_the_size_of_the_file, a_length_of_two_gigabytes_is_refused,
           a_length_past_its_message_is_refused, numbers_longer_than_64_bits_are_refused, packed_elements_must_be_whole,
           a_wire_type_must_fit_its_field, single_fields_are_given_once, names_have_no_nul,
           a_file_without_a_graph_is_no_model, every_beginning_of_a_file_is_refused,
           other_kinds_of_files_are_called_by_name, huge_fields_are_refused_unread, unknown_fields_have_a_bound_in_all)
