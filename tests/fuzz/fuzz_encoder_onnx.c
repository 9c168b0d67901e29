/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as an ONNX encoder. Weights of an accepted one lie in it; and whatever unpacks unpacks to the
 * same model without a copy of its data.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "encoder/weights.h"
#include "formats/onnx_file.h"
#include "formats/onnx_mapped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

typedef struct file {
  const uint8_t *data;
  size_t size;
} file;

static mien_status check_weight(void *context, const mien_parameter *parameter, mien_error *error) {
  const file *whole = context;
  const mien_weight *weight = parameter->weight;
  (void)error;
  require(weight->outputs == parameter->outputs && weight->inputs == parameter->inputs);
  const size_t bytes = weight->outputs * weight->inputs * (weight->dtype == MIEN_F32 ? 4 : 2);
  require(weight->data >= whole->data && weight->data <= whole->data + whole->size);
  require(bytes <= (size_t)(whole->data + whole->size - weight->data));
  return MIEN_OK;
}

static void compare_models(const uint8_t *data, size_t size) {
  MienOnnx__ModelProto *plain = NULL, *mapped = NULL;
  mien_status status = mien_onnx_unpack(data, size, "fuzz.onnx", &plain, NULL);
  require(status == mien_onnx_mapped_unpack(data, size, "fuzz.onnx", &mapped, NULL));
  if (status == MIEN_OK) {
    const size_t bytes = mien_onnx__model_proto__get_packed_size(plain);
    require(bytes == mien_onnx__model_proto__get_packed_size(mapped));
    uint8_t *expected = malloc(bytes + 1), *found = malloc(bytes + 1);
    require(expected && found);
    mien_onnx__model_proto__pack(plain, expected);
    mien_onnx__model_proto__pack(mapped, found);
    require(memcmp(expected, found, bytes) == 0);
    free(expected);
    free(found);
  }
  mien_onnx_free(plain);
  mien_onnx_mapped_free(mapped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mien_error error = {0};
  mien_encoder_config config = {0};
  mien_encoder_weights weights = {0};
  mien_status status = mien_encoder_weights_from_onnx(data, size, "fuzz.onnx", false, &config, &weights, &error);
  if (status == MIEN_OK) {
    file whole = {data, size};
    require(config.layers > 0 && config.heads > 0 && config.hidden % config.heads == 0);
    require(mien_encoder_each_parameter(&config, &weights, check_weight, &whole, NULL) == MIEN_OK);
  } else {
    require(status == MIEN_INPUT && error.message[0] != '\0');
  }
  mien_free(weights.layers);
  compare_models(data, size);
  return 0;
}
