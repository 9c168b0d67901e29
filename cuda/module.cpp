/* SPDX-License-Identifier: Apache-2.0 */
/* The module's table: devices, engines, and the border where failures become messages. */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "cublas.h"
#include "engine.h"

#if CUDART_VERSION >= 13000
#define LEAST_DRIVER "580"
#else
#define LEAST_DRIVER "550"
#endif

static std::atomic<pid_t> process; /* that CUDA was first used in; 0: none */

/* ---- Contexts ---------------------------------------------------------------------------------------------------- */

/* The driver's functions for them: the runtime has none. It has opened the driver's library by now. */
typedef struct driver {
  int (*get)(void **context);
  int (*set)(void *context);
} driver;

static driver find_driver(void) {
  driver found = {NULL, NULL};
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (!library) return found;
  found.get = reinterpret_cast<int (*)(void **)>(dlsym(library, "cuCtxGetCurrent"));
  found.set = reinterpret_cast<int (*)(void *)>(dlsym(library, "cuCtxSetCurrent"));
  return found.get && found.set ? found : driver{NULL, NULL};
}

static const driver &the_driver(void) {
  static const driver found = find_driver();
  return found;
}

mien_on_device::mien_on_device(int ordinal) : before(NULL) {
  if (the_driver().get && the_driver().get(&before) != 0) before = NULL;
  code = MIEN_CHECK(cudaSetDevice(ordinal));
}

mien_on_device::~mien_on_device(void) {
  if (before) (void)the_driver().set(before);
}

/* ---- Devices ----------------------------------------------------------------------------------------------------- */

/* CUDA does not survive a fork. */
static mien_status check_process(mien_error *error) {
  pid_t none = 0;
  const pid_t self = getpid();
  if (process.compare_exchange_strong(none, self) || none == self) return MIEN_OK;
  return mien_fail(error, MIEN_ARGUMENT,
                   "CUDA was used before fork: expected a process of its own, or CUDA's first use in the child");
}

/* Why there is no device, in the words that help. */
static mien_status fail_devices(cudaError_t code, mien_error *error) {
  int driver = 0, runtime = 0;
  (void)cudaGetLastError();
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  if (code == cudaErrorInsufficientDriver && driver == 0)
    return mien_fail(
        error, MIEN_RESOURCE,
        "CUDA: no NVIDIA driver: libcuda.so.1 was not found or does not work; expected the driver " LEAST_DRIVER
        " or later");
  if (code == cudaErrorInsufficientDriver)
    return mien_fail(error, MIEN_RESOURCE,
                     "CUDA: the NVIDIA driver is too old: expected one for CUDA %d.%d (" LEAST_DRIVER
                     " or later), found one for CUDA %d.%d",
                     runtime / 1000, runtime % 1000 / 10, driver / 1000, driver % 1000 / 10);
  if (code == cudaErrorNoDevice)
    return mien_fail(error, MIEN_RESOURCE, "CUDA: no NVIDIA device: the driver is there, and lists none");
  if (code == cudaErrorDevicesUnavailable)
    return mien_fail(error, MIEN_RESOURCE,
                     "CUDA: the device is busy: another process has it to itself, or its compute mode lets no process "
                     "have it");
  if (code == cudaErrorSystemNotReady)
    return mien_fail(error, MIEN_RESOURCE,
                     "CUDA: the system is not ready: devices that NVSwitch links need NVIDIA's fabric manager to run");
  if (code == cudaErrorSystemDriverMismatch)
    return mien_fail(error, MIEN_RESOURCE,
                     "CUDA: the driver's kernel module and its library are of different versions: expected a restart "
                     "after the driver was updated");
  return mien_fail(error, MIEN_RESOURCE, "CUDA: %s (%s)", cudaGetErrorString(code), cudaGetErrorName(code));
}

static mien_status device_count(int *count, mien_error *error) {
  const mien_status status = check_process(error);
  if (status != MIEN_OK) return status;
  const cudaError_t code = MIEN_CUDA_CALL(cudaGetDeviceCount(count));
  if (code == cudaSuccess && *count > 0) return MIEN_OK;
  return fail_devices(code == cudaSuccess ? cudaErrorNoDevice : code, error);
}

static mien_status check_ordinal(int ordinal, mien_error *error) {
  int count;
  const mien_status status = device_count(&count, error);
  if (status != MIEN_OK) return status;
  if (ordinal >= 0 && ordinal < count) return MIEN_OK;
  return mien_fail(error, MIEN_RESOURCE, "cuda:%d: expected a device from 0 to %d", ordinal, count - 1);
}

