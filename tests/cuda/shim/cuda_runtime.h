/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cuda/ uses of CUDA, on the host: enough of the runtime's functions and of the language for plain C++ to compile
 * and run its kernels. A block's threads are fibers that change at barriers and warp collectives; streams run late,
 * when somebody waits for them, so that a wait which is missing shows.
 */
#ifndef MIEN_TESTS_CUDA_SHIM_RUNTIME_H
#define MIEN_TESTS_CUDA_SHIM_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>

#include "base/half.h"

/* ---- The language ------------------------------------------------------------------------------------------------ */

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

extern dim3 blockIdx, threadIdx, blockDim, gridDim; /* of the fiber that runs */

/* ---- Collectives of the fiber that runs -------------------------------------------------------------------------- */

enum { SHIM_SLOT_BYTES = 64 };
/* Gives this lane's bytes and gets those of all lanes, a slot each; good until the next exchange but one. */
const unsigned char *shim_exchange(const void *mine, size_t bytes);
void shim_block_barrier(void);
void *shim_shared(void);
void shim_copy_async(void *to, const void *from, int bytes);
void shim_copy_group(void);
void shim_copy_wait(int left);

#define MIEN_SHARED(name) unsigned char *const name = static_cast<unsigned char *>(shim_shared())

static inline int shim_lane(void) { return (int)(threadIdx.x % 32); }
static inline void __syncthreads(void) { shim_block_barrier(); }
static inline void __syncwarp(unsigned = 0xFFFFFFFFu) { shim_exchange("", 0); }

template <class T> static inline T shim_from(const unsigned char *all, int lane) {
  T value;
  memcpy(&value, all + (size_t)lane * SHIM_SLOT_BYTES, sizeof value);
  return value;
}
template <class T> static inline T __shfl_xor_sync(unsigned, T value, int mask) {
  return shim_from<T>(shim_exchange(&value, sizeof value), shim_lane() ^ mask);
}
template <class T> static inline T __shfl_sync(unsigned, T value, int lane) {
  return shim_from<T>(shim_exchange(&value, sizeof value), lane & 31);
}
static inline unsigned __ballot_sync(unsigned, int predicate) {
  const unsigned char *all = shim_exchange(&predicate, sizeof predicate);
  unsigned bits = 0;
  for (int lane = 0; lane < 32; lane++) bits |= (unsigned)(shim_from<int>(all, lane) != 0) << lane;
  return bits;
}
static inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }

static inline unsigned atomicOr(unsigned *place, unsigned bits) {
  const unsigned old = *place;
  *place |= bits;
  return old;
}

static inline float __uint_as_float(unsigned bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
static inline unsigned __float_as_uint(float value) {
  unsigned bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
static inline float __int_as_float(int bits) { return __uint_as_float((unsigned)bits); }

/* ---- The runtime ------------------------------------------------------------------------------------------------- */

typedef enum cudaError {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorDevicesUnavailable = 46,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
  cudaErrorECCUncorrectable = 214,
  cudaErrorNotReady = 600,
  cudaErrorLaunchTimeout = 702,
  cudaErrorContextIsDestroyed = 709,
  cudaErrorAssert = 710,
  cudaErrorHardwareStackError = 714,
  cudaErrorIllegalInstruction = 715,
  cudaErrorMisalignedAddress = 716,
  cudaErrorInvalidAddressSpace = 717,
  cudaErrorInvalidPc = 718,
  cudaErrorSystemNotReady = 802,
  cudaErrorSystemDriverMismatch = 803,
  cudaErrorUnknown = 999
} cudaError_t;

#define CUDART_VERSION 13000

typedef struct shim_stream *cudaStream_t;
typedef struct shim_event *cudaEvent_t;
typedef struct shim_graph *cudaGraph_t;
typedef struct shim_graph *cudaGraphExec_t;

enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrComputeCapabilityMajor,
  cudaDevAttrComputeCapabilityMinor,
  cudaDevAttrMaxSharedMemoryPerBlockOptin,
  cudaDevAttrL2CacheSize
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice, cudaMemoryTypeManaged };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0, cudaEventBlockingSync = 1 };

struct cudaDeviceProp {
  char name[256];
};
struct cudaPointerAttributes {
  enum cudaMemoryType type;
  int device;
};

const char *cudaGetErrorString(cudaError_t error);
const char *cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError(void);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int ordinal);
cudaError_t cudaGetDevice(int *ordinal);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int ordinal);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int ordinal);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes);
cudaError_t cudaMalloc(void **memory, size_t bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *memory);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t shim_function_attribute(const void *function, int value);
template <class F> static inline cudaError_t cudaFuncSetAttribute(F *function, cudaFuncAttribute, int value) {
  return shim_function_attribute(reinterpret_cast<const void *>(function), value);
}

cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream);

/* What others than the runtime see of a stream. */
struct shim_stream_head {
  void (*queue_work)(cudaStream_t stream, std::function<void()> work);
};

/* Queues `work` on a stream, or in the graph that is captured from it. */
void shim_queue(cudaStream_t stream, std::function<void()> work);
cudaError_t shim_launch(const void *function, dim3 grid, unsigned threads, size_t shared, cudaStream_t stream,
                        std::function<void()> kernel);

template <class Parameters>
static inline cudaError_t mien_launch(void (*kernel)(Parameters), dim3 grid, unsigned threads, size_t shared,
                                      cudaStream_t stream, const Parameters &parameters) {
  return shim_launch(reinterpret_cast<const void *>(kernel), grid, threads, shared, stream,
                     [kernel, parameters] { kernel(parameters); });
}

/* ---- For tests --------------------------------------------------------------------------------------------------- */

struct shim_settings {
  int devices;      /* how many there are; -1: no driver */
  int driver;       /* its version; 0: as the runtime's */
  size_t memory;    /* bytes of each device */
  bool backward;    /* threads run from the last to the first */
  const char *name; /* of all devices */
};
extern struct shim_settings shim;
size_t shim_device_bytes(void); /* allocated now, all devices */
size_t shim_objects(void);      /* streams, events, graphs and pinned memory that exist */

/* ---- Warp products ----------------------------------------------------------------------------------------------- */

struct mien_bf16;
struct mien_f16;
template <class Number> void mien_mma(float c[4], const uint32_t a[4], const uint32_t b[2]);
template <> void mien_mma<mien_bf16>(float c[4], const uint32_t a[4], const uint32_t b[2]);
template <> void mien_mma<mien_f16>(float c[4], const uint32_t a[4], const uint32_t b[2]);
void mien_mma_tf32(float c[4], const uint32_t a[4], const uint32_t b[2]);
void mien_load_matrices(uint32_t out[4], const void *row);
static inline void mien_copy_async(void *to, const void *from, int bytes) { shim_copy_async(to, from, bytes); }
static inline void mien_copy_group(void) { shim_copy_group(); }
template <int left> static inline void mien_copy_wait(void) { shim_copy_wait(left); }

#endif
