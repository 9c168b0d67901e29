/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the CUDA runtime and what becomes of their failures. Inside cuda/ a function that can fail returns a
 * cudaError_t; where it began is kept for the thread, and becomes a message at the module's border.
 */
#ifndef MIEN_CUDA_RUNTIME_H
#define MIEN_CUDA_RUNTIME_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "base/status.h"

/* Remembers what failed and where, as long as the thread makes no other failure. Returns `code`. */
cudaError_t mien_cuda_note(cudaError_t code, const char *function, const char *call);

/* The same for what is no failure of the runtime: "cublasLtMatmul: CUBLAS_STATUS_…". */
__attribute__((format(printf, 2, 3))) cudaError_t mien_cuda_note_text(cudaError_t code, const char *format, ...);

/* The thread's last failure as a message; `what` is what was tried: "cuda:0: labelling texts". */
mien_status mien_cuda_tell(cudaError_t code, const char *what, mien_error *error);

#ifdef MIEN_CUDA_FAULTS
/* For tests: the call number `mien_cuda_fault_at` from now on (0: none) fails with the code, and is not made. */
extern long mien_cuda_fault_at, mien_cuda_calls;
extern cudaError_t mien_cuda_fault_code;
cudaError_t mien_cuda_fault(void);
#define MIEN_CUDA_CALL(call) (mien_cuda_fault() != cudaSuccess ? mien_cuda_fault_code : (call))
#else
#define MIEN_CUDA_CALL(call) (call)
#endif

/* Makes a call, and notes where it fails. */
#define MIEN_CHECK(call) mien_cuda_checked(MIEN_CUDA_CALL(call), __func__, #call)
static inline cudaError_t mien_cuda_checked(cudaError_t code, const char *function, const char *call) {
  return code == cudaSuccess ? code : mien_cuda_note(code, function, call);
}

/* The same, and returns from the function where it fails. */
#define MIEN_TRY(call) MIEN_PASS(MIEN_CHECK(call))

/* Passes on a failure that is noted already. */
#define MIEN_PASS(call)                                                                                                \
  do {                                                                                                                 \
    const cudaError_t code_of_call = (call);                                                                           \
    if (code_of_call != cudaSuccess) return code_of_call;                                                              \
  } while (0)

/* Device memory that is freed all at once, cut from pieces of at least `least` bytes. */
typedef struct mien_arena {
  struct piece {
    unsigned char *memory;
    size_t bytes, used;
  };
  std::vector<piece> pieces;
  size_t least;
} mien_arena;

/* `bytes` bytes aligned to 256, from `arena`; *memory must be NULL where they are 0. */
cudaError_t mien_arena_take(mien_arena *arena, size_t bytes, void **memory);
template <class T> static inline cudaError_t mien_arena_take(mien_arena *arena, size_t n, T **memory) {
  void *taken = NULL;
  const cudaError_t code = mien_arena_take(arena, n * sizeof(T), &taken);
  *memory = static_cast<T *>(taken);
  return code;
}
void mien_arena_free(mien_arena *arena);

/* Pinned host memory that is freed all at once. */
typedef std::vector<void *> mien_pinned;
cudaError_t mien_pinned_take(mien_pinned *pinned, size_t bytes, void **memory);
template <class T> static inline cudaError_t mien_pinned_take(mien_pinned *pinned, size_t n, T **memory) {
  void *taken = NULL;
  const cudaError_t code = mien_pinned_take(pinned, n * sizeof(T), &taken);
  *memory = static_cast<T *>(taken);
  return code;
}
void mien_pinned_free(mien_pinned *pinned);

/* A copy of host memory. */
template <class T> static inline cudaError_t mien_arena_copy(mien_arena *arena, const T *from, size_t n, T **memory) {
  MIEN_PASS(mien_arena_take(arena, n, memory));
  MIEN_TRY(cudaMemcpy(*memory, from, n * sizeof(T), cudaMemcpyHostToDevice));
  return cudaSuccess;
}

#endif
