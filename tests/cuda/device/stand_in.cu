/* SPDX-License-Identifier: Apache-2.0 */
/* Between the tests and CUDA's runtime: the linker's --wrap leads calls here, where what they make is counted. */
#include <cuda_runtime.h>

#include <map>
#include <mutex>

#include "check.h"
#include "model/cuda_module.h"

struct stand_in_settings shim = {{"a real device's number cannot be chosen"},
                                 {"a real driver's version cannot be chosen"},
                                 {"a real device's name cannot be chosen"},
                                 {},
                                 0};

static std::mutex lock; /* of everything here */
static std::map<void *, size_t> blocks;
static size_t used, n_objects;

size_t shim_device_bytes(void) {
  std::lock_guard<std::mutex> held(lock);
  return used;
}
size_t shim_objects(void) {
  std::lock_guard<std::mutex> held(lock);
  return n_objects;
}

const char *stand_in_missing(void) {
  static mien_error error;
  int count;
  (void)stand_in_asks;
  return mien_cuda_module_get()->device_count(&count, &error) == MIEN_OK ? NULL : error.message;
}

static bool is_too_much(size_t bytes) {
  std::lock_guard<std::mutex> held(lock);
  return shim.memory > 0 && used + bytes > shim.memory;
}

static cudaError_t allocated(cudaError_t code, void *memory, size_t bytes) {
  std::lock_guard<std::mutex> held(lock);
  if (code != cudaSuccess) return code;
  blocks[memory] = bytes;
  used += bytes;
  return code;
}

static void freed(void *memory) {
  std::lock_guard<std::mutex> held(lock);
  const auto block = blocks.find(memory);
  if (block == blocks.end()) return;
  used -= block->second;
  blocks.erase(block);
}

static cudaError_t made(cudaError_t code) {
  std::lock_guard<std::mutex> held(lock);
  n_objects += code == cudaSuccess;
  return code;
}

/* What cannot be destroyed is there still. */
static cudaError_t destroyed(cudaError_t code) {
  std::lock_guard<std::mutex> held(lock);
  n_objects -= code == cudaSuccess;
  return code;
}

/* A function of the runtime, `__real_NAME`, and the one that is called in its place. */
#define WRAPPED(name, parameters)                                                                                      \
  cudaError_t __real_##name parameters;                                                                                \
  cudaError_t __wrap_##name parameters;                                                                                \
  cudaError_t __wrap_##name parameters

extern "C" {
WRAPPED(cudaMalloc, (void **memory, size_t bytes)) {
  if (is_too_much(bytes)) return cudaErrorMemoryAllocation;
  const cudaError_t code = __real_cudaMalloc(memory, bytes);
  return allocated(code, *memory, bytes);
}
WRAPPED(cudaMallocAsync, (void **memory, size_t bytes, cudaStream_t stream)) {
  if (is_too_much(bytes)) return cudaErrorMemoryAllocation;
  const cudaError_t code = __real_cudaMallocAsync(memory, bytes, stream);
  return allocated(code, *memory, bytes);
}
WRAPPED(cudaFree, (void *memory)) {
  freed(memory); /* first: another thread may get the address */
  return __real_cudaFree(memory);
}
WRAPPED(cudaFreeAsync, (void *memory, cudaStream_t stream)) {
  freed(memory);
  return __real_cudaFreeAsync(memory, stream);
}
WRAPPED(cudaHostAlloc, (void **memory, size_t bytes, unsigned flags)) {
  return made(__real_cudaHostAlloc(memory, bytes, flags));
}
WRAPPED(cudaFreeHost, (void *memory)) {
  const cudaError_t code = __real_cudaFreeHost(memory);
  return memory ? destroyed(code) : code;
}
WRAPPED(cudaMemGetInfo, (size_t * free_bytes, size_t *total_bytes)) {
  const cudaError_t code = __real_cudaMemGetInfo(free_bytes, total_bytes);
  std::lock_guard<std::mutex> held(lock);
  if (code != cudaSuccess || shim.memory == 0) return code;
  const size_t left = shim.memory > used ? shim.memory - used : 0;
  if (*free_bytes > left) *free_bytes = left;
  if (*total_bytes > shim.memory) *total_bytes = shim.memory;
  return code;
}
WRAPPED(cudaStreamCreateWithFlags, (cudaStream_t * stream, unsigned flags)) {
  return made(__real_cudaStreamCreateWithFlags(stream, flags));
}
WRAPPED(cudaStreamDestroy, (cudaStream_t stream)) { return destroyed(__real_cudaStreamDestroy(stream)); }
WRAPPED(cudaStreamEndCapture, (cudaStream_t stream, cudaGraph_t *graph)) {
  const cudaError_t code = __real_cudaStreamEndCapture(stream, graph);
  return *graph ? made(code) : code;
}
WRAPPED(cudaEventCreateWithFlags, (cudaEvent_t * event, unsigned flags)) {
  return made(__real_cudaEventCreateWithFlags(event, flags));
}
WRAPPED(cudaEventDestroy, (cudaEvent_t event)) { return destroyed(__real_cudaEventDestroy(event)); }
WRAPPED(cudaGraphDestroy, (cudaGraph_t graph)) { return destroyed(__real_cudaGraphDestroy(graph)); }
WRAPPED(cudaGraphInstantiate, (cudaGraphExec_t * made_of_it, cudaGraph_t graph, unsigned long long flags)) {
  return made(__real_cudaGraphInstantiate(made_of_it, graph, flags));
}
WRAPPED(cudaGraphExecDestroy, (cudaGraphExec_t graph)) { return destroyed(__real_cudaGraphExecDestroy(graph)); }
}
