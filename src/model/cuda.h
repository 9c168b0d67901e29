/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA device as libmien has it: the library that drives it, opened when it is first asked for, and engines, which
 * the sessions of a model share. In a build without dlopen all of it is refused.
 */
#ifndef MIEN_MODEL_CUDA_H
#define MIEN_MODEL_CUDA_H

#include <stdatomic.h>

#include "base/status.h"
#include "encoder/plan.h"
#include "kernels/head_plan.h"
#include "mien/mien_cuda.h"
#include "model/cuda_module.h"

/*
 * The library's table, which lives as long as the process. MIEN_RESOURCE where it can't be had, MIEN_ARGUMENT in a
 * child of fork whose parent has it open.
 */
MIEN_MUST_USE mien_status mien_cuda_module_open(const mien_cuda_module **module, mien_error *error);

/* Whether this process is a child of fork whose parent has used CUDA. */
bool mien_cuda_is_of_parent(void);

/* A head, an encoder, or both on a device. */
typedef struct mien_engine {
  struct mien_engine *next; /* of a model's, under its lock */
  int32_t ordinal;
  atomic_size_t references; /* sessions of the model that have it */
  atomic_uint waiting;      /* threads that wait for a lane */
  const mien_cuda_module *module;
  mien_cuda_engine *engine;
  mien_cuda_device_info info;
} mien_engine;

/* The model's engine on the device, made where it has none there, for one who releases it before the model. */
MIEN_MUST_USE mien_status mien_engine_acquire(mien_model *model, int32_t ordinal, mien_engine **engine,
                                              mien_error *error);
void mien_engine_release(mien_model *model, mien_engine *engine);

/*
 * An engine of no model's sessions, by the ways that `options` say, for benchmarks: a head, an encoder, or both, which
 * need not live longer than the call. The module's own functions take engine->engine. Closing takes NULL too.
 */
MIEN_MUST_USE mien_status mien_engine_open(const mien_cuda_open_options *options, const mien_head_plan *head,
                                           const mien_encoder_plan *encoder, mien_engine **engine, mien_error *error);
void mien_engine_close(mien_engine *engine);

#endif
