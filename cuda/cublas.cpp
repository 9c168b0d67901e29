/* SPDX-License-Identifier: Apache-2.0 */
/* Finding cuBLASLt and calling it. */
#include "cublas.h"

#include <cublasLt.h>
#include <dlfcn.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "runtime.h"

/* ---- The library ------------------------------------------------------------------------------------------------- */

#define TEXT_OF(number) #number
#define TEXT_OF_VALUE(number) TEXT_OF(number)
#define LIBRARY "libcublasLt.so." TEXT_OF_VALUE(CUBLAS_VER_MAJOR)

typedef struct library {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulDescCreate) desc_create;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) config_get;
  decltype(&cublasLtGetStatusString) status_string;
} library;

/* One product: what is multiplied is row-major here and column-major there, so that the weights come first. */
typedef struct plan {
  cublasLtMatmulDesc_t desc;
  cublasLtMatmulAlgo_t algo;
} plan;

static std::mutex lock; /* of everything below */
static std::vector<std::string> folders;
static void *opened;
static library lt;
/* By device, and by device, type and sizes. They live as long as the process, and longer than what ends with it. */
static std::map<int, cublasLtHandle_t> &handles = *new std::map<int, cublasLtHandle_t>;
static auto &plans = *new std::map<std::tuple<int, int, size_t, size_t>, plan>;

void mien_cublas_add_folder(const char *folder) {
  std::lock_guard<std::mutex> held(lock);
  folders.push_back(folder);
}

/* Where packages of Python put it, PyTorch's among them, and CUDA's own installer. */
static std::vector<std::string> places(void) {
  std::vector<std::string> patterns, found = folders;
  Dl_info info;
  if (dladdr(reinterpret_cast<void *>(&mien_cublas_add_folder), &info) && info.dli_fname) {
    const std::string path = info.dli_fname;
    if (path.find('/') != std::string::npos) found.push_back(path.substr(0, path.rfind('/')));
  }
  found.push_back(""); /* as the loader finds it, or has it loaded already */
  /* Nothing of a user's own in a program that runs with others' rights. */
  const struct passwd *user = getauxval(AT_SECURE) ? NULL : getpwuid(getuid());
  std::vector<std::string> roots = {"/usr/local/lib/python3*/site-packages", "/usr/local/lib/python3*/dist-packages",
                                    "/usr/lib/python3*/site-packages", "/usr/lib/python3/dist-packages"};
  if (user && user->pw_dir) roots.push_back(std::string(user->pw_dir) + "/.local/lib/python3*/site-packages");
  for (const std::string &root : roots)
    for (const char *package : {"/nvidia/cu" TEXT_OF_VALUE(CUBLAS_VER_MAJOR) "/lib", "/nvidia/cublas/lib"})
      patterns.push_back(root + package);
  patterns.push_back("/usr/local/cuda/lib64");
  for (const std::string &pattern : patterns) {
    glob_t matches;
    if (glob(pattern.c_str(), 0, NULL, &matches) == 0)
      for (size_t i = 0; i < matches.gl_pathc; i++) found.push_back(matches.gl_pathv[i]);
    globfree(&matches);
  }
  return found;
}

template <class Function> static bool find(Function *function, const char *name) {
  *function = reinterpret_cast<Function>(dlsym(opened, name));
  if (!*function)
    (void)mien_cuda_note_text(cudaErrorUnknown, "%s: expected the function %s, found none", LIBRARY, name);
  return *function != NULL;
}

