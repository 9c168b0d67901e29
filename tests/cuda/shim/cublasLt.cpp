/* SPDX-License-Identifier: Apache-2.0 */
/* A plain product in the place of cuBLASLt: a library of its own, which is found and opened as the real one is. */
#include "cublasLt.h"

struct shim_cublas {
  int unused;
};
struct shim_matmul {
  cublasComputeType_t compute;
  cublasOperation_t transposed;
};
struct shim_matrix {
  cudaDataType type;
  uint64_t rows, columns;
  int64_t stride;
};
struct shim_preference {
  size_t memory;
  uint32_t reductions, alignments[4];
};

extern "C" {
cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  static shim_cublas one;
  *handle = &one;
  return CUBLAS_STATUS_SUCCESS;
}

static float number(cudaDataType type, const void *data, size_t at) {
  if (type == CUDA_R_32F) return static_cast<const float *>(data)[at];
  const uint16_t bits = static_cast<const uint16_t *>(data)[at];
  return type == CUDA_R_16F ? mien_half_to_float(bits) : mien_bf16_to_float(bits);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *, cublasLtMatrixLayout_t, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo, void *, size_t,
                              cudaStream_t stream) {
  const shim_matrix x = *a_layout, y = *b_layout, z = *d_layout;
  if (desc->transposed != CUBLAS_OP_T || *static_cast<const float *>(alpha) != 1 ||
      *static_cast<const float *>(beta) != 0 || x.rows != y.rows || x.columns != z.rows || y.columns != z.columns ||
      z.type != CUDA_R_32F || algo->data[0] != 17 || (uintptr_t)a % 16 != 0 || (uintptr_t)b % 16 != 0 ||
      (uintptr_t)d % 16 != 0)
    return CUBLAS_STATUS_INVALID_VALUE;
  reinterpret_cast<shim_stream_head *>(stream)->queue_work(stream, [=] {
    for (uint64_t row = 0; row < y.columns; row++)
      for (uint64_t output = 0; output < x.columns; output++) {
        float sum = 0;
        for (uint64_t k = 0; k < x.rows; k++)
          sum += number(x.type, a, output * (uint64_t)x.stride + k) * number(y.type, b, row * (uint64_t)y.stride + k);
        static_cast<float *>(d)[row * (uint64_t)z.stride + output] = sum;
      }
  });
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType) {
  *desc = new shim_matmul{compute, CUBLAS_OP_N};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t,
                                              const void *value, size_t bytes) {
  if (bytes != sizeof desc->transposed) return CUBLAS_STATUS_INVALID_VALUE;
  memcpy(&desc->transposed, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
  *layout = new shim_matrix{type, rows, columns, stride};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
  *preference = new shim_preference{~(size_t)0, ~0u, {256, 256, 256, 256}};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t bytes) {
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    memcpy(&preference->memory, value, bytes);
  else if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
    memcpy(&preference->reductions, value, bytes);
  else
    memcpy(&preference->alignments[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
/* Two: the first splits the sums, which nobody may take. */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t *results, int *n) {
  *n = 0;
  if (preference->memory != 0 || preference->reductions != CUBLASLT_REDUCTION_SCHEME_NONE || most < 2)
    return CUBLAS_STATUS_SUCCESS;
  for (uint32_t alignment : preference->alignments)
    if (alignment != 16) return CUBLAS_STATUS_SUCCESS; /* all that products check of their operands */
  *n = 2;
  results[0] = {{{16, 4}}, 0, CUBLAS_STATUS_SUCCESS};
  results[1] = {{{17, 1}}, 0, CUBLAS_STATUS_SUCCESS};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t, void *value, size_t bytes,
                                                    size_t *written) {
  const int32_t split = (int32_t)algo->data[1];
  if (bytes != sizeof split) return CUBLAS_STATUS_INVALID_VALUE;
  memcpy(value, &split, sizeof split);
  *written = sizeof split;
  return CUBLAS_STATUS_SUCCESS;
}
const char *cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_ALLOC_FAILED ? "CUBLAS_STATUS_ALLOC_FAILED" : "CUBLAS_STATUS_INTERNAL_ERROR";
}
}