static cudaError_t read_info(int ordinal, mien_cuda_device_info *info) {
  cudaDeviceProp properties;
  int major, minor, l2;
  MIEN_TRY(cudaGetDeviceProperties(&properties, ordinal));
  MIEN_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal));
  MIEN_TRY(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal));
  MIEN_TRY(cudaDeviceGetAttribute(&info->multiprocessors, cudaDevAttrMultiProcessorCount, ordinal));
  MIEN_TRY(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, ordinal));
  MIEN_TRY(cudaDriverGetVersion(&info->driver));
  MIEN_TRY(cudaRuntimeGetVersion(&info->runtime));
  MIEN_TRY(cudaMemGetInfo(&info->free_bytes, &info->total_bytes));
  snprintf(info->name, sizeof info->name, "%s", properties.name);
  snprintf(info->isa, sizeof info->isa, "sm_%d%d", major, minor);
  info->l2_bytes = (size_t)l2;
  return cudaSuccess;
}

static mien_status device_info(int ordinal, mien_cuda_device_info *info, mien_error *error) {
  const mien_status status = check_ordinal(ordinal, error);
  if (status != MIEN_OK) return status;
  *info = {};
  const mien_on_device here(ordinal);
  const cudaError_t code = here.code == cudaSuccess ? read_info(ordinal, info) : here.code;
  return code == cudaSuccess ? MIEN_OK : fail_devices(code, error);
}

/* ---- Engines ----------------------------------------------------------------------------------------------------- */

/* Failures after which nothing works any more in the context, as the runtime's documentation has it. */
static bool breaks_context(cudaError_t code) {
  switch (code) {
  case cudaErrorIllegalAddress:
  case cudaErrorLaunchFailure:
  case cudaErrorMisalignedAddress:
  case cudaErrorIllegalInstruction:
  case cudaErrorInvalidAddressSpace:
  case cudaErrorInvalidPc:
  case cudaErrorHardwareStackError:
  case cudaErrorLaunchTimeout:
  case cudaErrorAssert:
  case cudaErrorECCUncorrectable:
  case cudaErrorDevicesUnavailable:
  case cudaErrorContextIsDestroyed:
  case cudaErrorUnknown: return true;
  default: return false;
  }
}

mien_status mien_engine_end(mien_cuda_engine *engine, cudaError_t code, const char *what, mien_error *error) {
  if (code == cudaSuccess) return MIEN_OK;
  char place[128];
  mien_error told;
  snprintf(place, sizeof place, "%s: %s", engine->name, what);
  const mien_status status = mien_cuda_tell(code, place, &told);
  if (breaks_context(code)) {
    std::lock_guard<std::mutex> held(engine->lock);
    if (!engine->is_broken) engine->broken = told;
    engine->is_broken = true;
  }
  if (error) *error = told;
  return status;
}

mien_status mien_engine_check(mien_cuda_engine *engine, mien_error *error) {
  if (engine->process != getpid()) return check_process(error);
  std::lock_guard<std::mutex> held(engine->lock);
  if (!engine->is_broken) return MIEN_OK;
  return mien_fail(error, MIEN_RESOURCE, "the device failed before, and its sessions are of no more use: %s",
                   engine->broken.message);
}

/* In a child the device's memory is the parent's, and what threads of the parent wait for can't be unmade. */
static void close_engine(mien_cuda_engine *engine) {
  if (!engine || engine->process != getpid()) return;
  {
    const mien_on_device here(engine);
    for (mien_cuda_lane *lane : engine->lanes) mien_lane_destroy(lane);
    mien_arena_free(&engine->weights);
  }
  delete engine;
}

/* Weights are many small arrays. */
#define WEIGHT_PIECE_BYTES ((size_t)4 << 20)

static cudaError_t start_device(mien_cuda_engine *engine) {
  enum { LEAST_MAJOR = 8 };
  int major, shared;
  MIEN_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, engine->ordinal));
  MIEN_TRY(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, engine->ordinal));
  MIEN_TRY(cudaDeviceGetAttribute(&engine->multiprocessors, cudaDevAttrMultiProcessorCount, engine->ordinal));
  engine->shared_bytes = (size_t)shared;
  if (major >= LEAST_MAJOR) return cudaSuccess;
  return mien_cuda_note_text(cudaErrorInvalidDevice,
                             "expected a device of compute capability %d.0 or later, found one of %d", LEAST_MAJOR,
                             major);
}

static cudaError_t wait_for_copies(void) {
  MIEN_TRY(cudaDeviceSynchronize());
  return cudaSuccess;
}

static mien_status fill_engine(mien_cuda_engine *engine, const mien_cuda_open_options *options,
                               const mien_cuda_head *head, const mien_cuda_encoder *encoder, mien_error *error) {
  const mien_on_device here(engine);
  cudaError_t code = here.code == cudaSuccess ? start_device(engine) : here.code;
  if (code == cudaErrorDevicesUnavailable) return fail_devices(code, error);
  if (code == cudaSuccess && head) code = mien_engine_set_head(engine, head, options->head);
  mien_status status = mien_engine_end(engine, code, "loading the head", error);
  if (status == MIEN_OK && encoder) status = mien_engine_set_encoder(engine, encoder, options->products, error);
  /* Small copies may be under way still, and the lanes' streams do not wait for the default one. */
  if (status == MIEN_OK) status = mien_engine_end(engine, wait_for_copies(), "loading the model", error);
  return status == MIEN_OK ? mien_engine_plan(engine, options->lanes, error) : status;
}

