/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mien for programs that know of CUDA: which devices there are, where CUDA's libraries lie, and rows that are in a
 * device's memory already. Who only wants a model to run on a CUDA device needs mien.h alone, and its
 * MIEN_DEVICE_CUDA.
 *
 * Nothing of CUDA is needed to compile or link: these functions are libmien's own, and open libmien_cuda.so as
 * mien_session_create does. Errors are as in mien.h; without that library, a driver or a device it is MIEN_RESOURCE, in
 * a child of fork whose parent has used CUDA it is MIEN_ARGUMENT. Functions are thread-safe but where it says
 * otherwise.
 */
#ifndef MIEN_MIEN_CUDA_H
#define MIEN_MIEN_CUDA_H

#include "mien.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Devices ------------------------------------------------------------------------------------------------- */

/*
 * Names a folder where CUDA's libraries (cuBLAS) are looked for before those of the system, in the order of the calls;
 * it counts for what is opened later. The string is copied. Opens nothing by itself.
 */
MIEN_API MIEN_MUST_USE mien_status mien_cuda_add_library_folder(const char *folder, mien_error *error);

/* Writes how many CUDA devices this process sees, at least 1, numbered from 0. */
MIEN_API MIEN_MUST_USE mien_status mien_cuda_device_count(int32_t *count, mien_error *error);

/* What a device is. */
typedef struct mien_cuda_device {
  size_t size;             /* sizeof(mien_cuda_device), of the caller */
  uint64_t total_bytes;    /* of its memory */
  uint64_t free_bytes;     /* the same, when it was asked */
  uint64_t l2_bytes;       /* of its second-level cache */
  int32_t multiprocessors; /* of the device */
  int32_t driver_version;  /* the newest CUDA that the driver runs: 13000 is 13.0 */
  int32_t runtime_version; /* the CUDA that libmien_cuda.so was built with, the same way */
  char isa[16];            /* "sm_90", NUL-terminated */
  char name[256];          /* "NVIDIA H200", the same */
} mien_cuda_device;

/* Fills what lies behind device->size. A device of no such number is MIEN_ARGUMENT or MIEN_RESOURCE. */
MIEN_API MIEN_MUST_USE mien_status mien_cuda_device_describe(int32_t ordinal, mien_cuda_device *device,
                                                             mien_error *error);

/* ---- Rows in device memory ----------------------------------------------------------------------------------- */

/*
 * mien_label_embeddings with rows [n × D] and results (words, scores and status, each may be NULL) in memory of the
 * session's device, queued on `stream`, a cudaStream_t of the same device, NULL being its default stream. Returns when
 * the work is queued: results are there when the stream has come past it, and until then rows and results must stay as
 * they are and the session must not be destroyed. What is bad is in status alone: n_bad is not written.
 *
 * Rows are MIEN_F32, MIEN_F16 or MIEN_BF16. MIEN_ARGUMENT where the session is not on one CUDA device, or its model has
 * no head. An address that is not the device's is an error of the stream, after which the session is of no more use.
 * A session is used by one thread at a time; its progress callback is not called.
 */
MIEN_API MIEN_MUST_USE mien_status mien_cuda_label_embeddings(mien_session *session, const mien_rows *rows, size_t n,
                                                              const mien_results *results, void *stream,
                                                              mien_error *error);

#ifdef __cplusplus
}
#endif

#endif
