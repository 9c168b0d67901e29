/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and opening the library that drives CUDA devices, and what it says of them. */
#define _GNU_SOURCE /* dladdr */
#include "model/cuda.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* The name has the version of the interface that programs are linked with, as libmien's own. */
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define LIBRARY "libmien_cuda.so." TEXT(MIEN_VERSION_MAJOR) "." TEXT(MIEN_VERSION_MINOR)
#define BESIDE "/../lib"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static const mien_cuda_module *opened;
static char **folders; /* [n_folders] of CUDA's libraries, for a library that is not open yet */
static size_t n_folders;
/* The process that has the library open or is opening it; 0: none. Read without the lock, since in a child of fork that
 * may be held by a thread that is not there. */
static atomic_int process;

/* ---- Where it is ----------------------------------------------------------------------------------------------- */

/* The folder of the file that this code is in; empty where that can't be told. */
static void find_own_folder(char folder[PATH_MAX]) {
  Dl_info own, program;
  folder[0] = '\0';
  if (!dladdr(&lock, &own)) return;
  /* A program's name is what it was called by, which need not be a path. */
  const bool is_program = dladdr((const void *)getauxval(AT_PHDR), &program) && program.dli_fbase == own.dli_fbase;
  if (realpath(is_program ? "/proc/self/exe" : own.dli_fname, folder))
    *strrchr(folder, '/') = '\0';
  else
    folder[0] = '\0';
}

/* Opens the library in `folder` and what stands `behind` it; leaves *handle where there is none. */
static mien_status open_in(const char *folder, const char *behind, void **handle, mien_error *error) {
  char path[PATH_MAX + sizeof BESIDE + sizeof LIBRARY];
  struct stat info;
  snprintf(path, sizeof path, "%s%s/%s", folder, behind, LIBRARY);
  if (lstat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR)) return MIEN_OK;
  *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  return *handle ? MIEN_OK : mien_fail(error, MIEN_RESOURCE, "%s", dlerror());
}

/* The same where the system's loader looks. */
static mien_status open_by_name(void **handle, mien_error *error) {
  *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (*handle) return MIEN_OK;
  const char *why = dlerror();
  static const char missing[] = LIBRARY ": cannot open shared object"; /* and not a library that this one needs */
  return strncmp(why, missing, sizeof missing - 1) == 0 ? MIEN_OK : mien_fail(error, MIEN_RESOURCE, "%s", why);
}

static mien_status find_library(void **handle, mien_error *error) {
  char folder[PATH_MAX];
  mien_status status = MIEN_OK;
  *handle = NULL;
  find_own_folder(folder);
  if (folder[0]) status = open_in(folder, "", handle, error);
  if (status == MIEN_OK && !*handle && folder[0]) status = open_in(folder, BESIDE, handle, error);
  if (status == MIEN_OK && !*handle) status = open_by_name(handle, error);
  if (status != MIEN_OK || *handle) return status;
  return mien_fail(error, MIEN_RESOURCE,
                   "CUDA: " LIBRARY " was not found in %s, in %s" BESIDE
                   ", or where the system's loader looks: a build with -DMIEN_CUDA=ON makes it",
                   folder, folder);
}

/* ---- Opening --------------------------------------------------------------------------------------------------- */

static mien_status check_module(const mien_cuda_module *module, mien_error *error) {
  if (module->abi != MIEN_CUDA_MODULE_ABI)
    return mien_fail(error, MIEN_RESOURCE, "CUDA: " LIBRARY ": interface: expected %d, found %u: it is of another mien",
                     MIEN_CUDA_MODULE_ABI, module->abi);
  if (strcmp(module->version, mien_version()) != 0)
    return mien_fail(error, MIEN_RESOURCE, "CUDA: " LIBRARY ": version: expected %s, found %s", mien_version(),
                     module->version);
  return MIEN_OK;
}

static mien_status take_table(void *handle, const mien_cuda_module **module, mien_error *error) {
  const mien_cuda_module *(*get)(void);
  void *symbol = dlsym(handle, "mien_cuda_module_get");
  if (!symbol) return mien_fail(error, MIEN_RESOURCE, "CUDA: " LIBRARY ": expected mien's library, found another");
  memcpy(&get, &symbol, sizeof get); /* C has no cast from objects to functions */
  *module = get();
  return check_module(*module, error);
}

