/* SPDX-License-Identifier: Apache-2.0 */
/* Inside a model: what sessions and descriptions need of it. */
#ifndef MIEN_MODEL_MODEL_H
#define MIEN_MODEL_MODEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "encoder/plan.h"
#include "head/head.h"
#include "kernels/head_plan.h"

struct mien_model {
  atomic_size_t references;
  mien_head *head;            /* NULL, and so are plan and thresholds, in an encoder alone */
  mien_head_plan *plan;       /* the head, packed */
  mien_encoder_plan *encoder; /* NULL in a head alone */
  bool is_pack;               /* opened as one, and so is the encoder */
  float *thresholds;          /* [L] */
  mien_thresholds_from thresholds_from;
  char *description; /* malloc's */
  pthread_mutex_t engines_lock;
  struct mien_engine *engines; /* on CUDA devices, those that sessions have now; under the lock */
};

/*
 * mien_model_open_memory of a pack's `bytes`, from mien_alloc_raw, which it takes over, after a failure too: a pack is
 * used where it lies. Every field of the options is read.
 */
MIEN_MUST_USE mien_status mien_model_adopt(unsigned char *bytes, size_t size, const mien_model_options *options,
                                           mien_model **model, mien_error *error);

/* The packed head, as long as the model lives; NULL where there is none. */
const mien_head_plan *mien_model_plan(const mien_model *model);

/* The labels' names, in order; NULL without memory. */
json_t *mien_model_json_of_labels(const mien_head *head);

/* Writes model->description. */
MIEN_MUST_USE mien_status mien_model_make_description(mien_model *model, mien_error *error);

#endif
