/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA device as libmien has it: the library that drives it, opened when it is first asked for, and engines, which
 * the sessions of a model share. In a build without dlopen all of it is refused.
 */
#ifndef MIEN_MODEL_CUDA_H
#define MIEN_MODEL_CUDA_H

#include <stdatomic.h>

#include "base/status.h"
#include "mien/mien_cuda.h"
#include "model/cuda_module.h"

/*
 * The library's table, which lives as long as the process. MIEN_RESOURCE where it can't be had, MIEN_ARGUMENT in a
 * child of fork whose parent has it open.
 */
MIEN_MUST_USE mien_status mien_cuda_module_open(const mien_cuda_module **module, mien_error *error);

/* Whether this process is a child of fork whose parent has used CUDA. */
bool mien_cuda_is_of_parent(void);

/* A model on a device. */
typedef struct mien_engine {
  struct mien_engine *next; /* of the model's, under its lock */
  int32_t ordinal;
  atomic_size_t references; /* sessions that have it */
  atomic_uint waiting;      /* threads that wait for a lane */
  const mien_cuda_module *module;
  mien_cuda_engine *engine;
  mien_cuda_device_info info;
} mien_engine;

/* The model's engine on the device, made where it has none there, for one who releases it before the model. */
MIEN_MUST_USE mien_status mien_engine_acquire(mien_model *model, int32_t ordinal, mien_engine **engine,
                                              mien_error *error);
void mien_engine_release(mien_model *model, mien_engine *engine);

#endif