static cudaError_t open_library(void) {
  std::string looked, trouble; /* of a file that is there */
  if (opened && lt.status_string) return cudaSuccess;
  for (const std::string &folder : places()) {
    const std::string path = folder.empty() ? LIBRARY : folder + "/" LIBRARY;
    opened = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (opened) break;
    const char *why = dlerror();
    if (trouble.empty() && why && !folder.empty() && access(path.c_str(), F_OK) == 0) trouble = why;
    looked += looked.empty() ? "" : ", ";
    looked += folder.empty() ? "the loader's folders" : folder;
  }
  if (!opened)
    return mien_cuda_note_text(cudaErrorUnknown,
                               "cuBLAS is missing: pip install nvidia-cublas, or install the CUDA toolkit: %s",
                               trouble.empty() ? (LIBRARY " was not found in " + looked).c_str() : trouble.c_str());
  const bool all =
      find(&lt.create, "cublasLtCreate") && find(&lt.matmul, "cublasLtMatmul") &&
      find(&lt.desc_create, "cublasLtMatmulDescCreate") && find(&lt.desc_destroy, "cublasLtMatmulDescDestroy") &&
      find(&lt.desc_set, "cublasLtMatmulDescSetAttribute") && find(&lt.layout_create, "cublasLtMatrixLayoutCreate") &&
      find(&lt.layout_destroy, "cublasLtMatrixLayoutDestroy") &&
      find(&lt.preference_create, "cublasLtMatmulPreferenceCreate") &&
      find(&lt.preference_destroy, "cublasLtMatmulPreferenceDestroy") &&
      find(&lt.preference_set, "cublasLtMatmulPreferenceSetAttribute") &&
      find(&lt.heuristic, "cublasLtMatmulAlgoGetHeuristic") &&
      find(&lt.config_get, "cublasLtMatmulAlgoConfigGetAttribute") &&
      find(&lt.status_string, "cublasLtGetStatusString");
  return all ? cudaSuccess : cudaErrorUnknown;
}

static cudaError_t check(cublasStatus_t status, const char *call) {
  if (status == CUBLAS_STATUS_SUCCESS) return cudaSuccess;
  const cudaError_t code = status == CUBLAS_STATUS_ALLOC_FAILED ? cudaErrorMemoryAllocation : cudaErrorUnknown;
  return mien_cuda_note_text(code, "%.*s: %s", (int)strcspn(call, "("), call, lt.status_string(status));
}