static mien_status open_engine(const mien_cuda_open_options *options, const mien_cuda_head *head,
                               const mien_cuda_encoder *encoder, mien_cuda_engine **out, mien_error *error) {
  mien_status status = check_ordinal(options->ordinal, error);
  if (status != MIEN_OK) return status;
  mien_cuda_engine *engine = new mien_cuda_engine();
  engine->ordinal = options->ordinal;
  engine->process = getpid();
  engine->most_bytes = options->most_bytes;
  engine->weights.least = WEIGHT_PIECE_BYTES;
  snprintf(engine->name, sizeof engine->name, "cuda:%d", options->ordinal);
  status = fill_engine(engine, options, head, encoder, error);
  if (status == MIEN_OK)
    *out = engine;
  else
    close_engine(engine);
  return status;
}

/* ---- The table: nothing of C++ leaves it ------------------------------------------------------------------------- */

static mien_status fail_memory(mien_error *error) { return mien_fail(error, MIEN_RESOURCE, "CUDA: out of memory"); }

/* Host memory is the only thing that throws. */
#define WITHOUT_EXCEPTIONS(call)                                                                                       \
  try {                                                                                                                \
    return call;                                                                                                       \
  } catch (const std::bad_alloc &) {                                                                                   \
    return fail_memory(error);                                                                                         \
  }

static mien_status table_open(const mien_cuda_open_options *options, const mien_cuda_head *head,
                              const mien_cuda_encoder *encoder, mien_cuda_engine **engine, mien_error *error) {
  WITHOUT_EXCEPTIONS(open_engine(options, head, encoder, engine, error))
}
static mien_status table_label_rows(mien_cuda_engine *engine, const mien_rows *rows, size_t n,
                                    const mien_results *results, size_t *n_bad, mien_error *error) {
  WITHOUT_EXCEPTIONS(mien_engine_label_rows(engine, rows, n, results, n_bad, error))
}
static mien_status table_label_device_rows(mien_cuda_engine *engine, const mien_rows *rows, size_t n,
                                           const mien_results *results, void *stream, mien_error *error) {
  WITHOUT_EXCEPTIONS(mien_engine_label_device_rows(engine, rows, n, results, stream, error))
}
static mien_status acquire(mien_cuda_engine *engine, mien_cuda_lane **lane, mien_error *error) {
  const mien_status status = mien_engine_check(engine, error);
  if (status != MIEN_OK) return status;
  const mien_on_device here(engine);
  if (here.code != cudaSuccess) return mien_engine_end(engine, here.code, "making room for batches", error);
  return mien_lane_acquire(engine, lane, error);
}
static mien_status table_acquire(mien_cuda_engine *engine, mien_cuda_lane **lane, mien_error *error) {
  WITHOUT_EXCEPTIONS(acquire(engine, lane, error))
}
static mien_status table_submit(mien_cuda_lane *lane, const int32_t *ids, const size_t *lengths, size_t n,
                                const mien_results *results, mien_error *error) {
  WITHOUT_EXCEPTIONS(mien_lane_submit(lane, ids, lengths, n, results, error))
}
static mien_status table_drain(mien_cuda_lane *lane, mien_error *error) {
  WITHOUT_EXCEPTIONS(mien_lane_drain(lane, error))
}
static mien_status table_add_folder(const char *folder, mien_error *error) {
  WITHOUT_EXCEPTIONS((mien_cublas_add_folder(folder), MIEN_OK))
}
static mien_status table_bench(mien_cuda_engine *engine, const mien_cuda_bench *bench, mien_error *error) {
  WITHOUT_EXCEPTIONS(mien_engine_bench(engine, bench, error))
}
static size_t batch_tokens(const mien_cuda_engine *engine) { return engine->batch_tokens; }

const mien_cuda_module *mien_cuda_module_get(void) {
#define TEXT_OF(number) #number
#define VERSION(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)
  static const mien_cuda_module module = {MIEN_CUDA_MODULE_ABI,
                                          VERSION(MIEN_VERSION_MAJOR, MIEN_VERSION_MINOR, MIEN_VERSION_PATCH),
                                          table_add_folder,
                                          device_count,
                                          device_info,
                                          table_open,
                                          close_engine,
                                          table_label_rows,
                                          table_label_device_rows,
                                          table_acquire,
                                          mien_lane_release,
                                          batch_tokens,
                                          table_submit,
                                          table_drain,
                                          table_bench};
  return &module;
}
