/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of CUDA as messages, and device memory in pieces. */
#include "runtime.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static thread_local char noted[sizeof((mien_error *)NULL)->message];

cudaError_t mien_cuda_note(cudaError_t code, const char *function, const char *call) {
  (void)cudaGetLastError(); /* it is told here, and must not be found by the next call */
  snprintf(noted, sizeof noted, "%s: %.*s: %s (%s)", function, (int)strcspn(call, "("), call, cudaGetErrorString(code),
           cudaGetErrorName(code));
  return code;
}

cudaError_t mien_cuda_note_text(cudaError_t code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(noted, sizeof noted, format, arguments);
  va_end(arguments);
  return code;
}

mien_status mien_cuda_tell(cudaError_t code, const char *what, mien_error *error) {
  return code == cudaSuccess ? MIEN_OK : mien_fail(error, MIEN_RESOURCE, "%s: %s", what, noted);
}

#ifdef MIEN_CUDA_FAULTS
long mien_cuda_fault_at, mien_cuda_calls;
cudaError_t mien_cuda_fault_code = cudaErrorUnknown;

cudaError_t mien_cuda_fault(void) {
  return ++mien_cuda_calls == mien_cuda_fault_at ? mien_cuda_fault_code : cudaSuccess;
}
#endif

/* ---- Device memory ----------------------------------------------------------------------------------------------- */

enum { ALIGNMENT = 256 };

static cudaError_t take_piece(mien_arena *arena, size_t bytes) {
  void *memory = NULL;
  MIEN_TRY(cudaMalloc(&memory, bytes));
  arena->pieces.push_back({static_cast<unsigned char *>(memory), bytes, 0});
  return cudaSuccess;
}

cudaError_t mien_arena_take(mien_arena *arena, size_t bytes, void **memory) {
  *memory = NULL;
  if (bytes == 0) return cudaSuccess;
  if (bytes > SIZE_MAX - ALIGNMENT) return mien_cuda_note(cudaErrorMemoryAllocation, __func__, "more than memory");
  bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  mien_arena::piece *last = arena->pieces.empty() ? NULL : &arena->pieces.back();
  if (!last || last->bytes - last->used < bytes) {
    MIEN_PASS(take_piece(arena, bytes < arena->least ? arena->least : bytes));
    last = &arena->pieces.back();
  }
  *memory = last->memory + last->used;
  last->used += bytes;
  return cudaSuccess;
}

void mien_arena_free(mien_arena *arena) {
  for (const mien_arena::piece &piece : arena->pieces) (void)cudaFree(piece.memory);
  arena->pieces.clear();
}

/* ---- Pinned memory ----------------------------------------------------------------------------------------------- */

cudaError_t mien_pinned_take(mien_pinned *pinned, size_t bytes, void **memory) {
  MIEN_TRY(cudaHostAlloc(memory, bytes > 0 ? bytes : 1, cudaHostAllocDefault));
  pinned->push_back(*memory);
  return cudaSuccess;
}

void mien_pinned_free(mien_pinned *pinned) {
  for (void *memory : *pinned) (void)cudaFreeHost(memory);
  pinned->clear();
}
