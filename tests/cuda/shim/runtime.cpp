/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's functions on the host: memory with a limit, streams whose work runs when somebody waits, graphs. */
#include <stdio.h>
#include <stdlib.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "fibers.h"

/* For runs of the command, which can't set it. */
static int devices_of_environment(void) {
  const char *devices = getenv("MIEN_SHIM_DEVICES");
  return devices ? atoi(devices) : 1;
}

struct shim_settings shim = {devices_of_environment(), 0, (size_t)8 << 30, false, "Emulated GPU"};

enum { RUNTIME_VERSION = 13000, SHARED_MOST = 227 << 10, SHARED_DEFAULT = 48 << 10, MULTIPROCESSORS = 2 };

struct shim_graph {
  std::vector<std::function<void()>> nodes;
};

struct shim_event {
  uint64_t recorded = 0, done = 0; /* how often */
  cudaStream_t stream = nullptr;
};

struct shim_stream {
  shim_stream_head head = {shim_queue};
  std::deque<std::function<void()>> queue;
  std::unique_ptr<shim_graph> capture;
};

namespace {

std::recursive_mutex lock; /* of everything here: kernels have globals */
std::map<void *, std::pair<size_t, int>> device_memory, pinned_memory;
std::map<const void *, int> shared_limits;
size_t used[64];
size_t n_objects;
thread_local int current_device;
thread_local cudaError_t last_error;

cudaError_t error(cudaError_t code) {
  if (code != cudaSuccess) last_error = code;
  return code;
}

[[noreturn]] void fail(const char *what) {
  fprintf(stderr, "shim: %s\n", what);
  abort();
}

void drain(cudaStream_t stream) {
  while (!stream->queue.empty()) {
    std::function<void()> work = std::move(stream->queue.front());
    stream->queue.pop_front();
    work();
  }
}

void drain_until(cudaEvent_t event, uint64_t number) {
  while (event->done < number) {
    if (!event->stream || event->stream->queue.empty()) fail("an event that nothing can bring about is waited for");
    std::function<void()> work = std::move(event->stream->queue.front());
    event->stream->queue.pop_front();
    work();
  }
}

typedef std::lock_guard<std::recursive_mutex> guard;

cudaError_t check_devices(void) {
  if (shim.devices < 0 || (shim.driver > 0 && shim.driver < RUNTIME_VERSION)) return cudaErrorInsufficientDriver;
  return shim.devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

bool holds(const std::map<void *, std::pair<size_t, int>> &blocks, const void *memory) {
  auto at = blocks.upper_bound(const_cast<void *>(memory));
  if (at == blocks.begin()) return false;
  --at;
  return (const char *)memory < (const char *)at->first + at->second.first;
}

} // namespace

/* NULL is the default stream. */
static cudaStream_t named(cudaStream_t stream) {
  static shim_stream of_nobody;
  return stream ? stream : &of_nobody;
}

void shim_queue(cudaStream_t stream, std::function<void()> work) {
  guard held(lock);
  stream = named(stream);
  if (stream->capture)
    stream->capture->nodes.push_back(std::move(work));
  else
    stream->queue.push_back(std::move(work));
}

cudaError_t shim_launch(const void *function, dim3 grid, unsigned threads, size_t shared, cudaStream_t stream,
                        std::function<void()> kernel) {
  guard held(lock);
  const int limit = shared_limits.count(function) ? shared_limits[function] : (int)SHARED_DEFAULT;
  if (threads == 0 || threads > 1024 || grid.x == 0 || grid.y == 0 || grid.y > 65535 || grid.z != 1 ||
      shared > (size_t)limit)
    return error(cudaErrorInvalidValue);
  if (threads % 32 != 0) fail("a block that is no whole number of warps");
  shim_queue(stream, [=] { shim_run_grid(grid, threads, shared, kernel); });
  return cudaSuccess;
}

cudaError_t shim_function_attribute(const void *function, int value) {
  guard held(lock);
  if (value > SHARED_MOST) return error(cudaErrorInvalidValue);
  shared_limits[function] = value;
  return cudaSuccess;
}

size_t shim_device_bytes(void) {
  size_t bytes = 0;
  for (size_t of_device : used) bytes += of_device;
  return bytes;
}
size_t shim_objects(void) { return n_objects + pinned_memory.size(); }

/* ---- Errors and devices ------------------------------------------------------------------------------------------ */

const char *cudaGetErrorName(cudaError_t code) {
  switch (code) {
  case cudaSuccess: return "cudaSuccess";
  case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
  case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
  case cudaErrorNoDevice: return "cudaErrorNoDevice";
  case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
  case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
  case cudaErrorDevicesUnavailable: return "cudaErrorDevicesUnavailable";
  case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
  default: return "cudaErrorUnknown";
  }
}
const char *cudaGetErrorString(cudaError_t code) {
  switch (code) {
  case cudaErrorMemoryAllocation: return "out of memory";
  case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
  default: return "emulated error";
  }
}
cudaError_t cudaGetLastError(void) {
  const cudaError_t code = last_error;
  last_error = cudaSuccess;
  return code;
}

cudaError_t cudaGetDeviceCount(int *count) {
  *count = shim.devices > 0 ? shim.devices : 0;
  return error(check_devices());
}
cudaError_t cudaSetDevice(int ordinal) {
  if (check_devices() != cudaSuccess) return error(check_devices());
  if (ordinal < 0 || ordinal >= shim.devices) return error(cudaErrorInvalidDevice);
  current_device = ordinal;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int *ordinal) {
  *ordinal = current_device;
  return error(check_devices());
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int ordinal) {
  if (ordinal >= shim.devices) return error(cudaErrorInvalidDevice);
  snprintf(properties->name, sizeof properties->name, "%s", shim.name);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int ordinal) {
  if (ordinal >= shim.devices) return error(cudaErrorInvalidDevice);
  switch (attribute) {
  case cudaDevAttrMultiProcessorCount: *value = MULTIPROCESSORS; break;
  case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
  case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = SHARED_MOST; break;
  case cudaDevAttrL2CacheSize: *value = 1 << 20; break;
  }
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int *version) {
  *version = shim.devices < 0 ? 0 : shim.driver > 0 ? shim.driver : (int)RUNTIME_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = RUNTIME_VERSION;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
  guard held(lock);
  *total_bytes = shim.memory;
  *free_bytes = shim.memory > used[current_device] ? shim.memory - used[current_device] : 0;
  return cudaSuccess;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static cudaError_t allocate(std::map<void *, std::pair<size_t, int>> &blocks, void **memory, size_t bytes) {
  if (posix_memalign(memory, 256, bytes ? bytes : 1) != 0) return error(cudaErrorMemoryAllocation);
  memset(*memory, 0xFF, bytes); /* NaN */
  blocks[*memory] = {bytes, current_device};
  return cudaSuccess;
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
  guard held(lock);
  if (bytes > shim.memory || used[current_device] > shim.memory - bytes) return error(cudaErrorMemoryAllocation);
  used[current_device] += bytes;
  return allocate(device_memory, memory, bytes);
}
cudaError_t cudaFree(void *memory) {
  guard held(lock);
  if (!memory) return cudaSuccess;
  auto block = device_memory.find(memory);
  if (block == device_memory.end()) fail("cudaFree of what is not allocated");
  used[block->second.second] -= block->second.first;
  device_memory.erase(block);
  free(memory);
  return cudaSuccess;
}
cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) {
  shim_queue(stream, [=] { cudaFree(memory); });
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned) {
  guard held(lock);
  return allocate(pinned_memory, memory, bytes);
}
cudaError_t cudaFreeHost(void *memory) {
  guard held(lock);
  if (memory && pinned_memory.erase(memory) == 0) fail("cudaFreeHost of what is not allocated");
  free(memory);
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *memory) {
  guard held(lock);
  attributes->device = 0;
  attributes->type = holds(device_memory, memory)   ? cudaMemoryTypeDevice
                     : holds(pinned_memory, memory) ? cudaMemoryTypeHost
                                                    : cudaMemoryTypeUnregistered;
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind) {
  guard held(lock);
  memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  shim_queue(stream, [=] { memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind, cudaStream_t stream) {
  if (width > to_pitch || width > from_pitch) return error(cudaErrorInvalidValue);
  shim_queue(stream, [=] {
    for (size_t row = 0; row < height; row++)
      memcpy((char *)to + row * to_pitch, (const char *)from + row * from_pitch, width);
  });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  shim_queue(stream, [=] { memset(to, value, bytes); });
  return cudaSuccess;
}

/* ---- Streams, events, graphs ------------------------------------------------------------------------------------- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  guard held(lock);
  *stream = new shim_stream;
  n_objects++;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  guard held(lock);
  drain(stream);
  delete stream;
  n_objects--;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  guard held(lock);
  drain(named(stream));
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void) { return cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const uint64_t number = event->recorded;
  shim_queue(stream, [=] { drain_until(event, number); });
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  guard held(lock);
  if (stream->capture) return error(cudaErrorInvalidValue);
  stream->capture = std::make_unique<shim_graph>();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  guard held(lock);
  if (!stream->capture) return error(cudaErrorInvalidValue);
  *graph = stream->capture.release();
  n_objects++;
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  guard held(lock);
  *event = new shim_event;
  n_objects++;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  guard held(lock);
  if (event->done < event->recorded) drain_until(event, event->recorded);
  delete event;
  n_objects--;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  guard held(lock);
  const uint64_t number = ++event->recorded;
  event->stream = stream;
  shim_queue(stream, [=] { event->done = number; });
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  guard held(lock);
  drain_until(event, event->recorded);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 1;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long) {
  guard held(lock);
  *out = new shim_graph(*graph);
  n_objects++;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  guard held(lock);
  for (const auto &node : graph->nodes) shim_queue(stream, node);
  return cudaSuccess;
}
static cudaError_t destroy(shim_graph *graph) {
  guard held(lock);
  delete graph;
  n_objects--;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return destroy(graph); }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return destroy(graph); }