static mien_status open_library(mien_error *error) {
  void *handle;
  const mien_cuda_module *module = NULL;
  mien_status status = find_library(&handle, error);
  if (status != MIEN_OK) return status;
  status = take_table(handle, &module, error);
  for (size_t i = 0; status == MIEN_OK && i < n_folders; i++) status = module->add_folder(folders[i], error);
  if (status == MIEN_OK)
    opened = module;
  else
    dlclose(handle);
  return status;
}

bool mien_cuda_is_of_parent(void) {
  const int owner = atomic_load(&process);
  return owner != 0 && owner != (int)getpid();
}

static mien_status check_process(mien_error *error) {
  if (!mien_cuda_is_of_parent()) return MIEN_OK;
  return mien_fail(error, MIEN_ARGUMENT, "CUDA was used before fork: expected a process whose parent has not used it");
}

mien_status mien_cuda_module_open(const mien_cuda_module **module, mien_error *error) {
  mien_status status = check_process(error);
  if (status != MIEN_OK) return status;
  pthread_mutex_lock(&lock);
  if (!opened) {
    atomic_store(&process, (int)getpid());
    status = open_library(error);
    if (status != MIEN_OK) atomic_store(&process, 0);
  }
  *module = opened;
  pthread_mutex_unlock(&lock);
  return status;
}

/* ---- Folders and devices --------------------------------------------------------------------------------------- */

static mien_status keep_folder(const char *folder, mien_error *error) {
  char **more = realloc(folders, (n_folders + 1) * sizeof *more), *copy = NULL;
  if (more) {
    folders = more;
    copy = mien_copy_text(folder, strlen(folder));
  }
  if (!copy) return mien_fail_memory(error, "CUDA: folder", strlen(folder));
  folders[n_folders++] = copy;
  return MIEN_OK;
}

mien_status mien_cuda_add_library_folder(const char *folder, mien_error *error) {
  if (!folder || !folder[0])
    return mien_fail(error, MIEN_ARGUMENT, "mien_cuda_add_library_folder: expected a folder, found nothing");
  mien_status status = check_process(error);
  if (status != MIEN_OK) return status;
  pthread_mutex_lock(&lock);
  status = opened ? opened->add_folder(folder, error) : keep_folder(folder, error);
  pthread_mutex_unlock(&lock);
  return status;
}

mien_status mien_cuda_device_count(int32_t *count, mien_error *error) {
  const mien_cuda_module *module;
  int found = 0;
  if (!count) return mien_fail(error, MIEN_ARGUMENT, "mien_cuda_device_count: count must not be NULL");
  mien_status status = mien_cuda_module_open(&module, error);
  if (status == MIEN_OK) status = module->device_count(&found, error);
  if (status == MIEN_OK && found < 1)
    status = mien_fail(error, MIEN_RESOURCE, "CUDA: expected at least 1 device, found %d", found);
  if (status == MIEN_OK) *count = found;
  return status;
}

/* What the caller's structure has of all that is known. */
static void fill_device(const mien_cuda_device_info *info, mien_cuda_device *device) {
  _Static_assert(sizeof info->isa == sizeof device->isa && sizeof info->name == sizeof device->name, "copied whole");
  mien_cuda_device all = {.size = device->size,
                          .total_bytes = info->total_bytes,
                          .free_bytes = info->free_bytes,
                          .l2_bytes = info->l2_bytes,
                          .multiprocessors = info->multiprocessors,
                          .driver_version = info->driver,
                          .runtime_version = info->runtime};
  memcpy(all.isa, info->isa, sizeof all.isa);
  memcpy(all.name, info->name, sizeof all.name);
  memcpy(device, &all, device->size);
}

mien_status mien_cuda_device_describe(int32_t ordinal, mien_cuda_device *device, mien_error *error) {
  const mien_cuda_module *module;
  mien_cuda_device_info info = {0};
  if (!device || device->size < sizeof(size_t) || device->size > sizeof *device)
    return mien_fail(error, MIEN_ARGUMENT, "CUDA device: size: expected %zu to %zu bytes, found %zu", sizeof(size_t),
                     sizeof *device, device ? device->size : 0);
  if (ordinal < 0)
    return mien_fail(error, MIEN_ARGUMENT, "CUDA device: expected a number from 0, found %d", (int)ordinal);
  mien_status status = mien_cuda_module_open(&module, error);
  if (status == MIEN_OK) status = module->device_info(ordinal, &info, error);
  if (status == MIEN_OK) fill_device(&info, device);
  return status;
}