/* A call of the library. */
#define LT_TRY(call)                                                                                                   \
  do {                                                                                                                 \
    const cudaError_t code_of_call =                                                                                   \
        check(MIEN_CUDA_CALL(cudaSuccess) == cudaSuccess ? (call) : CUBLAS_STATUS_INTERNAL_ERROR, #call);              \
    if (code_of_call != cudaSuccess) return code_of_call;                                                              \
  } while (0)

/* The handle of the thread's device. The lock is held. */
static cudaError_t handle_of(int *device, cublasLtHandle_t *handle) {
  MIEN_TRY(cudaGetDevice(device));
  MIEN_PASS(open_library());
  auto known = handles.find(*device);
  if (known == handles.end()) {
    LT_TRY(lt.create(handle));
    handles[*device] = *handle;
  } else {
    *handle = known->second;
  }
  return cudaSuccess;
}

cudaError_t mien_cublas_prepare(void) {
  std::lock_guard<std::mutex> held(lock);
  int device;
  cublasLtHandle_t handle;
  return handle_of(&device, &handle);
}

/* ---- Products ---------------------------------------------------------------------------------------------------- */

/* The rows that an algorithm is found for, and how many are looked at. */
enum { NOMINAL_ROWS = 8192, MOST_CHOICES = 32 };

static cudaDataType type_of(mien_dtype dtype) {
  return dtype == MIEN_F16 ? CUDA_R_16F : dtype == MIEN_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* Descriptions of the three matrices for n rows, destroyed together. */
typedef struct layouts {
  cublasLtMatrixLayout_t w, x, y;
  ~layouts(void) {
    for (cublasLtMatrixLayout_t layout : {w, x, y})
      if (layout) (void)lt.layout_destroy(layout);
  }
} layouts;

static cudaError_t describe(layouts *all, mien_dtype dtype, size_t outputs, size_t inputs, size_t x_stride, size_t n) {
  LT_TRY(lt.layout_create(&all->w, type_of(dtype), inputs, outputs, (int64_t)inputs));
  LT_TRY(lt.layout_create(&all->x, type_of(dtype), inputs, n, (int64_t)x_stride));
  LT_TRY(lt.layout_create(&all->y, CUDA_R_32F, outputs, n, (int64_t)outputs));
  return cudaSuccess;
}

/* The first that adds up each sum in one piece and needs no memory of its own. */
static cudaError_t choose(cublasLtHandle_t handle, const layouts *all, cublasLtMatmulPreference_t preference,
                          plan *chosen) {
  cublasLtMatmulHeuristicResult_t found[MOST_CHOICES];
  const uint32_t no_reduction = CUBLASLT_REDUCTION_SCHEME_NONE, alignment = 16; /* bytes, of everything */
  const size_t no_memory = 0;
  int n = 0;
  LT_TRY(lt.preference_set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &no_reduction, sizeof no_reduction));
  LT_TRY(lt.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &no_memory, sizeof no_memory));
  for (const auto attribute : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    LT_TRY(lt.preference_set(preference, attribute, &alignment, sizeof alignment));
  LT_TRY(lt.heuristic(handle, chosen->desc, all->w, all->x, all->y, all->y, preference, MOST_CHOICES, found, &n));
  for (int i = 0; i < n; i++) {
    int32_t split = 0;
    size_t written;
    if (found[i].state != CUBLAS_STATUS_SUCCESS || found[i].workspaceSize > 0) continue;
    LT_TRY(lt.config_get(&found[i].algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &split, sizeof split, &written));
    if (split > 1) continue;
    chosen->algo = found[i].algo;
    return cudaSuccess;
  }
  return mien_cuda_note_text(cudaErrorUnknown, "cublasLtMatmulAlgoGetHeuristic: expected an algorithm, found none");
}

static cudaError_t make_plan(cublasLtHandle_t handle, mien_dtype dtype, size_t outputs, size_t inputs, size_t x_stride,
                             plan *made) {
  const cublasComputeType_t compute = dtype == MIEN_F32 ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F;
  const cublasOperation_t transposed = CUBLAS_OP_T;
  layouts all = {};
  cublasLtMatmulPreference_t preference;
  LT_TRY(lt.desc_create(&made->desc, compute, CUDA_R_32F));
  LT_TRY(lt.desc_set(made->desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed));
  MIEN_PASS(describe(&all, dtype, outputs, inputs, x_stride, NOMINAL_ROWS));
  LT_TRY(lt.preference_create(&preference));
  const cudaError_t code = choose(handle, &all, preference, made);
  (void)lt.preference_destroy(preference);
  return code;
}

static cudaError_t plan_for(mien_dtype dtype, size_t outputs, size_t inputs, size_t x_stride, cublasLtHandle_t *handle,
                            plan *found) {
  std::lock_guard<std::mutex> held(lock);
  int device;
  MIEN_PASS(handle_of(&device, handle));
  const auto key = std::make_tuple(device, (int)dtype, outputs, inputs);
  auto known = plans.find(key);
  if (known != plans.end()) {
    *found = known->second;
    return cudaSuccess;
  }
  *found = {};
  const cudaError_t code = make_plan(*handle, dtype, outputs, inputs, x_stride, found);
  if (code == cudaSuccess)
    plans[key] = *found;
  else if (found->desc)
    (void)lt.desc_destroy(found->desc);
  return code;
}

cudaError_t mien_cublas_multiply(mien_dtype dtype, const void *w, size_t outputs, size_t inputs, const void *x,
                                 size_t x_stride, size_t n, float *y, cudaStream_t stream) {
  const float one = 1, zero = 0;
  cublasLtHandle_t handle;
  plan with;
  layouts all = {};
  if (n == 0) return cudaSuccess;
  MIEN_PASS(plan_for(dtype, outputs, inputs, x_stride, &handle, &with));
  MIEN_PASS(describe(&all, dtype, outputs, inputs, x_stride, n));
  LT_TRY(
      lt.matmul(handle, with.desc, &one, w, all.w, x, all.x, &zero, y, all.y, y, all.y, &with.algo, NULL, 0, stream));
  return cudaSuccess;
}
